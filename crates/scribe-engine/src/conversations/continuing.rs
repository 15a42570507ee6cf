//! An existing document, continued in another conversation.
//!
//! The document learns of the conversation first, then the conversation's object is created: so the document knows
//! every conversation that may write to it, and some that never came to be. Whoever deletes a document asks each
//! object whether it is meant.

use jiff::Timestamp;
use scribe_core::style::StyleChoice;
use scribe_core::{ActiveScribeSession, AssetId, ConversationKey, UserId};
use scribe_trigger::record::iso;

use super::{CHANGE_TRIES, ConversationError, Conversations, session_of};
use crate::documents::{Conversation, DocumentsError, Fetched, Written};

/// A document that is continued in a conversation.
#[derive(Debug)]
pub struct Continued {
    /// The conversation's session.
    pub session: ActiveScribeSession,
    /// Whether it was begun now; if not, it wrote to this document already.
    pub created: bool,
}

/// Why a document could not be continued.
#[derive(Debug, thiserror::Error)]
pub enum ContinueError {
    /// A service failed.
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    /// There is no such document.
    #[error("there is no document {0}")]
    NoDocument(AssetId),
    /// The conversation writes to another document.
    #[error("the conversation writes to document {0}")]
    Taken(AssetId),
}

impl From<DocumentsError> for ContinueError {
    fn from(error: DocumentsError) -> Self {
        Self::Conversation(error.into())
    }
}

impl Conversations {
    /// Starts the scribe in a conversation, on a document that is there. If it wrote to this document already, it is
    /// on again.
    ///
    /// # Errors
    /// [`ContinueError`]. The same request may be repeated: it goes on where it stopped.
    pub async fn continue_document(
        &self,
        key: &ConversationKey,
        id: &AssetId,
        user: &UserId,
    ) -> Result<Continued, ContinueError> {
        let no_document = || ContinueError::NoDocument(id.clone());
        if let Some((conversation, _)) = self.documents.conversation(key).await?
            && conversation.text_asset_id != *id
        {
            return Err(ContinueError::Taken(conversation.text_asset_id));
        }
        let asset = self
            .change_document(&key.tenant, id, user, |_, state| {
                state.conversations.insert(key.conversation.clone())
            })
            .await?
            .ok_or_else(no_document)?;
        let evidence = asset
            .scribe
            .as_ref()
            .and_then(|state| state.style_evidence.as_ref());
        let wanted = Conversation {
            version: 1,
            conversation_id: key.conversation.clone(),
            tenant_id: key.tenant.clone(),
            user_id: user.clone(),
            text_asset_id: id.clone(),
            title: asset.title.clone(),
            style: evidence.map_or(StyleChoice::Always(asset.metadata.style), |_| StyleChoice::Auto),
            instructions: asset.metadata.instructions.clone(),
            scribe_enabled: true,
            was_off: false,
            created_at: iso(Timestamp::now()),
        };
        let (conversation, created) = match self.documents.create_conversation(&wanted).await? {
            Written::Done { .. } => (wanted, true),
            Written::Conflict | Written::Gone => {
                let found = self.switch_object(key, true).await?;
                (found.ok_or(ConversationError::Contended)?, false)
            }
        };
        if conversation.text_asset_id != *id {
            return Err(ContinueError::Taken(conversation.text_asset_id));
        }
        // Whoever deleted the document in between may have looked for the conversation before it was there.
        let stored = match self.documents.asset(&key.tenant, id, None).await? {
            Fetched::Found(stored) => *stored,
            Fetched::NotModified | Fetched::Absent => {
                self.delete_conversation_of(key, id).await?;
                return Err(no_document());
            }
        };
        let session = session_of(&conversation, Some(&stored.asset));
        let waiting = self.documents.waiting_turns(key).await?;
        self.register(&session, Some(&stored), &waiting)
            .await
            .map_err(ConversationError::from)?;
        if !waiting.is_empty() {
            let oldest = self.oldest_waiting(key).await.map_err(ConversationError::from)?;
            self.invoke_for(&session, oldest).await;
        }
        Ok(Continued { session, created })
    }

    /// Deletes a conversation's object if it belongs to the document; answers whether one of another document is
    /// there.
    pub(super) async fn delete_conversation_of(
        &self,
        key: &ConversationKey,
        id: &AssetId,
    ) -> Result<bool, ConversationError> {
        for _ in 0..CHANGE_TRIES {
            let Some((conversation, etag)) = self.documents.conversation(key).await? else {
                return Ok(false);
            };
            if conversation.text_asset_id != *id {
                return Ok(true);
            }
            match self.documents.delete_conversation(key, &etag).await? {
                Written::Done { .. } | Written::Gone => return Ok(false),
                Written::Conflict => {}
            }
        }
        Err(ConversationError::Contended)
    }
}
