//! A turn: a user message and the assistant's answer to it. The unit of everything.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catch_up::Earlier;
use crate::cost::Usage;
use crate::ids::{ConversationId, ConversationKey, MessageId};

/// The most bytes that a turn's texts may have together; more is refused when the turn is recorded.
pub const MAX_TURN_BYTES: usize = 256 * 1024;

/// When a turn was recorded, in microseconds since 1970 by Redis' clock, made strictly rising within a
/// conversation. It orders turns as well as the clocks agree; nothing but order depends on it.
///
/// It stays below 2^53 until the year 2255, so JSON readers that know only doubles read it right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// In milliseconds since 1970.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for Seq {
    /// Sixteen digits, so that keys sort as numbers do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016}", self.0)
    }
}

/// A turn, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Turn {
    /// Which conversation.
    pub conversation: ConversationKey,
    /// Its id in the conversation.
    pub message_id: MessageId,
    /// Its place in the conversation.
    pub seq: Seq,
    /// What was said before, where no turn brought it: a start in the middle of a conversation. Mostly nothing.
    pub earlier: Vec<Earlier>,
    /// What the person said.
    pub user_message: String,
    /// What the assistant answered.
    pub assistant_response: String,
    /// When it was said: ISO 8601, as the caller gave it.
    pub timestamp: String,
    /// The turn that it is said instead of: regenerated, or edited. That one is taken back before this one is woven.
    pub replaces: Option<MessageId>,
}

impl fmt::Debug for Turn {
    /// Names the turn and leaves its texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Turn({}/{} seq {})",
            self.conversation, self.message_id, self.seq.0
        )
    }
}

/// Why texts are not a turn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// Both texts are empty or white space.
    #[error("userMessage and assistantResponse are both empty")]
    Empty,
    /// The texts are larger than [`MAX_TURN_BYTES`].
    #[error("the turn's texts have {bytes} bytes together, at most {MAX_TURN_BYTES} are taken")]
    TooLarge {
        /// How large they are together, in bytes.
        bytes: usize,
    },
}

impl Turn {
    /// Its name within its tenant, as it stands in manifests: `conversationId/messageId`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.conversation.conversation, self.message_id)
    }

    /// The turn that it is said instead of. None replaces itself, whoever says so.
    #[must_use]
    pub fn replaced(&self) -> Option<&MessageId> {
        self.replaces.as_ref().filter(|id| **id != self.message_id)
    }

    /// All that was said in it, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let earlier = self.earlier.iter().map(|message| message.content.as_str());
        earlier.chain([self.user_message.as_str(), self.assistant_response.as_str()])
    }

    /// Checks the texts before anything is stored.
    ///
    /// # Errors
    /// [`TurnError`] if there is nothing to write down, or too much.
    pub fn check_texts(
        earlier: &[Earlier],
        user_message: &str,
        assistant_response: &str,
    ) -> Result<(), TurnError> {
        let before: usize = earlier.iter().map(|message| message.content.len()).sum();
        let bytes = before + user_message.len() + assistant_response.len();
        if bytes > MAX_TURN_BYTES {
            return Err(TurnError::TooLarge { bytes });
        }
        if user_message.trim().is_empty() && assistant_response.trim().is_empty() {
            return Err(TurnError::Empty);
        }
        Ok(())
    }
}

/// Where a recorded turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggerState {
    /// It waits.
    Pending,
    /// An invocation is writing it.
    Processing,
    /// It is in the document.
    Processed,
    /// It is parked, with a reason, and can be replayed.
    Failed,
    /// It never became whole, because the chat broke off: it is only listed, with a reason, and owed nowhere.
    Incomplete,
}

/// A turn as Redis holds it: the spec's `ScribeTrigger`, with what the protocol needs beside it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScribeTrigger {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Its id in the conversation.
    pub message_id: MessageId,
    /// What was said before. Never written empty: Lua's JSON library would make an object of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// What the person said.
    pub user_message: String,
    /// What the assistant answered.
    pub assistant_response: String,
    /// When it was said, ISO 8601.
    pub timestamp: String,
    /// The turn that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MessageId>,
    /// The later turn that replaces it, as far as Redis knows. While that one waits, this one is not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<MessageId>,
    /// Whether it is in the document. Says the same as `state`, in the spec's word.
    pub processed: bool,
    /// Its place in the conversation.
    pub seq: Seq,
    /// Where it stands.
    pub state: TriggerState,
    /// How often an invocation has begun to write it and that attempt counted.
    #[serde(default)]
    pub attempts: u32,
    /// How often a service failed it; such attempts do not count, but the pause grows with them.
    #[serde(default)]
    pub service_failures: u32,
    /// When a service first failed it, in milliseconds since 1970; a turn waits six hours from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<u64>,
    /// Why the last attempt failed, or why it is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it came after turns that were recorded later than it.
    #[serde(default)]
    pub late: bool,
    /// Whether a copy stands in S3 under `waiting/`, to be removed when the turn is in the document.
    #[serde(default)]
    pub waiting: bool,
    /// Whether Redis lost its texts and S3 never had them: it is parked without them, and waits again when an event
    /// brings them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub text_lost: bool,
    /// What it has cost so far; none where no model was asked, or Redis forgot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// When it was recorded, claimed last, and finished: milliseconds since 1970.
    #[serde(default)]
    pub times: TurnTimes,
    /// When Redis changed it last, in milliseconds since 1970, made strictly rising within a conversation: by it a
    /// reader knows which changes it has seen. None where Redis does not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
}

impl fmt::Debug for ScribeTrigger {
    /// Leaves the texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScribeTrigger")
            .field("conversation_id", &self.conversation_id.as_str())
            .field("message_id", &self.message_id.as_str())
            .field("seq", &self.seq.0)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// When things happened to a turn, in milliseconds since 1970 by Redis' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnTimes {
    /// Stored in Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<u64>,
    /// Taken by an invocation, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<u64>,
    /// In the document, or parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<u64>,
}

impl ScribeTrigger {
    /// A fresh trigger for a turn.
    #[must_use]
    pub fn pending(turn: &Turn) -> Self {
        Self {
            conversation_id: turn.conversation.conversation.clone(),
            message_id: turn.message_id.clone(),
            earlier: turn.earlier.clone(),
            user_message: turn.user_message.clone(),
            assistant_response: turn.assistant_response.clone(),
            timestamp: turn.timestamp.clone(),
            replaces: turn.replaces.clone(),
            replaced_by: None,
            processed: false,
            seq: turn.seq,
            state: TriggerState::Pending,
            attempts: 0,
            service_failures: 0,
            failing_since: None,
            reason: None,
            late: false,
            waiting: false,
            text_lost: false,
            usage: None,
            times: TurnTimes::default(),
            changed: None,
        }
    }

    /// The turn it is about. Redis keys carry the tenant, the value does not, so the key comes along.
    #[must_use]
    pub fn turn(&self, conversation: &ConversationKey) -> Turn {
        Turn {
            conversation: conversation.clone(),
            message_id: self.message_id.clone(),
            seq: self.seq,
            earlier: self.earlier.clone(),
            user_message: self.user_message.clone(),
            assistant_response: self.assistant_response.clone(),
            timestamp: self.timestamp.clone(),
            replaces: self.replaces.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catch_up::Speaker;

    fn earlier(content: &str) -> Earlier {
        Earlier {
            role: Speaker::User,
            content: content.into(),
        }
    }

    #[test]
    fn texts_are_bounded() {
        assert_eq!(Turn::check_texts(&[], " ", "\n"), Err(TurnError::Empty));
        assert_eq!(Turn::check_texts(&[], "a", ""), Ok(()));
        let large = "x".repeat(MAX_TURN_BYTES);
        assert_eq!(Turn::check_texts(&[], &large, ""), Ok(()));
        let too_large = Err(TurnError::TooLarge {
            bytes: MAX_TURN_BYTES + 1,
        });
        assert_eq!(Turn::check_texts(&[], &large, "y"), too_large);
        assert_eq!(Turn::check_texts(&[earlier("y")], &large, ""), too_large);
        assert_eq!(Turn::check_texts(&[earlier("y")], "", " "), Err(TurnError::Empty));
    }

    #[test]
    fn a_trigger_has_the_fields_of_the_spec() {
        let turn = Turn {
            conversation: "default/c1".parse().unwrap(),
            message_id: "m1".parse().unwrap(),
            seq: Seq(1_763_826_000_123_456),
            earlier: vec![],
            user_message: "u".into(),
            assistant_response: "a".into(),
            timestamp: "2026-11-22T15:40:00.000Z".into(),
            replaces: None,
        };
        let json = serde_json::to_value(ScribeTrigger::pending(&turn)).unwrap();
        for field in [
            "conversationId",
            "messageId",
            "userMessage",
            "assistantResponse",
            "timestamp",
            "processed",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(json["seq"], 1_763_826_000_123_456_u64);
        assert_eq!(json["state"], "pending");
        for field in ["earlier", "replaces", "replacedBy"] {
            assert!(json.get(field).is_none(), "{json}");
        }
    }

    #[test]
    fn what_was_said_before_goes_along() {
        let key: ConversationKey = "default/c1".parse().unwrap();
        let turn = Turn {
            conversation: key.clone(),
            message_id: "m1".parse().unwrap(),
            seq: Seq(7),
            earlier: vec![earlier("before")],
            user_message: "u".into(),
            assistant_response: "a".into(),
            timestamp: String::new(),
            replaces: Some("m0".parse().unwrap()),
        };
        let json = serde_json::to_value(ScribeTrigger::pending(&turn)).unwrap();
        assert_eq!(
            json["earlier"],
            serde_json::json!([{ "role": "user", "content": "before" }])
        );
        assert_eq!(json["replaces"], "m0");
        let read: ScribeTrigger = serde_json::from_value(json).unwrap();
        assert_eq!(read.turn(&key), turn);
        assert_eq!(turn.replaced(), turn.replaces.as_ref());
        let itself = Turn {
            replaces: Some(turn.message_id.clone()),
            ..turn.clone()
        };
        assert_eq!(itself.replaced(), None);
        assert_eq!(turn.texts().collect::<Vec<_>>(), ["before", "u", "a"]);
    }

    #[test]
    fn no_text_reaches_a_debug_print() {
        let turn = Turn {
            conversation: "default/c1".parse().unwrap(),
            message_id: "m1".parse().unwrap(),
            seq: Seq(7),
            earlier: vec![earlier("an old secret")],
            user_message: "a secret".into(),
            assistant_response: "another secret".into(),
            timestamp: String::new(),
            replaces: None,
        };
        assert!(!format!("{turn:?} {:?}", ScribeTrigger::pending(&turn)).contains("secret"));
    }
}
