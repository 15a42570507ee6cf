//! Copies of turns under `waiting/`: Redis is told of them, and they are removed once the turn is in its document.

use jiff::Timestamp;
use scribe_core::turn::{Seq, TriggerState};
use scribe_trigger::{Ledger, TurnEvent};

use crate::documents::Documents;

/// Tells Redis that a copy of a turn stands under `waiting/`, so that whoever completes the turn removes it. If it was
/// completed in between, the copy is removed here. What Redis can't be told the sweeper finds.
pub(crate) async fn tell_of_copy(ledger: &Ledger, documents: &Documents, turn: &TurnEvent) {
    match ledger.note_waiting(&turn.key(), &turn.message_id).await {
        Ok(Some(TriggerState::Processed)) => remove_copy(documents, turn).await,
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
pub(crate) async fn remove_copy(documents: &Documents, turn: &TurnEvent) {
    if let Err(error) = documents
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

/// Whether a turn was recorded before its conversation's object was deleted, as well as the clocks agree.
pub(crate) fn was_recorded_before(seq: Seq, ended: Timestamp) -> bool {
    // S3 tells whole seconds, rounded down.
    i64::try_from(seq.as_millis()).is_ok_and(|recorded| recorded < ended.as_millisecond() + 1000)
}
