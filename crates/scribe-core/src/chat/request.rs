//! A request to a chat: what its messages say, and its body with as little changed as possible.
//!
//! Two shapes are understood, message by message: `OpenAI`'s `{role, content}`, whose content is a text or parts, and
//! the AI SDK's `{id, role, parts}`. Only text is read; pictures, files and what tools found are left out. A message
//! that is not understood is passed on like any other, and says nothing.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::raw::{RawObject, push_field};
use crate::catch_up::{Earlier, Speaker};
use crate::ids::{ConversationId, IdError};

/// Fields of a body by which our own callers name the conversation.
const CONVERSATION_FIELDS: [&str; 2] = ["conversationId", "conversation_id"];

/// What else goes to a server of `OpenAI`'s kind from a body that was written for a chat of one's own. It refuses what
/// it does not know.
const PASSED_ON: [&str; 17] = [
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "max_tokens",
    "model",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "verbosity",
];

/// Why a body is not a request to a chat. Its texts are not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not UTF-8, or not a JSON object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// No list of messages.
    #[error("messages must be a list")]
    NoMessages,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{role, content}`.
    OpenAi,
    /// `{id, role, parts}`.
    AiSdk,
}

/// A message, as far as it is understood.
struct Message<'a> {
    raw: &'a RawValue,
    shape: Shape,
    role: Role,
    id: Option<String>,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
    /// System and developer.
    System,
    Other,
}

/// What was asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked {
    /// The person's last message.
    pub user_message: String,
    /// The id that the client gave it, whatever it looks like.
    pub client_id: Option<String>,
    /// How many messages the person has sent, this one included.
    pub user_messages: usize,
    /// Whether nothing stands behind it: this request brings it, and not the results of tools.
    pub is_last: bool,
    /// What the assistant has said since: before it called tools, or as the beginning of its answer.
    pub begun: String,
    /// What was said before, oldest first.
    pub before: Vec<Earlier>,
}

impl std::fmt::Debug for Asked {
    /// Leaves the texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked")
            .field("client_id", &self.client_id)
            .field("user_messages", &self.user_messages)
            .field("before", &self.before.len())
            .finish_non_exhaustive()
    }
}

impl Asked {
    /// Nothing was asked.
    pub const NOTHING: Self = Self {
        user_message: String::new(),
        client_id: None,
        user_messages: 0,
        is_last: false,
        begun: String::new(),
        before: Vec::new(),
    };

    /// The assistant's part of the turn: what it said before it called tools, and its answer.
    #[must_use]
    pub fn answered(&self, answer: &str) -> String {
        match (self.begun.is_empty(), answer.is_empty()) {
            (true, _) => answer.to_owned(),
            (false, true) => self.begun.clone(),
            (false, false) => format!("{}\n\n{answer}", self.begun),
        }
    }
}

/// A request to a chat.
pub struct ChatRequest<'a> {
    body: RawObject<'a>,
    messages: Vec<Message<'a>>,
}

impl<'a> ChatRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn read(body: &'a [u8]) -> Result<Self, RequestError> {
        let body = std::str::from_utf8(body).map_err(|_| RequestError::NotAnObject)?;
        let body: RawObject<'_> = serde_json::from_str(body).map_err(|_| RequestError::NotAnObject)?;
        let messages = body.get("messages").ok_or(RequestError::NoMessages)?;
        let messages: Vec<&RawValue> =
            serde_json::from_str(messages.get()).map_err(|_| RequestError::NoMessages)?;
        Ok(Self {
            messages: messages.into_iter().map(Message::of).collect(),
            body,
        })
    }

    /// What was asked; none where no person said anything.
    #[must_use]
    pub fn asked(&self) -> Option<Asked> {
        let by_person = |message: &Message<'_>| message.role == Role::User;
        let last = self.messages.iter().rposition(by_person)?;
        let (before, rest) = self.messages.split_at(last);
        let [asking, since @ ..] = rest else { return None };
        let said = |message: &Message<'_>| {
            let role = match message.role {
                Role::User => Speaker::User,
                Role::Assistant => Speaker::Assistant,
                Role::System | Role::Other => return None,
            };
            let content = message.text.clone();
            (!content.trim().is_empty()).then_some(Earlier { role, content })
        };
        let begun: Vec<&str> = since
            .iter()
            .filter(|message| message.role == Role::Assistant && !message.text.trim().is_empty())
            .map(|message| message.text.as_str())
            .collect();
        Some(Asked {
            user_message: asking.text.clone(),
            client_id: asking.id.clone(),
            user_messages: self.messages.iter().filter(|message| by_person(message)).count(),
            is_last: since.is_empty(),
            begun: begun.join("\n\n"),
            before: before.iter().filter_map(said).collect(),
        })
    }

    /// The conversation that a body for our own route names: `conversationId`, or the AI SDK's `id`.
    ///
    /// # Errors
    /// [`IdError`] if it names one that can't be.
    pub fn conversation(&self) -> Result<Option<ConversationId>, IdError> {
        let is_given = |name: &&&str| self.body.get(name).is_some_and(|value| value.get() != "null");
        let Some(field) = CONVERSATION_FIELDS.iter().chain(&["id"]).find(is_given) else {
            return Ok(None);
        };
        self.body.name(field).ok_or(IdError::NotText)?.parse().map(Some)
    }

    /// The conversation that a body for `OpenAI` names: in `metadata`, or as `user`. Names that are no ids of ours become
    /// some.
    #[must_use]
    pub fn conversation_of_client(&self) -> Option<ConversationId> {
        let of_metadata = self.metadata().and_then(|metadata| {
            let mut names = CONVERSATION_FIELDS.iter();
            names.find_map(|name| metadata.name(name))
        });
        let name = of_metadata.or_else(|| self.body.name("user"))?;
        (!name.is_empty()).then(|| ConversationId::from_foreign(&name))
    }

    /// The body for a server of `OpenAI`'s kind, where it must differ from what came: the server refuses `metadata`
    /// without `store`, so what names the conversation there is taken out. None where nothing must differ.
    #[must_use]
    pub fn without_conversation(&self) -> Option<String> {
        let metadata = self.metadata()?;
        let stored = self.body.get("store").is_some_and(|store| store.get() == "true");
        let names_ours = CONVERSATION_FIELDS
            .iter()
            .any(|name| metadata.name(name).is_some());
        if stored || !names_ours {
            return None;
        }
        if metadata.is_empty_without(&CONVERSATION_FIELDS) {
            return Some(self.body.with(&["metadata"], None));
        }
        let others = metadata.with(&CONVERSATION_FIELDS, None);
        Some(self.body.with(&[], Some(("metadata", &others))))
    }

    /// The body for a chat of one's own: as it came, with a message for the model in front of the others, if there is one.
    #[must_use]
    pub fn for_chat(&self, context: Option<&str>) -> Option<String> {
        let context = context?;
        let messages = with_context(&self.messages, context);
        Some(self.body.with(&[], Some(("messages", &messages))))
    }

    /// The body for a server of `OpenAI`'s kind, from one that was written for a chat of one's own: the messages in that
    /// server's shape, and whatever else it knows. It streams unless the body says otherwise.
    #[must_use]
    pub fn for_openai(&self, model: &str, context: Option<&str>) -> String {
        let mut json = String::from("{");
        for name in PASSED_ON {
            if let Some(value) = self.body.get(name).filter(|value| value.get() != "null") {
                push_field(&mut json, name, value.get());
                json.push(',');
            }
        }
        if self.body.get("model").is_none_or(|model| model.get() == "null") {
            push_field(&mut json, "model", &Value::from(model).to_string());
            json.push(',');
        }
        let stream = self
            .body
            .get("stream")
            .is_none_or(|stream| stream.get() == "true");
        push_field(&mut json, "stream", if stream { "true" } else { "false" });
        json.push(',');
        let converted: Vec<String> = self.messages.iter().filter_map(Message::for_openai).collect();
        let converted: Vec<Box<RawValue>> = converted
            .into_iter()
            .filter_map(|message| RawValue::from_string(message).ok())
            .collect();
        let converted: Vec<Message<'_>> = converted.iter().map(|raw| Message::of(raw)).collect();
        let messages = match context {
            Some(context) => with_context(&converted, context),
            None => joined(converted.iter().map(Message::as_it_came)),
        };
        push_field(&mut json, "messages", &messages);
        json.push('}');
        json
    }

    fn metadata(&self) -> Option<RawObject<'a>> {
        serde_json::from_str(self.body.get("metadata")?.get()).ok()
    }
}

/// The messages with one more in front. Where a system message stands there already it becomes the end of that one:
/// many models take one system message only, and only in front.
fn with_context(messages: &[Message<'_>], context: &str) -> String {
    if let [first, rest @ ..] = messages
        && first.role == Role::System
        && let Some(longer) = first.longer(context)
    {
        return joined(std::iter::once(longer).chain(rest.iter().map(Message::as_it_came)));
    }
    let shape = messages.first().map_or(Shape::OpenAi, |message| message.shape);
    let context = match shape {
        Shape::OpenAi => serde_json::json!({ "role": "system", "content": context }),
        Shape::AiSdk => serde_json::json!({
            "id": "scribe-document", "role": "system", "parts": [{ "type": "text", "text": context }]
        }),
    };
    let front = std::iter::once(context.to_string());
    joined(front.chain(messages.iter().map(Message::as_it_came)))
}

fn joined(messages: impl Iterator<Item = String>) -> String {
    format!("[{}]", messages.collect::<Vec<_>>().join(","))
}

#[derive(Deserialize, Default)]
struct Part<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    text: Option<String>,
}

impl<'a> Message<'a> {
    fn of(raw: &'a RawValue) -> Self {
        let fields: Option<RawObject<'_>> = serde_json::from_str(raw.get()).ok();
        let get = |name| fields.as_ref().and_then(|fields| fields.get(name));
        let (parts, content) = (get("parts"), get("content"));
        let is_list = |value: &&RawValue| value.get().starts_with('[');
        let shape = if parts.as_ref().is_some_and(is_list) {
            Shape::AiSdk
        } else {
            Shape::OpenAi
        };
        let text = match (parts.filter(is_list), content) {
            (Some(parts), _) => text_of(parts),
            (None, Some(content)) if is_list(&content) => text_of(content),
            (None, Some(content)) => serde_json::from_str(content.get()).unwrap_or_default(),
            (None, None) => String::new(),
        };
        let role = fields.as_ref().and_then(|fields| fields.text("role"));
        Self {
            raw,
            shape,
            role: match role.as_deref() {
                Some("user") => Role::User,
                Some("assistant") => Role::Assistant,
                Some("system" | "developer") => Role::System,
                _ => Role::Other,
            },
            id: fields.as_ref().and_then(|fields| fields.text("id")),
            text,
        }
    }

    fn as_it_came(&self) -> String {
        self.raw.get().to_owned()
    }

    /// The same with more text behind its own; none where it is written in a way that is not understood.
    fn longer(&self, more: &str) -> Option<String> {
        let fields: RawObject<'_> = serde_json::from_str(self.raw.get()).ok()?;
        let name = match self.shape {
            Shape::OpenAi => "content",
            Shape::AiSdk => "parts",
        };
        let longer = match serde_json::from_str(fields.get(name)?.get()).ok()? {
            Value::String(text) => Value::from(format!("{text}\n\n{more}")),
            Value::Array(mut parts) => {
                parts.push(serde_json::json!({ "type": "text", "text": more }));
                Value::Array(parts)
            }
            _ => return None,
        };
        Some(fields.with(&[], Some((name, &longer.to_string()))))
    }

    /// The message for a server of `OpenAI`'s kind: as it came, where it was written for one. None where nothing of it
    /// can be said there.
    fn for_openai(&self) -> Option<String> {
        if self.shape == Shape::OpenAi {
            // What other programs write beside it, the server would refuse.
            let fields: RawObject<'_> = serde_json::from_str(self.raw.get()).ok()?;
            return Some(fields.with(&["id", "createdAt", "parts"], None));
        }
        let role = match self.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
            Role::Other => return None,
        };
        // An assistant's message of tool calls only has no text, and without its calls it says nothing.
        (self.role == Role::User || !self.text.trim().is_empty())
            .then(|| serde_json::json!({ "role": role, "content": self.text }).to_string())
    }
}

/// The text of a message's parts; each part is read by itself, so that one that is not understood hides no other.
fn text_of(parts: &RawValue) -> String {
    let parts: Vec<&RawValue> = serde_json::from_str(parts.get()).unwrap_or_default();
    let texts: Vec<String> = parts
        .into_iter()
        .filter_map(|part| serde_json::from_str::<Part<'_>>(part.get()).ok())
        .filter(|part| matches!(part.kind.as_deref(), Some("text" | "input_text" | "output_text")))
        .filter_map(|part| part.text)
        .filter(|text| !text.is_empty())
        .collect();
    texts.join("\n\n")
}

#[cfg(test)]
mod tests;
