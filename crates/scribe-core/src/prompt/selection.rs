//! Which blocks of a document the model sees.
//!
//! All of them, as long as they fit. Past that: the headings as an outline, the last blocks, and of the others
//! those that share the rarest words with the turn. The parts that change least come first. The last blocks begin
//! at a multiple of [`STEP`], so that the beginning of the prompt stays the same for several turns.

use std::collections::BTreeMap;

use crate::blocks::{Author, Block, Document, Kind};
use crate::edits::is_separator;
use crate::turn::Turn;
use crate::words::telling;

use super::lines::{clipped, json_string, tokens};
use super::{DOCUMENT_BEGIN, DOCUMENT_END, OUTLINE_BEGIN, OUTLINE_END};

/// In steps of how many blocks the last blocks move on.
const STEP: usize = 8;

/// How many digits of a hash are shown: enough to tell that the model read this text.
const SHOWN_DIGITS: usize = 8;

/// What is shown of a document, as lines of JSON.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Whether `blocks` are all there are.
    whole: bool,
    /// The headings, where not everything is shown.
    outline: Vec<String>,
    /// The last blocks, or all of them.
    blocks: Vec<String>,
    /// Earlier blocks that share words with the turn.
    related: Vec<String>,
}

impl Selection {
    /// Chooses what fits into so many tokens.
    pub(super) fn of(document: &Document, turn: &Turn, room: usize) -> Self {
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
        let lines: Vec<String> = shown.iter().map(|block| line(document, block, room)).collect();
        let (outline, spent) = outline(&shown, &lines, room / 4);
        let (start, recent) = recent(&lines, (room - spent) * 3 / 5);
        let related = related(document, &shown[..start], &lines, turn, room - spent - recent);
        Self {
            whole: false,
            outline,
            blocks: lines[start..].to_vec(),
            related,
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
        } else {
            part(
                "The document is long. Its headings:",
                OUTLINE_BEGIN,
                &self.outline,
                OUTLINE_END,
            );
            part("Its last blocks:", DOCUMENT_BEGIN, &blocks, DOCUMENT_END);
            part(
                "Earlier blocks that share words with the turn:",
                "<<<RELATED",
                &self.related,
                "RELATED>>>",
            );
        }
        text
    }
}

/// The placeholder and the comments between lists are nothing to write about.
fn is_shown(document: &Document, block: &Block) -> bool {
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

/// The headings that fit: the first one, which is the title, and the last ones.
fn outline(shown: &[&Block], lines: &[String], room: usize) -> (Vec<String>, usize) {
    let headings: Vec<&String> = shown
        .iter()
        .zip(lines)
        .filter(|(block, _)| matches!(block.kind(), Kind::Heading(_)))
        .map(|(_, line)| line)
        .collect();
    let Some((first, others)) = headings.split_first() else {
        return (Vec::new(), 0);
    };
    let mut spent = 0;
    let mut fits = |line: &&&String| {
        let enough = spent + cost(line) <= room;
        spent += if enough { cost(line) } else { 0 };
        enough
    };
    let mut chosen: Vec<String> = Some(first)
        .filter(&mut fits)
        .map(|&line| line.clone())
        .into_iter()
        .collect();
    let title = chosen.len();
    chosen.extend(
        others
            .iter()
            .rev()
            .take_while(&mut fits)
            .map(|&line| line.clone()),
    );
    chosen[title..].reverse();
    (chosen, spent)
}

/// Where the last blocks begin that fit, and what they cost.
fn recent(lines: &[String], room: usize) -> (usize, usize) {
    let mut spent = 0;
    let fit = lines
        .iter()
        .rev()
        .take_while(|line| {
            spent += cost(line);
            spent <= room
        })
        .count();
    let first = lines.len() - fit;
    let stepped = first.next_multiple_of(STEP);
    let start = if stepped < lines.len() { stepped } else { first };
    (start, lines[start..].iter().map(|line| cost(line)).sum())
}

/// Of the earlier blocks those that share most with the turn, in the document's order. A word counts the more the
/// fewer blocks have it.
fn related(
    document: &Document,
    earlier: &[&Block],
    lines: &[String],
    turn: &Turn,
    room: usize,
) -> Vec<String> {
    let said = telling(&format!("{}\n{}", turn.user_message, turn.assistant_response));
    let shared: Vec<Vec<u64>> = earlier
        .iter()
        .map(|block| {
            telling(document.text(block))
                .intersection(&said)
                .copied()
                .collect()
        })
        .collect();
    let mut holders: BTreeMap<u64, u32> = BTreeMap::new();
    for &word in shared.iter().flatten() {
        *holders.entry(word).or_default() += 1;
    }
    let worth = |words: &Vec<u64>| {
        words
            .iter()
            .map(|word| 1.0 / f64::from(holders[word]))
            .sum::<f64>()
    };
    let mut ranked: Vec<(f64, usize)> = shared
        .iter()
        .map(worth)
        .zip(0..)
        .filter(|&(worth, _)| worth > 0.0)
        .collect();
    ranked.sort_by(|(a, at_a), (b, at_b)| b.total_cmp(a).then(at_b.cmp(at_a)));

    let mut spent = 0;
    let mut chosen: Vec<usize> = Vec::new();
    for (_, at) in ranked {
        if spent + cost(&lines[at]) <= room {
            spent += cost(&lines[at]);
            chosen.push(at);
        }
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|at| lines[at].clone()).collect()
}
