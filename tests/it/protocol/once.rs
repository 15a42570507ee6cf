//! Once and in order: ids, events and processes that come twice, or die.

use std::sync::Arc;

use http::Method;
use scribe_core::turn::{Seq, TriggerState};
use scribe_core::{Earlier, Speaker};
use scribe_engine::Outcome;
use scribe_trigger::{RecordError, TurnRequest};

use super::{begin, check_all_woven, written};
use crate::world::{World, id, key, run, said, turn, woven};

#[tokio::test]
async fn a_message_id_sent_twice_counts_once() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    let first = world.say(&key, 1).await;
    let again = world.say(&key, 1).await;
    assert_eq!(first, again);
    assert_eq!(world.ledger().triggers(&key).await.unwrap().len(), 1);
    world.pump(&engine).await;
    assert_eq!(world.say(&key, 1).await, first, "after it was processed, too");
    world.pump(&engine).await;
    check_all_woven(&world, &key, [1]).await;
    assert_eq!(world.model.calls(), 1);

    let mut other = turn(&key, 1);
    other.user_message.push('!');
    let mut with_more_before = turn(&key, 1);
    with_more_before.earlier = earlier(["before"]);
    for other in [other, with_more_before] {
        let refused = world.recorder().record(other).await;
        assert!(
            matches!(refused, Err(RecordError::OtherText { .. })),
            "{refused:?}"
        );
    }
}

fn earlier<const N: usize>(contents: [&str; N]) -> Vec<Earlier> {
    let message = |content: &str| Earlier {
        role: Speaker::Assistant,
        content: content.into(),
    };
    contents.map(message).into()
}

#[tokio::test]
async fn what_was_said_before_is_part_of_the_turn() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    let with = |contents| TurnRequest {
        earlier: contents,
        ..turn(&key, 1)
    };
    let texts = earlier(["quote \" slash / nul \0 é", "", "last"]);
    let first = world.recorder().record(with(texts.clone())).await.unwrap();
    let again = world.recorder().record(with(texts.clone())).await.unwrap();
    assert_eq!(first, again);
    for other in [
        vec![],
        earlier(["quote \" slash / nul \0 é", "", "first"]),
        earlier(["last"]),
    ] {
        let refused = world.recorder().record(with(other)).await;
        assert!(
            matches!(refused, Err(RecordError::OtherText { .. })),
            "{refused:?}"
        );
    }
    let triggers = world.ledger().triggers(&key).await.unwrap();
    assert_eq!(triggers[0].earlier, texts);
    assert_eq!(world.lambda.take().unwrap().earlier, texts);
    world.pump(&engine).await;
    check_all_woven(&world, &key, [1]).await;
}

#[tokio::test]
async fn an_event_delivered_twice_counts_once() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    assert_eq!(run(&engine, &event).await, Ok(written(1)));
    assert_eq!(run(&engine, &event).await, Ok(Outcome::Nothing));
    assert_eq!(run(&world.engine(), &event).await, Ok(Outcome::Nothing));
    check_all_woven(&world, &key, [1]).await;
    assert_eq!(world.model.calls(), 1);
}

#[tokio::test]
async fn killed_between_put_and_complete_a_turn_is_applied_once() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();

    let put = world.tap.hold_after(Method::PUT, "/media-assets/");
    let killed = begin(&world, &event);
    put.reached().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    put.go();
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Processing));

    // The dead holder's lease runs out; then Lambda's retry comes with the same event.
    world
        .redis
        .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
        .await;
    let retried = run(&world.engine(), &event).await;
    assert_eq!(retried, Ok(Outcome::AlreadyWritten { message_id: id("m1") }));
    check_all_woven(&world, &key, [1]).await;
    assert_eq!(world.model.calls(), 1, "the model is not paid twice");
}

#[tokio::test]
async fn killed_between_put_and_complete_a_late_turn_still_shows_as_late() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    let first = world.lambda.take().unwrap();
    // Redis forgets the first turn, and its event is slow.
    world.redis.flush().await;
    world.say(&key, 2).await;
    world.pump(&engine).await;

    let put = world.tap.hold_after(Method::PUT, "/media-assets/");
    let killed = begin(&world, &first);
    put.reached().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    put.go();
    world
        .redis
        .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
        .await;
    let retried = run(&world.engine(), &first).await;
    assert_eq!(retried, Ok(Outcome::AlreadyWritten { message_id: id("m1") }));
    check_all_woven(&world, &key, [2, 1]).await;
    assert!(world.trigger(&key, 1).await.unwrap().late);
}

#[tokio::test]
async fn a_turn_that_is_overtaken_while_it_is_written_shows_as_late() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let first = world.lambda.take().unwrap();
    let put = world.tap.hold_before(Method::PUT, "/media-assets/");
    let writing = begin(&world, &first);
    put.reached().await;
    // Redis forgets the turn and the lease, so the next one does not wait for it.
    world.redis.flush().await;
    world.say(&key, 2).await;
    let second = world.lambda.take().unwrap();
    assert_eq!(run(&world.engine(), &second).await, Ok(written(2)));
    put.go();
    let late = Outcome::Written {
        message_id: id("m1"),
        late: true,
    };
    assert_eq!(writing.await.unwrap(), Ok(late));
    check_all_woven(&world, &key, [2, 1]).await;
    assert!(world.trigger(&key, 1).await.unwrap().late);
}

#[tokio::test]
async fn killed_before_the_put_a_turn_is_woven_by_the_retry() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let put = world.tap.hold_before(Method::PUT, "/media-assets/");
    let killed = begin(&world, &event);
    put.reached().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    world
        .redis
        .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
        .await;
    assert_eq!(run(&world.engine(), &event).await, Ok(written(1)));
    // The dead process' PUT arrives after all, and finds that its condition does not hold any more.
    put.go();
    check_all_woven(&world, &key, [1]).await;
    assert_eq!(world.trigger(&key, 1).await.unwrap().attempts, 2);
}

#[tokio::test]
async fn fifty_turns_at_once_are_woven_in_order() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    for n in 0..50 {
        world.say(&key, n).await;
    }
    // Eight processes take events from Lambda's queue as they come.
    let world = Arc::new(world);
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, engine) = (Arc::clone(&world), world.engine());
        processes.spawn(async move { world.pump(&engine).await });
    }
    while let Some(outcomes) = processes.join_next().await {
        assert!(outcomes.unwrap().iter().all(Result::is_ok));
    }
    check_all_woven(&world, &key, 0..50).await;
    assert_eq!(world.model.calls(), 50);
}

#[tokio::test]
async fn two_writers_of_one_document_lose_nothing() {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    world.say(&key, 2).await;
    let events = [world.lambda.take().unwrap(), world.lambda.take().unwrap()];

    // The first one's lease is lost while its model thinks, so the second weaves the same turn at the same time.
    let (reached, go) = world.model.hold();
    let slow = begin(&world, &events[0]);
    reached.notified().await;
    world
        .redis
        .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
        .await;
    assert_eq!(run(&world.engine(), &events[1]).await, Ok(written(1)));
    world
        .person_writes(&session, |asset| {
            asset.content.push_str("\n\nA person's own words.\n");
        })
        .await;
    go.notify_one();
    assert_eq!(slow.await.unwrap(), Ok(written(1)));
    world.pump(&world.engine()).await;
    check_all_woven(&world, &key, [1, 2]).await;
    assert!(
        world
            .document(&session)
            .await
            .asset
            .content
            .contains("A person's own words.")
    );
}

#[tokio::test]
async fn a_holder_whose_token_is_no_longer_the_leases_neither_caches_nor_hands_on() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    for n in 1..=2 {
        world.say(&key, n).await;
    }
    let event = world.lambda.take().unwrap();
    world.lambda.take().unwrap();
    let invoked = world.lambda.taken();
    let (reached, go) = world.model.hold();
    let stale = begin(&world, &event);
    reached.notified().await;
    let cached_before: Option<String> = world
        .redis
        .command(&["HGET", "scribe:active:{default/c1}", "etag"])
        .await;
    world
        .redis
        .command::<()>(&[
            "SET",
            "scribe:lease:{default/c1}",
            "another-holder",
            "PX",
            "60000",
        ])
        .await;
    go.notify_one();
    assert_eq!(stale.await.unwrap(), Ok(written(1)));

    // The fact is stated all the same.
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Processed));
    let lease: String = world.redis.command(&["GET", "scribe:lease:{default/c1}"]).await;
    assert_eq!(lease, "another-holder");
    let cached: Option<String> = world
        .redis
        .command(&["HGET", "scribe:active:{default/c1}", "etag"])
        .await;
    assert_eq!(cached, cached_before, "the stale holder cached its asset");
    assert_eq!(world.lambda.taken(), invoked, "the stale holder handed on");
}

#[tokio::test]
async fn a_person_who_saves_while_the_model_thinks_loses_nothing() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    world.pump(&engine).await;

    world.say(&key, 2).await;
    let event = world.lambda.take().unwrap();
    let (reached, go) = world.model.hold();
    let writing = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { run(&engine, &event).await }
    });
    reached.notified().await;
    world
        .person_writes(&session, |asset| {
            asset.content = asset.content.replace(&said(1), "A person wrote this instead.");
            asset.title = "Another title".into();
        })
        .await;
    go.notify_one();
    assert_eq!(writing.await.unwrap(), Ok(written(2)));
    let stored = world.document(&session).await;
    assert!(
        stored.asset.content.contains("A person wrote this instead."),
        "{}",
        stored.asset.content
    );
    assert_eq!(woven(&stored.asset.content), [2]);
    assert_eq!(stored.asset.title, "Another title");
    assert_eq!(world.model.calls(), 2, "a conflict costs no model call");
}

#[tokio::test]
async fn a_conflict_that_leaves_a_turn_below_the_floor_parks_it() {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let (reached, go) = world.model.hold();
    let slow = begin(&world, &event);
    reached.notified().await;
    // Meanwhile more turns are woven than the record remembers, and turn 1 may have been one of them.
    world
        .person_writes(&session, |asset| {
            let record = &mut asset.scribe.as_mut().unwrap().record;
            for later in 1..=501 {
                let message = id(&format!("later-{later}"));
                record.add(&key.conversation, message, Seq(event.seq.0 + later));
            }
        })
        .await;
    let before = world.document(&session).await.etag;
    go.notify_one();
    let parked = Outcome::Parked { message_id: id("m1") };
    assert_eq!(slow.await.unwrap(), Ok(parked));
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Failed));
    assert_eq!(world.document(&session).await.etag, before);
}
