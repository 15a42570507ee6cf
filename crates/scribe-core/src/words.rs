//! Words, numbers and names of a text, for comparing texts. Nothing here understands language: it counts.
//!
//! Scripts that do not put spaces between words are cut into pairs of characters, so that comparing works for
//! them too.

use std::collections::BTreeSet;

/// The words of a text in lower case, in order, with repetitions.
pub(crate) fn words(text: &str) -> Vec<String> {
    slices(text).map(str::to_lowercase).collect()
}

/// The hashes of the words that tell something, in order. Short words are in every text, short numbers are not; in
/// scripts without spaces every pair of characters counts.
pub(crate) fn telling(text: &str) -> impl Iterator<Item = u64> {
    let tells = |word: &&str| match word.len() {
        0 | 1 => false,
        2 | 3 => word.bytes().any(|byte| !byte.is_ascii_alphabetic()),
        _ => true,
    };
    slices(text).filter(tells).map(hash)
}

/// The hash of a word, whatever its case. Whole documents are hashed for every turn, so it is a plain one.
fn hash(word: &str) -> u64 {
    let mut hash = Hash::default();
    for c in word.chars() {
        if c.is_ascii() {
            hash.add(c.to_ascii_lowercase());
        } else {
            c.to_lowercase().for_each(|c| hash.add(c));
        }
    }
    hash.finish()
}

/// A hash of characters in order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hash(u64);

impl Hash {
    pub(crate) fn add(&mut self, c: char) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(u32::from(c))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub(crate) fn finish(self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// The words of a text as they stand there.
fn slices(text: &str) -> impl Iterator<Item = &str> {
    let runs = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|run| !run.is_empty());
    runs.flat_map(|run| {
        let unspaced = run.chars().any(is_unspaced);
        let ends = || run.char_indices().skip(2).map(|(at, _)| at).chain([run.len()]);
        let pairs = run
            .char_indices()
            .zip(ends())
            .map(move |((start, _), end)| &run[start..end]);
        let count = if unspaced {
            run.chars().count().saturating_sub(1).max(1)
        } else {
            0
        };
        pairs.take(count).chain((!unspaced).then_some(run))
    })
}

/// Whether a character belongs to a script that writes words without spaces between them.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// The words of a text for [`Bag::likeness`]: their hashes, sorted. Every block of a document is looked at for every
/// new one, so this must be cheap.
#[derive(Debug, Clone)]
pub(crate) struct Bag(Vec<u64>);

impl Bag {
    pub(crate) fn of(text: &str) -> Self {
        let mut hashes: Vec<u64> = slices(text).map(hash).collect();
        hashes.sort_unstable();
        Self(hashes)
    }

    /// How many words there are, repetitions counted.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The hashes of the words, each once.
    pub(crate) fn distinct(&self) -> impl Iterator<Item = u64> {
        let chunks = self.0.chunk_by(|a, b| a == b);
        chunks.filter_map(|chunk| chunk.first().copied())
    }

    /// How alike two texts are by their words, whatever the order: 0 nothing in common, 1 the same words.
    pub(crate) fn likeness(&self, other: &Self) -> f64 {
        let all = self.len() + other.len();
        if all == 0 {
            0.0
        } else {
            2.0 * self.shared(other) as f64 / all as f64
        }
    }

    /// The share of its words that another text has: 0 none, 1 all.
    pub(crate) fn share_in(&self, other: &Self) -> f64 {
        self.shared(other) as f64 / self.len().max(1) as f64
    }

    /// How many words both have, repetitions counted.
    pub(crate) fn shared(&self, other: &Self) -> usize {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut shared = 0_usize;
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(left.next()),
                std::cmp::Ordering::Greater => drop(right.next()),
                std::cmp::Ordering::Equal => {
                    shared += 1;
                    left.next();
                    right.next();
                }
            }
        }
        shared
    }
}

/// The numbers of a text: `3`, `3,000`, `14:30`, `2027-01-14`.
pub(crate) fn numbers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while let Some(start) = rest.find(char::is_numeric) {
        rest = &rest[start..];
        let mut end = 0;
        for (at, c) in rest.char_indices() {
            if c.is_numeric() {
                end = at + c.len_utf8();
            } else if !matches!(c, '.' | ',' | ':' | '/' | '-' | '\'' | '\u{2019}') || at > end {
                break;
            }
        }
        found.insert(rest[..end].to_owned());
        rest = &rest[end..];
    }
    found
}

/// A word that begins with a capital letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capitalised<'a> {
    /// The word.
    pub(crate) word: &'a str,
    /// Whether it stands where any word would begin with a capital letter.
    pub(crate) opens: bool,
}

/// The capitalised words of a text in order. Words of one letter are left out: `I`, initials, list letters.
pub(crate) fn capitalised(text: &str) -> Vec<Capitalised<'_>> {
    each_word(text)
        .into_iter()
        .filter(|(word, _)| {
            word.chars().next().is_some_and(char::is_uppercase) && word.chars().nth(1).is_some()
        })
        .map(|(word, opens)| Capitalised { word, opens })
        .collect()
}

/// The names of a text as far as capitals tell: words that begin with one where a common word would not. Empty
/// for languages that write every noun so, and for scripts without capitals.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    let inner = each_word(text)
        .iter()
        .filter(|(word, opens)| !opens && word.chars().nth(1).is_some())
        .count();
    let found: Vec<_> = capitalised(text).into_iter().filter(|word| !word.opens).collect();
    // In English about one word in ten; German prose has one in three.
    if inner >= 12 && found.len() * 4 > inner {
        return BTreeSet::new();
    }
    found.into_iter().map(|name| name.word.to_owned()).collect()
}

/// Each word with whether it opens a sentence, a line or a quotation.
fn each_word(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut opens = true;
    let mut start = None;
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() {
            start.get_or_insert(at);
            continue;
        }
        if let Some(from) = start.take() {
            found.push((&text[from..at], opens));
            opens = false;
        }
        if !matches!(
            c,
            ' ' | '\t' | ',' | ';' | '\'' | '\u{2019}' | '-' | '*' | '_' | '/' | '&'
        ) {
            opens = true;
        }
    }
    if let Some(from) = start {
        found.push((&text[from..], opens));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_inner_signs() {
        let found = numbers("At 14:30 on 2027-01-14, 3,000 men and 7 of the 10th. Cost: 4.50.");
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["10", "14:30", "2027-01-14", "3,000", "4.50", "7"]
        );
    }

    #[test]
    fn names_are_capitals_within_a_sentence() {
        let found = names("Suddenly the witch Jester met Fjord's crew. Nobody saw Nott, or I would know.");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Fjord", "Jester", "Nott"]);
        let german = "Der Hund lief mit dem Kind durch den Wald und die Stadt, bis der Mond am Himmel stand.";
        assert!(names(german).is_empty());
    }

    #[test]
    fn words_are_cut_where_nobody_puts_spaces() {
        assert_eq!(words("The Ship's 2 sails"), ["the", "ship", "s", "2", "sails"]);
        assert_eq!(words("船が港に a 山"), ["船が", "が港", "港に", "a", "山"]);
    }

    #[test]
    fn likeness_counts_words_in_any_order() {
        let likeness = |a: &str, b: &str| Bag::of(a).likeness(&Bag::of(b));
        assert_eq!(likeness("The ship sank.", "sank: THE ship"), 1.0);
        assert_eq!(likeness("a b", "c d"), 0.0);
        assert_eq!(likeness("", ""), 0.0);
        assert!(likeness("船が港に着いた", "船が港に着いたのだ") > 0.8);
        assert!(likeness("船が港に着いた", "山は雪で白い") < 0.2);
    }
}
