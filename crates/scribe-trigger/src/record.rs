//! Recording a turn: Redis, then Lambda.
//!
//! Both calls have short deadlines, and neither failing loses the turn:
//!
//! | Redis | Lambda | answer |
//! |---|---|---|
//! | took it | took it | [`Delivery::Invoked`] |
//! | took it | failed | [`Delivery::Deferred`]: the sweeper brings it |
//! | failed | took it | [`Delivery::Direct`]: the event alone carries it; it may come late |
//! | failed | failed | [`RecordError::Unavailable`]: send it again under the same id |

use std::time::Duration;

use jiff::Timestamp;
use scribe_core::catch_up::Earlier;
use scribe_core::turn::{ScribeTrigger, Seq, TriggerState, Turn, TurnError};
use scribe_core::{ConversationId, ConversationKey, MessageId, TenantId};
use serde::Serialize;

use crate::config::TriggerConfig;
use crate::dispatch::Dispatcher;
use crate::event::TurnEvent;
use crate::ledger::{Ledger, LedgerError, Noted, RecordOutcome};

/// A turn that is to be recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnRequest {
    /// Which conversation.
    pub conversation: ConversationKey,
    /// The turn's id in the conversation. The same id again is the same turn.
    pub message_id: MessageId,
    /// What was said before, where no turn brought it.
    pub earlier: Vec<Earlier>,
    /// What the person said.
    pub user_message: String,
    /// What the assistant answered.
    pub assistant_response: String,
    /// When it was said, ISO 8601.
    pub timestamp: String,
    /// The turn that it is said instead of.
    pub replaces: Option<MessageId>,
}

impl TurnRequest {
    /// A turn that was said just now.
    #[must_use]
    pub fn new(
        tenant: TenantId,
        conversation: ConversationId,
        message_id: MessageId,
        user_message: String,
        assistant_response: String,
    ) -> Self {
        Self {
            conversation: ConversationKey::new(tenant, conversation),
            message_id,
            earlier: Vec::new(),
            user_message,
            assistant_response,
            timestamp: iso(Timestamp::now()),
            replaces: None,
        }
    }

    /// The same with what was said before it.
    #[must_use]
    pub fn after(self, earlier: Vec<Earlier>) -> Self {
        Self { earlier, ..self }
    }

    /// The same, said instead of another turn of the conversation: a regenerated answer, or an edited message. That turn
    /// is taken back before this one is woven, as far as nobody built on it, and is never woven if it was not yet.
    #[must_use]
    pub fn replacing(self, message_id: MessageId) -> Self {
        Self {
            replaces: Some(message_id),
            ..self
        }
    }

    /// Whether it would be taken. [`Recorder::record`] checks the same; this is for callers that record several and
    /// want all of them or none.
    ///
    /// # Errors
    /// [`RecordError::Texts`], [`RecordError::Encoded`] or [`RecordError::ReplacesItself`].
    pub fn check(&self) -> Result<(), RecordError> {
        self.clone().checked().map(drop)
    }

    fn checked(self) -> Result<Turn, RecordError> {
        Turn::check_texts(&self.earlier, &self.user_message, &self.assistant_response)?;
        if self.replaces.as_ref() == Some(&self.message_id) {
            return Err(RecordError::ReplacesItself {
                message_id: self.message_id,
            });
        }
        let turn = Turn {
            conversation: self.conversation,
            message_id: self.message_id,
            seq: Seq(u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default()),
            earlier: self.earlier,
            user_message: self.user_message,
            assistant_response: self.assistant_response,
            timestamp: self.timestamp,
            replaces: self.replaces,
        };
        match TurnEvent::new(&turn, None).too_large() {
            Some(bytes) => Err(RecordError::Encoded { bytes }),
            None => Ok(turn),
        }
    }
}

/// An instant as the spec writes it: ISO 8601 in UTC with milliseconds.
#[must_use]
pub fn iso(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// An instant as Redis' entries have it: milliseconds since 1970.
#[must_use]
pub fn unix_ms(instant: Timestamp) -> u64 {
    u64::try_from(instant.as_millisecond()).unwrap_or_default()
}

/// How a turn will reach the summarizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Redis has it and Lambda has its event.
    Invoked,
    /// Redis has it; Lambda could not be reached, the sweeper will bring it.
    Deferred,
    /// Redis could not be reached; Lambda's event alone carries it.
    Direct,
    /// The scribe is switched off: nothing was recorded.
    Off,
    /// The conversation has no scribe: nothing was recorded.
    None,
}

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the conversation; none where nothing was recorded.
    pub seq: Option<Seq>,
    /// How it will reach the summarizer.
    pub delivery: Delivery,
    /// Whether the id is known to stand for these texts alone. If not, Redis has forgotten turns of the conversation or
    /// was not asked: a turn of this id and with other texts may be in the document, and then this one comes too late
    /// to be written under it.
    pub certain: bool,
}

/// Why a turn was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The texts can't be a turn.
    #[error(transparent)]
    Texts(#[from] TurnError),
    /// The texts are within their limit, but not when they are encoded as JSON.
    #[error(
        "the turn has {bytes} bytes as JSON, more than lambda's queue takes; does it hold control characters?"
    )]
    Encoded {
        /// How large it is, in bytes.
        bytes: usize,
    },
    /// A turn can't be said instead of itself.
    #[error("turn {message_id} can't replace itself")]
    ReplacesItself {
        /// The id.
        message_id: MessageId,
    },
    /// The id stands for another turn already: with other texts, or instead of another one.
    #[error("messageId {message_id} was recorded before with other texts, or to replace another turn")]
    OtherText {
        /// The id.
        message_id: MessageId,
    },
    /// Neither Redis nor Lambda took it in time. Sent again under the same id it is the same turn.
    #[error("turn {message_id} was not taken: {redis}; {lambda}; send it again under the same id")]
    Unavailable {
        /// The id.
        message_id: MessageId,
        /// What failed first.
        #[source]
        redis: LedgerError,
        /// What failed then.
        lambda: String,
    },
}

/// Records turns: all that the API side of a chat needs.
#[derive(Debug, Clone)]
pub struct Recorder {
    ledger: Ledger,
    dispatcher: Dispatcher,
    redis_timeout: Duration,
}

impl Recorder {
    /// Connects to Redis (in the background, so that a dead Redis does not stop the start) and sets up Lambda's client.
    ///
    /// # Errors
    /// [`LedgerError`] if the Redis URL can't be used.
    pub async fn connect(config: &TriggerConfig) -> Result<Self, LedgerError> {
        Ok(Self::new(
            Ledger::connect(config)?,
            Dispatcher::from_env(config).await,
            config,
        ))
    }

    /// A recorder over parts that the caller has.
    #[must_use]
    pub fn new(ledger: Ledger, dispatcher: Dispatcher, config: &TriggerConfig) -> Self {
        Self {
            ledger,
            dispatcher,
            redis_timeout: config.redis_timeout,
        }
    }

    /// Records a turn and invokes the summarizer for it.
    ///
    /// The same id and texts again change nothing and answer as the first time; while the turn waits, the
    /// summarizer is invoked once more, since the caller may be repeating itself because the first try failed
    /// half-way.
    ///
    /// # Errors
    /// [`RecordError`]. Nothing is half-written: on any error the turn may be sent again under the same id.
    pub async fn record(&self, request: TurnRequest) -> Result<Recorded, RecordError> {
        self.record_asking(request, async { None }).await
    }

    /// The same for callers who want to know whether the conversation has a scribe at all: `has_scribe` is asked where
    /// Redis does not know it, and while Lambda is invoked. If it has none, the turn will be dropped, and
    /// [`Delivery::None`] says so.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn record_asking(
        &self,
        request: TurnRequest,
        has_scribe: impl Future<Output = Option<bool>>,
    ) -> Result<Recorded, RecordError> {
        let mut turn = request.checked()?;
        let stored = match self.store(&turn).await {
            Ok(outcome) => outcome,
            Err(redis) => return self.deliver_directly(&turn, redis).await,
        };
        let (seq, text_asset_id, certain) = match stored {
            RecordOutcome::Recorded {
                seq,
                text_asset_id,
                certain,
            } => (seq, text_asset_id, certain),
            RecordOutcome::Same {
                seq,
                state: TriggerState::Pending | TriggerState::Processing,
                text_asset_id,
                certain,
            } => (seq, text_asset_id, certain),
            RecordOutcome::Same { seq, certain, .. } => {
                return Ok(Recorded {
                    seq: Some(seq),
                    delivery: Delivery::Invoked,
                    certain,
                });
            }
            RecordOutcome::OtherText => {
                return Err(RecordError::OtherText {
                    message_id: turn.message_id,
                });
            }
            RecordOutcome::Off => {
                return Ok(Recorded {
                    seq: None,
                    delivery: Delivery::Off,
                    certain: true,
                });
            }
            RecordOutcome::NoScribe => {
                return Ok(Recorded {
                    seq: None,
                    delivery: Delivery::None,
                    certain: true,
                });
            }
        };
        turn.seq = seq;
        let is_known = text_asset_id.is_some();
        let event = TurnEvent::new(&turn, text_asset_id);
        let has_scribe = async { if is_known { None } else { has_scribe.await } };
        let (noted, invoked, has_scribe) =
            tokio::join!(self.note(&turn), self.dispatcher.invoke(&event), has_scribe);
        match (noted, invoked) {
            // The summarizer finds the same out, and forgets the turn.
            _ if has_scribe == Some(false) => Ok(Recorded {
                seq: None,
                delivery: Delivery::None,
                certain: true,
            }),
            (_, Ok(())) => Ok(Recorded {
                seq: Some(seq),
                delivery: Delivery::Invoked,
                certain,
            }),
            (Ok(()), Err(lambda)) => {
                tracing::warn!(
                    turn.id = %turn.message_id,
                    conversation.id = %turn.conversation,
                    "turn {} waits for the sweeper: {lambda}",
                    turn.message_id
                );
                Ok(Recorded {
                    seq: Some(seq),
                    delivery: Delivery::Deferred,
                    certain,
                })
            }
            // Redis has the turn, but neither an event nor the sweeper's list points to it.
            (Err(redis), Err(lambda)) => Err(RecordError::Unavailable {
                message_id: turn.message_id,
                redis,
                lambda: lambda.to_string(),
            }),
        }
    }

    /// Lists a turn that never became whole, with the reason. It is never invoked for. Failing to do so is only logged:
    /// nothing is owed.
    pub async fn note_incomplete(&self, key: &ConversationKey, message_id: &MessageId, reason: &str) {
        let timestamp = iso(Timestamp::now());
        let note = self.ledger.note_incomplete(key, message_id, &timestamp, reason);
        let noted = tokio::time::timeout(self.redis_timeout, note)
            .await
            .unwrap_or(Err(LedgerError::TimedOut));
        match noted {
            Ok(Noted::Noted) => tracing::info!(
                turn.id = %message_id,
                conversation.id = %key,
                "turn {message_id} of {key} is incomplete: {reason}"
            ),
            Ok(Noted::Known | Noted::Off | Noted::NoScribe) => {}
            Err(error) => tracing::warn!(
                turn.id = %message_id,
                conversation.id = %key,
                "turn {message_id} of {key} is incomplete ({reason}) and could not be listed: {error}"
            ),
        }
    }

    async fn store(&self, turn: &Turn) -> Result<RecordOutcome, LedgerError> {
        let trigger = ScribeTrigger::pending(turn);
        let record = self.ledger.record(&turn.conversation, &trigger);
        tokio::time::timeout(self.redis_timeout, record)
            .await
            .unwrap_or(Err(LedgerError::TimedOut))
    }

    async fn note(&self, turn: &Turn) -> Result<(), LedgerError> {
        let note = self.ledger.note_backlog(&turn.conversation, turn.seq.as_millis());
        tokio::time::timeout(self.redis_timeout, note)
            .await
            .unwrap_or(Err(LedgerError::TimedOut))
    }

    async fn deliver_directly(&self, turn: &Turn, redis: LedgerError) -> Result<Recorded, RecordError> {
        tracing::warn!(
            turn.id = %turn.message_id,
            conversation.id = %turn.conversation,
            "turn {} goes to the summarizer without Redis: {redis}",
            turn.message_id
        );
        match self.dispatcher.invoke(&TurnEvent::new(turn, None)).await {
            Ok(()) => Ok(Recorded {
                seq: Some(turn.seq),
                delivery: Delivery::Direct,
                certain: false,
            }),
            Err(lambda) => Err(RecordError::Unavailable {
                message_id: turn.message_id.clone(),
                redis,
                lambda: lambda.to_string(),
            }),
        }
    }
}
