//! What readers of a conversation need: to listen, and to see how everything stands at the moment when they begin to.

use scribe_core::turn::ScribeTrigger;
use scribe_core::{AssetId, ConversationKey, TenantId};
use scribe_trigger::ledger::{StampedTurns, Subscription};

use super::{ConversationError, ConversationView, Conversations};

/// How a conversation stands, for its readers.
#[derive(Debug)]
pub struct LiveView {
    /// The session and its queue.
    pub view: ConversationView,
    /// The document's ETag; none where the document was deleted.
    pub etag: Option<String>,
    /// The turns that are known.
    pub turns: Vec<ScribeTrigger>,
    /// Up to which change Redis has told of the turns, and when it last took one away; none while it can't be reached.
    pub stamps: Option<Stamps>,
}

/// See [`StampedTurns`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    /// The last change.
    pub last_change: u64,
    /// The last change that took a turn away.
    pub last_forgotten: u64,
}

impl Conversations {
    /// Listens to what the readers of a conversation are told.
    #[must_use]
    pub fn listen(&self, key: &ConversationKey) -> Subscription {
        self.ledger.subscribe(key)
    }

    /// Looks at a conversation as its readers do; none where it has no scribe. While Redis can't be reached, S3 answers
    /// alone.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn live_view(&self, key: &ConversationKey) -> Result<Option<LiveView>, ConversationError> {
        // The turns first: a session that is registered in between has told of turns that are not listed here.
        let (stamps, known) = match self.ledger.stamped_triggers(key).await {
            Ok(StampedTurns {
                turns,
                last_change,
                last_forgotten,
            }) => {
                let stamps = Stamps {
                    last_change,
                    last_forgotten,
                };
                (Some(stamps), turns)
            }
            Err(error) => {
                tracing::warn!(conversation.id = %key, "readers of {key} see the turns of s3 alone: {error}");
                (None, Vec::new())
            }
        };
        let Some(view) = self.view(key).await? else {
            return Ok(None);
        };
        let (etag, turns) = tokio::join!(
            self.document_etag(&key.tenant, &view.session.text_asset_id),
            self.with_waiting(key, known)
        );
        Ok(Some(LiveView {
            view,
            etag: etag?,
            turns: turns?,
            stamps,
        }))
    }

    /// The ETag of a document, without the document; none where there is none.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn document_etag(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<Option<String>, ConversationError> {
        Ok(self.documents.asset_etag(tenant, id).await?)
    }
}
