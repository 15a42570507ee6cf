//! Documents: the asset objects.

use std::collections::HashMap;

use scribe_core::{
    AssetId, ConversationKey, MediaAsset, MessageId, SCRIBE_SCHEMA, ScribeState, TenantId, Usage, UserId,
};

use scribe_trigger::aws;

use super::{Condition, Documents, DocumentsError, Got, Written, encode, parse, status};

/// How many versions are looked through for the newest record, after another program wrote an asset without one.
const VERSIONS_SEARCHED: usize = 100;

/// Who made a version. It stands in the version's user metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// A turn.
    Turn {
        /// Its conversation.
        conversation: ConversationKey,
        /// Its id.
        message_id: MessageId,
        /// What became of its edits, by operation and outcome.
        edits: String,
        /// What it has cost.
        usage: Usage,
        /// Which model answered.
        model: String,
        /// The turn that it replaced.
        replaces: Option<Replacing>,
    },
    /// A person.
    Person(UserId),
}

/// What a turn took back of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacing {
    /// The turn that it replaced, as `conversationId/messageId`.
    pub turn: String,
    /// What became of that turn's blocks, in counts.
    pub taken_back: String,
}

impl Author {
    pub(super) fn metadata(&self) -> HashMap<String, String> {
        let entry = |name: &str, value: String| (format!("scribe-{name}"), value);
        match self {
            Self::Turn {
                conversation,
                message_id,
                edits,
                usage,
                model,
                replaces,
            } => {
                let turn = format!("{}/{message_id}", conversation.conversation);
                let mut metadata = HashMap::from([
                    entry("author", "turn".into()),
                    entry("turn", turn),
                    // All metadata of an object may have two kilobytes.
                    entry("edits", edits.chars().take(900).collect()),
                ]);
                if let Some(replacing) = replaces {
                    metadata.extend([
                        entry("replaces", replacing.turn.clone()),
                        entry("taken-back", replacing.taken_back.clone()),
                    ]);
                }
                if !usage.is_nothing() {
                    metadata.extend([
                        entry("model", header_value(model)),
                        entry("model-calls", usage.calls.to_string()),
                        entry("metered-calls", usage.metered.to_string()),
                    ]);
                }
                if let Some(tokens) = usage.tokens {
                    metadata.extend([
                        entry("prompt-tokens", tokens.prompt.to_string()),
                        entry("cached-tokens", tokens.cached.to_string()),
                        entry("output-tokens", tokens.output.to_string()),
                    ]);
                }
                metadata
            }
            Self::Person(user) => HashMap::from([
                entry("author", "person".into()),
                entry("person", user.to_string()),
            ]),
        }
    }
}

/// A model's name as a header can carry it: the server chose it.
fn header_value(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(100).collect()
}

/// An asset as it stands in S3.
#[derive(Clone)]
pub struct StoredAsset {
    /// The asset.
    pub asset: MediaAsset,
    /// The object's bytes, JSON.
    pub json: String,
    /// The object's ETag.
    pub etag: String,
}

impl std::fmt::Debug for StoredAsset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredAsset({}, etag {})", self.asset.id, self.etag)
    }
}

impl StoredAsset {
    /// Reads an asset's bytes.
    ///
    /// # Errors
    /// [`DocumentsError::Malformed`] or [`DocumentsError::Newer`].
    pub fn read(key: &str, json: String, etag: String) -> Result<Self, DocumentsError> {
        let asset: MediaAsset = parse(key, json.as_bytes())?;
        if let Some(schema) = asset
            .scribe
            .as_ref()
            .map(|state| state.schema)
            .filter(|&known| known > SCRIBE_SCHEMA)
        {
            return Err(DocumentsError::Newer {
                key: key.into(),
                schema,
                known: SCRIBE_SCHEMA,
            });
        }
        Ok(Self { asset, json, etag })
    }
}

/// An answer to a conditional GET.
#[derive(Debug)]
pub enum Fetched {
    /// The asset as it is now.
    Found(Box<StoredAsset>),
    /// The one that the caller holds is the present one.
    NotModified,
    /// There is none.
    Absent,
}

pub(super) fn asset_key(tenant: &TenantId, id: &AssetId) -> String {
    format!("tenants/{tenant}/media-assets/{id}.json")
}

impl Documents {
    /// Reads an asset, unless it is the one whose ETag the caller holds.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or the object can't be read.
    pub async fn asset(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        held_etag: Option<&str>,
    ) -> Result<Fetched, DocumentsError> {
        let key = asset_key(tenant, id);
        match self.get(&key, held_etag).await? {
            Got::Found(object) => {
                let json = String::from_utf8(object.bytes).map_err(|_| DocumentsError::Malformed {
                    key: key.clone(),
                    reason: "it is not UTF-8".into(),
                })?;
                StoredAsset::read(&key, json, object.etag).map(|stored| Fetched::Found(Box::new(stored)))
            }
            Got::NotModified => Ok(Fetched::NotModified),
            Got::Absent => Ok(Fetched::Absent),
        }
    }

    /// The ETag of an asset, without the asset; none where there is none.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn asset_etag(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<Option<String>, DocumentsError> {
        let key = asset_key(tenant, id);
        let head = self.client.head_object().bucket(&self.bucket).key(&key);
        match head.send().await {
            Ok(output) => Ok(output.e_tag),
            // An answer to HEAD has no body and so no code; whether the object or the bucket is absent is told by a GET.
            Err(error) if status(&error) == Some(404) => match self.get(&key, None).await? {
                Got::Found(object) => Ok(Some(object.etag)),
                Got::NotModified | Got::Absent => Ok(None),
            },
            Err(error) => Err(DocumentsError::Unavailable {
                operation: "HEAD",
                key,
                reason: aws::describe(&error),
            }),
        }
    }

    /// Creates an asset; a conflict means that there is one already.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn create_asset(
        &self,
        tenant: &TenantId,
        asset: &MediaAsset,
        author: &Author,
    ) -> Result<Written, DocumentsError> {
        let key = asset_key(tenant, &asset.id);
        self.put(&key, encode(&key, asset)?, Condition::Absent, Some(author))
            .await
    }

    /// Replaces an asset on condition that it still has the ETag; answers what was written as well.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached. It may have been written all the same.
    pub async fn replace_asset(
        &self,
        tenant: &TenantId,
        asset: &MediaAsset,
        etag: &str,
        author: &Author,
    ) -> Result<(Written, String), DocumentsError> {
        let key = asset_key(tenant, &asset.id);
        let json = encode(&key, asset)?;
        let written = self
            .put(&key, json.clone(), Condition::Matches(etag), Some(author))
            .await?;
        Ok((written, json))
    }

    /// Deletes an asset on condition that it still has the ETag. Its versions stay, hidden by a delete marker.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached. It may have been deleted all the same.
    pub async fn delete_asset(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        etag: &str,
    ) -> Result<Written, DocumentsError> {
        self.delete_if(&asset_key(tenant, id), etag).await
    }

    /// What the scribe knew of the document by the newest version that says so: for an asset that another program
    /// wrote without it. Laid over the new text, its manifest explains what that program left alone; the rest is a
    /// person's.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or a version can't be read.
    pub async fn recover_state(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<ScribeState, DocumentsError> {
        let key = asset_key(tenant, id);
        let failed = |operation, reason| DocumentsError::Unavailable {
            operation,
            key: key.clone(),
            reason,
        };
        let listed = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(&key)
            .send()
            .await
            .map_err(|error| failed("LIST versions", aws::describe(&error)))?;
        let versions = listed.versions.unwrap_or_default();
        let own = versions
            .into_iter()
            .filter(|version| version.key.as_deref() == Some(&key));
        for version in own.take(VERSIONS_SEARCHED) {
            let output = self
                .client
                .get_object()
                .bucket(&self.bucket)
                .key(&key)
                .set_version_id(version.version_id)
                .send()
                .await
                .map_err(|error| failed("GET version", aws::describe(&error)))?;
            let body = output
                .body
                .collect()
                .await
                .map_err(|_| failed("GET version", "the answer broke off".into()))?;
            if let Some(state) = parse::<MediaAsset>(&key, &body.to_vec())?.scribe {
                return Ok(state);
            }
        }
        Ok(ScribeState {
            schema: SCRIBE_SCHEMA,
            ..ScribeState::default()
        })
    }
}
