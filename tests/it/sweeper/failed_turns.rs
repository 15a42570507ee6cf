//! Failed turns: replayed once the cause is gone, or dismissed.

use http::StatusCode;
use scribe_core::turn::TriggerState;
use scribe_engine::{Outcome, Swept};
use serde_json::{Value, json};

use super::{check_woven, document_of, in_minutes, look, settle, sweeper};
use crate::api;
use crate::world::{Reply, World, key, run, woven};

const CONVERSATION: &str = "/api/chat/background-doc/c1";

/// A conversation with a turn that failed for good, and one behind it that was written.
async fn poisoned() -> World {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    let first = world.lambda.take().unwrap();
    world.say(&key, 2).await;
    let junk = || Reply::Say {
        text: "not an answer".into(),
        finish_reason: "stop",
    };
    world.model.script([junk(), junk(), junk()]);
    for _ in 0..2 {
        run(&engine, &first).await.unwrap_err();
        world
            .redis
            .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
            .await;
    }
    let parked = run(&engine, &first).await.unwrap();
    assert!(matches!(parked, Outcome::Parked { .. }));
    world.pump(&engine).await;
    assert_eq!(woven(&document_of(&world, &key).await.content), [2]);
    world
}

async fn post(world: &World, path: &str) -> (StatusCode, Value) {
    let answer = api::post(world, &format!("{CONVERSATION}/{path}"), &Value::Null).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_replayed_turn_is_woven_when_it_is_replayed() {
    let world = poisoned().await;
    let key = key("c1");
    let seq = world.trigger(&key, 1).await.unwrap().seq;
    let (status, body) = post(&world, "turns/m1/replay").await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(
        body,
        json!({ "conversationId": "c1", "messageId": "m1", "seq": seq, "delivery": "invoked" })
    );
    // A second click changes nothing.
    assert_eq!(post(&world, "turns/m1/replay").await.0, StatusCode::ACCEPTED);
    world.pump(&world.engine()).await;
    check_woven(&world, &key, &[2, 1]).await;
    let trigger = world.trigger(&key, 1).await.unwrap();
    assert_eq!((trigger.state, trigger.late), (TriggerState::Processed, true));
    let (status, body) = post(&world, "turns/m1/replay").await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::CONFLICT, &json!("not_failed"))
    );
}

#[tokio::test]
async fn all_failed_turns_are_replayed_even_after_redis_forgot_them() {
    let world = poisoned().await;
    let key = key("c1");
    world.redis.flush().await;
    let (status, body) = post(&world, "turns/replay").await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(body["turns"].as_array().unwrap().len(), 1);
    world.pump(&world.engine()).await;
    check_woven(&world, &key, &[2, 1]).await;
    let (status, body) = post(&world, "turns/replay").await;
    assert_eq!((status, body), (StatusCode::ACCEPTED, json!({ "turns": [] })));
}

#[tokio::test]
async fn a_replay_that_broke_off_is_finished_by_the_sweeper() {
    let world = poisoned().await;
    let key = key("c1");
    // The sweeper has seen the parked turn, and found nothing to do.
    let sweeper = sweeper(&world);
    assert_eq!(look(&sweeper, in_minutes(2)).await, Swept::default());
    // S3 has been changed, then the API died.
    let event = world
        .documents()
        .waiting_turns(&key)
        .await
        .unwrap()
        .remove(0)
        .event;
    world.documents().unpark_waiting(&event).await.unwrap();
    assert_eq!(look(&super::sweeper(&world), in_minutes(2)).await.requeued, 1);
    settle(&world).await;
    check_woven(&world, &key, &[2, 1]).await;
}

#[tokio::test]
async fn a_dismissed_turn_is_never_woven_wherever_its_event_comes_from() {
    let world = poisoned().await;
    let key = key("c1");
    let event = world
        .documents()
        .waiting_turns(&key)
        .await
        .unwrap()
        .remove(0)
        .event;
    let before = document_of(&world, &key).await.content;
    let (status, body) = post(&world, "turns/m1/dismiss").await;
    assert_eq!(
        (status, body),
        (
            StatusCode::OK,
            json!({ "conversationId": "c1", "messageId": "m1" })
        )
    );
    assert_eq!(world.state(&key, 1).await, None);
    check_woven(&world, &key, &[2]).await;

    let calls = world.model.calls();
    run(&world.engine(), &event).await.unwrap();
    world.redis.flush().await;
    run(&world.engine(), &event).await.unwrap();
    assert_eq!(world.model.calls(), calls);
    assert_eq!(document_of(&world, &key).await.content, before);
    check_woven(&world, &key, &[2]).await;
}

#[tokio::test]
async fn what_is_not_failed_is_neither_replayed_nor_dismissed() {
    let world = poisoned().await;
    for (path, status, code) in [
        ("turns/m2/replay", StatusCode::CONFLICT, "not_failed"),
        ("turns/m2/dismiss", StatusCode::CONFLICT, "not_failed"),
        ("turns/m3/replay", StatusCode::NOT_FOUND, "no_turn"),
        ("turns/m3/dismiss", StatusCode::NOT_FOUND, "no_turn"),
        ("turns/m%202/replay", StatusCode::BAD_REQUEST, "invalid_field"),
    ] {
        let (found, body) = post(&world, path).await;
        assert_eq!((found, &body["error"]["code"]), (status, &json!(code)), "{path}");
    }
    let elsewhere = "/api/chat/background-doc/c2/turns/m1/dismiss";
    let answer = api::post(&world, elsewhere, &Value::Null).await;
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!("no_scribe"))
    );
    let turns = api::get(&world, &format!("{CONVERSATION}/turns")).await.body;
    assert_eq!(turns["turns"].as_array().unwrap().len(), 2);
}
