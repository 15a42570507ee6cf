//! What the readers of a conversation are told: the messages on its channel `scribe:events:{tenant/conversation}`.
//!
//! | `type` | when | beside `v`, `messageId` and `etag` |
//! |---|---|---|
//! | `writing` | while the model writes, at a bounded rate | `attempt`, `claimed`, `number`, `edits`, `cut` |
//! | `withdrawn` | an attempt whose text was shown has failed | `attempt`, `claimed`, `number` |
//! | `processed` | the turn is in the document, whose ETag this is | |
//! | `failed` | the turn is parked | |
//!
//! A channel keeps nothing and promises nothing: a message may be missed, and the document in S3 is what counts. So a
//! `writing` is no difference but a *snapshot*, all edits so far with their text so far; whoever missed some sees
//! everything with the next one.
//!
//! **For readers.** For each `messageId` keep the message with the largest `(claimed, number)` and ignore every other
//! one. Show the text of a `writing` as what it is, a draft; take it away at `withdrawn`, and at `processed` or `failed`
//! read the document again. After these two nothing of the turn is shown any more unless `claimed` is later than what
//! was seen. A process that is killed withdraws nothing, so a draft also goes when the conversation is told of another
//! turn, and when nothing was heard of it for as long as a lease lasts, unless the conversation's status still names the
//! turn as the one that is being written: a model may think for long, and mends some answers in a second call, which is
//! not shown.
//!
//! **The text is a stranger's.** It is what a model wrote a moment ago, before any of the host's checks, and a turn may
//! have told the model what to write. Show it as text or as Markdown without HTML, never as markup that is trusted;
//! follow no link of it and run nothing in it. It may never reach the document.

use scribe_core::MessageId;
use scribe_core::live::LiveEdit;
use serde::{Deserialize, Serialize};

/// The version of [`LiveEvent`]'s shape. Readers ignore a message of a newer one.
pub const LIVE_VERSION: u32 = 1;

/// A message on a conversation's channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveEvent {
    /// [`LIVE_VERSION`].
    pub v: u32,
    /// The turn that it is about.
    pub message_id: MessageId,
    /// The document's ETag: of the version that is being changed, or of the one that has the turn.
    pub etag: Option<String>,
    /// What is told of it.
    #[serde(flatten)]
    pub news: News,
}

/// What is told of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum News {
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
            message_id: message_id.clone(),
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
    fn what_a_newer_version_says_is_ignored() {
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
