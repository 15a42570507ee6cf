//! Turns whose text Redis has lost although their id is still queued.

use scribe_core::turn::{ScribeTrigger, Seq, Turn};
use scribe_core::{ConversationKey, MessageId};

use crate::documents::{Documents, DocumentsError};

/// Why such a turn is parked. Its event may still be in Lambda's queue: when it comes, the turn waits again.
pub(crate) const REASON: &str = "redis lost its text, and no copy stands in s3; it is written when its event comes, or when it is sent again";

/// Looks for a turn's text in S3: under `waiting/`, then in the transcript, which has it from an earlier attempt.
pub(crate) async fn look_up(
    documents: &Documents,
    key: &ConversationKey,
    seq: Seq,
    message_id: &MessageId,
) -> Result<Option<ScribeTrigger>, DocumentsError> {
    if let Some(found) = documents.waiting_turn(key, seq, message_id).await?
        && !found.event.text_lost()
    {
        return Ok(Some(ScribeTrigger {
            waiting: true,
            ..found.event.trigger()
        }));
    }
    let transcribed = documents.transcribed_turn(key, seq, message_id).await?;
    Ok(transcribed.map(|event| event.trigger()))
}

/// What can be said of a turn without its text.
pub(crate) fn stub(key: &ConversationKey, seq: Seq, message_id: &MessageId) -> ScribeTrigger {
    let turn = Turn {
        conversation: key.clone(),
        message_id: message_id.clone(),
        seq,
        earlier: vec![],
        replaces: None,
        user_message: String::new(),
        assistant_response: String::new(),
        timestamp: String::new(),
    };
    ScribeTrigger {
        text_lost: true,
        ..ScribeTrigger::pending(&turn)
    }
}
