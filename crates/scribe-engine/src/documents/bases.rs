//! The version that a person's save is based on, found by its ETag.

use scribe_core::{AssetId, TenantId};
use scribe_trigger::aws;

use super::assets::asset_key;
use super::{Documents, DocumentsError, Fetched, StoredAsset};

/// How many versions are looked at first: people save on what they read a moment ago.
const NEWEST: i32 = 20;

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
        let mut marker: Option<(Option<String>, Option<String>)> = Some((None, None));
        let mut at_most = Some(NEWEST);
        while let Some((key_marker, version_marker)) = marker.take() {
            let listed = self
                .client
                .list_object_versions()
                .bucket(&self.bucket)
                .prefix(&key)
                .set_max_keys(at_most.take())
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await;
            let page = listed.map_err(|error| DocumentsError::Unavailable {
                operation: "LIST versions",
                key: key.clone(),
                reason: aws::describe(&error),
            })?;
            let is_it = |version: &&aws_sdk_s3::types::ObjectVersion| {
                version.key() == Some(&key) && version.e_tag() == Some(etag)
            };
            if let Some(version) = page.versions().iter().find(is_it) {
                let id = version.version_id().unwrap_or_default();
                return Ok(match self.version_of(&key, id, etag).await? {
                    Some(base) => Base::Earlier {
                        base: Box::new(base),
                        present,
                    },
                    None => Base::Unknown,
                });
            }
            if page.is_truncated() == Some(true) {
                marker = Some((page.next_key_marker, page.next_version_id_marker));
            }
        }
        Ok(Base::Unknown)
    }

    /// A version by its id; none where it is gone.
    pub(super) async fn version_of(
        &self,
        key: &str,
        id: &str,
        etag: &str,
    ) -> Result<Option<StoredAsset>, DocumentsError> {
        let unavailable = |reason| DocumentsError::Unavailable {
            operation: "GET version",
            key: key.into(),
            reason,
        };
        let sent = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .version_id(id)
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) if super::status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(unavailable(aws::describe(&error))),
        };
        let body = output.body.collect().await;
        let bytes = body
            .map_err(|_| unavailable("the answer broke off".into()))?
            .to_vec();
        let json = String::from_utf8(bytes).map_err(|_| DocumentsError::Malformed {
            key: key.into(),
            reason: "it is not UTF-8".into(),
        })?;
        StoredAsset::read(key, json, etag.to_owned()).map(Some)
    }
}
