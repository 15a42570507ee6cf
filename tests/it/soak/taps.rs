//! The taps in front of S3 and of Lambda's invoke API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::Method;
use scribe_trigger::TurnEvent;

use super::http_tap::{Answer, Call, answer, forward, serve};
use super::machine::{Accepted, Commit, Machine, Order};
use super::plan::Who;
use crate::world::http_client;
use crate::world::{Moment, Step, Wire};

/// One party's way to S3. Gives the tap's address.
pub(super) async fn s3(machine: Arc<Machine>, who: Who, upstream: SocketAddr) -> SocketAddr {
    let client = http_client();
    serve(move |call| {
        let (machine, client) = (Arc::clone(&machine), client.clone());
        async move { s3_call(&machine, &client, who, upstream, &call).await }
    })
    .await
}

async fn s3_call(
    machine: &Machine,
    client: &reqwest::Client,
    who: Who,
    upstream: SocketAddr,
    call: &Call,
) -> Option<Answer> {
    let mut step = Step {
        wire: Wire::S3,
        name: s3_name(call),
        moment: Moment::Before,
        of: call.path.clone(),
    };
    match machine.pass(who, &step, call.client).await {
        Order::Cut => return None,
        Order::Status(status) => return Some(s3_error(status)),
        _ => {}
    }
    let answered = forward(client, upstream, call).await?;
    if step.name == "PUT media-assets" && answered.status().is_success() {
        note_commit(machine, call);
    }
    step.moment = Moment::After;
    match machine.pass(who, &step, call.client).await {
        Order::Cut => None,
        _ => Some(answered),
    }
}

/// The method, and the part of the key that says what kind of object it is.
fn s3_name(call: &Call) -> String {
    let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
    let kind = ["media-assets", "conversations", "turns", "waiting"]
        .into_iter()
        .find(|kind| path.contains(&format!("/{kind}/")));
    if call.method == Method::GET && query.contains("list-type=2") {
        return "LIST waiting".into();
    }
    let parked = br#""state":"parked""#;
    if call.method == Method::PUT && call.body.windows(parked.len()).any(|part| part == parked) {
        return "PUT parked".into();
    }
    format!("{} {}", call.method, kind.unwrap_or("?"))
}

fn note_commit(machine: &Machine, call: &Call) {
    let author = call
        .headers
        .get("x-amz-meta-scribe-turn")
        .and_then(|author| author.to_str().ok());
    if let Some((conversation, message)) = author.and_then(|author| author.split_once('/')) {
        let commit = Commit {
            when: Instant::now(),
            conversation: conversation.into(),
            message: message.into(),
        };
        machine.note(|book| book.commits.push(commit));
    }
}

fn s3_error(status: u16) -> Answer {
    let code = match status {
        409 => "ConditionalRequestConflict",
        412 => "PreconditionFailed",
        503 => "SlowDown",
        _ => "InternalError",
    };
    answer(
        status,
        "application/xml",
        format!("<Error><Code>{code}</Code><Message>armed</Message></Error>"),
    )
}

/// The way to Lambda's invoke API.
pub(super) struct InvokeTap {
    machine: Arc<Machine>,
    client: reqwest::Client,
    upstream: SocketAddr,
    /// Events that were accepted and are not delivered yet.
    held_back: AtomicUsize,
}

impl InvokeTap {
    pub(super) fn new(machine: Arc<Machine>, upstream: SocketAddr) -> Arc<Self> {
        let (client, held_back) = (http_client(), AtomicUsize::new(0));
        Arc::new(Self {
            machine,
            client,
            upstream,
            held_back,
        })
    }

    pub(super) fn held_back(&self) -> usize {
        self.held_back.load(Ordering::SeqCst)
    }

    /// One party's way. Gives the tap's address.
    pub(super) async fn open(self: &Arc<Self>, who: Who) -> SocketAddr {
        let tap = Arc::clone(self);
        serve(move |call| {
            let tap = Arc::clone(&tap);
            async move { tap.call(who, call).await }
        })
        .await
    }

    async fn call(self: &Arc<Self>, who: Who, call: Call) -> Option<Answer> {
        let event = TurnEvent::parse(std::str::from_utf8(&call.body).unwrap_or_default()).ok();
        let of = event
            .as_ref()
            .map(|event| event.message_id.to_string())
            .unwrap_or_default();
        let mut step = Step {
            wire: Wire::Lambda,
            name: "invoke".into(),
            moment: Moment::Before,
            of,
        };
        let client = call.client;
        let answered = match self.machine.pass(who, &step, client).await {
            Order::Cut => return None,
            Order::Status(status) => return Some(invoke_error(status)),
            Order::Late(after) => {
                self.later(call, after);
                answer(202, "application/json", "")
            }
            Order::Twice(after) => {
                let again = Call {
                    headers: call.headers.clone(),
                    path: call.path.clone(),
                    body: call.body.clone(),
                    method: call.method.clone(),
                    client,
                };
                self.later(again, after);
                forward(&self.client, self.upstream, &call).await?
            }
            _ => forward(&self.client, self.upstream, &call).await?,
        };
        if let Some(event) = event.filter(|_| answered.status().is_success()) {
            let accepted = Accepted {
                when: Instant::now(),
                conversation: event.conversation_id.to_string(),
                message: event.message_id.to_string(),
            };
            self.machine.note(|book| book.accepted.push(accepted));
        }
        step.moment = Moment::After;
        match self.machine.pass(who, &step, client).await {
            Order::Cut => None,
            _ => Some(answered),
        }
    }

    fn later(self: &Arc<Self>, call: Call, after: std::time::Duration) {
        let tap = Arc::clone(self);
        tap.held_back.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            // Lambda keeps what it has accepted, so this must not fail.
            let delivered = forward(&tap.client, tap.upstream, &call).await;
            assert!(
                delivered.is_some_and(|answer| answer.status().is_success()),
                "an accepted event was dropped"
            );
            tap.held_back.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn invoke_error(status: u16) -> Answer {
    let (kind, message) = match status {
        429 => ("TooManyRequestsException", "Rate Exceeded."),
        _ => ("ServiceException", "armed"),
    };
    let mut refusal = answer(
        status,
        "application/json",
        format!(r#"{{"Message":"{message}"}}"#),
    );
    refusal
        .headers_mut()
        .insert("x-amzn-errortype", kind.parse().unwrap());
    refusal
}
