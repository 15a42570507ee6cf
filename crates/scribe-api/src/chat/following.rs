//! A turn of a chat, from the question on: it is recorded when its answer is whole.
//!
//! Only the end of the answer's body waits for the turn to be recorded, for a bounded time: a process that is frozen when
//! its answer ends would not get to it. An answer that broke off, or whose reader left, leaves its name and the reason,
//! and no half turn.

use std::collections::BTreeMap;
use std::time::Duration;

use scribe_core::chat::{Asked, Finding, Incompletion, other_answer_id};
use scribe_core::turn::TriggerState;
use scribe_core::{ConversationKey, MessageId, Seq};
use scribe_engine::Conversations;
use scribe_trigger::{RecordError, Recorded, Recorder, TurnRequest};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::ApiState;
use crate::error::chain;

/// Why a turn is not recorded although its answer is whole.
const TOO_LARGE: &str = "question and answer together are longer than a turn may be";

/// A turn that has begun, if any. Dropped before its end, it is a turn whose client has left.
pub(crate) struct Following(Option<Turn>);

struct Turn {
    recorder: Recorder,
    conversations: Conversations,
    key: ConversationKey,
    message_id: MessageId,
    asked: Asked,
    /// What must be done before it is recorded: the scribe's start.
    after: Option<JoinHandle<()>>,
    /// Whether the client named it. An id that was made from texts may stand for two turns in which the same was said.
    is_named: bool,
    /// Whether it is nothing but a command, which no document is about.
    ignored: bool,
    record_wait: Duration,
    /// A process that stops waits for it.
    _open: TaskTrackerToken,
}

impl Following {
    /// No turn.
    pub(crate) const NOTHING: Self = Self(None);

    pub(crate) fn new(
        state: &ApiState,
        key: ConversationKey,
        message_id: MessageId,
        is_named: bool,
        asked: Asked,
    ) -> Self {
        Self(Some(Turn {
            recorder: state.recorder.clone(),
            conversations: state.conversations.clone(),
            is_named,
            key,
            message_id,
            asked,
            after: None,
            ignored: false,
            record_wait: state.chat.config().record_wait,
            _open: state.open_chats.open(),
        }))
    }

    pub(crate) fn key(&self) -> Option<&ConversationKey> {
        self.0.as_ref().map(|turn| &turn.key)
    }

    pub(crate) fn asked(&self) -> &Asked {
        static NOTHING: Asked = Asked::NOTHING;
        self.0.as_ref().map_or(&NOTHING, |turn| &turn.asked)
    }

    /// The conversation, and the turn's id.
    pub(crate) fn name(&self) -> Option<(&ConversationKey, &MessageId)> {
        self.0.as_ref().map(|turn| (&turn.key, &turn.message_id))
    }

    /// Has it recorded after something that is being done.
    pub(crate) fn after(&mut self, task: Option<JoinHandle<()>>) {
        if let Some(turn) = &mut self.0 {
            turn.after = task;
        }
    }

    /// It is not to be recorded.
    pub(crate) fn ignore(&mut self) {
        if let Some(turn) = &mut self.0 {
            turn.ignored = true;
        }
    }

    /// The chat gave no answer.
    pub(crate) fn unanswered(mut self, reason: String) {
        if let Some(turn) = self.0.take() {
            spawn(turn.leave(reason));
        }
    }

    /// It was no turn.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }

    /// Records what came of the answer. Tells what to wait for, and how long.
    pub(crate) fn conclude(&mut self, finding: Finding) -> Option<(JoinHandle<()>, Duration)> {
        let turn = self.0.take()?;
        let wait = turn.record_wait;
        Some((spawn(turn.conclude(finding))?, wait))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(turn) = self.0.take() {
            spawn(turn.leave(Incompletion::ClientLeft.to_string()));
        }
    }
}

/// Goes on by itself; none where the runtime has ended, and nobody could.
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Option<JoinHandle<()>> {
    Handle::try_current().ok().map(|runtime| runtime.spawn(task))
}

impl Turn {
    async fn ready(&mut self) {
        if let Some(task) = self.after.take() {
            // It has logged what went wrong.
            let _ = task.await;
        }
    }

    /// Leaves it in the list, with a reason.
    async fn leave(mut self, reason: String) {
        self.ready().await;
        if !self.ignored {
            self.recorder
                .note_incomplete(&self.key, &self.message_id, &reason)
                .await;
        }
    }

    /// Records what came of the answer.
    async fn conclude(mut self, finding: Finding) {
        let answer = match finding {
            Finding::CallsTools => return,
            Finding::Incomplete(why) => return self.leave(why.to_string()).await,
            Finding::Complete(_) if self.ignored => return,
            Finding::Complete(text) => self.asked.answered(&text),
        };
        self.ready().await;
        let mut recorded = self.record(self.message_id.clone(), None, &answer).await;
        let is_taken = match &recorded {
            Err(RecordError::OtherText { .. }) => true,
            // Redis was not asked, or has forgotten whom it would have to ask about.
            Ok(recorded) if !recorded.certain => self.is_taken(&answer).await,
            _ => false,
        };
        if is_taken {
            recorded = self.record_other(&answer).await;
        }
        let (id, key) = (&self.message_id, &self.key);
        match recorded {
            Ok(_) | Err(RecordError::Texts(scribe_core::TurnError::Empty)) => {}
            Err(RecordError::Texts(_) | RecordError::Encoded { .. }) => {
                self.leave(TOO_LARGE.to_owned()).await;
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(turn.id = %id, conversation.id = %key, "turn {id} of {key} was not recorded: {error}");
            }
        }
    }

    /// Whether S3 knows another turn of this name. Where S3 can't tell, it is none.
    async fn is_taken(&self, answer: &str) -> bool {
        let (id, key) = (&self.message_id, &self.key);
        let asked = &self.asked.user_message;
        let taken = self
            .conversations
            .stood_for_other_texts(key, id, asked, answer)
            .await;
        taken.unwrap_or_else(|error| {
            tracing::warn!(
                turn.id = %id,
                conversation.id = %key,
                "whether {id} of {key} stood for another turn is not known: {error}"
            );
            false
        })
    }

    /// Records another answer to the same question, or an edited question under its old id. Where the client named the
    /// turn, the new one takes the place of the last one of that name; otherwise both are kept, because the same words
    /// may have been said twice.
    async fn record_other(&self, answer: &str) -> Result<Recorded, RecordError> {
        let other = other_answer_id(&self.message_id, &self.asked.user_message, answer);
        let replaced = if self.is_named {
            Some(self.last_of_this_name(&other).await)
        } else {
            None
        };
        self.record(other, replaced, answer).await
    }

    /// The last turn of this name, but the one itself; the first one where nobody can be asked. The document knows
    /// those that Redis has forgotten, and where each of them belongs.
    async fn last_of_this_name(&self, itself: &MessageId) -> MessageId {
        let (known, written) = tokio::join!(
            self.conversations.turns(&self.key),
            self.conversations.turns_in_document(&self.key)
        );
        let others = format!("{}-again-", self.message_id);
        let is_of_this_name =
            |id: &MessageId| id != itself && (*id == self.message_id || id.as_str().starts_with(&others));
        let mut turns: BTreeMap<MessageId, Seq> = known
            .unwrap_or_default()
            .into_iter()
            .filter(|turn| turn.state != TriggerState::Incomplete)
            .map(|turn| (turn.message_id, turn.seq))
            .collect();
        turns.extend(written.unwrap_or_default());
        turns.retain(|id, _| is_of_this_name(id));
        let last = turns.into_iter().max_by_key(|(_, seq)| *seq);
        last.map_or_else(|| self.message_id.clone(), |(id, _)| id)
    }

    async fn record(
        &self,
        message_id: MessageId,
        replaced: Option<MessageId>,
        answer: &str,
    ) -> Result<Recorded, RecordError> {
        let request = TurnRequest::new(
            self.key.tenant.clone(),
            self.key.conversation.clone(),
            message_id,
            self.asked.user_message.clone(),
            answer.to_owned(),
        );
        let request = match replaced {
            Some(replaced) => request.replacing(replaced),
            None => request,
        };
        self.recorder.record(request).await
    }
}
