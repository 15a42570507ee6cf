//! All kinds of events, in their order.

use serde_json::json;

use super::*;
use crate::world::{Dictated, append, id, key, marker, run, said};

#[tokio::test]
async fn a_turn_is_followed_from_its_record_to_its_version() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    let before = world.document(&session).await.etag;
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;

    let state = reader.expect("state").await;
    assert_eq!(state.data["etag"], before);
    assert_eq!(state.data["turns"], json!([]));
    assert_eq!(state.data["complete"], true);
    assert_eq!(
        state.data["session"]["textAssetId"],
        session.text_asset_id.as_str()
    );
    assert_eq!(state.data["session"].get("currentContent"), None);
    assert_eq!(state.data["status"]["waiting"], 0);

    world.say(&key, 1).await;
    let recorded = reader.expect("turn").await;
    assert!(is_turn(&recorded, 1, "pending"), "{recorded:?}");
    let dictation = world.model.dictate();
    let event = world.lambda.take().unwrap();
    let turn = tokio::spawn(async move { run(&engine, &event).await });
    let claimed = reader.expect("turn").await;
    assert!(is_turn(&claimed, 1, "processing"), "{claimed:?}");
    assert_eq!(claimed.data["attempts"], 1);

    dictation.say(&append(&said(1)));
    let written = reader
        .until(|seen| seen.name == "writing" && seen.data["edits"][0]["markdown"] == said(1))
        .await;
    assert!(written.iter().all(|seen| seen.name == "writing"), "{written:?}");
    dictation.then(Dictated::Stop("stop"));
    turn.await.unwrap().unwrap();

    let processed = reader.expect("turn").await;
    assert!(is_turn(&processed, 1, "processed"), "{processed:?}");
    let version = reader.expect("version").await;
    let stored = world.document(&session).await;
    assert!(stored.asset.content.contains(&marker(1)));
    assert_eq!(
        version.data,
        json!({ "etag": stored.etag, "messageId": "m1", "conversationId": "c1" })
    );
    // The list says the same of the turn as the events do.
    let listed = crate::api::get(&world, "/api/chat/background-doc/c1/turns").await;
    assert_eq!(listed.body["turns"], json!([processed.data]));
}

#[tokio::test]
async fn people_switches_failures_and_the_end_of_a_document_are_told() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    let served = Served::new(&world).await;
    let mut reader = served.follow(&key).await;
    reader.expect("state").await;

    let settings = json!({ "conversationId": "c1", "style": "factual" });
    let changed = crate::api::post(&world, "/api/chat/background-doc/settings", &settings).await;
    assert_eq!(changed.status, 200);
    let saved = reader.expect("saved").await;
    let etag = world.document(&session).await.etag;
    assert_eq!(saved.data, json!({ "etag": etag, "userId": "default-user" }));

    let conversations = world.conversations();
    conversations.toggle(&key, false).await.unwrap();
    let off = reader.expect("switched").await;
    assert_eq!(off.data, json!({ "scribeEnabled": false }));
    conversations.toggle(&key, true).await.unwrap();
    let on = reader.expect("switched").await;
    assert_eq!(on.data, json!({ "scribeEnabled": true }));

    // An answer that can't be used, three times.
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let mut attempts = 0;
    while world.ledger().queue_status(&key).await.unwrap().waiting > 0 {
        world.model.script([crate::world::Reply::Say {
            text: "nothing of use".into(),
            finish_reason: "length",
        }]);
        let _ = run(&engine, &event).await;
        attempts += 1;
    }
    assert!(attempts >= 3);
    let told = reader.until(|seen| is_turn(seen, 1, "failed")).await;
    let states: Vec<_> = told
        .iter()
        .filter(|seen| seen.name == "turn")
        .map(|seen| seen.data["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        states,
        [
            "pending",
            "processing",
            "pending",
            "processing",
            "pending",
            "processing",
            "failed"
        ]
    );
    assert!(told.last().unwrap().data["reason"].is_string());
    conversations
        .dismiss(&key, &id("m1"), &id("default-user"))
        .await
        .unwrap();
    // The record of the document has it now, so there is a version first.
    reader.expect("saved").await;
    let dismissed = reader.expect("dismissed").await;
    assert_eq!(dismissed.data, json!({ "messageId": "m1" }));

    let user = id("default-user");
    conversations
        .delete_document(&key.tenant, &session.text_asset_id, &user, None)
        .await
        .unwrap();
    reader.expect("gone").await;
    assert_eq!(reader.next().await, None);
    let again = http_client().get(served.path(&key)).send().await.unwrap();
    assert!(
        again.status() == 404 || again.status() == 410,
        "{}",
        again.status()
    );
}

#[tokio::test]
async fn two_readers_see_the_same_and_another_conversation_nothing_of_it() {
    let world = World::new().await;
    let (one, other) = (key("c1"), key("c2"));
    world.start(&one).await;
    world.start(&other).await;
    let served = Served::new(&world).await;
    let (mut first, mut second, mut third) =
        tokio::join!(served.follow(&one), served.follow(&one), served.follow(&other));
    for reader in [&mut first, &mut second, &mut third] {
        reader.expect("state").await;
    }
    listened(&world, 2).await;
    world.say(&one, 1).await;
    world.pump(&world.engine()).await;
    let is_version = |seen: &Seen| seen.name == "version";
    let (seen, also) = tokio::join!(first.until(is_version), second.until(is_version));
    let settled = |seen: &[Seen]| -> Vec<Seen> {
        seen.iter()
            .filter(|seen| seen.name != "writing")
            .cloned()
            .collect()
    };
    assert_eq!(settled(&seen), settled(&also));
    world.say(&other, 7).await;
    assert!(is_turn(&third.expect("turn").await, 7, "pending"));
}

#[tokio::test]
async fn what_is_not_theirs_is_absent() {
    let world = World::new().await;
    let foreign: ConversationKey = "acme/c1".parse().unwrap();
    world.start(&foreign).await;
    let served = Served::new(&world).await;
    for conversation in [foreign, key("never-was")] {
        let answer = http_client()
            .get(served.path(&conversation))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 404);
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["error"]["code"], "no_scribe");
    }
    // Nobody listens for them any more.
    listened(&world, 0).await;
}

#[tokio::test]
async fn a_turn_of_another_conversation_on_the_document_is_a_version_too() {
    let world = World::new().await;
    let (first, second) = (key("c1"), key("c2"));
    let session = world.start(&first).await.session;
    let user = id("default-user");
    world
        .conversations()
        .continue_document(&second, &session.text_asset_id, &user)
        .await
        .unwrap();
    let served = Served::new(&world).await;
    let mut reader = served.follow(&first).await;
    reader.expect("state").await;
    world.say(&second, 4).await;
    world.pump(&world.engine()).await;
    let told = reader.until(|seen| seen.name == "version").await;
    let etag = world.document(&session).await.etag;
    assert_eq!(
        told.last().unwrap().data,
        json!({ "etag": etag, "messageId": "m4", "conversationId": "c2" })
    );
    assert!(told.iter().all(|seen| seen.name != "turn"), "{told:?}");
}
