//! What can go wrong with a question to a model. The variants are what a caller decides by: wait, give up, try again.
//!
//! Of what a server says only its status and its error code are kept. Its message is dropped: it may quote the
//! request, and the request is somebody's conversation.

use std::time::Duration;

use serde_json::Value;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarratorError {
    /// The service does not serve: too busy, broken, unreachable, too slow, or it does not know our key or our
    /// model. The turn is not at fault, and waits until somebody has mended it.
    #[error("the model is unavailable: {reason}")]
    Unavailable {
        /// Why.
        reason: Outage,
        /// How long the server asks us to wait.
        retry_after: Option<Duration>,
    },
    /// This request cannot succeed, however often it is sent.
    #[error("the model's server refused the request with {status}{}", in_brackets(code.as_deref()))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's error code.
        code: Option<String>,
    },
    /// The answer reached the bound of its length.
    #[error("the model's answer was cut")]
    Cut,
    /// The model, or a filter before or behind it, would not answer.
    #[error("the model refused to answer")]
    Filtered,
    /// What came is not an answer of the protocol.
    #[error("the model's answer is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Why a model is unavailable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// Our client cannot be set up.
    #[error("its client can't be set up: {reason}")]
    Client {
        /// Why, in the client's words, which know no request yet.
        reason: String,
    },
    /// No connection, or it ended before the answer began.
    #[error("it can't be reached")]
    Unreachable,
    /// It took too long.
    #[error("{stage} took longer than {} ms", limit.as_millis())]
    TooSlow {
        /// What took too long.
        stage: Stage,
        /// How long it may take.
        limit: Duration,
    },
    /// It answered with an error.
    #[error("it answered {status}{}", in_brackets(code.as_deref()))]
    Status {
        /// The HTTP status.
        status: u16,
        /// The server's error code.
        code: Option<String>,
    },
    /// It began to answer, and told an error.
    #[error("its answer ended with an error{}", in_brackets(code.as_deref()))]
    Midway {
        /// The server's error code.
        code: Option<String>,
    },
    /// The connection ended within the answer.
    #[error("its answer broke off")]
    BrokenOff,
}

/// The parts of an answer that have a time limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stage {
    /// Until the connection stands.
    #[error("connecting")]
    Connect,
    /// From the request to the first piece of text.
    #[error("the first token")]
    FirstToken,
    /// From one piece of text to the next.
    #[error("the next token")]
    NextToken,
    /// The whole answer.
    #[error("the answer")]
    Turn,
}

fn in_brackets(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| format!(" ({code})"))
}

/// What a server says of an error, as far as we look at it.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerError {
    /// Its code, or its type where it has no code.
    pub(super) code: Option<String>,
    /// The parameter that it does not like.
    param: Option<String>,
    /// The beginning of its message in lower case. Looked at, never told.
    message: String,
}

impl ServerError {
    /// Reads an error body, whatever it is.
    pub(super) fn read(body: &str) -> Self {
        let value: Value = serde_json::from_str(body).unwrap_or_default();
        // {"error": {…}} as OpenAI has it, {"error": "…"} and {"detail": …} as others do.
        let error = value.get("error").unwrap_or(&value);
        let word = |key: &str| match error.get(key) {
            Some(Value::String(word)) => as_code(word),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let message: String = body.chars().take(600).collect();
        Self {
            code: word("code").or_else(|| word("type")),
            param: word("param"),
            message: message.to_lowercase(),
        }
    }

    /// Whether it is about one of these parameters. Its own word counts; its message only where there is none.
    pub(super) fn is_about(&self, parameters: &[&str]) -> bool {
        match &self.param {
            Some(param) => parameters.iter().any(|parameter| param.starts_with(parameter)),
            None => parameters
                .iter()
                .any(|parameter| self.message.contains(parameter)),
        }
    }

    /// Whether a filter stopped the request.
    pub(super) fn is_filter(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("content_filter" | "content_policy_violation" | "responsible_ai_policy_violation")
        )
    }
}

/// A word that is a code and nothing else: it reaches logs.
fn as_code(word: &str) -> Option<String> {
    let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    ((1..=64).contains(&word.len()) && word.chars().all(is_code)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, code: Option<&str>, param: Option<&str>) {
        let error = ServerError::read(body);
        assert_eq!(
            (error.code.as_deref(), error.param.as_deref()),
            (code, param),
            "{body}"
        );
    }

    #[test]
    fn codes_are_kept_and_texts_are_not() {
        check(
            r#"{"error":{"message":"m","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
            Some("unsupported_parameter"),
            Some("max_tokens"),
        );
        check(
            r#"{"error":{"code":429,"message":"m","type":"rate"}}"#,
            Some("429"),
            None,
        );
        check(
            r#"{"error":{"code":null,"type":"server_error"}}"#,
            Some("server_error"),
            None,
        );
        check(r#"{"error":"some text"}"#, None, None);
        check(r#"{"error":{"code":"the dragon sleeps"}}"#, None, None);
        check("<html>", None, None);
        check("", None, None);
    }

    #[test]
    fn errors_read_as_sentences() {
        let slow = Outage::TooSlow {
            stage: Stage::FirstToken,
            limit: Duration::from_secs(20),
        };
        let error = NarratorError::Unavailable {
            reason: slow,
            retry_after: None,
        };
        assert_eq!(
            error.to_string(),
            "the model is unavailable: the first token took longer than 20000 ms"
        );
        let refused = NarratorError::Refused {
            status: 400,
            code: Some("context_length_exceeded".into()),
        };
        assert_eq!(
            refused.to_string(),
            "the model's server refused the request with 400 (context_length_exceeded)"
        );
    }
}
