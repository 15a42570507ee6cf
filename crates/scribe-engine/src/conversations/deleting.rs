//! Documents, deleted or removed for good.
//!
//! Deleting ends the conversations first, then hides the document behind a delete marker: in between there is a
//! document without a scribe, never a scribe without a document. Turns that were acknowledged and are not written yet
//! are parked: they stand in the list of failed turns, say why, and may be replayed where the conversation goes on.
//! Every step may be repeated, and the same request completes what broke off.
//!
//! Removing for good deletes first, then removes what was hidden: turns, conversations, and last the document's
//! versions, because only they say which conversations there were.

use scribe_core::{
    AssetId, ConversationId, ConversationKey, MediaAsset, MessageId, Record, ScribeState, Standing, TenantId,
    UserId,
};
use scribe_trigger::ledger::Ended;
use scribe_trigger::{LedgerError, TurnEvent};

use super::{CHANGE_TRIES, ConversationError, Conversations};
use crate::documents::{DocumentsError, Fetched, StoredVersion, WaitingState, Written};
use crate::{DELETED, lost};

/// A document that is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Whether it was deleted before this request.
    pub already: bool,
    /// The conversations that wrote to it, and do not any more.
    pub conversations: Vec<ConversationId>,
    /// Conversations that have turns in it, and write to other documents by now.
    pub elsewhere: Vec<ConversationId>,
    /// The turns that will not be written into it: they are among the failed ones of their conversations.
    pub parked: Vec<(ConversationId, MessageId)>,
}

/// What was removed for good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erased {
    /// How many versions of the document.
    pub versions: u64,
    /// How many turns of the transcript.
    pub turns: u64,
    /// How many turns that waited or had failed.
    pub waiting: u64,
    /// The conversations of which nothing is left.
    pub conversations: Vec<ConversationId>,
    /// Those that write, or wrote, to other documents too: only their turns in this one are gone.
    pub kept: Vec<ConversationId>,
    /// Whether there was a search entry.
    pub search_entry: bool,
}

/// Why a document was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// A service failed.
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    /// There is no such document.
    #[error("there is no document {0}")]
    NoDocument(AssetId),
    /// It is not the version that was to be deleted. Its conversations may have ended.
    #[error("document {id} has changed")]
    Changed {
        /// Which one.
        id: AssetId,
        /// Its ETag now.
        etag: String,
    },
}

impl From<DocumentsError> for DeleteError {
    fn from(error: DocumentsError) -> Self {
        Self::Conversation(error.into())
    }
}

impl From<LedgerError> for DeleteError {
    fn from(error: LedgerError) -> Self {
        Self::Conversation(error.into())
    }
}

impl Conversations {
    /// Deletes a document: ends its conversations, parks what they owe, and hides it. Its versions stay.
    ///
    /// # Errors
    /// [`DeleteError`]. The same request may be repeated: it goes on where it stopped.
    pub async fn delete_document(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        user: &UserId,
        if_match: Option<&str>,
    ) -> Result<Deleted, DeleteError> {
        for _ in 0..CHANGE_TRIES {
            let stored = match self.documents.asset(tenant, id, None).await? {
                Fetched::Found(stored) => *stored,
                Fetched::NotModified | Fetched::Absent => {
                    let last = self.last_version(tenant, id).await?;
                    let asset = self.with_state(tenant, last.stored.asset).await?;
                    return self.finish_deleting(tenant, &asset, true).await;
                }
            };
            if if_match.is_some_and(|expected| expected != stored.etag) {
                return Err(DeleteError::Changed {
                    id: id.clone(),
                    etag: stored.etag,
                });
            }
            let asset = self.with_state(tenant, stored.asset).await?;
            for conversation in asset.conversations() {
                let key = ConversationKey::new(tenant.clone(), conversation);
                if !self.delete_conversation_of(&key, id).await? {
                    self.end_session(&key, id).await?;
                }
            }
            // A turn that was being written, a person, or a conversation that was added: each changed the ETag.
            if let Written::Done { .. } = self.documents.delete_asset(tenant, id, &stored.etag).await? {
                tracing::info!(asset.id = %id, "document {tenant}/{id} was deleted by {user}");
                return self.finish_deleting(tenant, &asset, false).await;
            }
        }
        Err(ConversationError::Contended.into())
    }

    /// Removes a document for good, with all that belongs to it alone. Nothing brings it back.
    ///
    /// # Errors
    /// [`DeleteError`]. The same request may be repeated: it goes on where it stopped.
    pub async fn erase_document(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        user: &UserId,
        if_match: Option<&str>,
    ) -> Result<(Deleted, Erased), DeleteError> {
        let deleted = match self.delete_document(tenant, id, user, if_match).await {
            // Only the marks of its deletion are left: a removal broke off at its last step.
            Err(DeleteError::NoDocument(_)) if self.documents.has_versions(tenant, id).await? => Deleted {
                already: true,
                ..Deleted::default()
            },
            deleted => deleted?,
        };
        let mut erased = Erased {
            kept: deleted.elsewhere.clone(),
            ..Erased::default()
        };
        for conversation in &deleted.elsewhere {
            let key = ConversationKey::new(tenant.clone(), conversation.clone());
            erased.turns += self.erase_turns_of(&key, id).await?;
        }
        for conversation in &deleted.conversations {
            let key = ConversationKey::new(tenant.clone(), conversation.clone());
            let documents = self.documents.documents_of(&key).await?;
            if documents.iter().any(|other| other != id) {
                erased.turns += self.erase_turns_of(&key, id).await?;
                erased.kept.push(key.conversation);
                continue;
            }
            self.ledger.forget(&key).await?;
            let (turns, waiting) = self.documents.purge_turns(&key).await?;
            erased.turns += turns;
            erased.waiting += waiting;
            // Last: it says that the conversation was this document's alone.
            self.documents.purge_conversation(&key).await?;
            erased.conversations.push(key.conversation);
        }
        erased.search_entry = self.documents.purge_search_entry(tenant, id).await? > 0;
        erased.versions = self.documents.purge_asset(tenant, id).await?;
        tracing::info!(asset.id = %id, "document {tenant}/{id} was removed for good by {user}");
        Ok((deleted, erased))
    }

    /// Removes the turns of a conversation that were written into a document, and leaves those of its others.
    async fn erase_turns_of(&self, key: &ConversationKey, id: &AssetId) -> Result<u64, DeleteError> {
        let written = self.documents.turns_written_into(key, id).await?;
        self.ledger.forget_turns(key, &written).await?;
        Ok(self.documents.purge_turns_of(key, &written).await?)
    }

    pub(super) async fn last_version(
        &self,
        tenant: &TenantId,
        id: &AssetId,
    ) -> Result<StoredVersion, DeleteError> {
        let found = self.documents.newest_version(tenant, id).await?;
        found.ok_or_else(|| DeleteError::NoDocument(id.clone()))
    }

    /// The asset with what the scribe knew of it, where another program has written it without.
    pub(super) async fn with_state(
        &self,
        tenant: &TenantId,
        mut asset: MediaAsset,
    ) -> Result<MediaAsset, ConversationError> {
        if asset.scribe.is_none() {
            asset.scribe = Some(self.documents.recover_state(tenant, &asset.id).await?);
        }
        Ok(asset)
    }

    /// Ends a conversation for Redis. What waits is parked in S3 first, so that no turn is owed nowhere in between.
    async fn end_session(&self, key: &ConversationKey, id: &AssetId) -> Result<(), DeleteError> {
        let mut parked = Vec::new();
        for _ in 0..CHANGE_TRIES {
            let waiting = match self.ledger.end(key, id, &parked, DELETED).await? {
                Ended::Ended => return self.park_copies(key).await,
                // It was started anew, with another document.
                Ended::Other => return Ok(()),
                Ended::Waiting(waiting) => waiting,
            };
            for (message_id, seq) in waiting {
                let known = self.ledger.trigger(key, &message_id).await?;
                let trigger = match known.filter(|trigger| !trigger.text_lost) {
                    Some(trigger) => trigger,
                    None => lost::look_up(&self.documents, key, seq, &message_id)
                        .await?
                        .unwrap_or_else(|| lost::stub(key, seq, &message_id)),
                };
                let event = TurnEvent::new(&trigger.turn(key), Some(id.clone()));
                self.documents.park_waiting(&event, DELETED).await?;
                parked.push(message_id);
            }
        }
        Err(ConversationError::Contended.into())
    }

    /// Parks the turns under `waiting/` that Redis has forgotten.
    async fn park_copies(&self, key: &ConversationKey) -> Result<(), DeleteError> {
        for turn in self.documents.waiting_turns(key).await? {
            if turn.state == WaitingState::Waiting {
                self.documents.park_waiting(&turn.event, DELETED).await?;
            }
        }
        Ok(())
    }

    /// Looks through what was parked, now that nothing is written any more: a turn that came through after all is in
    /// the last version, and owed no longer.
    async fn finish_deleting(
        &self,
        tenant: &TenantId,
        asset: &MediaAsset,
        already: bool,
    ) -> Result<Deleted, DeleteError> {
        let none = ScribeState::default();
        let record: &Record = &asset.scribe.as_ref().unwrap_or(&none).record;
        let mut deleted = Deleted {
            already,
            conversations: Vec::new(),
            elsewhere: Vec::new(),
            parked: Vec::new(),
        };
        for conversation in asset.conversations() {
            let key = ConversationKey::new(tenant.clone(), conversation);
            let present = self.documents.conversation(&key).await?;
            if present.is_some_and(|(conversation, _)| conversation.text_asset_id != asset.id) {
                deleted.elsewhere.push(key.conversation);
                continue;
            }
            for turn in self.documents.waiting_turns(&key).await? {
                let (seq, message_id) = (turn.event.seq, &turn.event.message_id);
                if record.standing(&key.conversation, message_id, seq) == Standing::Applied {
                    self.ledger.mark_processed(&key, &turn.event.trigger()).await?;
                    self.documents.remove_waiting(&key, seq, message_id).await?;
                } else {
                    deleted
                        .parked
                        .push((key.conversation.clone(), message_id.clone()));
                }
            }
            deleted.conversations.push(key.conversation);
        }
        Ok(deleted)
    }
}
