//! A turn that nothing disturbs, and what it costs.

use std::sync::Arc;

use http::Method;
use scribe_core::turn::TriggerState;
use scribe_engine::Outcome;
use scribe_trigger::{Delivery, TurnEvent};

use super::{check_all_woven, written};
use crate::world::{Reply, World, key, run, said};

#[tokio::test]
async fn a_turn_end_to_end() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;

    let recorded = world.say(&key, 1).await;
    assert_eq!(recorded.delivery, Delivery::Invoked);
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Pending));
    let event = world.lambda.take().unwrap();
    assert_eq!(event.text_asset_id.as_ref(), Some(&session.text_asset_id));
    assert_eq!(event.assistant_response, said(1));
    assert_eq!(run(&engine, &event).await, Ok(written(1)));

    check_all_woven(&world, &key, [1]).await;
    let stored = world.document(&session).await;
    assert!(
        stored.asset.content.starts_with("# The Amber Road\n"),
        "{}",
        stored.asset.content
    );
    assert!(
        !stored.asset.content.contains("will populate"),
        "the placeholder stays: {}",
        stored.asset.content
    );
    assert_eq!(stored.asset.metadata.last_message_id.as_deref(), Some("m1"));
    assert_eq!(stored.asset.metadata.scribe_version.as_deref(), Some("realtime"));
    let cached = world.ledger().session(&key).await.unwrap().unwrap();
    assert_eq!(cached.current_content.as_ref(), Some(&stored.asset.content));
    assert_eq!(cached.message_count, 1);
    assert_eq!(
        Some(cached.last_update_at),
        stored.asset.metadata.last_scribe_update
    );
    assert_eq!(world.keys("tenants/default/turns/c1/").await.len(), 1);
    assert_eq!(
        world
            .redis
            .command::<Option<String>>(&["GET", "scribe:lease:{default/c1}"])
            .await,
        None
    );
}

#[tokio::test]
async fn a_warm_turn_reads_nothing_from_s3() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    for n in 1..=3 {
        world.tap.take_requests();
        world.say(&key, n).await;
        world.pump(&engine).await;
        let requests = world.tap.take_requests();
        let critical: Vec<_> = requests
            .iter()
            .filter(|(_, path)| !path.contains("/turns/"))
            .collect();
        assert_eq!(critical.len(), 1, "turn {n}: {critical:?}");
        assert_eq!(critical[0].0, Method::PUT);
    }
    check_all_woven(&world, &key, 1..=3).await;
}

#[tokio::test]
async fn a_turn_that_changes_nothing_is_recorded_too() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    let before = world.document(&session).await.asset.content;
    world.say(&key, 1).await;
    let nothing = serde_json::json!({ "edits": [], "reason": "small talk" }).to_string();
    world.model.script([Reply::Say {
        text: nothing,
        finish_reason: "stop",
    }]);
    let event = world.lambda.take().unwrap();
    assert_eq!(run(&engine, &event).await, Ok(written(1)));
    assert_eq!(run(&engine, &event).await, Ok(Outcome::Nothing));
    let after = world.document(&session).await.asset;
    assert_eq!(after.content, before);
    assert_eq!(after.scribe.unwrap().record.turns(&key.conversation), 1);
    assert_eq!(world.model.calls(), 1);
}

#[tokio::test]
async fn several_conversations_in_one_process_do_not_wait_for_each_other() {
    let world = World::new().await;
    let engine = world.engine();
    let (slow_key, quick_key) = (key("slow"), key("quick"));
    for key in [&slow_key, &quick_key] {
        world.start(key).await;
        world.say(key, 1).await;
    }
    let (first, second) = (world.lambda.take().unwrap(), world.lambda.take().unwrap());
    let (reached, go) = world.model.hold();
    let slow = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { run(&engine, &first).await }
    });
    reached.notified().await;
    assert_eq!(run(&engine, &second).await, Ok(written(1)));
    go.notify_one();
    assert_eq!(slow.await.unwrap(), Ok(written(1)));
    check_all_woven(&world, &slow_key, [1]).await;
    check_all_woven(&world, &quick_key, [1]).await;
}

#[tokio::test]
async fn a_chain_is_bounded() {
    let world = World::with(|config| config.max_chain = 2).await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    for n in 1..=5 {
        world.say(&key, n).await;
    }
    let first: TurnEvent = world.lambda.take().unwrap();
    while world.lambda.take().is_some() {}
    run(&engine, &first).await.unwrap();
    let outcomes = world.pump(&engine).await;
    assert_eq!(outcomes, [Ok(written(2)), Ok(written(3))]);
}

#[tokio::test]
async fn a_tenant_header_goes_along_only_where_isolation_is_configured() {
    for isolation in [false, true] {
        let world = World::with(|config| config.trigger.tenant_isolation = isolation).await;
        let (key, engine) = (key("c1"), world.engine());
        world.start(&key).await;
        for n in 1..=2 {
            world.say(&key, n).await;
        }
        world.pump(&engine).await;
        let headers = world.lambda.headers();
        assert_eq!(headers.len(), 3, "two recorded, one handed on");
        for seen in headers {
            assert_eq!(
                seen.get("x-amz-tenant-id").map(|id| id.to_str().unwrap()),
                isolation.then_some("default")
            );
        }
    }
}

#[tokio::test]
async fn off_keeps_what_waits_and_on_invokes() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    world.conversations().toggle(&key, false).await.unwrap().unwrap();
    assert_eq!(run(&engine, &event).await, Ok(Outcome::Disabled));
    assert_eq!(world.say(&key, 2).await.delivery, Delivery::Off);
    assert_eq!(
        world.keys("waiting/").await.len(),
        1,
        "the event has ended, so S3 has the turn"
    );
    // Redis forgets that it is off; S3 does not.
    world.redis.flush().await;
    assert_eq!(run(&engine, &event).await, Ok(Outcome::Disabled));

    assert_eq!(world.lambda.waiting(), 0);
    world.conversations().toggle(&key, true).await.unwrap().unwrap();
    assert_eq!(world.lambda.waiting(), 1, "on invokes for what waits");
    world.pump(&engine).await;
    check_all_woven(&world, &key, [1]).await;
}

#[tokio::test]
async fn a_conversation_without_a_scribe_owes_nothing() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    // Redis does not know the conversation, so the turn is recorded on suspicion.
    assert_eq!(world.say(&key, 1).await.delivery, Delivery::Invoked);
    let event = world.lambda.take().unwrap();
    assert_eq!(event.text_asset_id, None);
    assert_eq!(run(&engine, &event).await, Ok(Outcome::NoScribe));
    assert_eq!(world.keys("waiting/").await, Vec::<String>::new());
    // From now on Redis knows.
    assert_eq!(world.say(&key, 2).await.delivery, Delivery::None);
    assert_eq!(world.lambda.waiting(), 0);
    // Until somebody starts one; then what was sent before may be sent again.
    world.start(&key).await;
    assert_eq!(world.say(&key, 1).await.delivery, Delivery::Invoked);
    world.pump(&engine).await;
    world.say(&key, 3).await;
    world.pump(&engine).await;
    check_all_woven(&world, &key, [1, 3]).await;
}
