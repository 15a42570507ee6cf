//! A model that answers each turn of the fixtures as its folder says, on the real wire.
//!
//! Ids and hashes of blocks are not known when an answer is written. So it names a block by words that stand in it,
//! `"block": {"containing": "salt monks"}`, and the server looks the block up among the lines of the prompt, as a
//! model does. A replace or a delete without a hash gets the one that stands there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::fixture::Fixture;

/// What it answers to one turn.
struct ToTurn {
    /// The user's message as a JSON string: by this it is found in a prompt.
    mark: String,
    calls: Vec<Value>,
    asked: usize,
}

#[derive(Default)]
struct Inner {
    turns: Vec<ToTurn>,
    /// What was asked for that it could not answer.
    lacking: Vec<String>,
}

/// The server.
pub(super) struct Answers {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Answers {
    pub(super) async fn start(fixtures: &[Fixture]) -> Self {
        let to_turn = |(fixture, at): (&Fixture, usize)| ToTurn {
            mark: Value::from(fixture.turns[at].user_message.as_str()).to_string(),
            calls: fixture.answers.get(&(at + 1)).cloned().unwrap_or_default(),
            asked: 0,
        };
        let turns = fixtures
            .iter()
            .flat_map(|fixture| (0..fixture.turns.len()).map(move |at| (fixture, at)));
        Self::serve(turns.map(to_turn).collect()).await
    }

    /// A server that has nothing to add, whatever is said.
    pub(super) async fn silent(fixtures: &[Fixture]) -> Self {
        let silent = Self::start(fixtures).await;
        silent
            .inner
            .lock()
            .unwrap()
            .turns
            .iter_mut()
            .for_each(|turn| turn.calls.clear());
        silent
    }

    async fn serve(turns: Vec<ToTurn>) -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            turns,
            lacking: Vec::new(),
        }));
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(Arc::clone(&inner));
        let listener = crate::world::listener().await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it could not answer, and which answers were never asked for.
    pub(super) fn remains(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        let unasked = inner.turns.iter().filter(|turn| turn.asked < turn.calls.len());
        let unasked = unasked.map(|turn| {
            format!(
                "asked {} of {} times: {}",
                turn.asked,
                turn.calls.len(),
                turn.mark
            )
        });
        inner.lacking.iter().cloned().chain(unasked).collect()
    }
}

async fn complete(State(inner): State<Arc<Mutex<Inner>>>, Json(request): Json<Value>) -> Response {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let texts: Vec<&str> = messages
        .iter()
        .filter_map(|message| message["content"].as_str())
        .collect();
    let prompt = texts.join("\n");
    let mut inner = inner.lock().unwrap();
    // The turn stands last, behind whatever is shown of earlier ones.
    let found = (0..inner.turns.len())
        .filter_map(|at| Some((prompt.rfind(&inner.turns[at].mark)?, at)))
        .max();
    let Some((_, at)) = found else {
        inner
            .lacking
            .push("a prompt without a turn of the fixtures".into());
        return stream(&prompt, &nothing());
    };
    let turn = &mut inner.turns[at];
    let answer = turn.calls.get(turn.asked).cloned();
    turn.asked += 1;
    match resolved(answer, &prompt) {
        Ok(text) => stream(&prompt, &text),
        Err(words) => {
            let mark = inner.turns[at].mark.clone();
            inner
                .lacking
                .push(format!("no block of the prompt says {words:?}, at {mark}"));
            stream(&prompt, &nothing())
        }
    }
}

fn nothing() -> String {
    json!({ "edits": [], "reason": "nothing new" }).to_string()
}

/// An answer as the schema wants it; the words that are in no block where it names one that is not there. A text
/// instead of an answer is sent as it is.
fn resolved(answer: Option<Value>, prompt: &str) -> Result<String, String> {
    let mut answer = match answer {
        None => return Ok(nothing()),
        Some(Value::String(text)) => return Ok(text),
        Some(answer) => answer,
    };
    let blocks: Vec<Value> = prompt
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["id"].is_string() && line["text"].is_string())
        .collect();
    for edit in answer["edits"].as_array_mut().into_iter().flatten() {
        let mut seen = Value::Null;
        if let Some(words) = edit["block"]["containing"].as_str() {
            let says = |block: &&Value| block["text"].as_str().is_some_and(|text| text.contains(words));
            let block = blocks.iter().find(says).ok_or_else(|| words.to_owned())?;
            seen = block["hash"].clone();
            edit["block"] = block["id"].clone();
        }
        let needs_hash = matches!(edit["action"].as_str(), Some("replace" | "delete"));
        let edit = edit.as_object_mut().unwrap();
        edit.entry("hash")
            .or_insert(if needs_hash { seen } else { Value::Null });
        edit.entry("markdown").or_insert(Value::Null);
    }
    answer
        .as_object_mut()
        .unwrap()
        .entry("reason")
        .or_insert(Value::Null);
    Ok(answer.to_string())
}

/// The answer as a stream of small pieces. A token counts as four bytes.
fn stream(prompt: &str, text: &str) -> Response {
    let chars: Vec<char> = text.chars().collect();
    let piece = |chars: &[char]| json!({ "choices": [{ "index": 0, "delta": { "content": String::from_iter(chars) } }] });
    let mut events: Vec<Value> = chars.chunks(24).map(piece).collect();
    events.push(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }));
    events.push(json!({ "choices": [], "usage": {
        "prompt_tokens": prompt.len().div_ceil(4), "completion_tokens": text.len().div_ceil(4) } }));
    let mut body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    body.push_str("data: [DONE]\n\n");
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}
