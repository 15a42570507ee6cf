//! The request, in the dialect that the server speaks.
//!
//! OpenAI's protocol has many speakers, and none of them takes everything: schemas are unknown to some,
//! `max_completion_tokens` to others, and some models refuse a temperature. What a server refused once is left out
//! from then on, as long as the process lives.

use scribe_core::prompt::{Prompt, Role};
use serde_json::{Value, json};

use super::config::NarratorConfig;
use super::error::ServerError;

/// How the answer's shape is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// By a strict JSON schema.
    Schema,
    /// As some JSON object, the schema in the prompt.
    Object,
    /// In words alone.
    Words,
}

/// What a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    format: Format,
    /// `max_completion_tokens`, or `max_tokens` as it was called before.
    max_completion_tokens: bool,
    stream_options: bool,
    reasoning_effort: bool,
    temperature: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            format: Format::Schema,
            max_completion_tokens: true,
            stream_options: true,
            reasoning_effort: true,
            temperature: true,
        }
    }
}

impl Dialect {
    /// The request's body.
    pub(super) fn request(self, config: &NarratorConfig, prompt: &Prompt) -> Value {
        let schema_in_words = match (self.format, &prompt.schema) {
            (Format::Schema, _) | (_, None) => None,
            (Format::Object | Format::Words, Some(schema)) => Some(format!(
                "\n\nAnswer with one JSON object of this schema, and with nothing else:\n{schema}"
            )),
        };
        let message = |message: &scribe_core::prompt::Message| {
            let added = schema_in_words
                .as_deref()
                .filter(|_| message.role == Role::System)
                .unwrap_or_default();
            json!({ "role": message.role.as_str(), "content": format!("{}{added}", message.content) })
        };
        let mut request = json!({
            "model": config.model,
            "messages": prompt.messages.iter().map(message).collect::<Vec<_>>(),
            "stream": true,
        });
        let length = if self.max_completion_tokens {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        request[length] = prompt.max_output_tokens.into();
        if self.stream_options {
            request["stream_options"] = json!({ "include_usage": true });
        }
        match (self.format, &prompt.schema) {
            (Format::Schema, Some(schema)) => {
                request["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": { "name": "edits", "strict": true, "schema": schema },
                });
            }
            (Format::Object, Some(_)) => request["response_format"] = json!({ "type": "json_object" }),
            // Where the answer is a document, nothing is said of its shape.
            (Format::Words, _) | (_, None) => {}
        }
        if let Some(effort) = config.reasoning_effort.as_ref().filter(|_| self.reasoning_effort) {
            request["reasoning_effort"] = effort.as_str().into();
        }
        if let Some(temperature) = config.temperature.filter(|_| self.temperature) {
            request["temperature"] = temperature.into();
        }
        request
    }

    /// The dialect to try after a refusal; none if the refusal is about something else.
    pub(super) fn after(self, error: &ServerError, config: &NarratorConfig) -> Option<Self> {
        if self.max_completion_tokens && error.is_about(&["max_completion_tokens"]) {
            return Some(Self {
                max_completion_tokens: false,
                ..self
            });
        }
        if self.reasoning_effort
            && config.reasoning_effort.is_some()
            && error.is_about(&["reasoning_effort", "reasoning"])
        {
            return Some(Self {
                reasoning_effort: false,
                ..self
            });
        }
        if self.temperature && config.temperature.is_some() && error.is_about(&["temperature"]) {
            return Some(Self {
                temperature: false,
                ..self
            });
        }
        if self.stream_options && error.is_about(&["stream_options"]) {
            return Some(Self {
                stream_options: false,
                ..self
            });
        }
        let about_format = error.is_about(&[
            "response_format",
            "json_schema",
            "json_object",
            "schema",
            "grammar",
        ]);
        match self.format {
            Format::Schema if about_format => Some(Self {
                format: Format::Object,
                ..self
            }),
            Format::Object if about_format => Some(Self {
                format: Format::Words,
                ..self
            }),
            _ => None,
        }
    }

    /// What is left out, for the log.
    pub(super) fn left_out(self) -> String {
        let left_out = [
            (self.format != Format::Schema, "json_schema"),
            (self.format == Format::Words, "json_object"),
            (!self.max_completion_tokens, "max_completion_tokens"),
            (!self.stream_options, "stream_options"),
            (!self.reasoning_effort, "reasoning_effort"),
            (!self.temperature, "temperature"),
        ];
        let names: Vec<&str> = left_out
            .into_iter()
            .filter(|(out, _)| *out)
            .map(|(_, name)| name)
            .collect();
        names.join(", ")
    }
}
