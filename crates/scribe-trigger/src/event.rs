//! The event that a summarizer is invoked with: one turn, whole.
//!
//! It carries the turn's texts although Redis has them, because until the turn is in its document it must stand in
//! two of three places: Redis, Lambda's queue, S3. Handed-on events are the same shape.

use std::fmt;

use scribe_core::catch_up::Earlier;
use scribe_core::turn::{ScribeTrigger, Seq, Turn};
use scribe_core::{AssetId, ConversationId, ConversationKey, MessageId, TenantId};
use serde::{Deserialize, Serialize};

/// The version of [`TurnEvent`]'s shape.
pub const EVENT_VERSION: u32 = 1;

/// The most bytes that Lambda's asynchronous queue takes, less what is kept for the parts of an event that are known
/// only later.
const MAX_EVENT_BYTES: usize = 1_048_576 - 1024;

/// A turn on its way to the summarizer. Also the shape of the turn's objects in S3.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnEvent {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// Whose conversation.
    pub tenant_id: TenantId,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// The turn's id in the conversation.
    pub message_id: MessageId,
    /// Its place in the conversation.
    pub seq: Seq,
    /// The document, where the recorder knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_asset_id: Option<AssetId>,
    /// What was said before.
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
    /// How many invocations handed on to each other before this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub handed_on: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that serde's skip_serializing_if wants"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a payload is not an event. Values are left out: they may be a turn's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or not the shape of an event.
    #[error("the payload is not a turn event: {reason} at line {line} column {column}")]
    Shape {
        /// What kind of fault, in general words.
        reason: &'static str,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// Another version than this function reads.
    #[error(
        "the event has version {version}, this function reads version {EVENT_VERSION}: deploy caller and function together"
    )]
    Version {
        /// The version found.
        version: u32,
    },
}

impl TurnEvent {
    /// The event for a turn.
    #[must_use]
    pub fn new(turn: &Turn, text_asset_id: Option<AssetId>) -> Self {
        Self {
            version: EVENT_VERSION,
            tenant_id: turn.conversation.tenant.clone(),
            conversation_id: turn.conversation.conversation.clone(),
            message_id: turn.message_id.clone(),
            seq: turn.seq,
            text_asset_id,
            earlier: turn.earlier.clone(),
            user_message: turn.user_message.clone(),
            assistant_response: turn.assistant_response.clone(),
            timestamp: turn.timestamp.clone(),
            replaces: turn.replaces.clone(),
            handed_on: 0,
        }
    }

    /// How large the event is as JSON, if that is more than Lambda takes. Texts full of control characters grow six
    /// times when they are encoded.
    #[must_use]
    pub fn too_large(&self) -> Option<usize> {
        let bytes = serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
        (bytes > MAX_EVENT_BYTES).then_some(bytes)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`EventError`], which never repeats a value of the payload.
    pub fn parse(payload: &str) -> Result<Self, EventError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let shape = |error: &serde_json::Error| EventError::Shape {
            reason: match error.classify() {
                serde_json::error::Category::Data => "a field is missing or has a wrong value",
                serde_json::error::Category::Eof => "it ends too early",
                _ => "it is not JSON",
            },
            line: error.line(),
            column: error.column(),
        };
        let Versioned { version } = serde_json::from_str(payload).map_err(|error| shape(&error))?;
        if version != EVENT_VERSION {
            return Err(EventError::Version { version });
        }
        serde_json::from_str(payload).map_err(|error| shape(&error))
    }

    /// The conversation it belongs to.
    #[must_use]
    pub fn key(&self) -> ConversationKey {
        ConversationKey::new(self.tenant_id.clone(), self.conversation_id.clone())
    }

    /// The turn it carries.
    #[must_use]
    pub fn turn(&self) -> Turn {
        Turn {
            conversation: self.key(),
            message_id: self.message_id.clone(),
            seq: self.seq,
            earlier: self.earlier.clone(),
            user_message: self.user_message.clone(),
            assistant_response: self.assistant_response.clone(),
            timestamp: self.timestamp.clone(),
            replaces: self.replaces.clone(),
        }
    }

    /// Whether it has no texts: no turn is recorded without any, so they were lost.
    #[must_use]
    pub fn text_lost(&self) -> bool {
        self.user_message.is_empty() && self.assistant_response.is_empty()
    }

    /// A fresh trigger for its turn.
    #[must_use]
    pub fn trigger(&self) -> ScribeTrigger {
        ScribeTrigger::pending(&self.turn())
    }
}

impl fmt::Debug for TurnEvent {
    /// Leaves the texts out: the runtime prints what it can't handle.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TurnEvent({}/{} seq {})",
            self.key(),
            self.message_id,
            self.seq.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{"version":1,"tenantId":"default","conversationId":"c1","messageId":"m1","seq":1763826000123456,
        "userMessage":"u","assistantResponse":"a","timestamp":"2026-11-22T15:40:00.000Z"}"#;

    #[test]
    fn it_reads_back_what_it_writes() {
        let event = TurnEvent::parse(SAMPLE).unwrap();
        assert_eq!(event.seq, Seq(1_763_826_000_123_456));
        let again = serde_json::to_string(&event).unwrap();
        assert!(
            !again.contains("handedOn") && !again.contains("textAssetId") && !again.contains("earlier"),
            "{again}"
        );
        assert!(!again.contains("replaces"), "{again}");
        assert_eq!(TurnEvent::parse(&again).unwrap(), event);
    }

    #[test]
    fn what_was_said_before_goes_along_and_counts() {
        let earlier = r#""earlier":[{"role":"assistant","content":"before"}],"userMessage""#;
        let event = TurnEvent::parse(&SAMPLE.replace("\"userMessage\"", earlier)).unwrap();
        let turn = event.turn();
        assert_eq!(turn.texts().collect::<Vec<_>>(), ["before", "u", "a"]);
        assert_eq!(TurnEvent::new(&turn, None), event);
        assert_eq!(event.trigger().turn(&event.key()), turn);
        let mut large = event;
        assert_eq!(large.too_large(), None);
        large.earlier[0].content = "\u{1}".repeat(200_000);
        assert!(large.too_large().is_some());
    }

    #[test]
    fn what_it_replaces_goes_along_and_what_is_not_known_is_left_out() {
        // A function that does not know a field yet reads the event all the same, so the version stays what it is.
        let newer = SAMPLE.replace(
            "\"userMessage\"",
            r#""replaces":"m0","notKnownYet":{"x":1},"userMessage""#,
        );
        let event = TurnEvent::parse(&newer).unwrap();
        assert_eq!(event.replaces, Some("m0".parse().unwrap()));
        assert_eq!(event.turn().replaces, event.replaces);
        assert_eq!(TurnEvent::new(&event.turn(), None), event);
        assert_eq!(event.trigger().turn(&event.key()), event.turn());
    }

    #[test]
    fn the_sample_event_is_one() {
        let event = TurnEvent::parse(include_str!("../../../events/turn.json")).unwrap();
        assert_eq!(event.version, EVENT_VERSION);
    }

    #[test]
    fn a_wrong_payload_is_named_but_not_repeated() {
        for (payload, expected) in [
            ("", "ends too early"),
            ("nonsense", "not JSON"),
            (
                r#"{"version":1,"tenantId":"a secret/x"}"#,
                "missing or has a wrong value",
            ),
            (
                &SAMPLE.replace("\"c1\"", "\"a secret/\""),
                "missing or has a wrong value",
            ),
            (&SAMPLE.replace("\"version\":1", "\"version\":2"), "version 2"),
        ] {
            let error = TurnEvent::parse(payload).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
