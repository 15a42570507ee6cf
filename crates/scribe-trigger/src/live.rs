//! What the readers of a conversation are told: the messages on its channel `scribe:events:{tenant/conversation}`.
//!
//! | `type` | when | beside `v`, `messageId` and `etag` |
//! |---|---|---|
//! | `turn` | a turn was recorded, claimed, completed, parked …: where it stands now | `state`, `seq`, `changed`, … |
//! | `dismissed` | a failed turn was forgotten | `changed` |
//! | `writing` | while the model writes, at a bounded rate | `attempt`, `claimed`, `number`, `edits`, `cut` |
//! | `withdrawn` | an attempt whose text was shown has failed | `attempt`, `claimed`, `number` |
//! | `processed` | the turn is in the document, whose ETag this is | |
//! | `failed` | the turn is parked | |
//! | `saved` | a person has changed the document | `userId` |
//! | `version` | a turn of another conversation is in the document that both write to | `conversationId` |
//! | `gone` | the document was deleted | |
//! | `switched` | the scribe was switched on or off | `scribeEnabled` |
//!
//! `turn`, `dismissed` and `switched` are written by the scripts, each in the transition that it tells of. What is told
//! of turns has a stamp that rises with each change (`changed`): whoever has read the turns up to a stamp ignores what
//! is told with that or an earlier one.
//!
//! A channel keeps nothing and promises nothing: a message may be missed, and the document in S3 is what counts. So a
//! `writing` is no difference but a *snapshot*, all edits so far with their text so far; whoever missed some sees
//! everything with the next one.
//!
//! **For readers.** For each `messageId` keep the message with the largest `(claimed, number)` and ignore every other
//! one. Show the text of a `writing` as what it is, a draft; take it away at `withdrawn`, and at `processed` or `failed`
//! read the document again. After these two nothing of the turn is shown any more unless `claimed` is later than what
//! was seen. A `writing` of a turn that is not being processed, as far as is known, came late: it is ignored. A process
//! that is killed withdraws nothing, so a draft also goes when the conversation is told of another turn, and when
//! nothing was heard of it for as long as a lease lasts, unless the conversation's status still names the turn as the
//! one that is being written: a model may think for long, and mends some answers in a second call, which is not shown.
//!
//! **The text is a stranger's.** It is what a model wrote a moment ago, before any of the host's checks, and a turn may
//! have told the model what to write. Show it as text or as Markdown without HTML, never as markup that is trusted;
//! follow no link of it and run nothing in it. It may never reach the document.

use scribe_core::live::LiveEdit;
use scribe_core::turn::{Seq, TriggerState, TurnTimes};
use scribe_core::{ConversationId, MessageId, Usage, UserId};
use serde::{Deserialize, Serialize};

/// The version of [`LiveEvent`]'s shape. A reader who gets a message of a newer one, or of a kind that it does not know,
/// can't tell what it has missed, so it reads everything again. What is only added to a message does not raise it.
pub const LIVE_VERSION: u32 = 1;

/// A message on a conversation's channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveEvent {
    /// [`LIVE_VERSION`].
    pub v: u32,
    /// The turn that it is about, if it is about one.
    #[serde(default)]
    pub message_id: Option<MessageId>,
    /// The document's ETag: of the version that is being changed, or of the one that was made.
    #[serde(default)]
    pub etag: Option<String>,
    /// What is told of it.
    #[serde(flatten)]
    pub news: News,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum News {
    /// A turn has changed, and this is where it stands.
    Turn(TurnStanding),
    /// A turn was forgotten: a failed one that somebody dismissed, or one whose document was removed for good.
    Dismissed {
        /// As [`TurnStanding::changed`].
        changed: u64,
    },
    /// The model is writing.
    Writing {
        /// Which message this is.
        #[serde(flatten)]
        place: Place,
        /// All edits so far, each with its text so far. Nobody has checked them.
        edits: Vec<LiveEdit>,
        /// Whether there is more than is shown, because it is very long.
        cut: bool,
    },
    /// What an attempt has shown will not be in the document.
    Withdrawn {
        /// Which message this is.
        #[serde(flatten)]
        place: Place,
    },
    /// The turn is in the document.
    Processed,
    /// The turn is parked.
    Failed,
    /// A person has changed the document.
    Saved {
        /// Who it was.
        user_id: UserId,
    },
    /// A turn of another conversation is in the document that both write to.
    Version {
        /// Which conversation it was.
        conversation_id: ConversationId,
    },
    /// The document was deleted.
    Gone,
    /// The scribe was switched on or off.
    Switched {
        /// Whether it is on now.
        scribe_enabled: bool,
    },
}

/// Where a turn stands, without its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnStanding {
    /// Its place in the conversation.
    pub seq: Seq,
    /// Where it stands.
    pub state: TriggerState,
    /// How many attempts have counted.
    #[serde(default)]
    pub attempts: u32,
    /// Why the last attempt failed, or why it is parked.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether it came after turns that were recorded later.
    #[serde(default)]
    pub late: bool,
    /// The turn that it replaces.
    #[serde(default)]
    pub replaces: Option<MessageId>,
    /// The later turn that replaces it.
    #[serde(default)]
    pub replaced_by: Option<MessageId>,
    /// What it has cost so far.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// When it was recorded, claimed last, and finished.
    #[serde(default)]
    pub times: TurnTimes,
    /// When this was: milliseconds by Redis' clock, made strictly rising within a conversation.
    pub changed: u64,
}

/// The place of a message among those about a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Which attempt, from 1, as the turn list counts them. One that a service failed does not count, so a later one
    /// may have the same number.
    pub attempt: u32,
    /// When the attempt began, in milliseconds since 1970: what tells attempts apart and orders them.
    pub claimed: u64,
    /// Rises with each message of an attempt, from 1.
    pub number: u32,
}

impl LiveEvent {
    fn new(message_id: &MessageId, etag: Option<&str>, news: News) -> Self {
        Self {
            v: LIVE_VERSION,
            message_id: Some(message_id.clone()),
            etag: etag.map(str::to_owned),
            news,
        }
    }

    /// The model is writing, and this is what can be seen of it. `etag` is the version that it was shown.
    #[must_use]
    pub fn writing(
        message_id: &MessageId,
        etag: Option<&str>,
        place: Place,
        edits: Vec<LiveEdit>,
        cut: bool,
    ) -> Self {
        Self::new(message_id, etag, News::Writing { place, edits, cut })
    }

    /// What was shown will not be in the document.
    #[must_use]
    pub fn withdrawn(message_id: &MessageId, etag: Option<&str>, place: Place) -> Self {
        Self::new(message_id, etag, News::Withdrawn { place })
    }

    /// The turn is in the document; `etag` is that version's, where it is known.
    #[must_use]
    pub fn processed(message_id: &MessageId, etag: Option<&str>) -> Self {
        Self::new(message_id, etag, News::Processed)
    }

    /// The turn is parked.
    #[must_use]
    pub fn failed(message_id: &MessageId) -> Self {
        Self::new(message_id, None, News::Failed)
    }

    /// A person has changed the document, and this is the ETag of what they made.
    #[must_use]
    pub fn saved(etag: &str, user: &UserId) -> Self {
        Self {
            v: LIVE_VERSION,
            message_id: None,
            etag: Some(etag.to_owned()),
            news: News::Saved {
                user_id: user.clone(),
            },
        }
    }

    /// A turn of another conversation is in the document: for the readers of the document's other conversations.
    #[must_use]
    pub fn version(etag: &str, conversation: &ConversationId, message_id: &MessageId) -> Self {
        let news = News::Version {
            conversation_id: conversation.clone(),
        };
        Self::new(message_id, Some(etag), news)
    }

    /// The document was deleted.
    #[must_use]
    pub fn gone() -> Self {
        Self {
            v: LIVE_VERSION,
            message_id: None,
            etag: None,
            news: News::Gone,
        }
    }

    /// Reads a message; none where it is of a newer version, or nothing that this one knows.
    #[must_use]
    pub fn read(message: &str) -> Option<Self> {
        serde_json::from_str(message)
            .ok()
            .filter(|event: &Self| event.v <= LIVE_VERSION)
    }
}

#[cfg(test)]
mod tests {
    use scribe_core::live::LiveAction;
    use serde_json::{Value, json};

    use super::*;

    const PLACE: Place = Place {
        attempt: 2,
        claimed: 1_795_000_000_123,
        number: 7,
    };

    fn writing() -> LiveEvent {
        let edit = LiveEdit {
            action: LiveAction::InsertAfter,
            block: Some("b3".into()),
            markdown: "a secret".into(),
        };
        LiveEvent::writing(&"m1".parse().unwrap(), Some("\"e\""), PLACE, vec![edit], false)
    }

    fn check(event: &LiveEvent, expected: &Value) {
        let json = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<Value>(&json).unwrap(), expected);
        assert_eq!(LiveEvent::read(&json).as_ref(), Some(event));
    }

    #[test]
    fn messages_are_flat_and_read_as_they_were_written() {
        let id = "m1".parse().unwrap();
        check(
            &writing(),
            &json!({ "v": 1, "type": "writing", "messageId": "m1", "etag": "\"e\"", "attempt": 2,
                "claimed": 1_795_000_000_123_u64, "number": 7, "cut": false,
                "edits": [{ "action": "insert_after", "block": "b3", "markdown": "a secret" }] }),
        );
        check(
            &LiveEvent::withdrawn(&id, None, PLACE),
            &json!({ "v": 1, "type": "withdrawn", "messageId": "m1", "etag": null, "attempt": 2,
                "claimed": 1_795_000_000_123_u64, "number": 7 }),
        );
        check(
            &LiveEvent::processed(&id, Some("\"f\"")),
            &json!({ "v": 1, "type": "processed", "messageId": "m1", "etag": "\"f\"" }),
        );
        check(
            &LiveEvent::failed(&id),
            &json!({ "v": 1, "type": "failed", "messageId": "m1", "etag": null }),
        );
    }

    #[test]
    fn people_and_other_conversations_are_told_of() {
        check(
            &LiveEvent::saved("\"e\"", &"ada".parse().unwrap()),
            &json!({ "v": 1, "type": "saved", "messageId": null, "etag": "\"e\"", "userId": "ada" }),
        );
        check(
            &LiveEvent::version("\"e\"", &"c2".parse().unwrap(), &"m1".parse().unwrap()),
            &json!({ "v": 1, "type": "version", "messageId": "m1", "etag": "\"e\"", "conversationId": "c2" }),
        );
        check(
            &LiveEvent::gone(),
            &json!({ "v": 1, "type": "gone", "messageId": null, "etag": null }),
        );
    }

    #[test]
    fn what_the_scripts_write_is_read() {
        let news = |message: &str| LiveEvent::read(message).unwrap().news;
        assert_eq!(
            news(r#"{"v":1,"type":"switched","scribeEnabled":false}"#),
            News::Switched {
                scribe_enabled: false
            }
        );
        assert_eq!(
            news(r#"{"v":1,"type":"dismissed","messageId":"m1","changed":1795000000123}"#),
            News::Dismissed {
                changed: 1_795_000_000_123
            }
        );
        let turn = r#"{"type":"turn","v":1,"messageId":"m1","state":"failed","attempts":3,"reason":"why","late":true,
            "replacedBy":"m2","usage":{"calls":1,"metered":0,"tokens":null},"times":{"recorded":1795000000000},
            "changed":1795000000123,"seq":1795000000000001}"#;
        let expected = TurnStanding {
            seq: Seq(1_795_000_000_000_001),
            state: TriggerState::Failed,
            attempts: 3,
            reason: Some("why".into()),
            late: true,
            replaces: None,
            replaced_by: Some("m2".parse().unwrap()),
            usage: Some(Usage {
                calls: 1,
                ..Usage::default()
            }),
            times: TurnTimes {
                recorded: Some(1_795_000_000_000),
                ..TurnTimes::default()
            },
            changed: 1_795_000_000_123,
        };
        assert_eq!(news(turn), News::Turn(expected));
    }

    #[test]
    fn what_a_newer_version_says_is_not_read() {
        for message in [
            r#"{"v":2,"type":"processed","messageId":"m1","etag":null}"#,
            r#"{"v":1,"type":"rejoiced","messageId":"m1","etag":null}"#,
            r#"{"type":"processed","messageId":"m1"}"#,
            "processed",
        ] {
            assert_eq!(LiveEvent::read(message), None, "{message}");
        }
        // What it adds is no hindrance.
        let more = r#"{"v":1,"type":"processed","messageId":"m1","etag":null,"mood":"glad"}"#;
        assert!(LiveEvent::read(more).is_some());
    }

    #[test]
    fn no_text_reaches_a_debug_print() {
        assert!(!format!("{:?}", writing()).contains("secret"));
    }
}
