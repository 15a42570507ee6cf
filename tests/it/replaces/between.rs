//! What others did between a turn and the one that replaces it, or while the model writes that one.

use super::*;
use crate::world::{Reply, append, said};

/// A person changes the text behind the scribe's back.
async fn edits(world: &World, session: &ActiveScribeSession, from: &str, to: &str) {
    world
        .person_writes(session, |asset| {
            assert!(asset.content.contains(from), "{}", asset.content);
            asset.content = asset.content.replace(from, to);
        })
        .await;
}

#[tokio::test]
async fn what_a_person_made_of_it_stays() {
    let (world, key, session) = with_turns(2).await;
    edits(
        &world,
        &session,
        "Milestone-0001:",
        "Milestone-0001, as I saw it:",
    )
    .await;
    world.say_instead(&key, 3, 1).await;
    world.pump(&world.engine()).await;
    let asset = world.document(&session).await.asset;
    assert_eq!(woven(&asset.content), [1, 2, 3]);
    assert!(
        asset
            .content
            .contains(&said(1).replace("0001:", "0001, as I saw it:"))
    );
    assert!(is_in_record(&asset, 1) && is_in_record(&asset, 3));
    assert_eq!(
        metadata(&world, &session).await["scribe-taken-back"],
        "1 kept: a person's"
    );
}

#[tokio::test]
async fn changed_words_come_back_and_a_suggestion_goes() {
    let (world, key, session) = with_turns(2).await;
    edits(&world, &session, "Milestone-0002:", "Milestone-0002 (sic):").await;
    let blocks = world.document(&session).await.asset.scribe.unwrap().blocks;
    let [.., first, second] = blocks.entries() else {
        panic!("two blocks")
    };
    let edit = |block: &str, hash: &str, markdown: String| json!({ "action": "replace", "block": block, "hash": hash, "markdown": markdown });
    // The second one is a person's by now, which the model does not know yet.
    let answer = json!({ "edits": [
        edit(&first.id, &first.hash, said(1).replace("Milestone-0001", "Milestone-0003, not Milestone-0001")),
        edit(&second.id, &second.hash, said(2).replace("Milestone-0002", "Milestone-0003, not Milestone-0002")),
    ], "reason": null });
    world.model.script([Reply::Say {
        text: answer.to_string(),
        finish_reason: "stop",
    }]);
    world.say(&key, 3).await;
    world.pump(&world.engine()).await;
    let asset = world.document(&session).await.asset;
    let counts = asset.scribe.as_ref().unwrap().outcomes.to_string();
    assert_eq!(woven(&asset.content), [3, 1, 2], "{counts}: {}", asset.content);
    assert_eq!(asset.scribe.unwrap().suggestions.iter().len(), 1);

    world.say_instead(&key, 4, 3).await;
    world.pump(&world.engine()).await;
    let content = check(&world, &session, &[1, 2, 4], &[3]).await;
    assert!(content.contains(&said(1)), "word for word");
    let asset = world.document(&session).await.asset;
    assert!(asset.scribe.unwrap().suggestions.is_empty());
    assert_eq!(
        metadata(&world, &session).await["scribe-taken-back"],
        "1 restored"
    );
}

/// Holds the second turn's call at the model, does something, and lets it go on.
async fn while_the_model_writes(
    world: &World,
    key: &ConversationKey,
    something: impl AsyncFnOnce(),
) -> Outcome {
    let (reached, go) = world.model.hold();
    world.say_instead(key, 2, 1).await;
    let event = world.lambda.take().unwrap();
    let engine = world.engine();
    let running = tokio::spawn(async move { run(&engine, &event).await });
    reached.notified().await;
    something().await;
    go.notify_one();
    running.await.unwrap().unwrap()
}

#[tokio::test]
async fn a_save_while_the_model_writes_is_kept_and_the_rest_taken_back_again() {
    let (world, key, session) = with_turns(1).await;
    let before = world.document(&session).await.asset.content;
    while_the_model_writes(&world, &key, async || {
        edits(
            &world,
            &session,
            "# The Amber Road\n",
            "# The Amber Road\n\nA person typed this.\n",
        )
        .await;
    })
    .await;
    let content = check(&world, &session, &[2], &[1]).await;
    let expected = before.replace("# The Amber Road\n", "# The Amber Road\n\nA person typed this.\n");
    assert_eq!(content, expected.replace(&said(1), &said(2)));
    assert_eq!(world.model.calls(), 2, "nobody is asked again");
}

#[tokio::test]
async fn a_block_that_a_person_changes_while_the_model_writes_stays() {
    let (world, key, session) = with_turns(1).await;
    while_the_model_writes(&world, &key, async || {
        edits(
            &world,
            &session,
            "Milestone-0001:",
            "Milestone-0001, as I saw it:",
        )
        .await;
    })
    .await;
    let content = world.document(&session).await.asset.content;
    assert_eq!(woven(&content), [1, 2]);
    assert!(content.contains("as I saw it"));
    assert_eq!(
        metadata(&world, &session).await["scribe-taken-back"],
        "1 kept: a person's"
    );
}

/// The holder of the first turn has lost its lease and does not know.
async fn end_lease(world: &World, key: &ConversationKey) {
    let lease = format!("scribe:lease:{{{key}}}");
    world.redis.command::<()>(&["DEL", &lease]).await;
}

#[tokio::test]
async fn one_that_is_being_woven_is_not_woven_behind_its_replacement() {
    let (world, key, session) = with_turns(0).await;
    let (reached, go) = world.model.hold();
    world.say(&key, 1).await;
    let (event, engine) = (world.lambda.take().unwrap(), world.engine());
    let first = tokio::spawn(async move { run(&engine, &event).await });
    reached.notified().await;
    end_lease(&world, &key).await;
    world.say_instead(&key, 2, 1).await;
    world.pump(&world.engine()).await;
    go.notify_one();
    first.await.unwrap().unwrap();
    world.pump(&world.engine()).await;
    check(&world, &session, &[2], &[1]).await;
}

#[tokio::test]
async fn one_that_is_woven_while_the_model_writes_its_replacement_is_taken_back_then() {
    let (world, key, session) = with_turns(0).await;
    let (reached, go) = world.model.hold();
    world.say(&key, 1).await;
    let (event, engine) = (world.lambda.take().unwrap(), world.engine());
    let first = tokio::spawn(async move { run(&engine, &event).await });
    reached.notified().await;
    end_lease(&world, &key).await;
    while_the_model_writes(&world, &key, async || {
        go.notify_one();
        first.await.unwrap().unwrap();
        assert_eq!(woven(&world.document(&session).await.asset.content), [1]);
    })
    .await;
    world.pump(&world.engine()).await;
    let content = check(&world, &session, &[2], &[1]).await;
    assert_eq!(content, text_of_one(2).await);
}

/// The versions of the document but the present one are gone, as after a lifecycle rule.
async fn forget_versions(world: &World, session: &ActiveScribeSession) {
    let key = format!("tenants/default/media-assets/{}.json", session.text_asset_id);
    let listed = world
        .s3
        .list_object_versions()
        .bucket(BUCKET)
        .prefix(&key)
        .send()
        .await
        .unwrap();
    for version in listed.versions() {
        if version.is_latest() != Some(true) {
            let gone = world.s3.delete_object().bucket(BUCKET).key(&key);
            gone.set_version_id(version.version_id.clone())
                .send()
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn where_the_versions_are_gone_what_it_wrote_alone_goes() {
    let (world, key, session) = with_turns(1).await;
    let first = world.document(&session).await.asset.scribe.unwrap().blocks;
    let first = first.entries().last().unwrap().clone();
    let mut answer: Value =
        serde_json::from_str(&append("Milestone-0002: a new paragraph of its own.")).unwrap();
    answer["edits"].as_array_mut().unwrap().push(json!({
        "action": "replace", "block": first.id, "hash": first.hash,
        "markdown": said(1).replace("Milestone-0001:", "Milestone-0001: (and Milestone-0002)")
    }));
    world.model.script([Reply::Say {
        text: answer.to_string(),
        finish_reason: "stop",
    }]);
    world.say(&key, 2).await;
    world.pump(&world.engine()).await;
    assert_eq!(woven(&world.document(&session).await.asset.content), [1, 2, 2]);
    forget_versions(&world, &session).await;

    world.say_instead(&key, 3, 2).await;
    world.pump(&world.engine()).await;
    let asset = world.document(&session).await.asset;
    assert_eq!(woven(&asset.content), [1, 2, 3], "{}", asset.content);
    let told = &metadata(&world, &session).await["scribe-taken-back"];
    assert_eq!(told, "1 removed, 1 kept: text before unknown");
}

#[tokio::test]
async fn another_conversations_turn_of_that_id_is_not_touched() {
    let (world, _, session) = with_turns(1).await;
    let other = key("c2");
    let second = world.start(&other).await.session;
    world.say_instead(&other, 2, 1).await;
    world.pump(&world.engine()).await;
    assert_eq!(woven(&world.document(&session).await.asset.content), [1]);
    assert_eq!(woven(&world.document(&second).await.asset.content), [2]);
}
