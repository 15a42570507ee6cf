//! Reads a response: a stream of events, or all at once, within its limits of time and size.

use std::pin::pin;

use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource as _};
use futures_util::{Stream, StreamExt as _};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout_at;

use super::clock::Clock;
use super::error::{NarratorError, Outage};
use super::reply::{Brought, Completion, Listener, Reply};
use super::unavailable;

/// The most bytes of a response that are read. A stream has a few hundred for each token.
const MAX_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// The most bytes of an error that are read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The answer that a response holds. What was read of it is left in the reply, also where it is none.
///
/// # Errors
/// [`NarratorError`] if it holds none.
pub(super) async fn completion(
    response: Response,
    clock: &mut Clock,
    reply: &mut Reply,
    listener: &mut dyn Listener,
) -> Result<Completion, NarratorError> {
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_json = content_type.is_some_and(|value| value.starts_with("application/json"));
    let mut read = 0_usize;
    let mut bom = ByteOrderMark::default();
    let bytes = response.bytes_stream().map(move |bytes| {
        let bytes = bytes.map_err(|_| Interrupted::BrokenOff)?;
        read += bytes.len();
        if read > MAX_RESPONSE_BYTES {
            Err(Interrupted::TooLong)
        } else {
            Ok(bom.without(bytes))
        }
    });
    if is_json {
        read_whole(bytes, clock, reply, listener).await
    } else {
        read_stream(bytes, clock, reply, listener).await
    }
}

/// The beginning of an error's body; nothing where it does not come in time.
pub(super) async fn error_body(response: Response, clock: &Clock) -> String {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    let (limit, _) = clock.limit();
    while let Ok(Some(Ok(bytes))) = timeout_at(limit, stream.next()).await {
        body.extend_from_slice(&bytes);
        if body.len() > MAX_ERROR_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// Reads an answer of a server that does not stream.
async fn read_whole(
    bytes: impl Stream<Item = Result<Bytes, Interrupted>>,
    clock: &Clock,
    reply: &mut Reply,
    listener: &mut dyn Listener,
) -> Result<Completion, NarratorError> {
    let mut bytes = pin!(bytes);
    let mut body = Vec::new();
    let (limit, slow) = clock.limit();
    while let Some(piece) = timeout_at(limit, bytes.next())
        .await
        .map_err(|_| unavailable(slow.clone()))?
    {
        body.extend_from_slice(&piece?);
    }
    let body = String::from_utf8(body).map_err(|_| NarratorError::Malformed {
        reason: "it is not UTF-8",
    })?;
    reply.take(&body, listener)?;
    reply.finish()
}

/// Reads a stream to its end, or until nothing of importance can follow.
async fn read_stream(
    bytes: impl Stream<Item = Result<Bytes, Interrupted>>,
    clock: &mut Clock,
    reply: &mut Reply,
    listener: &mut dyn Listener,
) -> Result<Completion, NarratorError> {
    let mut events = pin!(bytes.eventsource());
    loop {
        let (limit, slow) = clock.limit();
        let interrupted = match timeout_at(limit, events.next()).await {
            Ok(Some(Ok(event))) => match reply.take(&event.data, listener)? {
                Brought::Progress => {
                    clock.tick();
                    continue;
                }
                Brought::Nothing => continue,
                Brought::End => return reply.finish(),
            },
            Ok(Some(Err(EventStreamError::Transport(interrupted)))) => interrupted.into(),
            Ok(Some(Err(EventStreamError::Utf8(_)))) => NarratorError::Malformed {
                reason: "it is not UTF-8",
            },
            Ok(Some(Err(EventStreamError::Parser(_)))) => NarratorError::Malformed {
                reason: "it is not a stream of events",
            },
            Ok(None) => Interrupted::BrokenOff.into(),
            Err(_) => unavailable(slow),
        };
        // The model has said why it stopped: usage and [DONE] are worth a wait, but not the answer.
        return if reply.is_finished() {
            reply.finish()
        } else {
            Err(interrupted)
        };
    }
}

/// Why a response is not read to its end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Interrupted {
    #[error("the connection ended")]
    BrokenOff,
    #[error("too many bytes")]
    TooLong,
}

impl From<Interrupted> for NarratorError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::BrokenOff => unavailable(Outage::BrokenOff),
            Interrupted::TooLong => Self::Malformed {
                reason: "it is too long",
            },
        }
    }
}

/// Takes a byte order mark from the beginning of a stream: the event parser trips over it.
#[derive(Default)]
struct ByteOrderMark {
    seen: usize,
}

impl ByteOrderMark {
    fn without(&mut self, mut bytes: Bytes) -> Bytes {
        const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
        while let (Some(expected), Some(first)) = (MARK.get(self.seen), bytes.first()) {
            if expected != first {
                self.seen = MARK.len();
                break;
            }
            self.seen += 1;
            bytes = bytes.slice(1..);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_taken_away_however_it_is_split() {
        let read = |pieces: &[&'static [u8]]| {
            let mut bom = ByteOrderMark::default();
            pieces
                .iter()
                .flat_map(|piece| bom.without(Bytes::from_static(piece)).to_vec())
                .collect::<Vec<_>>()
        };
        assert_eq!(read(&[b"\xef\xbb\xbfdata"]), b"data");
        assert_eq!(read(&[b"\xef", b"\xbb", b"\xbfda", b"ta"]), b"data");
        assert_eq!(read(&[b"data", b"\xef\xbb\xbf"]), b"data\xef\xbb\xbf");
    }
}
