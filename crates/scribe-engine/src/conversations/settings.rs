//! How a document is to be written: its style, and a sentence of instructions. Both stand in the asset.

use jiff::Timestamp;
use scribe_core::style::{StyleChoice, StyleEvidence};
use scribe_core::{ConversationKey, MediaAsset, Style, UserId};
use scribe_trigger::record::iso;

use super::{ConversationError, Conversations};

/// What is to be changed; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct SettingsChange {
    /// The style, or that the conversation shows it.
    pub style: Option<StyleChoice>,
    /// The instructions; an empty text takes them away.
    pub instructions: Option<String>,
}

/// How a document is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What was chosen.
    pub choice: StyleChoice,
    /// The style that is written in now.
    pub style: Style,
    /// The instructions, if there are any.
    pub instructions: Option<String>,
}

impl Settings {
    fn of(asset: &MediaAsset) -> Self {
        let evidence = asset
            .scribe
            .as_ref()
            .and_then(|state| state.style_evidence.as_ref());
        let style = asset.metadata.style;
        Self {
            choice: evidence.map_or(StyleChoice::Always(style), |_| StyleChoice::Auto),
            style,
            instructions: asset.metadata.instructions.clone(),
        }
    }
}

impl Conversations {
    /// Changes how a conversation's document is written from its next turn on; none where the conversation has no
    /// scribe.
    ///
    /// # Errors
    /// [`ConversationError`]. The same request may be repeated.
    pub async fn change_settings(
        &self,
        key: &ConversationKey,
        user: &UserId,
        change: &SettingsChange,
    ) -> Result<Option<Settings>, ConversationError> {
        let Some((conversation, _)) = self.documents.conversation(key).await? else {
            return Ok(None);
        };
        let id = &conversation.text_asset_id;
        let changed = self
            .change_document(&key.tenant, id, user, |asset, state| {
                match change.style {
                    Some(StyleChoice::Always(style)) => {
                        asset.metadata.style = style;
                        state.style_evidence = None;
                    }
                    Some(StyleChoice::Auto) if state.style_evidence.is_none() => {
                        state.style_evidence = Some(StyleEvidence::default());
                    }
                    Some(StyleChoice::Auto) | None => {}
                }
                if let Some(instructions) = &change.instructions {
                    asset.metadata.instructions =
                        Some(instructions.clone()).filter(|instructions| !instructions.is_empty());
                }
                asset.updated_at = iso(Timestamp::now());
                true
            })
            .await?;
        let asset = changed.ok_or_else(|| ConversationError::DocumentGone(id.clone()))?;
        Ok(Some(Settings::of(&asset)))
    }
}
