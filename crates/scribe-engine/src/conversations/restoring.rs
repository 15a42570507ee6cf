//! Versions of a document: looked at, compared, and restored.
//!
//! Restoring takes the text and the title of an older version and keeps the present record, so no turn is woven twice
//! or forgotten by it. A deleted document comes back the same way, with the record of its last version; its
//! conversations have ended, and may be continued.

use jiff::Timestamp;
use scribe_core::blocks::{Document, Manifest};
use scribe_core::diff::Difference;
use scribe_core::{AssetId, MediaAsset, SCRIBE_SCHEMA, ScribeState, TenantId, UserId, VersionId};
use scribe_trigger::record::iso;

use super::changes::Change;
use super::{CHANGE_TRIES, ConversationError, Conversations, DeleteError};
use crate::documents::{Author, DocumentsError, StoredVersion, VersionPage, Written};

/// A document after an older text was restored.
#[derive(Debug)]
pub struct Restored {
    /// The document.
    pub asset: MediaAsset,
    /// Its ETag.
    pub etag: String,
    /// Whether it was deleted before.
    pub was_deleted: bool,
}

/// Two versions of a document, compared.
#[derive(Debug)]
pub struct Compared {
    /// The older one.
    pub from: Side,
    /// The newer one.
    pub to: Side,
    /// What differs.
    pub difference: Difference,
}

/// A version that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Its id.
    pub version: VersionId,
    /// Its ETag.
    pub etag: String,
    /// Its title.
    pub title: String,
}

/// Why a version can't be looked at or restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A service failed.
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    /// There is no such document.
    #[error("there is no document {0}")]
    NoDocument(AssetId),
    /// The document has no such version, or it is a deletion.
    #[error("the document has no version {0}")]
    NoVersion(VersionId),
    /// The document is not as the caller knows it.
    #[error("document {id} has changed")]
    Changed {
        /// Which one.
        id: AssetId,
        /// Its ETag now; none where it was deleted.
        etag: Option<String>,
    },
}

impl From<DocumentsError> for RestoreError {
    fn from(error: DocumentsError) -> Self {
        Self::Conversation(error.into())
    }
}

impl From<DeleteError> for RestoreError {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::Conversation(error) => Self::Conversation(error),
            DeleteError::NoDocument(id) => Self::NoDocument(id),
            DeleteError::Changed { id, etag } => Self::Changed { id, etag: Some(etag) },
        }
    }
}

impl Conversations {
    /// A page of a document's versions, the newest first.
    ///
    /// # Errors
    /// [`RestoreError::NoDocument`], or a service failed.
    pub async fn versions(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        after: Option<&VersionId>,
        limit: u16,
    ) -> Result<VersionPage, RestoreError> {
        let page = self.documents.versions(tenant, id, after, limit).await?;
        page.ok_or_else(|| RestoreError::NoDocument(id.clone()))
    }

    /// One version of a document.
    ///
    /// # Errors
    /// [`RestoreError::NoDocument`], [`RestoreError::NoVersion`], or a service failed.
    pub async fn version(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        version: &VersionId,
    ) -> Result<StoredVersion, RestoreError> {
        if let Some(found) = self.documents.version(tenant, id, version).await? {
            return Ok(found);
        }
        if self.documents.has_versions(tenant, id).await? {
            Err(RestoreError::NoVersion(version.clone()))
        } else {
            Err(RestoreError::NoDocument(id.clone()))
        }
    }

    /// Compares two versions; without the second, the newest one.
    ///
    /// # Errors
    /// [`RestoreError::NoDocument`], [`RestoreError::NoVersion`], or a service failed.
    pub async fn compare(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        from: &VersionId,
        to: Option<&VersionId>,
    ) -> Result<Compared, RestoreError> {
        let from = self.version(tenant, id, from).await?;
        let to = match to {
            Some(to) => self.version(tenant, id, to).await?,
            None => self.last_version(tenant, id).await?,
        };
        // Long documents take some milliseconds, in which this thread has other requests to serve.
        let compared = tokio::task::spawn_blocking(move || Compared {
            difference: Difference::between(&document(&from), &document(&to)),
            from: side(from),
            to: side(to),
        });
        match compared.await {
            Ok(compared) => Ok(compared),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Restores the text and the title of an older version, as a person's change.
    ///
    /// # Errors
    /// [`RestoreError`]. The same request may be repeated; one that has come through changes nothing.
    pub async fn restore(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        user: &UserId,
        version: &VersionId,
        if_match: Option<&str>,
    ) -> Result<Restored, RestoreError> {
        let old = self.version(tenant, id, version).await?.stored.asset;
        for _ in 0..CHANGE_TRIES {
            let change = |asset: &mut MediaAsset, state: &mut ScribeState, etag: &str| {
                if if_match.is_some_and(|expected| expected != etag) {
                    return Err(RestoreError::Changed {
                        id: id.clone(),
                        etag: Some(etag.to_owned()),
                    });
                }
                if asset.content == old.content && asset.title == old.title {
                    return Ok(Change::Leave(()));
                }
                take_text(asset, state, &old);
                Ok(Change::Write(()))
            };
            let changed = self.try_to_change(tenant, id, user, None, change).await?;
            if let Some(changed) = changed {
                return Ok(Restored {
                    asset: changed.asset,
                    etag: changed.etag,
                    was_deleted: false,
                });
            }
            if if_match.is_some() {
                return Err(RestoreError::Changed {
                    id: id.clone(),
                    etag: None,
                });
            }
            let last = self.last_version(tenant, id).await?;
            let mut asset = self.with_state(tenant, last.stored.asset).await?;
            let mut state = asset.scribe.take().unwrap_or_default();
            take_text(&mut asset, &mut state, &old);
            asset.scribe = Some(state);
            let author = Author::Person(user.clone());
            // A delete marker counts as absent; if somebody else has restored it meanwhile, this is a change of that.
            if let Written::Done { etag } = self.documents.create_asset(tenant, &asset, &author).await? {
                self.document_changed(tenant, &asset, &etag, user).await;
                return Ok(Restored {
                    asset,
                    etag,
                    was_deleted: true,
                });
            }
        }
        Err(ConversationError::Contended.into())
    }
}

/// Puts the older text into the present document. What is known of the blocks then is laid over it; the record, the
/// suggestions and the settings are the present ones.
fn take_text(asset: &mut MediaAsset, state: &mut ScribeState, old: &MediaAsset) {
    let then = old.scribe.as_ref().map(|state| &state.blocks);
    state.blocks = Document::restored(&old.content, then, &state.blocks).manifest();
    state.schema = SCRIBE_SCHEMA;
    asset.content.clone_from(&old.content);
    asset.title.clone_from(&old.title);
    asset.metadata.slug.clone_from(&old.metadata.slug);
    asset.updated_at = iso(Timestamp::now());
}

fn document(version: &StoredVersion) -> Document {
    let asset = &version.stored.asset;
    let none = Manifest::default();
    let manifest = asset.scribe.as_ref().map_or(&none, |state| &state.blocks);
    Document::read(&asset.content, manifest)
}

fn side(version: StoredVersion) -> Side {
    Side {
        version: version.id,
        etag: version.stored.etag,
        title: version.stored.asset.title,
    }
}
