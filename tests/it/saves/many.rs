//! Two people and the scribe in one document, at once: 2,000 saves, each with a word that stands nowhere else. At the end
//! each word is in the document or in a suggestion, or the version in which it went away is a person's who took it away.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use scribe_core::{MediaAsset, TriggerState};
use serde_json::json;
use tokio::sync::watch;

use super::{Person, started};
use crate::world::{BUCKET, Reply, World, append, key, marker, run, said};

/// How many saves each of the two makes.
const SAVES: usize = 1000;

/// After how many saves the scribe writes a turn.
const PER_TURN: usize = 25;

/// Above this many blocks a person takes some away.
const MANY_BLOCKS: usize = 20;

/// Above this many suggestions a person dismisses the oldest.
const MANY_SUGGESTIONS: usize = 20;

/// What a person did.
#[derive(Default)]
struct Done {
    /// The words that it wrote.
    wrote: Vec<String>,
    /// The words that it saw and did not save again, or dismissed.
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
async fn write(person: Person, name: &'static str, seed: u64, saves: watch::Sender<usize>) -> Done {
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
        saves.send_modify(|saves| *saves += 1);
        if number % MANY_SUGGESTIONS == 0 {
            done.took_away.extend(dismiss(&person).await);
        }
        // Whoever stays on an old version for a while saves on it again.
        if random.random_range(0..4) > 0 {
            text = saved.content().to_owned();
            etag = saved.etag;
        }
    }
    done
}

/// Dismisses the oldest suggestions where there are many; answers the words that went with them.
async fn dismiss(person: &Person) -> BTreeSet<String> {
    let mut dismissed = BTreeSet::new();
    let all = person.suggestions().await;
    let too_many = all.len().saturating_sub(MANY_SUGGESTIONS);
    for suggestion in all.iter().take(too_many) {
        let answer = person
            .decide(suggestion["id"].as_str().unwrap(), "dismiss", &json!({}))
            .await;
        // The other one may have been faster.
        assert!(
            [StatusCode::OK, StatusCode::NOT_FOUND].contains(&answer.status),
            "{}",
            answer.body
        );
        dismissed.extend(words(suggestion["markdown"].as_str().unwrap_or_default()));
    }
    dismissed
}

/// Weaves a turn whenever the two have saved often enough.
async fn narrate(world: &World, mut saves: watch::Receiver<usize>) -> usize {
    let engine = world.engine();
    let mut turns = 1;
    while saves.changed().await.is_ok() {
        if *saves.borrow() / PER_TURN >= turns {
            turns += 1;
            let reply = || Reply::Say {
                text: append(&said(turns)),
                finish_reason: "stop",
            };
            world
                .model
                .script_for(turns, std::iter::repeat_with(reply).take(4));
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
    }
    turns
}

/// What stood in a version.
struct Version {
    /// In the document or beside it.
    words: BTreeSet<String>,
    /// In two places of the document.
    twice: Vec<String>,
    by_person: bool,
}

async fn version(world: &World, object: &str, id: &str) -> Version {
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
    let in_text = words(&asset.content);
    let count = |word: &str| {
        asset
            .content
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .filter(|other| *other == word)
            .count()
    };
    let twice = in_text.iter().filter(|word| count(word) > 1).cloned().collect();
    let mut words = in_text.clone();
    for suggestion in asset.scribe.as_ref().unwrap().suggestions.iter() {
        words.extend(self::words(&suggestion.markdown));
    }
    Version {
        words,
        twice,
        by_person,
    }
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
    let (saves, saved) = watch::channel(0);
    let person = Person::new(&world, &session);
    let ada = tokio::spawn(write(person.clone(), "ada", 1, saves.clone()));
    let bob = tokio::spawn(write(person.clone(), "bob", 2, saves));
    let people = async { tokio::try_join!(ada, bob).unwrap() };
    let ((ada, bob), turns) = tokio::join!(people, narrate(&world, saved));

    let object = format!("tenants/default/media-assets/{}.json", session.text_asset_id);
    let all = versions(&world, &object).await;
    let texts: Vec<Version> = stream::iter(&all)
        .map(|id| version(&world, &object, id))
        .buffered(8)
        .collect()
        .await;
    // In which version each word went away for the last time.
    let mut went: BTreeMap<&str, &Version> = BTreeMap::new();
    for pair in texts.windows(2) {
        let gone = pair[0].words.difference(&pair[1].words);
        went.extend(gone.map(|word| (word.as_str(), &pair[1])));
    }
    // Of two that stand in the document each person may take one away, and then none is left.
    let twice: HashSet<&String> = texts.iter().flat_map(|version| &version.twice).collect();
    let took_away: HashSet<&String> = ada.took_away.iter().chain(&bob.took_away).collect();
    let now = &texts.last().unwrap().words;
    let milestones: Vec<String> = (1..=turns)
        .map(|n| marker(n).trim_end_matches(':').to_owned())
        .collect();
    let all_words = || ada.wrote.iter().chain(&bob.wrote).chain(&milestones);
    let (stand, gone): (Vec<&String>, Vec<&String>) = all_words().partition(|word| now.contains(*word));
    let lost: Vec<&&String> = gone
        .iter()
        .filter(|word| {
            let by_person = went.get(word.as_str()).is_some_and(|version| version.by_person);
            !by_person || !(took_away.contains(**word) || twice.contains(**word))
        })
        .collect();
    assert!(lost.is_empty(), "{} words lost: {lost:?}", lost.len());
    // What makes the rest worth something: they did get into each other's way.
    let (stand, gone, merged) = (stand.len(), gone.len(), ada.merged + bob.merged);
    println!(
        "{} versions, {merged} merged saves, {turns} turns; {stand} words stand, {gone} were taken away, {} stood twice",
        all.len(),
        twice.len()
    );
    assert!(
        merged > SAVES / 3,
        "{merged} of {} saves met another's",
        2 * SAVES
    );
    assert!(stand > 50 && gone > 50, "{stand} stand, {gone} were taken away");
    assert!(twice.len() < SAVES / 100, "{twice:?} stood twice");
    for n in 1..=turns {
        let state = world.state(&key("c1"), n).await;
        assert_eq!(state, Some(TriggerState::Processed), "turn {n}");
    }
}
