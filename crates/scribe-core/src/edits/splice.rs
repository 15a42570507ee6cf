//! Puts new blocks into a document's text so that every other block stays what it was.
//!
//! Markdown joins what stands side by side: a list behind a list continues it, indented text behind a list belongs
//! to its last item, and everything behind an open fence is code. So a text is not only put together but read
//! again, and counts only if it falls into the old blocks and the new ones and nothing else. Where a blank line is
//! not enough to keep two blocks apart, an empty comment is put between them.

use std::ops::Range;

use crate::blocks::{Author, Block, BlockEntry, Document, Expected, Kind, hash};

use super::fragment::Fragment;

/// Keeps lists apart; shows nothing.
pub(super) const COMMENT: &str = "<!-- -->";

/// A change that is being tried.
pub(super) struct Splice<'a> {
    pub(super) document: &'a Document,
    pub(super) fragment: &'a Fragment,
    /// The turn that the new blocks come from: `conversationId/messageId`.
    pub(super) turn: &'a str,
}

/// What stands between a fragment and its neighbours.
#[derive(Clone, Copy)]
struct Separation {
    /// Keep the bytes that stand around the replaced block.
    as_it_was: bool,
    comment_before: bool,
    comment_after: bool,
}

impl Splice<'_> {
    /// The document with the fragment before the block at `at`, or at the end, and the ids of the new blocks;
    /// nothing if other blocks would change.
    pub(super) fn insert(&self, at: usize) -> Option<(Document, Vec<String>)> {
        self.first_that_holds(at..at, None)
    }

    /// The document with the fragment in place of the block at `at`. The first new block keeps its id and turns.
    pub(super) fn replace(&self, at: usize) -> Option<(Document, Vec<String>)> {
        let replaced = self.document.block_list().get(at)?;
        self.first_that_holds(at..at + 1, Some(replaced))
    }

    fn first_that_holds(
        &self,
        place: Range<usize>,
        replaced: Option<&Block>,
    ) -> Option<(Document, Vec<String>)> {
        let apart = Separation {
            as_it_was: false,
            comment_before: false,
            comment_after: false,
        };
        let tries = [
            Separation {
                as_it_was: replaced.is_some(),
                ..apart
            },
            apart,
            Separation {
                comment_before: true,
                ..apart
            },
            Separation {
                comment_after: true,
                ..apart
            },
            Separation {
                comment_before: true,
                comment_after: true,
                ..apart
            },
        ];
        tries
            .into_iter()
            .find_map(|separation| self.attempt(place.clone(), replaced, separation))
    }

    fn attempt(
        &self,
        place: Range<usize>,
        replaced: Option<&Block>,
        separation: Separation,
    ) -> Option<(Document, Vec<String>)> {
        let blocks = self.document.block_list();
        let (mut content, behind) = self.surroundings(&place, separation);
        let blank_line = self.document.line_break().repeat(2);
        let mut new = NewBlocks {
            turn: self.turn,
            next_number: self.document.next_number(),
        };
        let mut entries: Vec<Expected<'_>> = self.document.expected(0..place.start).collect();

        if separation.comment_before && place.start > 0 {
            content.push_str(COMMENT);
            content.push_str(&blank_line);
            entries.push(new.comment());
        }
        content.push_str(self.fragment.markdown());
        let mut ids = Vec::new();
        for (number, (kind, text)) in self.fragment.blocks().enumerate() {
            let kept = replaced.filter(|_| number == 0).map(Block::entry);
            let entry = new.entry(text, kept);
            ids.push(entry.id.clone());
            entries.push(Expected { entry, kind, text });
        }
        if separation.comment_after && place.end < blocks.len() {
            content.push_str(&blank_line);
            content.push_str(COMMENT);
            entries.push(new.comment());
        }
        content.push_str(&behind);
        entries.extend(self.document.expected(place.end..blocks.len()));
        let document = self.document.rewoven(content, &entries, new.next_number)?;
        Some((document, ids))
    }

    /// The text before the fragment and the text behind it, each with what separates it from the fragment.
    fn surroundings(&self, place: &Range<usize>, separation: Separation) -> (String, String) {
        let blocks = self.document.block_list();
        let content = self.document.content();
        let blank_line = self.document.line_break().repeat(2);
        let before_end = place.start.checked_sub(1).map(|at| blocks[at].span().end);
        let behind_start = blocks.get(place.end).map(|block| block.span().start);

        let before = match (before_end, blocks.get(place.start)) {
            (Some(_), Some(first)) if separation.as_it_was => content[..first.span().start].to_owned(),
            (Some(end), _) => format!("{}{blank_line}", &content[..end]),
            (None, Some(first)) => content[..first.span().start].to_owned(),
            // A text of blank lines only: a byte order mark is all that is worth keeping.
            (None, None) => content.chars().take_while(|&c| c == '\u{feff}').collect(),
        };
        let replaced_end = if place.is_empty() {
            before_end
        } else {
            Some(blocks[place.start].span().end)
        };
        let behind = match (behind_start, replaced_end) {
            (Some(start), Some(end)) if separation.as_it_was || has_blank_line(&content[end..start]) => {
                content[end..].to_owned()
            }
            (Some(start), _) => format!("{blank_line}{}", &content[start..]),
            // The document ends as it ended: with a line break or without one.
            (None, Some(end)) => content[end..].to_owned(),
            (None, None) if content.ends_with('\n') => self.document.line_break().to_owned(),
            (None, None) => String::new(),
        };
        (before, behind)
    }
}

/// Whether a gap between two blocks holds a blank line.
fn has_blank_line(gap: &str) -> bool {
    gap.matches('\n').count() >= 2
}

/// Gives the new blocks their entries.
struct NewBlocks<'a> {
    turn: &'a str,
    next_number: u64,
}

impl NewBlocks<'_> {
    fn entry(&mut self, text: &str, kept: Option<&BlockEntry>) -> BlockEntry {
        let (id, mut turns) = kept.map_or_else(
            || (self.next_id(), Vec::new()),
            |kept| (kept.id.clone(), kept.turns.clone()),
        );
        if !turns.iter().any(|turn| turn == self.turn) {
            turns.push(self.turn.to_owned());
        }
        BlockEntry {
            id,
            hash: hash(text),
            author: Author::Scribe,
            person: None,
            turns,
            locked: false,
        }
    }

    fn comment(&mut self) -> Expected<'static> {
        Expected {
            entry: self.entry(COMMENT, None),
            kind: Kind::Html,
            text: COMMENT,
        }
    }

    fn next_id(&mut self) -> String {
        let id = format!("b{}", self.next_number);
        self.next_number += 1;
        id
    }
}

/// Whether a block only keeps others apart.
#[must_use]
pub(crate) fn is_separator(document: &Document, block: &Block) -> bool {
    block.kind() == Kind::Html && document.text(block) == COMMENT
}

/// The document without one block; nothing if other blocks would change. Where its neighbours would join, an empty
/// comment keeps them apart.
pub(super) fn without(document: &Document, at: usize, turn: &str) -> Option<Document> {
    let blocks = document.block_list();
    let block = blocks.get(at)?;
    let content = document.content();
    let (before, behind) = (&content[..block.span().start], &content[block.span().end..]);
    let rest = match (blocks.get(at + 1), at.checked_sub(1)) {
        (Some(next), _) => format!("{before}{}", &content[next.span().start..]),
        (None, Some(last)) => format!("{}{behind}", &content[..blocks[last].span().end]),
        (None, None) => return None,
    };
    let mut new = NewBlocks {
        turn,
        next_number: document.next_number(),
    };
    let comment = new.comment();
    let expected = |between: Option<Expected<'_>>| {
        let mut expected: Vec<Expected<'_>> = document.expected(0..at).collect();
        expected.extend(between);
        expected.extend(document.expected(at + 1..blocks.len()));
        document.rewoven(
            if expected.len() == blocks.len() {
                format!("{before}{COMMENT}{behind}")
            } else {
                rest.clone()
            },
            &expected,
            new.next_number,
        )
    };
    expected(None).or_else(|| expected(Some(comment)))
}
