//! The assistant's answer, collected from the bytes that pass by.
//!
//! What can go wrong is an [`Incompletion`]: the answer broke off, told an error, was too long, or came in a form that
//! nobody here understands. None of it concerns the chat, which gets its bytes either way.

use super::data_stream::Lines;
use super::pieces::SoFar;
use super::sse::{Event, Events};
use crate::turn::MAX_TURN_BYTES;

/// The largest answer in one JSON object that is read, in bytes: a text of the largest size, each byte escaped, and
/// what stands around it.
const MAX_JSON_BYTES: usize = MAX_TURN_BYTES * 6 + 256 * 1024;

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Server-sent events: `OpenAI`'s chunks, or the AI SDK's UI message stream.
    Events,
    /// One JSON object of `OpenAI`'s.
    Json,
    /// Lines: the data stream of the AI SDK's version 4.
    DataStream,
    /// The text and nothing else.
    Text,
    /// Something that is not understood.
    Unknown,
}

impl Form {
    /// By a response's `content-type`, and by its header `x-vercel-ai-data-stream`: version 4 of the AI SDK calls its
    /// lines plain text.
    #[must_use]
    pub fn of(content_type: Option<&str>, data_stream: Option<&str>) -> Self {
        match data_stream {
            Some("v1") => return Self::DataStream,
            Some(_) => return Self::Unknown,
            None => {}
        }
        let kind = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        match kind.trim().to_ascii_lowercase().as_str() {
            "text/event-stream" => Self::Events,
            "application/json" => Self::Json,
            "text/plain" | "text/markdown" => Self::Text,
            _ => Self::Unknown,
        }
    }
}

/// Why an answer is not a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Incompletion {
    /// It ended without telling that it is whole.
    #[error("the answer broke off before its end")]
    BrokenOff,
    /// Nothing more of it came for too long.
    #[error("the answer stood still for longer than CHAT_IDLE_TIMEOUT_MS")]
    StoodStill,
    /// It took too long.
    #[error("the answer took longer than SCRIBE_STREAM_MAX_S")]
    TookTooLong,
    /// Its reader left before it was whole.
    #[error("the client left before the answer was whole")]
    ClientLeft,
    /// The service that passes it on stopped before it was whole.
    #[error("the service was stopped before the answer was whole")]
    ServiceStopped,
    /// It told an error.
    #[error("the chat told an error in the middle of its answer")]
    Failed,
    /// It told that it was stopped.
    #[error("the answer was stopped")]
    Stopped,
    /// A filter stopped it.
    #[error("the answer was stopped by a content filter")]
    Filtered,
    /// Its text is longer than [`MAX_TURN_BYTES`].
    #[error("the answer is longer than a turn may be")]
    TooLong,
    /// It holds no text.
    #[error("the answer held no text")]
    Empty,
    /// Its form is not understood.
    #[error("the answer came in a form that is not understood")]
    Unreadable,
}

/// What an answer was, now that no more of it comes.
#[derive(Clone, PartialEq, Eq)]
pub enum Finding {
    /// The assistant said this.
    Complete(String),
    /// It called tools; the turn goes on with another request that brings their results.
    CallsTools,
    /// It is not a turn.
    Incomplete(Incompletion),
}

impl std::fmt::Debug for Finding {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Complete(text) => write!(f, "Complete({} bytes)", text.len()),
            Self::CallsTools => f.write_str("CallsTools"),
            Self::Incomplete(why) => write!(f, "Incomplete({why:?})"),
        }
    }
}

/// An answer that is coming in.
pub struct AnswerReader {
    form: Form,
    events: Events,
    lines: Lines,
    /// The beginning of a JSON object, or the end of a text that is not a whole character yet.
    bytes: Vec<u8>,
    /// How many bytes are still to come, where that was told.
    remaining: Option<u64>,
    json_too_long: bool,
    so_far: SoFar,
}

impl std::fmt::Debug for AnswerReader {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerReader")
            .field("form", &self.form)
            .field("bytes", &self.so_far.text.len())
            .finish_non_exhaustive()
    }
}

impl AnswerReader {
    /// A reader of an answer that comes in this form, and has this many bytes where that was told.
    #[must_use]
    pub fn new(form: Form, content_length: Option<u64>) -> Self {
        Self {
            form,
            events: Events::default(),
            lines: Lines::default(),
            bytes: Vec::new(),
            remaining: content_length,
            json_too_long: false,
            so_far: SoFar::default(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(length));
        let so_far = &mut self.so_far;
        match self.form {
            Form::Events => self.events.push(bytes, &mut |event| take(so_far, event)),
            Form::DataStream => self.lines.push(bytes, so_far),
            Form::Json => {
                if self.bytes.len() + bytes.len() > MAX_JSON_BYTES {
                    self.json_too_long = true;
                    self.bytes = Vec::new();
                }
                if !self.json_too_long {
                    self.bytes.extend_from_slice(bytes);
                }
            }
            Form::Text => {
                self.bytes.extend_from_slice(bytes);
                let whole = match std::str::from_utf8(&self.bytes) {
                    // A character that may be whole with the next bytes.
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    _ => self.bytes.len(),
                };
                let rest = self.bytes.split_off(whole);
                so_far.push(&String::from_utf8_lossy(&self.bytes));
                self.bytes = rest;
            }
            Form::Unknown => {}
        }
    }

    /// Whether the answer has told that nothing follows: many clients ask the next question then, without waiting for
    /// the end of its bytes.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.so_far.done
    }

    /// What came of it, now that its bytes came to their end.
    #[must_use]
    pub fn ended(self) -> Finding {
        let by_itself = self.form == Form::Text && matches!(self.remaining, None | Some(0));
        self.finding(by_itself, Incompletion::BrokenOff)
    }

    /// What came of it, now that no more of it comes, for this reason. What ends behind its last word is whole.
    #[must_use]
    pub fn cut(self, why: Incompletion) -> Finding {
        self.finding(false, why)
    }

    fn finding(mut self, by_itself: bool, otherwise: Incompletion) -> Finding {
        let so_far = &mut self.so_far;
        match self.form {
            Form::Events => self.events.finish(&mut |event| take(so_far, event)),
            Form::DataStream => self.lines.finish(so_far),
            Form::Json if self.json_too_long => return Finding::Incomplete(Incompletion::TooLong),
            Form::Json => {
                let body = String::from_utf8_lossy(&self.bytes);
                if serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok() {
                    so_far.take(&body);
                    so_far.ended = true;
                }
            }
            Form::Text => {
                so_far.push(&String::from_utf8_lossy(&self.bytes));
                so_far.ended |= by_itself || self.remaining == Some(0);
            }
            Form::Unknown => return Finding::Incomplete(Incompletion::Unreadable),
        }
        if let Some(fault) = so_far.fault() {
            return Finding::Incomplete(fault);
        }
        if !so_far.ended {
            return Finding::Incomplete(otherwise);
        }
        if so_far.goes_on() {
            return Finding::CallsTools;
        }
        if so_far.text.trim().is_empty() {
            return Finding::Incomplete(Incompletion::Empty);
        }
        Finding::Complete(std::mem::take(&mut so_far.text))
    }
}

fn take(so_far: &mut SoFar, event: Event<'_>) {
    match event {
        Event::Data(data) => so_far.take(data),
        Event::TooLarge => so_far.pass_over(),
    }
}

#[cfg(test)]
mod tests;
