//! Turns that never became whole: the chat broke off. They stand in the list with their reason, and that is all; to
//! every transition they are unknown.

use scribe_core::turn::{ScribeTrigger, Seq, TriggerState, Turn};
use scribe_core::{ConversationKey, MessageId};

use super::sessions::encode;
use super::turns::unknown;
use super::{Keys, Ledger, LedgerError};

/// What became of a turn that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It stands in the list.
    Noted,
    /// A whole turn has this id.
    Known,
    /// The scribe is switched off: nothing was noted.
    Off,
    /// The conversation has no scribe: nothing was noted.
    NoScribe,
}

impl Ledger {
    /// Lists a turn that never became whole. A whole turn of the same id stays, or takes its place later.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn note_incomplete(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
        timestamp: &str,
        reason: &str,
    ) -> Result<Noted, LedgerError> {
        let keys = Keys::of(key);
        let turn = Turn {
            conversation: key.clone(),
            message_id: message_id.clone(),
            seq: Seq(0),
            earlier: Vec::new(),
            replaces: None,
            user_message: String::new(),
            assistant_response: String::new(),
            timestamp: timestamp.to_owned(),
        };
        let trigger = ScribeTrigger {
            state: TriggerState::Incomplete,
            reason: Some(reason.to_owned()),
            ..ScribeTrigger::pending(&turn)
        };
        let mut call = self.scripts.note_incomplete.prepare_invoke();
        call.key(keys.active)
            .key(keys.trigger)
            .key(keys.queue)
            .arg(encode(&trigger)?)
            .arg(self.trigger_ttl.as_secs());
        let outcome: String = call.invoke_async(&mut self.connection.clone()).await?;
        match outcome.as_str() {
            "noted" => Ok(Noted::Noted),
            "known" => Ok(Noted::Known),
            "off" => Ok(Noted::Off),
            "none" => Ok(Noted::NoScribe),
            _ => Err(unknown("note_incomplete")),
        }
    }
}
