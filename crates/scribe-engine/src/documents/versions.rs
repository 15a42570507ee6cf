//! Versions of a document: who made each, what it was, and how all of them go for good.
//!
//! A document that was deleted is hidden by a delete marker: its versions are all there. A key without any version
//! never was, or was removed for good. Versions and markers come in two lists, so which of two came first is told by
//! their times, in whole seconds; only the latest one is certain.

use std::collections::HashMap;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use scribe_core::{AssetId, ConversationKey, TenantId, VersionId};
use scribe_trigger::aws;
use scribe_trigger::record::iso;

use super::assets::asset_key;
use super::conversation_objects::conversation_key;
use super::{Documents, DocumentsError, StoredAsset, status};

/// How many objects are read at once.
pub(super) const AT_ONCE: usize = 8;

/// Who made a version, as its metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maker {
    /// A person.
    Person {
        /// Who.
        user: String,
    },
    /// A turn.
    Turn {
        /// Its conversation.
        conversation_id: String,
        /// Its id.
        message_id: String,
        /// What became of its edits, by operation and outcome.
        edits: Option<String>,
        /// Which model answered, where one was asked.
        model: Option<String>,
        /// How many tokens its prompts had, where the server told.
        prompt_tokens: Option<u64>,
        /// How many tokens its answers had, where the server told.
        output_tokens: Option<u64>,
    },
}

impl Maker {
    /// None where another program wrote the version.
    fn read(metadata: &HashMap<String, String>) -> Option<Self> {
        let entry = |name: &str| metadata.get(&format!("scribe-{name}")).cloned();
        let number = |name: &str| entry(name)?.parse().ok();
        match entry("author")?.as_str() {
            "person" => Some(Self::Person {
                user: entry("person")?,
            }),
            "turn" => {
                let turn = entry("turn")?;
                let (conversation_id, message_id) = turn.split_once('/')?;
                Some(Self::Turn {
                    conversation_id: conversation_id.to_owned(),
                    message_id: message_id.to_owned(),
                    edits: entry("edits").filter(|edits| !edits.is_empty()),
                    model: entry("model"),
                    prompt_tokens: number("prompt-tokens"),
                    output_tokens: number("output-tokens"),
                })
            }
            _ => None,
        }
    }
}

/// A version of a document, or the mark of its deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Whether it is the present one.
    pub latest: bool,
    /// When it was written, ISO 8601; S3 tells whole seconds.
    pub written: String,
    /// What it is; none for a deletion.
    pub content: Option<VersionContent>,
}

impl Version {
    /// Whether it is no deletion and has this ETag.
    pub(super) fn has_etag(&self, etag: &str) -> bool {
        self.content.as_ref().is_some_and(|content| content.etag == etag)
    }
}

/// What is known of a version that is not a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionContent {
    /// Its ETag.
    pub etag: String,
    /// The size of its object, in bytes.
    pub size: u64,
    /// Who made it; none where another program did.
    pub maker: Option<Maker>,
}

/// A page of versions, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPage {
    /// The versions.
    pub versions: Vec<Version>,
    /// The last of this page, where more follow.
    pub more_after: Option<VersionId>,
}

/// A version with its text.
#[derive(Debug, Clone)]
pub struct StoredVersion {
    /// Its id.
    pub id: VersionId,
    /// When it was written, ISO 8601.
    pub written: String,
    /// The asset as it was.
    pub stored: StoredAsset,
    /// Who made it; none where another program did.
    pub maker: Option<Maker>,
}

/// The most that one page lists, and that one request removes.
pub(super) const LISTED_AT_ONCE: u16 = 1000;

/// A line of a listing, without what only a HEAD tells.
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) version: Version,
    pub(super) written: Option<aws_sdk_s3::primitives::DateTime>,
}

fn time(written: Option<&aws_sdk_s3::primitives::DateTime>) -> String {
    let at = written.and_then(|at| Timestamp::from_second(at.secs()).ok());
    iso(at.unwrap_or_default())
}

/// The versions and markers of a listing, the latest of each key first. An id that is not one of ours is left out: no
/// S3 makes such.
pub(super) fn entries(page: &ListObjectVersionsOutput) -> Vec<Listed> {
    let versions = page.versions().iter().filter_map(|version| {
        Some(Listed {
            key: version.key()?.to_owned(),
            written: version.last_modified().copied(),
            version: Version {
                id: version.version_id()?.parse().ok()?,
                latest: version.is_latest() == Some(true),
                written: time(version.last_modified()),
                content: Some(VersionContent {
                    etag: version.e_tag().unwrap_or_default().to_owned(),
                    size: version
                        .size()
                        .and_then(|size| size.try_into().ok())
                        .unwrap_or_default(),
                    maker: None,
                }),
            },
        })
    });
    let markers = page.delete_markers().iter().filter_map(|marker| {
        Some(Listed {
            key: marker.key()?.to_owned(),
            written: marker.last_modified().copied(),
            version: Version {
                id: marker.version_id()?.parse().ok()?,
                latest: marker.is_latest() == Some(true),
                written: time(marker.last_modified()),
                content: None,
            },
        })
    });
    let mut listed: Vec<Listed> = versions.chain(markers).collect();
    // Stable: what was written within one second stays as it was listed.
    listed.sort_by(|one, two| {
        let by_age = two
            .written
            .map(|at| at.secs())
            .cmp(&one.written.map(|at| at.secs()));
        one.key
            .cmp(&two.key)
            .then(two.version.latest.cmp(&one.version.latest))
            .then(by_age)
    });
    listed
}

impl Documents {
    /// A page of a document's versions behind the given one, the newest first; none where there is no such document
    /// and never was.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn versions(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        after: Option<&VersionId>,
        limit: u16,
    ) -> Result<Option<VersionPage>, DocumentsError> {
        let key = asset_key(tenant, id);
        let page = self
            .list_versions(&key, after.map(|after| (key.clone(), after.to_string())), limit)
            .await?;
        // Other keys that begin alike come behind this one.
        let own: Vec<Version> = entries(&page)
            .into_iter()
            .filter(|listed| listed.key == key)
            .map(|listed| listed.version)
            .collect();
        if own.is_empty() && after.is_none() {
            return Ok(None);
        }
        let more = page.is_truncated() == Some(true) && page.next_key_marker() == Some(&key);
        let more_after = page.next_version_id_marker().filter(|_| more);
        let versions = stream::iter(own)
            .map(|version| self.with_maker(&key, version))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Some(VersionPage {
            versions,
            more_after: more_after.and_then(|id| id.parse().ok()),
        }))
    }

    /// Reads one version; none where there is no such version, or it is a deletion.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or the version can't be read.
    pub async fn version(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        version: &VersionId,
    ) -> Result<Option<StoredVersion>, DocumentsError> {
        self.version_at(&asset_key(tenant, id), version).await
    }

    /// The same of a key.
    pub(super) async fn version_at(
        &self,
        key: &str,
        version: &VersionId,
    ) -> Result<Option<StoredVersion>, DocumentsError> {
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
            .version_id(version.as_str())
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) => {
                return match status(&error) {
                    // 400: not an id of this S3's making; 405: a delete marker.
                    Some(400 | 404 | 405) => Ok(None),
                    _ => Err(unavailable(aws::describe(&error))),
                };
            }
        };
        let etag = output.e_tag.clone().unwrap_or_default();
        let written = time(output.last_modified());
        let maker = output.metadata().and_then(Maker::read);
        let body = output
            .body
            .collect()
            .await
            .map_err(|_| unavailable("the answer broke off".into()))?;
        let json = String::from_utf8(body.to_vec()).map_err(|_| DocumentsError::Malformed {
            key: key.into(),
            reason: "it is not UTF-8".into(),
        })?;
        Ok(Some(StoredVersion {
            id: version.clone(),
            written,
            stored: StoredAsset::read(key, json, etag)?,
            maker,
        }))
    }

    /// The newest version of a document that is not a deletion, whether it was deleted since or not; none where there
    /// is no such document and never was.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or the version can't be read.
    pub async fn newest_version(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<Option<StoredVersion>, DocumentsError> {
        let key = asset_key(tenant, id);
        let mut marker = None;
        loop {
            let page = self.list_versions(&key, marker, LISTED_AT_ONCE).await?;
            let newest = entries(&page)
                .into_iter()
                .find(|listed| listed.key == key && listed.version.content.is_some());
            if let Some(newest) = newest {
                if let Some(found) = self.version(tenant, id, &newest.version.id).await? {
                    return Ok(Some(found));
                }
                // It was removed in between.
                return Ok(None);
            }
            marker = next_marker(&page).filter(|(at, _)| *at == key);
            if marker.is_none() {
                return Ok(None);
            }
        }
    }

    /// Whether a document was deleted, or is there: not one that never was, or was removed for good.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn has_versions(&self, tenant: &TenantId, id: &AssetId) -> Result<bool, DocumentsError> {
        let key = asset_key(tenant, id);
        let page = self.list_versions(&key, None, 1).await?;
        Ok(entries(&page).iter().any(|listed| listed.key == key))
    }

    /// When a conversation's object was deleted; none where it is there, or never was.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn ended_at(&self, key: &ConversationKey) -> Result<Option<Timestamp>, DocumentsError> {
        let name = conversation_key(key);
        let page = self.list_versions(&name, None, 1).await?;
        let ended = entries(&page)
            .into_iter()
            .find(|listed| listed.key == name && listed.version.latest && listed.version.content.is_none());
        Ok(ended
            .and_then(|listed| listed.written)
            .and_then(|at| Timestamp::from_second(at.secs()).ok()))
    }

    /// The documents that a conversation ever wrote to, by the versions of its object.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or a version can't be read.
    pub(crate) async fn documents_of(&self, key: &ConversationKey) -> Result<Vec<AssetId>, DocumentsError> {
        let name = conversation_key(key);
        let mut found: Vec<AssetId> = Vec::new();
        let mut marker = None;
        loop {
            let page = self.list_versions(&name, marker, LISTED_AT_ONCE).await?;
            let own = entries(&page)
                .into_iter()
                .filter(|listed| listed.key == name && listed.version.content.is_some());
            let read = stream::iter(own.map(|listed| listed.version.id))
                .map(|version| self.conversation_version(&name, version))
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<_>>()
                .await?;
            for id in read.into_iter().flatten() {
                if !found.contains(&id) {
                    found.push(id);
                }
            }
            marker = next_marker(&page).filter(|(at, _)| *at == name);
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn conversation_version(
        &self,
        name: &str,
        version: VersionId,
    ) -> Result<Option<AssetId>, DocumentsError> {
        let failed = |reason| DocumentsError::Unavailable {
            operation: "GET version",
            key: name.to_owned(),
            reason,
        };
        let sent = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(name)
            .version_id(version.as_str())
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) if matches!(status(&error), Some(404 | 405)) => return Ok(None),
            Err(error) => return Err(failed(aws::describe(&error))),
        };
        let body = output
            .body
            .collect()
            .await
            .map_err(|_| failed("the answer broke off".into()))?;
        let conversation: super::Conversation = super::parse(name, &body.to_vec())?;
        Ok(Some(conversation.text_asset_id))
    }

    async fn with_maker(&self, key: &str, mut version: Version) -> Result<Version, DocumentsError> {
        let Some(content) = &mut version.content else {
            return Ok(version);
        };
        let sent = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version.id.as_str())
            .send()
            .await;
        match sent {
            Ok(head) => content.maker = head.metadata().and_then(Maker::read),
            // Removed since it was listed.
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => {
                return Err(DocumentsError::Unavailable {
                    operation: "HEAD version",
                    key: key.to_owned(),
                    reason: aws::describe(&error),
                });
            }
        }
        Ok(version)
    }

    pub(super) async fn list_versions(
        &self,
        prefix: &str,
        after: Option<(String, String)>,
        limit: u16,
    ) -> Result<ListObjectVersionsOutput, DocumentsError> {
        let (key, version) = after.unzip();
        self.client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_key_marker(key)
            .set_version_id_marker(version)
            .max_keys(limit.into())
            .send()
            .await
            .map_err(|error| DocumentsError::Unavailable {
                operation: "LIST versions",
                key: prefix.to_owned(),
                reason: aws::describe(&error),
            })
    }
}

/// Where the next page begins.
pub(super) fn next_marker(page: &ListObjectVersionsOutput) -> Option<(String, String)> {
    if page.is_truncated() != Some(true) {
        return None;
    }
    Some((
        page.next_key_marker()?.to_owned(),
        page.next_version_id_marker().unwrap_or_default().to_owned(),
    ))
}
