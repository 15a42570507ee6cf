//! Settings, read from the environment once, at start. A wrong value stops the start and names the variable.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

/// A setting that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable that has no default is missing.
    #[error("{variable} is not set: {remedy}")]
    Missing {
        /// The variable's name.
        variable: &'static str,
        /// What to put there.
        remedy: &'static str,
    },
    /// A variable has a value that can't be read. The value is not repeated: it may be a secret.
    #[error("{variable} can't be used: {reason}")]
    Invalid {
        /// The variable's name.
        variable: &'static str,
        /// Why.
        reason: String,
    },
    /// A variable whose name looks like one of ours and is none.
    #[error("{name} is no setting; is it misspelt?")]
    Unknown {
        /// The variable's name.
        name: String,
    },
    /// Two values contradict each other.
    #[error("{first} and {second} contradict each other: {reason}")]
    Contradiction {
        /// One variable's name.
        first: &'static str,
        /// The other's.
        second: &'static str,
        /// Why.
        reason: String,
    },
}

/// Reads a variable; an empty one counts as not set.
///
/// # Errors
/// [`ConfigError::Invalid`] if the value does not parse.
pub fn optional<T: FromStr<Err: fmt::Display>>(variable: &'static str) -> Result<Option<T>, ConfigError> {
    let invalid = |reason: String| ConfigError::Invalid { variable, reason };
    match std::env::var(variable) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => text
            .parse()
            .map(Some)
            .map_err(|error: T::Err| invalid(error.to_string())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(invalid("it is not UTF-8".into())),
    }
}

/// Reads a variable that has no default.
///
/// # Errors
/// [`ConfigError`] if it is missing or does not parse.
pub fn required<T: FromStr<Err: fmt::Display>>(
    variable: &'static str,
    remedy: &'static str,
) -> Result<T, ConfigError> {
    optional(variable)?.ok_or(ConfigError::Missing { variable, remedy })
}

/// Reads a number of milliseconds, at least 1.
///
/// # Errors
/// [`ConfigError::Invalid`] if the value is not a positive number.
pub fn milliseconds(variable: &'static str, default: Duration) -> Result<Duration, ConfigError> {
    duration(variable, default, Duration::from_millis)
}

/// Reads a number of seconds, at least 1.
///
/// # Errors
/// [`ConfigError::Invalid`] if the value is not a positive number.
pub fn seconds(variable: &'static str, default: Duration) -> Result<Duration, ConfigError> {
    duration(variable, default, Duration::from_secs)
}

fn duration(
    variable: &'static str,
    default: Duration,
    unit: fn(u64) -> Duration,
) -> Result<Duration, ConfigError> {
    match optional::<u64>(variable)? {
        Some(0) => Err(ConfigError::Invalid {
            variable,
            reason: "it must be at least 1".into(),
        }),
        Some(number) => Ok(unit(number)),
        None => Ok(default),
    }
}

/// What recording, claiming and handing on need.
#[derive(Debug, Clone)]
pub struct TriggerConfig {
    /// `REDIS_URL`: `redis://` or `rediss://`. Secret, because it may hold a password.
    pub redis_url: SecretString,
    /// `SCRIBE_REDIS_CLUSTER`: whether the URL is a cluster's, as `ElastiCache` Serverless always is.
    pub redis_cluster: bool,
    /// `SCRIBE_REDIS_TIMEOUT_MS`: the longest that a Redis command may take. A dead Redis costs a caller this much.
    pub redis_timeout: Duration,
    /// `SCRIBE_FUNCTION`: the summarizer's function name or ARN.
    pub function: String,
    /// `SCRIBE_INVOKE_TIMEOUT_MS`: the longest that an asynchronous invoke may take.
    pub invoke_timeout: Duration,
    /// `SCRIBE_TENANT_ISOLATION`: whether the function was created in Lambda's tenant isolation mode. Lambda
    /// refuses a tenant header where it was not, and its absence where it was.
    pub tenant_isolation: bool,
    /// `SCRIBE_SESSION_TTL_S`: how long a session stays in Redis after its last use.
    pub session_ttl: Duration,
    /// `SCRIBE_TRIGGER_TTL_S`: how long a turn stays in Redis.
    pub trigger_ttl: Duration,
    /// `SCRIBE_LEASE_MS`: how long a lease lasts without renewal.
    pub lease: Duration,
    /// `SCRIBE_CACHE_BYTES`: the largest asset that is cached in Redis, in bytes of JSON.
    pub cache_bytes: usize,
}

impl TriggerConfig {
    /// The defaults, for a Redis and a function.
    #[must_use]
    pub fn new(redis_url: SecretString, function: String) -> Self {
        Self {
            redis_url,
            redis_cluster: false,
            redis_timeout: Duration::from_millis(250),
            function,
            invoke_timeout: Duration::from_secs(1),
            tenant_isolation: false,
            session_ttl: Duration::from_secs(24 * 3600),
            trigger_ttl: Duration::from_secs(7 * 24 * 3600),
            lease: Duration::from_secs(10),
            cache_bytes: 64 * 1024,
        }
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let redis_url: String = required("REDIS_URL", "for example redis://127.0.0.1:6379")?;
        let function = required("SCRIBE_FUNCTION", "the summarizer's function name")?;
        Self::new(redis_url.into(), function).tuned_by_env()
    }

    /// Reads what the environment says of the limits and lives; Redis and function stay.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn tuned_by_env(self) -> Result<Self, ConfigError> {
        let config = Self {
            redis_cluster: optional("SCRIBE_REDIS_CLUSTER")?.unwrap_or(self.redis_cluster),
            redis_timeout: milliseconds("SCRIBE_REDIS_TIMEOUT_MS", self.redis_timeout)?,
            invoke_timeout: milliseconds("SCRIBE_INVOKE_TIMEOUT_MS", self.invoke_timeout)?,
            tenant_isolation: optional("SCRIBE_TENANT_ISOLATION")?.unwrap_or(self.tenant_isolation),
            session_ttl: seconds("SCRIBE_SESSION_TTL_S", self.session_ttl)?,
            trigger_ttl: seconds("SCRIBE_TRIGGER_TTL_S", self.trigger_ttl)?,
            lease: milliseconds("SCRIBE_LEASE_MS", self.lease)?,
            cache_bytes: optional("SCRIBE_CACHE_BYTES")?.unwrap_or(self.cache_bytes),
            ..self
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let contradiction = |first, second, reason: &str| {
            Err(ConfigError::Contradiction {
                first,
                second,
                reason: reason.into(),
            })
        };
        if self.trigger_ttl < self.session_ttl {
            return contradiction(
                "SCRIBE_TRIGGER_TTL_S",
                "SCRIBE_SESSION_TTL_S",
                "a turn must not be forgotten before its session",
            );
        }
        if self.lease < self.redis_timeout * 3 {
            return contradiction(
                "SCRIBE_LEASE_MS",
                "SCRIBE_REDIS_TIMEOUT_MS",
                "a lease is renewed every third of its time, which must not be shorter than one command may take",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_named() {
        let mut config = TriggerConfig::new("redis://127.0.0.1".to_owned().into(), "f".into());
        assert_eq!(config.check(), Ok(()));
        config.lease = Duration::from_millis(100);
        let error = config.check().unwrap_err().to_string();
        assert!(
            error.contains("SCRIBE_LEASE_MS") && error.contains("SCRIBE_REDIS_TIMEOUT_MS"),
            "{error}"
        );
    }
}
