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
use crate::copies::{tell_of_copy, was_recorded_before};
use crate::documents::DocumentsError;

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
    /// The conversation has no scribe, so its turn is owed nowhere; but a turn that was recorded before its document
    /// was deleted is parked, wherever it has been until now.
    pub(super) async fn owed_nowhere(&self, event: &TurnEvent, own: &mut Own) -> Result<(), TurnFailure> {
        if own.settled {
            return Ok(());
        }
        let key = event.key();
        let looked = async {
            let ended = self.documents.ended_at(&key).await?;
            if ended.is_some_and(|ended| was_recorded_before(event.seq, ended)) {
                self.documents.park_waiting(event, crate::DELETED).await?;
            }
            Ok::<_, DocumentsError>(())
        };
        looked.await.map_err(|error| TurnFailure::NotLookedUp {
            message_id: event.message_id.clone(),
            reason: error.to_string(),
        })?;
        own.not_owed();
        Ok(())
    }

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
        tell_of_copy(&self.ledger, &self.documents, event).await;
        Ok(())
    }
}
