//! A model that answers each turn with a paragraph of its own, and misbehaves when the machine says so.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::http_tap::{Answer, Call, answer, flowing, serve};
use super::machine::{Machine, Order};
use super::plan::{Nonsense, Who};
use crate::world::append;
use crate::world::{Moment, Step, Wire};

/// Longer than a lease that nobody renews, shorter than the patience for a first token.
pub(super) const SLOW: Duration = Duration::from_millis(2300);

/// Gives the model's address. Each answer begins after `thinking`.
pub(super) async fn start(machine: Arc<Machine>, thinking: Duration) -> SocketAddr {
    serve(move |call| {
        let machine = Arc::clone(&machine);
        async move { chat(machine, call, thinking).await }
    })
    .await
}

async fn chat(machine: Arc<Machine>, call: Call, thinking: Duration) -> Option<Answer> {
    let request: Value = serde_json::from_slice(&call.body).unwrap();
    let (turn, said) = asked(&request);
    let step = Step {
        wire: Wire::Model,
        name: "chat".into(),
        moment: Moment::Before,
        of: turn.to_string(),
    };
    let order = machine.pass(Who::Summarizer, &step, call.client).await;
    if machine.is_out() {
        return Some(refusal(503));
    }
    let nonsense = match order {
        Order::Cut => return None,
        Order::Say(nonsense) => Some(nonsense),
        _ if machine.is_poisoned(turn) => Some(Nonsense::Garbage),
        _ => None,
    };
    match nonsense {
        Some(Nonsense::Busy) => {
            let mut busy = refusal(429);
            busy.headers_mut().insert("retry-after", "1".parse().unwrap());
            return Some(busy);
        }
        Some(Nonsense::Broken) => return Some(refusal(500)),
        _ => {}
    }
    machine.note(|book| book.paid.push(turn));
    let text = match nonsense {
        Some(Nonsense::Garbage) => "The quick brown fox has no braces.".into(),
        Some(Nonsense::Empty) => String::new(),
        _ => append(&said),
    };
    let wait = match nonsense {
        Some(Nonsense::Slow) => SLOW,
        _ => thinking,
    };
    tokio::time::sleep(wait).await;
    let client = call.client;
    let first = async move {
        let step = Step {
            wire: Wire::Model,
            name: "first token".into(),
            moment: Moment::Before,
            of: turn.to_string(),
        };
        match machine.pass(Who::Summarizer, &step, client).await {
            Order::Cut => Err(io::Error::other("cut")),
            _ => {
                let step = Step {
                    moment: Moment::After,
                    ..step
                };
                let (machine, step) = (Arc::clone(&machine), step);
                // The first piece is on its way; what is armed behind it strikes while the rest flows.
                Ok((machine, step))
            }
        }
    };
    let pieces = stream::once(first).flat_map(move |first| match first {
        Err(cut) => stream::iter([Err(cut)]).boxed(),
        Ok((machine, step)) => {
            let mut all = events(&text).into_iter();
            let head: Vec<_> = all.by_ref().take(1).map(Ok).collect();
            let end: Vec<io::Result<Bytes>> = match nonsense {
                Some(Nonsense::Cut) => vec![Err(io::Error::other("cut"))],
                Some(Nonsense::Stall) => Vec::new(),
                _ => all.map(Ok).collect(),
            };
            let behind = stream::once(async move {
                match machine.pass(Who::Summarizer, &step, client).await {
                    Order::Cut => Err(io::Error::other("cut")),
                    _ => Ok(Bytes::new()),
                }
            })
            .filter(|piece| std::future::ready(!piece.as_ref().is_ok_and(Bytes::is_empty)));
            let stalls = nonsense == Some(Nonsense::Stall);
            let silence = stream::pending().take(usize::from(stalls));
            stream::iter(head)
                .chain(behind)
                .chain(stream::iter(end))
                .chain(silence)
                .boxed()
        }
    });
    Some(flowing("text/event-stream", pieces))
}

/// The number of the turn that is asked about, and what the assistant said in it.
fn asked(request: &Value) -> (usize, String) {
    let messages = request["messages"].as_array().unwrap();
    let last = messages.last().unwrap()["content"].as_str().unwrap();
    // The turn stands last in the prompt, so the last mark in it is the turn's own.
    let at = last
        .rfind("Milestone-")
        .expect("the prompt holds no turn of these tests");
    let said: String = last[at..].chars().take_while(|&c| c != '.' && c != '"').collect();
    let turn = said["Milestone-".len()..][..4].parse().unwrap();
    (turn, format!("{said}."))
}

fn refusal(status: u16) -> Answer {
    let body = json!({ "error": { "message": "armed", "type": "armed", "code": status } });
    answer(status, "application/json", body.to_string())
}

/// The answer as server-sent events.
fn events(text: &str) -> Vec<Bytes> {
    let chunk = |delta: Value, finish: Option<&str>| {
        json!({ "id": "c", "object": "chat.completion.chunk", "model": "scripted",
                "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
        .to_string()
    };
    let (head, tail) = text.split_at(text.len() / 2);
    let usage = json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": 10, "completion_tokens": 5 } });
    [
        chunk(json!({ "content": head }), None),
        chunk(json!({ "content": tail }), None),
        chunk(json!({}), Some("stop")),
        usage.to_string(),
        "[DONE]".into(),
    ]
    .map(|data| Bytes::from(format!("data: {data}\n\n")))
    .into()
}
