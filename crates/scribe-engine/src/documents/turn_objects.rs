//! Turns in S3: the transcript under `turns/`, and what is owed under `waiting/`.
//!
//! Both are named by sequence and id, so a LIST gives them in order. A turn under `waiting/` was acknowledged, is
//! not in its document yet, and no event carries it any more; or it is parked, with a reason. The failed list is
//! read from here, so nothing that Redis forgets is lost.

use aws_sdk_s3::types::Object as Listed;
use jiff::Timestamp;
use scribe_core::turn::{ScribeTrigger, Seq, TriggerState};
use scribe_core::{ConversationKey, MessageId};
use scribe_trigger::TurnEvent;
use serde::{Deserialize, Serialize};

use super::{Condition, Documents, DocumentsError, Got, Written, encode, parse};

/// How often an object under `waiting/` is tried to be written while others write it.
const WAITING_TRIES: u32 = 8;

/// Whether a turn under `waiting/` waits or is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitingState {
    /// It waits for an invocation.
    Waiting,
    /// It failed for good, until somebody replays it.
    Parked,
}

/// A turn that is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingTurn {
    /// The turn, as its event carries it.
    #[serde(flatten)]
    pub event: TurnEvent,
    /// Whether it waits or is parked.
    pub state: WaitingState,
    /// Why it is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl WaitingTurn {
    /// The trigger that Redis would hold.
    #[must_use]
    pub fn trigger(&self) -> ScribeTrigger {
        let state = match self.state {
            WaitingState::Waiting => TriggerState::Pending,
            WaitingState::Parked => TriggerState::Failed,
        };
        ScribeTrigger {
            state,
            reason: self.reason.clone(),
            waiting: true,
            text_lost: self.event.text_lost(),
            ..self.event.trigger()
        }
    }
}

/// What the name of an object under `waiting/` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Whose turn it is.
    pub key: ConversationKey,
    /// Its place in the conversation.
    pub seq: Seq,
    /// Its id.
    pub message_id: MessageId,
    /// When the object was written, in whole seconds.
    pub written: Timestamp,
}

impl Owed {
    /// None for an object that no summarizer wrote.
    fn read(listed: &Listed) -> Option<Self> {
        let name = listed
            .key
            .as_deref()?
            .strip_prefix(WAITING)?
            .strip_suffix(".json")?;
        let (tenant, rest) = name.split_once('/')?;
        let (conversation, turn) = rest.split_once('/')?;
        let (seq, message_id) = turn.split_once('-')?;
        Some(Self {
            key: ConversationKey::new(tenant.parse().ok()?, conversation.parse().ok()?),
            seq: Seq(seq.parse().ok()?),
            message_id: message_id.parse().ok()?,
            written: Timestamp::from_second(listed.last_modified?.secs()).ok()?,
        })
    }
}

/// The prefix of everything that is owed.
const WAITING: &str = "waiting/";

/// What the names of a conversation's transcript begin with.
pub(super) fn turns_prefix(key: &ConversationKey) -> String {
    format!("tenants/{}/turns/{}/", key.tenant, key.conversation)
}

fn turn_key(key: &ConversationKey, seq: Seq, message_id: &MessageId) -> String {
    format!("{}{seq}-{message_id}.json", turns_prefix(key))
}

fn waiting_prefix(key: &ConversationKey) -> String {
    format!("{WAITING}{}/{}/", key.tenant, key.conversation)
}

fn waiting_key(key: &ConversationKey, seq: Seq, message_id: &MessageId) -> String {
    format!("{}{seq}-{message_id}.json", waiting_prefix(key))
}

impl Documents {
    /// Writes a turn into the transcript; one that is there stays.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn put_turn(&self, event: &TurnEvent) -> Result<(), DocumentsError> {
        let key = turn_key(&event.key(), event.seq, &event.message_id);
        self.put(&key, encode(&key, event)?, Condition::Absent, None)
            .await
            .map(drop)
    }

    /// Reads a turn of the transcript.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or the object can't be read.
    pub async fn transcribed_turn(
        &self,
        key: &ConversationKey,
        seq: Seq,
        message_id: &MessageId,
    ) -> Result<Option<TurnEvent>, DocumentsError> {
        let name = turn_key(key, seq, message_id);
        match self.get(&name, None).await? {
            Got::Found(object) => parse(&name, &object.bytes).map(Some),
            Got::NotModified | Got::Absent => Ok(None),
        }
    }

    /// Writes a turn under `waiting/`; one that is there stays, unless its texts were lost. Answers whether this call
    /// wrote it.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn put_waiting(&self, event: &TurnEvent) -> Result<bool, DocumentsError> {
        let key = waiting_key(&event.key(), event.seq, &event.message_id);
        let waiting = WaitingTurn {
            event: event.clone(),
            state: WaitingState::Waiting,
            reason: None,
        };
        let json = encode(&key, &waiting)?;
        for _ in 0..WAITING_TRIES {
            let written = self.put(&key, json.clone(), Condition::Absent, None).await?;
            if matches!(written, Written::Done { .. }) {
                return Ok(true);
            }
            // 409 says only that somebody was writing it, so whether it stands there has to be seen.
            if let Got::Found(object) = self.get(&key, None).await? {
                if !parse::<WaitingTurn>(&key, &object.bytes)?.event.text_lost() {
                    return Ok(false);
                }
                let written = self
                    .put(&key, json.clone(), Condition::Matches(&object.etag), None)
                    .await?;
                if matches!(written, Written::Done { .. }) {
                    return Ok(true);
                }
            }
        }
        Err(contended(key))
    }

    /// Writes a turn under `waiting/` as parked, with the reason, whether it stood there or not. Texts that stand
    /// there are kept where the event has none.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn park_waiting(&self, event: &TurnEvent, reason: &str) -> Result<(), DocumentsError> {
        let parked = WaitingTurn {
            event: event.clone(),
            state: WaitingState::Parked,
            reason: Some(reason.to_owned()),
        };
        self.write_waiting(parked).await
    }

    /// Turns a parked turn back into a waiting one.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn unpark_waiting(&self, event: &TurnEvent) -> Result<(), DocumentsError> {
        let waiting = WaitingTurn {
            event: event.clone(),
            state: WaitingState::Waiting,
            reason: None,
        };
        self.write_waiting(waiting).await
    }

    async fn write_waiting(&self, mut turn: WaitingTurn) -> Result<(), DocumentsError> {
        let key = waiting_key(&turn.event.key(), turn.event.seq, &turn.event.message_id);
        for _ in 0..WAITING_TRIES {
            let found = self.get(&key, None).await?;
            if let Got::Found(object) = &found
                && turn.event.text_lost()
            {
                turn.event = parse::<WaitingTurn>(&key, &object.bytes)?.event;
            }
            let condition = match &found {
                Got::Found(object) => Condition::Matches(&object.etag),
                Got::NotModified | Got::Absent => Condition::Absent,
            };
            let written = self.put(&key, encode(&key, &turn)?, condition, None).await?;
            if matches!(written, Written::Done { .. }) {
                return Ok(());
            }
        }
        Err(contended(key))
    }

    /// Reads a turn under `waiting/`.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or the object can't be read.
    pub async fn waiting_turn(
        &self,
        key: &ConversationKey,
        seq: Seq,
        message_id: &MessageId,
    ) -> Result<Option<WaitingTurn>, DocumentsError> {
        self.read_waiting(&waiting_key(key, seq, message_id)).await
    }

    /// Reads all turns of a conversation that are owed, by sequence.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or an object can't be read.
    pub async fn waiting_turns(&self, key: &ConversationKey) -> Result<Vec<WaitingTurn>, DocumentsError> {
        let mut turns = Vec::new();
        for listed in self.list(&waiting_prefix(key)).await? {
            // One that is removed in between was completed.
            turns.extend(self.read_waiting(&listed.key.unwrap_or_default()).await?);
        }
        Ok(turns)
    }

    /// Reads what stands under `waiting/` of one turn. Its sequence need not be known; a turn that was delivered
    /// directly may stand there under two.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached or an object can't be read.
    pub async fn owed_turn(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
    ) -> Result<Vec<WaitingTurn>, DocumentsError> {
        let mut found = Vec::new();
        for listed in self.list(&waiting_prefix(key)).await? {
            if let Some(owed) = Owed::read(&listed).filter(|owed| owed.message_id == *message_id) {
                found.extend(self.waiting_turn(key, owed.seq, message_id).await?);
            }
        }
        Ok(found)
    }

    /// Lists everything that is owed, of all conversations, without reading it.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn owed(&self) -> Result<Vec<Owed>, DocumentsError> {
        Ok(self.list(WAITING).await?.iter().filter_map(Owed::read).collect())
    }

    /// Removes a turn from `waiting/`: it is in its document.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn remove_waiting(
        &self,
        key: &ConversationKey,
        seq: Seq,
        message_id: &MessageId,
    ) -> Result<(), DocumentsError> {
        self.delete(&waiting_key(key, seq, message_id)).await
    }

    async fn read_waiting(&self, name: &str) -> Result<Option<WaitingTurn>, DocumentsError> {
        match self.get(name, None).await? {
            Got::Found(object) => parse(name, &object.bytes).map(Some),
            Got::NotModified | Got::Absent => Ok(None),
        }
    }
}

fn contended(key: String) -> DocumentsError {
    DocumentsError::Unavailable {
        operation: "PUT",
        key,
        reason: format!("others wrote it {WAITING_TRIES} times in between"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_sequences_do() {
        let key: ConversationKey = "default/c1".parse().unwrap();
        let name = |seq| waiting_key(&key, Seq(seq), &"m1".parse().unwrap());
        assert_eq!(
            name(1_763_826_000_123_456),
            "waiting/default/c1/1763826000123456-m1.json"
        );
        assert!(name(999) < name(1000));
    }

    #[test]
    fn a_waiting_turn_has_its_events_fields() {
        let event = TurnEvent::parse(
            r#"{"version":1,"tenantId":"default","conversationId":"c1","messageId":"m1","seq":1763826000123456,
                "userMessage":"u","assistantResponse":"a","timestamp":"2026-11-22T15:40:00.000Z"}"#,
        )
        .unwrap();
        let parked = WaitingTurn {
            event,
            state: WaitingState::Parked,
            reason: Some("why".into()),
        };
        let json = serde_json::to_value(&parked).unwrap();
        assert_eq!(json["userMessage"], "u");
        assert_eq!(json["state"], "parked");
        assert_eq!(serde_json::from_value::<WaitingTurn>(json).unwrap(), parked);
    }
}
