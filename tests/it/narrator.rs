//! The model's client against a server that speaks exactly the bytes that a test gives it. Every request is kept, and
//! every one must be in order.

mod server;

use std::time::Duration;

use scribe_core::edits::answer_schema;
use scribe_core::prompt::{Message, Prompt, Role};
use scribe_engine::narrator::{Completion, Narrator, NarratorConfig, NarratorError, Outage, Stage, Usage};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use server::{KEY, Reply, Server, Step, chunked_head};

/// What the prompts say; it must not be in an error.
const SECRET: &str = "what the witch whispered";

fn prompt() -> Prompt {
    let message = |role, content: &str| Message {
        role,
        content: content.into(),
    };
    Prompt {
        messages: vec![message(Role::System, "The rules."), message(Role::User, SECRET)],
        schema: Some(answer_schema()),
        max_output_tokens: 1_000,
    }
}

fn delta(content: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({ "choices": [{ "index": 0, "delta": { "content": content }, "finish_reason": null }] })
    )
}

fn finish(reason: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({ "model": "a-model-7", "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
    )
}

/// A whole stream.
fn whole(text: &str) -> Reply {
    Reply::bytewise(&format!("{}{}data: [DONE]\n\n", delta(text), finish("stop")))
}

async fn ask(narrator: &Narrator) -> Result<Completion, NarratorError> {
    let answer = narrator
        .ask(&prompt(), Instant::now() + Duration::from_secs(30))
        .await;
    let told = format!("{answer:?} {:?}", answer.as_ref().map_err(ToString::to_string));
    assert!(!told.contains(SECRET) && !told.contains(KEY), "{told}");
    answer
}

/// What a single reply is understood as.
async fn outcome(reply: Reply) -> Result<Completion, NarratorError> {
    let server = Server::start([reply]).await;
    let answer = ask(&server.narrator()).await;
    assert_eq!(server.requests().len(), 1);
    answer
}

fn unavailable(reason: Outage) -> NarratorError {
    NarratorError::Unavailable {
        reason,
        retry_after: None,
    }
}

#[tokio::test]
async fn an_answer_is_put_together_from_its_pieces() {
    let usage = json!({ "choices": [], "usage": {
        "prompt_tokens": 900, "completion_tokens": 12, "prompt_tokens_details": { "cached_tokens": 512 } } });
    let body = format!(
        ": a heartbeat\n\ndata: {}\n\n{}{}: another\n\n{}data: {usage}\n\ndata: [DONE]\n\n",
        json!({ "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }] }),
        delta("The 🐉 "),
        delta("wakes.\n"),
        finish("stop"),
    );
    let expected = Completion {
        text: "The 🐉 wakes.\n".into(),
        finish_reason: "stop".into(),
        usage: Some(Usage {
            prompt_tokens: 900,
            cached_tokens: 512,
            completion_tokens: 12,
        }),
        model: Some("a-model-7".into()),
    };
    assert_eq!(outcome(Reply::bytewise(&body)).await, Ok(expected.clone()));
    assert_eq!(
        outcome(Reply::bytewise(&body.replace('\n', "\r\n"))).await,
        Ok(expected.clone())
    );
    assert_eq!(
        outcome(Reply::bytewise(&format!("\u{feff}{body}"))).await,
        Ok(expected)
    );
}

#[tokio::test]
async fn servers_may_say_less_than_openai() {
    let check = async |reply: Reply| {
        let answer = outcome(reply).await.unwrap();
        assert_eq!((answer.text.as_str(), answer.usage), ("Text.", None));
    };
    // No [DONE]; no reason; no end at all, once the reason is known; all at once; an answer that is no stream.
    check(Reply::stream(&format!("{}{}", delta("Text."), finish("stop")))).await;
    check(Reply::stream(&format!("{}data: [DONE]\n\n", delta("Text.")))).await;
    let mut cut = chunked_head();
    let piece = format!("{}{}", delta("Text."), finish("eos"));
    cut.extend(format!("{:x}\r\n{piece}\r\n", piece.len()).into_bytes());
    check(Reply::bytes(cut)).await;
    let body = json!({ "choices": [{ "message": { "role": "assistant", "content": "Text." }, "finish_reason": "stop" }] });
    check(Reply::error(
        200,
        "content-type: application/json; charset=utf-8\r\n",
        &body,
    ))
    .await;
    let parts = json!({ "choices": [{ "message": { "content": [{ "type": "text", "text": "Text." }] } }], "usage": null });
    check(Reply::error(200, "content-type: application/json\r\n", &parts)).await;
}

#[tokio::test]
async fn a_request_says_what_the_configuration_says() {
    let server = Server::start([whole("a"), whole("b")]).await;
    ask(&server.narrator()).await.unwrap();
    let config = NarratorConfig {
        temperature: Some(0.7),
        reasoning_effort: Some("low".into()),
        ..server.config()
    };
    ask(&Narrator::new(config).unwrap()).await.unwrap();
    let requests = server.requests();
    let plain = requests[0].body.as_object().unwrap();
    assert!(!plain.contains_key("temperature") && !plain.contains_key("reasoning_effort"));
    assert_eq!(plain["stream_options"], json!({ "include_usage": true }));
    assert_eq!(plain["max_completion_tokens"], 1_000);
    assert_eq!(plain["messages"][1]["content"], SECRET);
    assert_eq!(
        (
            &requests[1].body["temperature"],
            &requests[1].body["reasoning_effort"]
        ),
        (&json!(0.7), &json!("low"))
    );
}

#[tokio::test]
async fn what_a_server_does_not_take_is_left_out_from_then_on() {
    let refusing = |param: Value, message: &str| {
        let error = json!({ "error": { "message": message, "type": "invalid_request_error", "param": param, "code": null } });
        Reply::error(400, "", &error)
    };
    let check = async |replies: &[Reply], gone: &[&str], there: &[&str]| {
        let all = replies.iter().cloned().chain([whole("a"), whole("b")]);
        let server = Server::start(all).await;
        let config = NarratorConfig {
            temperature: Some(0.7),
            reasoning_effort: Some("none".into()),
            ..server.config()
        };
        let narrator = Narrator::new(config).unwrap();
        assert_eq!(ask(&narrator).await.unwrap().text, "a");
        assert_eq!(ask(&narrator).await.unwrap().text, "b");
        let requests = server.requests();
        assert_eq!(requests.len(), replies.len() + 2);
        for request in &requests[replies.len()..] {
            let body = request.body.as_object().unwrap();
            assert!(gone.iter().all(|name| !body.contains_key(*name)), "{gone:?}");
            assert!(there.iter().all(|name| body.contains_key(*name)), "{there:?}");
        }
        requests.last().unwrap().body.clone()
    };
    check(
        &[refusing(json!("temperature"), "")],
        &["temperature"],
        &["reasoning_effort", "response_format"],
    )
    .await;
    check(
        &[refusing(json!("reasoning_effort"), "")],
        &["reasoning_effort"],
        &["temperature"],
    )
    .await;
    check(
        &[refusing(Value::Null, "Unknown field: max_completion_tokens")],
        &["max_completion_tokens"],
        &["max_tokens"],
    )
    .await;
    check(
        &[refusing(json!("stream_options"), "")],
        &["stream_options"],
        &["max_completion_tokens"],
    )
    .await;
    let schema = refusing(json!("response_format.type"), "");
    let body = check(std::slice::from_ref(&schema), &[], &["response_format"]).await;
    assert_eq!(body["response_format"], json!({ "type": "json_object" }));
    check(
        &[schema.clone(), schema.clone()],
        &["response_format"],
        &["messages"],
    )
    .await;
    check(
        &[schema, refusing(json!("temperature"), "")],
        &["temperature"],
        &["response_format"],
    )
    .await;
}

#[tokio::test]
async fn a_refusal_of_something_else_is_final_and_teaches_nothing() {
    let body = json!({ "error": { "message": format!("{SECRET} temperature"), "param": "messages", "code": "context_length_exceeded" } });
    let server = Server::start([Reply::error(400, "", &body), whole("b")]).await;
    let narrator = server.narrator();
    let refused = NarratorError::Refused {
        status: 400,
        code: Some("context_length_exceeded".into()),
    };
    assert_eq!(ask(&narrator).await, Err(refused));
    ask(&narrator).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn statuses_tell_whether_to_wait_or_to_give_up() {
    let body = json!({ "error": { "message": SECRET, "type": "some_type", "code": "some_code" } });
    let code = || Some("some_code".to_owned());
    for status in [301, 401, 402, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529] {
        let reply = Reply::error(status, "location: http://127.0.0.1:1/\r\n", &body);
        let expected = unavailable(Outage::Status { status, code: code() });
        assert_eq!(outcome(reply).await, Err(expected), "{status}");
    }
    for status in [400, 413, 422] {
        let expected = NarratorError::Refused { status, code: code() };
        assert_eq!(
            outcome(Reply::error(status, "", &body)).await,
            Err(expected),
            "{status}"
        );
    }
    let filtered = json!({ "error": { "message": SECRET, "code": "content_filter" } });
    assert_eq!(
        outcome(Reply::error(400, "", &filtered)).await,
        Err(NarratorError::Filtered)
    );

    let Err(NarratorError::Unavailable { retry_after, .. }) =
        outcome(Reply::error(429, "retry-after: 17\r\n", &body)).await
    else {
        panic!("429 is an outage")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_told_by_its_kind() {
    let check = async |body: String, expected: NarratorError| {
        assert_eq!(
            outcome(Reply::stream(&format!("{body}data: [DONE]\n\n"))).await,
            Err(expected),
            "{body}"
        );
    };
    check(
        format!("{}{}", delta("half a"), finish("length")),
        NarratorError::Cut,
    )
    .await;
    check(
        format!("{}{}", delta("half a"), finish("content_filter")),
        NarratorError::Filtered,
    )
    .await;
    let refusal = json!({ "choices": [{ "index": 0, "delta": { "refusal": SECRET } }] });
    check(
        format!("data: {refusal}\n\n{}", finish("stop")),
        NarratorError::Filtered,
    )
    .await;
    check(
        finish("stop"),
        NarratorError::Malformed {
            reason: "it is empty",
        },
    )
    .await;
    check(
        finish("tool_calls"),
        NarratorError::Malformed {
            reason: "it is empty",
        },
    )
    .await;
    check(
        format!("data: {SECRET}\n\n"),
        NarratorError::Malformed {
            reason: "a piece of it is not JSON",
        },
    )
    .await;
    let long = NarratorError::Malformed {
        reason: "it is too long",
    };
    check(delta(&"x".repeat(1 << 19)) + &delta("x"), long).await;

    let error = |error: Value| format!("{}data: {}\n\n", delta("half a"), json!({ "error": error }));
    let midway = |code: Option<&str>| {
        unavailable(Outage::Midway {
            code: code.map(str::to_owned),
        })
    };
    check(
        error(json!({ "message": SECRET, "type": "server_error" })),
        midway(Some("server_error")),
    )
    .await;
    check(
        error(json!({ "message": SECRET, "code": 503 })),
        midway(Some("503")),
    )
    .await;
    check(error(json!(SECRET)), midway(None)).await;
    check(
        error(json!({ "code": 400 })),
        NarratorError::Refused {
            status: 400,
            code: None,
        },
    )
    .await;
    let html = Reply::error(200, "content-type: application/json\r\n", &json!("<html>"));
    assert!(matches!(
        outcome(html).await,
        Err(NarratorError::Malformed { .. })
    ));
}

#[tokio::test]
async fn a_connection_that_ends_is_an_outage() {
    assert_eq!(
        outcome(Reply::stream(&delta("half a"))).await,
        Err(unavailable(Outage::BrokenOff))
    );
    let mut cut = chunked_head();
    cut.extend_from_slice(b"ff\r\ndata: {");
    assert_eq!(
        outcome(Reply::bytes(cut)).await,
        Err(unavailable(Outage::BrokenOff))
    );

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let narrator = Narrator::new(NarratorConfig::new(url, "a-model".into())).unwrap();
    assert_eq!(ask(&narrator).await, Err(unavailable(Outage::Unreachable)));
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_no_turn() {
    let died = Reply {
        steps: vec![],
        keep: false,
    };
    let server = Server::start([whole("a"), died.clone(), whole("b"), died.clone(), died]).await;
    let narrator = server.narrator();
    assert_eq!(ask(&narrator).await.unwrap().text, "a");
    assert_eq!(ask(&narrator).await.unwrap().text, "b");
    assert_eq!(ask(&narrator).await, Err(unavailable(Outage::Unreachable)));
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn every_part_of_an_answer_has_its_own_limit() {
    let limit = Duration::from_millis(150);
    let check = async |steps: Vec<Step>, change: &dyn Fn(&mut NarratorConfig), stage: Stage| {
        let server = Server::start([Reply { steps, keep: false }]).await;
        let mut config = server.config();
        change(&mut config);
        let slow = ask(&Narrator::new(config).unwrap()).await;
        assert_eq!(
            slow,
            Err(unavailable(Outage::TooSlow { stage, limit })),
            "{stage}"
        );
    };
    let head = |body: &str| Reply::stream(body).steps;
    let first = |config: &mut NarratorConfig| config.first_token_timeout = limit;
    let between = |config: &mut NarratorConfig| config.between_tokens_timeout = limit;
    let turn = |config: &mut NarratorConfig| config.turn_timeout = limit;
    check(vec![Step::Stall], &first, Stage::FirstToken).await;
    check(
        Reply::stream("").then(Step::Repeat(": a heartbeat\n\n")).steps,
        &first,
        Stage::FirstToken,
    )
    .await;
    check(
        Reply::stream(&delta("one")).then(Step::Stall).steps,
        &between,
        Stage::NextToken,
    )
    .await;
    check(
        Reply::stream(&delta("one"))
            .then(Step::Repeat(": a heartbeat\n\n"))
            .steps,
        &between,
        Stage::NextToken,
    )
    .await;
    let thoughts = "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    check(
        [head(""), vec![Step::Repeat(thoughts)]].concat(),
        &first,
        Stage::FirstToken,
    )
    .await;
    let trickle = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a \"}}]}\n\n";
    check(
        [head(""), vec![Step::Repeat(trickle)]].concat(),
        &turn,
        Stage::Turn,
    )
    .await;
}

#[tokio::test]
async fn the_callers_deadline_is_kept() {
    let server = Server::start([Reply {
        steps: vec![Step::Stall],
        keep: false,
    }])
    .await;
    let narrator = server.narrator();
    let answer = narrator
        .ask(&prompt(), Instant::now() + Duration::from_millis(50))
        .await;
    let Err(NarratorError::Unavailable {
        reason: Outage::TooSlow {
            stage: Stage::Turn, ..
        },
        ..
    }) = answer
    else {
        panic!("{answer:?}")
    };
}

#[tokio::test]
async fn usage_that_never_comes_does_not_cost_the_answer() {
    let server =
        Server::start([Reply::stream(&format!("{}{}", delta("Text."), finish("stop"))).then(Step::Stall)])
            .await;
    let config = NarratorConfig {
        between_tokens_timeout: Duration::from_millis(50),
        ..server.config()
    };
    assert_eq!(ask(&Narrator::new(config).unwrap()).await.unwrap().text, "Text.");
}
