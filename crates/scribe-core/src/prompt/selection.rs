//! Which blocks of a document the model sees.
//!
//! All of them, as long as they fit. Past that, in this order:
//!
//! 1. The outline: headings that stand before the window.
//! 2. The window: the last blocks, to the end of the document.
//! 3. The related blocks: earlier ones that the turn speaks of ([`related`]).
//!
//! What comes first changes least, because a provider's prompt cache serves only what is the same from the first byte
//! on. A document that grows at its end changes nothing in front of its new blocks: the window stays where it begins
//! (see [`Tail`]) until its first block no longer fits, then moves on by about half of its length.

use std::collections::BTreeMap;

use crate::blocks::{Author, Block, Document, Kind};
use crate::edits::is_separator;

use super::lines::{clipped, json_string, tokens};
use super::related::{Wanted, ranked};
use super::{DOCUMENT_BEGIN, DOCUMENT_END, OUTLINE_BEGIN, OUTLINE_END, RELATED_BEGIN, RELATED_END};

/// How many digits of a hash are shown: enough to tell that the model read this text.
const SHOWN_DIGITS: usize = 8;

/// What is shown of a document, as lines of JSON.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Whether `blocks` are all there are.
    whole: bool,
    /// Headings before the window, where not everything is shown.
    outline: Vec<String>,
    /// The last blocks, or all of them.
    blocks: Vec<String>,
    /// Earlier blocks that the turn speaks of.
    related: Vec<String>,
}

impl Selection {
    /// Chooses what fits into so many tokens. `spare` is what the turn leaves of the room that is kept for it.
    pub(super) fn of(document: &Document, wanted: &Wanted<'_>, room: usize, spare: usize) -> Self {
        let shown: Vec<&Block> = document
            .blocks()
            .filter(|block| is_shown(document, block))
            .collect();
        // A line is longer than the text in it, so most documents that do not fit need not be written out for it.
        let bytes: usize = shown.iter().map(|block| block.span().len()).sum();
        if bytes / 4 <= room {
            let whole: Vec<String> = shown
                .iter()
                .map(|block| line(document, block, usize::MAX))
                .collect();
            if whole.iter().map(|line| cost(line)).sum::<usize>() <= room {
                return Self {
                    whole: true,
                    blocks: whole,
                    ..Self::default()
                };
            }
        }
        // 90: the lines between the parts, which a document that fits does not have.
        let room = room.saturating_sub(90);
        // As many bytes as there are tokens: no block takes more than a quarter of the room.
        let line = |block: &Block| line(document, block, room);
        let window = Tail::of(&shown, room * 13 / 16, line);
        let before = &shown[..window.start];
        let (outline, spent) = outline(before, room / 8, line);
        let mut left = (room - window.cost - spent + spare).min(room / 4);
        let mut related = BTreeMap::new();
        for at in ranked(document, &shown, before.len(), wanted) {
            let line = line(shown[at]);
            // One that is not whole cannot be replaced, and takes the room of one that can.
            if cost(&line) <= left && shown[at].span().len() <= left * 4 {
                left -= cost(&line);
                related.insert(at, line);
            }
        }
        Self {
            whole: false,
            outline,
            blocks: window.lines,
            related: related.into_values().collect(),
        }
    }

    /// The document as it stands in the prompt.
    pub(super) fn text(&self, title: &str) -> String {
        let mut text = String::new();
        let mut part = |what: &str, begin: &str, lines: &[String], end: &str| {
            text.push_str(&format!("{what}\n{begin}\n"));
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
            text.push_str(&format!("{end}\n"));
        };
        let mut blocks = vec![title.to_owned()];
        blocks.extend(self.blocks.iter().cloned());
        if self.whole {
            part("The document:", DOCUMENT_BEGIN, &blocks, DOCUMENT_END);
            return text;
        }
        let headings = "The document is long. Headings of its earlier parts:";
        part(headings, OUTLINE_BEGIN, &self.outline, OUTLINE_END);
        part("Its last blocks:", DOCUMENT_BEGIN, &blocks, DOCUMENT_END);
        if !self.related.is_empty() {
            let related = "Earlier blocks that the turn may be about:";
            part(related, RELATED_BEGIN, &self.related, RELATED_END);
        }
        text
    }
}

/// The placeholder and the comments between lists are nothing to write about.
pub(super) fn is_shown(document: &Document, block: &Block) -> bool {
    !is_separator(document, block) && !document.is_placeholder(block)
}

/// A block as a line. One with more bytes than `most` is shown without its middle, and without its hash: what was
/// not seen whole cannot be replaced.
fn line(document: &Document, block: &Block, most: usize) -> String {
    let text = document.text(block);
    let shown = clipped(text, most);
    let hash = block.entry().hash.get(..SHOWN_DIGITS).unwrap_or_default();
    let hash = if shown == text {
        format!(",\"hash\":\"{hash}\"")
    } else {
        String::new()
    };
    let by = match block.entry().author {
        Author::Scribe if !block.entry().locked => "",
        _ => ",\"by\":\"person\"",
    };
    format!(
        "{{\"id\":{}{hash}{by},\"text\":{}}}",
        json_string(block.id()),
        json_string(&shown)
    )
}

/// A line's tokens, its line break included.
fn cost(line: &str) -> usize {
    tokens(line) + 1
}

/// The last blocks that fit, from a beginning that stays.
///
/// Nothing is remembered from turn to turn, so the beginning has to be found again from the document alone. Of the
/// blocks in the first half of what fits, it is the one with the roundest id. Ids rise as blocks are
/// written, so a rounder one comes along as seldom as the next multiple of a power of two.
struct Tail {
    /// Where they begin.
    start: usize,
    lines: Vec<String>,
    cost: usize,
}

impl Tail {
    fn of(blocks: &[&Block], room: usize, line: impl Fn(&Block) -> String) -> Self {
        // The lines that fit, the last one first, each with what it and those behind it cost.
        let mut fitting: Vec<(String, usize)> = Vec::new();
        let mut spent = 0;
        for block in blocks.iter().rev() {
            let line = line(block);
            spent += cost(&line);
            if spent > room {
                break;
            }
            fitting.push((line, spent));
        }
        let starts = fitting.iter().enumerate();
        let in_first_half = starts.filter(|&(at, &(_, cost))| cost >= room / 2 || at + 1 == fitting.len());
        let roundest = in_first_half
            .map(|(at, _)| at + 1)
            .max_by_key(|kept| (roundness(blocks[blocks.len() - kept].id()), *kept));
        let kept = match roundest {
            Some(kept) if fitting.len() < blocks.len() => kept,
            _ => fitting.len(),
        };
        fitting.truncate(kept);
        Self {
            start: blocks.len() - kept,
            cost: fitting.last().map_or(0, |&(_, cost)| cost),
            lines: fitting.into_iter().rev().map(|(line, _)| line).collect(),
        }
    }
}

/// By how high a power of two an id's number can be divided. Ids of blocks that were found and not written come after
/// all others: they are taken from a hash, and a person may change the block at any time.
fn roundness(id: &str) -> (bool, u32) {
    if let Some(number) = id.strip_prefix('b').and_then(|number| number.parse::<u64>().ok()) {
        return (true, number.trailing_zeros());
    }
    let digits = id
        .get(1..7)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok());
    (false, digits.map_or(0, u32::trailing_zeros))
}

/// The headings that fit: the first one, which is the title, and the last ones.
fn outline(before: &[&Block], room: usize, line: impl Fn(&Block) -> String) -> (Vec<String>, usize) {
    let is_heading = |block: &&&Block| matches!(block.kind(), Kind::Heading(_));
    let headings: Vec<&Block> = before.iter().filter(is_heading).copied().collect();
    let Some((title, others)) = headings.split_first() else {
        return (Vec::new(), 0);
    };
    let title = line(title);
    let spent = cost(&title);
    if spent > room {
        return (Vec::new(), 0);
    }
    let mut tail = Tail::of(others, room - spent, line);
    tail.lines.insert(0, title);
    (tail.lines, spent + tail.cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_ids_come_before_others_and_a_persons_last() {
        let ids = ["b1024", "b96", "b12", "b7", "p000400", "p000001", "ü"];
        for pair in ids.windows(2) {
            assert!(roundness(pair[0]) >= roundness(pair[1]), "{pair:?}");
        }
        assert!(roundness("b7") > roundness("p000400"));
    }
}
