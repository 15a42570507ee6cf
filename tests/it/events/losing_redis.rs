//! Redis goes away under readers, and comes back.

use super::*;
use crate::world::{key, marker, said};

#[tokio::test]
async fn readers_see_versions_while_redis_is_away_and_everything_when_it_is_back() {
    let mut world = World::with(|config| config.trigger.redis_timeout = Duration::from_millis(500)).await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    world.pump(&engine).await;
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;
    let state = reader.expect("state").await;
    assert_eq!(state.data["turns"][0]["state"], "processed");

    world.redis.kill();
    let degraded = reader.expect("degraded").await;
    assert_eq!(degraded.data, serde_json::json!({ "reason": "redis" }));
    world
        .person_writes(&session, |asset| {
            asset.content.push_str("\n\nA person was here.\n");
        })
        .await;
    let version = reader.expect("version").await;
    let etag = world.document(&session).await.etag;
    assert_eq!(version.data, serde_json::json!({ "etag": etag }));
    // Who comes now is served too, as far as that goes.
    let mut late = served.resume(&key, &state.id).await;
    let seen = late.expect("state").await;
    assert_eq!(
        (&seen.data["complete"], &seen.data["etag"]),
        (&false.into(), &etag.into())
    );
    late.expect("version").await;
    late.expect("degraded").await;

    // It comes back empty.
    world.redis.restart();
    for reader in [&mut reader, &mut late] {
        let back = reader.until(|seen| seen.name == "state").await;
        let state = back.last().unwrap();
        assert_eq!(
            state.data["complete"], true,
            "nothing is left of what the reader knew"
        );
        assert_eq!(state.data["turns"], serde_json::json!([]));
    }
    let recorded = world.say(&key, 2).await;
    assert!(recorded.seq.is_some());
    world.pump(&world.engine()).await;
    for reader in [&mut reader, &mut late] {
        let told = reader.until(|seen| seen.name == "version").await;
        assert!(told.iter().any(|seen| is_turn(seen, 2, "processed")), "{told:?}");
    }
    let content = world.document(&session).await.asset.content;
    assert!(content.contains(&marker(1)) && content.contains(&said(2)));
}

#[tokio::test]
async fn a_redis_that_stands_still_is_noticed_by_who_comes() {
    let world = World::with(|config| config.trigger.redis_timeout = Duration::from_millis(200)).await;
    let key = key("c1");
    world.start(&key).await;
    let served = Served::new(&world).await;
    world.redis.stop();
    let mut reader = served.follow(&key).await;
    reader.expect("state").await;
    reader.expect("degraded").await;
    world.redis.go_on();
    let back = reader.until(|seen| seen.name == "state").await;
    assert_eq!(back.last().unwrap().data["complete"], true);
}

#[tokio::test]
async fn all_readers_of_a_document_cost_one_look() {
    let mut world = World::with(|config| config.trigger.redis_timeout = Duration::from_millis(500)).await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    // So rarely that one look is all there is in the time of this test.
    let served = Served::with(&world, |settings| settings.look_every = Duration::from_secs(1)).await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut reader = served.follow(&key).await;
        reader.expect("state").await;
        readers.push(reader);
    }
    world.redis.kill();
    for reader in &mut readers {
        reader.expect("degraded").await;
    }
    world
        .person_writes(&session, |asset| {
            asset.content.push_str("\n\nA person was here.\n");
        })
        .await;
    world.tap.take_requests();
    for reader in &mut readers {
        reader.expect("version").await;
    }
    let looks = world
        .tap
        .take_requests()
        .iter()
        .filter(|(method, _)| *method == http::Method::HEAD)
        .count();
    assert!((1..=2).contains(&looks), "{looks} looks of 8 readers");
}
