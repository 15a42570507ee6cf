//! A session: a conversation that has a scribe.

use serde::{Deserialize, Serialize};

use crate::ids::{AssetId, ConversationId, ConversationKey, TenantId, UserId};

/// The spec's `ActiveScribeSession`. `currentContent` is not stored a second time: it is the content of the
/// asset that Redis holds beside the session, and is filled in where somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveScribeSession {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// The document's asset in S3.
    pub text_asset_id: AssetId,
    /// The title, for URLs and file names.
    pub slug: String,
    /// The document's title.
    pub title: String,
    /// Whether turns are written down.
    pub scribe_enabled: bool,
    /// When the document last changed by the scribe, ISO 8601.
    pub last_update_at: String,
    /// Who started it.
    pub user_id: UserId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// When it was started, ISO 8601.
    pub created_at: String,
    /// How many turns of this conversation are in the document.
    #[serde(default)]
    pub message_count: u64,
    /// The document's Markdown, where it is known without reading S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_content: Option<String>,
}

impl ActiveScribeSession {
    /// The conversation it belongs to.
    #[must_use]
    pub fn key(&self) -> ConversationKey {
        ConversationKey::new(self.tenant_id.clone(), self.conversation_id.clone())
    }
}
