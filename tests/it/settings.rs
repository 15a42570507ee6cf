//! How a document is to be written: chosen at start or later, or shown by the conversation; and what was said before
//! the scribe was started.

use http::StatusCode;
use scribe_core::{ActiveScribeSession, Style};
use serde_json::{Value, json};

use crate::world::{World, key, woven};

async fn post(world: &World, what: &str, body: &Value) -> (StatusCode, Value) {
    let answer = crate::api::post(world, &format!("/api/chat/background-doc/{what}"), body).await;
    (answer.status, answer.body)
}

async fn session(world: &World) -> ActiveScribeSession {
    let view = world.conversations().view(&key("c1")).await.unwrap();
    view.unwrap().session
}

/// The rules of the last question to the model.
fn rules(world: &World) -> String {
    let requests = world.model.requests();
    requests.last().unwrap()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn say(world: &World, n: usize, user: &str) {
    let mut turn = crate::world::turn(&key("c1"), n);
    turn.user_message = user.into();
    world.recorder().record(turn).await.unwrap();
    world.pump(&world.engine()).await;
}

#[tokio::test]
async fn a_style_and_instructions_can_be_chosen_and_changed() {
    let world = World::new().await;
    let start = json!({
        "conversationId": "c1", "title": "Emon", "style": "factual", "instructions": " Spell grey with an e. "
    });
    assert_eq!(post(&world, "start", &start).await.0, StatusCode::CREATED);
    say(&world, 1, "And then?").await;
    let factual = rules(&world);
    assert!(factual.contains("Spell grey with an e.") && factual.contains("factual"));

    let change = json!({ "conversationId": "c1", "style": "literary", "instructions": "" });
    let (status, answer) = post(&world, "settings", &change).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        answer,
        json!({ "success": true, "style": "literary", "styleNow": "literary", "instructions": null })
    );
    say(&world, 2, "And then?").await;
    let literary = rules(&world);
    assert!(!literary.contains("Spell grey") && literary.contains("literary"));
    let asset = world.document(&session(&world).await).await.asset;
    assert_eq!(
        (asset.metadata.style, asset.metadata.instructions),
        (Style::Literary, None)
    );
    assert_eq!(woven(&asset.content), [1, 2]);

    // A request that names neither changes neither.
    let (_, answer) = post(&world, "settings", &json!({ "conversationId": "c1" })).await;
    assert_eq!(answer["style"], "literary");
}

#[tokio::test]
async fn the_conversation_shows_its_style_where_nobody_chose_one() {
    let world = World::new().await;
    post(
        &world,
        "start",
        &json!({ "conversationId": "c1", "title": "Emon" }),
    )
    .await;
    say(&world, 1, "Please write it like a short story.").await;
    assert!(
        rules(&world).contains("literary"),
        "a wish counts for its own turn already"
    );
    let change = json!({ "conversationId": "c1" });
    let (_, answer) = post(&world, "settings", &change).await;
    assert_eq!(
        (&answer["style"], &answer["styleNow"]),
        (&json!("auto"), &json!("literary"))
    );

    let choose = json!({ "conversationId": "c1", "style": "default" });
    post(&world, "settings", &choose).await;
    say(&world, 2, "Please write it like a short story.").await;
    assert!(!rules(&world).contains("literary"), "what a person chose stays");
}

#[tokio::test]
async fn wrong_settings_are_named_and_change_nothing() {
    let world = World::new().await;
    let nowhere = json!({ "conversationId": "c1", "style": "literary" });
    assert_eq!(post(&world, "settings", &nowhere).await.0, StatusCode::NOT_FOUND);
    post(
        &world,
        "start",
        &json!({ "conversationId": "c1", "title": "Emon" }),
    )
    .await;
    for (field, value) in [
        ("style", json!("gothic")),
        ("instructions", json!("x".repeat(501))),
        ("instructions", json!("two\nlines")),
        ("instructions", json!(7)),
    ] {
        for path in ["start", "settings"] {
            let mut body = json!({ "conversationId": "c1", "title": "Emon" });
            body[field] = value.clone();
            let (status, answer) = post(&world, path, &body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
            assert_eq!(answer["error"]["field"], field, "{answer}");
        }
    }
    let (_, answer) = post(&world, "settings", &json!({ "conversationId": "c1" })).await;
    assert_eq!(
        (&answer["style"], &answer["instructions"]),
        (&json!("auto"), &Value::Null)
    );
}

#[tokio::test]
async fn what_was_said_before_the_start_is_caught_up_with() {
    let world = World::new().await;
    let message = |role: &str, content: &str| json!({ "role": role, "content": content });
    let messages = [
        message("user", "Who guards the gate?"),
        message("assistant", "Milestone-0001: a giant guards the gate."),
        message("user", "And who the bridge?"),
        message("assistant", "Milestone-0002: nobody guards the bridge."),
    ];
    let start = json!({ "conversationId": "c1", "title": "Emon", "messages": messages });
    let (status, answer) = post(&world, "start", &start).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    assert_eq!(answer["catchUpTurns"], 1, "several messages at once");
    world.pump(&world.engine()).await;
    assert_eq!(world.model.calls(), 1);
    let request = &world.model.requests()[0];
    let prompt = request["messages"][1]["content"].as_str().unwrap();
    assert!(prompt.contains("a giant guards the gate") && prompt.contains("nobody guards the bridge"));
    let key = key("c1");
    let turns = world.conversations().turns(&key).await.unwrap();
    assert_eq!(turns.len(), 1);
    assert!(turns[0].processed);

    // The same start again brings the same turns.
    let (status, answer) = post(&world, "start", &start).await;
    assert_eq!((status, &answer["catchUpTurns"]), (StatusCode::OK, &json!(1)));
    world.pump(&world.engine()).await;
    assert_eq!(world.model.calls(), 1);
}

#[tokio::test]
async fn a_start_with_a_message_that_is_too_large_leaves_nothing_behind() {
    let world = World::new().await;
    let message = |role: &str, content: &str| json!({ "role": role, "content": content });
    let messages = [
        message("user", "Who guards the gate?"),
        message("assistant", "Milestone-0001: a giant guards the gate."),
        message("user", &"x".repeat(300 * 1024)),
        message("assistant", "That is a lot."),
    ];
    let start = json!({ "conversationId": "c1", "title": "Emon", "messages": messages });
    let (status, answer) = post(&world, "start", &start).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    let fewer = json!({ "conversationId": "c1", "title": "Emon" });
    let (status, answer) = post(&world, "start", &fewer).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    assert!(world.conversations().turns(&key("c1")).await.unwrap().is_empty());
}
