//! A look costs what waits, not what is there.

use std::time::Duration;

use scribe_trigger::TurnEvent;
use tokio::time::Instant;

use super::{in_minutes, look, sweeper};
use crate::world::{World, key, turn};

const CONVERSATIONS: usize = 100_000;
const WAITING: usize = 1_000;

#[tokio::test]
async fn a_look_at_a_thousand_waiting_among_a_hundred_thousand_is_short_and_scans_nothing() {
    let world = World::new().await;
    world.start(&key("c0")).await;
    let session: String = world
        .redis
        .command(&["HGET", "scribe:active:{default/c0}", "session"])
        .await;
    let ledger = world.ledger();
    have_sessions(&world, &session).await;
    // Every tenth one waits in Redis alone, the others under `waiting/` as well.
    let (recorder, documents) = (world.recorder(), world.documents());
    for n in 1..=WAITING {
        world.lambda.refuse(n % 10 == 0);
        recorder.record(turn(&key(&format!("c{n}")), 1)).await.unwrap();
        if let Some(event) = world.lambda.take() {
            documents.put_waiting(&event).await.unwrap();
            ledger
                .note_waiting(&event.key(), &event.message_id)
                .await
                .unwrap();
        }
    }
    world.lambda.refuse(false);
    let keys: u64 = world.redis.command(&["DBSIZE"]).await;
    assert!(keys > CONVERSATIONS as u64, "{keys}");
    world.redis.command::<()>(&["CONFIG", "RESETSTAT"]).await;
    world.tap.take_requests();

    let start = Instant::now();
    let swept = look(&sweeper(&world), in_minutes(2)).await;
    let took = start.elapsed();
    let requests = world.tap.take_requests().len();
    let stats: String = world.redis.command(&["INFO", "commandstats"]).await;
    println!("{swept:?} in {took:?} with {requests} requests to S3, {keys} keys in Redis");
    assert_eq!(
        (swept.invoked as usize, swept.failed, swept.cut_short),
        (WAITING, 0, false)
    );
    assert!(took < Duration::from_secs(20), "{took:?}");
    let copies = WAITING / 10;
    assert_eq!(swept.copied as usize, copies);
    assert!(requests <= copies + 2, "one LIST and the copies, not {requests}");
    for scanning in ["cmdstat_keys", "cmdstat_scan", "cmdstat_hscan", "cmdstat_zscan"] {
        assert!(!stats.contains(scanning), "{stats}");
    }
    let mut invoked = std::collections::BTreeSet::new();
    while let Some(TurnEvent { conversation_id, .. }) = world.lambda.take() {
        assert!(invoked.insert(conversation_id), "each once");
    }
    assert_eq!(invoked.len(), WAITING);
    assert_eq!(ledger.unprocessed().await.unwrap().len(), WAITING);

    // Time that is over ends a look; the next ones begin elsewhere, so all are reached.
    let cut = sweeper(&world)
        .look(in_minutes(10), Instant::now())
        .await
        .unwrap();
    assert!(cut.cut_short && cut.invoked == 0, "{cut:?}");
}

/// As many conversations as a large customer has, none of which waits for anything.
async fn have_sessions(world: &World, session: &str) {
    let client = redis::Client::open(world.redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for first in (1..CONVERSATIONS).step_by(1_000) {
        let mut pipe = redis::pipe();
        for n in first..first + 1_000 {
            let active = format!("scribe:active:{{default/c{n}}}");
            pipe.hset(active, "session", session.replace("\"c0\"", &format!("\"c{n}\"")))
                .ignore();
        }
        pipe.query_async::<()>(&mut connection).await.unwrap();
    }
}
