//! What a chat asks of its conversation before it answers: the document as it stands, and whether there is a scribe at
//! all. Redis answers in one round trip where it knows.

use scribe_core::ConversationKey;
use scribe_trigger::ledger::Lookup;

use super::{ConversationError, Conversations};
use crate::documents::Fetched;

/// A conversation's document.
#[derive(Clone, PartialEq, Eq)]
pub struct ChatDocument {
    /// Its title.
    pub title: String,
    /// Its Markdown.
    pub content: String,
}

impl std::fmt::Debug for ChatDocument {
    /// Leaves the document out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChatDocument({} bytes)", self.content.len())
    }
}

impl Conversations {
    /// The document of a conversation, as Redis caches it, else as S3 has it; none where there is no scribe.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 is needed and can't be reached.
    pub async fn document_of(
        &self,
        key: &ConversationKey,
    ) -> Result<Option<ChatDocument>, ConversationError> {
        let id = match self.ledger.look_up(key).await {
            Ok(Lookup::NoScribe) => return Ok(None),
            Ok(Lookup::Session(session)) => {
                if let Some(content) = session.current_content {
                    let title = session.title;
                    return Ok(Some(ChatDocument { title, content }));
                }
                session.text_asset_id
            }
            // S3 answers alone.
            Ok(Lookup::Unknown) | Err(_) => match self.documents.conversation(key).await? {
                Some((conversation, _)) => conversation.text_asset_id,
                None => return Ok(None),
            },
        };
        Ok(match self.documents.asset(&key.tenant, &id, None).await? {
            Fetched::Found(stored) => Some(ChatDocument {
                title: stored.asset.title,
                content: stored.asset.content,
            }),
            Fetched::NotModified | Fetched::Absent => None,
        })
    }

    /// Whether a conversation has a scribe, on or off.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 is needed and can't be reached.
    pub async fn has_scribe(&self, key: &ConversationKey) -> Result<bool, ConversationError> {
        match self.ledger.look_up(key).await {
            Ok(Lookup::Session(_)) => Ok(true),
            Ok(Lookup::NoScribe) => Ok(false),
            Ok(Lookup::Unknown) | Err(_) => Ok(self.documents.conversation(key).await?.is_some()),
        }
    }
}
