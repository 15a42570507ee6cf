//! What an engine needs, read from the environment once, at start.

use std::str::FromStr;
use std::time::Duration;

use scribe_core::prompt::{DEFAULT_UNIVERSE, MAX_UNIVERSE_CHARS, Mode};
use scribe_trigger::TriggerConfig;
use scribe_trigger::config::{ConfigError, milliseconds, optional, required, seconds};

use crate::narrator::NarratorConfig;
use crate::sweep::SweepConfig;

/// Where the documents are.
#[derive(Debug, Clone)]
pub struct DocumentsConfig {
    /// `SCRIBE_BUCKET`: a versioned bucket.
    pub bucket: String,
    /// Whether the bucket's name stands in the path: so at every endpoint that is not Amazon's own.
    pub path_style: bool,
}

impl DocumentsConfig {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let endpoint: Option<String> = match optional("AWS_ENDPOINT_URL_S3")? {
            Some(url) => Some(url),
            None => optional("AWS_ENDPOINT_URL")?,
        };
        Ok(Self {
            bucket: required("SCRIBE_BUCKET", "the name of the versioned bucket")?,
            path_style: endpoint.is_some(),
        })
    }
}

/// Everything a summarizer needs.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Redis and Lambda.
    pub trigger: TriggerConfig,
    /// S3.
    pub documents: DocumentsConfig,
    /// The model.
    pub narrator: NarratorConfig,
    /// `SCRIBE_UNIVERSE`: the name of the world that the documents are about, for the prompt.
    pub universe: String,
    /// `SCRIBE_EDITS`: whether the model is asked for edits (`operations`) or for the whole document (`rewrite`), as
    /// long as that fits.
    pub mode: Mode,
    /// `SCRIBE_FUNCTION_TIMEOUT_S`: how long an invocation may take where its deadline makes no sense.
    pub function_timeout: Duration,
    /// `SCRIBE_MAX_CHAIN`: how many invocations may hand on to each other.
    pub max_chain: u32,
    /// What a failed attempt costs.
    pub patience: Patience,
    /// `SCRIBE_LIVE_EVERY_MS`: how often readers are told what the model has written so far, at most; zero for never.
    pub live_every: Duration,
}

/// How often readers are told what the model has written so far, at most.
pub const DEFAULT_LIVE_EVERY: Duration = Duration::from_millis(100);

/// How often and how long a turn is tried.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Attempts that count: at the last one's failure the turn is parked.
    pub attempts: u32,
    /// `SCRIBE_PAUSES_MS`: the pauses after a counted attempt, and the first ones after a service's failure.
    pub pauses: [Duration; 3],
    /// `SCRIBE_LONGEST_PAUSE_MS`: the longest pause after a service's failure.
    pub longest_pause: Duration,
    /// The longest pause that a server may ask for with Retry-After.
    pub longest_retry_after: Duration,
    /// `SCRIBE_SERVICE_PATIENCE_S`: how long a turn waits for a service before it is parked.
    pub service: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 3,
            pauses: [
                Duration::from_secs(2),
                Duration::from_secs(10),
                Duration::from_secs(60),
            ],
            longest_pause: Duration::from_secs(300),
            longest_retry_after: Duration::from_secs(3600),
            service: Duration::from_secs(6 * 3600),
        }
    }
}

impl Patience {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let default = Self::default();
        let patience = Self {
            pauses: optional::<Pauses>("SCRIBE_PAUSES_MS")?.map_or(default.pauses, |Pauses(pauses)| pauses),
            longest_pause: milliseconds("SCRIBE_LONGEST_PAUSE_MS", default.longest_pause)?,
            service: seconds("SCRIBE_SERVICE_PATIENCE_S", default.service)?,
            ..default
        };
        if patience.longest_pause < patience.pauses[2] {
            return Err(ConfigError::Contradiction {
                first: "SCRIBE_LONGEST_PAUSE_MS",
                second: "SCRIBE_PAUSES_MS",
                reason: "no pause may be longer than the longest".into(),
            });
        }
        Ok(patience)
    }

    /// The pause after a counted attempt; attempts are counted from 1.
    #[must_use]
    pub fn after_attempt(&self, attempt: u32) -> Duration {
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.pauses[index.min(self.pauses.len() - 1)]
    }

    /// The pause after a service's failure; failures are counted from 1. Beyond the first three it is a tenth of how
    /// long the service has been failing, so that the turns of a short outage are not kept waiting for long after it,
    /// and a long one costs few calls. A server that asks for more gets it.
    #[must_use]
    pub fn after_service_failure(
        &self,
        failures: u32,
        failing_for: Duration,
        retry_after: Option<Duration>,
    ) -> Duration {
        let pause = self
            .after_attempt(failures)
            .max(if failures > 3 {
                failing_for / 10
            } else {
                Duration::ZERO
            })
            .min(self.longest_pause);
        retry_after.map_or(pause, |asked| pause.max(asked.min(self.longest_retry_after)))
    }
}

impl EngineConfig {
    /// Checks what the environment says of limits, without needing the services' own variables: for whoever starts
    /// functions with this environment, and wants to fail before they do.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn check_env() -> Result<(), ConfigError> {
        match NarratorConfig::from_env() {
            Ok(_) | Err(ConfigError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        optional::<u32>("SCRIBE_MAX_CHAIN")?;
        seconds("SCRIBE_FUNCTION_TIMEOUT_S", Duration::from_secs(1))?;
        Patience::from_env()?;
        live_every()?;
        optional::<Edits>("SCRIBE_EDITS")?;
        optional::<Universe>("SCRIBE_UNIVERSE")?;
        let anywhere = TriggerConfig::new("redis://127.0.0.1".to_owned().into(), String::new());
        SweepConfig::from_env()?.check(&anywhere.tuned_by_env()?)?;
        Ok(())
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            trigger: TriggerConfig::from_env()?,
            documents: DocumentsConfig::from_env()?,
            narrator: NarratorConfig::from_env()?,
            universe: optional::<Universe>("SCRIBE_UNIVERSE")?
                .map_or_else(|| DEFAULT_UNIVERSE.into(), |Universe(name)| name),
            mode: optional::<Edits>("SCRIBE_EDITS")?.map_or(Mode::Edits, |Edits(mode)| mode),
            function_timeout: seconds("SCRIBE_FUNCTION_TIMEOUT_S", Duration::from_secs(60))?,
            max_chain: optional("SCRIBE_MAX_CHAIN")?.unwrap_or(64),
            patience: Patience::from_env()?,
            live_every: live_every()?,
        })
    }
}

fn live_every() -> Result<Duration, ConfigError> {
    let every = optional::<LiveEvery>("SCRIBE_LIVE_EVERY_MS")?;
    Ok(every.map_or(DEFAULT_LIVE_EVERY, |LiveEvery(every)| every))
}

/// What the model is asked for, by its name.
struct Edits(Mode);

impl FromStr for Edits {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "operations" => Ok(Self(Mode::Edits)),
            "rewrite" => Ok(Self(Mode::Rewrite)),
            _ => Err("it must be operations or rewrite"),
        }
    }
}

/// A name that fits into the prompt.
struct Universe(String);

impl FromStr for Universe {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err("it must be a name on one line".into());
        }
        if name.chars().count() > MAX_UNIVERSE_CHARS {
            return Err(format!("it must have at most {MAX_UNIVERSE_CHARS} characters"));
        }
        Ok(Self(name.to_owned()))
    }
}

/// A rate that Redis and readers can bear, or none.
struct LiveEvery(Duration);

impl FromStr for LiveEvery {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let every: u64 = text.trim().parse().map_err(|_| "it is not a whole number")?;
        if every == 0 || (100..=10_000).contains(&every) {
            Ok(Self(Duration::from_millis(every)))
        } else {
            Err("it must be from 100 to 10000, or 0 for never")
        }
    }
}

/// Three growing numbers of milliseconds, with commas.
struct Pauses([Duration; 3]);

impl FromStr for Pauses {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "it must be three growing numbers of milliseconds, such as 2000,10000,60000";
        let numbers: Vec<u64> = text
            .split(',')
            .map(|number| number.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| SHAPE)?;
        let pauses: [u64; 3] = numbers.try_into().map_err(|_| SHAPE)?;
        if pauses[0] == 0 || !pauses.is_sorted() {
            return Err(SHAPE);
        }
        Ok(Self(pauses.map(Duration::from_millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_three_and_grow() {
        assert!("2000, 10000,60000".parse::<Pauses>().is_ok());
        for wrong in ["", "1,2", "1,2,3,4", "3,2,1", "0,1,2", "1,2,x"] {
            assert!(wrong.parse::<Pauses>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn readers_are_told_at_a_bounded_rate_or_not_at_all() {
        let every = |text: &str| {
            text.parse::<LiveEvery>()
                .map(|LiveEvery(every)| every.as_millis())
        };
        assert_eq!(
            [every("0"), every("100"), every(" 10000 ")],
            [Ok(0), Ok(100), Ok(10_000)]
        );
        assert!(
            ["", "99", "10001", "-1", "1.5"]
                .iter()
                .all(|text| every(text).is_err())
        );
    }

    #[test]
    fn pauses_grow_and_honour_retry_after() {
        let patience = Patience::default();
        let pause = |failures, failing_for, asked: Option<u64>| {
            let failing_for = Duration::from_secs(failing_for);
            let asked = asked.map(Duration::from_secs);
            patience
                .after_service_failure(failures, failing_for, asked)
                .as_secs()
        };
        assert_eq!(
            [pause(1, 0, None), pause(2, 9, None), pause(3, 9000, None)],
            [2, 10, 60]
        );
        // Ten minutes, half an hour, five hours.
        assert_eq!(
            [
                pause(9, 600, None),
                pause(20, 1800, None),
                pause(80, 18_000, None)
            ],
            [60, 180, 300]
        );
        assert_eq!(
            [
                pause(1, 0, Some(1)),
                pause(1, 0, Some(30)),
                pause(1, 0, Some(1 << 20))
            ],
            [2, 30, 3600]
        );
        // What an outage of six hours costs each conversation in calls.
        let (mut failures, mut passed) = (0, 0);
        while passed < 6 * 3600 {
            failures += 1;
            passed += pause(failures, passed, None).max(1);
        }
        assert!((80..100).contains(&failures), "{failures}");
    }
}
