//! Lambda's front end, scripted: it takes asynchronous invokes and keeps them until the test runs them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use scribe_trigger::TurnEvent;

use super::gate::{Gate, Moment, Step, Verdict, Wire};

#[derive(Default)]
struct Inner {
    events: VecDeque<TurnEvent>,
    refuse: bool,
    taken: usize,
    seen_headers: Vec<HeaderMap>,
}

pub(crate) struct ScriptedLambda {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl ScriptedLambda {
    pub(crate) async fn start(gate: Arc<Gate>) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .with_state((Arc::clone(&inner), gate));
        let listener = super::listener().await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next event in Lambda's queue.
    pub(crate) fn take(&self) -> Option<TurnEvent> {
        self.inner.lock().unwrap().events.pop_front()
    }

    /// Loses every event.
    pub(crate) fn lose_events(&self) {
        self.inner.lock().unwrap().events.clear();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.inner.lock().unwrap().events.len()
    }

    /// How many events were taken over all.
    pub(crate) fn taken(&self) -> usize {
        self.inner.lock().unwrap().taken
    }

    /// From now on every invoke fails, or none.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.inner.lock().unwrap().refuse = refuse;
    }

    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.inner.lock().unwrap().seen_headers.clone()
    }
}

async fn invoke(
    State((inner, gate)): State<(Arc<Mutex<Inner>>, Arc<Gate>)>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(name, "summarizer");
    assert_eq!(headers.get("x-amz-invocation-type").unwrap(), "Event");
    // What has arrived is taken, whether its sender still waits for the answer or not.
    let taken = tokio::spawn(take(inner, gate, headers, body));
    taken.await.unwrap()
}

async fn take(inner: Arc<Mutex<Inner>>, gate: Arc<Gate>, headers: HeaderMap, body: Bytes) -> Response {
    let event = TurnEvent::parse(std::str::from_utf8(&body).unwrap()).unwrap();
    let step = |moment| Step {
        wire: Wire::Lambda,
        name: "invoke".into(),
        moment,
        of: event.message_id.to_string(),
    };
    if gate.pass(step(Moment::Before)).await == Verdict::Cut {
        return super::gate::cut();
    }
    let taken = {
        let mut inner = inner.lock().unwrap();
        if inner.refuse {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            inner.seen_headers.push(headers);
            inner.events.push_back(event.clone());
            inner.taken += 1;
            StatusCode::ACCEPTED
        }
    };
    if gate.pass(step(Moment::After)).await == Verdict::Cut {
        return super::gate::cut();
    }
    taken.into_response()
}
