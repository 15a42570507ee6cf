//! How streams of events behave, and what ends them all.

use std::sync::Arc;
use std::time::Duration;

use scribe_trigger::ConfigError;
use scribe_trigger::config::{milliseconds, optional};
use tokio::sync::watch;

use super::lookout::Lookouts;

/// How a stream of events behaves.
#[derive(Debug, Clone)]
pub struct EventSettings {
    /// `SCRIBE_EVENTS_HEARTBEAT_MS`: after this long without an event a comment is sent.
    pub heartbeat: Duration,
    /// `SCRIBE_EVENTS_RETRY_MS`: how long a reader waits before it comes back.
    pub retry: Duration,
    /// `SCRIBE_EVENTS_LOOK_MS`: how often a document's ETag is asked for while Redis can't be reached, for all its
    /// readers in a process together.
    pub look_every: Duration,
    /// `SCRIBE_EVENTS_LIMIT_S`: after this long a stream ends and its reader comes back; never where it is not set.
    pub limit: Option<Duration>,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            retry: Duration::from_secs(2),
            look_every: Duration::from_secs(5),
            limit: None,
        }
    }
}

impl EventSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let default = Self::default();
        let limit = match optional::<u64>("SCRIBE_EVENTS_LIMIT_S")? {
            Some(0) => {
                return Err(ConfigError::Invalid {
                    variable: "SCRIBE_EVENTS_LIMIT_S",
                    reason: "it must be at least 1".into(),
                });
            }
            limit => limit.map(Duration::from_secs),
        };
        Ok(Self {
            heartbeat: milliseconds("SCRIBE_EVENTS_HEARTBEAT_MS", default.heartbeat)?,
            retry: milliseconds("SCRIBE_EVENTS_RETRY_MS", default.retry)?,
            look_every: milliseconds("SCRIBE_EVENTS_LOOK_MS", default.look_every)?,
            limit,
        })
    }
}

/// What the streams of a process share.
#[derive(Debug, Clone, Default)]
pub struct Events {
    settings: EventSettings,
    stopping: Stopping,
    lookouts: Arc<Lookouts>,
}

impl Events {
    /// Streams that end when the service stops.
    #[must_use]
    pub fn new(settings: EventSettings, stopping: Stopping) -> Self {
        Self {
            settings,
            stopping,
            lookouts: Arc::default(),
        }
    }

    pub(super) fn settings(&self) -> &EventSettings {
        &self.settings
    }

    pub(super) fn stopping(&self) -> &Stopping {
        &self.stopping
    }

    pub(super) fn lookouts(&self) -> &Lookouts {
        &self.lookouts
    }
}

/// Ends all streams, when it is told to or dropped: a server that stops gracefully waits for its answers, and these have
/// no end of their own.
#[derive(Debug)]
pub struct Stop {
    _held: watch::Sender<()>,
}

impl Stop {
    /// Ends all streams.
    pub fn stop(self) {}
}

/// What streams watch for their end. By default it never comes.
#[derive(Debug, Clone, Default)]
pub struct Stopping(Option<watch::Receiver<()>>);

impl Stopping {
    /// Waits until the service stops.
    pub(super) async fn stopped(&self) {
        match self.0.clone() {
            // Nothing is ever sent: the sender is dropped.
            Some(mut held) => while held.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }
}

/// The two ends of a stop.
#[must_use]
pub fn stopping() -> (Stop, Stopping) {
    let (held, watched) = watch::channel(());
    (Stop { _held: held }, Stopping(Some(watched)))
}
