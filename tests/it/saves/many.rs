//! Two people and the scribe in one document, at once: 2,000 saves, each with words that stand nowhere else. At the end
//! each of them is in the document or in a suggestion, or the version in which it went away is a person's who took it
//! away.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use scribe_core::MediaAsset;

use super::{Person, started};
use crate::world::{BUCKET, World, key, marker, run};

/// How many saves each of the two makes.
const SAVES: usize = 1000;

/// After how many saves the scribe writes a turn.
const PER_TURN: usize = 25;

/// Above this many blocks a person takes some away.
const MANY_BLOCKS: usize = 30;

/// What a person did.
#[derive(Default)]
struct Done {
    /// The words that it wrote.
    wrote: Vec<String>,
    /// The words that it saw and did not save again.
    took_away: BTreeSet<String>,
    merged: usize,
}

/// The words that stand in one place only: `ada17`, `bob3`, `Milestone-0004`.
fn words(text: &str) -> BTreeSet<String> {
    let all = text.split(|c: char| !c.is_alphanumeric() && c != '-');
    let is_ours = |word: &&str| {
        ["ada", "bob", "Milestone-"].iter().any(|mark| {
            word.strip_prefix(mark)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    };
    all.filter(is_ours).map(str::to_owned).collect()
}

/// A person's next text.
fn edited(text: &str, word: &str, random: &mut ChaCha8Rng) -> String {
    let mut blocks: Vec<String> = text.trim().split("\n\n").map(str::to_owned).collect();
    while blocks.len() > MANY_BLOCKS {
        blocks.remove(random.random_range(1..blocks.len()));
    }
    let at = random.random_range(1..blocks.len().max(2)).min(blocks.len() - 1);
    match random.random_range(0..10) {
        0..=3 => {
            let mut words: Vec<&str> = blocks[at].split(' ').collect();
            let place = random.random_range(1..=words.len());
            words.insert(place, word);
            blocks[at] = words.join(" ");
        }
        4 | 5 => {
            // Another word in the place of one: what two people do at the same time to the same words.
            let mut words: Vec<&str> = blocks[at].split(' ').collect();
            let place = random.random_range(1..words.len().max(2)).min(words.len() - 1);
            words[place] = word;
            blocks[at] = words.join(" ");
        }
        6 => {
            blocks.swap(at, 1);
            blocks.push(format!("Moved, says {word}."));
        }
        7 => blocks[at] = format!("Anew: {word} was there."),
        8 => blocks.insert(at, format!("- a list of {word}\n- and more of it")),
        _ => blocks.push(
            ["## About", "> Quoted:", "In short:"]
                .choose(random)
                .unwrap()
                .to_string()
                + " "
                + word,
        ),
    }
    blocks.join("\n\n") + "\n"
}

/// Saves, and now and then looks again: mostly on what the last save answered, which others may have changed since.
async fn write(person: Person, name: &'static str, seed: u64, saves: Arc<AtomicUsize>) -> Done {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut done = Done::default();
    let first = person.read().await;
    let (mut text, mut etag) = (first.content().to_owned(), first.etag);
    for number in 0..SAVES {
        let word = format!("{name}{number}");
        let mine = edited(&text, &word, &mut random);
        let saved = person.save(&etag, &mine).await;
        assert_eq!(saved.status, StatusCode::OK, "{}", saved.body);
        done.took_away
            .extend(words(&text).difference(&words(&mine)).cloned());
        done.wrote.push(word);
        done.merged += usize::from(saved.body["merge"]["othersWrote"] == true);
        saves.fetch_add(1, Ordering::Relaxed);
        // Whoever stays on an old version for a while saves on it again.
        if random.random_range(0..4) > 0 {
            text = saved.content().to_owned();
            etag = saved.etag;
        }
        tokio::task::yield_now().await;
    }
    done
}

/// Weaves a turn whenever the two have saved often enough.
async fn narrate(world: &World, saves: &AtomicUsize) -> usize {
    let engine = world.engine();
    let mut turns = 1;
    while saves.load(Ordering::Relaxed) < 2 * SAVES {
        if saves.load(Ordering::Relaxed) / PER_TURN >= turns {
            turns += 1;
            world.say(&key("c1"), turns).await;
            while let Some(event) = world.lambda.take() {
                // As Lambda does it. The two never pause, so now and then they are faster eight times in a row.
                let mut tries = 1;
                while let Err(error) = run(&engine, &event).await {
                    tries += 1;
                    assert!(tries <= 3, "{error}");
                }
            }
        }
        tokio::task::yield_now().await;
    }
    turns
}

/// What stands in a version, in the document or beside it, and whether a person made it.
async fn version(world: &World, object: &str, id: &str) -> (BTreeSet<String>, bool) {
    let got = world
        .s3
        .get_object()
        .bucket(BUCKET)
        .key(object)
        .version_id(id)
        .send()
        .await
        .unwrap();
    let by_person = got.metadata.as_ref().unwrap()["scribe-author"] == "person";
    let bytes = got.body.collect().await.unwrap().to_vec();
    let asset: MediaAsset = serde_json::from_slice(&bytes).unwrap();
    (stands(&asset), by_person)
}

fn stands(asset: &MediaAsset) -> BTreeSet<String> {
    let mut stands = words(&asset.content);
    for suggestion in asset.scribe.as_ref().unwrap().suggestions.iter() {
        stands.extend(words(&suggestion.markdown));
    }
    stands
}

/// All versions of the document, the oldest first.
async fn versions(world: &World, object: &str) -> Vec<String> {
    let mut versions = Vec::new();
    let mut markers = (None, None);
    loop {
        let page = world
            .s3
            .list_object_versions()
            .bucket(BUCKET)
            .prefix(object)
            .set_key_marker(markers.0)
            .set_version_id_marker(markers.1)
            .send()
            .await
            .unwrap();
        versions.extend(
            page.versions
                .unwrap_or_default()
                .into_iter()
                .filter_map(|version| version.version_id),
        );
        if page.is_truncated != Some(true) {
            break;
        }
        markers = (page.next_key_marker, page.next_version_id_marker);
    }
    versions.reverse();
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_and_the_scribe_lose_no_word_in_2000_saves() {
    let (world, session) = started().await;
    let saves = Arc::new(AtomicUsize::new(0));
    let person = Person::new(&world, &session);
    let ada = tokio::spawn(write(person.clone(), "ada", 1, Arc::clone(&saves)));
    let bob = tokio::spawn(write(person.clone(), "bob", 2, Arc::clone(&saves)));
    let people = async { tokio::try_join!(ada, bob).unwrap() };
    let ((ada, bob), turns) = tokio::join!(people, narrate(&world, &saves));

    let object = format!("tenants/default/media-assets/{}.json", session.text_asset_id);
    let all = versions(&world, &object).await;
    let texts: Vec<(BTreeSet<String>, bool)> = stream::iter(&all)
        .map(|id| async { Ok::<_, std::convert::Infallible>(version(&world, &object, id).await) })
        .buffered(8)
        .try_collect()
        .await
        .unwrap();
    // In which version each word went away for the last time.
    let mut went: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, pair) in texts.windows(2).enumerate() {
        went.extend(
            pair[0]
                .0
                .difference(&pair[1].0)
                .map(|word| (word.as_str(), at + 1)),
        );
    }
    let now = &texts.last().unwrap().0;
    let milestones: Vec<String> = (1..=turns)
        .map(|n| marker(n).trim_end_matches(':').to_owned())
        .collect();
    let took_away: HashSet<&String> = ada.took_away.iter().chain(&bob.took_away).collect();
    let mut lost = Vec::new();
    let (mut stand, mut gone) = (0, 0);
    for word in ada.wrote.iter().chain(&bob.wrote).chain(&milestones) {
        if now.contains(word) {
            stand += 1;
            continue;
        }
        gone += 1;
        let by_person = went.get(word.as_str()).is_some_and(|&at| texts[at].1);
        if !by_person || !took_away.contains(word) {
            let at = went.get(word.as_str()).copied();
            lost.push(format!(
                "{word}, gone in version {at:?}, by a person: {by_person}"
            ));
        }
    }
    let conflicts = ada.merged + bob.merged;
    assert!(
        lost.is_empty(),
        "{} words lost, such as {:?}",
        lost.len(),
        &lost[..lost.len().min(5)]
    );
    // What makes the rest worth something: they did get into each other's way.
    assert!(
        conflicts > SAVES / 3,
        "{conflicts} of {} saves met another's",
        2 * SAVES
    );
    assert!(
        stand > 50 && gone > 50,
        "{stand} stand, {gone} were taken away"
    );
    let mut turns_in_order: Vec<usize> = (1..=turns).collect();
    turns_in_order.shuffle(&mut ChaCha8Rng::seed_from_u64(3));
    for n in turns_in_order {
        assert_eq!(
            world.state(&key("c1"), n).await,
            Some(scribe_core::TriggerState::Processed),
            "turn {n}"
        );
    }
    eprintln!(
        "{} versions, {conflicts} merged saves, {turns} turns; {stand} words stand, {gone} were taken away",
        all.len()
    );
}
