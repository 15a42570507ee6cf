//! A model that answers by script, on the real wire. Where the script is empty it appends what the assistant said.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use axum::body::Body;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::gate::{Gate, Moment, Step, Verdict, Wire};

/// What the model does at one call.
pub(crate) enum Reply {
    /// Appends the turn's answer, as when nothing is scripted.
    Follow,
    /// Says this, and why it stopped.
    Say {
        text: String,
        finish_reason: &'static str,
    },
    /// Answers with a status and headers.
    Status {
        status: u16,
        headers: Vec<(&'static str, String)>,
    },
    /// Tells `reached`, waits for `go`, then follows.
    Hold { reached: Arc<Notify>, go: Arc<Notify> },
    /// Says what it is told to say, piece by piece.
    Dictated(UnboundedReceiver<Dictated>),
}

/// What a model is told to do next.
pub(crate) enum Dictated {
    Say(String),
    /// It stops, and this is why.
    Stop(&'static str),
    /// It stops by itself and does not say what that cost.
    StopUnmetered,
    /// It tells an error in the middle of its answer.
    Fail,
}

/// The test's end of a dictated answer. Dropping it cuts the connection, unless the answer is whole.
pub(crate) struct Dictation(UnboundedSender<Dictated>);

impl Dictation {
    pub(crate) fn say(&self, text: &str) {
        self.then(Dictated::Say(text.into()));
    }

    pub(crate) fn then(&self, next: Dictated) {
        self.0.send(next).unwrap();
    }
}

#[derive(Default)]
struct Inner {
    script: VecDeque<Reply>,
    /// What it says to a turn, whoever asks when.
    to_turns: Vec<(usize, Reply)>,
    requests: Vec<Value>,
}

pub(crate) struct ScriptedModel {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl ScriptedModel {
    pub(crate) async fn start(gate: Arc<Gate>) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route(
                "/v1/models",
                get(async || Json(json!({ "object": "list", "data": [] }))),
            )
            .with_state((Arc::clone(&inner), gate));
        let listener = super::listener().await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.inner.lock().unwrap().script.extend(replies);
    }

    /// Scripts the next answers to the nth turn.
    pub(crate) fn script_for(&self, n: usize, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().map(|reply| (n, reply));
        self.inner.lock().unwrap().to_turns.extend(replies);
    }

    /// Forgets its script.
    pub(crate) fn forget_script(&self) {
        self.inner.lock().unwrap().script.clear();
    }

    /// Forgets its script and who asked.
    pub(crate) fn forget(&self) {
        *self.inner.lock().unwrap() = Inner::default();
    }

    /// The turns that it was asked for, in the order of asking.
    pub(crate) fn asked_for(&self) -> Vec<usize> {
        let inner = self.inner.lock().unwrap();
        inner.requests.iter().map(turn_of).collect()
    }

    /// What it was asked, in order.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.inner.lock().unwrap().requests.clone()
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.inner.lock().unwrap().requests.len()
    }

    /// Has the next answer dictated.
    pub(crate) fn dictate(&self) -> Dictation {
        let (sender, receiver) = unbounded_channel();
        self.script([Reply::Dictated(receiver)]);
        Dictation(sender)
    }

    /// Holds the next call: the first notify says that it was reached, the second lets it go on.
    pub(crate) fn hold(&self) -> (Arc<Notify>, Arc<Notify>) {
        let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        self.script([Reply::Hold {
            reached: Arc::clone(&reached),
            go: Arc::clone(&go),
        }]);
        (reached, go)
    }
}

type Shared = (Arc<Mutex<Inner>>, Arc<Gate>);

async fn complete(State((inner, gate)): State<Shared>, Json(request): Json<Value>) -> Response {
    let step = |moment| Step {
        wire: Wire::Model,
        name: "chat".into(),
        moment,
        of: String::new(),
    };
    if gate.pass(step(Moment::Before)).await == Verdict::Cut {
        return super::gate::cut();
    }
    let response = answer(&inner, &request).await;
    if gate.pass(step(Moment::After)).await == Verdict::Cut {
        return super::gate::cut();
    }
    response
}

async fn answer(inner: &Mutex<Inner>, request: &Value) -> Response {
    let reply = {
        let mut inner = inner.lock().unwrap();
        inner.requests.push(request.clone());
        // A chat's question is not about a turn of these tests.
        if request["messages"]
            .as_array()
            .is_none_or(|messages| messages.len() < 2)
        {
            return stream("A model that is scripted has nothing to say in a chat.", "stop");
        }
        let turn = turn_of(request);
        match inner.to_turns.iter().position(|(n, _)| *n == turn) {
            Some(at) => inner.to_turns.remove(at).1,
            None => inner.script.pop_front().unwrap_or(Reply::Follow),
        }
    };
    match reply {
        Reply::Follow => follow(request),
        Reply::Say { text, finish_reason } => stream(&text, finish_reason),
        Reply::Status { status, headers } => {
            let mut response = (
                StatusCode::from_u16(status).unwrap(),
                Json(json!({ "error": { "message": "scripted", "type": "scripted", "code": status } })),
            )
                .into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Reply::Hold { reached, go } => {
            reached.notify_one();
            go.notified().await;
            follow(request)
        }
        Reply::Dictated(dictation) => dictated(dictation),
    }
}

/// The turn that a request is about, with what follows. It stands last in the prompt, so the last mark is its own.
/// Where an answer is to be mended, the prompt is the second message.
fn last_mark(request: &Value) -> &str {
    let messages = request["messages"].as_array().unwrap();
    let prompt = messages[1]["content"].as_str().unwrap();
    let at = prompt
        .rfind("Milestone-")
        .expect("the prompt holds no turn of these tests");
    &prompt[at..]
}

fn turn_of(request: &Value) -> usize {
    last_mark(request)["Milestone-".len()..][..4].parse().unwrap()
}

fn follow(request: &Value) -> Response {
    let said: String = last_mark(request)
        .chars()
        .take_while(|&c| c != '.' && c != '"')
        .collect();
    let said = format!("{said}.");
    stream(&append(&said), "stop")
}

/// An answer that appends a paragraph.
pub(crate) fn append(markdown: &str) -> String {
    json!({
        "edits": [{ "action": "append", "block": null, "hash": null, "markdown": markdown }],
        "reason": null
    })
    .to_string()
}

/// An answer whose pieces come when the test wants them.
fn dictated(mut dictation: UnboundedReceiver<Dictated>) -> Response {
    let mut whole = false;
    let events = futures_util::stream::poll_fn(move |context| {
        if whole {
            return Poll::Ready(None);
        }
        dictation.poll_recv(context).map(|next| {
            let data = match next {
                Some(Dictated::StopUnmetered) => {
                    whole = true;
                    format!("{}\n\ndata: [DONE]", chunk(&json!({}), Some("stop")))
                }
                Some(Dictated::Say(text)) => chunk(&json!({ "content": text }), None).to_string(),
                Some(Dictated::Stop(reason)) => {
                    whole = true;
                    let stop = chunk(&json!({}), Some(reason));
                    format!("{stop}\n\ndata: {}\n\ndata: [DONE]", usage())
                }
                Some(Dictated::Fail) => {
                    whole = true;
                    json!({ "error": { "message": "scripted", "type": "server_error", "code": null } })
                        .to_string()
                }
                None => return Some(Err(std::io::Error::other("cut by a test"))),
            };
            Some(Ok(format!("data: {data}\n\n")))
        })
    });
    let mut response = Response::new(Body::from_stream(events));
    let kind = "text/event-stream".parse().unwrap();
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({ "id": "c", "object": "chat.completion.chunk", "model": "scripted",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

/// What each answer costs.
fn usage() -> Value {
    json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": 10, "completion_tokens": 5,
        "prompt_tokens_details": { "cached_tokens": 4 } } })
}

fn stream(text: &str, finish_reason: &str) -> Response {
    let mut events: Vec<Value> = text
        .as_bytes()
        .chunks(7)
        .scan(Vec::new(), |rest: &mut Vec<u8>, piece| {
            rest.extend_from_slice(piece);
            let whole = match std::str::from_utf8(rest) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let piece: Vec<u8> = rest.drain(..whole).collect();
            Some(String::from_utf8(piece).unwrap())
        })
        .map(|piece| chunk(&json!({ "content": piece }), None))
        .collect();
    events.push(chunk(&json!({}), Some(finish_reason)));
    events.push(usage());
    let done = std::iter::once(Event::default().data("[DONE]"));
    let all = events
        .into_iter()
        .map(|event| Event::default().data(event.to_string()))
        .chain(done);
    Sse::new(futures_util::stream::iter(all.map(Ok::<_, Infallible>))).into_response()
}
