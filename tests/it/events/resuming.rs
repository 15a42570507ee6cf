//! A stream that is cut anywhere, and its reader who comes back with the last id: nothing is missed, nothing is told
//! twice.

use std::collections::BTreeMap;

use scribe_trigger::ledger::ClaimRequest;

use super::*;
use crate::world::{id, key, marker};

/// What a page would show: where the turns stand, and which version of the document it would have read.
#[derive(Debug, Clone, Default, PartialEq)]
struct Page {
    turns: BTreeMap<String, Value>,
    etag: Value,
    /// How often it was told that a turn is in the document.
    processed: BTreeMap<String, usize>,
}

impl Page {
    fn take(&mut self, seen: &Seen) {
        match seen.name.as_str() {
            "state" => {
                if seen.data["complete"] == true {
                    self.turns.clear();
                }
                self.etag.clone_from(&seen.data["etag"]);
                for turn in seen.data["turns"].as_array().unwrap() {
                    self.take_turn(turn);
                }
            }
            "turn" => self.take_turn(&seen.data),
            "dismissed" => {
                self.turns.remove(seen.data["messageId"].as_str().unwrap());
            }
            "version" | "saved" => self.etag.clone_from(&seen.data["etag"]),
            _ => {}
        }
    }

    fn take_turn(&mut self, turn: &Value) {
        let id = turn["messageId"].as_str().unwrap().to_owned();
        if turn["state"] == "processed" {
            *self.processed.entry(id.clone()).or_default() += 1;
        }
        self.turns.insert(id, turn.clone());
    }
}

#[tokio::test]
async fn a_cut_after_any_event_leaves_no_gap_and_doubles_nothing() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    let served = Served::new(&world).await;
    let mut whole = served.follow(&key).await;
    let mut seen = vec![whole.expect("state").await];
    for n in 1..=3 {
        world.say(&key, n).await;
    }
    world.pump(&engine).await;
    let mut versions = 0;
    while versions < 3 {
        let event = whole.next().await.unwrap();
        versions += usize::from(event.name == "version");
        seen.push(event);
    }
    let mut page = Page::default();
    seen.iter().for_each(|seen| page.take(seen));
    assert_eq!(page.turns.len(), 3);
    assert_eq!(page.etag, world.document(&session).await.etag);
    assert!(seen.len() > 12, "{seen:?}");

    for cut in 1..=seen.len() {
        let mut again = Page::default();
        seen[..cut].iter().for_each(|seen| again.take(seen));
        let mut reader = served.resume(&key, &seen[cut - 1].id).await;
        let state = reader.expect("state").await;
        // Only what is new: the state is not whole, unless the reader knew of no turn yet.
        assert_eq!(state.data["complete"], cut == 1, "cut {cut}");
        again.take(&state);
        assert_eq!(again, page, "cut {cut}: {:?}, then {state:?}", seen[cut - 1]);
        // A version that the reader did not know of is an event of its own as well.
        let knew = seen[..cut]
            .iter()
            .rev()
            .find(|seen| matches!(seen.name.as_str(), "version" | "state"))
            .unwrap();
        if knew.data["etag"] != page.etag {
            assert_eq!(reader.expect("version").await.data["etag"], page.etag);
        }
    }
}

#[tokio::test]
async fn what_happens_meanwhile_is_told_by_query_as_by_header() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;
    reader.expect("state").await;
    world.say(&key, 1).await;
    let last = reader.expect("turn").await;
    drop(reader);
    listened(&world, 0).await;
    world.pump(&world.engine()).await;
    world.say(&key, 2).await;
    let path = format!("{}?lastEventId={}", served.path(&key), last.id);
    let mut reader = Reader::open(http_client().get(path)).await;
    let state = reader.expect("state").await;
    let turns = state.data["turns"].as_array().unwrap();
    let states: Vec<_> = turns
        .iter()
        .map(|turn| {
            (
                turn["messageId"].as_str().unwrap(),
                turn["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(states, [("m1", "processed"), ("m2", "pending")]);
    reader.expect("version").await;
    // And it goes on from there.
    world.pump(&world.engine()).await;
    let rest = reader.until(|seen| is_turn(seen, 2, "processed")).await;
    assert!(rest.iter().all(|seen| seen.data["messageId"] == "m2"), "{rest:?}");
}

#[tokio::test]
async fn changes_that_follow_each_other_at_once_are_each_told_once() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    // Redis' clock is behind the last stamp, so each change has the very next one.
    let last = "9000000000000";
    let set: usize = world
        .redis
        .command(&["HSET", "scribe:trigger:{default/c1}", ":last-change", last])
        .await;
    assert_eq!(set, 1);
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;
    let mut ids = vec![reader.expect("state").await.id];
    for n in 1..=4 {
        world.say(&key, n).await;
        ids.push(reader.expect("turn").await.id);
    }
    let stamps: Vec<_> = ids.iter().map(|id| id.split_once('.').unwrap().0).collect();
    assert_eq!(
        stamps,
        [
            last,
            "9000000000001",
            "9000000000002",
            "9000000000003",
            "9000000000004"
        ]
    );
    for (known, id) in ids.iter().enumerate() {
        let state = served.resume(&key, id).await.expect("state").await;
        assert_eq!(state.data["complete"], false, "{known}");
        let told: Vec<_> = state.data["turns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|turn| turn["messageId"].as_str().unwrap().to_owned())
            .collect();
        let new: Vec<_> = (known + 1..=4).map(|n| format!("m{n}")).collect();
        assert_eq!(told, new, "{known} were known");
    }
}

#[tokio::test]
async fn what_can_not_be_told_as_a_change_is_told_whole() {
    let world = World::new().await;
    let (key, user) = (key("c1"), id("default-user"));
    world.start(&key).await;
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;
    let first = reader.expect("state").await;
    for n in 1..=2 {
        world.say(&key, n).await;
    }
    let known = reader.until(|seen| is_turn(seen, 2, "pending")).await;
    let known = known.last().unwrap().id.clone();
    drop(reader);
    world.pump(&world.engine()).await;
    // A third one is parked while nobody reads.
    world.say(&key, 3).await;
    let stuck = world.trigger(&key, 3).await.unwrap();
    let claim = ClaimRequest {
        own: &stuck,
        token: "t",
        held_etag: None,
    };
    world.ledger().claim(&key, &claim).await.unwrap();
    world.ledger().park(&key, &stuck, "t", "why").await.unwrap();
    let mut reader = served.resume(&key, &known).await;
    let state = reader.expect("state").await;
    assert_eq!(state.data["complete"], false);
    let parked = state.data["turns"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&parked["messageId"], &parked["state"]),
        (&"m3".into(), &"failed".into())
    );
    let before = reader.expect("version").await.id;
    drop(reader);
    world
        .conversations()
        .dismiss(&key, &id("m3"), &user)
        .await
        .unwrap();

    for (last, why) in [
        (before.as_str(), "a turn was taken away"),
        (first.id.as_str(), "nothing was known"),
        ("none-of-ours", "the id says nothing"),
        ("9999999999999.x", "Redis has lost all that the reader knew"),
    ] {
        let mut reader = served.resume(&key, last).await;
        let state = reader.expect("state").await;
        assert_eq!(state.data["complete"], true, "{why}");
        let ids: Vec<_> = state.data["turns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|turn| turn["messageId"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["m1", "m2"], "{why}");
    }
}

#[tokio::test]
async fn a_draft_that_comes_late_is_not_shown() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    world.pump(&engine).await;
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;
    reader.expect("state").await;
    // What an attempt wrote before it was completed, on its way for longer than the completion.
    let place = scribe_trigger::live::Place {
        attempt: 1,
        claimed: 1,
        number: 3,
    };
    let late = scribe_trigger::LiveEvent::writing(&id("m1"), None, place, vec![], false);
    world.ledger().publish(&key, &late).await.unwrap();
    world.say(&key, 2).await;
    assert!(is_turn(&reader.expect("turn").await, 2, "pending"));
    assert!(world.document(&session).await.asset.content.contains(&marker(1)));
}
