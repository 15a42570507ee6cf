//! The settle rule: an invocation succeeds only when its own turn is in the document's record, is parked, or stands
//! under `waiting/`.
//!
//! One function at the end of every way through the handler sees to that: busy, nothing to do, switched off, an older
//! turn taken, a turn parked. It asks whether the turn is *settled*, never whether it waits, and it writes when it
//! does not know: Redis may have forgotten the turn between any two steps.

use scribe_core::MessageId;
use scribe_core::turn::TriggerState;
use scribe_trigger::TurnEvent;

use super::{Engine, TurnFailure, is_settled};

/// What an invocation learned of its event's own turn.
#[derive(Debug, Default)]
pub(super) struct Own {
    settled: bool,
}

impl Own {
    /// Redis said where it stands.
    pub(super) fn note(&mut self, state: Option<TriggerState>) {
        self.settled |= is_settled(state);
    }

    /// A turn was seen in the record, written, or parked.
    pub(super) fn saw(&mut self, event: &TurnEvent, message_id: &MessageId) {
        self.settled |= event.message_id == *message_id;
    }

    /// The conversation has no scribe, so the turn is owed nowhere.
    pub(super) fn not_owed(&mut self) {
        self.settled = true;
    }
}

impl Engine {
    pub(super) async fn settle(&self, event: &TurnEvent, own: Own) -> Result<(), TurnFailure> {
        if own.settled {
            return Ok(());
        }
        self.documents
            .put_waiting(event)
            .await
            .map_err(|error| TurnFailure::NotSettled {
                message_id: event.message_id.clone(),
                reason: error.to_string(),
            })?;
        self.tell_of_copy(event).await;
        Ok(())
    }

    /// Tells Redis that a copy of a turn stands under `waiting/`, so that whoever completes the turn removes it. If it
    /// was completed in between, the copy is removed here. What Redis can't be told the sweeper finds.
    pub(super) async fn tell_of_copy(&self, turn: &TurnEvent) {
        match self.ledger.note_waiting(&turn.key(), &turn.message_id).await {
            Ok(Some(TriggerState::Processed)) => self.remove_waiting(turn).await,
            Ok(_) => {}
            Err(error) => tracing::info!(
                turn.id = %turn.message_id,
                conversation.id = %turn.key(),
                "turn {} stands under waiting/ and redis was not told: {error}",
                turn.message_id
            ),
        }
    }

    /// Removes a turn's copy from `waiting/`. Failing leaves a stale one, which the sweeper recognizes by the record.
    pub(super) async fn remove_waiting(&self, turn: &TurnEvent) {
        if let Err(error) = self
            .documents
            .remove_waiting(&turn.key(), turn.seq, &turn.message_id)
            .await
        {
            tracing::warn!(
                turn.id = %turn.message_id,
                conversation.id = %turn.key(),
                "turn {} is in its document, but its copy was not removed: {error}",
                turn.message_id
            );
        }
    }
}
