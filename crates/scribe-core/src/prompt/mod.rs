//! What the model is asked: the rules, the style, the document, and the turn last.
//!
//! What stays the same from turn to turn comes first, so that the provider's prompt cache serves it: rules and style
//! never change, the document grows at its end, the turn is always new. No times and no random ids stand in front.
//!
//! Documents and turns are data. Each block is one JSON object on a line, and so is the turn; JSON has no raw line
//! breaks, and the marks around the data are lines of their own, so nothing within can pretend to be a mark.
//!
//! The prompt never grows past its budget, whatever the document and the turn are: see [`PromptBudget`].

mod lines;
mod related;
mod repair;
mod selection;
mod sieve;

use serde_json::Value;

use crate::blocks::Document;
use crate::edits::answer_schema;
use crate::style::Style;
use crate::turn::Turn;

pub use repair::repair;

use lines::{clipped, json_string, tokens};
use related::Wanted;
use selection::Selection;

/// The universe that documents belong to, where the configuration names no other.
pub const DEFAULT_UNIVERSE: &str = "Starholder";

/// The line before the turn. Between it and [`TURN_END`] stands one line of JSON: `{"user": …, "assistant": …}`.
pub const TURN_BEGIN: &str = "<<<TURN";
/// The line behind the turn.
pub const TURN_END: &str = "TURN>>>";
/// The line before the document's blocks: one line of JSON for each, the title's first.
pub const DOCUMENT_BEGIN: &str = "<<<DOCUMENT";
/// The line behind the document's blocks.
pub const DOCUMENT_END: &str = "DOCUMENT>>>";
/// The line before the headings of a document that is not shown whole: one line of JSON for each.
pub const OUTLINE_BEGIN: &str = "<<<OUTLINE";
/// The line behind the headings.
pub const OUTLINE_END: &str = "OUTLINE>>>";
/// The line before the earlier blocks that the turn may be about, where a document is not shown whole.
pub const RELATED_BEGIN: &str = "<<<RELATED";
/// The line behind those blocks.
pub const RELATED_END: &str = "RELATED>>>";

const RULES: &str = include_str!("rules.md");

/// How large a prompt and its answer may be. A token counts as four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptBudget {
    /// The whole prompt, its schema included.
    pub prompt_tokens: usize,
    /// The turn; a longer one is shown without its middle.
    pub turn_tokens: usize,
    /// The answer.
    pub output_tokens: u32,
}

impl Default for PromptBudget {
    fn default() -> Self {
        Self {
            prompt_tokens: 6_000,
            turn_tokens: 2_500,
            output_tokens: 4_096,
        }
    }
}

/// What a prompt is made from.
#[derive(Debug, Clone, Copy)]
pub struct PromptInput<'a> {
    /// The document's title.
    pub title: &'a str,
    /// How the document is written.
    pub style: Style,
    /// The universe's name.
    pub universe: &'a str,
    /// The document.
    pub document: &'a Document,
    /// The turn.
    pub turn: &'a Turn,
    /// How large the prompt may be.
    pub budget: PromptBudget,
}

/// Who speaks in a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The rules.
    System,
    /// The data.
    User,
    /// The model, as it is reminded of itself.
    Assistant,
}

impl Role {
    /// The word of the chat-completions protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A message of a prompt.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl std::fmt::Debug for Message {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({}, {} bytes)", self.role.as_str(), self.content.len())
    }
}

/// A prompt, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// One message of rules and one of data: some servers take no other order.
    pub messages: Vec<Message>,
    /// The JSON schema of the answer, strict.
    pub schema: Value,
    /// How long the answer may be.
    pub max_output_tokens: u32,
}

/// Builds the prompt for a turn.
#[must_use]
pub fn prompt(input: &PromptInput<'_>) -> Prompt {
    let rules = format!(
        "{}\n{}",
        RULES.replace("{universe}", input.universe.trim()),
        style_text(input.style).trim()
    );
    let schema = answer_schema();
    let turn = turn_text(input);
    let title = format!("{{\"title\":{}}}", json_string(&clipped(input.title, 400)));
    // 60: the fixed lines between the parts.
    let fixed = tokens(&rules) + tokens(&schema.to_string()) + tokens(&title) + 60;
    let kept = kept_for_turn(input, tokens(&turn));
    let room = input.budget.prompt_tokens.saturating_sub(fixed + kept);
    let wanted = Wanted {
        said: &turn,
        quoted: &[],
    };
    let document = Selection::of(input.document, &wanted, room, kept - tokens(&turn)).text(&title);
    let content = format!("{document}\n{turn}\nAnswer with the edits for this turn as JSON.");
    Prompt {
        messages: vec![
            Message {
                role: Role::System,
                content: rules,
            },
            Message {
                role: Role::User,
                content,
            },
        ],
        schema,
        max_output_tokens: input.budget.output_tokens,
    }
}

fn style_text(style: Style) -> &'static str {
    match style {
        Style::Default => include_str!("style_default.md"),
        Style::Literary => include_str!("style_literary.md"),
        Style::Factual => include_str!("style_factual.md"),
        Style::Conversational => include_str!("style_conversational.md"),
    }
}

/// How much of the prompt is kept free for a turn. In few and large steps: what is shown of a document depends on the
/// room that is left for it, and must not change because one turn is a little longer than the other.
fn kept_for_turn(input: &PromptInput<'_>, turn: usize) -> usize {
    let most = input.budget.turn_tokens;
    let steps = [most / 4, most / 2, most];
    steps.into_iter().find(|&step| turn <= step).unwrap_or(turn)
}

/// The turn between its marks. Of a long one the beginning and the end are shown; where only one of the two texts
/// is long, the other is shown whole.
fn turn_text(input: &PromptInput<'_>) -> String {
    let room = input.budget.turn_tokens.min(input.budget.prompt_tokens / 2) * 4;
    let user = json_string(&input.turn.user_message);
    let assistant = json_string(&input.turn.assistant_response);
    let (user, assistant) = if user.len() + assistant.len() <= room {
        (user, assistant)
    } else {
        let for_user = room.saturating_sub(assistant.len()).max(room / 2);
        let for_assistant = room.saturating_sub(user.len()).max(room / 2);
        let shown = |text: &str, room| json_string(&clipped(text, room));
        (
            shown(&input.turn.user_message, for_user),
            shown(&input.turn.assistant_response, for_assistant),
        )
    };
    format!("The turn:\n{TURN_BEGIN}\n{{\"user\":{user},\"assistant\":{assistant}}}\n{TURN_END}\n")
}

#[cfg(test)]
mod tests;
