//! A delete that breaks off between any two of its steps: the same request again completes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use scribe_engine::Outcome;
use serde_json::json;

use super::{Answer, asset_path, check_ok, delete, get, post, remains};
use crate::world::{Action, Moment, World, key, run, woven};

/// A document with a turn written, two that wait, and a second conversation; its id.
async fn set_up(world: &World) -> String {
    let asset = world.start(&key("c1")).await.session.text_asset_id.to_string();
    let path = format!("{}/conversations", asset_path(&asset));
    post(world, &path, &json!({ "conversationId": "c2" })).await;
    world.say(&key("c1"), 1).await;
    world.pump(&world.engine()).await;
    world.say(&key("c1"), 2).await;
    world.say(&key("c2"), 3).await;
    asset
}

/// How a request is troubled at its nth step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// From there on nothing comes through: what a process that is killed there has done.
    Killed,
    /// The answer of that step is lost.
    AnswerLost,
}

/// Deletes, with trouble at the nth step. Answers whether the request got that far.
async fn troubled(world: &World, path: &str, trouble: Trouble, n: usize) -> (Answer, bool) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let moment = match trouble {
        Trouble::Killed => Moment::Before,
        Trouble::AnswerLost => Moment::After,
    };
    world.gate.set(move |step| {
        if step.moment != moment {
            return Action::Pass;
        }
        let at = counter.fetch_add(1, Ordering::Relaxed);
        if at == n || (at > n && trouble == Trouble::Killed) {
            Action::Cut
        } else {
            Action::Pass
        }
    });
    let answer = delete(world, path).await;
    world.gate.open();
    (answer, seen.load(Ordering::Relaxed) > n)
}

/// Goes on where the request broke off, and looks at what is there in the end.
async fn completed(asset: &str, world: &World, forever: bool) {
    let path = asset_path(asset);
    let query = if forever { "?forever=true" } else { "" };
    // Turns whose events come in between are written, parked, or owed nowhere, but never lost.
    let engine = world.engine();
    while let Some(event) = world.lambda.take() {
        run(&engine, &event).await.unwrap();
    }
    let again = delete(world, &format!("{path}{query}")).await;
    if forever {
        assert!(matches!(again.status.as_u16(), 200 | 404), "{}", again.body);
        for prefix in [
            "tenants/default/media-assets/",
            "tenants/default/turns/",
            "tenants/default/conv",
            "waiting/",
        ] {
            assert_eq!(remains(world, prefix).await, [""; 0], "{prefix}");
        }
        return;
    }
    check_ok(&again);
    assert_eq!(get(world, &path).await.status.as_u16(), 404);
    assert!(world.keys("tenants/default/conversations/").await.is_empty());
    let last = world
        .documents()
        .newest_version(&"default".parse().unwrap(), &asset.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let written = woven(&last.stored.asset.content);
    for (conversation, n) in [("c1", 2), ("c2", 3)] {
        assert_eq!(
            run(&engine, &once_more(world, conversation, n).await).await,
            Ok(Outcome::NoScribe)
        );
        let listed = get(world, &format!("/api/chat/background-doc/{conversation}/turns")).await;
        let turns = listed.body["turns"].as_array().unwrap();
        let turn = turns
            .iter()
            .find(|turn| turn["messageId"] == format!("m{n}"))
            .unwrap();
        let expected = if written.contains(&n) {
            json!("processed")
        } else {
            json!("failed")
        };
        assert_eq!(turn["state"], expected, "{turn} {written:?}");
        let copies = world.keys(&format!("waiting/default/{conversation}/")).await;
        assert_eq!(copies.len(), usize::from(!written.contains(&n)), "{copies:?}");
    }
    assert_eq!(written.iter().filter(|&&n| n == 1).count(), 1);
}

/// The event of a turn once more, as Lambda may deliver it.
async fn once_more(world: &World, conversation: &str, n: usize) -> scribe_trigger::TurnEvent {
    let trigger = world.trigger(&key(conversation), n).await.unwrap();
    scribe_trigger::TurnEvent::new(&trigger.turn(&key(conversation)), None)
}

/// How many steps are tried at a time.
const AT_ONCE: usize = 4;

/// Answers whether the request got as far as the nth step.
async fn at_step(forever: bool, trouble: Trouble, n: usize) -> bool {
    let world = World::tapped(|_| {}).await;
    let asset = set_up(&world).await;
    let mut path = asset_path(&asset);
    if forever {
        // How a delete breaks off is tried for itself.
        check_ok(&delete(&world, &path).await);
        path.push_str("?forever=true");
    }
    let (answer, got_there) = troubled(&world, &path, trouble, n).await;
    if answer.status.as_u16() != 200 {
        assert!(got_there);
        assert_eq!(answer.status.as_u16(), 503, "{trouble:?} at {n}: {}", answer.body);
    }
    completed(&asset, &world, forever).await;
    got_there
}

async fn at_every_step(forever: bool, trouble: Trouble) {
    let mut first = 0;
    loop {
        let steps = (first..first + AT_ONCE).map(|n| at_step(forever, trouble, n));
        let got_there = futures_util::future::join_all(steps).await;
        first += AT_ONCE;
        if got_there.contains(&false) {
            assert!(first > 12, "a delete has more steps than {first}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_breaks_off_is_completed_by_the_next() {
    at_every_step(false, Trouble::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_whose_answers_are_lost_is_completed_by_itself_or_the_next() {
    at_every_step(false, Trouble::AnswerLost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_breaks_off_is_completed_by_the_next() {
    at_every_step(true, Trouble::Killed).await;
}
