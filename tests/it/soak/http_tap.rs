//! An HTTP server whose handler may also cut the connection instead of answering.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// A request, read to its end.
pub(super) struct Call {
    /// The other end of the connection.
    pub(super) client: SocketAddr,
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Serves on a port of its own. Where `handle` answers none, the connection is cut.
pub(super) async fn serve<F, Answering>(handle: F) -> SocketAddr
where
    F: Fn(Call) -> Answering + Clone + Send + 'static,
    Answering: Future<Output = Option<Answer>> + Send + 'static,
{
    let listener = crate::world::listener().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, client)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let handle = handle.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let handle = handle.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                    let call = Call {
                        client,
                        method: parts.method,
                        path: parts
                            .uri
                            .path_and_query()
                            .map_or("/", |path| path.as_str())
                            .to_owned(),
                        headers: parts.headers,
                        body,
                    };
                    // In a task of its own: a caller that hangs up must not leave half done what was begun.
                    let answer = tokio::spawn(handle(call)).await.map_err(io::Error::other)?;
                    // An error here closes the connection without a word.
                    answer.ok_or_else(|| io::Error::other("cut"))
                }
            });
            // An error is a connection that ended.
            tokio::spawn(async move {
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            });
        }
    });
    address
}

/// A whole answer.
pub(super) fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into()).map_err(|never| match never {});
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(UnsyncBoxBody::new(body))
        .unwrap()
}

/// An answer that flows; an error in it cuts the connection.
pub(super) fn flowing(
    content_type: &str,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Answer {
    use futures_util::TryStreamExt as _;
    let body = StreamBody::new(pieces.map_ok(Frame::data));
    Response::builder()
        .header("content-type", content_type)
        .body(UnsyncBoxBody::new(body))
        .unwrap()
}

/// Passes a call on, and gives what the server says; none where it says nothing.
pub(super) async fn forward(client: &reqwest::Client, upstream: SocketAddr, call: &Call) -> Option<Answer> {
    // The host header goes along as it is: it is signed.
    let sent = client
        .request(call.method.clone(), format!("http://{upstream}{}", call.path))
        .headers(call.headers.clone())
        .body(call.body.clone())
        .send()
        .await
        .ok()?;
    let mut answer = Response::builder().status(sent.status());
    *answer.headers_mut()? = sent.headers().clone();
    let body = Full::new(sent.bytes().await.ok()?).map_err(|never| match never {});
    answer.body(UnsyncBoxBody::new(body)).ok()
}
