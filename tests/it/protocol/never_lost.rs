//! Never lost: Redis forgets or is away, Lambda refuses, S3 fails.

use std::time::Duration;

use http::Method;
use scribe_core::turn::TriggerState;
use scribe_engine::{Documents, Engine, Narrator, Outcome};
use scribe_trigger::{Delivery, RecordError};

use super::{begin, check_all_woven, written};
use crate::world::{World, key, run, woven};

#[tokio::test]
async fn a_retry_that_meets_the_dead_holders_lease_leaves_the_turn_in_two_places() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let (reached, _never) = world.model.hold();
    let killed = begin(&world, &event);
    reached.notified().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());

    assert_eq!(run(&world.engine(), &event).await, Ok(Outcome::Busy));
    assert_eq!(world.keys("waiting/default/c1/").await.len(), 1);
    assert!(world.trigger(&key, 1).await.unwrap().waiting);
    // Redis loses everything as well; the next turn's event finds both in S3.
    world.redis.flush().await;
    world.say(&key, 2).await;
    world.pump(&world.engine()).await;
    check_all_woven(&world, &key, [1, 2]).await;
}

#[tokio::test]
async fn an_asset_that_lost_its_record_gets_it_back() {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    for n in 1..=2 {
        world.say(&key, n).await;
    }
    let second = {
        let first = world.lambda.take().unwrap();
        let second = world.lambda.take().unwrap();
        run(&world.engine(), &first).await.unwrap();
        second
    };
    // Another program writes the asset as it knows it, without what is the scribe's.
    world
        .person_writes(&session, |asset| {
            asset.scribe = None;
            asset.content.push_str("\n\nWritten by another program.\n");
        })
        .await;
    world.ledger().drop_asset(&key).await.unwrap();
    run(&world.engine(), &second).await.unwrap();
    world.pump(&world.engine()).await;
    check_all_woven(&world, &key, [1, 2]).await;
    assert!(
        world
            .document(&session)
            .await
            .asset
            .content
            .contains("Written by another program.")
    );
}

#[tokio::test]
async fn redis_emptied_between_record_and_invocation_loses_nothing() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    world.redis.flush().await;
    world.pump(&engine).await;
    check_all_woven(&world, &key, [1]).await;
    let session = world.ledger().session(&key).await.unwrap().unwrap();
    assert_eq!(session.title, "The Amber Road", "the session is revived from s3");
    assert_eq!(session.message_count, 1);
}

#[tokio::test]
async fn redis_emptied_while_the_model_thinks_loses_nothing() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    for n in 1..=2 {
        world.say(&key, n).await;
    }
    let first = world.lambda.take().unwrap();
    let (reached, go) = world.model.hold();
    let writing = begin(&world, &first);
    reached.notified().await;
    world.redis.flush().await;
    go.notify_one();
    assert_eq!(writing.await.unwrap(), Ok(written(1)));
    world.pump(&world.engine()).await;
    // Lambda may deliver the first one again; it is in the record, which decides.
    run(&world.engine(), &first).await.unwrap();
    check_all_woven(&world, &key, [1, 2]).await;
    assert_eq!(world.model.calls(), 2);
}

#[tokio::test]
async fn a_turn_recorded_while_redis_is_down_arrives_by_its_event() {
    let mut world = World::with(|config| config.trigger.redis_timeout = Duration::from_millis(250)).await;
    let key = key("c1");
    world.start(&key).await;
    world.redis.kill();
    let recorded = world.say(&key, 1).await;
    assert_eq!(recorded.delivery, Delivery::Direct);
    assert!(recorded.seq.is_some());
    // An invocation without Redis keeps the turn in S3 and ends well.
    let event = world.lambda.take().unwrap();
    assert_eq!(run(&world.engine(), &event).await, Ok(Outcome::RedisUnreachable));
    assert_eq!(world.keys("waiting/default/c1/").await.len(), 1);
    // Redis is back, empty. The next turn's event finds both.
    world.redis.restart();
    world.say(&key, 2).await;
    world.pump(&world.engine()).await;
    check_all_woven(&world, &key, [1, 2]).await;
}

#[tokio::test]
async fn a_redis_that_stands_still_for_a_while_leaves_no_lease_behind() {
    let world = World::with(|config| config.trigger.redis_timeout = Duration::from_millis(250)).await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let engine = world.engine();
    // The connection stands before Redis stops answering, as in a warm process.
    assert_eq!(run(&engine, &event).await, Ok(written(1)));
    world.say(&key, 2).await;
    let second = world.lambda.take().unwrap();
    world
        .redis
        .command::<()>(&["CLIENT", "PAUSE", "800", "ALL"])
        .await;
    assert_eq!(run(&engine, &second).await, Ok(Outcome::RedisUnreachable));
    // This is answered when the pause is over, behind the claim whose answer was lost.
    let lease: Option<String> = world.redis.command(&["GET", "scribe:lease:{default/c1}"]).await;
    assert_eq!(lease, None);
    world.say(&key, 3).await;
    world.pump(&engine).await;
    // A copy may stay under waiting/, because Redis could not be told of it; the record says that it is stale.
    let session = world.conversations().view(&key).await.unwrap().unwrap().session;
    assert_eq!(woven(&world.document(&session).await.asset.content), [1, 2, 3]);
}

#[tokio::test]
async fn a_failed_invoke_is_deferred_and_both_down_is_refused() {
    let mut world = World::with(|config| config.trigger.redis_timeout = Duration::from_millis(250)).await;
    let key = key("c1");
    world.start(&key).await;
    world.lambda.refuse(true);
    let deferred = world.say(&key, 1).await;
    assert_eq!(deferred.delivery, Delivery::Deferred);
    let backlog = world.ledger().unprocessed().await.unwrap();
    assert_eq!(backlog.len(), 1, "the sweeper's list names it");
    assert_eq!(backlog[0].1.seq, deferred.seq.unwrap());

    world.redis.kill();
    let began = std::time::Instant::now();
    assert!(matches!(
        world.try_say(&key, 2).await,
        Err(RecordError::Unavailable { .. })
    ));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_busy_invocation_leaves_its_turn_in_s3_until_it_is_woven() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    for n in 1..=2 {
        world.say(&key, n).await;
    }
    let (first, second) = (world.lambda.take().unwrap(), world.lambda.take().unwrap());
    let (reached, go) = world.model.hold();
    let writing = begin(&world, &first);
    reached.notified().await;
    assert_eq!(run(&world.engine(), &second).await, Ok(Outcome::Busy));
    let waiting = world.documents().waiting_turns(&key).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].event, second);
    go.notify_one();
    assert_eq!(writing.await.unwrap(), Ok(written(1)));
    // The holder handed on.
    assert_eq!(world.lambda.waiting(), 1);
    world.pump(&world.engine()).await;
    check_all_woven(&world, &key, [1, 2]).await;
}

#[tokio::test]
async fn an_invocation_that_can_not_settle_its_turn_fails() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    world.say(&key, 2).await;
    let (_, second) = (world.lambda.take().unwrap(), world.lambda.take().unwrap());
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
    world.tap.fail(Method::PUT, "/waiting/", 403);
    let failed = run(&world.engine(), &second).await.unwrap_err();
    assert_eq!(failed.error_type(), "Scribe.NotSettled");
    world.tap.mend();
    assert_eq!(run(&world.engine(), &second).await, Ok(Outcome::Busy));
}

#[tokio::test]
async fn a_bucket_that_is_not_there_forgets_no_turn() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    // Redis does not know the conversation, so that S3 is asked whether it has a scribe.
    world.redis.flush().await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let misled = Engine::new(
        world.ledger(),
        world.dispatcher(),
        Documents::new(world.s3.clone(), "no-such-bucket".into()),
        Narrator::new(world.config.narrator.clone()).unwrap(),
        world.config.clone(),
    );
    let failure = run(&misled, &event).await.unwrap_err();
    assert!(failure.to_string().contains("NoSuchBucket"), "{failure}");
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Pending));
    run(&world.engine(), &event).await.unwrap();
    check_all_woven(&world, &key, [1]).await;
}
