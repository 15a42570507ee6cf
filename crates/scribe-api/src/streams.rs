//! Answers that stream: a tenant has so many at once, and none goes on for ever. A handler that streams takes a
//! [`StreamPlace`] among its arguments, or a [`ReaderPlace`] where it streams events, and gives it the body.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::FromRequestParts;
use futures_util::{Stream, StreamExt as _};
use http::StatusCode;
use http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

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
    /// The body, for as long as it may take.
    pub(crate) fn body(self, body: Body, when_over: WhenOver) -> Body {
        Body::from_stream(bounded(self, body.into_data_stream(), when_over))
    }
}

struct Bounded {
    body: BodyDataStream,
    over: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

fn bounded(
    place: StreamPlace,
    body: BodyDataStream,
    when_over: WhenOver,
) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let bounded = Bounded {
        body,
        over: Box::pin(tokio::time::sleep(place.longest)),
        _place: place.place,
    };
    futures_util::stream::unfold(Some(bounded), move |bounded| async move {
        let mut bounded = bounded?;
        tokio::select! {
            // A body that always has more would never let the clock be looked at.
            biased;
            () = &mut bounded.over => match when_over {
                WhenOver::End => None,
                WhenOver::Break => {
                    let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "the answer took too long");
                    Some((Err(axum::Error::new(error)), None))
                }
            },
            chunk = bounded.body.next() => chunk.map(|chunk| (chunk, Some(bounded))),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::to_bytes;

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
}
