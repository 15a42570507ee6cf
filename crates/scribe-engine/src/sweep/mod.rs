//! The sweeper: it brings back what nobody is invoked for any more.
//!
//! A turn whose invoke failed, whose event Lambda gave up, or whose chain of hand-ons broke waits in Redis or under
//! S3's `waiting/`. One *look* goes over both: first over `waiting/`, which gives back to Redis what Redis has forgotten
//! and removes what is in its document already; then over the backlog, invoking for every conversation whose oldest
//! turn has waited too long. A look is harmless at any time, twice at once too: whatever it does is decided again, by
//! a script or by the document's record, at the moment when it is done.
//!
//! It costs one LIST, and for each conversation that owes or waits a few requests; conversations that do neither cost
//! nothing, however many there are. What can go wrong: Redis or S3 is out of reach, then the other half is still done
//! and the look fails; one conversation's objects can't be read, then it is named in the log and the others go on.

mod backlog;
mod owed;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::AtomicU8;
use std::time::Duration;

use jiff::Timestamp;
use lru::LruCache;
use scribe_core::turn::ScribeTrigger;
use scribe_core::{ConversationKey, Standing};
use scribe_trigger::config::{ConfigError, milliseconds};
use scribe_trigger::{Dispatcher, Ledger, LedgerError, TriggerConfig, TurnEvent};
use tokio::time::Instant;

use crate::config::{DocumentsConfig, Patience};
use crate::copies::tell_of_copy;
use crate::documents::{Conversation, Documents, DocumentsError, Fetched, StoredAsset};

/// How many documents with parked turns are remembered, so that an unchanged one is not read again.
const SEEN_DOCUMENTS: usize = 4096;

/// When the sweeper looks, and what it calls long.
#[derive(Debug, Clone)]
pub struct SweepConfig {
    /// `SCRIBE_SWEEP_EVERY_MS`: from one look to the next.
    pub every: Duration,
    /// `SCRIBE_SWEEP_AFTER_MS`: how long a turn waits before the sweeper invokes for it.
    pub after: Duration,
    /// `SCRIBE_WAITING_AGE_MS`: how old an object under `waiting/` must be to be looked at, and a backlog entry to be
    /// removed.
    pub waiting_age: Duration,
    /// The pauses between invocations for the same turn.
    pub patience: Patience,
}

impl Default for SweepConfig {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(20),
            after: Duration::from_secs(20),
            waiting_age: Duration::from_secs(60),
            patience: Patience::default(),
        }
    }
}

impl SweepConfig {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let default = Self::default();
        Ok(Self {
            every: milliseconds("SCRIBE_SWEEP_EVERY_MS", default.every)?,
            after: milliseconds("SCRIBE_SWEEP_AFTER_MS", default.after)?,
            waiting_age: milliseconds("SCRIBE_WAITING_AGE_MS", default.waiting_age)?,
            patience: Patience::from_env()?,
        })
    }

    /// Checks it against what else is configured.
    ///
    /// # Errors
    /// [`ConfigError::Contradiction`].
    pub fn check(&self, trigger: &TriggerConfig) -> Result<(), ConfigError> {
        // An entry of the backlog is written after the queue, each within one command's time.
        if self.waiting_age < trigger.redis_timeout * 4 {
            return Err(ConfigError::Contradiction {
                first: "SCRIBE_WAITING_AGE_MS",
                second: "SCRIBE_REDIS_TIMEOUT_MS",
                reason:
                    "the sweeper must not forget a conversation while one of its turns is being recorded, \
                         which takes up to four commands' time"
                        .into(),
            });
        }
        Ok(())
    }
}

/// What a look did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Conversations that somebody was invoked for.
    pub invoked: u32,
    /// Conversations that Lambda was not invoked for, because it refused.
    pub refused: u32,
    /// Turns that were given back to Redis.
    pub requeued: u32,
    /// Turns that stood in Redis alone and now under `waiting/` as well.
    pub copied: u32,
    /// Copies of turns that were removed, because the turns are in their documents or owed nowhere.
    pub removed: u32,
    /// Turns that were parked, because nobody can tell whether they are in their document, or because their text is
    /// lost.
    pub parked: u32,
    /// Conversations that could not be looked at.
    pub failed: u32,
    /// Whether the time was over before everything was looked at. The next look begins elsewhere.
    pub cut_short: bool,
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, other: Self) {
        self.invoked += other.invoked;
        self.refused += other.refused;
        self.requeued += other.requeued;
        self.copied += other.copied;
        self.removed += other.removed;
        self.parked += other.parked;
        self.failed += other.failed;
        self.cut_short |= other.cut_short;
    }
}

/// Why a look, or a part of it, failed. The next one does what this one did not.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Redis could not be used.
    #[error("the sweeper can't use redis: {0}")]
    Ledger(#[from] LedgerError),
    /// S3 could not be used.
    #[error("the sweeper can't use s3: {0}")]
    Documents(#[from] DocumentsError),
}

impl SweepError {
    /// The name that Lambda reports as the error's type.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Ledger(_) => "Scribe.SweepWithoutRedis",
            Self::Documents(_) => "Scribe.SweepWithoutStorage",
        }
    }
}

/// What became of an event that Lambda gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// Its turn stands under `waiting/` now, or stood there.
    Kept,
    /// Its turn is in the document.
    Applied,
    /// Its conversation has no scribe, so the turn is owed nowhere.
    NotOwed,
}

/// Looks for what was left behind. One for the process.
#[derive(Debug)]
pub struct Sweeper {
    ledger: Ledger,
    dispatcher: Dispatcher,
    documents: Documents,
    config: SweepConfig,
    /// The shard with which the next look begins.
    first_shard: AtomicU8,
    /// With which version of its document a conversation's parked turns were compared, and when the newest of them was
    /// written.
    seen: Mutex<LruCache<ConversationKey, (String, Timestamp)>>,
}

impl Sweeper {
    /// Sets up the clients; none of them connects yet.
    ///
    /// # Errors
    /// [`SweeperSetupError`] if a setting can't be used.
    pub async fn from_env() -> Result<Self, SweeperSetupError> {
        let trigger = TriggerConfig::from_env()?;
        let documents = DocumentsConfig::from_env()?;
        let config = SweepConfig::from_env()?;
        config.check(&trigger)?;
        let ledger = Ledger::connect(&trigger)?;
        let (dispatcher, documents) =
            tokio::join!(Dispatcher::from_env(&trigger), Documents::from_env(&documents));
        Ok(Self::new(ledger, dispatcher, documents, config))
    }

    /// A sweeper over clients that the caller has.
    #[must_use]
    pub fn new(ledger: Ledger, dispatcher: Dispatcher, documents: Documents, config: SweepConfig) -> Self {
        Self {
            ledger,
            dispatcher,
            documents,
            config,
            first_shard: AtomicU8::new(0),
            seen: Mutex::new(LruCache::new(
                NonZeroUsize::new(SEEN_DOCUMENTS).unwrap_or(NonZeroUsize::MIN),
            )),
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &SweepConfig {
        &self.config
    }

    /// Looks once. `now` is compared with when turns were recorded and objects written; no new conversation is begun
    /// after `until`.
    ///
    /// # Errors
    /// [`SweepError`] if Redis or S3 could not be used. What the other half allowed is done.
    pub async fn look(&self, now: Timestamp, until: Instant) -> Result<Swept, SweepError> {
        let mut swept = Swept::default();
        let mut waiting = BTreeSet::new();
        let owed = self.look_at_owed(now, until, &mut waiting, &mut swept).await;
        let backlog = self.look_at_backlog(now, until, waiting, &mut swept).await;
        owed.and(backlog).map(|()| swept)
    }

    /// Takes over an event that Lambda gave up: its turn is put under `waiting/`, unless it is in the document, or
    /// parked.
    ///
    /// # Errors
    /// [`SweepError::Documents`]: the event must stay where it is.
    pub async fn take_given_up(&self, event: &TurnEvent) -> Result<GivenUp, SweepError> {
        let key = event.key();
        let Some((conversation, _)) = self.documents.conversation(&key).await? else {
            return Ok(GivenUp::NotOwed);
        };
        let document = self.document(&conversation).await?;
        let record = self.record(&conversation, document.as_ref()).await?;
        if record.standing(&key.conversation, &event.message_id, event.seq) == Standing::Applied {
            let applied = ScribeTrigger {
                late: record.came_late(&key.conversation, &event.message_id),
                ..event.trigger()
            };
            // Redis is told so that lists are right at once; a claim would find it out.
            if let Err(error) = self.ledger.mark_processed(&key, &applied).await {
                tracing::info!(conversation.id = %key, "redis was not told of turn {}: {error}", event.message_id);
            }
            return Ok(GivenUp::Applied);
        }
        self.documents.put_waiting(event).await?;
        tell_of_copy(&self.ledger, &self.documents, event).await;
        Ok(GivenUp::Kept)
    }

    async fn document(&self, conversation: &Conversation) -> Result<Option<StoredAsset>, DocumentsError> {
        let fetched = self
            .documents
            .asset(&conversation.tenant_id, &conversation.text_asset_id, None)
            .await?;
        Ok(match fetched {
            Fetched::Found(stored) => Some(*stored),
            Fetched::NotModified | Fetched::Absent => None,
        })
    }

    /// The document's record; recovered where another program wrote the document without it.
    async fn record(
        &self,
        conversation: &Conversation,
        document: Option<&StoredAsset>,
    ) -> Result<scribe_core::Record, DocumentsError> {
        match document {
            None => Ok(scribe_core::Record::default()),
            Some(StoredAsset { asset, .. }) => match &asset.scribe {
                Some(state) => Ok(state.record.clone()),
                None => {
                    let state = self
                        .documents
                        .recover_state(&conversation.tenant_id, &asset.id)
                        .await?;
                    Ok(state.record)
                }
            },
        }
    }
}

/// Why a sweeper could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SweeperSetupError {
    /// A setting can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Redis' URL can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
