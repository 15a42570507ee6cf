//! What becomes of a document's blocks when a person changes its text: which block of the new text was which.
//!
//! By hash first: what nobody changed is what it was, wherever it stands now. Then by the likeness of words, the
//! likest first: a block that was edited keeps its id and its turns and is a person's from now on, wherever it went.
//! Then by order, as where only hashes are known. Of a block that was split the likest part keeps the id, and every
//! part the turns; where blocks were joined the likest gives the id, and all of them their turns.
//!
//! A change that no reader sees is nobody's: other line wrapping, `*` for `-`, a table's columns moved into line.
//! Programs do that to whole documents when they save them, and if it made everything a person's, the scribe could
//! never correct its own text again. Whatever a reader can see, a link's address included, is a person's doing.
//!
//! The worst that can happen is that a block gets a new id, and with it a person as its author.

use std::collections::HashMap;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::words::Bag;

use super::manifest::Manifest;
use super::split::{EXTENSIONS, Kind, as_lines};
use super::{BlockEntry, Document};

/// From which likeness on (0 to 1, by words) a block is another one changed, between the same neighbours.
const HERE: f64 = 0.4;

/// The same for a block that went elsewhere.
const ELSEWHERE: f64 = 0.6;

/// What standing between the same neighbours is worth.
const AT_ITS_PLACE: f64 = 0.1;

/// The share of its words that a block brought along or left behind when it was joined or split.
const MOST_OF_IT: f64 = 0.6;

/// A word that stands in more blocks than this tells none of them from another.
const COMMON: usize = 32;

/// How many blocks are compared with a new one: those that share the most telling words with it.
const COMPARED: usize = 8;

/// A block of the new text.
pub(super) struct New<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) hash: String,
}

/// A block that nothing explains by its hash, with its words and its neighbours that are explained.
struct Open {
    at: usize,
    bag: Bag,
    /// The nearest blocks of the new text before and behind it that stood in the old one.
    neighbours: (Option<usize>, Option<usize>),
}

/// Two blocks that are alike.
#[derive(Clone, Copy)]
struct Pair {
    old: usize,
    new: usize,
    score: f64,
    /// The share of the old block's words that are in the new one, and the other way round.
    shares: (f64, f64),
}

/// The entries for the blocks of a text that a person made of a document.
pub(super) fn carried(before: &Document, new: &[New<'_>]) -> Vec<BlockEntry> {
    let manifest = before.manifest();
    let hashes: Vec<String> = new.iter().map(|new| new.hash.clone()).collect();
    let mut explained = manifest.by_hash(&hashes);
    let mut explaining = explained.clone();
    let pairs = alike(before, new, &explained);
    let mut taken = vec![false; before.blocks.len()];
    for &Pair { old, new, .. } in &pairs {
        if explaining[new].is_none() && !taken[old] {
            explaining[new] = Some(old);
            taken[old] = true;
        }
    }
    manifest.by_order(&mut explaining);
    for (at, new) in new.iter().enumerate() {
        if explained[at].is_none()
            && let Some(old) = explaining[at]
            && before.blocks[old].kind == new.kind
            && shows_the_same(before.text(&before.blocks[old]), new.text)
        {
            explained[at] = Some(old);
        }
    }
    let mut entries = manifest.entries_for(&hashes, &explained, &explaining);
    with_their_turns(&mut entries, &manifest, &pairs, &explaining);
    entries
}

/// Gives the parts of a block that was split its turns, and blocks that were joined the turns of all.
fn with_their_turns(
    entries: &mut [BlockEntry],
    manifest: &Manifest,
    pairs: &[Pair],
    explaining: &[Option<usize>],
) {
    let mut went_on = vec![false; manifest.entries().len()];
    for &old in explaining.iter().flatten() {
        went_on[old] = true;
    }
    for pair in pairs.iter().filter(|pair| explaining[pair.new] != Some(pair.old)) {
        let was_split_off = explaining[pair.new].is_none() && pair.shares.1 >= MOST_OF_IT;
        let was_joined = !went_on[pair.old] && pair.shares.0 >= MOST_OF_IT;
        let from = &manifest.entries()[pair.old];
        let entry = &mut entries[pair.new];
        if was_split_off || was_joined {
            let more = from.turns.iter().filter(|turn| !entry.turns.contains(turn));
            let more: Vec<String> = more.cloned().collect();
            entry.turns.extend(more);
            entry.locked |= from.locked;
        }
    }
}

/// The pairs of unexplained blocks that are alike, the likest first.
fn alike(before: &Document, new: &[New<'_>], explained: &[Option<usize>]) -> Vec<Pair> {
    let mut now_at: Vec<Option<usize>> = vec![None; before.blocks.len()];
    for (at, old) in explained.iter().enumerate() {
        if let Some(old) = *old {
            now_at[old] = Some(at);
        }
    }
    let here: Vec<Option<usize>> = explained
        .iter()
        .enumerate()
        .map(|(at, old)| old.map(|_| at))
        .collect();
    let old = open(&now_at, |at| before.text(&before.blocks[at]));
    let new = open(&here, |at| new[at].text);

    let mut having: HashMap<u64, Vec<usize>> = HashMap::new();
    for (number, open) in old.iter().enumerate() {
        for word in open.bag.distinct() {
            having.entry(word).or_default().push(number);
        }
    }
    let mut pairs = Vec::new();
    for (rank, open) in new.iter().enumerate() {
        let mut shared: HashMap<usize, usize> = HashMap::new();
        let having = open.bag.distinct().filter_map(|word| having.get(&word));
        for &number in having.filter(|having| having.len() <= COMMON).flatten() {
            *shared.entry(number).or_default() += 1;
        }
        let mut shared: Vec<(usize, usize)> = shared.into_iter().collect();
        shared.sort_unstable_by_key(|&(number, count)| (usize::MAX - count, number.abs_diff(rank), number));
        shared.truncate(COMPARED);
        pairs.extend(
            shared
                .into_iter()
                .filter_map(|(number, _)| pair(&old[number], open)),
        );
    }
    // Where blocks are equally alike, those pair that come in the same order.
    let key = |pair: &Pair| (pair.old.abs_diff(pair.new), pair.old, pair.new);
    pairs.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| key(a).cmp(&key(b))));
    pairs
}

fn pair(old: &Open, new: &Open) -> Option<Pair> {
    let likeness = old.bag.likeness(&new.bag);
    let same = |old: Option<usize>, new: Option<usize>| old == new;
    let at_its_place = same(old.neighbours.0, new.neighbours.0) || same(old.neighbours.1, new.neighbours.1);
    let least = if at_its_place { HERE } else { ELSEWHERE };
    let score = likeness + if at_its_place { AT_ITS_PLACE } else { 0.0 };
    (likeness >= least).then(|| Pair {
        old: old.at,
        new: new.at,
        score,
        shares: (old.bag.share_in(&new.bag), new.bag.share_in(&old.bag)),
    })
}

/// The blocks that are not known, with the known ones around them.
fn open<'a>(known: &[Option<usize>], text: impl Fn(usize) -> &'a str) -> Vec<Open> {
    let mut before = None;
    let mut open: Vec<Open> = Vec::new();
    for (at, known) in known.iter().enumerate() {
        if known.is_some() {
            before = *known;
        } else {
            let bag = Bag::of(text(at));
            let neighbours = (before, None);
            open.push(Open { at, bag, neighbours });
        }
    }
    let mut behind = None;
    let mut last = known.len();
    for open in open.iter_mut().rev() {
        behind = known[open.at..last].iter().flatten().next().copied().or(behind);
        last = open.at;
        open.neighbours.1 = behind;
    }
    open
}

/// Whether a reader sees the same in both texts.
fn shows_the_same(old: &str, new: &str) -> bool {
    let shown = shown(old);
    // What shows nothing, as definitions of links do, means something all the same.
    !shown.is_empty() && shown == self::shown(new)
}

/// What the parser makes of a text, with white space as a browser shows it.
fn shown(markdown: &str) -> String {
    let mut shown = String::new();
    let mut in_code = false;
    for event in Parser::new_ext(&as_lines(markdown), EXTENSIONS) {
        match event {
            Event::Text(text) if in_code => shown.push_str(&text.replace("\r\n", "\n")),
            Event::Text(text) => push_words(&mut shown, &text),
            Event::SoftBreak => push_words(&mut shown, " "),
            other => {
                match &other {
                    Event::Start(Tag::CodeBlock(_)) => in_code = true,
                    Event::End(TagEnd::CodeBlock) => in_code = false,
                    _ => {}
                }
                shown.push_str(&format!("\0{:?}\0", other.into_static()));
            }
        }
    }
    shown
}

fn push_words(shown: &mut String, text: &str) {
    for c in text.chars() {
        let c = if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c };
        if c != ' ' || !shown.ends_with(' ') {
            shown.push(c);
        }
    }
}
