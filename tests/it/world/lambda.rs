//! Lambda's front end, scripted: it takes asynchronous invokes and keeps them until the test runs them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use scribe_trigger::TurnEvent;

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
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .with_state(Arc::clone(&inner));
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
    State(inner): State<Arc<Mutex<Inner>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    assert_eq!(name, "summarizer");
    assert_eq!(headers.get("x-amz-invocation-type").unwrap(), "Event");
    let mut inner = inner.lock().unwrap();
    if inner.refuse {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    let event = TurnEvent::parse(std::str::from_utf8(&body).unwrap()).unwrap();
    inner.seen_headers.push(headers);
    inner.events.push_back(event);
    inner.taken += 1;
    StatusCode::ACCEPTED
}
