//! How streams stay alive, and how they end.

use futures_util::StreamExt as _;

use super::*;
use crate::world::key;

#[tokio::test]
async fn a_silent_stream_has_heartbeats_and_says_when_to_come_back() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    let served = Served::with(&world, |settings| {
        settings.heartbeat = Duration::from_millis(5);
        settings.retry = Duration::from_millis(1234);
    })
    .await;
    let response = http_client().get(served.path(&key)).send().await.unwrap();
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut bytes = response.bytes_stream();
    let mut text = String::new();
    let heard = async {
        while text.lines().filter(|line| *line == ":").count() < 3 {
            text += std::str::from_utf8(&bytes.next().await.unwrap().unwrap()).unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, heard)
        .await
        .expect("no heartbeat came");
    assert!(
        text.lines()
            .any(|line| line == "retry:1234" || line == "retry: 1234"),
        "{text}"
    );
    assert_eq!(text.matches("event:").count(), 1, "{text}");
}

#[tokio::test]
async fn a_reader_that_leaves_ends_what_was_for_it_alone() {
    let world = World::new().await;
    let (one, other) = (key("c1"), key("c2"));
    world.start(&one).await;
    world.start(&other).await;
    let served = Served::new(&world).await;
    listened(&world, 0).await;
    let connections = async || -> usize {
        let clients: String = world.redis.command(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
        clients.lines().count()
    };
    let mut readers = Vec::new();
    for key in [&one, &one, &one, &other] {
        let mut reader = served.follow(key).await;
        reader.expect("state").await;
        readers.push(reader);
    }
    listened(&world, 2).await;
    assert_eq!(connections().await, 1, "readers share a connection");
    readers.pop();
    listened(&world, 1).await;
    readers.pop();
    readers.pop();
    world.say(&one, 1).await;
    let turn = readers[0].expect("turn").await;
    assert!(is_turn(&turn, 1, "pending"));
    readers.pop();
    listened(&world, 0).await;
    // And one that comes then is served.
    let mut reader = served.follow(&other).await;
    reader.expect("state").await;
    listened(&world, 1).await;
}

#[tokio::test]
async fn a_graceful_stop_ends_streams_with_a_word() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    let served = Served::new(&world).await;
    let mut readers = [served.follow(&key).await, served.follow(&key).await];
    let mut last = String::new();
    for reader in &mut readers {
        last = reader.expect("state").await.id;
    }
    let Served {
        stop, server, finish, ..
    } = served;
    finish.notify_one();
    stop.stop();
    for reader in &mut readers {
        let end = reader.expect("end").await;
        assert_eq!(end.data, serde_json::json!({ "reason": "stopping" }));
        assert_eq!(end.id, last, "who comes back goes on from here");
        assert_eq!(reader.next().await, None);
    }
    // The server was waiting for nothing else.
    tokio::time::timeout(PATIENCE, server).await.unwrap().unwrap();
    listened(&world, 0).await;
}

#[tokio::test]
async fn a_stream_has_a_longest_time() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    let served = Served::with(&world, |settings| {
        settings.limit = Some(Duration::from_millis(30));
    })
    .await;
    let mut reader = served.follow(&key).await;
    reader.expect("state").await;
    let end = reader.expect("end").await;
    assert_eq!(end.data, serde_json::json!({ "reason": "limit" }));
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_told_everything_when_it_does() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    let mut subscription = world.ledger().subscribe(&key);
    let ledger = world.ledger();
    assert!(matches!(
        subscription.next().await,
        scribe_trigger::ledger::Heard::Connected
    ));
    // More than lies in a mailbox, while nobody looks into it.
    for n in 0..200 {
        world.say(&key, n).await;
    }
    let missed = async {
        loop {
            match subscription.next().await {
                scribe_trigger::ledger::Heard::Missed => return,
                scribe_trigger::ledger::Heard::News(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, missed)
        .await
        .expect("it must be told");
    assert_eq!(ledger.triggers(&key).await.unwrap().len(), 200);
}

#[tokio::test]
async fn what_a_newer_program_says_makes_readers_look_again() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;
    reader.expect("state").await;
    let channel = format!("scribe:events:{{{key}}}");
    let _: u64 = world
        .redis
        .command(&["PUBLISH", &channel, r#"{"v":2,"type":"rejoiced"}"#])
        .await;
    let state = reader.expect("state").await;
    assert_eq!(state.data["turns"], serde_json::json!([]));
}
