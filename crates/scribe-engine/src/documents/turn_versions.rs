//! The versions of a document around a turn: the one that the turn made, and the one that it was made from.
//!
//! Versions know their turn by their metadata, so the newest are asked one by one until the turn's is found: mostly the
//! first or the second. A turn that replaced another one was not woven into the version before it as it stands there,
//! but into that version without the other turn. So the versions of the turns that were replaced one after the other
//! come along.

use std::collections::HashMap;

use aws_sdk_s3::types::ObjectVersion;
use scribe_core::{AssetId, MediaAsset, TenantId};
use scribe_trigger::aws;

use super::assets::asset_key;
use super::{Documents, DocumentsError, status};

/// How many versions are asked for their turn.
const ASKED: usize = 100;

/// How many turns that replaced each other are followed.
const CHAIN: usize = 12;

/// The versions around one turn.
#[derive(Debug)]
pub struct TurnVersions {
    /// The turn, as `conversationId/messageId`.
    pub turn: String,
    /// What the turn was woven into, if that was not the version of another turn that it replaced.
    pub before: MediaAsset,
    /// What came of it.
    pub after: MediaAsset,
    /// The turn that it replaced.
    pub replaces: Option<String>,
}

impl Documents {
    /// The versions around a turn, and behind it those around the turn that it replaced, and so on. What S3 does not
    /// have any more is left out, with all that is older.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn turn_versions(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        turn: &str,
    ) -> Result<Vec<TurnVersions>, DocumentsError> {
        let key = asset_key(tenant, id);
        let listed = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(&key)
            .send()
            .await
            .map_err(|error| unavailable("LIST versions", &key, aws::describe(&error)))?;
        let versions: Vec<ObjectVersion> = listed
            .versions
            .unwrap_or_default()
            .into_iter()
            .filter(|version| version.key.as_deref() == Some(&key))
            .collect();
        let mut found = Vec::new();
        let mut wanted = turn.to_owned();
        for (version, older) in versions.iter().zip(versions.iter().skip(1)).take(ASKED) {
            let metadata = self.version_metadata(&key, version).await?;
            if metadata.get("scribe-turn") != Some(&wanted) {
                continue;
            }
            let (Some(before), Some(after)) = (
                self.readable(&key, older).await?,
                self.readable(&key, version).await?,
            ) else {
                break;
            };
            let replaces = metadata.get("scribe-replaces").cloned();
            found.push(TurnVersions {
                turn: wanted,
                before,
                after,
                replaces: replaces.clone(),
            });
            match replaces {
                Some(replaced) if found.len() < CHAIN => wanted = replaced,
                _ => break,
            }
        }
        Ok(found)
    }

    /// A version's metadata; empty where it is gone.
    async fn version_metadata(
        &self,
        key: &str,
        version: &ObjectVersion,
    ) -> Result<HashMap<String, String>, DocumentsError> {
        let asked = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .set_version_id(version.version_id.clone())
            .send()
            .await;
        match asked {
            Ok(output) => Ok(output.metadata.unwrap_or_default()),
            Err(error) if status(&error) == Some(404) => Ok(HashMap::new()),
            Err(error) => Err(unavailable("HEAD version", key, aws::describe(&error))),
        }
    }

    /// A version; none where it is gone, or what this version of ours can't read.
    async fn readable(
        &self,
        key: &str,
        version: &ObjectVersion,
    ) -> Result<Option<MediaAsset>, DocumentsError> {
        let Some(Ok(id)) = version.version_id().map(str::parse) else {
            return Ok(None);
        };
        match self.version_at(key, &id).await {
            Ok(version) => Ok(version.map(|version| version.stored.asset)),
            Err(DocumentsError::Malformed { .. } | DocumentsError::Newer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn unavailable(operation: &'static str, key: &str, reason: String) -> DocumentsError {
    DocumentsError::Unavailable {
        operation,
        key: key.into(),
        reason,
    }
}
