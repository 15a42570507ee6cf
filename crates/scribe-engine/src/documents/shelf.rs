//! The documents of a tenant, as one LIST shows them: names and times, without their texts.

use jiff::Timestamp;
use scribe_core::{AssetId, TenantId};

use super::{Documents, DocumentsError};

/// A document as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelvedAsset {
    /// Its id.
    pub id: AssetId,
    /// When its object was written, by S3's clock.
    pub written: Timestamp,
}

impl Documents {
    /// Lists a tenant's documents: one request for each thousand of them. Objects whose names are no ids are not ours.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn shelf(&self, tenant: &TenantId) -> Result<Vec<ShelvedAsset>, DocumentsError> {
        let prefix = format!("tenants/{tenant}/media-assets/");
        let listed = self.list(&prefix).await?;
        let asset = |object: &aws_sdk_s3::types::Object| {
            let name = object.key()?.strip_prefix(&prefix)?.strip_suffix(".json")?;
            let written = object.last_modified()?;
            let nanos = i32::try_from(written.subsec_nanos()).ok()?;
            Some(ShelvedAsset {
                id: name.parse().ok()?,
                written: Timestamp::new(written.secs(), nanos).ok()?,
            })
        };
        Ok(listed.iter().filter_map(asset).collect())
    }
}
