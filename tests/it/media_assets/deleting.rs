//! Deleted, and removed for good: what becomes of the turns that were owed.

use http::Method;
use scribe_core::turn::TriggerState;
use scribe_engine::Outcome;
use serde_json::{Value, json};

use super::{asset_path, call, check_error, check_ok, delete, get, post, put_object, remains, versions};
use crate::world::{World, id, key, run, woven};

async fn turns(world: &World, conversation: &str) -> Vec<(String, String, Value)> {
    let listed = get(world, &format!("/api/chat/background-doc/{conversation}/turns")).await;
    check_ok(&listed);
    let turn = |turn: &Value| {
        let text = |field: &str| turn[field].as_str().unwrap().to_owned();
        (text("messageId"), text("state"), turn["reason"].clone())
    };
    listed.body["turns"]
        .as_array()
        .unwrap()
        .iter()
        .map(turn)
        .collect()
}

#[tokio::test]
async fn a_deleted_documents_turns_are_told_and_never_written() {
    let world = World::new().await;
    let key = key("c1");
    let asset = world.start(&key).await.session.text_asset_id.to_string();
    let engine = world.engine();
    world.say(&key, 1).await;
    world.pump(&engine).await;
    world.say(&key, 2).await;
    world.say(&key, 3).await;
    let second = world.lambda.take().unwrap();
    let third = world.lambda.take().unwrap();
    // One stands under waiting/ too, and one of which Redis knows nothing stands there alone.
    world.documents().put_waiting(&third).await.unwrap();
    let mut fourth = third.clone();
    fourth.message_id = id("m4");
    world.documents().put_waiting(&fourth).await.unwrap();

    let deleted = delete(&world, &asset_path(&asset)).await;
    check_ok(&deleted);
    assert_eq!(
        (&deleted.body["already"], &deleted.body["conversations"]),
        (&json!(false), &json!(["c1"]))
    );
    let failed: Vec<_> = deleted.body["failedTurns"].as_array().unwrap().iter().collect();
    assert_eq!(failed.len(), 3, "{failed:?}");
    check_error(&get(&world, &asset_path(&asset)).await, 404, "no_document");
    check_error(
        &get(&world, "/api/chat/background-doc/c1").await,
        404,
        "no_scribe",
    );
    let gone = json!("the document was deleted");
    let mut listed = turns(&world, "c1").await;
    listed.sort_by_key(|(id, ..)| id.clone());
    assert_eq!(listed[0], ("m1".into(), "processed".into(), Value::Null));
    for (turn, expected) in listed[1..].iter().zip(["m2", "m3", "m4"]) {
        assert_eq!(turn, &(expected.into(), "failed".into(), gone.clone()));
    }

    // Their events come, Redis forgets: nothing is written, and nothing lost.
    assert_eq!(run(&engine, &second).await, Ok(Outcome::NoScribe));
    world.redis.flush().await;
    assert_eq!(run(&engine, &third).await, Ok(Outcome::NoScribe));
    assert_eq!(turns(&world, "c1").await.len(), 3);
    assert_eq!(world.model.calls(), 1);
    let recorded = world.say(&key, 5).await;
    assert_eq!(recorded.delivery, scribe_trigger::Delivery::None);

    let again = delete(&world, &asset_path(&asset)).await;
    check_ok(&again);
    assert_eq!(again.body["already"], true);
    assert_eq!(again.body["failedTurns"], deleted.body["failedTurns"]);

    // A person dismisses one, starts anew and has another one written after all.
    let path = "/api/chat/background-doc/c1/turns";
    check_ok(&post(&world, &format!("{path}/m4/dismiss"), &json!({})).await);
    check_error(
        &post(&world, &format!("{path}/m2/replay"), &json!({})).await,
        404,
        "no_scribe",
    );
    let new = world.start(&key).await;
    assert!(new.created && new.session.text_asset_id.as_str() != asset);
    let replayed = post(&world, &format!("{path}/m2/replay"), &json!({})).await;
    assert_eq!(replayed.status.as_u16(), 202, "{}", replayed.body);
    world.pump(&engine).await;
    assert_eq!(woven(&world.document(&new.session).await.asset.content), [2]);
    assert_eq!(turns(&world, "c1").await.len(), 2);
}

#[tokio::test]
async fn a_turn_that_redis_had_lost_is_parked_when_its_event_comes() {
    let world = World::new().await;
    let key = key("c1");
    let asset = world.start(&key).await.session.text_asset_id.to_string();
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    world.redis.flush().await;
    let deleted = delete(&world, &asset_path(&asset)).await;
    assert_eq!(
        deleted.body["failedTurns"],
        json!([]),
        "nobody can know of it yet"
    );
    assert_eq!(run(&world.engine(), &event).await, Ok(Outcome::NoScribe));
    let listed = turns(&world, "c1").await;
    assert_eq!(
        listed,
        [("m1".into(), "failed".into(), json!("the document was deleted"))]
    );
    // What is said to nobody later on is owed nowhere, as ever.
    let mut later = event;
    later.message_id = id("m2");
    later.seq = scribe_core::Seq(later.seq.0 + 60_000_000);
    assert_eq!(run(&world.engine(), &later).await, Ok(Outcome::NoScribe));
    assert_eq!(turns(&world, "c1").await.len(), 1);
}

#[tokio::test]
async fn a_turn_that_is_being_written_comes_before_the_end_or_is_parked() {
    for committed in [true, false] {
        let world = World::new().await;
        let key = key("c1");
        let asset = world.start(&key).await.session.text_asset_id.to_string();
        world.say(&key, 1).await;
        let event = world.lambda.take().unwrap();
        let put = if committed {
            world.tap.hold_after(Method::PUT, "/media-assets/")
        } else {
            world.tap.hold_before(Method::PUT, "/media-assets/")
        };
        let engine = world.engine();
        let writing = tokio::spawn(async move { run(&engine, &event).await });
        put.reached().await;
        let deleted = delete(&world, &asset_path(&asset)).await;
        check_ok(&deleted);
        put.go();
        let outcome = writing.await.unwrap().unwrap();
        let listed = turns(&world, "c1").await;
        let text = versions(&world, &asset).await[1]["versionId"].clone();
        let restored = post(
            &world,
            &format!("{}/restore", asset_path(&asset)),
            &json!({ "versionId": text }),
        )
        .await;
        check_ok(&restored);
        let content = restored.body["asset"]["content"].as_str().unwrap();
        if committed {
            assert_eq!(deleted.body["failedTurns"], json!([]));
            assert_eq!(listed, [("m1".into(), "processed".into(), Value::Null)]);
            assert_eq!(woven(content), [1]);
            assert!(world.keys("waiting/").await.is_empty());
        } else {
            assert_eq!(outcome, Outcome::Parked { message_id: id("m1") });
            assert_eq!(
                listed,
                [("m1".into(), "failed".into(), json!("the document was deleted"))]
            );
            assert_eq!(woven(content), [0; 0]);
            // Continued and replayed it is written, once.
            let path = format!("{}/conversations", asset_path(&asset));
            post(&world, &path, &json!({ "conversationId": "c1" })).await;
            post(&world, "/api/chat/background-doc/c1/turns/replay", &json!({})).await;
            world.pump(&world.engine()).await;
            let content = get(&world, &asset_path(&asset)).await;
            assert_eq!(woven(content.body["asset"]["content"].as_str().unwrap()), [1]);
        }
    }
}

#[tokio::test]
async fn a_delete_may_name_the_version_it_means() {
    let world = World::new().await;
    let asset = world.start(&key("c1")).await.session.text_asset_id.to_string();
    let path = asset_path(&asset);
    let refused = call(&world, Method::DELETE, &path, &[("if-match", "\"stale\"")], None).await;
    check_error(&refused, 412, "changed");
    let etag = get(&world, &path).await.etag();
    assert_eq!(refused.etag(), etag);
    check_ok(&get(&world, "/api/chat/background-doc/c1").await);
    check_error(
        &call(&world, Method::DELETE, &path, &[("if-match", "x")], None).await,
        400,
        "invalid_field",
    );
    check_ok(&call(&world, Method::DELETE, &path, &[("if-match", &etag)], None).await);
    check_error(&get(&world, &path).await, 404, "no_document");
}

#[tokio::test]
async fn a_document_that_changed_while_it_was_deleted_is_deleted_with_what_was_added() {
    let world = World::new().await;
    let asset = world.start(&key("c1")).await.session.text_asset_id.to_string();
    let held = world.tap.hold_before(Method::DELETE, "/media-assets/");
    let api = world.api();
    let request = http::Request::delete(asset_path(&asset))
        .body(axum::body::Body::empty())
        .unwrap();
    let deleting = tokio::spawn(tower::ServiceExt::oneshot(api, request));
    held.reached().await;
    let path = format!("{}/conversations", asset_path(&asset));
    let continued = post(&world, &path, &json!({ "conversationId": "c2" })).await;
    assert_eq!(continued.status.as_u16(), 201, "{}", continued.body);
    held.go();
    assert_eq!(deleting.await.unwrap().unwrap().status(), 200);
    check_error(&get(&world, &asset_path(&asset)).await, 404, "no_document");
    assert!(world.keys("tenants/default/conversations/").await.is_empty());
    assert_eq!(
        world.say(&key("c2"), 1).await.delivery,
        scribe_trigger::Delivery::None
    );
}

#[tokio::test]
async fn removed_for_good_nothing_is_left_of_it() {
    let world = World::new().await;
    let (first, second, other) = (key("c1"), key("c2"), key("c3"));
    let asset = world.start(&first).await.session.text_asset_id.to_string();
    let path = asset_path(&asset);
    for conversation in ["c2", "c3"] {
        post(
            &world,
            &format!("{path}/conversations"),
            &json!({ "conversationId": conversation }),
        )
        .await;
    }
    let engine = world.engine();
    for key in [&first, &second, &other] {
        world.say(key, 1).await;
        world.pump(&engine).await;
    }
    world.say(&first, 2).await;
    put_object(&world, &format!("tenants/default/search/{asset}.json"), "{}").await;
    // The third conversation has written to another document since.
    check_ok(&delete(&world, &path).await);
    world.start(&other).await;
    world.say(&other, 5).await;
    world.lambda.lose_events();

    let removed = delete(&world, &format!("{path}?forever=true")).await;
    check_ok(&removed);
    assert_eq!(
        removed.body["removed"],
        json!({ "versions": 6, "turns": 3, "waiting": 1, "conversations": ["c1", "c2"],
            "keptConversations": ["c3"], "searchEntry": true })
    );
    for prefix in [
        format!("tenants/default/media-assets/{asset}"),
        "tenants/default/search/".to_owned(),
        "tenants/default/turns/c1/".to_owned(),
        "tenants/default/turns/c2/".to_owned(),
        "tenants/default/conversations/c1".to_owned(),
        "tenants/default/conversations/c2".to_owned(),
        "waiting/".to_owned(),
    ] {
        assert_eq!(remains(&world, &prefix).await, [""; 0], "{prefix}");
    }
    let keys: Vec<String> = world.redis.command(&["KEYS", "*"]).await;
    assert!(
        keys.iter().all(|key| !key.contains("c1") && !key.contains("c2")),
        "{keys:?}"
    );
    // The other conversation goes on.
    assert_eq!(world.state(&other, 5).await, Some(TriggerState::Pending));
    // What it has said into the document that is gone is gone too.
    assert_eq!(world.state(&other, 1).await, None);
    assert_eq!(remains(&world, "tenants/default/turns/c3/").await, [""; 0]);
    world.say(&other, 6).await;
    world.pump(&engine).await;
    assert_eq!(world.keys("tenants/default/turns/c3/").await.len(), 2);
    for gone in [
        delete(&world, &path).await,
        delete(&world, &format!("{path}?forever=true")).await,
        get(&world, &format!("{path}/versions")).await,
    ] {
        check_error(&gone, 404, "no_document");
    }
}

#[tokio::test]
async fn a_turn_that_is_being_written_leaves_nothing_of_what_is_removed_for_good() {
    let world = World::new().await;
    let key = key("c1");
    let asset = world.start(&key).await.session.text_asset_id.to_string();
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let put = world.tap.hold_before(Method::PUT, "/media-assets/");
    let engine = world.engine();
    let again = event.clone();
    let writing = tokio::spawn(async move { run(&engine, &event).await });
    put.reached().await;
    check_ok(&delete(&world, &format!("{}?forever=true", asset_path(&asset))).await);
    put.go();
    assert_eq!(writing.await.unwrap(), Ok(Outcome::NoScribe));
    assert_eq!(run(&world.engine(), &again).await, Ok(Outcome::NoScribe));
    assert_eq!(remains(&world, "").await, [""; 0]);
    // No turn is left there, only the highest sequence and the last stamp.
    let mut left: Vec<String> = world
        .redis
        .command(&["HKEYS", "scribe:trigger:{default/c1}"])
        .await;
    left.sort_unstable();
    assert_eq!(left, [":last-change", ":last-seq"]);
}
