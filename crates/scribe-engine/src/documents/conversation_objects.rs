//! Which document a conversation writes to, and whether its scribe is on: the truth behind the session.

use scribe_core::style::StyleChoice;
use scribe_core::{AssetId, ConversationId, ConversationKey, TenantId, UserId};
use serde::{Deserialize, Serialize};

use super::{Condition, Documents, DocumentsError, Got, Written, encode, parse};

/// A conversation's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// The version of this shape: 1.
    pub version: u32,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Who started it.
    pub user_id: UserId,
    /// Its document.
    pub text_asset_id: AssetId,
    /// The document's title when it was started.
    pub title: String,
    /// How the document was to be written when it was started.
    #[serde(default)]
    pub style: StyleChoice,
    /// What its owner wished about its wording then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Whether turns are written down.
    pub scribe_enabled: bool,
    /// Whether they once were not: what was said then is not for the document.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_off: bool,
    /// When it was started, ISO 8601.
    pub created_at: String,
}

pub(super) fn conversation_key(key: &ConversationKey) -> String {
    format!("tenants/{}/conversations/{}.json", key.tenant, key.conversation)
}

impl Documents {
    /// Reads a conversation's object with its ETag.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or the object can't be read.
    pub async fn conversation(
        &self,
        key: &ConversationKey,
    ) -> Result<Option<(Conversation, String)>, DocumentsError> {
        let name = conversation_key(key);
        match self.get(&name, None).await? {
            Got::Found(object) => Ok(Some((parse(&name, &object.bytes)?, object.etag))),
            Got::NotModified | Got::Absent => Ok(None),
        }
    }

    /// Creates a conversation's object; a conflict means that there is one already.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn create_conversation(&self, conversation: &Conversation) -> Result<Written, DocumentsError> {
        let key = ConversationKey::new(
            conversation.tenant_id.clone(),
            conversation.conversation_id.clone(),
        );
        let name = conversation_key(&key);
        self.put(&name, encode(&name, conversation)?, Condition::Absent, None)
            .await
    }

    /// Replaces a conversation's object on condition that it still has the ETag.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn replace_conversation(
        &self,
        conversation: &Conversation,
        etag: &str,
    ) -> Result<Written, DocumentsError> {
        let key = ConversationKey::new(
            conversation.tenant_id.clone(),
            conversation.conversation_id.clone(),
        );
        let name = conversation_key(&key);
        self.put(
            &name,
            encode(&name, conversation)?,
            Condition::Matches(etag),
            None,
        )
        .await
    }
    /// Deletes a conversation's object on condition that it still has the ETag. Its versions stay, and with them when
    /// it was deleted.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn delete_conversation(
        &self,
        key: &ConversationKey,
        etag: &str,
    ) -> Result<Written, DocumentsError> {
        self.delete_if(&conversation_key(key), etag).await
    }
}
