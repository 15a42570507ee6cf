//! People's saves. A save is merged with what others wrote since the version that it is based on, and not refused because
//! another was faster, unless it asks for that: whoever saw the keys pressed can put both texts together better.

use jiff::Timestamp;
use scribe_core::blocks::Document;
use scribe_core::edits::Suggestion;
use scribe_core::save::{self, RecentSaves};
use scribe_core::{AssetId, MediaAsset, SCRIBE_SCHEMA, ScribeState, TenantId, UserId};
use scribe_trigger::ledger::SessionUpdate;
use scribe_trigger::record::iso;

use super::changes::Change;
use super::{ConversationError, Conversations};
use crate::documents::{Base, StoredAsset};

/// A person's save.
#[derive(Clone)]
pub struct Save {
    /// The ETag of the version that the person began from.
    pub base_etag: String,
    /// The text, if it is to change: Markdown.
    pub content: Option<String>,
    /// The title, if it is to change.
    pub title: Option<String>,
    /// `draft`, or what the owner calls it.
    pub status: Option<String>,
    /// The categories.
    pub categories: Option<Vec<String>>,
    /// Whether the text may be merged with what others wrote since the base; if not, it is refused then.
    pub may_merge: bool,
}

impl std::fmt::Debug for Save {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.content.as_ref().map(String::len);
        write!(f, "Save({bytes:?} bytes on {})", self.base_etag)
    }
}

/// A save that is in S3.
#[derive(Debug)]
pub struct Saved {
    /// The document now.
    pub asset: MediaAsset,
    /// Its ETag.
    pub etag: String,
    /// What became of the text beside what the person wrote.
    pub merge: Merge,
}

/// What a merge did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Whether others had written since the base. The same save before this one is no other.
    pub others_wrote: bool,
    /// The blocks that others changed or added since the base.
    pub others: Vec<String>,
    /// The blocks that have the words of both.
    pub merged: Vec<String>,
    /// What others wrote and is not in the document.
    pub suggestions: Vec<Suggestion>,
}

/// Why nothing was saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Redis or S3.
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    /// There is no such document.
    #[error("there is no document {0}")]
    Absent(AssetId),
    /// The version that the save is based on is not known.
    #[error("no version of document {0} has the etag that the save is based on")]
    UnknownBase(AssetId),
    /// Others wrote since, and the save is not to be merged.
    #[error("others wrote in document {0} since the version that the save is based on")]
    OthersWrote(AssetId),
}

impl Conversations {
    /// Saves what a person changed.
    ///
    /// # Errors
    /// [`SaveError`]. The same save may be repeated: it counts once.
    pub async fn save(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        user: &UserId,
        save: &Save,
    ) -> Result<Saved, SaveError> {
        let base = self.documents.base(tenant, id, &save.base_etag).await;
        let (base, present) = match base.map_err(ConversationError::from)? {
            // Somebody may write between the first try and the second one; then this one is an earlier version too.
            Base::Present(present) => (present.clone(), *present),
            Base::Earlier { base, present } => (base, *present),
            Base::Unknown => return Err(SaveError::UnknownBase(id.clone())),
            Base::Absent => return Err(SaveError::Absent(id.clone())),
        };
        let read = |stored: &StoredAsset, state: &ScribeState| {
            let blocks = stored
                .asset
                .scribe
                .as_ref()
                .map_or(&state.blocks, |state| &state.blocks);
            Document::read(&stored.asset.content, blocks)
        };
        let name = save
            .content
            .as_ref()
            .map(|content| RecentSaves::name(user, &save.base_etag, content));
        let alone = save.alone_on(&base.asset);
        let change = |asset: &mut MediaAsset, state: &mut ScribeState, etag: &str| {
            let before = asset.clone();
            let mut merge = Merge {
                others_wrote: etag != save.base_etag && !says_the_same(asset, &alone),
                ..Merge::default()
            };
            if let Some((content, name)) = save.content.as_ref().zip(name.as_ref())
                && !state.saves.contains(name)
            {
                if !save.may_merge && asset.content != base.asset.content && asset.content != *content {
                    return Err(SaveError::OthersWrote(id.clone()));
                }
                let present = Document::read(&asset.content, &state.blocks);
                let base = if base.etag == etag {
                    present.clone()
                } else {
                    read(&base, state)
                };
                let saved = save::Save {
                    base: &base,
                    present: &present,
                    content,
                    person: user,
                }
                .merge();
                asset.content = saved.document.content().to_owned();
                if asset.content != before.content || !saved.suggestions.is_empty() {
                    state.schema = SCRIBE_SCHEMA;
                    state.blocks = saved.document.manifest();
                    state.saves.add(name.clone());
                }
                for suggestion in &saved.suggestions {
                    state.suggestions.add(suggestion.clone());
                }
                merge.others = saved.others;
                merge.merged = saved.merged;
                merge.suggestions = saved.suggestions;
            }
            save.describe(asset);
            if *asset == before && merge.suggestions.is_empty() {
                return Ok(Change::Leave(merge));
            }
            asset.updated_at = iso(Timestamp::now());
            Ok(Change::Write(merge))
        };
        let changed = self
            .try_to_change(tenant, id, user, Some(present), change)
            .await?
            .ok_or_else(|| SaveError::Absent(id.clone()))?;
        if save.title.is_some() {
            self.retitle(tenant, &changed.asset).await;
        }
        Ok(Saved {
            asset: changed.asset,
            etag: changed.etag,
            merge: changed.what,
        })
    }

    /// Tells the sessions of a document its title. If Redis can't be reached, they have the old one until it forgets
    /// them.
    async fn retitle(&self, tenant: &TenantId, asset: &MediaAsset) {
        let update = SessionUpdate {
            title: Some(asset.title.clone()),
            slug: Some(asset.metadata.slug.clone()),
            ..SessionUpdate::default()
        };
        for conversation in asset.conversations() {
            let key = scribe_core::ConversationKey::new(tenant.clone(), conversation);
            if let Err(error) = self.ledger.update_session(&key, &update).await {
                tracing::warn!(conversation.id = %key, "the title of {key} was not told to redis: {error}");
            }
        }
    }
}

impl Save {
    /// What the document would be if this save alone had changed its base.
    fn alone_on(&self, base: &MediaAsset) -> MediaAsset {
        let mut alone = base.clone();
        if let Some(content) = &self.content {
            alone.content.clone_from(content);
        }
        self.describe(&mut alone);
        alone
    }

    /// What is saved beside the text. The last one who says something about it is right.
    fn describe(&self, asset: &mut MediaAsset) {
        if let Some(title) = &self.title {
            asset.title.clone_from(title);
            asset.metadata.slug = scribe_core::asset::slugify(title);
        }
        if let Some(status) = &self.status {
            asset.metadata.status.clone_from(status);
        }
        if let Some(categories) = &self.categories {
            asset.metadata.categories.clone_from(categories);
        }
    }
}

/// Whether two versions are the same to people.
fn says_the_same(one: &MediaAsset, other: &MediaAsset) -> bool {
    let described = |asset: &MediaAsset| {
        let metadata = &asset.metadata;
        (
            asset.title.clone(),
            metadata.status.clone(),
            metadata.categories.clone(),
        )
    };
    one.content == other.content && described(one) == described(other)
}
