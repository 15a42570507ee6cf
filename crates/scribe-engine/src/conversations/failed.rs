//! What a person does with failed turns: replay them once the cause is gone, or dismiss them.
//!
//! Both change S3 first and Redis then. A replay that breaks off in between is finished by the sweeper, or by the same
//! request again; a dismissal by the same request.

use jiff::Timestamp;
use scribe_core::turn::{Seq, TriggerState};
use scribe_core::{ConversationKey, MessageId, Standing, UserId};
use scribe_trigger::ledger::Replayed;
use scribe_trigger::record::unix_ms;
use scribe_trigger::{Delivery, LedgerError, TurnEvent};

use super::{ConversationError, Conversations};
use crate::copies::remove_copy;
use crate::documents::{Conversation, DocumentsError, WaitingState, WaitingTurn};

/// A turn that waits again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedTurn {
    /// Its id.
    pub message_id: MessageId,
    /// Its place in the conversation: the old one. It is woven now, not there.
    pub seq: Seq,
    /// How it will reach the summarizer.
    pub delivery: Delivery,
}

/// Why a failed turn could not be replayed or dismissed.
#[derive(Debug, thiserror::Error)]
pub enum FailedTurnError {
    /// A service failed.
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    /// The conversation has no scribe.
    #[error("the conversation has no scribe")]
    NoScribe,
    /// Nothing is known of such a turn.
    #[error("turn {0} is not known")]
    Unknown(MessageId),
    /// It is not among the failed ones.
    #[error("turn {message_id} is not among the failed ones")]
    NotFailed {
        /// Which turn.
        message_id: MessageId,
        /// Where it stands.
        state: TriggerState,
    },
    /// Its text is lost, so there is nothing to weave.
    #[error("the text of turn {0} is lost")]
    TextLost(MessageId),
}

impl From<LedgerError> for FailedTurnError {
    fn from(error: LedgerError) -> Self {
        Self::Conversation(error.into())
    }
}

impl From<DocumentsError> for FailedTurnError {
    fn from(error: DocumentsError) -> Self {
        Self::Conversation(error.into())
    }
}

impl Conversations {
    /// Lets a failed turn wait again, with all its attempts, and invokes for it. A turn that waits already is
    /// invoked for once more.
    ///
    /// # Errors
    /// [`FailedTurnError`]. The same request may be repeated.
    pub async fn replay(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
    ) -> Result<ReplayedTurn, FailedTurnError> {
        let conversation = self.conversation(key).await?;
        let parked = self.failed_turn(key, message_id).await?;
        self.replay_parked(&conversation, parked).await
    }

    /// Replays all failed turns of a conversation, in their order. One whose text is lost stays where it is.
    ///
    /// # Errors
    /// [`FailedTurnError`]; those before the one that failed wait again. The same request goes on where it stopped.
    pub async fn replay_all(&self, key: &ConversationKey) -> Result<Vec<ReplayedTurn>, FailedTurnError> {
        let conversation = self.conversation(key).await?;
        let mut replayed = Vec::new();
        for turn in self.documents.waiting_turns(key).await? {
            if turn.state == WaitingState::Parked && !turn.event.text_lost() {
                match self.replay_parked(&conversation, turn).await {
                    Ok(turn) => replayed.push(turn),
                    // It was completed in the meantime.
                    Err(FailedTurnError::NotFailed { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(replayed)
    }

    /// Forgets a failed turn for good: it is never woven, not even if an event of it comes late.
    ///
    /// # Errors
    /// [`FailedTurnError`]. The same request may be repeated.
    pub async fn dismiss(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
        user: &UserId,
    ) -> Result<(), FailedTurnError> {
        let conversation = self.documents.conversation(key).await?;
        let parked = match self.failed_turn(key, message_id).await {
            Err(FailedTurnError::Unknown(_)) if conversation.is_none() => {
                return Err(FailedTurnError::NoScribe);
            }
            parked => parked?,
        };
        if parked.state == WaitingState::Waiting {
            return Err(FailedTurnError::NotFailed {
                message_id: message_id.clone(),
                state: TriggerState::Pending,
            });
        }
        // Where the conversation ended with its document, nothing weaves it.
        if let Some((conversation, _)) = &conversation {
            self.never_weave(conversation, &parked.event, user).await?;
        }
        // What Redis caches has not got the turn in its record.
        self.ledger.drop_asset(key).await?;
        self.ledger.dismiss(key, message_id).await?;
        for turn in self.documents.owed_turn(key, message_id).await? {
            self.documents
                .remove_waiting(key, turn.event.seq, message_id)
                .await?;
        }
        Ok(())
    }

    async fn conversation(&self, key: &ConversationKey) -> Result<Conversation, FailedTurnError> {
        let found = self.documents.conversation(key).await?;
        found
            .map(|(conversation, _)| conversation)
            .ok_or(FailedTurnError::NoScribe)
    }

    /// A failed turn as S3 has it, or one that waits there already. What stands under `waiting/` decides; Redis is
    /// asked where nothing does.
    async fn failed_turn(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
    ) -> Result<WaitingTurn, FailedTurnError> {
        let found = self.documents.owed_turn(key, message_id).await?;
        if let Some(turn) = found
            .into_iter()
            .max_by_key(|turn| turn.state == WaitingState::Parked)
        {
            return Ok(turn);
        }
        let Some(trigger) = self.ledger.trigger(key, message_id).await? else {
            return Err(FailedTurnError::Unknown(message_id.clone()));
        };
        if trigger.state != TriggerState::Failed {
            return Err(FailedTurnError::NotFailed {
                message_id: message_id.clone(),
                state: trigger.state,
            });
        }
        Ok(WaitingTurn {
            event: TurnEvent::new(&trigger.turn(key), None),
            state: WaitingState::Parked,
            reason: trigger.reason,
        })
    }

    async fn replay_parked(
        &self,
        conversation: &Conversation,
        turn: WaitingTurn,
    ) -> Result<ReplayedTurn, FailedTurnError> {
        let WaitingTurn { mut event, state, .. } = turn;
        let key = event.key();
        if event.text_lost() {
            return Err(FailedTurnError::TextLost(event.message_id));
        }
        if state == WaitingState::Parked {
            self.documents.unpark_waiting(&event).await?;
        }
        match self.ledger.replay(&key, &event.trigger()).await? {
            Replayed::Queued(trigger) => event.seq = trigger.seq,
            Replayed::NotFailed(TriggerState::Processed) => {
                remove_copy(&self.documents, &event).await;
                return Err(FailedTurnError::NotFailed {
                    message_id: event.message_id,
                    state: TriggerState::Processed,
                });
            }
            Replayed::NotFailed(_) => {}
        }
        let now = unix_ms(Timestamp::now());
        event.text_asset_id = Some(conversation.text_asset_id.clone());
        let (noted, invoked) = tokio::join!(
            self.ledger.note_backlog(&key, now),
            self.dispatcher.invoke(&event)
        );
        let delivery = match invoked {
            Ok(()) => Delivery::Invoked,
            Err(error) => {
                noted?;
                tracing::warn!(
                    turn.id = %event.message_id,
                    conversation.id = %key,
                    "replayed turn {} waits for the sweeper: {error}",
                    event.message_id
                );
                Delivery::Deferred
            }
        };
        Ok(ReplayedTurn {
            message_id: event.message_id,
            seq: event.seq,
            delivery,
        })
    }

    /// Puts the turn into the document's record without weaving it. A document that is gone weaves nothing anyway.
    async fn never_weave(
        &self,
        conversation: &Conversation,
        event: &TurnEvent,
        user: &UserId,
    ) -> Result<(), FailedTurnError> {
        let name = &conversation.conversation_id;
        self.change_document(
            &conversation.tenant_id,
            &conversation.text_asset_id,
            user,
            |_, state| {
                let is_new = state.record.standing(name, &event.message_id, event.seq) != Standing::Applied;
                if is_new {
                    state.record.dismiss(name, event.message_id.clone(), event.seq);
                }
                is_new
            },
        )
        .await?;
        Ok(())
    }
}
