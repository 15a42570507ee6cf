//! A proxy in front of S3: it counts requests, and can stop the world at one of them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::sync::Notify;

use super::gate::{Gate, Moment, Step, Verdict, Wire};

/// A place at which a request is held.
struct Hold {
    method: Method,
    contains: &'static str,
    /// Whether S3 has answered before the hold, or is not asked until it ends.
    after: bool,
    tapped: Tapped,
}

/// A request that is held.
#[derive(Clone)]
pub(crate) struct Tapped {
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

impl Tapped {
    /// Waits until the request is there.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets it go on.
    pub(crate) fn go(&self) {
        self.go.notify_one();
    }
}

#[derive(Default)]
struct Inner {
    requests: Vec<(Method, String)>,
    holds: Vec<Hold>,
    failures: Vec<(Method, &'static str, u16)>,
}

#[derive(Clone)]
struct Proxy {
    inner: Arc<Mutex<Inner>>,
    gate: Arc<Gate>,
    client: reqwest::Client,
    upstream: SocketAddr,
}

pub(crate) struct S3Tap {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl S3Tap {
    pub(crate) async fn start(upstream: SocketAddr, gate: Arc<Gate>) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let proxy = Proxy {
            inner: Arc::clone(&inner),
            gate,
            client: super::http_client(),
            upstream,
        };
        let router = Router::new()
            .fallback(forward)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(proxy);
        let listener = super::listener().await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forgets the requests seen so far and gives them.
    pub(crate) fn take_requests(&self) -> Vec<(Method, String)> {
        std::mem::take(&mut self.inner.lock().unwrap().requests)
    }

    /// Holds the next such request after S3 has done it and before its answer goes back.
    pub(crate) fn hold_after(&self, method: Method, contains: &'static str) -> Tapped {
        self.hold(method, contains, true)
    }

    /// Holds the next such request before S3 sees it.
    pub(crate) fn hold_before(&self, method: Method, contains: &'static str) -> Tapped {
        self.hold(method, contains, false)
    }

    fn hold(&self, method: Method, contains: &'static str, after: bool) -> Tapped {
        let tapped = Tapped {
            reached: Arc::new(Notify::new()),
            go: Arc::new(Notify::new()),
        };
        self.inner.lock().unwrap().holds.push(Hold {
            method,
            contains,
            after,
            tapped: tapped.clone(),
        });
        tapped
    }

    /// Answers every such request with a status, until [`S3Tap::mend`].
    pub(crate) fn fail(&self, method: Method, contains: &'static str, status: u16) {
        self.inner
            .lock()
            .unwrap()
            .failures
            .push((method, contains, status));
    }

    pub(crate) fn mend(&self) {
        self.inner.lock().unwrap().failures.clear();
    }
}

/// What has arrived is done, whether its sender still waits for it or not.
async fn forward(
    State(proxy): State<Proxy>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let forwarded = tokio::spawn(forward_one(proxy, method, uri, headers, body));
    forwarded.await.unwrap_or_else(|_| super::gate::cut())
}

async fn forward_one(proxy: Proxy, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let request = method.clone();
    let (hold, failure) = {
        let mut inner = proxy.inner.lock().unwrap();
        inner.requests.push((method.clone(), path.clone()));
        let at = inner
            .holds
            .iter()
            .position(|hold| hold.method == method && path.contains(hold.contains));
        let failure = inner
            .failures
            .iter()
            .find(|(m, part, _)| *m == method && path.contains(part))
            .map(|f| f.2);
        (at.map(|at| inner.holds.swap_remove(at)), failure)
    };
    if let Some(status) = failure {
        return Response::builder().status(status).body(Body::empty()).unwrap();
    }
    if let Some(hold) = hold.as_ref().filter(|hold| !hold.after) {
        hold.tapped.reached.notify_one();
        hold.tapped.go.notified().await;
    }
    let step = |moment| Step {
        wire: Wire::S3,
        name: name(&request, &path),
        moment,
        of: path.clone(),
    };
    if proxy.gate.pass(step(Moment::Before)).await == Verdict::Cut {
        return super::gate::cut();
    }
    // The host header goes along as it is: it is signed.
    let sent = proxy
        .client
        .request(method, format!("http://{}{path}", proxy.upstream))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = sent else {
        return Response::builder()
            .status(StatusCode::BAD_GATEWAY)
            .body(Body::empty())
            .unwrap();
    };
    if let Some(hold) = hold.filter(|hold| hold.after) {
        hold.tapped.reached.notify_one();
        hold.tapped.go.notified().await;
    }
    if proxy.gate.pass(step(Moment::After)).await == Verdict::Cut {
        return super::gate::cut();
    }
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    response
        .body(Body::from(answer.bytes().await.unwrap_or_default()))
        .unwrap()
}

/// A request without its ids: `PUT media-assets`, `LIST waiting`.
fn name(method: &Method, path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix="));
    let what = match prefix {
        Some(prefix) => prefix.replace("%2F", "/"),
        // The bucket comes first.
        None => path.splitn(3, '/').nth(2).unwrap_or_default().to_owned(),
    };
    let mut parts = what.split('/');
    let kind = match parts.next() {
        Some("tenants") => parts.nth(1).unwrap_or("tenants"),
        Some(part) => part,
        None => "",
    };
    let verb = match method.as_str() {
        "GET" if query.contains("versions") => "LIST VERSIONS",
        "GET" if prefix.is_some() || query.contains("list-type") => "LIST",
        verb => verb,
    };
    format!("{verb} {kind}")
}
