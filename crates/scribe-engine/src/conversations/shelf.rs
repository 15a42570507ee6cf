//! The documents of a tenant: listed, and created by a person without a conversation.

use std::cmp::Reverse;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use scribe_core::asset::slugify;
use scribe_core::blocks::{Document, Manifest};
use scribe_core::{
    AssetId, ConversationId, MediaAsset, Metadata, SCRIBE_SCHEMA, ScribeState, Style, TenantId, UserId,
};
use scribe_trigger::record::iso;

use super::{ConversationError, Conversations};
use crate::documents::{Author, DocumentsError, Fetched, ShelvedAsset, StoredAsset, Written};

/// How many documents of a page are read at a time.
const AT_ONCE: usize = 16;

/// A document behind which a page begins: in the order of the listing, whether it is still there or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageStart {
    /// When it was written.
    pub written: Timestamp,
    /// Its id.
    pub id: AssetId,
}

/// A document without its text.
#[derive(Debug, Clone)]
pub struct ListedAsset {
    /// Its id.
    pub id: AssetId,
    /// What is known of it; none where its object can't be read.
    pub summary: Option<AssetSummary>,
}

/// What a listing tells of a document.
#[derive(Debug, Clone)]
pub struct AssetSummary {
    /// Its title.
    pub title: String,
    /// The title, for URLs and file names.
    pub slug: String,
    /// How it is written.
    pub style: Style,
    /// `draft`, until a person says otherwise.
    pub status: String,
    /// Its categories.
    pub categories: Vec<String>,
    /// The conversation that it was started in.
    pub conversation_id: Option<ConversationId>,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601.
    pub updated_at: String,
    /// Its ETag.
    pub etag: String,
    /// The size of its text, in bytes.
    pub size: usize,
}

/// A page of documents, the newest changed first.
#[derive(Debug, Clone)]
pub struct ShelfPage {
    /// The documents.
    pub assets: Vec<ListedAsset>,
    /// The last of this page, where more follow.
    pub more_after: Option<PageStart>,
}

/// A document that a person creates.
#[derive(Clone)]
pub struct NewAsset {
    /// Its id.
    pub id: AssetId,
    /// Whether somebody chose the id, and may repeat the request.
    pub id_was_given: bool,
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
    /// Its categories.
    pub categories: Vec<String>,
    /// Its status.
    pub status: String,
}

impl std::fmt::Debug for NewAsset {
    /// Leaves the document out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewAsset({}, {} bytes)", self.id, self.content.len())
    }
}

/// What creating a document did.
#[derive(Debug)]
pub enum Created {
    /// It is there now.
    New(Box<StoredAsset>),
    /// The same request made it before.
    Same(Box<StoredAsset>),
    /// The id stands for another document.
    Taken,
    /// The id stands for a document that was deleted, and may be restored.
    Deleted,
}

impl NewAsset {
    fn asset(&self, now: String) -> MediaAsset {
        // All of it is a person's.
        let blocks = Document::read(&self.content, &Manifest::default()).manifest();
        MediaAsset {
            id: self.id.clone(),
            media_type: "text".into(),
            title: self.title.clone(),
            content: self.content.clone(),
            created_at: now.clone(),
            updated_at: now,
            metadata: Metadata {
                slug: slugify(&self.title),
                source: "person".into(),
                status: self.status.clone(),
                categories: self.categories.clone(),
                ..Metadata::default()
            },
            scribe: Some(ScribeState {
                schema: SCRIBE_SCHEMA,
                blocks,
                ..ScribeState::default()
            }),
            other: serde_json::Map::new(),
        }
    }

    fn made(&self, asset: &MediaAsset) -> bool {
        asset.title == self.title
            && asset.content == self.content
            && asset.metadata.status == self.status
            && asset.metadata.categories == self.categories
    }
}

impl Conversations {
    /// A page of a tenant's documents behind the given one, the newest changed first. It costs one LIST request for
    /// each thousand documents of the tenant, and one read for each of the page.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn shelf(
        &self,
        tenant: &TenantId,
        after: Option<&PageStart>,
        limit: usize,
    ) -> Result<ShelfPage, ConversationError> {
        let place = |asset: &ShelvedAsset| PageStart {
            written: asset.written,
            id: asset.id.clone(),
        };
        let mut shelved: Vec<PageStart> = self.documents.shelf(tenant).await?.iter().map(place).collect();
        shelved.retain(|place| after.is_none_or(|after| place < after));
        shelved.sort_by(|one, two| Reverse(one).cmp(&Reverse(two)));
        let more = shelved.len() > limit;
        shelved.truncate(limit);
        let more_after = shelved.last().filter(|_| more).cloned();
        let read: Vec<_> = stream::iter(shelved)
            .map(|place| async move {
                let found = self.documents.asset(tenant, &place.id, None).await;
                (place.id, found)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut assets = Vec::with_capacity(read.len());
        for (id, found) in read {
            let summary = match found {
                Ok(Fetched::Found(stored)) => Some(AssetSummary::of(*stored)),
                // Deleted since it was listed.
                Ok(Fetched::Absent | Fetched::NotModified) => continue,
                Err(error @ (DocumentsError::Malformed { .. } | DocumentsError::Newer { .. })) => {
                    tracing::warn!(asset.id = %id, "document {id} is listed without its title: {error}");
                    None
                }
                Err(error @ DocumentsError::Unavailable { .. }) => return Err(error.into()),
            };
            assets.push(ListedAsset { id, summary });
        }
        Ok(ShelfPage { assets, more_after })
    }

    /// Creates a document for a person, without a conversation.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached. With an id of its own the request may be repeated.
    pub async fn create_document(
        &self,
        tenant: &TenantId,
        user: &UserId,
        new: &NewAsset,
    ) -> Result<Created, ConversationError> {
        // Where a delete marker hides versions, a create-only write would begin a document without their record.
        if new.id_was_given
            && self.documents.has_versions(tenant, &new.id).await?
            && let Fetched::Absent = self.documents.asset(tenant, &new.id, None).await?
        {
            return Ok(Created::Deleted);
        }
        let asset = new.asset(iso(Timestamp::now()));
        let author = Author::Person(user.clone());
        match self.documents.create_asset(tenant, &asset, &author).await? {
            Written::Done { etag } => {
                let stored = StoredAsset {
                    asset,
                    json: String::new(),
                    etag,
                };
                Ok(Created::New(Box::new(stored)))
            }
            Written::Conflict | Written::Gone => match self.documents.asset(tenant, &new.id, None).await? {
                Fetched::Found(stored) if new.made(&stored.asset) => Ok(Created::Same(stored)),
                Fetched::Found(_) => Ok(Created::Taken),
                Fetched::Absent | Fetched::NotModified => Err(ConversationError::Contended),
            },
        }
    }
}

impl AssetSummary {
    fn of(stored: StoredAsset) -> Self {
        let StoredAsset { asset, etag, .. } = stored;
        Self {
            title: asset.title,
            slug: asset.metadata.slug,
            style: asset.metadata.style,
            status: asset.metadata.status,
            categories: asset.metadata.categories,
            conversation_id: asset.metadata.conversation_id,
            created_at: asset.created_at,
            updated_at: asset.updated_at,
            etag,
            size: asset.content.len(),
        }
    }
}
