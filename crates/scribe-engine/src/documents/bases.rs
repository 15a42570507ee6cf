//! The version that a person's save is based on, found by its ETag.

use scribe_core::{AssetId, TenantId};

use super::assets::asset_key;
use super::versions::{LISTED_AT_ONCE, Listed, entries, next_marker};
use super::{Documents, DocumentsError, Fetched, StoredAsset};

/// How many versions are looked at first: people save on what they read a moment ago.
const NEWEST: u16 = 20;

/// The document that a save is based on.
#[derive(Debug)]
pub enum Base {
    /// It is the present one.
    Present(Box<StoredAsset>),
    /// Others have written since.
    Earlier {
        /// What the save is based on.
        base: Box<StoredAsset>,
        /// What stands there now.
        present: Box<StoredAsset>,
    },
    /// No version has this ETag: it never had one, or the bucket's lifecycle has removed it.
    Unknown,
    /// There is no such document.
    Absent,
}

impl Documents {
    /// Reads the document and the version of it that has this ETag.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or an object can't be read.
    pub async fn base(&self, tenant: &TenantId, id: &AssetId, etag: &str) -> Result<Base, DocumentsError> {
        let present = match self.asset(tenant, id, None).await? {
            Fetched::Found(stored) if stored.etag == etag => return Ok(Base::Present(stored)),
            Fetched::Found(stored) => stored,
            Fetched::NotModified | Fetched::Absent => return Ok(Base::Absent),
        };
        let key = asset_key(tenant, id);
        let mut marker = None;
        let mut at_most = NEWEST;
        loop {
            let page = self.list_versions(&key, marker, at_most).await?;
            at_most = LISTED_AT_ONCE;
            let is_it = |listed: &Listed| listed.key == key && listed.version.has_etag(etag);
            if let Some(listed) = entries(&page).into_iter().find(is_it) {
                // Between the two requests the bucket's lifecycle may remove it.
                let base = self.version_at(&key, &listed.version.id).await?;
                return Ok(base.map_or(Base::Unknown, |base| Base::Earlier {
                    base: Box::new(base.stored),
                    present,
                }));
            }
            marker = next_marker(&page);
            if marker.is_none() {
                return Ok(Base::Unknown);
            }
        }
    }
}
