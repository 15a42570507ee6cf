//! The answer, put together from the pieces in which it comes.
//!
//! A stream is server-sent events, each a chunk of JSON, the last one `[DONE]`. Servers differ: some send no usage,
//! some send it with an empty list of choices, some end the connection without `[DONE]`, some tell errors within the
//! stream, some do not stream at all.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::error::{NarratorError, Outage, ServerError};

/// The longest text that an answer may have, in bytes; the request asks for far less.
const MAX_TEXT_BYTES: usize = 512 * 1024;

/// What an answer cost, in the server's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The prompt.
    pub prompt_tokens: u64,
    /// The part of the prompt that the server had in its cache, as far as it says so.
    pub cached_tokens: u64,
    /// The answer, thoughts included.
    pub completion_tokens: u64,
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Completion {
    /// What the model wrote.
    pub text: String,
    /// Why it stopped, in the server's word; `stop` where it said nothing.
    pub finish_reason: String,
    /// What it cost, where the server says so.
    pub usage: Option<Usage>,
    /// Which model answered, where the server says so.
    pub model: Option<String>,
}

impl std::fmt::Debug for Completion {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Completion")
            .field("bytes", &self.text.len())
            .field("finish_reason", &self.finish_reason)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

/// A question that a model began to answer, well or not: it is paid either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it cost, where the server said so before it ended.
    pub usage: Option<Usage>,
    /// Which model answered, where the server said so.
    pub model: Option<String>,
    /// From the question to the end of the answer.
    pub took: Duration,
}

/// Who is told of an answer while it comes in.
pub trait Listener: Send {
    /// The next piece of its text came. The stream is not read on until this returns.
    fn heard(&mut self, _piece: &str) {}

    /// The answer is over, or what came of it. Told at most once for each question.
    fn ended(&mut self, _call: Call) {}
}

/// Nobody.
impl Listener for () {}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    /// In a stream.
    #[serde(default)]
    delta: Option<Delta>,
    /// Where the server does not stream.
    #[serde(default)]
    message: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

/// More tokens than this no call has; Redis' Lua writes numbers above 10^14 in a form that cannot be read again.
const MAX_TOKENS: u64 = 1_000_000_000;

/// What a server says of the cost, where it can be believed. What cannot costs nobody the answer.
fn read_usage(usage: &Value) -> Option<Usage> {
    let tokens = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Some(0),
        Some(value) => value.as_u64().filter(|&tokens| tokens <= MAX_TOKENS),
    };
    usage.is_object().then_some(())?;
    let details = usage.get("prompt_tokens_details");
    Some(Usage {
        prompt_tokens: tokens(usage.get("prompt_tokens"))?,
        cached_tokens: tokens(details.and_then(|details| details.get("cached_tokens"))).unwrap_or_default(),
        completion_tokens: tokens(usage.get("completion_tokens"))?,
    })
}

/// What a piece brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    /// Text, or the reason why it ends: the model is at work.
    Progress,
    /// Nothing to read.
    Nothing,
    /// `[DONE]`.
    End,
}

/// An answer that is coming in.
#[derive(Default)]
pub(super) struct Reply {
    text: String,
    refused: bool,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    model: Option<String>,
}

impl Reply {
    /// Takes the data of one event, or a whole answer.
    ///
    /// # Errors
    /// [`NarratorError`] if the server tells an error, or what came is not of the protocol.
    pub(super) fn take(&mut self, data: &str, listener: &mut dyn Listener) -> Result<Brought, NarratorError> {
        let data = data.trim();
        if data == "[DONE]" {
            return Ok(Brought::End);
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| NarratorError::Malformed {
            reason: "a piece of it is not JSON",
        })?;
        if chunk.error.is_some() {
            return Err(midway(&ServerError::read(data)));
        }
        if let Some(usage) = chunk.usage {
            self.usage = read_usage(&usage);
        }
        if let Some(model) = chunk.model {
            self.model = Some(model);
        }
        let mut brought = Brought::Nothing;
        for choice in chunk
            .choices
            .unwrap_or_default()
            .into_iter()
            .filter(|choice| choice.index == 0)
        {
            let delta = choice.delta.or(choice.message).unwrap_or_default();
            let before = self.text.len();
            match delta.content {
                Some(Content::Text(text)) => self.text.push_str(&text),
                Some(Content::Parts(parts)) => parts.iter().for_each(|part| self.text.push_str(&part.text)),
                None => {}
            }
            self.refused |= delta.refusal.is_some_and(|refusal| !refusal.is_empty());
            if let Some(reason) = choice.finish_reason {
                self.finish_reason = Some(reason);
                brought = Brought::Progress;
            }
            if self.text.len() > before || self.refused {
                brought = Brought::Progress;
            }
            if self.text.len() > before {
                listener.heard(&self.text[before..]);
            }
        }
        if self.text.len() > MAX_TEXT_BYTES {
            return Err(NarratorError::Malformed {
                reason: "it is too long",
            });
        }
        Ok(brought)
    }

    /// Whether the model has said why it stopped: nothing of importance can follow.
    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// What is known of the call, now that no more pieces come.
    pub(super) fn call(&self, took: Duration) -> Call {
        Call {
            usage: self.usage,
            model: self.model.clone(),
            took,
        }
    }

    /// The answer, now that no more pieces come.
    ///
    /// # Errors
    /// [`NarratorError`] if it is cut, refused, or nothing at all.
    pub(super) fn finish(&mut self) -> Result<Completion, NarratorError> {
        let finish_reason = self.finish_reason.take().unwrap_or_else(|| "stop".into());
        if self.refused || finish_reason == "content_filter" {
            return Err(NarratorError::Filtered);
        }
        if finish_reason == "length" {
            return Err(NarratorError::Cut);
        }
        if self.text.trim().is_empty() {
            return Err(NarratorError::Malformed {
                reason: "it is empty",
            });
        }
        Ok(Completion {
            text: std::mem::take(&mut self.text),
            finish_reason,
            usage: self.usage,
            model: self.model.clone(),
        })
    }
}

/// An error that came in place of an answer although the status was a good one.
fn midway(error: &ServerError) -> NarratorError {
    if error.is_filter() {
        return NarratorError::Filtered;
    }
    let code = error.code.clone();
    // Servers with numeric codes tell the status that they would have answered with.
    match code.as_deref().and_then(|code| code.parse::<u16>().ok()) {
        Some(status @ (400 | 413 | 422)) => NarratorError::Refused { status, code: None },
        None if code.as_deref() == Some("invalid_request_error") => {
            NarratorError::Refused { status: 400, code }
        }
        _ => NarratorError::Unavailable {
            reason: Outage::Midway { code },
            retry_after: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(usage: &Value, expected: Option<(u64, u64, u64)>) {
        let mut reply = Reply::default();
        let chunk =
            json!({ "choices": [{ "delta": { "content": "x" }, "finish_reason": "stop" }], "usage": usage });
        reply.take(&chunk.to_string(), &mut ()).unwrap();
        let found = reply.finish().unwrap().usage;
        let found = found.map(|usage| (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens));
        assert_eq!(found, expected, "{usage}");
    }

    #[test]
    fn usage_that_cannot_be_believed_does_not_cost_the_answer() {
        let details = json!({ "cached_tokens": 3 });
        check(
            &json!({ "prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": details }),
            Some((7, 3, 5)),
        );
        check(&json!({ "prompt_tokens": 7 }), Some((7, 0, 0)));
        check(
            &json!({ "prompt_tokens": u64::MAX, "completion_tokens": 5 }),
            None,
        );
        check(&json!({ "prompt_tokens": -1, "completion_tokens": 5 }), None);
        check(&json!({ "prompt_tokens": "many" }), None);
        check(&json!("free"), None);
        check(&Value::Null, None);
    }
}
