//! What the model is asked: the rules, the style, the document, and the turn last.
//!
//! What stays the same from turn to turn comes first, so that the provider's prompt cache serves it: rules and style
//! never change, the document grows at its end, the turn is always new. No times and no random ids stand in front. See
//! `selection.rs` for what is shown of a long document.
//!
//! Documents and turns are data. Each block is one JSON object on a line, and so is the turn; JSON has no raw line
//! breaks, and the marks around the data are lines of their own, so nothing within can pretend to be a mark.
//!
//! The prompt never grows past its budget, whatever the document and the turn are: see [`PromptBudget`].

mod echo;
mod lines;
mod related;
mod repair;
mod said;
mod selection;
mod sieve;
mod system;

use serde_json::Value;

use crate::blocks::Document;
use crate::edits::{NO_CHANGE, answer_schema};
use crate::style::Style;
use crate::turn::Turn;

pub use repair::repair;

use echo::Echo;
use lines::{clipped, json_string, tokens};
use related::Wanted;
use said::Said;
use selection::Selection;
pub use system::{MAX_INSTRUCTIONS_CHARS, MAX_UNIVERSE_CHARS};

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

/// How large a prompt and its answer may be. A token counts as four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptBudget {
    /// The whole prompt, its schema included, where edits are asked for.
    pub prompt_tokens: usize,
    /// The whole prompt where a rewrite is asked for, which shows the whole document.
    pub rewrite_tokens: usize,
    /// The turn; a longer one is shown without its middle.
    pub turn_tokens: usize,
    /// The answer.
    pub output_tokens: u32,
}

impl Default for PromptBudget {
    fn default() -> Self {
        Self {
            prompt_tokens: 6_000,
            rewrite_tokens: 8_000,
            turn_tokens: 2_500,
            output_tokens: 4_096,
        }
    }
}

/// What the model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Edits, as JSON.
    #[default]
    Edits,
    /// The whole new document, as Markdown, or a line that begins with [`NO_CHANGE`].
    Rewrite,
}

/// What a prompt is made from.
#[derive(Clone, Copy)]
pub struct PromptInput<'a> {
    /// The document's title.
    pub title: &'a str,
    /// How the document is written.
    pub style: Style,
    /// The universe's name: one line of at most [`MAX_UNIVERSE_CHARS`].
    pub universe: &'a str,
    /// What the document's owner wishes about its wording: at most [`MAX_INSTRUCTIONS_CHARS`].
    pub instructions: Option<&'a str>,
    /// What the model is asked for.
    pub mode: Mode,
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
    /// The JSON schema of the answer, strict; none where the answer is the document itself.
    pub schema: Option<Value>,
    /// How long the answer may be.
    pub max_output_tokens: u32,
}

impl Prompt {
    fn new(system: String, data: String, schema: Option<Value>, budget: PromptBudget) -> Self {
        let message = |role, content| Message { role, content };
        Self {
            messages: vec![message(Role::System, system), message(Role::User, data)],
            schema,
            max_output_tokens: budget.output_tokens,
        }
    }
}

/// Builds the prompt for a turn.
///
/// A rewrite that does not fit (see [`rewrite_fits`]) is asked for as edits: the answer is a rewrite where the prompt
/// has no schema.
#[must_use]
pub fn prompt(input: &PromptInput<'_>) -> Prompt {
    match input.mode {
        Mode::Rewrite => rewrite(input).unwrap_or_else(|| edits(input)),
        Mode::Edits => edits(input),
    }
}

/// Whether a rewrite of the document can be asked for: the prompt is within its budget, and the answer has room for the
/// document and for what the turn adds.
#[must_use]
pub fn rewrite_fits(input: &PromptInput<'_>) -> bool {
    rewrite(input).is_some()
}

fn edits(input: &PromptInput<'_>) -> Prompt {
    let system = system::text(input, Mode::Edits);
    let schema = answer_schema();
    let said = Said::of(input.turn, &Echo::of(input.document, true), turn_room(input));
    let turn = turn_text(&said);
    let title = title_line(input);
    // 60: the fixed lines between the parts.
    let fixed = tokens(&system) + tokens(&schema.to_string()) + tokens(&title) + 60;
    let kept = kept_for_turn(input, tokens(&turn));
    let room = input.budget.prompt_tokens.saturating_sub(fixed + kept);
    let wanted = Wanted {
        said: &said.line,
        quoted: &said.quoted,
    };
    let document = Selection::of(input.document, &wanted, room, kept - tokens(&turn)).text(&title);
    let data = format!("{document}\n{turn}\nAnswer with the edits for this turn as JSON.");
    Prompt::new(system, data, Some(schema), input.budget)
}

/// The prompt for a rewrite; none if it does not fit.
fn rewrite(input: &PromptInput<'_>) -> Option<Prompt> {
    let document = input.document;
    let content = document.content();
    if tokens(content) > input.budget.output_tokens as usize * 3 / 4 {
        return None;
    }
    let placeholder = document.blocks().find(|block| document.is_placeholder(block));
    let content = match placeholder {
        Some(block) => [&content[..block.span().start], &content[block.span().end..]].concat(),
        None => content.to_owned(),
    };
    let said = Said::of(input.turn, &Echo::of(document, false), turn_room(input));
    let data = format!(
        "The document:\n{DOCUMENT_BEGIN}\n{}\n{}\n{DOCUMENT_END}\n\n{}\nAnswer with the whole document in Markdown, or with {NO_CHANGE}: and the reason.",
        title_line(input),
        json_string(&content),
        turn_text(&said)
    );
    let system = system::text(input, Mode::Rewrite);
    let fits = tokens(&system) + tokens(&data) <= input.budget.rewrite_tokens;
    fits.then(|| Prompt::new(system, data, None, input.budget))
}

fn title_line(input: &PromptInput<'_>) -> String {
    format!("{{\"title\":{}}}", json_string(&clipped(input.title, 400)))
}

/// How many bytes of the prompt a turn may take.
fn turn_room(input: &PromptInput<'_>) -> usize {
    input.budget.turn_tokens.min(input.budget.prompt_tokens / 2) * 4
}

/// How many tokens of the prompt are kept free for a turn. In few and large steps: what is shown of a document depends
/// on the room that is left for it, and must not change because one turn is a little longer than the other.
fn kept_for_turn(input: &PromptInput<'_>, turn: usize) -> usize {
    let most = input.budget.turn_tokens;
    let steps = [most / 4, most / 2, most];
    steps.into_iter().find(|&step| turn <= step).unwrap_or(turn)
}

/// The turn between its marks.
fn turn_text(said: &Said) -> String {
    format!("The turn:\n{TURN_BEGIN}\n{}\n{TURN_END}\n", said.line)
}

#[cfg(test)]
mod tests;
