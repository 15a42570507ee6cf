//! Attempts that fail: what counts, what waits, what is parked.

use http::Method;
use scribe_core::turn::TriggerState;
use scribe_engine::Outcome;

use super::{begin, check_all_woven, written};
use crate::world::{Reply, World, append, id, key, marker, run, said, woven};

#[tokio::test]
async fn a_service_failure_does_not_count_and_honours_retry_after() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    world.model.script([Reply::Status {
        status: 429,
        headers: vec![("retry-after", "7".into())],
    }]);
    let failed = run(&engine, &event).await.unwrap_err();
    assert_eq!(failed.error_type(), "Scribe.ModelUnavailable");
    assert!(failed.to_string().contains("waits 7 s"), "{failed}");
    let trigger = world.trigger(&key, 1).await.unwrap();
    assert_eq!(
        (trigger.state, trigger.attempts, trigger.service_failures),
        (TriggerState::Pending, 0, 1)
    );
    assert!(trigger.reason.is_some());
    let pause: i64 = world.redis.command(&["PTTL", "scribe:lease:{default/c1}"]).await;
    assert!((5_000..=7_000).contains(&pause), "{pause}");

    assert_eq!(
        run(&engine, &event).await,
        Ok(Outcome::Busy),
        "nobody claims before the pause is over"
    );
    world
        .redis
        .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
        .await;
    assert_eq!(run(&engine, &event).await, Ok(written(1)));
    check_all_woven(&world, &key, [1]).await;
}

#[tokio::test]
async fn a_turn_that_fails_three_times_is_parked_and_holds_nobody_up() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    for n in 1..=2 {
        world.say(&key, n).await;
    }
    let (first, _second) = (world.lambda.take().unwrap(), world.lambda.take().unwrap());
    for attempt in 1..=3 {
        world.model.script([Reply::Say {
            text: "not an answer".into(),
            finish_reason: "stop",
        }]);
        let outcome = run(&engine, &first).await;
        if attempt < 3 {
            let failed = outcome.unwrap_err();
            assert_eq!(failed.error_type(), "Scribe.AttemptFailed");
            assert!(!failed.to_string().contains("not an answer"), "{failed}");
            world
                .redis
                .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
                .await;
        } else {
            assert_eq!(outcome, Ok(Outcome::Parked { message_id: id("m1") }));
        }
    }
    let parked = world.documents().waiting_turns(&key).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert!(parked[0].reason.is_some());
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Failed));
    // Park handed on.
    world.pump(&engine).await;
    assert_eq!(world.state(&key, 2).await, Some(TriggerState::Processed));

    // The failed list survives Redis, and the turn can be replayed.
    world.redis.flush().await;
    let turns = world.conversations().turns(&key).await.unwrap();
    assert_eq!(
        turns.iter().map(|turn| turn.state).collect::<Vec<_>>(),
        [TriggerState::Failed]
    );
    let replayed = world.ledger().replay(&key, &parked[0].trigger()).await.unwrap();
    assert!(
        matches!(replayed, scribe_trigger::ledger::Replayed::Queued(_)),
        "{replayed:?}"
    );
    assert_eq!(
        run(&engine, &first).await,
        Ok(Outcome::Written {
            message_id: id("m1"),
            late: true
        })
    );
    let session = world.conversations().view(&key).await.unwrap().unwrap().session;
    assert_eq!(woven(&world.document(&session).await.asset.content), [2, 1]);
    assert!(world.trigger(&key, 1).await.unwrap().late);
    assert_eq!(world.keys("waiting/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_turn_that_kills_its_process_is_counted_and_parked() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    for _ in 0..3 {
        let (reached, _never) = world.model.hold();
        let killed = begin(&world, &event);
        reached.notified().await;
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled());
        world
            .redis
            .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
            .await;
    }
    assert_eq!(
        run(&world.engine(), &event).await,
        Ok(Outcome::Parked { message_id: id("m1") })
    );
    assert_eq!(world.model.calls(), 3);
}

#[tokio::test]
async fn a_deleted_document_parks_the_turn_at_once() {
    deleted_under_our_hands(None).await;
}

/// SeaweedFS says that the condition failed where AWS says that nothing is there.
#[tokio::test]
async fn a_deleted_document_parks_the_turn_also_where_s3_calls_that_a_conflict() {
    deleted_under_our_hands(Some(412)).await;
}

async fn deleted_under_our_hands(answer: Option<u16>) {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let (reached, go) = world.model.hold();
    let writing = begin(&world, &event);
    reached.notified().await;
    let object = format!("tenants/default/media-assets/{}.json", session.text_asset_id);
    world
        .s3
        .delete_object()
        .bucket(crate::world::BUCKET)
        .key(object)
        .send()
        .await
        .unwrap();
    if let Some(status) = answer {
        world.tap.fail(Method::PUT, "/media-assets/", status);
    }
    go.notify_one();
    assert_eq!(
        writing.await.unwrap(),
        Ok(Outcome::Parked { message_id: id("m1") })
    );
    let trigger = world.trigger(&key, 1).await.unwrap();
    assert_eq!(trigger.reason.as_deref(), Some("the document was deleted"));
    assert_eq!(
        world.keys("tenants/default/media-assets/").await,
        Vec::<String>::new(),
        "it is never created again"
    );
}

#[tokio::test]
async fn a_cut_answer_is_not_woven() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    world.model.script([Reply::Say {
        text: append(&said(1)),
        finish_reason: "length",
    }]);
    let event = world.lambda.take().unwrap();
    assert_eq!(
        run(&engine, &event).await.unwrap_err().error_type(),
        "Scribe.AttemptFailed"
    );
    assert!(!world.document(&session).await.asset.content.contains(&marker(1)));
}
