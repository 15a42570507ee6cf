//! The chat that is stood in front of: its bytes come through as they are, and what it said is recorded, or stands in
//! the list as what never became whole.

mod agent_lore;
mod clients;
mod commands;
mod drop_in;
mod latency;
mod named_again;
mod stops;
mod streams;
mod troubles;
mod upstream;

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_engine::config::EngineConfig;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::{World, id, key};
use upstream::ScriptedChat;

/// Long enough for a loaded machine, short enough for a hang to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

const LORE: &str = "/api/agent-lore";
const COMPLETIONS: &str = "/v1/chat/completions";

/// A world whose chat is scripted, and a conversation with a scribe in it.
struct Bench {
    world: World,
    chat: ScriptedChat,
    api: axum::Router,
}

impl Bench {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With a gate at Redis, S3 and Lambda.
    async fn tapped() -> Self {
        let Self { world, chat, .. } = Self::new().await;
        let config = world.chat.clone();
        let mut world = World::tapped(|_| {}).await;
        world.chat = config;
        world.start(&key("c1")).await;
        let api = world.api();
        Self { world, chat, api }
    }

    async fn with(change: impl FnOnce(&mut EngineConfig)) -> Self {
        Self::built(change, |_, _| {}).await
    }

    /// With settings of its own for the chat; the second is where the scripted chat answers.
    async fn built(
        change: impl FnOnce(&mut EngineConfig),
        chat_config: impl FnOnce(&mut scribe_engine::ChatConfig, &str),
    ) -> Self {
        let mut world = World::with(change).await;
        let chat = ScriptedChat::start().await;
        world.chat.base_url = format!("{}/v1", chat.url()).parse().unwrap();
        world.chat.chat_url = Some(format!("{}/api/chat", chat.url()).parse().unwrap());
        world.chat.api_key = Some("the-servers-own-key".into());
        // Longer than a busy machine takes, so that the end of a body says that its turn is recorded.
        world.chat.record_wait = PATIENCE;
        world.chat.command_wait = PATIENCE;
        world.chat.context_wait = PATIENCE;
        chat_config(&mut world.chat, &chat.url());
        world.start(&key("c1")).await;
        let api = world.api();
        Self { world, chat, api }
    }

    async fn ask(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answering {
        self.ask_text(path, body.to_string(), headers).await
    }

    async fn ask_text(&self, path: &str, body: String, headers: &[(&str, &str)]) -> Answering {
        let mut request = Request::post(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let answering = tokio::time::timeout(PATIENCE, self.api.clone().oneshot(request)).await;
        let (parts, body) = answering.expect("no answer came").unwrap().into_parts();
        Answering {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// The turns of the conversation that Redis knows.
    async fn turns(&self) -> Vec<ScribeTrigger> {
        self.world.ledger().triggers(&key("c1")).await.unwrap()
    }

    /// Waits until a turn is known.
    async fn turn(&self, message_id: &str) -> ScribeTrigger {
        let ledger = self.world.ledger();
        let known = async {
            loop {
                if let Some(turn) = ledger.trigger(&key("c1"), &id(message_id)).await.unwrap() {
                    return turn;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let known = tokio::time::timeout(PATIENCE, known).await;
        known.unwrap_or_else(|_| panic!("nothing is known of {message_id}"))
    }

    async fn check_incomplete(&self, message_id: &str, reason: &str) {
        let turn = self.turn(message_id).await;
        assert_eq!(
            (turn.state, turn.reason.as_deref()),
            (TriggerState::Incomplete, Some(reason)),
            "{message_id}"
        );
        assert_eq!(turn.assistant_response, "", "no half turn is kept");
        assert_eq!(self.world.lambda.taken(), 0, "nobody is invoked for it");
    }
}

/// An answer whose body is read piece by piece.
struct Answering {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Answering {
    /// The next piece; none at the end.
    async fn piece(&mut self) -> Option<Result<Vec<u8>, axum::Error>> {
        let frame = tokio::time::timeout(PATIENCE, self.body.frame())
            .await
            .expect("no piece came")?;
        Some(frame.map(|frame| frame.into_data().unwrap().to_vec()))
    }

    /// All bytes that come, and whether the body came to its end.
    async fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece().await {
            match piece {
                Ok(piece) => bytes.extend(piece),
                Err(_) => return (bytes, false),
            }
        }
        (bytes, true)
    }

    async fn text(mut self) -> String {
        let (bytes, whole) = self.rest().await;
        assert!(whole, "the body broke off");
        String::from_utf8(bytes).unwrap()
    }

    async fn json(self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }
}

/// A body for a chat of one's own.
fn asks(question: &str) -> Value {
    json!({ "conversationId": "c1", "messages": [{ "role": "user", "content": question }] })
}

/// A turn's name in the list.
fn named(message_id: &str) -> [(&str, &str); 1] {
    [("x-scribe-message-id", message_id)]
}

/// An event of `OpenAI`'s that says something.
fn says(text: &str) -> String {
    let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] });
    format!("data: {chunk}\n\n")
}

/// The events that end an answer.
fn ends() -> String {
    let chunk = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    format!("data: {chunk}\n\ndata: [DONE]\n\n")
}
