//! Which chat is asked, and how long anybody waits for it.

use std::str::FromStr;
use std::time::Duration;

use reqwest::header::HeaderName;
use scribe_trigger::config::{ConfigError, milliseconds, optional};
use secrecy::SecretString;
use url::Url;

use crate::narrator::{ApiKey, BaseUrl, DEFAULT_MODEL, server_url};

/// Which chat is asked, and how long anybody waits for it.
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// `CHAT_URL`: the chat route of one's own that agent-lore stands in front of. Without it the `OpenAI`-compatible
    /// server answers itself.
    pub chat_url: Option<Url>,
    /// `CHAT_API_KEY`: what that route is sent as a bearer token.
    pub chat_key: Option<SecretString>,
    /// `CHAT_FORWARD_HEADERS`: headers of our callers that go to that route, with commas. None unless it is set; a
    /// token of a caller is for us alone.
    pub forwarded: Vec<HeaderName>,
    /// `OPENAI_BASE_URL`.
    pub base_url: Url,
    /// `OPENAI_API_KEY`.
    pub api_key: Option<SecretString>,
    /// `CHAT_MODEL`: the model that answers where a request names none; without it `SCRIBE_MODEL`.
    pub model: String,
    /// `CHAT_CONNECT_TIMEOUT_MS`: until the connection stands.
    pub connect_timeout: Duration,
    /// `CHAT_FIRST_BYTE_TIMEOUT_MS`: from the request to the head of the answer. One that does not stream thinks before
    /// it.
    pub first_byte_timeout: Duration,
    /// `CHAT_IDLE_TIMEOUT_MS`: from one piece of an answer to the next.
    pub idle_timeout: Duration,
    /// `CHAT_CONTEXT_BYTES`: how much of the document goes along with a request; 0 for nothing.
    pub context_bytes: usize,
    /// `CHAT_CONTEXT_WAIT_MS`: how long a request waits for the document. Without it the chat goes on.
    pub context_wait: Duration,
    /// `CHAT_COMMAND_WAIT_MS`: how long a request waits until its own command is carried out.
    pub command_wait: Duration,
    /// `CHAT_RECORD_WAIT_MS`: how long the end of an answer waits until its turn is recorded. Its bytes never do.
    pub record_wait: Duration,
    /// `SCRIBE_AUTO_START`: whether every conversation that is named and has no scribe gets one.
    pub auto_start: bool,
}

impl ChatConfig {
    /// The defaults, for an `OpenAI`-compatible server and a model.
    #[must_use]
    pub fn new(base_url: Url, model: String) -> Self {
        Self {
            chat_url: None,
            chat_key: None,
            forwarded: Vec::new(),
            base_url,
            api_key: None,
            model,
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(120),
            context_bytes: 24 * 1024,
            context_wait: Duration::from_millis(150),
            command_wait: Duration::from_secs(2),
            record_wait: Duration::from_millis(300),
            auto_start: false,
        }
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let BaseUrl(base_url) = BaseUrl::from_env()?;
        let config = Self::new(base_url, DEFAULT_MODEL.into());
        Self {
            api_key: optional::<ApiKey>("OPENAI_API_KEY")?.map(|ApiKey(key)| key),
            ..config
        }
        .tuned_by_env()
    }

    /// Reads what the environment says of the rest; the server and its key stay.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn tuned_by_env(self) -> Result<Self, ConfigError> {
        let model = match optional::<String>("CHAT_MODEL")? {
            Some(model) => Some(model),
            None => optional("SCRIBE_MODEL")?,
        };
        let config = Self {
            chat_url: optional::<ChatUrl>("CHAT_URL")?.map(|ChatUrl(url)| url),
            chat_key: optional::<ApiKey>("CHAT_API_KEY")?.map(|ApiKey(key)| key),
            forwarded: optional::<Headers>("CHAT_FORWARD_HEADERS")?
                .map(|Headers(names)| names)
                .unwrap_or_default(),
            model: model.unwrap_or(self.model),
            connect_timeout: milliseconds("CHAT_CONNECT_TIMEOUT_MS", self.connect_timeout)?,
            first_byte_timeout: milliseconds("CHAT_FIRST_BYTE_TIMEOUT_MS", self.first_byte_timeout)?,
            idle_timeout: milliseconds("CHAT_IDLE_TIMEOUT_MS", self.idle_timeout)?,
            context_bytes: optional("CHAT_CONTEXT_BYTES")?.unwrap_or(self.context_bytes),
            context_wait: milliseconds("CHAT_CONTEXT_WAIT_MS", self.context_wait)?,
            command_wait: milliseconds("CHAT_COMMAND_WAIT_MS", self.command_wait)?,
            record_wait: milliseconds("CHAT_RECORD_WAIT_MS", self.record_wait)?,
            auto_start: optional("SCRIBE_AUTO_START")?.unwrap_or(self.auto_start),
            ..self
        };
        if config.connect_timeout > config.first_byte_timeout {
            return Err(ConfigError::Contradiction {
                first: "CHAT_CONNECT_TIMEOUT_MS",
                second: "CHAT_FIRST_BYTE_TIMEOUT_MS",
                reason: "the part must not take longer than the whole".into(),
            });
        }
        Ok(config)
    }
}

/// A route's URL; it may have a query.
struct ChatUrl(Url);

impl FromStr for ChatUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        server_url(text, "CHAT_API_KEY").map(Self)
    }
}

/// Names of headers, with commas.
struct Headers(Vec<HeaderName>);

impl FromStr for Headers {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names
            .map(|name| {
                name.parse()
                    .map_err(|_| "it must be names of headers, with commas")
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_make_no_sense_are_refused() {
        assert!("ftp://x".parse::<ChatUrl>().is_err());
        assert!(
            "http://127.0.0.1:3000/api/chat?mode=lore"
                .parse::<ChatUrl>()
                .is_ok()
        );
        assert!(
            "https://me:hunter2@x/api"
                .parse::<ChatUrl>()
                .is_err_and(|error| !error.contains("hunter2"))
        );
        let names = "Cookie, x-my-user,"
            .parse::<Headers>()
            .map(|Headers(names)| names);
        assert_eq!(
            names,
            Ok(vec![
                HeaderName::from_static("cookie"),
                HeaderName::from_static("x-my-user")
            ])
        );
        assert!("a b".parse::<Headers>().is_err());
    }
}
