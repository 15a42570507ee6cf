//! Conversations, as the API sees them: started, switched on and off, and looked at.
//!
//! The order of writes is the protocol's: S3 first, then Redis, each step harmless to repeat. So a crash in between,
//! or a Redis that is down, leaves something that the same request completes.

mod changes;
mod chat;
mod continuing;
mod deleting;
mod failed;
mod live;
mod restoring;
mod said_before;
mod saving;
mod settings;
mod shelf;
mod suggesting;

use jiff::Timestamp;
use scribe_core::asset::NewDocument;
use scribe_core::style::StyleChoice;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_core::{ActiveScribeSession, AssetId, ConversationKey, MediaAsset, TenantId, UserId};
use scribe_trigger::ledger::{CachedAsset, QueueStatus, Registration, Toggled};
use scribe_trigger::record::iso;
use scribe_trigger::{Dispatcher, Ledger, LedgerError, TurnEvent};

use crate::documents::{
    Author, Conversation, Documents, DocumentsError, Fetched, StoredAsset, WaitingTurn, Written,
};

pub use chat::ChatDocument;
pub use continuing::{ContinueError, Continued};
pub use deleting::{DeleteError, Deleted, Erased};
pub use failed::{FailedTurnError, ReplayedTurn};
pub use live::LiveView;
pub use restoring::{Compared, RestoreError, Restored, Side};
pub use saving::{Merge, Save, SaveError, Saved};
pub use settings::{Settings, SettingsChange};
pub use shelf::{Created, ListedAsset, NewAsset, PageStart, ShelfPage};
pub use suggesting::{Decided, Decision, SuggestionError, SuggestionView};

/// How often an object is tried to be changed while others write it.
const CHANGE_TRIES: u32 = 8;

/// What a request of the API failed at.
#[derive(Debug, thiserror::Error)]
pub enum ConversationError {
    /// Redis could not be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// S3 could not be used.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
    /// The conversation has a document that is not there any more.
    #[error("the document {0} of this conversation was deleted")]
    DocumentGone(AssetId),
    /// Others wrote in between too often.
    #[error("others changed the same at the same moment, try again")]
    Contended,
}

/// A scribe that is to be started.
#[derive(Debug, Clone)]
pub struct Start {
    /// In which conversation.
    pub key: ConversationKey,
    /// By whom.
    pub user: UserId,
    /// The document's title.
    pub title: String,
    /// How it is to be written.
    pub style: StyleChoice,
    /// What its owner wishes about its wording.
    pub instructions: Option<String>,
}

/// A scribe that was started.
#[derive(Debug)]
pub struct Started {
    /// The session.
    pub session: ActiveScribeSession,
    /// Whether the document was created now; if not, it was there before.
    pub created: bool,
    /// Whether the scribe was there before, and off at some time.
    pub was_off: bool,
}

/// A conversation as it stands.
#[derive(Debug)]
pub struct ConversationView {
    /// The session.
    pub session: ActiveScribeSession,
    /// Its queue; none while Redis can't be reached.
    pub queue: Option<QueueStatus>,
    /// The turn that is being written.
    pub writing: Option<ScribeTrigger>,
}

/// What the routes of the API do with conversations.
#[derive(Debug, Clone)]
pub struct Conversations {
    ledger: Ledger,
    documents: Documents,
    dispatcher: Dispatcher,
}

/// The session of a conversation, from what S3 holds.
pub(crate) fn session_of(conversation: &Conversation, asset: Option<&MediaAsset>) -> ActiveScribeSession {
    let title = asset.map_or(&conversation.title, |asset| &asset.title);
    let last_update_at = asset
        .and_then(|asset| asset.metadata.last_scribe_update.clone())
        .unwrap_or_else(|| conversation.created_at.clone());
    let turns = asset
        .and_then(|asset| asset.scribe.as_ref())
        .map_or(0, |state| state.record.turns(&conversation.conversation_id));
    ActiveScribeSession {
        conversation_id: conversation.conversation_id.clone(),
        text_asset_id: conversation.text_asset_id.clone(),
        slug: scribe_core::asset::slugify(title),
        title: title.clone(),
        scribe_enabled: conversation.scribe_enabled,
        last_update_at,
        user_id: conversation.user_id.clone(),
        tenant_id: conversation.tenant_id.clone(),
        created_at: conversation.created_at.clone(),
        message_count: turns,
        current_content: None,
    }
}

impl Conversations {
    /// Conversations over clients that the caller has.
    #[must_use]
    pub fn new(ledger: Ledger, documents: Documents, dispatcher: Dispatcher) -> Self {
        Self {
            ledger,
            documents,
            dispatcher,
        }
    }

    /// Starts the scribe. A conversation that has one keeps its document; if it was off, it is on again.
    ///
    /// # Errors
    /// [`ConversationError`]. The same request may be repeated: it goes on where it stopped.
    pub async fn start(&self, start: &Start, new_id: AssetId) -> Result<Started, ConversationError> {
        let now = iso(Timestamp::now());
        let wanted = Conversation {
            version: 1,
            conversation_id: start.key.conversation.clone(),
            tenant_id: start.key.tenant.clone(),
            user_id: start.user.clone(),
            text_asset_id: new_id,
            title: start.title.clone(),
            style: start.style,
            instructions: start.instructions.clone(),
            scribe_enabled: true,
            was_off: false,
            created_at: now,
        };
        let (conversation, is_new) = match self.documents.create_conversation(&wanted).await? {
            Written::Done { .. } => (wanted, true),
            Written::Conflict | Written::Gone => {
                let found = self.switch_object(&start.key, true).await?;
                (found.ok_or(ConversationError::Contended)?, false)
            }
        };
        let new = MediaAsset::started(NewDocument {
            id: conversation.text_asset_id.clone(),
            title: conversation.title.clone(),
            conversation_id: conversation.conversation_id.clone(),
            style: conversation.style,
            instructions: conversation.instructions.clone(),
            now: conversation.created_at.clone(),
        });
        let author = Author::Person(conversation.user_id.clone());
        // One that was there before and was deleted is not begun anew: its record would be gone.
        let tenant = &start.key.tenant;
        let created = (is_new
            || !self
                .documents
                .has_versions(tenant, &conversation.text_asset_id)
                .await?)
            && matches!(
                self.documents.create_asset(tenant, &new, &author).await?,
                Written::Done { .. }
            );
        let stored = self.asset(&start.key.tenant, &conversation.text_asset_id).await?;
        let session = session_of(&conversation, Some(&stored.asset));
        let waiting = if created {
            Vec::new()
        } else {
            self.documents.waiting_turns(&start.key).await?
        };
        self.register(&session, Some(&stored), &waiting).await?;
        if !waiting.is_empty() {
            self.invoke_for(&session, self.oldest_waiting(&start.key).await?)
                .await;
        }
        Ok(Started {
            session,
            created,
            was_off: conversation.was_off,
        })
    }

    /// Switches the scribe on or off; none where the conversation has none. On invokes if turns wait.
    ///
    /// # Errors
    /// [`ConversationError`]. The same request may be repeated.
    pub async fn toggle(
        &self,
        key: &ConversationKey,
        enabled: bool,
    ) -> Result<Option<ActiveScribeSession>, ConversationError> {
        let Some(conversation) = self.switch_object(key, enabled).await? else {
            return Ok(None);
        };
        let switched = if enabled {
            self.ledger.enable(key).await?
        } else {
            self.ledger.disable(key).await?
        };
        match switched {
            Toggled::Switched { session, next } => {
                self.invoke_for(&session, next).await;
                Ok(Some(*session))
            }
            Toggled::Unknown => {
                let stored = self.asset(&key.tenant, &conversation.text_asset_id).await?;
                let session = session_of(&conversation, Some(&stored.asset));
                let waiting = self.documents.waiting_turns(key).await?;
                self.register(&session, Some(&stored), &waiting).await?;
                if enabled {
                    self.invoke_for(&session, self.oldest_waiting(key).await?).await;
                }
                Ok(Some(session))
            }
        }
    }

    /// Looks at a conversation; none where it has no scribe. While Redis can't be reached, S3 answers alone.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 is needed and can't be reached.
    pub async fn view(&self, key: &ConversationKey) -> Result<Option<ConversationView>, ConversationError> {
        let known = async {
            let (session, queue, triggers) = tokio::try_join!(
                self.ledger.session(key),
                self.ledger.queue_status(key),
                self.ledger.writing(key)
            )?;
            Ok::<_, LedgerError>((session, queue, triggers))
        };
        let (session, queue, writing) = match known.await {
            Ok((session, queue, writing)) => (session, Some(queue), writing),
            Err(error) => {
                tracing::warn!(conversation.id = %key, "conversation {key} is read from s3 alone: {error}");
                (None, None, None)
            }
        };
        let session = match session {
            Some(session) => session,
            None => {
                let Some((conversation, _)) = self.documents.conversation(key).await? else {
                    return Ok(None);
                };
                let fetched = self
                    .documents
                    .asset(&key.tenant, &conversation.text_asset_id, None)
                    .await?;
                let asset = match fetched {
                    Fetched::Found(stored) => Some(stored.asset),
                    Fetched::NotModified | Fetched::Absent => None,
                };
                session_of(&conversation, asset.as_ref())
            }
        };
        Ok(Some(ConversationView {
            session,
            queue,
            writing,
        }))
    }

    /// The turns of a conversation: those that Redis knows, and those that stand under `waiting/`, by sequence.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn turns(&self, key: &ConversationKey) -> Result<Vec<ScribeTrigger>, ConversationError> {
        let known = match self.ledger.triggers(key).await {
            Ok(turns) => turns,
            Err(error) => {
                tracing::warn!(conversation.id = %key, "the turns of {key} are read from s3 alone: {error}");
                Vec::new()
            }
        };
        self.with_waiting(key, known).await
    }

    /// Those turns, and the ones that stand under `waiting/` besides, by sequence.
    async fn with_waiting(
        &self,
        key: &ConversationKey,
        mut turns: Vec<ScribeTrigger>,
    ) -> Result<Vec<ScribeTrigger>, ConversationError> {
        for waiting in self.documents.waiting_turns(key).await? {
            // One that is owed is more than a try of it that did not become whole.
            turns.retain(|turn| {
                turn.state != TriggerState::Incomplete || turn.message_id != waiting.event.message_id
            });
            if !turns
                .iter()
                .any(|turn| turn.message_id == waiting.event.message_id)
            {
                turns.push(waiting.trigger());
            }
        }
        turns.sort_by_key(|turn| turn.seq);
        Ok(turns)
    }

    /// Reads a document, unless it is the one whose ETag the caller holds.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn document(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        held_etag: Option<&str>,
    ) -> Result<Fetched, ConversationError> {
        Ok(self.documents.asset(tenant, id, held_etag).await?)
    }

    /// Asks Redis and S3 whether they are there.
    ///
    /// # Errors
    /// [`ConversationError`] for the first that is not.
    pub async fn health(&self) -> Result<(), ConversationError> {
        self.ledger.ping().await?;
        self.documents.ping().await?;
        Ok(())
    }

    async fn asset(&self, tenant: &TenantId, id: &AssetId) -> Result<StoredAsset, ConversationError> {
        match self.documents.asset(tenant, id, None).await? {
            Fetched::Found(stored) => Ok(*stored),
            Fetched::NotModified | Fetched::Absent => Err(ConversationError::DocumentGone(id.clone())),
        }
    }

    /// Switches the conversation's object in S3; none where there is none. Answers too whether it had to be switched.
    async fn switch_object(
        &self,
        key: &ConversationKey,
        enabled: bool,
    ) -> Result<Option<Conversation>, ConversationError> {
        for _ in 0..CHANGE_TRIES {
            let Some((mut conversation, etag)) = self.documents.conversation(key).await? else {
                return Ok(None);
            };
            if conversation.scribe_enabled == enabled {
                return Ok(Some(conversation));
            }
            conversation.scribe_enabled = enabled;
            conversation.was_off = true;
            match self.documents.replace_conversation(&conversation, &etag).await? {
                Written::Done { .. } => return Ok(Some(conversation)),
                Written::Gone => return Ok(None),
                Written::Conflict => {}
            }
        }
        Err(ConversationError::Contended)
    }

    async fn register(
        &self,
        session: &ActiveScribeSession,
        stored: Option<&StoredAsset>,
        waiting: &[WaitingTurn],
    ) -> Result<(), LedgerError> {
        let turns: Vec<_> = waiting.iter().map(WaitingTurn::trigger).collect();
        let asset = stored.map(|stored| CachedAsset {
            json: stored.json.clone(),
            etag: stored.etag.clone(),
        });
        self.ledger
            .register(Registration {
                session,
                asset,
                turns: &turns,
                replace: true,
            })
            .await
            .map(drop)
    }

    async fn oldest_waiting(&self, key: &ConversationKey) -> Result<Option<Box<ScribeTrigger>>, LedgerError> {
        let turns = self.ledger.triggers(key).await?;
        let waits =
            |turn: &ScribeTrigger| matches!(turn.state, TriggerState::Pending | TriggerState::Processing);
        Ok(turns.into_iter().find(waits).map(Box::new))
    }

    /// Invokes for a waiting turn. A failure is the sweeper's to mend: the turn stands in Redis and S3.
    async fn invoke_for(&self, session: &ActiveScribeSession, next: Option<Box<ScribeTrigger>>) {
        let Some(next) = next else { return };
        let event = TurnEvent::new(&next.turn(&session.key()), Some(session.text_asset_id.clone()));
        if let Err(error) = self.dispatcher.invoke(&event).await {
            tracing::warn!(
                turn.id = %next.message_id,
                conversation.id = %session.key(),
                "turn {} waits for the sweeper: {error}",
                next.message_id
            );
        }
    }
}
