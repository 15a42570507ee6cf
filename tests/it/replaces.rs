//! Regenerated and edited turns: each is woven in the place of the one that it replaces.

mod between;
mod unwoven;

use http::StatusCode;
use scribe_core::turn::TriggerState;
use scribe_core::{ActiveScribeSession, ConversationKey, MediaAsset, Seq, Standing};
use scribe_engine::{Outcome, Sweeper};
use serde_json::{Value, json};

use crate::api;
use crate::world::{BUCKET, World, id, key, marker, run, woven};

/// A world with a conversation that has said this many turns, which are all woven.
async fn with_turns(turns: usize) -> (World, ConversationKey, ActiveScribeSession) {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    let engine = world.engine();
    for n in 1..=turns {
        world.say(&key, n).await;
        world.pump(&engine).await;
    }
    (world, key, session)
}

fn is_in_record(asset: &MediaAsset, n: usize) -> bool {
    let record = &asset.scribe.as_ref().unwrap().record;
    record.standing(&id("c1"), &id(&format!("m{n}")), Seq(u64::MAX)) == Standing::Applied
}

/// The document has these turns and no others, the record has those and the replaced ones, and nothing is owed.
async fn check(world: &World, session: &ActiveScribeSession, turns: &[usize], replaced: &[usize]) -> String {
    let key = session.key();
    let asset = world.document(session).await.asset;
    assert_eq!(woven(&asset.content), turns, "{}", asset.content);
    for n in turns.iter().chain(replaced) {
        assert!(is_in_record(&asset, *n), "turn {n} is in the record");
        let state = world.state(&key, *n).await;
        assert!(
            matches!(state, None | Some(TriggerState::Processed)),
            "turn {n} is {state:?}"
        );
    }
    assert_eq!(world.keys("waiting/").await, [""; 0]);
    assert_eq!(world.ledger().queue_status(&key).await.unwrap().waiting, 0);
    asset.content
}

/// What the newest version says of itself.
async fn metadata(world: &World, session: &ActiveScribeSession) -> std::collections::HashMap<String, String> {
    let key = format!("tenants/default/media-assets/{}.json", session.text_asset_id);
    let head = world.s3.head_object().bucket(BUCKET).key(key).send().await;
    head.unwrap().metadata.unwrap()
}

/// The text that comes of one turn alone.
async fn text_of_one(n: usize) -> String {
    let (world, key, session) = with_turns(0).await;
    world.say(&key, n).await;
    world.pump(&world.engine()).await;
    world.document(&session).await.asset.content
}

#[tokio::test]
async fn a_regenerated_turn_stands_in_the_place_of_the_first_one() {
    let (world, key, session) = with_turns(1).await;
    world.say_instead(&key, 2, 1).await;
    let outcomes = world.pump(&world.engine()).await;
    assert!(
        matches!(&outcomes[..], [Ok(Outcome::Written { late: false, .. })]),
        "{outcomes:?}"
    );

    let content = check(&world, &session, &[2], &[1]).await;
    assert_eq!(
        content,
        text_of_one(2).await,
        "as if nothing else had ever been said"
    );
    let metadata = metadata(&world, &session).await;
    assert_eq!(metadata["scribe-turn"], "c1/m2");
    assert_eq!(metadata["scribe-replaces"], "c1/m1");
    assert_eq!(metadata["scribe-taken-back"], "1 removed");
    let asked = world.model.requests();
    assert_eq!(asked.len(), 2);
    assert!(
        !asked[1].to_string().contains(&marker(1)),
        "the model does not see what is taken back"
    );
}

#[tokio::test]
async fn later_turns_stay_where_they_are() {
    let (world, key, session) = with_turns(3).await;
    world.say_instead(&key, 4, 1).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2, 3, 4], &[1]).await;
    // The same again, of a turn in the middle, with a process that holds nothing.
    world.say_instead(&key, 5, 3).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2, 4, 5], &[1, 3]).await;
}

#[tokio::test]
async fn a_chain_takes_back_the_one_before_and_brings_none_back() {
    let (world, key, session) = with_turns(1).await;
    for n in 2..=5 {
        world.say_instead(&key, n, n - 1).await;
        world.pump(&world.engine()).await;
        let replaced: Vec<usize> = (1..n).collect();
        let content = check(&world, &session, &[n], &replaced).await;
        assert_eq!(content, text_of_one(n).await);
    }
    assert_eq!(world.model.calls(), 5);
}

#[tokio::test]
async fn delivered_twice_it_is_woven_once() {
    let (world, key, session) = with_turns(1).await;
    world.say_instead(&key, 2, 1).await;
    let event = world.lambda.take().unwrap();
    assert_eq!(event.replaces, Some(id("m1")));
    let engine = world.engine();
    run(&engine, &event).await.unwrap();
    let first = world.document(&session).await.etag;
    run(&engine, &event).await.unwrap();
    world.redis.flush().await;
    let again = run(&engine, &event).await.unwrap();
    assert_eq!(again, Outcome::AlreadyWritten { message_id: id("m2") });
    assert_eq!(world.document(&session).await.etag, first);
    check(&world, &session, &[2], &[1]).await;
    assert_eq!(world.model.calls(), 2);
}

#[tokio::test]
async fn the_api_takes_it_and_the_list_of_turns_shows_it() {
    const TURNS: &str = "/api/chat/background-doc/turns";
    let (world, key, _) = with_turns(1).await;
    let turn = |replaces: Value| {
        json!({ "conversationId": "c1", "messageId": "m2", "userMessage": "Again?", "assistantResponse": "Milestone-0002: at last.",
                "replaces": replaces })
    };
    for (replaces, message) in [("m2", "must name another turn"), ("m/1", "only letters")] {
        let refused = api::post(&world, TURNS, &turn(json!(replaces))).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let error = &refused.body["error"];
        assert_eq!(error["field"], "replaces", "{error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    }
    assert_eq!(
        api::post(&world, TURNS, &turn(json!("m1"))).await.status,
        StatusCode::ACCEPTED
    );
    // The same again is the same; in the place of another one, or of none, it is another turn.
    assert_eq!(
        api::post(&world, TURNS, &turn(json!("m1"))).await.status,
        StatusCode::ACCEPTED
    );
    for other in [json!("m0"), Value::Null] {
        let refused = api::post(&world, TURNS, &turn(other)).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    }
    let list = || async { api::get(&world, "/api/chat/background-doc/c1/turns").await.body["turns"].clone() };
    let expected = |turns: &Value| {
        assert_eq!(
            (&turns[0]["replaces"], &turns[0]["replacedBy"]),
            (&Value::Null, &json!("m2"))
        );
        assert_eq!(
            (&turns[1]["replaces"], &turns[1]["replacedBy"]),
            (&json!("m1"), &Value::Null)
        );
    };
    expected(&list().await);
    world.pump(&world.engine()).await;
    expected(&list().await);
    assert_eq!(world.state(&key, 2).await, Some(TriggerState::Processed));
}

fn sweeper(world: &World) -> Sweeper {
    Sweeper::new(
        world.ledger(),
        world.dispatcher(),
        world.documents(),
        scribe_engine::SweepConfig::default(),
    )
}
