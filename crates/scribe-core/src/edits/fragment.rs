//! The model's Markdown, made safe to stand in a person's document.
//!
//! Raw HTML is shown as text and not refused: a turn about `<script>` may be written down, and what a model hides
//! in a comment becomes visible. A link whose address is neither in the turn nor in the document is refused: a
//! model that was talked into it could otherwise make readers' browsers fetch any address it likes.

use std::ops::Range;

use pulldown_cmark::{Event, Parser};

use crate::blocks::{Anatomy, Document, EXTENSIONS, Kind, Piece, plain_text};

use super::elision::is_elided;
use super::facts::{self, Said, Told};
use super::outcome::{Bounds, Refusal};

/// Markdown that may be woven in.
#[derive(Debug)]
pub(super) struct Fragment {
    /// With the document's line breaks, and without blank lines around it.
    markdown: String,
    pieces: Vec<Piece>,
    /// How many blocks were left out because the document has them.
    pub(super) left_out: usize,
}

impl Fragment {
    /// Makes the model's text safe. `before` is the document without what this answer has brought: what the model
    /// wrote one edit ago makes no address known.
    ///
    /// # Errors
    /// [`Refusal`] if it cannot be.
    pub(super) fn read(
        markdown: &str,
        said: &Said,
        before: &Document,
        document: &Document,
        bounds: &Bounds,
    ) -> Result<Self, Refusal> {
        if markdown.len() > bounds.markdown_bytes {
            return Err(Refusal::TooLong);
        }
        let text = tidied(markdown);
        if is_elided(&text, &said.text) {
            return Err(Refusal::Elided);
        }
        let text = shown_html(text)?;
        if !plain_text(&text).chars().any(is_seen) {
            return Err(Refusal::Empty);
        }
        if !leaves_the_next_block_alone(&text) {
            return Err(Refusal::Unclosed);
        }
        let mut links = facts::links(&text);
        links.extend(facts::bare_links(&text));
        if !links.is_empty() {
            let known = format!("{}\n{}", said.text, before.content().to_lowercase());
            if links.iter().any(|link| !is_known(link, &known)) {
                return Err(Refusal::Link);
            }
        }
        let anatomy = Anatomy::of_part(&text);
        if !anatomy.footnotes.is_empty() {
            let known = format!("{}\n{}", said.text, document.content().to_lowercase());
            if anatomy
                .footnotes
                .iter()
                .any(|label| known.contains(&format!("[^{label}]")))
            {
                return Err(Refusal::Defines);
            }
        }
        if !anatomy.references.is_empty() {
            return Err(Refusal::Defines);
        }
        Ok(Self::in_line_breaks(&text, document.line_break()))
    }

    fn in_line_breaks(text: &str, line_break: &str) -> Self {
        let markdown = if line_break == "\n" {
            text.to_owned()
        } else {
            text.replace('\n', line_break)
        };
        let pieces = Anatomy::of_part(&markdown).pieces;
        Self {
            markdown,
            pieces,
            left_out: 0,
        }
    }

    /// The text, to be put between two blocks.
    pub(super) fn markdown(&self) -> &str {
        &self.markdown
    }

    /// Its blocks: what they are, and their texts.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.pieces
            .iter()
            .map(|piece| (piece.kind, self.text(piece.span.clone())))
    }

    fn text(&self, span: Range<usize>) -> &str {
        self.markdown.get(span).unwrap_or_default()
    }

    /// The highest rank (1 is the highest) of its headings.
    pub(super) fn highest_heading(&self) -> Option<u8> {
        let level = |piece: &Piece| {
            if let Kind::Heading(level) = piece.kind {
                Some(level)
            } else {
                None
            }
        };
        self.pieces.iter().filter_map(level).min()
    }

    /// Whether nothing stands below its headings.
    pub(super) fn is_headings_only(&self) -> bool {
        self.pieces
            .iter()
            .all(|piece| matches!(piece.kind, Kind::Heading(_) | Kind::Rule))
    }

    /// The rank of the heading that it begins with.
    pub(super) fn leading_heading(&self) -> Option<u8> {
        match self.pieces.first()?.kind {
            Kind::Heading(level) => Some(level),
            _ => None,
        }
    }

    /// What follows its first block, if anything does.
    pub(super) fn without_its_first_block(&self) -> Option<Self> {
        let second = self.pieces.get(1)?;
        let markdown = self.markdown[second.span.start..].to_owned();
        let pieces = Anatomy::of_part(&markdown).pieces;
        (pieces.len() + 1 == self.pieces.len()).then_some(Self {
            markdown,
            pieces,
            left_out: self.left_out,
        })
    }

    /// Whether a text has nearly every word of it, every number and every name.
    pub(super) fn says_less_than(&self, other: &str) -> bool {
        facts::is_within(&self.markdown, other)
    }

    /// Leaves out what the document has already, but for the block that it replaces.
    ///
    /// # Errors
    /// [`Refusal::Duplicate`] if nothing else is left.
    pub(super) fn without_duplicates(
        self,
        document: &Document,
        except: Option<&str>,
        bounds: &Bounds,
    ) -> Result<Self, Refusal> {
        let told = Told::by(document, except);
        let there: Vec<bool> = self
            .blocks()
            .map(|(kind, text)| told.says(kind, text, bounds))
            .collect();
        let left_out = there.iter().filter(|&&there| there).count();
        if left_out == 0 {
            return Ok(self);
        }
        let kept = || {
            self.blocks()
                .zip(&there)
                .filter(|&(_, &there)| !there)
                .map(|(block, _)| block)
        };
        if kept().all(|(kind, _)| matches!(kind, Kind::Heading(_) | Kind::Rule)) {
            return Err(Refusal::Duplicate);
        }
        let texts: Vec<&str> = kept().map(|(_, text)| text).collect();
        let line_break = document.line_break();
        let markdown = texts.join(&line_break.repeat(2));
        let pieces = Anatomy::of_part(&markdown).pieces;
        Ok(Self {
            markdown,
            pieces,
            left_out,
        })
    }
}

/// One kind of line break, no control characters, no blank lines around.
fn tidied(markdown: &str) -> String {
    let text = markdown.replace("\r\n", "\n").replace('\r', "\n");
    let text: String = text
        .chars()
        .filter(|&c| {
            matches!(c, '\n' | '\t')
                || !(c.is_control()
                    // Marks that break lines or turn the direction of what follows.
                    || matches!(c, '\u{feff}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        })
        .collect();
    let blank_lines = text.len() - text.trim_start().len();
    let first_line = text[..blank_lines].rfind('\n').map_or(0, |at| at + 1);
    text[first_line..].trim_end().to_owned()
}

/// Turns raw HTML into text that shows it. `<br>` stays: tables have no other line break, and it holds nothing.
fn shown_html(mut text: String) -> Result<String, Refusal> {
    // What an HTML block hid may be HTML again once it is a paragraph; that ends after a round or two.
    for _ in 0..4 {
        let mut raw: Vec<Range<usize>> = Vec::new();
        for (event, range) in Parser::new_ext(&text, EXTENSIONS).into_offset_iter() {
            match event {
                Event::Html(_) => raw.push(range),
                Event::InlineHtml(tag) if !matches!(&*tag, "<br>" | "<br/>" | "<br />") => raw.push(range),
                _ => {}
            }
        }
        if raw.is_empty() {
            return Ok(text);
        }
        let mut shown = String::with_capacity(text.len() + 16);
        let mut done = 0;
        for range in raw {
            if range.start < done {
                continue;
            }
            shown.push_str(&text[done..range.start]);
            shown.push_str(&text[range.clone()].replace('<', "&lt;"));
            done = range.end;
        }
        shown.push_str(&text[done..]);
        text = shown;
    }
    Err(Refusal::Html)
}

/// Whether a reader sees a character: letters, digits, emoji, but no lone punctuation and no invisible marks.
fn is_seen(c: char) -> bool {
    let is_mark = matches!(c, '\u{ad}' | '\u{200b}'..='\u{206f}');
    c.is_alphanumeric() || (!c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_mark)
}

/// Whether a paragraph behind the text would be a paragraph: no fence, comment or the like is open.
fn leaves_the_next_block_alone(text: &str) -> bool {
    const NEXT: &str = "The next block.";
    let followed = format!("{text}\n\n{NEXT}");
    let pieces = Anatomy::of_part(&followed).pieces;
    pieces
        .last()
        .is_some_and(|last| last.kind == Kind::Paragraph && followed[last.span.clone()] == *NEXT)
}

/// Whether a link leads where the turn or the document leads, by a scheme that only opens pages and mails.
fn is_known(link: &str, known: &str) -> bool {
    let scheme = link.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &str| {
        !scheme.is_empty()
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    match scheme.filter(|scheme| is_scheme(scheme)) {
        Some("http" | "https" | "mailto") => return is_mentioned(facts::address(link), known),
        // A colon within a path is not a scheme, but to some readers it is.
        Some(_) => return false,
        None if link.contains(':') && !link.starts_with(['/', '#', '.']) => return false,
        None => {}
    }
    let address = facts::address(link);
    link.starts_with('#') || (!address.is_empty() && known.contains(address))
}

/// Whether a text names an address, not merely has its letters: "emon" is a word, `https://emon` is an address.
fn is_mentioned(address: &str, known: &str) -> bool {
    let host = address.split(['/', '?', '#']).next().unwrap_or_default();
    known.match_indices(address).any(|(at, found)| {
        let (before, behind) = (&known[..at], &known[at + found.len()..]);
        let is_named = before.ends_with("://") || before.ends_with("://www.");
        let continues = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '@');
        let begins = before.ends_with("www.") || !before.ends_with(continues);
        let ends = !behind.starts_with(|c: char| c.is_alphanumeric() || c == '-');
        !host.is_empty() && begins && ends && (host.contains('.') || is_named)
    })
}
