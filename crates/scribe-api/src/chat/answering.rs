//! What both chats do with an answer: it goes on as it comes, and its turn is followed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::Stream;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, StatusCode};
use scribe_core::chat::{AnswerReader, Finding, Form, Incompletion};
use scribe_engine::chat::{Answer, AnswerBody, UpstreamError};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::asking::{Asking, COMMAND, CONVERSATION, MESSAGE};
use super::following::Following;
use super::open::OpenChats;
use crate::error::ApiError;
use crate::streams::{StreamPlace, WhenOver};

/// By which version 4 of the AI SDK says that its plain text is not plain.
const DATA_STREAM: &str = "x-vercel-ai-data-stream";

/// Waits for the chat's answer and passes it on; or notes that there is none, and why.
pub(super) async fn answer<E: From<UpstreamError> + IntoResponse>(
    answered: impl Future<Output = Result<Answer, UpstreamError>>,
    asking: Asking,
    open: &OpenChats,
    place: StreamPlace,
) -> Response {
    let answered = tokio::select! {
        answered = answered => answered,
        () = open.cut() => Err(UpstreamError::Stopped),
    };
    match answered {
        Ok(answer) => respond(answer, asking, open, place),
        Err(error) => {
            tracing::warn!("a chat was not answered: {error}");
            let mut response = E::from(error).into_response();
            tell(response.headers_mut(), &asking);
            asking.following.unanswered(error.to_string());
            response
        }
    }
}

/// Names the turn, and what became of a command.
fn tell(headers: &mut HeaderMap, asking: &Asking) {
    let mut tell = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if let Some(outcome) = asking.outcome {
        tell(COMMAND, outcome.word());
    }
    if let Some((key, message_id)) = asking.following.name() {
        tell(CONVERSATION, key.conversation.as_str());
        tell(MESSAGE, message_id.as_str());
    }
}

/// A status and a word for each way in which a chat fails to answer.
pub(super) fn status_of(error: UpstreamError) -> (StatusCode, &'static str) {
    match error {
        UpstreamError::NotConfigured | UpstreamError::Client => (StatusCode::SERVICE_UNAVAILABLE, "no_chat"),
        UpstreamError::Unreachable | UpstreamError::BrokenOff => {
            (StatusCode::BAD_GATEWAY, "chat_unreachable")
        }
        UpstreamError::Redirects { .. } => (StatusCode::BAD_GATEWAY, "chat_redirects"),
        UpstreamError::TooSlow(_) | UpstreamError::StoodStill(_) => {
            (StatusCode::GATEWAY_TIMEOUT, "chat_too_slow")
        }
        UpstreamError::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> Self {
        let (status, code) = status_of(error);
        Self::new(status, code, error.to_string())
    }
}

/// The chat's answer, for our caller.
fn respond(mut answer: Answer, asking: Asking, open: &OpenChats, place: StreamPlace) -> Response {
    let form = if answer.is_plain() {
        Form::of(answer.header("content-type"), answer.header(DATA_STREAM))
    } else {
        Form::Unknown
    };
    let status = answer.status;
    let mut headers = std::mem::take(&mut answer.headers);
    tell(&mut headers, &asking);
    let body = match asking.following.name() {
        None => Body::from_stream(answer.body),
        Some(_) => {
            if status.is_success() {
                // The server would not wait for the end of a body whose length it knows.
                headers.remove(CONTENT_LENGTH);
                Body::from_stream(Followed {
                    reader: Some(AnswerReader::new(form, answer.content_length)),
                    bytes: answer.body,
                    following: asking.following,
                    cut: Box::pin(open.cut()),
                    until: Instant::now() + place.longest(),
                    recording: None,
                    ending: None,
                })
            } else {
                let is_the_chats_fault =
                    status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 425 | 429);
                if is_the_chats_fault {
                    let reason = format!("the chat answered {}", status.as_u16());
                    asking.following.unanswered(reason);
                } else {
                    // A request that the chat refuses is no turn.
                    asking.following.forget();
                }
                Body::from_stream(answer.body)
            }
        }
    };
    let mut response = Response::new(place.body(body, WhenOver::Break));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// An answer that nobody follows.
pub(super) fn pass_on(answer: Answer, open: &OpenChats, place: StreamPlace) -> Response {
    respond(answer, Asking::NOTHING, open, place)
}

/// An answer that is read along.
struct Followed {
    bytes: AnswerBody,
    reader: Option<AnswerReader>,
    following: Following,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When it is taken away, whoever reads it.
    until: Instant,
    /// The turn is being recorded: its answer has told that nothing follows.
    recording: Option<(JoinHandle<()>, Duration)>,
    /// The wait for the turn to be recorded.
    ending: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Followed {
    /// Records what came of the answer, beside the stream.
    fn conclude(
        &mut self,
        finding: impl FnOnce(AnswerReader) -> Finding,
    ) -> Option<(JoinHandle<()>, Duration)> {
        self.following.conclude(finding(self.reader.take()?))
    }
}

impl Stream for Followed {
    type Item = Result<Bytes, UpstreamError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(ending) = &mut self.ending {
                ready!(ending.as_mut().poll(context));
                return Poll::Ready(None);
            }
            // First, because an answer that always has more would never let it be seen.
            if self.cut.as_mut().poll(context).is_ready() {
                self.conclude(|reader| reader.cut(Incompletion::ServiceStopped));
                return Poll::Ready(Some(Err(UpstreamError::Stopped)));
            }
            match ready!(Pin::new(&mut self.bytes).poll_next(context)) {
                Some(Ok(bytes)) => {
                    if let Some(reader) = &mut self.reader {
                        reader.push(&bytes);
                        // Before anybody hears of it, or the next turn of a hasty client might be recorded first.
                        if reader.is_done() {
                            self.recording = self.conclude(AnswerReader::ended);
                        }
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(Err(error)) => {
                    let why = match error {
                        UpstreamError::StoodStill(_) => Incompletion::StoodStill,
                        _ => Incompletion::BrokenOff,
                    };
                    self.conclude(|reader| reader.cut(why));
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let begun = self.recording.take();
                    let Some((recording, wait)) = begun.or_else(|| self.conclude(AnswerReader::ended)) else {
                        return Poll::Ready(None);
                    };
                    self.ending = Some(Box::pin(async move {
                        // Whatever takes longer goes on by itself.
                        let _ = tokio::time::timeout(wait, recording).await;
                    }));
                }
            }
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let why = if Instant::now() < self.until {
            Incompletion::ClientLeft
        } else {
            Incompletion::TookTooLong
        };
        self.conclude(|reader| reader.cut(why));
    }
}
