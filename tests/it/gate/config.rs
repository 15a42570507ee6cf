//! What is configured beside tokens: pages of other origins, limits, and what is served without authentication.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use scribe_api::config::{ApiConfig, Limits};
use serde_json::{Value, json};

use super::{KEY, check_refusal, conversation, post, send, with_tokens};
use crate::gate::tokens::{SECRET, claims, hs256, right};
use crate::world::World;

const START: &str = "/api/chat/background-doc/start";

fn start_with(headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::post(START).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = json!({ "conversationId": "c1", "title": "Emon" });
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn without_authentication_a_page_of_elsewhere_does_nothing() {
    let world = World::new().await;
    let api = world.api();
    for headers in [
        [("host", "evil.example:3000"), ("accept", "*/*")],
        [("host", "127.0.0.1:3000"), ("origin", "https://evil.example")],
        [("host", "127.0.0.1:3000"), ("origin", "null")],
    ] {
        let answer = send(&api, start_with(&headers)).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "{headers:?}: {}",
            answer.body
        );
    }
    let health = Request::get("/healthz")
        .header("host", "evil.example")
        .body(Body::empty());
    assert_eq!(send(&api, health.unwrap()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.keys("").await, Vec::<String>::new());
    let ours = [("host", "localhost:3000"), ("origin", "http://localhost:5173")];
    assert_eq!(send(&api, start_with(&ours)).await.status, StatusCode::CREATED);
    // With tokens no page has what it takes, whatever its name.
    let guarded = world.api_with(&with_tokens());
    let shown = [
        ("host", "scribe.example"),
        ("origin", "https://app.example"),
        ("x-api-key", KEY),
    ];
    assert_eq!(
        send(&guarded, start_with(&shown)).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn the_document_says_whether_a_token_is_needed() {
    let world = World::new().await;
    for (config, is_open) in [(ApiConfig::default(), true), (with_tokens(), false)] {
        let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
        let answer = send(&world.api_with(&config), request).await;
        assert_eq!(answer.headers["content-type"], "application/json");
        let security = answer.json()["security"].clone();
        assert_eq!(
            security.as_array().unwrap().contains(&json!({})),
            is_open,
            "{security}"
        );
        if !is_open {
            assert_eq!(answer.body, scribe_api::openapi_json());
        }
    }
}

#[tokio::test]
async fn pages_of_configured_origins_may_ask_and_see() {
    let world = World::new().await;
    let config = ApiConfig {
        cors_origins: vec!["https://app.example".into()],
        ..with_tokens()
    };
    let api = world.api_with(&config);
    let preflight = |origin: &str| {
        Request::options(START)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .body(Body::empty())
            .unwrap()
    };
    let answer = send(&api, preflight("https://app.example")).await;
    assert_eq!(answer.status, StatusCode::OK, "a preflight shows no token");
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "https://app.example"
    );
    assert_eq!(
        answer.headers["access-control-allow-headers"],
        "authorization,content-type"
    );
    let methods = answer.headers["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("PUT") && methods.contains("DELETE"), "{methods}");
    let allowed = |headers: &HeaderMap| headers.contains_key("access-control-allow-origin");
    assert!(!allowed(
        &send(&api, preflight("https://evil.example")).await.headers
    ));
    // A page must be able to read why it was refused, too.
    let refused = send(&api, start_with(&[("origin", "https://app.example")])).await;
    check_refusal(&refused, "token_missing", "a page");
    assert_eq!(
        refused.headers["access-control-allow-origin"],
        "https://app.example"
    );
    assert_eq!(refused.headers["access-control-expose-headers"], "*");
    // Where no origin is configured, none is told anything.
    let closed = world.api_with(&with_tokens());
    assert!(!allowed(
        &send(&closed, preflight("https://app.example")).await.headers
    ));
}

#[tokio::test]
async fn a_tenant_that_asks_too_often_waits_and_others_do_not() {
    let world = World::new().await;
    let mut config = with_tokens();
    config.limits = Limits {
        rate_per_second: NonZeroU32::new(1).unwrap(),
        rate_burst: NonZeroU32::new(3).unwrap(),
        ..Limits::default()
    };
    let api = world.api_with(&config);
    let ask = |token: &str| {
        let request =
            Request::get("/api/media-assets/none").header("authorization", format!("Bearer {token}"));
        send(&api, request.body(Body::empty()).unwrap())
    };
    let mut asked = 0;
    // Another user is the same tenant, and so is a key.
    let refused = loop {
        let answer = ask(&if asked % 2 == 0 {
            right("acme", "bob")
        } else {
            KEY.to_owned()
        })
        .await;
        if answer.status != StatusCode::NOT_FOUND {
            break answer;
        }
        asked += 1;
        assert!(asked < 1000, "nobody was told to wait");
    };
    assert!(asked >= 3, "{asked}");
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json()["error"]["code"], "too_many_requests");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(ask(&right("zeta", "zoe")).await.status, StatusCode::NOT_FOUND);
    let health = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(send(&api, health).await.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_are_objects_of_a_bounded_size() {
    let world = World::new().await;
    let mut config = with_tokens();
    (config.limits.small_body_bytes, config.limits.body_bytes) = (4096, 10_000);
    let api = world.api_with(&config);
    conversation(&api, "c1").await;
    let token = right("acme", "ann");
    let toggle =
        |bytes: usize| json!({ "conversationId": "c1", "scribeEnabled": true, "note": "x".repeat(bytes) });
    assert_eq!(
        post(&api, "toggle", &token, &toggle(3000)).await.status,
        StatusCode::OK
    );
    let turn = |bytes: usize| json!({ "conversationId": "c1", "messageId": "m2", "userMessage": "", "assistantResponse": "x".repeat(bytes) });
    for (path, body, limit) in [("toggle", toggle(4096), "4096"), ("turns", turn(10_000), "10000")] {
        let answer = post(&api, path, &token, &body).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let message = answer.json()["error"]["message"].clone();
        assert!(message.as_str().unwrap().contains(limit), "{message}");
    }
    assert_eq!(
        post(&api, "turns", &token, &turn(9000)).await.status,
        StatusCode::ACCEPTED
    );
    for (body, code) in [
        (json!(["c1", true]), "invalid_body"),
        (json!([]), "invalid_body"),
        (json!("c1"), "invalid_body"),
        (json!(null), "invalid_body"),
    ] {
        let answer = post(&api, "toggle", &token, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json()["error"]["code"], code, "{body}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_token_reaches_the_log() {
    let world = World::new().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // All that the test starts runs on its own thread.
    let logging = tracing::subscriber::set_default(subscriber);
    let api = world.api_with(&with_tokens());
    let bad: Value = json!({ "tenant": "acme", "sub": "ann" });
    let tokens = [
        right("acme", "ann"),
        hs256(&bad, SECRET),
        hs256(&claims("ac me", "ann"), SECRET),
        hs256(
            &claims("acme", "ann"),
            "another-secret-of-enough-bytes-0123456789",
        ),
        "no-token-of-anybodys".to_owned(),
        KEY.to_owned(),
    ];
    for token in &tokens {
        post(
            &api,
            "toggle",
            token,
            &json!({ "conversationId": "c1", "scribeEnabled": true }),
        )
        .await;
    }
    drop(logging);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a token was refused"), "nothing was logged: {log}");
    for secret in tokens.iter().flat_map(|token| token.split('.')).chain([SECRET]) {
        assert!(secret.is_empty() || !log.contains(secret), "{secret}");
    }
}
