//! A chat that answers by script, on the real wire: any status and headers, any bytes, in pieces, cut wherever a test
//! wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::world::listener;

/// What it was asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An answer.
pub(super) struct Scripted {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Pieces,
}

/// An answer's bytes.
pub(super) enum Pieces {
    Whole(Vec<u8>),
    /// Each this long after the one before, as a model writes: whoever reads late does not hold it up.
    Paced(Vec<String>, Duration),
    /// Those that the test sends, until it drops its end or cuts.
    Dictated(UnboundedReceiver<Option<Bytes>>),
}

impl Scripted {
    pub(super) fn new(content_type: &str, body: Pieces) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", content_type.to_owned())],
            body,
        }
    }

    pub(super) fn events(text: &str) -> Self {
        Self::new("text/event-stream", Pieces::Whole(text.into()))
    }
}

/// The test's end of an answer. Dropping it ends the answer.
pub(super) struct Dictation(UnboundedSender<Option<Bytes>>);

impl Dictation {
    pub(super) fn say(&self, bytes: impl AsRef<[u8]>) {
        self.0.send(Some(Bytes::copy_from_slice(bytes.as_ref()))).unwrap();
    }

    /// Ends the connection in the middle of the answer.
    pub(super) fn cut(&self) {
        self.0.send(None).unwrap();
    }

    /// Waits until nobody listens any more.
    pub(super) async fn nobody_listens(&self) {
        tokio::time::timeout(super::PATIENCE, self.0.closed())
            .await
            .unwrap();
    }
}

#[derive(Default)]
struct Inner {
    script: VecDeque<Scripted>,
    asked: Vec<Asked>,
}

pub(super) struct ScriptedChat {
    url: String,
    inner: Arc<Mutex<Inner>>,
}

impl ScriptedChat {
    pub(super) async fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        let listener = listener().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Answers the next request so.
    pub(super) fn script(&self, answer: Scripted) {
        self.inner.lock().unwrap().script.push_back(answer);
    }

    /// Has the next answer dictated.
    pub(super) fn dictate(&self) -> Dictation {
        let (sender, receiver) = unbounded_channel();
        self.script(Scripted::new("text/event-stream", Pieces::Dictated(receiver)));
        Dictation(sender)
    }

    /// The last request.
    pub(super) fn asked(&self) -> Asked {
        self.inner.lock().unwrap().asked.last().unwrap().clone()
    }
}

async fn answer(
    State(inner): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let scripted = {
        let mut inner = inner.lock().unwrap();
        inner.asked.push(Asked {
            method,
            path,
            headers,
            body,
        });
        inner.script.pop_front().expect("nothing is scripted")
    };
    let body = match scripted.body {
        Pieces::Whole(bytes) => Body::from(bytes),
        Pieces::Paced(pieces, pause) => {
            let mut due = tokio::time::Instant::now();
            let paced = futures_util::stream::iter(pieces).then(move |piece| {
                due += pause;
                async move {
                    tokio::time::sleep_until(due).await;
                    Ok::<_, std::io::Error>(piece)
                }
            });
            Body::from_stream(paced)
        }
        Pieces::Dictated(mut pieces) => Body::from_stream(futures_util::stream::poll_fn(move |context| {
            pieces.poll_recv(context).map(|piece| match piece {
                Some(Some(bytes)) => Some(Ok(bytes)),
                Some(None) => Some(Err(std::io::Error::other("cut by a test"))),
                None => None,
            })
        })),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(scripted.status).unwrap();
    for (name, value) in scripted.headers {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}
