//! What the stand-in reads in a prompt: the turn between its marks, and the document's blocks.

use scribe_core::blocks::plain_text;
use scribe_core::prompt::{DOCUMENT_BEGIN, DOCUMENT_END, OUTLINE_BEGIN, OUTLINE_END, TURN_BEGIN, TURN_END};
use serde::Deserialize;

use super::protocol::CHAT_ANSWER;

/// A prompt, as far as the stand-in looks at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// What the person said.
    pub(super) user: String,
    /// What the assistant answered.
    pub(super) assistant: String,
    /// The paragraphs of the document that are shown, as Markdown.
    pub(super) paragraphs: Vec<String>,
    /// The headings, the title's included, also those of parts that are not shown.
    pub(super) headings: Vec<String>,
    /// How many paragraphs stand behind the last heading.
    pub(super) since_heading: usize,
}

#[derive(Deserialize)]
struct Turn {
    user: String,
    assistant: String,
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: Option<String>,
}

impl Reading {
    /// Reads the last message of a prompt; none if there is no turn in it.
    pub(super) fn of(content: &str) -> Option<Self> {
        let turn = between(content, TURN_BEGIN, TURN_END).last()?;
        let turn: Turn = serde_json::from_str(turn).ok()?;
        let mut reading = Self {
            user: turn.user,
            assistant: Some(turn.assistant)
                .filter(|said| said != CHAT_ANSWER)
                .unwrap_or_default(),
            ..Self::default()
        };
        for text in between(content, OUTLINE_BEGIN, OUTLINE_END).filter_map(block_text) {
            reading.headings.push(plain_text(&text));
        }
        for text in between(content, DOCUMENT_BEGIN, DOCUMENT_END).filter_map(block_text) {
            if text.starts_with('#') {
                reading.since_heading = 0;
                let heading = plain_text(&text);
                if !reading.headings.contains(&heading) {
                    reading.headings.push(heading);
                }
            } else {
                reading.since_heading += 1;
                reading.paragraphs.push(text);
            }
        }
        Some(reading)
    }
}

/// The text of a line that is a block; the title's line is none.
fn block_text(line: &str) -> Option<String> {
    serde_json::from_str::<Block>(line).ok()?.text
}

/// The lines between two marks that stand alone on their lines.
fn between<'a>(content: &'a str, begin: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    content
        .lines()
        .skip_while(move |&line| line != begin)
        .skip(1)
        .take_while(move |&line| line != end)
}
