//! Text of the document that comes back in a turn.
//!
//! The chat's model reads the document, so it quotes it, and what it quotes must not be woven in again. Parts of a
//! turn that say, word for word, what stands in the document are replaced by a mark that names the blocks.
//!
//! A part is a paragraph, a heading, or an item of a list, whole: a quotation in which one word is another may be the
//! correction, so a part is either marked from end to end or left as it is. Case, white space, quotation marks, the
//! marks of Markdown and the points between sentences make no difference. Parts that follow each other in both texts
//! are compared together, so that short lines of a long quotation go with it.

use std::collections::HashMap;

use crate::blocks::Document;
use crate::words::{Hash, is_unspaced};

use super::selection::is_shown;
use super::sieve::Sieve;

/// From how many words on a part may be a quotation; shorter ones may be anybody's. In scripts without spaces two
/// characters count as a word.
const WORDS: usize = 8;

/// How many places in the document are tried for one part. A text that repeats itself has many.
const TRIED: usize = 8;

/// A text with marks where it quotes the document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) text: String,
    /// The blocks that are quoted one at a time.
    pub(super) quoted: Vec<String>,
}

/// The words of a document, for finding them again in turns.
#[derive(Debug)]
pub(super) struct Echo<'a> {
    words: Vec<Word>,
    /// For each block that is shown where its words begin, and its place.
    blocks: Vec<(usize, &'a str)>,
    /// Whether the mark says which block it is.
    naming: bool,
}

/// A word's hash, whatever its case, and how much it counts: twice as much as a character of a script without spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    hash: u64,
    halves: u8,
}

/// A part of a turn: where it stands, and its words.
#[derive(Debug)]
struct Part {
    /// In bytes, without the line break behind it.
    start: usize,
    end: usize,
    first_word: usize,
    end_word: usize,
}

impl<'a> Echo<'a> {
    pub(super) fn of(document: &'a Document, naming: bool) -> Self {
        let mut words = Vec::with_capacity(document.content().len() / 5);
        let mut blocks = Vec::new();
        for block in document.blocks().filter(|block| is_shown(document, block)) {
            blocks.push((words.len(), block.id()));
            for line in document.text(block).lines() {
                add_words(line, &mut words);
            }
        }
        Self {
            words,
            blocks,
            naming,
        }
    }

    /// A text with its quotations marked.
    pub(super) fn mark(&self, text: &str) -> Marked {
        let (parts, words) = parts(text);
        let places = self.places(&parts, &words);
        let mut marked = Marked::default();
        let mut copied = 0;
        let mut at = 0;
        while at < parts.len() {
            let from = &words[parts[at].first_word..];
            let tried = places.get(&key(from)).map_or(&[][..], Vec::as_slice);
            let found = tried
                .iter()
                .map(|&place| (self.quoted_parts(&parts[at..], &words, place), place))
                .max_by_key(|&(count, place)| (count, std::cmp::Reverse(place)));
            let Some((count @ 1.., place)) = found else {
                at += 1;
                continue;
            };
            let last = &parts[at + count - 1];
            let length = last.end_word - parts[at].first_word;
            marked.text.push_str(&text[copied..parts[at].start]);
            let (first_block, last_block) = (self.block_at(place), self.block_at(place + length - 1));
            if !self.naming {
                marked.text.push_str("⟪text of the document⟫");
            } else if first_block == last_block {
                marked.text.push_str(&format!("⟪block {first_block}⟫"));
                marked.quoted.push(first_block.to_owned());
            } else {
                marked
                    .text
                    .push_str(&format!("⟪blocks {first_block} to {last_block}⟫"));
            }
            copied = last.end;
            at += count;
        }
        marked.text.push_str(&text[copied..]);
        marked
    }

    /// Where in the document the parts may begin, by their first words.
    fn places(&self, parts: &[Part], words: &[Word]) -> HashMap<u64, Vec<usize>> {
        let begins = parts.iter().map(|part| &words[part.first_word..]);
        let sieve = Sieve::of(begins.filter(|words| enough(words)).map(key));
        let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
        if sieve.len() == 0 {
            return places;
        }
        for place in 0..self.words.len() {
            let key = key(&self.words[place..]);
            if sieve.find(key).is_some() {
                let places = places.entry(key).or_default();
                if places.len() < TRIED {
                    places.push(place);
                }
            }
        }
        places
    }

    /// How many of the parts stand in the document from this place on, if they are enough words together.
    fn quoted_parts(&self, parts: &[Part], words: &[Word], place: usize) -> usize {
        let first = parts[0].first_word;
        let pairs = words[first..].iter().zip(&self.words[place..]);
        let same = pairs.take_while(|(said, written)| said == written).count();
        let count = parts
            .iter()
            .take_while(|part| part.end_word - first <= same)
            .count();
        match count {
            0 => 0,
            _ if enough(&words[first..parts[count - 1].end_word]) => count,
            _ => 0,
        }
    }

    fn block_at(&self, word: usize) -> &str {
        let behind = self.blocks.partition_point(|&(start, _)| start <= word);
        self.blocks[behind - 1].1
    }
}

/// Whether these are as many words as a quotation has.
fn enough(words: &[Word]) -> bool {
    let halves: usize = words
        .iter()
        .take(2 * WORDS)
        .map(|word| usize::from(word.halves))
        .sum();
    halves >= 2 * WORDS
}

/// The hash of the first words.
fn key(words: &[Word]) -> u64 {
    words.iter().take(WORDS).fold(0, |key: u64, word| {
        (key.rotate_left(7) ^ word.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// A turn's text in parts, and the words of all of them.
fn parts(text: &str) -> (Vec<Part>, Vec<Word>) {
    let mut parts: Vec<Part> = Vec::new();
    let mut words = Vec::new();
    let mut open = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let first_word = words.len();
        add_words(line, &mut words);
        let end = start + line.trim_end().len();
        if words.len() == first_word {
            open = false;
        } else if open && !begins_a_part(line) {
            if let Some(part) = parts.last_mut() {
                part.end = end;
                part.end_word = words.len();
            }
        } else {
            parts.push(Part {
                start: start + line.len() - line.trim_start().len(),
                end,
                first_word,
                end_word: words.len(),
            });
            // A heading ends with its line.
            open = !bare(line).starts_with('#');
        }
        start += line.len();
    }
    (parts, words)
}

/// A line without the marks of a quotation in front of it.
fn bare(line: &str) -> &str {
    line.trim_start_matches([' ', '\t', '>'])
}

/// Whether a line begins a heading, an item of a list or a row of a table.
fn begins_a_part(line: &str) -> bool {
    let line = bare(line);
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = number.len() < line.len() && number.starts_with(['.', ')']);
    numbered && number[1..].starts_with(' ')
        || line.starts_with(['#', '|'])
        || ["- ", "* ", "+ "].iter().any(|bullet| line.starts_with(bullet))
}

/// The words of a line, without marks that only say how they are shown.
fn add_words(line: &str, words: &mut Vec<Word>) {
    let line = bare(line).trim_start_matches('#');
    let bullet = ["- ", "* ", "+ "]
        .iter()
        .find_map(|bullet| line.strip_prefix(bullet));
    for piece in bullet
        .unwrap_or(line)
        .split(|c: char| c.is_whitespace() || c == '|')
    {
        let piece = piece.trim_start_matches(|c| is_quotation(c) || is_mark(c));
        let piece = piece.trim_end_matches(|c| is_quotation(c) || is_mark(c) || is_point(c));
        // A rule, or the line below a table's head.
        if piece.len() != 1 && piece.trim_matches([':', '-', '=']).is_empty() {
            continue;
        }
        add_piece(piece, words);
    }
}

fn add_piece(piece: &str, words: &mut Vec<Word>) {
    let mut hash = Hash::default();
    let mut is_empty = true;
    let mut before = ' ';
    let mut chars = piece.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        if is_unspaced(c) {
            if !is_empty {
                words.push(Word {
                    hash: hash.finish(),
                    halves: 2,
                });
            }
            let mut single = Hash::default();
            single.add(c);
            words.push(Word {
                hash: single.finish(),
                halves: 1,
            });
            (hash, is_empty) = (Hash::default(), true);
        } else if matches!(
            c,
            '。' | '、' | '，' | '．' | '：' | '；' | '「' | '」' | '『' | '』'
        ) || is_mark(c) && !(before.is_alphanumeric() && next.is_alphanumeric())
        {
            // Not a part of any word.
        } else {
            match c {
                '\u{2019}' => hash.add('\''),
                _ => c.to_lowercase().for_each(|c| hash.add(c)),
            }
            is_empty = false;
        }
        before = c;
    }
    if !is_empty {
        words.push(Word {
            hash: hash.finish(),
            halves: 2,
        });
    }
}

fn is_quotation(c: char) -> bool {
    matches!(c, '"' | '\'' | '\u{2018}'..='\u{201f}' | '«' | '»' | '‹' | '›')
}

/// What only says how a text is shown, or keeps a sign from saying so. A line through a text says more than that.
fn is_mark(c: char) -> bool {
    matches!(c, '*' | '_' | '`' | '\\')
}

/// What stands behind words and changes nothing. A question mark does.
fn is_point(c: char) -> bool {
    matches!(c, '.' | ',' | ';' | ':' | '…')
}
