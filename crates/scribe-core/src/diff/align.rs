//! Which block of one document is which of the other.

use std::collections::HashMap;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::blocks::{Block, Document};
use crate::words::Bag;

/// From which likeness on (0 to 1, by words) a block that stands where another stood is that one, changed.
const HERE: f64 = 0.4;

/// The same for one with the same id that went elsewhere.
const ELSEWHERE: f64 = 0.5;

/// The most pairs of blocks that are compared between two blocks that were kept. Beyond them only ids tell.
const MOST_PAIRS: usize = 10_000;

/// A block of the newer document, or one that was removed from the older one.
pub(super) enum Step {
    Removed {
        from: usize,
    },
    Standing {
        from: Option<usize>,
        to: usize,
        moved: bool,
    },
}

/// All blocks in order.
pub(super) fn steps(from: &Document, to: &Document) -> Vec<Step> {
    let old = from.block_list();
    let new = to.block_list();
    let mut pairs = Pairs {
        of_new: vec![None; new.len()],
        of_old: vec![false; old.len()],
        moved: vec![false; new.len()],
    };
    let holes = kept(&texts(from), &texts(to), &mut pairs);
    for (old, new) in &holes {
        changed(from, to, old.clone(), new.clone(), &mut pairs);
    }
    moved(from, to, &mut pairs);
    in_order(&holes, &pairs)
}

fn texts(document: &Document) -> Vec<&str> {
    let blocks = document.block_list().iter();
    blocks.map(|block| document.text(block)).collect()
}

/// What is known so far.
struct Pairs {
    /// For each block of the newer document the one that it was.
    of_new: Vec<Option<usize>>,
    /// Whether a block of the older document is in the newer one.
    of_old: Vec<bool>,
    /// Whether a block of the newer document stood elsewhere.
    moved: Vec<bool>,
}

impl Pairs {
    fn join(&mut self, old: usize, new: usize) {
        self.of_new[new] = Some(old);
        self.of_old[old] = true;
    }
}

/// Joins what was kept, in order, and gives what lies between.
fn kept(old: &[&str], new: &[&str], pairs: &mut Pairs) -> Vec<(Range<usize>, Range<usize>)> {
    let mut holes = Vec::new();
    let (mut old_end, mut new_end) = (0, 0);
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        if let DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = op
        {
            holes.push((old_end..old_index, new_end..new_index));
            for at in 0..len {
                pairs.join(old_index + at, new_index + at);
                if at + 1 < len {
                    let (old, new) = (old_index + at + 1, new_index + at + 1);
                    holes.push((old..old, new..new));
                }
            }
            (old_end, new_end) = (old_index + len, new_index + len);
        }
    }
    holes.push((old_end..old.len(), new_end..new.len()));
    holes
}

/// Joins blocks between two kept ones that are the same, changed: as many and as like as possible, in order.
fn changed(from: &Document, to: &Document, old: Range<usize>, new: Range<usize>, pairs: &mut Pairs) {
    if old.is_empty() || new.is_empty() {
        return;
    }
    if old.len() * new.len() > MOST_PAIRS {
        let mut next = old.start;
        for at in new {
            let id = to.block_list()[at].id();
            let found = (next..old.end).find(|&old| from.block_list()[old].id() == id);
            if let Some(found) = found {
                pairs.join(found, at);
                next = found + 1;
            }
        }
        return;
    }
    let bags = |document: &Document, range: &Range<usize>| -> Vec<Bag> {
        let blocks = document.block_list()[range.clone()].iter();
        blocks.map(|block| Bag::of(document.text(block))).collect()
    };
    let (old_bags, new_bags) = (bags(from, &old), bags(to, &new));
    let score = |i: usize, j: usize| {
        let (was, is) = (&from.block_list()[old.start + i], &to.block_list()[new.start + j]);
        let likeness = old_bags[i].likeness(&new_bags[j]);
        if was.id() == is.id() && same_kind(was, is) {
            // The manifest knows; a likeness above the bound only tells one of two such blocks from the other.
            1.0 + likeness
        } else if same_kind(was, is) && likeness >= HERE {
            likeness
        } else {
            0.0
        }
    };
    // best[i][j]: the best that the blocks from i and from j on can do.
    let mut scores = vec![vec![0.0; new.len()]; old.len()];
    let mut best = vec![vec![0.0_f64; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            scores[i][j] = score(i, j);
            let apart = best[i + 1][j].max(best[i][j + 1]);
            let together = if scores[i][j] > 0.0 {
                scores[i][j] + best[i + 1][j + 1]
            } else {
                0.0
            };
            best[i][j] = apart.max(together);
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if scores[i][j] > 0.0 && best[i][j] > best[i + 1][j].max(best[i][j + 1]) {
            pairs.join(old.start + i, new.start + j);
            i += 1;
            j += 1;
        } else if best[i + 1][j] >= best[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
}

fn same_kind(one: &Block, other: &Block) -> bool {
    std::mem::discriminant(&one.kind()) == std::mem::discriminant(&other.kind())
}

/// Joins blocks that stand elsewhere: by their text, then by their id.
fn moved(from: &Document, to: &Document, pairs: &mut Pairs) {
    let mut by_text: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (at, block) in from.block_list().iter().enumerate().rev() {
        if !pairs.of_old[at] {
            by_text.entry(from.text(block)).or_default().push(at);
            by_id.insert(block.id(), at);
        }
    }
    for (at, block) in to.block_list().iter().enumerate() {
        if pairs.of_new[at].is_none()
            && let Some(old) = by_text.get_mut(to.text(block)).and_then(Vec::pop)
        {
            pairs.join(old, at);
            pairs.moved[at] = true;
        }
    }
    for (at, block) in to.block_list().iter().enumerate() {
        if pairs.of_new[at].is_none()
            && let Some(&old) = by_id.get(block.id())
            && !pairs.of_old[old]
        {
            let was = &from.block_list()[old];
            let like = Bag::of(from.text(was)).likeness(&Bag::of(to.text(block)));
            if same_kind(was, block) && like >= ELSEWHERE {
                pairs.join(old, at);
                pairs.moved[at] = true;
            }
        }
    }
}

/// The blocks of the newer document, and before each what was removed there.
fn in_order(holes: &[(Range<usize>, Range<usize>)], pairs: &Pairs) -> Vec<Step> {
    let mut steps = Vec::new();
    for (old, new) in holes {
        let mut next = old.start;
        for at in new.clone() {
            if let Some(was) = pairs.of_new[at].filter(|was| old.contains(was) && !pairs.moved[at]) {
                remove(next..was, pairs, &mut steps);
                next = was + 1;
            }
            steps.push(standing(at, pairs));
        }
        remove(next..old.end, pairs, &mut steps);
        // The block that was kept behind the hole.
        if new.end < pairs.of_new.len() {
            steps.push(standing(new.end, pairs));
        }
    }
    steps
}

fn standing(at: usize, pairs: &Pairs) -> Step {
    Step::Standing {
        from: pairs.of_new[at],
        to: at,
        moved: pairs.moved[at],
    }
}

fn remove(old: Range<usize>, pairs: &Pairs, steps: &mut Vec<Step>) {
    let gone = old.filter(|&at| !pairs.of_old[at]);
    steps.extend(gone.map(|from| Step::Removed { from }));
}
