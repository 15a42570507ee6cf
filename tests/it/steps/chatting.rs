//! A turn that comes through a chat: asked over the API, answered by a chat that breaks off or not, recorded when the
//! answer is whole.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use http::Request;
use http_body_util::BodyExt as _;
use scribe_api::ApiState;
use scribe_api::config::ApiConfig;
use scribe_engine::{ChatConfig, Upstream};
use serde_json::json;
use tower::ServiceExt as _;

use super::run::explore;
use super::stage::Stage;
use crate::world::{listener, said, turn};

/// How much of its answer the chat gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Whole,
    /// Its beginning, and then nothing more, until the client leaves.
    Begun,
    /// Its beginning, and then the connection is cut.
    Cut,
}

/// The events of an answer; the first piece is not all of its text.
fn pieces(text: &str) -> [String; 3] {
    let (head, tail) = text.split_at(text.len() / 2);
    let says = |text: &str, finish: Option<&str>| {
        let chunk =
            json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": finish }] });
        format!("data: {chunk}\n\n")
    };
    [
        says(head, None),
        says(tail, Some("stop")),
        "data: [DONE]\n\n".into(),
    ]
}

/// A chat that gives this much of this answer to everybody. Gives its URL.
async fn upstream(n: usize, answer: Answer) -> String {
    let reply = move || async move {
        let mut pieces: Vec<_> = pieces(&said(n)).into_iter().map(Ok).collect();
        if answer != Answer::Whole {
            pieces.truncate(1);
        }
        if answer == Answer::Cut {
            pieces.push(Err(std::io::Error::other("cut")));
        }
        let silence = stream::pending().take(usize::from(answer == Answer::Begun));
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(stream::iter(pieces).chain(silence)))
            .unwrap()
    };
    let listener = listener().await;
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(reply);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

impl Stage {
    /// A client asks for its nth turn. Answers whether it heard the end of the answer.
    async fn ask(&mut self, n: usize, answer: Answer) -> bool {
        let mut chat = ChatConfig::new(upstream(n, answer).await.parse().unwrap(), "scripted".into());
        // The end of the body says that the turn is recorded, or that nobody took it.
        chat.record_wait = Duration::from_mins(1);
        let state = ApiState {
            open_chats: scribe_api::OpenChats::default(),
            conversations: self.conversations(),
            recorder: self.recorder(),
            chat: Upstream::new(chat).unwrap(),
            health_timeout: Duration::from_secs(5),
            events: scribe_api::Events::default(),
        };
        let api = scribe_api::router(state, &ApiConfig::default());
        let turn = turn(&self.key, n);
        let body = json!({ "messages": [{ "role": "user", "content": turn.user_message }] });
        let request = Request::post("/v1/chat/completions")
            .header("content-type", "application/json")
            .header("x-scribe-conversation-id", self.key.conversation.as_str())
            .header("x-scribe-message-id", turn.message_id.as_str())
            .body(Body::from(body.to_string()))
            .unwrap();
        let heard = self.perform(async move {
            let response = api.oneshot(request).await.unwrap();
            if !response.status().is_success() {
                return false;
            }
            let mut body = response.into_body();
            loop {
                match body.frame().await {
                    Some(Ok(_)) if answer == Answer::Begun => return false,
                    Some(Ok(_)) => {}
                    Some(Err(_)) => return false,
                    None => return true,
                }
            }
        });
        let heard = heard.await == Some(true);
        *self.said.entry(n).or_default() |= heard;
        heard
    }

    /// A client asks until it has heard the end.
    async fn ask_until_answered(&mut self, n: usize) {
        for _ in 0..3 {
            if self.ask(n, Answer::Whole).await {
                return;
            }
        }
        panic!("turn {n} was never answered");
    }
}

#[tokio::test]
async fn a_turn_of_a_chat() {
    let prepare = async |stage: &mut Stage| stage.prepare().await;
    explore("a turn of a chat", prepare, async |stage| {
        stage.ask_until_answered(1).await;
        stage.deliver_all().await;
    })
    .await;
}

/// Two tries that never become whole, then one that does, and the same once more.
#[tokio::test]
async fn a_turn_of_a_chat_that_breaks_off() {
    let prepare = async |stage: &mut Stage| stage.prepare().await;
    explore("a chat that breaks off", prepare, async |stage| {
        for answer in [Answer::Begun, Answer::Cut] {
            assert!(!stage.ask(1, answer).await, "{answer:?} has no end");
        }
        assert!(stage.take_event().is_none(), "nobody is invoked for half a turn");
        stage.ask_until_answered(1).await;
        stage.ask_until_answered(1).await;
        stage.deliver_all().await;
    })
    .await;
}
