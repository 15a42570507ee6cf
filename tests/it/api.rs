//! The API, as a client sees it.

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{World, key, said};

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Value,
}

async fn send(world: &World, request: Request<Body>) -> Answer {
    let response = world.api().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap()
    };
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub(crate) async fn post(world: &World, path: &str, body: &Value) -> Answer {
    post_text(world, path, body.to_string()).await
}

async fn post_text(world: &World, path: &str, body: String) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap();
    send(world, request).await
}

pub(crate) async fn get(world: &World, path: &str) -> Answer {
    send(world, Request::builder().uri(path).body(Body::empty()).unwrap()).await
}

const START: &str = "/api/chat/background-doc/start";
const TOGGLE: &str = "/api/chat/background-doc/toggle";
const TURNS: &str = "/api/chat/background-doc/turns";

fn turn(n: usize) -> Value {
    json!({ "conversationId": "c1", "messageId": format!("m{n}"),
            "userMessage": format!("question {n}"), "assistantResponse": said(n) })
}

/// An error answer in the one envelope, naming the field.
#[track_caller]
fn check_error(answer: &Answer, status: u16, code: &str, field: Option<&str>) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    let error = &answer.body["error"];
    assert_eq!(error["code"], code, "{error}");
    assert_eq!(error.get("field").and_then(Value::as_str), field, "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| message.len() > 10),
        "{error}"
    );
}

#[tokio::test]
async fn a_conversation_becomes_a_document() {
    let world = World::new().await;
    let start = json!({ "conversationId": "c1", "title": "The Amber Road: Salt & Ice" });
    let started = post(&world, START, &start).await;
    assert_eq!(started.status, StatusCode::CREATED);
    assert_eq!(started.body["success"], true);
    assert_eq!(started.body["slug"], "the-amber-road-salt-ice");
    assert_eq!(started.body["conversationId"], "c1");
    let asset = started.body["textAssetId"].as_str().unwrap().to_owned();

    let again = post(
        &world,
        START,
        &json!({ "conversationId": "c1", "title": "Another" }),
    )
    .await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(
        again.body["textAssetId"], asset,
        "a second start answers with the document that is there"
    );
    assert_eq!(again.body["title"], "The Amber Road: Salt & Ice");

    let recorded = post(&world, TURNS, &turn(1)).await;
    assert_eq!(recorded.status, StatusCode::ACCEPTED);
    assert_eq!(
        (&recorded.body["messageId"], &recorded.body["delivery"]),
        (&json!("m1"), &json!("invoked"))
    );
    let repeated = post(&world, TURNS, &turn(1)).await;
    assert_eq!(
        (repeated.status, repeated.body),
        (StatusCode::ACCEPTED, recorded.body.clone())
    );

    let waiting = get(&world, "/api/chat/background-doc/c1").await.body;
    assert_eq!(waiting["status"]["waiting"], 1);
    assert!(waiting["status"]["waitingForMs"].is_u64());
    assert_eq!(waiting["status"]["writing"], Value::Null);
    assert_eq!(waiting["session"]["textAssetId"], asset);

    world.pump(&world.engine()).await;
    let after = get(&world, "/api/chat/background-doc/c1").await.body;
    assert_eq!(after["status"]["waiting"], 0);
    assert_eq!(after["status"]["waitingForMs"], Value::Null);
    assert_eq!(after["status"]["messageCount"], 1);
    let turns = get(&world, "/api/chat/background-doc/c1/turns").await.body;
    assert_eq!(turns["turns"].as_array().unwrap().len(), 1);
    let view = &turns["turns"][0];
    assert_eq!(
        (&view["messageId"], &view["state"], &view["attempts"]),
        (&json!("m1"), &json!("processed"), &json!(1))
    );
    assert_eq!(view["seq"], recorded.body["seq"]);
    assert_eq!((&view["late"], &view["reason"]), (&json!(false), &Value::Null));
    for time in ["recorded", "claimed", "finished"] {
        assert!(view["times"][time].is_u64(), "{view}");
    }

    let path = format!("/api/media-assets/{asset}");
    let read = get(&world, &path).await;
    assert_eq!(read.status, StatusCode::OK);
    let document = &read.body["asset"];
    assert!(
        document["content"].as_str().unwrap().contains(&said(1)),
        "{document}"
    );
    assert_eq!(document["media_type"], "text");
    assert_eq!(document["metadata"]["conversation_id"], "c1");
    assert_eq!(document["metadata"]["scribe_version"], "realtime");
    assert_eq!(document["metadata"]["last_message_id"], "m1");
    assert!(
        document.get("_scribe").is_none(),
        "what the scribe knows is not part of the document"
    );
    let etag = read.headers["etag"].to_str().unwrap();
    let request = Request::builder()
        .uri(&path)
        .header("if-none-match", etag)
        .body(Body::empty())
        .unwrap();
    let unchanged = send(&world, request).await;
    assert_eq!(
        (unchanged.status, unchanged.body),
        (StatusCode::NOT_MODIFIED, Value::Null)
    );
}

#[tokio::test]
async fn off_is_paused_and_on_again() {
    let world = World::new().await;
    post(&world, START, &json!({ "conversationId": "c1", "title": "T" })).await;
    post(&world, TURNS, &turn(1)).await;
    let off = post(
        &world,
        TOGGLE,
        &json!({ "conversationId": "c1", "scribeEnabled": false }),
    )
    .await;
    assert_eq!(
        (off.status, off.body),
        (StatusCode::OK, json!({ "success": true, "scribeEnabled": false }))
    );
    let turns = get(&world, "/api/chat/background-doc/c1/turns").await.body;
    assert_eq!(turns["turns"][0]["state"], "paused");
    let unrecorded = post(&world, TURNS, &turn(2)).await;
    assert_eq!(unrecorded.status, StatusCode::OK);
    assert_eq!(
        (&unrecorded.body["delivery"], &unrecorded.body["seq"]),
        (&json!("off"), &Value::Null)
    );
    let on = post(
        &world,
        TOGGLE,
        &json!({ "conversationId": "c1", "scribeEnabled": true }),
    )
    .await;
    assert_eq!(on.body["scribeEnabled"], true);
    world.pump(&world.engine()).await;
    let turns = get(&world, "/api/chat/background-doc/c1/turns").await.body;
    assert_eq!(turns["turns"][0]["state"], "processed");
}

#[tokio::test]
async fn whoever_records_without_a_scribe_is_told_at_once() {
    let mut world = World::new().await;
    // Redis does not know the conversation, so Lambda is invoked all the same.
    let unknown = post(&world, TURNS, &turn(1)).await;
    assert_eq!(
        (unknown.status, &unknown.body["delivery"], &unknown.body["seq"]),
        (StatusCode::OK, &json!("none"), &Value::Null)
    );
    assert_eq!(world.lambda.waiting(), 1);
    world.pump(&world.engine()).await;
    assert_eq!(world.keys("waiting/").await, Vec::<String>::new());
    post(&world, START, &json!({ "conversationId": "c1", "title": "T" })).await;
    let recorded = post(&world, TURNS, &turn(1)).await;
    assert_eq!(
        recorded.body["delivery"], "invoked",
        "what was sent before may be sent again"
    );
    world.pump(&world.engine()).await;

    // A Redis that has forgotten everything is no reason to say that there is none.
    world.redis.kill();
    world.redis.forget_snapshot();
    world.redis.restart();
    let recorded = post(&world, TURNS, &turn(2)).await;
    assert_eq!(
        (recorded.status, &recorded.body["delivery"]),
        (StatusCode::ACCEPTED, &json!("invoked"))
    );
    // Nor is an S3 that does not answer.
    world.tap.fail(Method::GET, "conversations/", 503);
    let mut other = turn(3);
    other["conversationId"] = json!("c2");
    assert_eq!(post(&world, TURNS, &other).await.body["delivery"], "invoked");
}

#[tokio::test]
async fn wrong_input_names_the_field_and_writes_nothing() {
    let world = World::new().await;
    let long = "x".repeat(201);
    for (path, body, field) in [
        (
            START,
            json!({ "conversationId": "a/b", "title": "T" }),
            "conversationId",
        ),
        (
            START,
            json!({ "conversationId": "toggle", "title": "T" }),
            "conversationId",
        ),
        (
            START,
            json!({ "conversationId": "", "title": "T" }),
            "conversationId",
        ),
        (START, json!({ "conversationId": "c1", "title": " " }), "title"),
        (START, json!({ "conversationId": "c1", "title": "a\nb" }), "title"),
        (START, json!({ "conversationId": "c1", "title": long }), "title"),
        (
            START,
            json!({ "conversationId": "c1", "title": "\u{202e}reversed" }),
            "title",
        ),
        (
            START,
            json!({ "conversationId": "c1", "title": "T", "tenantId": "another" }),
            "tenantId",
        ),
        (
            START,
            json!({ "conversationId": "c1", "title": "T", "userId": "another" }),
            "userId",
        ),
        (
            TOGGLE,
            json!({ "conversationId": "..", "scribeEnabled": true }),
            "conversationId",
        ),
        (
            TURNS,
            json!({ "conversationId": "c1", "messageId": "m 1", "userMessage": "u", "assistantResponse": "a" }),
            "messageId",
        ),
        (
            TURNS,
            json!({ "conversationId": "c1", "messageId": "m1", "userMessage": " ", "assistantResponse": "" }),
            "userMessage",
        ),
        (
            TURNS,
            json!({ "conversationId": "c1", "messageId": "m1", "userMessage": "u", "assistantResponse": "a", "timestamp": "today" }),
            "timestamp",
        ),
    ] {
        check_error(
            &post(&world, path, &body).await,
            400,
            "invalid_field",
            Some(field),
        );
    }
    for (path, body, names) in [
        (START, json!({ "conversationId": "c1" }), "title"),
        (
            START,
            json!({ "conversationId": 7, "title": "T" }),
            "conversationId",
        ),
        (
            START,
            json!({ "conversationId": "c1", "title": "T", "style": "baroque" }),
            "style",
        ),
        (TOGGLE, json!({ "conversationId": "c1" }), "scribeEnabled"),
        (
            TURNS,
            json!({ "conversationId": "c1", "messageId": "m1", "userMessage": "u" }),
            "assistantResponse",
        ),
    ] {
        let answer = post(&world, path, &body).await;
        check_error(&answer, 400, "invalid_body", Some(names));
        assert!(
            answer.body["error"]["message"].as_str().unwrap().contains(names),
            "{}",
            answer.body
        );
    }
    check_error(
        &get(&world, "/api/chat/background-doc/%ff").await,
        400,
        "invalid_path",
        None,
    );
    check_error(
        &get(&world, "/api/chat/background-doc/%ff/turns").await,
        400,
        "invalid_path",
        None,
    );
    check_error(
        &get(&world, "/api/media-assets/%ff").await,
        400,
        "invalid_path",
        None,
    );
    check_error(&post_text(&world, START, "{".into()).await, 400, "not_json", None);
    let bare = Request::builder()
        .method(Method::POST)
        .uri(START)
        .body(Body::from("{}"))
        .unwrap();
    check_error(&send(&world, bare).await, 415, "not_json", None);
    check_error(&get(&world, "/api/nothing").await, 404, "no_route", None);
    check_error(&get(&world, TURNS).await, 405, "method_not_allowed", None);
    let delete = Request::builder()
        .method(Method::DELETE)
        .uri(START)
        .body(Body::empty())
        .unwrap();
    check_error(&send(&world, delete).await, 405, "method_not_allowed", None);

    assert_eq!(
        world.keys("").await,
        Vec::<String>::new(),
        "nothing was written to s3"
    );
    let keys: Vec<String> = world.redis.command(&["KEYS", "*"]).await;
    assert_eq!(keys, Vec::<String>::new(), "nothing was written to redis");
}

#[tokio::test]
async fn what_is_too_large_is_refused_whole() {
    let world = World::new().await;
    post(&world, START, &json!({ "conversationId": "c1", "title": "T" })).await;
    let texts = |bytes: usize| json!({ "conversationId": "c1", "messageId": "m1", "userMessage": "u", "assistantResponse": "x".repeat(bytes) });
    check_error(
        &post(&world, TURNS, &texts(256 * 1024)).await,
        413,
        "turn_too_large",
        None,
    );
    let control = json!({ "conversationId": "c1", "messageId": "m1", "userMessage": "u", "assistantResponse": "\u{1}".repeat(200_000) });
    check_error(&post(&world, TURNS, &control).await, 413, "turn_too_large", None);
    let huge = post(&world, TURNS, &texts(scribe_api::MAX_BODY_BYTES)).await;
    check_error(&huge, 413, "body_too_large", None);
    assert_eq!(world.ledger().triggers(&key("c1")).await.unwrap(), []);
    assert_eq!(
        post(&world, TURNS, &texts(256 * 1024 - 1)).await.status,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let world = World::new().await;
    check_error(
        &get(&world, "/api/chat/background-doc/c9").await,
        404,
        "no_scribe",
        None,
    );
    check_error(
        &get(&world, "/api/chat/background-doc/c9/turns").await,
        404,
        "no_scribe",
        None,
    );
    let toggle = post(
        &world,
        TOGGLE,
        &json!({ "conversationId": "c9", "scribeEnabled": true }),
    )
    .await;
    check_error(&toggle, 404, "no_scribe", None);
    check_error(
        &get(&world, "/api/media-assets/nothing").await,
        404,
        "no_document",
        None,
    );
}

#[tokio::test]
async fn the_same_id_with_other_texts_is_a_conflict() {
    let world = World::new().await;
    post(&world, START, &json!({ "conversationId": "c1", "title": "T" })).await;
    post(&world, TURNS, &turn(1)).await;
    let mut other = turn(1);
    other["assistantResponse"] = json!("something else");
    check_error(
        &post(&world, TURNS, &other).await,
        409,
        "other_text",
        Some("messageId"),
    );
}

#[tokio::test]
async fn without_redis_and_lambda_the_answer_is_503_and_nothing_is_lost() {
    let mut world =
        World::with(|config| config.trigger.redis_timeout = std::time::Duration::from_millis(250)).await;
    post(&world, START, &json!({ "conversationId": "c1", "title": "T" })).await;
    assert_eq!(get(&world, "/healthz").await.body, json!({ "status": "ok" }));
    world.redis.kill();
    world.lambda.refuse(true);
    let refused = post(&world, TURNS, &turn(1)).await;
    check_error(&refused, 503, "unavailable", None);
    assert!(refused.headers.contains_key("retry-after"));
    check_error(&get(&world, "/healthz").await, 503, "unhealthy", None);
    // S3 alone still answers.
    assert_eq!(
        get(&world, "/api/chat/background-doc/c1").await.body["status"]["waiting"],
        Value::Null
    );
    world.redis.restart();
    world.lambda.refuse(false);
    assert_eq!(post(&world, TURNS, &turn(1)).await.status, StatusCode::ACCEPTED);
    world.pump(&world.engine()).await;
    let turns = get(&world, "/api/chat/background-doc/c1/turns").await.body;
    assert_eq!(turns["turns"][0]["state"], "processed");
}
