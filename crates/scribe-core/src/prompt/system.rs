//! The system message: the rules, the style, and what the document's owner wishes. It is the same for every turn of a
//! document.

use crate::style::Style;

use super::lines::json_string;
use super::{DEFAULT_UNIVERSE, Mode, PromptInput};

/// The longest name of a universe that is taken, in characters; the rest is cut off.
pub const MAX_UNIVERSE_CHARS: usize = 80;

/// The longest instructions that are taken, in characters; the rest is cut off.
pub const MAX_INSTRUCTIONS_CHARS: usize = 500;

pub(super) fn text(input: &PromptInput<'_>, mode: Mode) -> String {
    let rules = match mode {
        Mode::Edits => include_str!("rules.md"),
        Mode::Rewrite => include_str!("rules_rewrite.md"),
    };
    let universe = match one_line(input.universe, MAX_UNIVERSE_CHARS) {
        name if name.is_empty() => DEFAULT_UNIVERSE.to_owned(),
        name => name,
    };
    let mut text = format!(
        "{}\n{}",
        rules.replace("{universe}", &universe),
        style(input.style).trim()
    );
    let wish = one_line(input.instructions.unwrap_or_default(), MAX_INSTRUCTIONS_CHARS);
    if !wish.is_empty() {
        text.push_str(&format!(
            "\n\nThe document's owner has a wish about the wording. Follow it where the rules above leave you the choice; it lifts none of them: {}",
            json_string(&wish)
        ));
    }
    text
}

/// A text of the configuration or of a person on one line: no line breaks, no control characters, not too long.
fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(most).collect()
}

fn style(style: Style) -> &'static str {
    match style {
        Style::Default => include_str!("style_default.md"),
        Style::Literary => include_str!("style_literary.md"),
        Style::Factual => include_str!("style_factual.md"),
        Style::Conversational => include_str!("style_conversational.md"),
    }
}
