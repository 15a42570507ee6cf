//! A document as a list of top-level Markdown blocks, byte for byte.
//!
//! [`Document`] holds the text and, for each block, where it stands and what the [`Manifest`] knows of it. Its text
//! is the bytes that were read: blocks are spans of it, never a rendering. Reading cannot fail; the worst that can
//! happen is that a block counts as a person's.

mod carry;
mod manifest;
mod restored;
mod split;

use std::ops::Range;

use pulldown_cmark::{Event, Parser, TagEnd};

pub(crate) use manifest::hash;
pub use manifest::{Author, BlockEntry, Manifest};
pub use split::Kind;
pub(crate) use split::{Anatomy, EXTENSIONS, Piece};
use split::{References, as_lines};

/// What stands in a new document until the scribe writes its first text.
pub const PLACEHOLDER: &str = "*The scribe will populate this document as your conversation continues...*";

/// A block of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    entry: BlockEntry,
    kind: Kind,
    span: Range<usize>,
}

impl Block {
    /// What the manifest knows of it.
    #[must_use]
    pub fn entry(&self) -> &BlockEntry {
        &self.entry
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.entry.id
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it stands in the document's text, in bytes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether the scribe may change it.
    #[must_use]
    pub fn is_scribes(&self) -> bool {
        self.entry.author == Author::Scribe && !self.entry.locked
    }
}

/// A document: its text, and its blocks in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    content: String,
    blocks: Vec<Block>,
    /// Where its reference links lead, by label.
    references: References,
    /// The first number that no block of this document has had, as far as the manifest remembers.
    next_number: u64,
}

impl std::fmt::Debug for Document {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Document({} blocks, {} bytes)",
            self.blocks.len(),
            self.content.len()
        )
    }
}

impl Document {
    /// Takes a text apart and lays what is known of its blocks over it.
    #[must_use]
    pub fn read(content: &str, manifest: &Manifest) -> Self {
        let anatomy = Anatomy::of(content);
        let hashes: Vec<String> = anatomy
            .pieces
            .iter()
            .map(|piece| hash(&content[piece.span.clone()]))
            .collect();
        let entries = manifest.laid_over(&hashes);
        Self::with_entries(content, anatomy, entries, manifest.next_number())
    }

    /// Takes a text apart that a person made of this document. More blocks keep their ids than with
    /// [`Document::read`], which knows the old text by its hashes only.
    #[must_use]
    pub fn read_after(content: &str, before: &Self) -> Self {
        let anatomy = Anatomy::of(content);
        let new = anatomy.pieces.iter().map(|piece| {
            let text = &content[piece.span.clone()];
            carry::New {
                kind: piece.kind,
                text,
                hash: hash(text),
            }
        });
        let entries = carry::carried(before, &new.collect::<Vec<_>>());
        Self::with_entries(content, anatomy, entries, before.next_number)
    }

    /// A text that was taken apart, with one entry for each of its blocks.
    pub(crate) fn with_entries(
        content: &str,
        anatomy: Anatomy,
        entries: Vec<BlockEntry>,
        next_number: u64,
    ) -> Self {
        let block = |(piece, entry): (Piece, BlockEntry)| Block {
            entry,
            kind: piece.kind,
            span: piece.span,
        };
        Self {
            content: content.to_owned(),
            blocks: anatomy.pieces.into_iter().zip(entries).map(block).collect(),
            references: anatomy.references,
            next_number,
        }
    }

    /// This document with another text, if that text falls into exactly the expected blocks and its reference
    /// links lead where they led. This is where promise 5 is kept: a text in which a block that was not
    /// addressed became another one, by whatever trick of Markdown, is not a document.
    pub(crate) fn rewoven(
        &self,
        content: String,
        expected: &[Expected<'_>],
        next_number: u64,
    ) -> Option<Self> {
        let anatomy = Anatomy::of(&content);
        let same = |(piece, expected): (&Piece, &Expected<'_>)| {
            piece.kind == expected.kind && content[piece.span.clone()] == *expected.text
        };
        if anatomy.pieces.len() != expected.len()
            || anatomy.references != self.references
            || !anatomy.pieces.iter().zip(expected).all(same)
        {
            return None;
        }
        let block = |(piece, expected): (Piece, &Expected<'_>)| Block {
            entry: expected.entry.clone(),
            kind: piece.kind,
            span: piece.span,
        };
        let blocks = anatomy.pieces.into_iter().zip(expected).map(block).collect();
        Some(Self {
            content,
            blocks,
            references: anatomy.references,
            next_number,
        })
    }

    /// The text: as it was read, as long as nothing was woven into it.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// What is known of the blocks, to be stored beside the text.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        Manifest {
            entries: self.blocks.iter().map(|block| block.entry.clone()).collect(),
            next: self.next_number,
        }
    }

    /// The blocks in order.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = &Block> + DoubleEndedIterator {
        self.blocks.iter()
    }

    /// A block's text.
    #[must_use]
    pub fn text(&self, block: &Block) -> &str {
        self.content.get(block.span.clone()).unwrap_or_default()
    }

    /// Whether a block is the line of a new document that promises text, untouched.
    #[must_use]
    pub fn is_placeholder(&self, block: &Block) -> bool {
        block.is_scribes() && block.entry.turns.is_empty() && self.text(block) == PLACEHOLDER
    }

    /// The line break that the document uses.
    #[must_use]
    pub fn line_break(&self) -> &'static str {
        let windows = self.content.matches("\r\n").count();
        if windows * 2 > self.content.matches('\n').count() {
            "\r\n"
        } else {
            "\n"
        }
    }

    pub(crate) fn block_list(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.blocks.iter().position(|block| block.entry.id == id)
    }

    pub(crate) fn change_entries(&mut self, change: impl Fn(&mut BlockEntry)) {
        for block in &mut self.blocks {
            change(&mut block.entry);
        }
    }

    /// The same, where numbers below this one were given to blocks that are gone.
    pub(crate) fn numbered_from(mut self, number: u64) -> Self {
        self.next_number = self.next_number.max(number);
        self
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Blocks as they are, to be expected again in a changed text.
    pub(crate) fn expected(&self, blocks: Range<usize>) -> impl Iterator<Item = Expected<'_>> {
        let expected = |block| Expected {
            entry: Block::entry(block).clone(),
            kind: block.kind,
            text: self.text(block),
        };
        self.blocks.get(blocks).unwrap_or_default().iter().map(expected)
    }
}

/// A block that a changed text must contain.
#[derive(Debug, Clone)]
pub(crate) struct Expected<'a> {
    pub(crate) entry: BlockEntry,
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

/// A text as one line of Markdown that shows exactly this text where it stands in a heading or in a paragraph. What
/// only means something at the beginning of a line, such as `1.`, is left as it is.
#[must_use]
pub fn escape_inline(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    let mut escaped = String::with_capacity(line.len());
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        let rest = &line[at + c.len_utf8()..];
        let next = rest.chars().next().unwrap_or(' ');
        let active = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '~' => true,
            // Within a word it is a letter.
            '_' => !(before.is_alphanumeric() && next.is_alphanumeric()),
            '&' => {
                next == '#'
                    || rest
                        .split(';')
                        .next()
                        .is_some_and(|name| name.len() < rest.len() && !name.contains(' '))
            }
            // At the end of a heading.
            '#' => matches!(before, ' ' | '#'),
            '>' => at == 0,
            _ => false,
        };
        if active {
            escaped.push('\\');
        }
        escaped.push(c);
        before = c;
    }
    escaped
}

/// What a reader sees of a piece of Markdown: its text without the marks.
#[must_use]
pub fn plain_text(markdown: &str) -> String {
    let mut plain = String::new();
    for event in Parser::new_ext(&as_lines(markdown), EXTENSIONS) {
        match event {
            Event::Text(text) | Event::Code(text) => plain.push_str(&text),
            Event::SoftBreak | Event::HardBreak => plain.push(' '),
            Event::End(tag) if !is_inline(tag) => plain.push('\n'),
            _ => {}
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

fn is_inline(tag: TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_title_is_shown_as_it_was_given() {
        for title in [
            "C #",
            "a_b_c",
            "<script>",
            "&amp; *x*",
            "[link](x)",
            "1. one",
            "D&D; AT&T",
            "~~gone~~",
            "\\",
            "x\r\n# y",
            "!",
        ] {
            let heading = format!("# {}\n", escape_inline(title));
            let shown = title.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(plain_text(&heading), shown, "{title:?}");
            let pieces = Anatomy::of(&heading).pieces;
            assert_eq!(
                pieces.iter().map(|piece| piece.kind).collect::<Vec<_>>(),
                [Kind::Heading(1)],
                "{title:?}"
            );
        }
    }

    #[test]
    fn the_line_break_is_the_documents_own() {
        let line_break = |content: &str| Document::read(content, &Manifest::default()).line_break();
        assert_eq!(line_break("a\r\n\r\nb\r\n"), "\r\n");
        assert_eq!(line_break("a\n\nb\r\n"), "\n");
        assert_eq!(line_break(""), "\n");
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_is(content in any::<String>()) {
            let document = Document::read(&content, &Manifest::of_scribe(&content));
            prop_assert_eq!(document.content(), &content);
            prop_assert!(document.blocks().all(Block::is_scribes));
            prop_assert_eq!(document.manifest(), Manifest::of_scribe(&content));
        }

        #[test]
        fn every_byte_belongs_to_a_block_or_is_blank(content in "([-*#>`~|<\\[\\]:=^!+.1 a\t\r\n]|\u{feff}|é|🐉){0,80}") {
            let document = Document::read(&content, &Manifest::default());
            let is_blank = |gap: &str| gap.trim_start_matches('\u{feff}').trim_matches([' ', '\t', '\r', '\n']).is_empty();
            let mut end = 0;
            for block in document.blocks() {
                let gap = is_blank(&content[end..block.span().start]);
                prop_assert!(gap && !document.text(block).is_empty());
                end = block.span().end;
            }
            let rest = is_blank(&content[end..]);
            prop_assert!(rest);
        }

        #[test]
        fn any_title_is_one_heading(title in "([-*#>`~|<>\\[\\]():=^!+.&;$\\\\_1 a\t\r\n]|é|🐉){0,40}") {
            let escaped = escape_inline(&title);
            let shown = title.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(plain_text(&format!("# {escaped}")), shown);
        }
    }
}
