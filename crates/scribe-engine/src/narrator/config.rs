//! Which model is asked, and how long we wait for it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::HeaderValue;
use scribe_core::prompt::PromptBudget;
use scribe_trigger::config::{ConfigError, milliseconds, optional};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// The model that is asked where the configuration names none.
///
/// Not gpt-4o, which many still name: it leaves OpenAI's API on 14 January 2027, and a default must not stop
/// working by itself. This is its named replacement. It reasons unless told not to, which a turn has no time for;
/// see [`known_effort`].
pub const DEFAULT_MODEL: &str = "gpt-6-luna";

/// The server that is asked where the configuration names none.
pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// The efforts that servers know.
const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// Which model is asked, and how long we wait for it.
#[derive(Debug, Clone)]
pub struct NarratorConfig {
    /// `OPENAI_BASE_URL`: the part before `/chat/completions`.
    pub base_url: Url,
    /// `OPENAI_API_KEY`: servers of one's own often want none.
    pub api_key: Option<SecretString>,
    /// `SCRIBE_MODEL`.
    pub model: String,
    /// `SCRIBE_TEMPERATURE`, 0 to 2; not sent where it is not set, because some models refuse it.
    pub temperature: Option<f64>,
    /// `SCRIBE_REASONING_EFFORT`; not sent where it is not set and the model's default is unknown.
    pub reasoning_effort: Option<String>,
    /// `SCRIBE_MODEL_MAX_OUTPUT_TOKENS`: the longest answer, the thoughts of a model that reasons included. An answer
    /// that reaches it is cut and can't be used.
    pub max_output_tokens: u32,
    /// `SCRIBE_MODEL_CONNECT_TIMEOUT_MS`: until the connection stands.
    pub connect_timeout: Duration,
    /// `SCRIBE_MODEL_FIRST_TOKEN_TIMEOUT_MS`: from the request to the first piece of text. Heartbeats and thoughts
    /// are no text.
    pub first_token_timeout: Duration,
    /// `SCRIBE_MODEL_BETWEEN_TOKENS_TIMEOUT_MS`: from one piece of text to the next.
    pub between_tokens_timeout: Duration,
    /// `SCRIBE_MODEL_TURN_TIMEOUT_MS`: the whole answer, whatever deadline the caller has beyond that.
    pub turn_timeout: Duration,
}

impl NarratorConfig {
    /// The defaults, for a server and a model.
    #[must_use]
    pub fn new(base_url: Url, model: String) -> Self {
        Self {
            base_url,
            api_key: None,
            reasoning_effort: known_effort(&model).map(str::to_owned),
            model,
            temperature: None,
            max_output_tokens: PromptBudget::default().output_tokens,
            connect_timeout: Duration::from_secs(3),
            first_token_timeout: Duration::from_secs(20),
            between_tokens_timeout: Duration::from_secs(10),
            turn_timeout: Duration::from_secs(50),
        }
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let BaseUrl(base_url) = BaseUrl::from_env()?;
        let model = optional::<String>("SCRIBE_MODEL")?.unwrap_or_else(|| DEFAULT_MODEL.into());
        let default = Self::new(base_url, model);
        let effort = optional::<Effort>("SCRIBE_REASONING_EFFORT")?.map(|Effort(effort)| effort);
        let config = Self {
            api_key: optional::<ApiKey>("OPENAI_API_KEY")?.map(|ApiKey(key)| key),
            temperature: optional::<Temperature>("SCRIBE_TEMPERATURE")?.map(|Temperature(value)| value),
            reasoning_effort: effort.or(default.reasoning_effort),
            max_output_tokens: optional::<OutputTokens>("SCRIBE_MODEL_MAX_OUTPUT_TOKENS")?
                .map_or(default.max_output_tokens, |OutputTokens(tokens)| tokens),
            connect_timeout: milliseconds("SCRIBE_MODEL_CONNECT_TIMEOUT_MS", default.connect_timeout)?,
            first_token_timeout: milliseconds(
                "SCRIBE_MODEL_FIRST_TOKEN_TIMEOUT_MS",
                default.first_token_timeout,
            )?,
            between_tokens_timeout: milliseconds(
                "SCRIBE_MODEL_BETWEEN_TOKENS_TIMEOUT_MS",
                default.between_tokens_timeout,
            )?,
            turn_timeout: milliseconds("SCRIBE_MODEL_TURN_TIMEOUT_MS", default.turn_timeout)?,
            ..default
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        const CONNECT: &str = "SCRIBE_MODEL_CONNECT_TIMEOUT_MS";
        const FIRST: &str = "SCRIBE_MODEL_FIRST_TOKEN_TIMEOUT_MS";
        const BETWEEN: &str = "SCRIBE_MODEL_BETWEEN_TOKENS_TIMEOUT_MS";
        const TURN: &str = "SCRIBE_MODEL_TURN_TIMEOUT_MS";
        let (connect, first) = (self.connect_timeout, self.first_token_timeout);
        let (between, turn) = (self.between_tokens_timeout, self.turn_timeout);
        for (short, first_variable, long, second_variable) in [
            (connect, CONNECT, first, FIRST),
            (first, FIRST, turn, TURN),
            (between, BETWEEN, turn, TURN),
        ] {
            if short > long {
                return Err(ConfigError::Contradiction {
                    first: first_variable,
                    second: second_variable,
                    reason: "the part must not take longer than the whole".into(),
                });
            }
        }
        let is_openai = self.base_url.host_str() == Some("api.openai.com");
        if is_openai && self.api_key.is_none() {
            let remedy = "OpenAI wants a key; OPENAI_BASE_URL names another server";
            return Err(ConfigError::Missing {
                variable: "OPENAI_API_KEY",
                remedy,
            });
        }
        let reasons = self
            .reasoning_effort
            .as_deref()
            .is_some_and(|effort| effort != "none");
        if is_openai && reasons && self.temperature.is_some() {
            return Err(ConfigError::Contradiction {
                first: "SCRIBE_TEMPERATURE",
                second: "SCRIBE_REASONING_EFFORT",
                reason: "OpenAI's models take no temperature while they reason".into(),
            });
        }
        Ok(())
    }
}

/// The effort that a turn needs, for models that are known to reason unless told not to.
#[must_use]
pub fn known_effort(model: &str) -> Option<&'static str> {
    model.starts_with("gpt-6").then_some("none")
}

/// A URL that paths can be added to.
#[derive(Debug)]
pub(crate) struct BaseUrl(pub(crate) Url);

impl BaseUrl {
    /// `OPENAI_BASE_URL`, or `OpenAI` itself.
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        const VARIABLE: &str = "OPENAI_BASE_URL";
        match optional(VARIABLE)? {
            Some(url) => Ok(url),
            None => DEFAULT_BASE_URL.parse().map_err(|reason| ConfigError::Invalid {
                variable: VARIABLE,
                reason,
            }),
        }
    }
}

impl FromStr for BaseUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let url = server_url(text, "OPENAI_API_KEY")?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it must end with its path".into());
        }
        Ok(Self(url))
    }
}

/// The URL of a server, whose key stands in a variable of its own.
pub(crate) fn server_url(text: &str, key_variable: &str) -> Result<Url, String> {
    let url: Url = text
        .trim()
        .parse()
        .map_err(|error: url::ParseError| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("it must not hold a password; the key is {key_variable}"));
    }
    Ok(url)
}

/// A key that fits into a header. White space around it comes from files that end with a line break.
pub(crate) struct ApiKey(pub(crate) SecretString);

impl FromStr for ApiKey {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let key = Self(text.trim().into());
        HeaderValue::from_str(key.0.expose_secret()).map_err(|_| "it holds characters that no key has")?;
        Ok(key)
    }
}

struct Temperature(f64);

impl FromStr for Temperature {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let value: f64 = text.trim().parse().map_err(|_| "it is not a number")?;
        if (0.0..=2.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err("it must be from 0 to 2")
        }
    }
}

/// A length that an answer with one short edit fits into.
struct OutputTokens(u32);

impl FromStr for OutputTokens {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let tokens: u32 = text.trim().parse().map_err(|_| "it is not a whole number")?;
        if tokens >= 64 {
            Ok(Self(tokens))
        } else {
            Err("it must be 64 or more, or no edit fits")
        }
    }
}

struct Effort(String);

impl FromStr for Effort {
    type Err = UnknownEffort;
    fn from_str(text: &str) -> Result<Self, UnknownEffort> {
        if EFFORTS.contains(&text) {
            Ok(Self(text.into()))
        } else {
            Err(UnknownEffort)
        }
    }
}

#[derive(Debug)]
struct UnknownEffort;

impl fmt::Display for UnknownEffort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it must be one of {}", EFFORTS.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base_url: &str) -> NarratorConfig {
        let BaseUrl(url) = base_url.parse().unwrap();
        NarratorConfig::new(url, DEFAULT_MODEL.into())
    }

    #[test]
    fn the_default_does_not_reason() {
        let config = config(DEFAULT_BASE_URL);
        assert_eq!(config.reasoning_effort.as_deref(), Some("none"));
        assert_eq!(config.temperature, None);
        assert_eq!(known_effort("llama-3"), None);
    }

    #[test]
    fn contradictions_are_named() {
        let check = |change: &dyn Fn(&mut NarratorConfig), names: &[&str]| {
            let mut config = config(DEFAULT_BASE_URL);
            config.api_key = Some("k".into());
            change(&mut config);
            let told = config
                .check()
                .map_or_else(|error| error.to_string(), |()| String::new());
            assert!(
                names.iter().all(|name| told.contains(name)) && told.is_empty() == names.is_empty(),
                "{told}"
            );
        };
        check(&|_| {}, &[]);
        check(&|config| config.api_key = None, &["OPENAI_API_KEY"]);
        check(&|config| config.temperature = Some(0.7), &[]);
        check(
            &|config| {
                config.temperature = Some(0.7);
                config.reasoning_effort = Some("low".into());
            },
            &["SCRIBE_TEMPERATURE", "SCRIBE_REASONING_EFFORT"],
        );
        check(
            &|config| config.turn_timeout = Duration::from_secs(5),
            &[
                "SCRIBE_MODEL_FIRST_TOKEN_TIMEOUT_MS",
                "SCRIBE_MODEL_TURN_TIMEOUT_MS",
            ],
        );
        assert_eq!(config("http://127.0.0.1:8080/v1").check(), Ok(()));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        assert!("ftp://x".parse::<BaseUrl>().is_err());
        assert!(
            "https://user:secret@host/v1"
                .parse::<BaseUrl>()
                .is_err_and(|error| !error.contains("secret"))
        );
        assert!("https://host/v1?x=1".parse::<BaseUrl>().is_err());
        assert!("warm".parse::<Temperature>().is_err() && "2.1".parse::<Temperature>().is_err());
        assert!("NaN".parse::<Temperature>().is_err());
        assert!(
            "maximal"
                .parse::<Effort>()
                .is_err_and(|error| error.to_string().contains("minimal"))
        );
        assert!("63".parse::<OutputTokens>().is_err() && "-1".parse::<OutputTokens>().is_err());
        assert!("64".parse::<OutputTokens>().is_ok());
        assert!("sk-1\nx".parse::<ApiKey>().is_err());
        assert_eq!(
            " sk-1\n"
                .parse::<ApiKey>()
                .map(|key| key.0.expose_secret().to_owned()),
            Ok("sk-1".into())
        );
    }
}
