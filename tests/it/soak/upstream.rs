//! The chat that the API stands in front of: it answers each question as it is scripted, and breaks off where that
//! says so.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::http_tap::{Answer, answer, flowing, serve};

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `OpenAI`'s events.
    Events,
    /// The AI SDK's UI message stream.
    UiStream,
    /// One JSON object of `OpenAI`'s.
    Json,
    /// Plain text.
    Text,
}

/// How it ends; the numbers are the pieces that come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// The connection is cut.
    Cut(usize),
    /// Nothing more comes, until whoever listens has had enough and leaves.
    Silence(usize),
    /// An error is told in the middle.
    Error(usize),
    /// It ends without having told that it is whole.
    Endless(usize),
    /// It is none.
    Refused(u16),
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) form: Form,
    pub(super) text: String,
    pub(super) end: End,
}

impl Script {
    /// Everything that is sent, piece by piece.
    pub(super) fn pieces(&self) -> Vec<String> {
        let words: Vec<&str> = self.text.split_inclusive(' ').collect();
        let said = words.chunks(3).map(<[&str]>::concat);
        let mut pieces: Vec<String> = match self.form {
            Form::Events => said
                .map(|text| chunk(&json!({ "content": text }), None))
                .collect(),
            Form::UiStream => {
                let begin =
                    ["start", "start-step", "text-start"].map(|kind| json!({ "type": kind, "id": "t" }));
                let deltas = said.map(|text| json!({ "type": "text-delta", "id": "t", "delta": text }));
                begin
                    .into_iter()
                    .chain(deltas)
                    .map(|part| event(&part.to_string()))
                    .collect()
            }
            Form::Json => {
                let whole = json!({ "choices": [{ "index": 0, "finish_reason": "stop",
                    "message": { "role": "assistant", "content": self.text } }] });
                let whole = whole.to_string();
                let (head, tail) = whole.split_at(whole.len() / 2);
                return self.cut_off(vec![head.to_owned()], vec![tail.to_owned()]);
            }
            Form::Text => said.collect(),
        };
        let end = match self.form {
            Form::Events => vec![chunk(&json!({}), Some("stop")), event("[DONE]")],
            Form::UiStream => ["text-end", "finish-step", "finish"]
                .iter()
                .map(|kind| event(&json!({ "type": kind, "id": "t" }).to_string()))
                .chain([event("[DONE]")])
                .collect(),
            // A text has no end but its last words.
            Form::Text => pieces.pop().into_iter().collect(),
            Form::Json => Vec::new(),
        };
        self.cut_off(pieces, end)
    }

    fn cut_off(&self, mut pieces: Vec<String>, end: Vec<String>) -> Vec<String> {
        match self.end {
            End::Whole => pieces.extend(end),
            End::Cut(after) | End::Silence(after) | End::Endless(after) => pieces.truncate(after),
            End::Error(after) => {
                pieces.truncate(after);
                let error = match self.form {
                    Form::UiStream => json!({ "type": "error", "errorText": "overloaded" }),
                    _ => json!({ "error": { "message": "overloaded" } }),
                };
                pieces.push(event(&error.to_string()));
            }
            End::Refused(_) => pieces.clear(),
        }
        pieces
    }

    fn answer(&self) -> Answer {
        if let End::Refused(status) = self.end {
            return answer(status, "application/json", r#"{"error":{"message":"scripted"}}"#);
        }
        let kind = match self.form {
            Form::Events | Form::UiStream => "text/event-stream",
            Form::Json => "application/json",
            Form::Text => "text/plain; charset=utf-8",
        };
        let pieces = self.pieces().into_iter().map(|piece| Ok(Bytes::from(piece)));
        let pieces: Vec<io::Result<Bytes>> = pieces.collect();
        let (cut, silent) = match (self.end, self.form) {
            // Plain text and JSON can't tell an error, and the end of the bytes is their end.
            (End::Cut(_), _) | (End::Error(_) | End::Endless(_), Form::Json | Form::Text) => (true, false),
            (End::Silence(_), _) => (false, true),
            _ => (false, false),
        };
        let cut: Vec<io::Result<Bytes>> = cut.then(|| Err(io::Error::other("cut"))).into_iter().collect();
        let silence = futures_util::StreamExt::take(stream::pending(), usize::from(silent));
        let all = futures_util::StreamExt::chain(stream::iter(pieces.into_iter().chain(cut)), silence);
        flowing(kind, all)
    }
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    event(&json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }).to_string())
}

/// What it answers, by question.
#[derive(Default)]
pub(super) struct Scripts(Mutex<HashMap<String, Script>>);

impl Scripts {
    /// From now on this question is answered so.
    pub(super) fn answer(&self, question: &str, script: Script) {
        self.0.lock().unwrap().insert(question.into(), script);
    }

    fn of(&self, request: &Value) -> Option<Script> {
        let last = request["messages"].as_array()?.last()?;
        let question = match last["content"].as_str() {
            Some(text) => text,
            None => last["parts"][0]["text"].as_str()?,
        };
        self.0.lock().unwrap().get(question).cloned()
    }
}

/// Gives its address.
pub(super) async fn start(scripts: Arc<Scripts>) -> SocketAddr {
    serve(move |call| {
        let scripts = Arc::clone(&scripts);
        async move {
            let request: Value = serde_json::from_slice(&call.body).unwrap();
            let script = scripts
                .of(&request)
                .expect("nothing is scripted for this question");
            Some(script.answer())
        }
    })
    .await
}
