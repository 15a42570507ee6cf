//! OpenAI's chat completions, as far as the scribe speaks them, errors included.
//!
//! A request that OpenAI would refuse is refused here in the same shape: a stand-in that takes everything hides the
//! mistakes that cost a day later.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt as _;
use http::StatusCode;
use scribe_core::edits::answer_schema;
use serde_json::{Value, json};

use super::Pace;
use super::extract;
use super::reading::Reading;

/// The name under which the stand-in answers, whatever model was asked for.
pub(super) const MODEL: &str = "stand-in";

/// What it says in a chat: it has nothing to say, and says so. The scribe writes nothing of it down.
pub(super) const CHAT_ANSWER: &str = "I am the stand-in model: I understand nothing and can't answer, but the scribe \
     reads along. OPENAI_API_KEY or OPENAI_BASE_URL names a model that answers.";

/// The server's routes.
pub(super) fn router(pace: Pace) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .fallback(async || {
            refusal(
                StatusCode::NOT_FOUND,
                "unknown_url",
                None,
                "there is nothing at this path",
            )
        })
        .method_not_allowed_fallback(async || {
            refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_supported",
                None,
                "not by this method",
            )
        })
        .with_state(Arc::new(pace))
}

async fn models() -> Json<Value> {
    let model = json!({ "id": MODEL, "object": "model", "created": 0, "owned_by": "scribe-local" });
    Json(json!({ "object": "list", "data": [model] }))
}

/// A request that can be answered.
struct Question {
    /// Whether a person asks: the scribe wants its answer in a shape.
    is_chat: bool,
    reading: Option<Reading>,
    prompt_tokens: usize,
    max_tokens: usize,
    stream: bool,
    include_usage: bool,
}

async fn complete(State(pace): State<Arc<Pace>>, body: Bytes) -> Response {
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(_) => {
            return refusal(
                StatusCode::BAD_REQUEST,
                "invalid_json",
                None,
                "the body is not JSON",
            );
        }
    };
    match Question::read(&request) {
        Ok(question) => reply(&question, *pace).await,
        Err(Wrong { param, code, message }) => refusal(StatusCode::BAD_REQUEST, code, Some(param), message),
    }
}

/// What is wrong with a request.
struct Wrong {
    param: &'static str,
    code: &'static str,
    message: &'static str,
}

fn wrong(param: &'static str, message: &'static str) -> Wrong {
    Wrong {
        param,
        code: "invalid_value",
        message,
    }
}

impl Question {
    fn read(request: &Value) -> Result<Self, Wrong> {
        if request["model"].as_str().is_none_or(str::is_empty) {
            return Err(Wrong {
                param: "model",
                code: "missing_required_parameter",
                message: "a model must be named",
            });
        }
        let stream = flag(request, "stream")?;
        let options = &request["stream_options"];
        if !options.is_null() && !stream {
            return Err(wrong("stream_options", "only a stream has options"));
        }
        if !matches!(request["n"].as_u64().unwrap_or(1), 1) {
            return Err(wrong("n", "one answer is all there is"));
        }
        if request["temperature"]
            .as_f64()
            .is_some_and(|temperature| !(0.0..=2.0).contains(&temperature))
        {
            return Err(wrong("temperature", "it must be from 0 to 2"));
        }
        check_format(&request["response_format"])?;
        let contents = contents(&request["messages"])?;
        let reading = contents.last().and_then(|content| Reading::of(content));
        let wants_text = matches!(request["response_format"]["type"].as_str(), None | Some("text"));
        Ok(Self {
            is_chat: reading.is_none() && wants_text,
            reading,
            prompt_tokens: contents.iter().map(|content| tokens(content)).sum(),
            max_tokens: max_tokens(request)?,
            stream,
            include_usage: options["include_usage"] == true,
        })
    }
}

fn flag(request: &Value, name: &'static str) -> Result<bool, Wrong> {
    match &request[name] {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(wrong(name, "it must be true or false")),
    }
}

fn contents(messages: &Value) -> Result<Vec<String>, Wrong> {
    let messages = messages.as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or(wrong("messages", "there must be a message"))?;
    let content = |message: &'_ Value| {
        let is_known = matches!(
            message["role"].as_str(),
            Some("system" | "developer" | "user" | "assistant" | "tool")
        );
        text(&message["content"]).filter(|_| is_known)
    };
    let contents: Option<Vec<String>> = messages.iter().map(content).collect();
    contents.ok_or(wrong("messages", "each message needs a role and a text"))
}

/// A message's text: as it is, or in parts, of which others than text are passed over.
fn text(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        // An assistant that only called tools has said nothing.
        Value::Null => Some(String::new()),
        Value::Array(parts) => Some(parts.iter().filter_map(|part| part["text"].as_str()).collect()),
        _ => None,
    }
}

fn max_tokens(request: &Value) -> Result<usize, Wrong> {
    let (new, old) = (&request["max_completion_tokens"], &request["max_tokens"]);
    if !new.is_null() && !old.is_null() {
        return Err(wrong(
            "max_tokens",
            "it goes by max_completion_tokens now, and not by both names",
        ));
    }
    let asked = if new.is_null() { old } else { new };
    match asked.as_u64() {
        None if asked.is_null() => Ok(usize::MAX),
        Some(most @ 1..) => Ok(usize::try_from(most).unwrap_or(usize::MAX)),
        _ => Err(wrong("max_completion_tokens", "it must be a positive number")),
    }
}

/// The stand-in answers in the scribe's shape, so it takes only the scribe's schema.
fn check_format(format: &Value) -> Result<(), Wrong> {
    match format["type"].as_str() {
        None if format.is_null() => Ok(()),
        Some("text" | "json_object") => Ok(()),
        Some("json_schema") => {
            let wanted = &format["json_schema"];
            if !wanted["name"].is_string() {
                return Err(wrong("response_format.json_schema.name", "a schema needs a name"));
            }
            if wanted["strict"] != true || wanted["schema"] != answer_schema() {
                return Err(wrong(
                    "response_format.json_schema.schema",
                    "the stand-in knows the scribe's schema only",
                ));
            }
            Ok(())
        }
        _ => Err(wrong(
            "response_format.type",
            "it must be text, json_object or json_schema",
        )),
    }
}

async fn reply(question: &Question, pace: Pace) -> Response {
    let answer = if question.is_chat {
        CHAT_ANSWER.to_owned()
    } else {
        extract::answer(question.reading.as_ref()).to_string()
    };
    let mut pieces = pieces(&answer);
    let cut = pieces.len() > question.max_tokens;
    pieces.truncate(question.max_tokens);
    let finish_reason = if cut { "length" } else { "stop" };
    let usage = json!({
        "prompt_tokens": question.prompt_tokens,
        "completion_tokens": pieces.len(),
        "total_tokens": question.prompt_tokens + pieces.len(),
        "prompt_tokens_details": { "cached_tokens": 0 },
    });
    let envelope = |object: &str, choices: Value, usage: Value| json!({ "id": "chatcmpl-stand-in", "object": object, "created": 0, "model": MODEL, "choices": choices, "usage": usage });
    if !question.stream {
        tokio::time::sleep(pace.whole(pieces.len())).await;
        let message = json!({ "role": "assistant", "content": pieces.concat(), "refusal": null });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": finish_reason }]);
        return Json(envelope("chat.completion", choices, usage)).into_response();
    }
    let chunk = |delta: Value, finish: Value| {
        let choices = json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
        envelope("chat.completion.chunk", choices, Value::Null).to_string()
    };
    let mut events = vec![(
        pace.first_token,
        chunk(json!({ "role": "assistant", "content": "" }), Value::Null),
    )];
    events.extend(
        pieces
            .iter()
            .map(|piece| (pace.between(), chunk(json!({ "content": piece }), Value::Null))),
    );
    events.push((Duration::ZERO, chunk(json!({}), finish_reason.into())));
    if question.include_usage {
        events.push((
            Duration::ZERO,
            envelope("chat.completion.chunk", json!([]), usage).to_string(),
        ));
    }
    events.push((Duration::ZERO, "[DONE]".into()));
    let events = futures_util::stream::iter(events).then(async |(pause, data)| {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok::<_, Infallible>(Event::default().data(data))
    });
    Sse::new(events).into_response()
}

/// An error in OpenAI's shape.
fn refusal(status: StatusCode, code: &str, param: Option<&str>, message: &str) -> Response {
    let kind = if status.is_server_error() {
        "server_error"
    } else {
        "invalid_request_error"
    };
    (
        status,
        Json(json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })),
    )
        .into_response()
}

fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// A text in pieces of about a token.
fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(4).map(|piece| piece.iter().collect()).collect()
}
