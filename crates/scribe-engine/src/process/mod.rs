//! One invocation: a permit to process one turn, whichever of its conversation is oldest.
//!
//! The steps are claim, read, model, commit, complete, hand on. The conditional PUT is the only commit point: the
//! document and the record of the turns in it are one object. Whatever way an invocation ends well, `settle` sees to it
//! that the event's own turn still stands in two places, or is where it belongs.

mod answering;
mod attempt;
mod commit;
mod ending;
mod failure;
mod lease;
mod live;
mod replacing;
mod revive;
mod settle;
mod spent;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_core::{AssetId, ConversationKey, MessageId, TenantId};
use scribe_trigger::ledger::{Claim, ClaimRequest, Claimed};
use scribe_trigger::{Dispatcher, Ledger, LedgerError, TurnEvent};
use tokio::time::Instant;

use crate::config::EngineConfig;
use crate::documents::{Documents, StoredAsset};
use crate::narrator::{Narrator, NarratorError};
use lease::Lease;

pub use failure::{Service, TurnFailure};

/// How many documents a process holds, so that a warm turn needs no S3 GET.
const HELD_DOCUMENTS: usize = 16;

/// How an invocation ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A turn was written.
    Written {
        /// Which one: the oldest, not necessarily the event's own.
        message_id: MessageId,
        /// Whether it came after turns that were recorded later.
        late: bool,
    },
    /// The oldest waiting turn was in the document already; no model was asked.
    AlreadyWritten {
        /// Which one.
        message_id: MessageId,
    },
    /// The oldest waiting turn was parked.
    Parked {
        /// Which one.
        message_id: MessageId,
    },
    /// Another invocation is writing, or the conversation pauses.
    Busy,
    /// No turn waits.
    Nothing,
    /// The scribe is switched off; the turn is kept.
    Disabled,
    /// The conversation has no scribe; nothing is owed.
    NoScribe,
    /// Redis could not be reached; the turn is kept under `waiting/`.
    RedisUnreachable,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Written {
                message_id,
                late: false,
            } => write!(f, "turn {message_id} was written"),
            Self::Written {
                message_id,
                late: true,
            } => write!(f, "turn {message_id} was written, late"),
            Self::AlreadyWritten { message_id } => write!(f, "turn {message_id} was in the document already"),
            Self::Parked { message_id } => write!(f, "turn {message_id} was parked"),
            Self::Busy => f.write_str("another invocation is writing, or the conversation pauses"),
            Self::Nothing => f.write_str("no turn waits"),
            Self::Disabled => f.write_str("the scribe is switched off"),
            Self::NoScribe => f.write_str("the conversation has no scribe"),
            Self::RedisUnreachable => f.write_str("redis is out of reach"),
        }
    }
}

type Held = Mutex<LruCache<(TenantId, AssetId), Arc<StoredAsset>>>;

/// All that processing a turn needs. One for the process; any number of invocations may use it at once.
#[derive(Debug)]
pub struct Engine {
    ledger: Ledger,
    dispatcher: Dispatcher,
    documents: Documents,
    narrator: Narrator,
    config: EngineConfig,
    held: Held,
}

/// Why an engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Redis' URL can't be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The model's client can't be set up.
    #[error("the model's client can't be set up: {0}")]
    Narrator(#[from] NarratorError),
}

impl Engine {
    /// Sets up the clients. None of them connects yet, so a service that is down does not stop the start.
    ///
    /// # Errors
    /// [`SetupError`] if a client refuses its settings.
    pub async fn connect(config: EngineConfig) -> Result<Self, SetupError> {
        let ledger = Ledger::connect(&config.trigger)?;
        let narrator = Narrator::new(config.narrator.clone())?;
        let (dispatcher, documents) = tokio::join!(
            Dispatcher::from_env(&config.trigger),
            Documents::from_env(&config.documents)
        );
        Ok(Self::new(ledger, dispatcher, documents, narrator, config))
    }

    /// An engine over clients that the caller has.
    #[must_use]
    pub fn new(
        ledger: Ledger,
        dispatcher: Dispatcher,
        documents: Documents,
        narrator: Narrator,
        config: EngineConfig,
    ) -> Self {
        let capacity = NonZeroUsize::new(HELD_DOCUMENTS).unwrap_or(NonZeroUsize::MIN);
        Self {
            ledger,
            dispatcher,
            documents,
            narrator,
            config,
            held: Mutex::new(LruCache::new(capacity)),
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Processes one turn of the event's conversation, then settles the event's own.
    ///
    /// # Errors
    /// [`TurnFailure`]: Lambda is to keep the event and try again.
    pub async fn process_turn(&self, event: &TurnEvent, deadline: Instant) -> Result<Outcome, TurnFailure> {
        let mut own = settle::Own::default();
        let outcome = self.work(event, deadline, &mut own).await?;
        self.settle(event, own).await?;
        Ok(outcome)
    }

    async fn work(
        &self,
        event: &TurnEvent,
        deadline: Instant,
        own: &mut settle::Own,
    ) -> Result<Outcome, TurnFailure> {
        let key = event.key();
        let token = Lease::token();
        let trigger = event.trigger();
        let mut claim = self.claim(&key, event, &trigger, &token).await;
        if matches!(
            &claim,
            Ok(Claim {
                claimed: Claimed::NoSession,
                ..
            })
        ) {
            match self.revive(&key).await {
                Ok(()) => claim = self.claim(&key, event, &trigger, &token).await,
                Err(revive::ReviveError::Redis(error)) => claim = Err(error),
                Err(revive::ReviveError::Storage(error)) => {
                    return Err(TurnFailure::NotLookedUp {
                        message_id: event.message_id.clone(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        let claim = match claim {
            Ok(claim) => claim,
            Err(error) => {
                tracing::warn!(
                    turn.id = %event.message_id,
                    conversation.id = %key,
                    "turn {} is kept under waiting/, because redis can't be used: {error}",
                    event.message_id
                );
                // The claim may have been done although its answer was lost; a lease that nobody knows of would make
                // the next event end as busy.
                let _ = self.ledger.unclaim(&key, &token).await;
                return Ok(Outcome::RedisUnreachable);
            }
        };
        own.note(claim.own);
        match claim.claimed {
            Claimed::Turn {
                trigger,
                message_id,
                seq,
                session,
                etag,
                asset,
            } => {
                let lease = Lease::keep(&self.ledger, &key, token, deadline);
                let given = attempt::Given {
                    trigger,
                    message_id,
                    seq,
                    session: *session,
                    etag,
                    asset,
                };
                self.attempt(event, given, lease, deadline, own).await
            }
            Claimed::Busy { .. } => Ok(Outcome::Busy),
            Claimed::Nothing => Ok(Outcome::Nothing),
            Claimed::Disabled => Ok(Outcome::Disabled),
            Claimed::NoScribe => {
                self.owed_nowhere(event, own).await?;
                Ok(Outcome::NoScribe)
            }
            // Reviving left a session or a mark; if it is gone again, Redis is forgetting right now.
            Claimed::NoSession => Ok(Outcome::RedisUnreachable),
        }
    }

    async fn claim(
        &self,
        key: &ConversationKey,
        event: &TurnEvent,
        own: &ScribeTrigger,
        token: &str,
    ) -> Result<Claim, LedgerError> {
        let held = event
            .text_asset_id
            .as_ref()
            .and_then(|id| self.held(&key.tenant, id))
            .map(|held| held.etag.clone());
        self.ledger
            .claim(
                key,
                &ClaimRequest {
                    own,
                    token,
                    held_etag: held.as_deref(),
                },
            )
            .await
    }

    fn held(&self, tenant: &TenantId, id: &AssetId) -> Option<Arc<StoredAsset>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&(tenant.clone(), id.clone())).cloned()
    }

    fn hold(&self, tenant: &TenantId, asset: Arc<StoredAsset>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.put((tenant.clone(), asset.asset.id.clone()), asset);
    }

    fn drop_held(&self, tenant: &TenantId, id: &AssetId) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.pop(&(tenant.clone(), id.clone()));
    }

    /// Invokes for the next waiting turn, within the bound of a chain. A failure is the sweeper's to mend.
    async fn hand_on(&self, event: &TurnEvent, asset: &AssetId, next: Option<Box<ScribeTrigger>>) {
        let Some(next) = next else { return };
        if event.handed_on >= self.config.max_chain {
            tracing::info!(
                conversation.id = %event.key(),
                "{} invocations handed on to each other, turn {} waits for its own event or the sweeper",
                event.handed_on,
                next.message_id
            );
            return;
        }
        let mut handed = TurnEvent::new(&next.turn(&event.key()), Some(asset.clone()));
        handed.handed_on = event.handed_on + 1;
        if let Err(error) = self.dispatcher.invoke(&handed).await {
            tracing::warn!(
                turn.id = %next.message_id,
                conversation.id = %event.key(),
                "turn {} was not handed on and waits for its own event or the sweeper: {error}",
                next.message_id
            );
        }
    }
}

/// Whether a state means that a turn is where it belongs.
fn is_settled(state: Option<TriggerState>) -> bool {
    // A parked turn's object is written before Redis says so, a processed one's document too.
    matches!(state, Some(TriggerState::Processed | TriggerState::Failed))
}
