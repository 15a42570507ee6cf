//! A model that takes its time, as a real one does: so long until the first token, so long for each token that it
//! writes, and a little for each token of the prompt that it has not read lately.
//!
//! A token is four characters here. What was read lately is a prefix cache, as providers have one: of a new prompt
//! the longest beginning that it shares with a recent one costs nothing, in whole steps and from a certain length on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt as _;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

const CHARACTERS: usize = 4;

/// How long what takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) first_token: Duration,
    /// Each token of the prompt that is not in the cache.
    pub(super) read: Duration,
    /// Each token of the answer.
    pub(super) write: Duration,
}

impl Pace {
    /// 0.4 s to the first token, 0.1 ms to read one, 80 written in a second.
    pub(super) const REAL: Self = Self {
        first_token: Duration::from_millis(400),
        read: Duration::from_micros(100),
        write: Duration::from_micros(12_500),
    };
    /// No time at all: for turns that are only to be there.
    pub(super) const NONE: Self = Self {
        first_token: Duration::ZERO,
        read: Duration::ZERO,
        write: Duration::ZERO,
    };

    /// What an answer takes by this pace.
    pub(super) fn of(self, call: &Call) -> Duration {
        let tokens = |count: usize| u32::try_from(count).unwrap();
        self.first_token + self.read * tokens(call.uncached()) + self.write * tokens(call.output)
    }
}

/// The prompt cache of a provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct PromptCache {
    /// A shared beginning counts in whole steps of so many tokens,
    pub(super) step: usize,
    /// if it has at least so many.
    pub(super) least: usize,
    /// How many prompts are remembered.
    pub(super) remembered: usize,
}

impl Default for PromptCache {
    fn default() -> Self {
        Self {
            step: 128,
            least: 1_024,
            remembered: 8,
        }
    }
}

/// A question that was answered.
#[derive(Clone)]
pub(super) struct Call {
    /// All that the model reads, in the order in which it reads it.
    pub(super) prompt: String,
    /// In tokens, as the usage says it.
    pub(super) read: usize,
    /// The part of it that came from the cache.
    pub(super) cached: usize,
    /// The answer, in tokens.
    pub(super) output: usize,
}

impl Call {
    pub(super) fn uncached(&self) -> usize {
        self.read - self.cached
    }
}

struct Inner {
    pace: Pace,
    cache: PromptCache,
    answers: VecDeque<String>,
    calls: Vec<Call>,
}

pub(super) struct PacedModel {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl PacedModel {
    pub(super) async fn start(pace: Pace, cache: PromptCache) -> Self {
        let inner = Inner {
            pace,
            cache,
            answers: VecDeque::new(),
            calls: Vec::new(),
        };
        let inner = Arc::new(Mutex::new(inner));
        let router = axum::Router::new()
            .route("/v1/chat/completions", post(chat))
            .with_state(Arc::clone(&inner));
        let listener = crate::world::listener().await;
        let address = listener.local_addr().unwrap();
        // Tokens are small packets, none of which may wait for another.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(super) fn set_pace(&self, pace: Pace) {
        self.inner().pace = pace;
    }

    /// Scripts the next answer. A question for which none is left is refused, so whoever asks twice is found out.
    pub(super) fn will_say(&self, answer: String) {
        self.inner().answers.push_back(answer);
    }

    /// How many questions it was asked.
    pub(super) fn calls(&self) -> usize {
        self.inner().calls.len()
    }

    pub(super) fn last_call(&self) -> Call {
        self.inner().calls.last().unwrap().clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

async fn chat(State(inner): State<Arc<Mutex<Inner>>>, body: Bytes) -> Response {
    let arrived = Instant::now();
    let request: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(request["stream"], true);
    let (answer, call, pace) = {
        let mut inner = inner.lock().unwrap();
        let Some(answer) = inner.answers.pop_front() else {
            let error =
                json!({ "error": { "message": "one question too many", "type": "invalid_request_error" } });
            return (StatusCode::BAD_REQUEST, axum::Json(error)).into_response();
        };
        let prompt = as_read(&request);
        let call = Call {
            read: tokens(&prompt),
            cached: inner.cache.shared(&prompt, &inner.calls),
            output: tokens(&answer),
            prompt,
        };
        inner.calls.push(call.clone());
        (answer, call, inner.pace)
    };
    let begins = arrived + pace.first_token + pace.read * u32::try_from(call.uncached()).unwrap();
    Sse::new(events(&answer, &call, begins, pace.write)).into_response()
}

/// The request as the model gets it: the schema stands in front of the messages.
fn as_read(request: &Value) -> String {
    let mut prompt = String::new();
    if let Some(schema) = request.pointer("/response_format/json_schema") {
        prompt.push_str(&format!("{schema}\n"));
    }
    for message in request["messages"].as_array().unwrap() {
        let (role, content) = (&message["role"], &message["content"]);
        prompt.push_str(&format!(
            "{}\n{}\n",
            role.as_str().unwrap(),
            content.as_str().unwrap()
        ));
    }
    prompt
}

fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARACTERS)
}

impl PromptCache {
    /// How many tokens of a prompt are in the cache. The texts are ASCII but for a sign or two, so bytes will do.
    fn shared(&self, prompt: &str, calls: &[Call]) -> usize {
        let recent = calls.iter().rev().take(self.remembered);
        let longest = recent.map(|call| shared_bytes(prompt, &call.prompt)).max();
        let shared = longest.unwrap_or(0) / CHARACTERS / self.step * self.step;
        if shared < self.least { 0 } else { shared }
    }
}

/// How many bytes two texts have in common before they part.
pub(super) fn shared_bytes(one: &str, other: &str) -> usize {
    // By larger pieces first: these tests are not optimized, comparing slices is.
    const PIECE: usize = 256;
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let pieces = one.chunks(PIECE).zip(other.chunks(PIECE));
    let same = pieces
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one.len());
    let whole: usize = same.sum();
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(one, other)| one == other).count()
}

/// The answer as server-sent events, each token in its time.
fn events(
    answer: &str,
    call: &Call,
    begins: Instant,
    write: Duration,
) -> impl stream::Stream<Item = Result<Event, Infallible>> + Send + 'static {
    let chunk = |choices: Value| json!({ "id": "c", "object": "chat.completion.chunk", "model": "paced", "choices": choices });
    let delta = |delta: Value, finish: Option<&str>| {
        chunk(json!([{ "index": 0, "delta": delta, "finish_reason": finish }])).to_string()
    };
    let characters: Vec<char> = answer.chars().collect();
    let mut data = vec![(begins, delta(json!({ "role": "assistant", "content": "" }), None))];
    let mut due = begins;
    for token in characters.chunks(CHARACTERS) {
        due += write;
        let token: String = token.iter().collect();
        data.push((due, delta(json!({ "content": token }), None)));
    }
    data.push((due, delta(json!({}), Some("stop"))));
    let mut usage = chunk(json!([]));
    usage["usage"] = json!({
        "prompt_tokens": call.read,
        "completion_tokens": call.output,
        "total_tokens": call.read + call.output,
        "prompt_tokens_details": { "cached_tokens": call.cached },
    });
    data.push((due, usage.to_string()));
    data.push((due, "[DONE]".into()));
    stream::iter(data).then(|(due, data)| async move {
        sleep_until(due).await;
        Ok(Event::default().data(data))
    })
}
