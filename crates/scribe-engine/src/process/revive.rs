//! Finding out from S3 what Redis does not know of a conversation.

use jiff::Timestamp;
use scribe_core::{ConversationKey, MediaAsset};
use scribe_trigger::LedgerError;
use scribe_trigger::ledger::Registration;
use scribe_trigger::record::unix_ms;

use super::Engine;
use crate::conversations::session_of;
use crate::documents::{DocumentsError, Fetched};

pub(super) enum ReviveError {
    Redis(LedgerError),
    Storage(DocumentsError),
}

impl From<LedgerError> for ReviveError {
    fn from(error: LedgerError) -> Self {
        Self::Redis(error)
    }
}

impl From<DocumentsError> for ReviveError {
    fn from(error: DocumentsError) -> Self {
        Self::Storage(error)
    }
}

impl Engine {
    /// Leaves the session in Redis, with the turns that stand under `waiting/` queued; or the mark "none".
    ///
    /// It never overwrites what is there: a start or toggle that came in between knows better.
    pub(super) async fn revive(&self, key: &ConversationKey) -> Result<(), ReviveError> {
        let Some((conversation, _)) = self.documents.conversation(key).await? else {
            self.ledger.mark_none(key).await?;
            return Ok(());
        };
        let (fetched, waiting) = tokio::try_join!(
            self.documents
                .asset(&key.tenant, &conversation.text_asset_id, None),
            self.documents.waiting_turns(key)
        )?;
        // The asset itself is read again by the attempt; a session can do without it.
        let asset: Option<MediaAsset> = match fetched {
            Fetched::Found(stored) => Some(stored.asset),
            Fetched::NotModified | Fetched::Absent => None,
        };
        let session = session_of(&conversation, asset.as_ref());
        let turns: Vec<_> = waiting
            .iter()
            .map(crate::documents::WaitingTurn::trigger)
            .collect();
        self.ledger
            .register(Registration {
                session: &session,
                asset: None,
                turns: &turns,
                replace: false,
            })
            .await?;
        if !turns.is_empty() {
            // Redis forgot the backlog as well; a permit is for one of them only.
            let now = unix_ms(Timestamp::now());
            self.ledger.note_backlog(key, now).await?;
        }
        Ok(())
    }
}
