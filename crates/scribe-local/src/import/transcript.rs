//! A transcript in the scribe's own words: JSON lines, one turn each.

use std::collections::{BTreeMap, HashMap};

use scribe_core::{ConversationId, MessageId};
use serde::{Deserialize, Serialize};

/// A turn, as the API takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Turn {
    pub(super) conversation_id: String,
    pub(super) message_id: String,
    pub(super) user_message: String,
    pub(super) assistant_response: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<String>,
}

/// A turn and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// For people.
    pub(super) place: String,
    pub(super) turn: Turn,
}

/// What is no turn, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    /// For people.
    pub(super) place: String,
    pub(super) reason: String,
}

/// A file's turns, and what is none. Empty lines are neither.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Transcript {
    pub(super) lines: Vec<Line>,
    pub(super) skipped: Vec<Skipped>,
    /// Titles of conversations that have one.
    pub(super) titles: BTreeMap<String, String>,
    /// How many messages nobody answered: they are no turns, and nothing is wrong with them.
    pub(super) unanswered: usize,
}

impl Transcript {
    /// Reads a file's content.
    pub(super) fn parse(content: &[u8]) -> Self {
        let mut transcript = Self::default();
        let mut first_lines: HashMap<(String, String), usize> = HashMap::new();
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let number = index + 1;
            let read = serde_json::from_slice::<Turn>(line).map_err(|error| reason(&error));
            let read = read.and_then(|turn| {
                let conversation = turn.conversation_id.parse::<ConversationId>();
                conversation.map_err(|error| format!("its conversationId {error}"))?;
                turn.message_id
                    .parse::<MessageId>()
                    .map_err(|error| format!("its messageId {error}"))?;
                let id = (turn.conversation_id.clone(), turn.message_id.clone());
                match *first_lines.entry(id).or_insert(number) {
                    first if first == number => Ok(turn),
                    first => Err(format!("its messageId stands on line {first} already")),
                }
            });
            match read {
                Ok(turn) => transcript.lines.push(Line {
                    place: format!("line {number}"),
                    turn,
                }),
                Err(reason) => transcript.skipped.push(Skipped {
                    place: format!("line {number}"),
                    reason,
                }),
            }
        }
        transcript
    }

    /// The conversations, in the order in which they appear.
    pub(super) fn conversations(&self) -> Vec<&str> {
        let mut conversations: Vec<&str> = Vec::new();
        for line in &self.lines {
            if !conversations.contains(&line.turn.conversation_id.as_str()) {
                conversations.push(&line.turn.conversation_id);
            }
        }
        conversations
    }
}

/// What is wrong with a line, without the place: JSON's own count of lines would confuse.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(what, _)| what);
    match error.classify() {
        serde_json::error::Category::Data => format!("not a turn: {what}"),
        _ => format!("not JSON: {what} (column {})", error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(id: &str) -> String {
        format!(r#"{{"conversationId":"c","messageId":"{id}","userMessage":"u","assistantResponse":"a"}}"#)
    }

    #[test]
    fn lines_that_are_no_turns_are_named_and_the_rest_is_kept() {
        let content = format!(
            "\u{feff}{}\r\n\n{{\"a\":\n{{\"conversationId\":\"c\",\"messageId\":\"m\"}}\n[]\n{}\n{}",
            turn("m1"),
            turn("m2"),
            turn("m1"),
        );
        let transcript = Transcript::parse(content.as_bytes());
        let kept: Vec<_> = transcript
            .lines
            .iter()
            .map(|line| (line.place.as_str(), line.turn.message_id.as_str()))
            .collect();
        assert_eq!(kept, [("line 1", "m1"), ("line 6", "m2")]);
        let skipped: Vec<_> = transcript
            .skipped
            .iter()
            .map(|line| (line.place.as_str(), line.reason.as_str()))
            .collect();
        assert_eq!(
            skipped[0],
            ("line 3", "not JSON: EOF while parsing a value (column 5)")
        );
        assert_eq!(skipped[1], ("line 4", "not a turn: missing field `userMessage`"));
        assert!(skipped[2].1.starts_with("not a turn: "), "{skipped:?}");
        assert_eq!(skipped[3], ("line 7", "its messageId stands on line 1 already"));
        assert_eq!(transcript.conversations(), ["c"]);
    }

    #[test]
    fn bytes_that_are_no_text_spoil_only_their_line() {
        let mut content = turn("m1").into_bytes();
        content.extend_from_slice(b"\n\"\xff\"\n");
        content.extend_from_slice(turn("m2").as_bytes());
        let transcript = Transcript::parse(&content);
        assert_eq!(transcript.lines.len(), 2);
        assert_eq!(transcript.skipped[0].place, "line 2");
    }
}
