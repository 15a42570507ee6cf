//! The drop-in for a server of `OpenAI`'s kind: requests go on as they came, answers come back as they are.

use scribe_core::turn::TriggerState;
use serde_json::json;

use super::upstream::{Pieces, Scripted};
use super::{Bench, COMPLETIONS, ends, says};

fn answers(text: &str) -> Scripted {
    Scripted::events(&(says(text) + &ends()))
}

#[tokio::test]
async fn a_request_goes_on_byte_for_byte_with_the_servers_own_key() {
    let bench = Bench::new().await;
    let body = r#"{ "stream": true, "user":"c1", "model" : "m", "seed": 1.0, "messages":[{"role":"user","content":"Who?"}], "response_format": {"z": 1, "a": 2}}"#;
    bench.chat.script(answers("Maren."));
    let headers = [
        ("authorization", "Bearer a-callers-token"),
        ("openai-organization", "theirs"),
    ];
    let answering = bench.ask_text(COMPLETIONS, body.to_owned(), &headers).await;
    assert_eq!(answering.headers["content-type"], "text/event-stream");
    let name = answering.headers["x-scribe-message-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(answering.text().await, says("Maren.") + &ends());
    let asked = bench.chat.asked();
    assert_eq!(
        (asked.path.as_str(), &asked.body[..]),
        ("/v1/chat/completions", body.as_bytes())
    );
    assert_eq!(asked.headers["authorization"], "Bearer the-servers-own-key");
    assert!(!asked.headers.contains_key("openai-organization"));
    let turn = bench.turn(&name).await;
    assert_eq!(
        (turn.state, turn.assistant_response.as_str()),
        (TriggerState::Pending, "Maren.")
    );
}

#[tokio::test]
async fn an_answer_that_does_not_stream_is_scribed_too() {
    let bench = Bench::new().await;
    let whole = json!({ "id": "x", "choices": [{ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": "Maren." } }], "usage": { "total_tokens": 3 } });
    bench.chat.script(Scripted::new(
        "application/json",
        Pieces::Whole(whole.to_string().into()),
    ));
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Who?" }] });
    let headers = [("x-scribe-conversation-id", "c1"), ("x-scribe-message-id", "m1")];
    let answering = bench.ask(COMPLETIONS, &body, &headers).await;
    assert_eq!(answering.json().await, whole);
    assert_eq!(bench.turn("m1").await.assistant_response, "Maren.");
}

#[tokio::test]
async fn a_conversation_is_named_by_header_metadata_or_user() {
    let bench = Bench::new().await;
    let messages = json!([{ "role": "user", "content": "Who?" }]);
    let plain = json!({ "model": "m", "messages": messages });
    let with = |field: &str, value: serde_json::Value| {
        let mut body = plain.clone();
        body[field] = value;
        body
    };
    let by_header = [("x-scribe-conversation-id", "c1")];
    for (body, headers, sent) in [
        (plain.clone(), &by_header[..], plain.clone()),
        (with("user", json!("c1")), &[], with("user", json!("c1"))),
        // The server takes metadata only with what it stores.
        (
            with("metadata", json!({ "conversation_id": "c1" })),
            &[],
            plain.clone(),
        ),
        (
            with("metadata", json!({ "conversationId": "c1", "k": "v" })),
            &[],
            with("metadata", json!({ "k": "v" })),
        ),
    ] {
        bench.chat.script(answers("Maren."));
        let answering = bench.ask(COMPLETIONS, &body, headers).await;
        assert_eq!(answering.headers["x-scribe-conversation-id"], "c1", "{body}");
        answering.text().await;
        assert_eq!(bench.chat.asked().json(), sent);
    }
    assert_eq!(bench.turns().await.len(), 1, "four times the same turn");

    bench.chat.script(answers("Maren."));
    let answering = bench.ask(COMPLETIONS, &plain, &[]).await;
    assert!(!answering.headers.contains_key("x-scribe-conversation-id"));
    answering.text().await;
    assert_eq!(
        bench.turns().await.len(),
        1,
        "without a conversation it is a plain proxy"
    );

    let wrong = bench
        .ask(COMPLETIONS, &plain, &[("x-scribe-conversation-id", "a/b")])
        .await;
    assert_eq!(wrong.status, 400);
    let error = wrong.json().await["error"].clone();
    assert_eq!(
        (&error["type"], &error["param"]),
        (
            &json!("invalid_request_error"),
            &json!("x-scribe-conversation-id")
        )
    );
}

#[tokio::test]
async fn models_and_errors_come_back_as_they_are() {
    let bench = Bench::new().await;
    let models = r#"{"object":"list",  "data":[]}"#;
    let mut listed = Scripted::new("application/json", Pieces::Whole(models.into()));
    listed.headers.push(("openai-organization", "ours".into()));
    listed.headers.push(("x-request-id", "r1".into()));
    bench.chat.script(listed);
    let request = http::Request::get("/v1/models").header("authorization", "Bearer a-callers-token");
    let answer = tower::ServiceExt::oneshot(
        bench.api.clone(),
        request.body(axum::body::Body::empty()).unwrap(),
    );
    let answer = answer.await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "r1");
    assert!(!answer.headers().contains_key("openai-organization"));
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
    assert_eq!(bytes, models.as_bytes());
    let asked = bench.chat.asked();
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("GET", "/v1/models")
    );
    assert_eq!(asked.headers["authorization"], "Bearer the-servers-own-key");

    for body in ["not json", "{\"model\": 7}"] {
        let refusal = r#"{"error":{"message":"no", "type":"invalid_request_error"}}"#;
        let mut refused = Scripted::new("application/json", Pieces::Whole(refusal.into()));
        refused.status = 400;
        bench.chat.script(refused);
        let answering = bench.ask_text(COMPLETIONS, body.to_owned(), &[]).await;
        assert_eq!(answering.status, 400);
        assert_eq!(answering.text().await, refusal);
        assert_eq!(
            bench.chat.asked().body,
            body.as_bytes(),
            "what is no request is the server's to refuse"
        );
    }
}
