//! What the pieces of an answer say: `OpenAI`'s chunks and whole answers, and the streams of the AI SDK.
//!
//! The chunks and the UI message stream come as events with JSON in them and no server mixes them, so each piece shows by its fields which one it is.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Incompletion;
use crate::turn::MAX_TURN_BYTES;

/// How many calls of tools are told apart. More than that in one answer are taken as one.
const MAX_OPEN_CALLS: usize = 1_000;

/// How much of a call's id is kept, in bytes.
const MAX_CALL_ID_BYTES: usize = 128;

/// The data that ends a stream, in either protocol.
const DONE: &str = "[DONE]";

/// An answer, as far as it has come.
#[derive(Default)]
pub(super) struct SoFar {
    pub(super) text: String,
    /// The text was longer than a turn may be, and is not kept.
    too_long: bool,
    /// It told that it is whole.
    pub(super) ended: bool,
    /// It told that nothing follows.
    pub(super) done: bool,
    /// It told that it will not become whole.
    failed: Option<Incompletion>,
    /// `OpenAI`: a tool is called, so another request will follow.
    calls_tools: bool,
    /// AI SDK: tools that were called here and whose results have not come.
    open_calls: HashSet<String>,
    /// AI SDK: why the model stopped is that it called a tool.
    stopped_to_call: bool,
    /// A text follows that is not the one before.
    new_part: bool,
}

/// A piece of an answer, with what both protocols have.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    #[serde(borrow, rename = "type", default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    delta: Option<UiDelta<'a>>,
    #[serde(borrow, default, rename = "toolCallId")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(default, rename = "providerExecuted")]
    provider_executed: Option<bool>,
    #[serde(default)]
    preliminary: Option<bool>,
    #[serde(borrow, default, rename = "finishReason")]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum UiDelta<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    /// In a stream.
    #[serde(default)]
    delta: Option<Message>,
    /// Where the server does not stream.
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Message {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    function_call: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

fn call_name(id: &str) -> &str {
    &id[..id.floor_char_boundary(MAX_CALL_ID_BYTES)]
}

impl SoFar {
    /// Takes an event's data, or a whole answer. What is not of the protocol says nothing.
    pub(super) fn take(&mut self, data: &str) {
        let data = data.trim();
        if data == DONE {
            self.ended = true;
            self.done = true;
            return;
        }
        let Ok(piece) = serde_json::from_str::<Piece<'_>>(data) else {
            return;
        };
        if let Some(choices) = piece.choices {
            for choice in choices.into_iter().filter(|choice| choice.index == 0) {
                self.take_choice(choice);
            }
        }
        if piece.error.is_some() {
            self.fail(Incompletion::Failed);
        }
        let id = piece.tool_call_id.as_deref().unwrap_or_default();
        match piece.kind.as_deref().unwrap_or_default() {
            "text-start" => self.begin_part(),
            "text-delta" => {
                if let Some(UiDelta::Text(text)) = &piece.delta {
                    self.push(text);
                }
            }
            "tool-input-available" | "tool-approval-request" if piece.provider_executed != Some(true) => {
                self.call(id);
            }
            "tool-output-available" if piece.preliminary == Some(true) => {}
            "tool-output-available" | "tool-output-error" | "tool-output-denied" => self.called(id),
            "error" => self.fail(Incompletion::Failed),
            "abort" => self.fail(Incompletion::Stopped),
            "finish" => self.finish(piece.finish_reason.as_deref()),
            _ => {}
        }
    }

    /// AI SDK: what follows is another text than the one before.
    pub(super) fn begin_part(&mut self) {
        self.new_part = true;
    }

    /// AI SDK: a tool is called.
    pub(super) fn call(&mut self, id: &str) {
        if self.open_calls.len() < MAX_OPEN_CALLS {
            self.open_calls.insert(call_name(id).to_owned());
        }
    }

    /// AI SDK: a tool has answered.
    pub(super) fn called(&mut self, id: &str) {
        self.open_calls.remove(call_name(id));
    }

    /// AI SDK: the message is whole.
    pub(super) fn finish(&mut self, reason: Option<&str>) {
        self.ended = true;
        match reason {
            Some("tool-calls") => self.stopped_to_call = true,
            Some("content-filter") => self.fail(Incompletion::Filtered),
            Some("error") => self.fail(Incompletion::Failed),
            _ => {}
        }
    }

    /// It will not become whole.
    pub(super) fn fail(&mut self, why: Incompletion) {
        self.failed = Some(why);
    }

    fn take_choice(&mut self, choice: Choice) {
        let message = choice.delta.or(choice.message).unwrap_or_default();
        match message.content {
            Some(Content::Text(text)) => self.push(&text),
            Some(Content::Parts(parts)) => parts.iter().for_each(|part| self.push(&part.text)),
            Some(Content::Other(_)) | None => {}
        }
        // To decline is an answer too, and the person reads it as one.
        if let Some(refusal) = message.refusal {
            self.push(&refusal);
        }
        self.calls_tools |= message.tool_calls.is_some_and(|calls| !calls.is_empty());
        self.calls_tools |= message.function_call.is_some();
        // Some servers write "" or "null" until there is one.
        let reason = choice
            .finish_reason
            .filter(|reason| !matches!(reason.as_str(), "" | "null"));
        if let Some(reason) = reason {
            self.ended = true;
            match reason.as_str() {
                "tool_calls" | "function_call" => self.calls_tools = true,
                "content_filter" => self.fail(Incompletion::Filtered),
                "error" => self.fail(Incompletion::Failed),
                // "length" too: the person has read what is there, and nothing will follow.
                _ => {}
            }
        }
    }

    /// A piece that was too large to be read. No text is; what a tool found may be.
    pub(super) fn pass_over(&mut self) {
        self.open_calls.clear();
    }

    pub(super) fn push(&mut self, text: &str) {
        if self.too_long || text.is_empty() {
            return;
        }
        let between = if std::mem::take(&mut self.new_part) && !self.text.is_empty() {
            "\n\n"
        } else {
            ""
        };
        if self.text.len() + between.len() + text.len() > MAX_TURN_BYTES {
            self.too_long = true;
            self.text = String::new();
            return;
        }
        self.text.push_str(between);
        self.text.push_str(text);
    }

    /// Why it is no turn, although it told its end.
    pub(super) fn fault(&self) -> Option<Incompletion> {
        if let Some(failed) = self.failed {
            return Some(failed);
        }
        self.too_long.then_some(Incompletion::TooLong)
    }

    /// Whether another request with the results of tools will end the turn.
    pub(super) fn goes_on(&self) -> bool {
        let waits_for_client = !self.open_calls.is_empty() || (self.stopped_to_call && self.text.is_empty());
        self.calls_tools || waits_for_client
    }

    #[cfg(test)]
    pub(super) fn open_calls(&self) -> impl Iterator<Item = &String> {
        self.open_calls.iter()
    }
}
