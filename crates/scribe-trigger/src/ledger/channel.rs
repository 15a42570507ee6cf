//! The channel of a conversation. The scripts that complete and park a turn publish there by themselves.

use scribe_core::ConversationKey;

use super::sessions::encode;
use super::{Keys, Ledger, LedgerError};
use crate::live::LiveEvent;

impl Ledger {
    /// Tells the readers of a conversation something. It is sent on the connection that all commands share, behind what
    /// was asked before and in front of what is asked later, also where nobody waits for the answer any more.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or refuses. What Redis says may repeat a part of the message, so it
    /// does not belong into a log.
    pub async fn publish(&self, key: &ConversationKey, event: &LiveEvent) -> Result<(), LedgerError> {
        redis::cmd("PUBLISH")
            .arg(Keys::of(key).events)
            .arg(encode(event)?)
            .query_async::<()>(&mut self.connection.clone())
            .await?;
        Ok(())
    }
}
