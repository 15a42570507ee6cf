//! Versions: who made them, what differs, and an older text restored.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{asset_path, call, check_error, check_ok, create, delete, get, post, put_object, versions};
use crate::world::{World, key, run, said, woven};

/// A conversation whose document has turns 1 to `turns`; the document's id.
async fn written(world: &World, turns: usize) -> String {
    let session = world.start(&key("c1")).await.session;
    let engine = world.engine();
    for n in 1..=turns {
        world.say(&key("c1"), n).await;
        world.pump(&engine).await;
    }
    session.text_asset_id.to_string()
}

async fn content(world: &World, id: &str) -> String {
    let read = get(world, &asset_path(id)).await;
    check_ok(&read);
    read.body["asset"]["content"].as_str().unwrap().to_owned()
}

async fn restore(world: &World, id: &str, version: &Value) -> super::Answer {
    post(
        world,
        &format!("{}/restore", asset_path(id)),
        &json!({ "versionId": version }),
    )
    .await
}

#[tokio::test]
async fn versions_say_who_made_them() {
    let world = World::new().await;
    let asset = written(&world, 2).await;
    put_object(
        &world,
        &format!("tenants/default/media-assets/{asset}.json"),
        &json!({ "id": asset, "media_type": "text", "title": "T", "content": "by hand\n",
            "created_at": "2026-11-22T15:40:00.000Z", "updated_at": "2026-11-22T15:40:00.000Z" })
        .to_string(),
    )
    .await;
    let listed = versions(&world, &asset).await;
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[0]["author"], Value::Null, "another program's");
    for (version, message) in [(&listed[1], "m2"), (&listed[2], "m1")] {
        let author = &version["author"];
        assert_eq!(
            (&author["type"], &author["conversationId"], &author["messageId"]),
            (&json!("turn"), &json!("c1"), &json!(message))
        );
        assert_eq!(
            (&author["model"], &author["promptTokens"]),
            (&json!("scripted"), &json!(10))
        );
        assert!(author["edits"].as_str().unwrap().contains("append"), "{author}");
    }
    assert_eq!(
        listed[3]["author"],
        json!({ "type": "person", "user": "default-user" })
    );
    let latest: Vec<_> = listed
        .iter()
        .map(|version| version["latest"].as_bool().unwrap())
        .collect();
    assert_eq!(latest, [true, false, false, false]);
    assert_eq!(listed[0]["etag"], get(&world, &asset_path(&asset)).await.etag());

    let path = format!(
        "{}/versions/{}",
        asset_path(&asset),
        listed[2]["versionId"].as_str().unwrap()
    );
    let one = get(&world, &path).await;
    check_ok(&one);
    assert_eq!(one.etag(), listed[2]["etag"].as_str().unwrap());
    assert_eq!(one.body["author"], listed[2]["author"]);
    assert_eq!(woven(one.body["asset"]["content"].as_str().unwrap()), [1]);
    assert!(one.body["asset"].get("_scribe").is_none());
}

#[tokio::test]
async fn versions_come_in_pages() {
    let world = World::new().await;
    // Its key begins like another document's.
    let neighbour = json!({ "id": "a.json", "title": "T" });
    post(&world, "/api/media-assets", &neighbour).await;
    post(
        &world,
        "/api/media-assets",
        &json!({ "id": "a", "title": "T", "content": "0\n" }),
    )
    .await;
    let first = versions(&world, "a").await[0]["versionId"].clone();
    let mut expected = vec![first.clone()];
    for n in 1..5 {
        let newest = if n % 2 == 1 {
            check_ok(&delete(&world, &asset_path("a")).await);
            versions(&world, "a").await[0]["versionId"].clone()
        } else {
            check_ok(&restore(&world, "a", &first).await);
            versions(&world, "a").await[0]["versionId"].clone()
        };
        expected.insert(0, newest);
    }
    let all = versions(&world, "a").await;
    assert_eq!(all.len(), 5);
    for limit in [1, 2, 4, 5, 6] {
        let mut seen = Vec::new();
        let mut path = format!("/api/media-assets/a/versions?limit={limit}");
        loop {
            let page = get(&world, &path).await;
            check_ok(&page);
            let versions = page.body["versions"].as_array().unwrap();
            assert!(versions.len() <= limit);
            seen.extend(versions.iter().map(|version| version["versionId"].clone()));
            let Some(next) = page.body["next"].as_str() else {
                break;
            };
            path = format!("/api/media-assets/a/versions?limit={limit}&cursor={next}");
        }
        seen.sort_by_key(ToString::to_string);
        let mut expected = expected.clone();
        expected.sort_by_key(ToString::to_string);
        assert_eq!(seen, expected, "{limit}");
    }
    let deleted = all.iter().filter(|version| version["deleted"] == true);
    for marker in deleted.clone() {
        assert_eq!((&marker["etag"], &marker["author"]), (&Value::Null, &Value::Null));
        let path = format!(
            "/api/media-assets/a/versions/{}",
            marker["versionId"].as_str().unwrap()
        );
        check_error(&get(&world, &path).await, 404, "no_version");
        check_error(
            &restore(&world, "a", &marker["versionId"]).await,
            404,
            "no_version",
        );
    }
    assert_eq!(deleted.count(), 2);
    // A cursor of another listing.
    let theirs = get(&world, "/api/media-assets/a/versions?limit=1").await.body["next"].clone();
    let path = format!(
        "/api/media-assets/a.json/versions?cursor={}",
        theirs.as_str().unwrap()
    );
    check_error(&get(&world, &path).await, 400, "invalid_field");
}

#[tokio::test]
async fn what_is_not_there_is_absent_whoever_has_it() {
    let world = World::new().await;
    let ours = create(&world, "Ours", "x\n").await;
    let theirs = json!({ "id": "theirs", "media_type": "text", "title": "T", "content": "secret\n",
        "created_at": "2026-11-22T15:40:00.000Z", "updated_at": "2026-11-22T15:40:00.000Z" });
    let key = "tenants/other/media-assets/theirs.json";
    put_object(&world, key, &theirs.to_string()).await;
    let listed = world
        .s3
        .list_object_versions()
        .bucket(crate::world::BUCKET)
        .prefix(key)
        .send()
        .await
        .unwrap();
    let version = listed.versions()[0].version_id().unwrap().to_owned();
    for asset in ["theirs", "never"] {
        let path = asset_path(asset);
        for absent in [
            get(&world, &path).await,
            get(&world, &format!("{path}/versions")).await,
            get(&world, &format!("{path}/versions/{version}")).await,
            get(&world, &format!("{path}/diff?from={version}")).await,
            get(&world, &format!("{path}/download")).await,
            delete(&world, &path).await,
            delete(&world, &format!("{path}?forever=true")).await,
            restore(&world, asset, &json!(version)).await,
            post(
                &world,
                &format!("{path}/conversations"),
                &json!({ "conversationId": "c9" }),
            )
            .await,
        ] {
            check_error(&absent, 404, "no_document");
            assert!(!absent.text.contains("secret"));
        }
    }
    assert_eq!(world.keys("tenants/other/").await, [key]);
    assert!(world.keys("tenants/default/conversations/").await.is_empty());
    // Their version id on our document.
    let path = asset_path(&ours);
    for wrong in [version.as_str(), "null", "not-one"] {
        check_error(
            &get(&world, &format!("{path}/versions/{wrong}")).await,
            404,
            "no_version",
        );
        check_error(
            &get(&world, &format!("{path}/diff?from={wrong}")).await,
            404,
            "no_version",
        );
        check_error(&restore(&world, &ours, &json!(wrong)).await, 404, "no_version");
    }
    for wrong in ["a%2Fb", ".."] {
        check_error(
            &get(&world, &format!("{path}/versions/{wrong}")).await,
            400,
            "invalid_field",
        );
        check_error(
            &get(&world, &format!("{path}/diff?from={wrong}")).await,
            400,
            "invalid_field",
        );
    }
    check_error(&get(&world, &format!("{path}/diff")).await, 400, "invalid_field");
    check_error(
        &delete(&world, &format!("{path}?forever=maybe")).await,
        400,
        "invalid_field",
    );
}

#[tokio::test]
async fn two_versions_are_compared() {
    let world = World::new().await;
    let asset = written(&world, 2).await;
    let session = world
        .conversations()
        .view(&key("c1"))
        .await
        .unwrap()
        .unwrap()
        .session;
    world
        .person_writes(&session, |asset| {
            asset.content = asset.content.replace("Milestone-0001: ", "Mile one: ");
        })
        .await;
    let all = versions(&world, &asset).await;
    let id = |at: usize| all[at]["versionId"].as_str().unwrap();
    let path = asset_path(&asset);
    let diff = get(&world, &format!("{path}/diff?from={}", id(2))).await;
    check_ok(&diff);
    assert_eq!(diff.body["to"]["versionId"], id(0));
    assert_eq!(
        diff.body["counts"],
        json!({ "kept": 1, "added": 1, "removed": 0, "changed": 1, "moved": 0 })
    );
    let words = &diff.body["blocks"][1]["words"];
    assert_eq!(
        words[0],
        json!({ "change": "removed", "text": "Milestone-0001" }),
        "{words}"
    );
    assert_eq!(diff.body["blocks"][2]["text"], said(2));
    let back = get(&world, &format!("{path}/diff?from={}&to={}", id(0), id(1))).await;
    assert_eq!(back.body["counts"]["changed"], 1);
    check_ok(&delete(&world, &path).await);
    // Of a deleted document the newest text counts.
    let diff = get(&world, &format!("{path}/diff?from={}", id(2))).await;
    assert_eq!(diff.body["to"]["versionId"], id(0), "{}", diff.body);
}

#[tokio::test]
async fn a_restored_text_keeps_the_record() {
    let world = World::new().await;
    let asset = written(&world, 2).await;
    let key = key("c1");
    let all = versions(&world, &asset).await;
    let restored = restore(&world, &asset, &all[1]["versionId"]).await;
    check_ok(&restored);
    assert_eq!(restored.body["wasDeleted"], false);
    assert_eq!(woven(restored.body["asset"]["content"].as_str().unwrap()), [1]);
    assert_eq!(restored.etag(), get(&world, &asset_path(&asset)).await.etag());
    let calls = world.model.calls();

    // A repeated event of a turn that is in the record weaves nothing, whatever the text says now.
    world.redis.flush().await;
    world.say(&key, 2).await;
    let event = world.lambda.take().unwrap();
    run(&world.engine(), &event).await.unwrap();
    assert_eq!(
        (woven(&content(&world, &asset).await), world.model.calls()),
        (vec![1], calls)
    );
    // The next turn goes on from there, and what the scribe had written is the scribe's.
    world.say(&key, 3).await;
    world.pump(&world.engine()).await;
    assert_eq!(woven(&content(&world, &asset).await), [1, 3]);
    let session = world.conversations().view(&key).await.unwrap().unwrap().session;
    let state = world.document(&session).await.asset.scribe.unwrap();
    assert_eq!(state.record.turns(&key.conversation), 3);
    assert!(
        state
            .blocks
            .entries()
            .iter()
            .all(|block| block.author == scribe_core::blocks::Author::Scribe)
    );
    let made = versions(&world, &asset).await[1]["author"].clone();
    assert_eq!(made, json!({ "type": "person", "user": "default-user" }));
}

#[tokio::test]
async fn a_restore_twice_is_one_and_a_stale_one_is_refused() {
    let world = World::new().await;
    let asset = written(&world, 2).await;
    let all = versions(&world, &asset).await;
    let (old, stale) = (all[1]["versionId"].clone(), all[1]["etag"].as_str().unwrap());
    let body = json!({ "versionId": old });
    let path = format!("{}/restore", asset_path(&asset));
    let refused = call(&world, Method::POST, &path, &[("if-match", stale)], Some(&body)).await;
    check_error(&refused, 412, "changed");
    assert_eq!(refused.etag(), all[0]["etag"].as_str().unwrap());
    let wrong = call(&world, Method::POST, &path, &[("if-match", "x")], Some(&body)).await;
    check_error(&wrong, 400, "invalid_field");
    let current = refused.etag();
    let restored = call(
        &world,
        Method::POST,
        &path,
        &[("if-match", &current)],
        Some(&body),
    )
    .await;
    check_ok(&restored);
    let again = post(&world, &path, &body).await;
    assert_eq!((again.status, again.etag()), (StatusCode::OK, restored.etag()));
    assert_eq!(versions(&world, &asset).await.len(), 4);
}

#[tokio::test]
async fn a_deleted_document_comes_back_with_its_record() {
    let world = World::new().await;
    let asset = written(&world, 2).await;
    let key = key("c1");
    let old = versions(&world, &asset).await[1]["versionId"].clone();
    check_ok(&delete(&world, &asset_path(&asset)).await);
    let path = format!("{}/restore", asset_path(&asset));
    let body = json!({ "versionId": old });
    let refused = call(&world, Method::POST, &path, &[("if-match", "\"x\"")], Some(&body)).await;
    check_error(&refused, 412, "changed");
    let restored = post(&world, &path, &body).await;
    check_ok(&restored);
    assert_eq!(restored.body["wasDeleted"], true);
    assert_eq!(woven(&content(&world, &asset).await), [1]);
    // Its conversation is over: nothing is recorded, until it is continued.
    let recorded = world.say(&key, 3).await;
    assert_eq!(recorded.delivery, scribe_trigger::Delivery::None);
    let continued = post(
        &world,
        &format!("{}/conversations", asset_path(&asset)),
        &json!({ "conversationId": "c1" }),
    )
    .await;
    assert_eq!(continued.status, StatusCode::CREATED, "{}", continued.body);
    let calls = world.model.calls();
    world.say(&key, 2).await;
    world.pump(&world.engine()).await;
    assert_eq!(world.model.calls(), calls, "turn 2 is in the record");
    world.say(&key, 3).await;
    world.pump(&world.engine()).await;
    assert_eq!(woven(&content(&world, &asset).await), [1, 3]);
}
