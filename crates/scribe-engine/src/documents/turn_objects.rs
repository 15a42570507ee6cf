//! Turns in S3: the transcript under `turns/`, and what is owed under `waiting/`.
//!
//! Both are named by sequence and id, so a LIST gives them in order. A turn under `waiting/` was acknowledged, is
//! not in its document yet, and no event carries it any more; or it is parked, with a reason. The failed list is
//! read from here, so nothing that Redis forgets is lost.

use scribe_core::turn::{ScribeTrigger, Seq, TriggerState, Turn};
use scribe_core::{ConversationKey, MessageId};
use scribe_trigger::TurnEvent;
use serde::{Deserialize, Serialize};

use super::{Condition, Documents, DocumentsError, Got, Written, encode, parse};

/// How often a parked turn's object is tried to be written while others write it.
const PARK_TRIES: u32 = 8;

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
            ..self.event.trigger()
        }
    }
}

fn turn_key(turn: &Turn) -> String {
    let ConversationKey { tenant, conversation } = &turn.conversation;
    format!(
        "tenants/{tenant}/turns/{conversation}/{}-{}.json",
        turn.seq, turn.message_id
    )
}

fn waiting_prefix(key: &ConversationKey) -> String {
    format!("waiting/{}/{}/", key.tenant, key.conversation)
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
        let key = turn_key(&event.turn());
        self.put(&key, encode(&key, event)?, Condition::Absent, None)
            .await
            .map(drop)
    }

    /// Writes a turn under `waiting/`; one that is there stays. Answers whether this call wrote it.
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
        let written = self
            .put(&key, encode(&key, &waiting)?, Condition::Absent, None)
            .await?;
        Ok(matches!(written, Written::Done { .. }))
    }

    /// Writes a turn under `waiting/` as parked, with the reason, whether it stood there or not.
    ///
    /// # Errors
    /// [`DocumentsError`] if S3 can't be reached.
    pub async fn park_waiting(&self, event: &TurnEvent, reason: &str) -> Result<(), DocumentsError> {
        let key = waiting_key(&event.key(), event.seq, &event.message_id);
        let parked = WaitingTurn {
            event: event.clone(),
            state: WaitingState::Parked,
            reason: Some(reason.to_owned()),
        };
        let json = encode(&key, &parked)?;
        for _ in 0..PARK_TRIES {
            let written = match self.get(&key, None).await? {
                Got::Found(object) => {
                    self.put(&key, json.clone(), Condition::Matches(&object.etag), None)
                        .await?
                }
                Got::NotModified | Got::Absent => {
                    self.put(&key, json.clone(), Condition::Absent, None).await?
                }
            };
            if matches!(written, Written::Done { .. }) {
                return Ok(());
            }
        }
        Err(DocumentsError::Unavailable {
            operation: "PUT",
            key,
            reason: format!("others wrote it {PARK_TRIES} times in between"),
        })
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
        for name in self.list(&waiting_prefix(key)).await? {
            // One that is removed in between was completed.
            turns.extend(self.read_waiting(&name).await?);
        }
        Ok(turns)
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
