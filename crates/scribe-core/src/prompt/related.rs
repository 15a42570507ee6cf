//! Which earlier blocks a turn is about.
//!
//! A turn that corrects something names it, so it shares rare words with the block that is wrong. A word counts the
//! more the fewer blocks have it: one that stands in a single block counts 1, one that stands in all of them nothing.
//! Most turns only add, and these must find nothing here: whatever stands in a prompt for this turn alone is paid in
//! full. So a block is taken only above a threshold, and only few are.
//!
//! Nothing here understands language. A correction that shares no rare word with its block ("no, the other one") finds
//! it only among the last blocks.

use crate::blocks::{Block, Document, Kind};
use crate::words::telling;

use super::sieve::Sieve;

/// How many blocks are taken at most.
const MOST: usize = 4;

/// What the rare words that a block shares with the turn must count together: this share of all rare words of the
/// turn that the document has, but at least the first and never more than the second.
const SHARE: f64 = 0.6;
const LEAST: f64 = 0.9;
const ENOUGH: f64 = 1.6;

/// Words that count less than this are left out: many of them together are no sign of anything.
const RARE: f64 = 0.15;

/// The share of the best block's worth that others must have.
const BESIDE_THE_BEST: f64 = 0.6;

/// What a turn asks to see.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    /// What was said, as far as the model sees it.
    pub(super) said: &'a str,
    /// The ids of blocks that the turn quotes.
    pub(super) quoted: &'a [String],
}

/// The places of the blocks that a turn is about, among the first `before` of those that are shown; the best first.
pub(super) fn ranked(
    document: &Document,
    shown: &[&Block],
    before: usize,
    wanted: &Wanted<'_>,
) -> Vec<usize> {
    let said = Sieve::of(telling(wanted.said));
    // How many blocks have each word, and which words each earlier block has.
    let mut holders = vec![0_u32; said.len()];
    let mut last_holder = vec![usize::MAX; said.len()];
    let mut shared: Vec<(usize, usize)> = Vec::new();
    for (at, block) in shown.iter().enumerate() {
        for word in telling(document.text(block)).filter_map(|hash| said.find(hash)) {
            if last_holder[word] != at {
                last_holder[word] = at;
                holders[word] += 1;
                // Headings stand in the outline.
                if at < before && !matches!(block.kind(), Kind::Heading(_)) {
                    shared.push((at, word));
                }
            }
        }
    }
    let rarity = |word: usize| 1.0 / f64::from(holders[word].max(1)).sqrt();
    let mut ranked: Vec<(f64, usize)> = Vec::new();
    for of_one in shared.chunk_by(|(a, _), (b, _)| a == b) {
        let worth = of_one
            .iter()
            .map(|&(_, word)| rarity(word))
            .filter(|&rarity| rarity >= RARE);
        ranked.push((worth.sum(), of_one[0].0));
    }
    ranked.sort_by(|(a, at_a), (b, at_b)| b.total_cmp(a).then(at_b.cmp(at_a)));
    let best = ranked.first().map_or(0.0, |&(worth, _)| worth);
    let all: f64 = (0..holders.len())
        .filter(|&word| holders[word] > 0)
        .map(rarity)
        .filter(|&rarity| rarity >= RARE)
        .sum();
    let least = (all * SHARE).clamp(LEAST, ENOUGH).max(best * BESIDE_THE_BEST);
    let quoted: Vec<usize> = (0..before)
        .filter(|&at| wanted.quoted.iter().any(|id| id == shown[at].id()))
        .collect();
    let related = ranked
        .into_iter()
        .filter(|&(worth, _)| worth >= least)
        .map(|(_, at)| at);
    let beside = related.filter(|at| !quoted.contains(at));
    quoted.iter().copied().chain(beside).take(MOST).collect()
}
