//! An existing document, continued in another conversation.

use http::StatusCode;
use serde_json::json;

use super::{asset_path, check_error, check_ok, create, delete, get, post, versions};
use crate::world::{World, key, run, said, woven};

#[tokio::test]
async fn two_conversations_write_one_document() {
    let world = World::new().await;
    let asset = create(&world, "The Amber Road", "# Road\n\nSalt is heavy.\n").await;
    let path = format!("{}/conversations", asset_path(&asset));
    for conversation in ["c1", "c2"] {
        let begun = post(&world, &path, &json!({ "conversationId": conversation })).await;
        assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.body);
        assert_eq!(
            begun.body,
            json!({ "success": true, "textAssetId": asset, "slug": "the-amber-road", "title": "The Amber Road",
                "conversationId": conversation })
        );
        let again = post(&world, &path, &json!({ "conversationId": conversation })).await;
        assert_eq!((again.status, again.body), (StatusCode::OK, begun.body));
    }
    assert_eq!(
        versions(&world, &asset).await.len(),
        3,
        "a repeated request changes nothing"
    );

    // Turns of both, the events of both at once: each conversation in its order, between them only If-Match.
    let (first, second) = (key("c1"), key("c2"));
    for n in 1..=4 {
        world.say(&first, n).await;
        world.say(&second, n + 10).await;
    }
    let engines = [world.engine(), world.engine()];
    loop {
        let pair = [world.lambda.take(), world.lambda.take()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        let [one, two] = pair;
        let work = |event: Option<scribe_trigger::TurnEvent>, engine: usize| {
            let engine = &engines[engine];
            async move {
                if let Some(event) = event {
                    run(engine, &event).await.unwrap();
                }
            }
        };
        tokio::join!(work(one, 0), work(two, 1));
    }
    let read = get(&world, &asset_path(&asset)).await;
    let content = read.body["asset"]["content"].as_str().unwrap();
    let in_order = woven(content);
    let of = |range: std::ops::Range<usize>| -> Vec<usize> {
        in_order.iter().copied().filter(|n| range.contains(n)).collect()
    };
    assert_eq!((of(1..10), of(11..20)), (vec![1, 2, 3, 4], vec![11, 12, 13, 14]));
    assert!(content.starts_with("# Road\n\nSalt is heavy.\n") && content.contains(&said(14)));
    let session = world
        .conversations()
        .view(&second)
        .await
        .unwrap()
        .unwrap()
        .session;
    assert_eq!(session.message_count, 4);
    let known = world.document(&session).await.asset.conversations();
    assert_eq!(known.len(), 2);

    check_ok(&delete(&world, &asset_path(&asset)).await);
    for key in [first, second] {
        assert_eq!(world.say(&key, 20).await.delivery, scribe_trigger::Delivery::None);
    }
}

#[tokio::test]
async fn a_conversation_has_one_document() {
    let world = World::new().await;
    let theirs = world.start(&key("c1")).await.session.text_asset_id;
    let asset = create(&world, "Another", "x\n").await;
    let path = format!("{}/conversations", asset_path(&asset));
    let taken = post(&world, &path, &json!({ "conversationId": "c1" })).await;
    check_error(&taken, 409, "conversation_taken");
    assert_eq!(versions(&world, &asset).await.len(), 1);
    check_error(
        &post(&world, &path, &json!({ "conversationId": "turns" })).await,
        400,
        "invalid_field",
    );
    // Deleting the one that was refused ends nothing.
    check_ok(&delete(&world, &asset_path(&asset)).await);
    world.say(&key("c1"), 1).await;
    world.pump(&world.engine()).await;
    let read = get(&world, &asset_path(theirs.as_str())).await;
    assert_eq!(woven(read.body["asset"]["content"].as_str().unwrap()), [1]);
}

#[tokio::test]
async fn a_continued_conversation_that_was_off_is_on_again() {
    let world = World::new().await;
    let asset = world.start(&key("c1")).await.session.text_asset_id.to_string();
    world.conversations().toggle(&key("c1"), false).await.unwrap();
    let path = format!("{}/conversations", asset_path(&asset));
    let again = post(&world, &path, &json!({ "conversationId": "c1" })).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    world.say(&key("c1"), 1).await;
    world.pump(&world.engine()).await;
    let read = get(&world, &asset_path(&asset)).await;
    assert_eq!(woven(read.body["asset"]["content"].as_str().unwrap()), [1]);
}
