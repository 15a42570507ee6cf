//! Answers that stream: a tenant has so many at once, and none goes on for ever. A handler that streams takes a
//! [`StreamPlace`] among its arguments, or a [`ReaderPlace`] where it streams events, and gives it the body.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::FromRequestParts;
use futures_util::task::AtomicWaker;
use futures_util::{Stream, StreamExt as _};
use http::StatusCode;
use http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::error::ApiError;
use crate::gate::Tenant;

/// A place for a chat's answer that streams. It is given back when the body ends or is dropped.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    place: OwnedSemaphorePermit,
    longest: Duration,
}

/// The same for a reader of events.
#[derive(Debug)]
pub(crate) struct ReaderPlace(pub(crate) StreamPlace);

/// What a stream does when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenOver {
    /// It ends, as if that were all: events, whose readers come back for the rest.
    End,
    /// It breaks, so that nobody takes a part for the whole: chats.
    Break,
}

impl<S: Send + Sync> FromRequestParts<S> for StreamPlace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let (place, longest) = asking(parts)?.chat()?;
        Ok(Self { place, longest })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ReaderPlace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let (place, longest) = asking(parts)?.reader()?;
        Ok(Self(StreamPlace { place, longest }))
    }
}

/// The tenant who asks; the gate has put it there.
fn asking(parts: &Parts) -> Result<&Tenant, ApiError> {
    parts.extensions.get::<Tenant>().ok_or_else(|| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this is a defect of ours; the request may be repeated",
        )
    })
}

impl StreamPlace {
    /// How long a body may take.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    /// The body, for as long as it may take.
    pub(crate) fn body(self, body: Body, when_over: WhenOver) -> Body {
        let streaming = Arc::new(Streaming {
            held: Mutex::new(Some((body.into_data_stream(), self.place))),
            waker: AtomicWaker::new(),
        });
        let over = Instant::now() + self.longest;
        let clock = {
            let streaming = Arc::clone(&streaming);
            tokio::spawn(async move {
                tokio::time::sleep_until(over).await;
                drop(streaming.take());
                streaming.waker.wake();
            })
        };
        Body::from_stream(Bounded {
            streaming,
            when_over: Some(when_over),
            broken: None,
            over,
            _clock: AbortOnDropHandle::new(clock),
        })
    }
}

/// A body and its place, until the body ends or its time is over.
struct Streaming {
    held: Mutex<Option<(BodyDataStream, OwnedSemaphorePermit)>>,
    waker: AtomicWaker,
}

impl Streaming {
    fn lock(&self) -> MutexGuard<'_, Option<(BodyDataStream, OwnedSemaphorePermit)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<(BodyDataStream, OwnedSemaphorePermit)> {
        self.lock().take()
    }
}

/// A body that nobody reads is not asked for its next piece, so the clock goes beside it: or a client that takes nothing
/// would hold its place, and what is behind it, for as long as it likes.
struct Bounded {
    streaming: Arc<Streaming>,
    /// None once it has ended.
    when_over: Option<WhenOver>,
    /// Why it ends before its end, told when all that came before is on its way: the server drops what it has not sent
    /// when a body breaks, and sends what it has whenever a body has nothing for it.
    broken: Option<axum::Error>,
    over: Instant,
    _clock: AbortOnDropHandle<()>,
}

impl Stream for Bounded {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        self.streaming.waker.register(context.waker());
        // A body that always has more may keep the clock from its turn.
        if Instant::now() >= self.over {
            drop(self.streaming.take());
        }
        let polled = match &mut *self.streaming.lock() {
            Some((body, _)) => Some(ready!(body.poll_next_unpin(context))),
            None => None,
        };
        match polled {
            Some(Some(Ok(chunk))) => return Poll::Ready(Some(Ok(chunk))),
            Some(Some(Err(error))) => {
                self.when_over = None;
                return self.break_off(error, context);
            }
            Some(None) => {
                self.when_over = None;
                drop(self.streaming.take());
            }
            None => {}
        }
        match self.when_over.take() {
            Some(WhenOver::Break) => {
                let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "the answer took too long");
                self.break_off(axum::Error::new(error), context)
            }
            Some(WhenOver::End) | None => Poll::Ready(None),
        }
    }
}

impl Bounded {
    /// Ends with an error at the next look.
    fn break_off<T>(&mut self, error: axum::Error, context: &Context<'_>) -> Poll<T> {
        self.broken = Some(error);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        // At once: the clock is stopped, but has its share of it for a moment more.
        drop(self.streaming.take());
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::to_bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::config::Limits;

    fn tenant() -> Tenant {
        Tenant::alone(Limits {
            streams_per_tenant: 2,
            stream_max: Duration::from_secs(60),
            ..Limits::default()
        })
    }

    fn place(tenant: &Tenant) -> Result<StreamPlace, ApiError> {
        let (place, longest) = tenant.chat()?;
        Ok(StreamPlace { place, longest })
    }

    /// A chunk each ten seconds, for ever.
    fn endless() -> Body {
        let chunks = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Some((Ok::<_, Infallible>("tick "), ()))
        });
        Body::from_stream(chunks)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_or_breaks_when_its_time_is_over() {
        let tenant = tenant();
        let ended = place(&tenant).unwrap().body(endless(), WhenOver::End);
        let text = to_bytes(ended, usize::MAX).await.unwrap();
        assert_eq!(text, "tick ".repeat(5));
        let broken = place(&tenant).unwrap().body(endless(), WhenOver::Break);
        to_bytes(broken, usize::MAX).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_never_pauses_is_over_too() {
        let chunks = futures_util::stream::unfold((), |()| async {
            tokio::time::advance(Duration::from_millis(10)).await;
            Some((Ok::<_, Infallible>("x"), ()))
        });
        let ended = place(&tenant())
            .unwrap()
            .body(Body::from_stream(chunks), WhenOver::End);
        assert!(to_bytes(ended, 1_000_000).await.unwrap().len() <= 6000);
    }

    #[tokio::test]
    async fn a_place_is_given_back_when_the_body_ends_or_is_dropped() {
        let tenant = tenant();
        let whole = place(&tenant)
            .unwrap()
            .body(Body::from("all of it"), WhenOver::Break);
        let dropped = place(&tenant).unwrap().body(endless(), WhenOver::Break);
        place(&tenant).unwrap_err();
        assert_eq!(to_bytes(whole, usize::MAX).await.unwrap(), "all of it");
        let again = place(&tenant).unwrap();
        place(&tenant).unwrap_err();
        drop((dropped, again));
        let _both = (place(&tenant).unwrap(), place(&tenant).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_holds_no_place_for_longer() {
        let tenant = tenant();
        let mut slow = place(&tenant).unwrap().body(endless(), WhenOver::Break);
        let first = http_body_util::BodyExt::frame(&mut slow).await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "tick ");
        let _other = place(&tenant).unwrap();
        tokio::time::sleep(Duration::from_secs(51)).await;
        let _again = place(&tenant).unwrap();
        to_bytes(slow, usize::MAX).await.unwrap_err();
    }

    #[tokio::test]
    async fn pages_that_are_open_keep_nobody_from_chatting() {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.extensions.insert(tenant());
        let mut readers = Vec::new();
        while let Ok(reader) = ReaderPlace::from_request_parts(&mut parts, &()).await {
            readers.push(reader);
        }
        assert_eq!(readers.len(), 2);
        let chat = StreamPlace::from_request_parts(&mut parts, &()).await;
        chat.unwrap();
    }

    #[tokio::test]
    async fn what_came_before_a_break_arrives() {
        let tenant = Arc::new(tenant());
        let router = axum::Router::new().route(
            "/",
            axum::routing::get(move || async move {
                let chunks = ["one ", "two ", "three "].map(Ok).into_iter();
                let broken = [Err(std::io::Error::other("broken"))];
                let body = Body::from_stream(futures_util::stream::iter(chunks.chain(broken)));
                place(&tenant).unwrap().body(body, WhenOver::Break)
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        // It may end with a reset; what came before is what counts.
        let _ = client.read_to_string(&mut answer).await;
        for piece in ["one ", "two ", "three "] {
            assert!(answer.contains(piece), "{piece} is not in {answer:?}");
        }
        assert!(!answer.contains("\r\n0\r\n"), "nobody takes a part for the whole");
    }
}
