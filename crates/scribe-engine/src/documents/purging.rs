//! Documents removed for good: all of their versions, and what stands beside them.

use std::collections::HashSet;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use scribe_core::{AssetId, ConversationKey, MessageId, TenantId};
use scribe_trigger::{TurnEvent, aws};

use super::assets::asset_key;
use super::conversation_objects::conversation_key;
use super::turn_objects::turns_prefix;
use super::versions::{AT_ONCE, LISTED_AT_ONCE, Listed, entries, next_marker};
use super::{Documents, DocumentsError, Got, parse};

impl Documents {
    /// Removes all versions of a document for good. What hides it goes last, so that no older version shows up in
    /// between. Answers how many there were.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached; some may be gone.
    pub async fn purge_asset(&self, tenant: &TenantId, id: &AssetId) -> Result<u64, DocumentsError> {
        let key = asset_key(tenant, id);
        self.purge(&key, |name| name == key).await
    }

    /// Removes a conversation's object with all its versions.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached; some may be gone.
    pub(crate) async fn purge_conversation(&self, key: &ConversationKey) -> Result<u64, DocumentsError> {
        let name = conversation_key(key);
        self.purge(&name, |found| found == name).await
    }

    /// Removes what File Search is said to hold of a document.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached; some may be gone.
    pub(crate) async fn purge_search_entry(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<u64, DocumentsError> {
        let name = format!("tenants/{tenant}/search/{id}.json");
        self.purge(&name, |found| found == name).await
    }

    /// Removes a conversation's turns for good: the transcript, and whatever stands under `waiting/`.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached; some may be gone.
    pub(crate) async fn purge_turns(&self, key: &ConversationKey) -> Result<(u64, u64), DocumentsError> {
        let ConversationKey { tenant, conversation } = key;
        let turns = turns_prefix(key);
        let waiting = format!("waiting/{tenant}/{conversation}/");
        Ok((
            self.purge(&turns, |_| true).await?,
            self.purge(&waiting, |_| true).await?,
        ))
    }

    /// The turns of a conversation's transcript that were written into a document.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached, or a turn can't be read.
    pub(crate) async fn turns_written_into(
        &self,
        key: &ConversationKey,
        id: &AssetId,
    ) -> Result<Vec<MessageId>, DocumentsError> {
        let names = self.list(&turns_prefix(key)).await?;
        let read = stream::iter(names.into_iter().filter_map(|listed| listed.key))
            .map(|name| self.transcribed(name))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        let turns = read.into_iter().flatten();
        Ok(turns
            .filter(|event| event.text_asset_id.as_ref() == Some(id))
            .map(|event| event.message_id)
            .collect())
    }

    async fn transcribed(&self, name: String) -> Result<Option<TurnEvent>, DocumentsError> {
        match self.get(&name, None).await? {
            Got::Found(object) => parse(&name, &object.bytes).map(Some),
            Got::NotModified | Got::Absent => Ok(None),
        }
    }

    /// Removes turns of a conversation's transcript for good.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached; some may be gone.
    pub(crate) async fn purge_turns_of(
        &self,
        key: &ConversationKey,
        ids: &[MessageId],
    ) -> Result<u64, DocumentsError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let prefix = turns_prefix(key);
        let ids: HashSet<&str> = ids.iter().map(MessageId::as_str).collect();
        let is_one = |name: &str| {
            let turn = name
                .strip_prefix(&prefix)
                .and_then(|name| name.strip_suffix(".json"));
            turn.and_then(|turn| turn.split_once('-'))
                .is_some_and(|(_, id)| ids.contains(id))
        };
        self.purge(&prefix, is_one).await
    }

    /// Removes every version below a prefix, the delete markers last. Answers how many versions there were, markers
    /// not counted.
    async fn purge(&self, prefix: &str, is_ours: impl Fn(&str) -> bool) -> Result<u64, DocumentsError> {
        let mut removed = 0;
        for markers in [false, true] {
            let mut marker = None;
            loop {
                let page = self.list_versions(prefix, marker, LISTED_AT_ONCE).await?;
                let doomed: Vec<Listed> = entries(&page)
                    .into_iter()
                    .filter(|listed| is_ours(&listed.key) && listed.version.content.is_none() == markers)
                    .collect();
                if !markers {
                    removed += doomed.len() as u64;
                }
                self.remove_versions(prefix, &doomed).await?;
                marker = next_marker(&page);
                if marker.is_none() {
                    break;
                }
            }
        }
        Ok(removed)
    }

    async fn remove_versions(&self, prefix: &str, doomed: &[Listed]) -> Result<(), DocumentsError> {
        if doomed.is_empty() {
            return Ok(());
        }
        let failed = |reason: String| DocumentsError::Unavailable {
            operation: "DELETE versions",
            key: prefix.to_owned(),
            reason,
        };
        let mut named = Delete::builder().quiet(true);
        for listed in doomed {
            let object = ObjectIdentifier::builder()
                .key(&listed.key)
                .version_id(listed.version.id.as_str())
                .build();
            named = named.objects(object.map_err(|error| failed(error.to_string()))?);
        }
        let output = self
            .client
            .delete_objects()
            .bucket(&self.bucket)
            .delete(named.build().map_err(|error| failed(error.to_string()))?)
            .send()
            .await
            .map_err(|error| failed(aws::describe(&error)))?;
        match output.errors().first() {
            Some(error) => Err(failed(error.code().unwrap_or("refused").to_owned())),
            None => Ok(()),
        }
    }
}
