//! Texts for long conversations: English in its small words and its shape, made up in the others. A conversation's
//! subjects come back, as they do when people talk, and no two passages are alike.

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// How many characters a passage has: 51 tokens.
pub(super) const PASSAGE: usize = 204;

/// How many words a conversation is about.
const SUBJECTS: usize = 400;

const SYLLABLES: [&str; 24] = [
    "ba", "cor", "del", "fen", "gal", "hir", "jun", "kel", "lor", "mar", "nim", "or", "pel", "quin", "ras",
    "sel", "tar", "ul", "ven", "wyn", "yar", "zo", "thi", "gre",
];

const SMALL: [&str; 16] = [
    "the", "of the", "and", "in a", "with its", "under", "from the", "to", "beyond", "that the", "over",
    "near", "before", "as", "by the", "without",
];

/// Where a conversation's texts come from. The same seed says the same.
pub(super) struct Prose {
    rng: ChaCha8Rng,
    subjects: Vec<String>,
}

impl Prose {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let subjects = (0..SUBJECTS).map(|_| made_up(&mut rng)).collect();
        Self { rng, subjects }
    }

    /// A paragraph of exactly [`PASSAGE`] characters.
    pub(super) fn paragraph(&mut self) -> String {
        self.sentences(PASSAGE)
    }

    /// A heading with the beginning of its section, [`PASSAGE`] characters together.
    pub(super) fn section(&mut self) -> String {
        let heading = capitalised(&format!("{} of {}", self.subject(), made_up(&mut self.rng)));
        let heading = format!("## The {heading}\n\n");
        let text = self.sentences(PASSAGE - heading.len());
        heading + &text
    }

    /// What somebody asks.
    pub(super) fn question(&mut self) -> String {
        let (one, other) = (self.subject(), self.subject());
        format!("What do we know of the {one}, and what has it to do with the {other}?")
    }

    /// A document of about so many tokens, with a heading now and then.
    pub(super) fn document(&mut self, title: &str, tokens: usize) -> String {
        let mut document = format!("# {title}\n");
        for n in 0.. {
            if document.len() + PASSAGE / 2 > tokens * 4 {
                break;
            }
            let passage = self.passage(n);
            document.push_str(&format!("\n{passage}\n"));
        }
        document
    }

    /// The nth passage: every twelfth begins a section.
    pub(super) fn passage(&mut self, n: usize) -> String {
        if n % 12 == 4 {
            self.section()
        } else {
            self.paragraph()
        }
    }

    fn subject(&mut self) -> String {
        self.subjects.choose(&mut self.rng).unwrap().clone()
    }

    fn sentences(&mut self, length: usize) -> String {
        let mut text = String::new();
        while text.len() < length {
            let mut sentence = String::new();
            for _ in 0..self.rng.random_range(4..=6) {
                // One word in five was never said before.
                let word = match self.rng.random_range(0..5) {
                    0 => made_up(&mut self.rng),
                    _ => self.subject(),
                };
                let small = SMALL.choose(&mut self.rng).unwrap();
                sentence.push_str(&format!("{small} {word} "));
            }
            text.push_str(&format!("{}. ", capitalised(sentence.trim_end())));
        }
        text.truncate(length - 1);
        text.truncate(text.trim_end_matches(['.', ' ']).len());
        // What was cut off at the end of a sentence is made good at its last word.
        let missing = length - 1 - text.len();
        text.extend(std::iter::repeat_n('s', missing));
        text.push('.');
        text
    }
}

fn made_up(rng: &mut ChaCha8Rng) -> String {
    (0..rng.random_range(2..=3))
        .map(|_| *SYLLABLES.choose(rng).unwrap())
        .collect()
}

fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}
