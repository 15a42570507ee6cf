//! Suggestions: what stands beside a document until a person decides on it.

use jiff::Timestamp;
use scribe_core::blocks::Document;
use scribe_core::edits::{SuggestedAction, Suggestion};
use scribe_core::save::{AcceptError, accept};
use scribe_core::{AssetId, MediaAsset, SCRIBE_SCHEMA, ScribeState, TenantId, UserId};
use scribe_trigger::record::iso;

use super::changes::Change;
use super::{ConversationError, Conversations};
use crate::documents::Fetched;

/// What a person decides of a suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is to be done. With `seen`, the hash of the block that the person looked at, if that is not the one that the
    /// suggestion was made for.
    Accept {
        /// The hash of the block.
        seen: Option<String>,
    },
    /// It is to go.
    Dismiss,
}

/// A suggestion as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestionView {
    /// The suggestion.
    pub suggestion: Suggestion,
    /// The text and the hash of its block now; none where it was removed, and for an insert.
    pub block: Option<(String, String)>,
}

/// A document after a decision.
#[derive(Debug)]
pub struct Decided {
    /// The document.
    pub asset: MediaAsset,
    /// Its ETag.
    pub etag: String,
}

/// Why a decision was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SuggestionError {
    /// Redis or S3.
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    /// There is no such document.
    #[error("there is no document {0}")]
    NoDocument(AssetId),
    /// There is no such suggestion, or somebody has decided on it.
    #[error("document {0} has no such suggestion")]
    NoSuggestion(AssetId),
    /// It can't be taken over.
    #[error(transparent)]
    Accept(#[from] AcceptError),
}

impl Conversations {
    /// The suggestions of a document, oldest first, and the document's ETag; none where there is no document.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn suggestions(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<Option<(Vec<SuggestionView>, String)>, ConversationError> {
        let Some((document, state, etag)) = self.in_blocks(tenant, id).await? else {
            return Ok(None);
        };
        let view = |suggestion: &Suggestion| SuggestionView {
            suggestion: suggestion.clone(),
            block: document
                .blocks()
                .find(|block| !suggestion.hash.is_empty() && block.id() == suggestion.block)
                .map(|block| (document.text(block).to_owned(), block.entry().hash.clone())),
        };
        // That a block goes which has gone is nothing to decide on.
        let is_open =
            |view: &SuggestionView| view.suggestion.action != SuggestedAction::Delete || view.block.is_some();
        let open = state.suggestions.iter().map(view).filter(is_open);
        Ok(Some((open.collect(), etag)))
    }

    /// A document in its blocks, and its ETag; none where there is no document.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn blocks(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<Option<(Document, String)>, ConversationError> {
        let read = self.in_blocks(tenant, id).await?;
        Ok(read.map(|(document, _, etag)| (document, etag)))
    }

    async fn in_blocks(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<Option<(Document, ScribeState, String)>, ConversationError> {
        let stored = match self.documents.asset(tenant, id, None).await? {
            Fetched::Found(stored) => *stored,
            Fetched::NotModified | Fetched::Absent => return Ok(None),
        };
        let state = match stored.asset.scribe {
            Some(state) => state,
            None => self.documents.recover_state(tenant, id).await?,
        };
        let document = Document::read(&stored.asset.content, &state.blocks);
        Ok(Some((document, state, stored.etag)))
    }

    /// Carries out what a person decided of a suggestion.
    ///
    /// # Errors
    /// [`SuggestionError`]. The document is as it was.
    pub async fn decide(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        user: &UserId,
        suggestion: &str,
        decision: &Decision,
    ) -> Result<Decided, SuggestionError> {
        let change = |asset: &mut MediaAsset, state: &mut ScribeState, _: &str| {
            let gone = || SuggestionError::NoSuggestion(id.clone());
            let suggestion = state.suggestions.remove(suggestion).ok_or_else(gone)?;
            if let Decision::Accept { seen } = decision {
                let present = Document::read(&asset.content, &state.blocks);
                let accepted = accept(&present, &suggestion, seen.as_deref(), user)?;
                asset.content = accepted.content().to_owned();
                state.blocks = accepted.manifest();
            }
            state.schema = SCRIBE_SCHEMA;
            asset.updated_at = iso(Timestamp::now());
            Ok::<_, SuggestionError>(Change::Write(()))
        };
        let changed = self.try_to_change(tenant, id, user, None, change);
        let changed = changed
            .await?
            .ok_or_else(|| SuggestionError::NoDocument(id.clone()))?;
        Ok(Decided {
            asset: changed.asset,
            etag: changed.etag,
        })
    }
}
