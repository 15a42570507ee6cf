//! Takes a turn back out of a document, as far as nobody built on it.
//!
//! Known are the document as it is and, where S3 still has them, the document before the turn and after it. Block by
//! block, by their ids:
//!
//! | the turn | and since then | becomes |
//! |---|---|---|
//! | added it | nobody | removed; a heading only with all of its section |
//! | changed it | nobody | what it was before |
//! | changed it | the scribe, in other words | merged: those other words stay |
//! | deleted it | a neighbour of it is there | as it was, beside that neighbour |
//! | any | a person, or the scribe in the same words | stays |
//!
//! Without the versions only blocks that the turn alone wrote are removed. Everything else stays byte-identical: the
//! result is put together from the blocks' own bytes, and read again before it counts.

mod slots;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use crate::blocks::{Block, BlockEntry, Document, Kind, hash};

use super::merge::merge_words;
use super::places::rank;

/// The document before a turn and after it.
#[derive(Debug, Clone, Copy)]
pub struct AroundTurn<'a> {
    /// As the turn found it.
    pub before: &'a Document,
    /// As the turn left it.
    pub after: &'a Document,
}

/// Why a block of the turn stays, or one that it deleted stays away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// A person changed it, or locked it.
    Persons,
    /// A later turn changed the same words, or wrote below the heading.
    BuiltUpon,
    /// What it was before is not known any more.
    Unknown,
    /// Without it other blocks would not be what they are, or its place is gone.
    Disturbs,
}

impl Kept {
    /// In two or three words, for logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Persons => "a person's",
            Self::BuiltUpon => "built upon",
            Self::Unknown => "text before unknown",
            Self::Disturbs => "disturbs others",
        }
    }
}

/// What became of a turn's blocks, by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TakenBack {
    /// Added by the turn, and gone.
    pub removed: Vec<String>,
    /// Changed by the turn, and what they were before.
    pub restored: Vec<String>,
    /// Changed by the turn and by later ones, of which the later changes stay.
    pub merged: Vec<String>,
    /// Deleted by the turn, and back.
    pub returned: Vec<String>,
    /// What stays as it is, and why.
    pub kept: Vec<(String, Kept)>,
}

impl TakenBack {
    /// Whether the document is another one now.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        [&self.removed, &self.restored, &self.merged, &self.returned]
            .iter()
            .all(|ids| ids.is_empty())
    }
}

impl fmt::Display for TakenBack {
    /// `2 removed, 1 restored, 1 kept: a person's`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.removed.len(), "removed"),
            (self.restored.len(), "restored"),
            (self.merged.len(), "merged"),
            (self.returned.len(), "returned"),
        ];
        let mut parts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        for reason in [Kept::Persons, Kept::BuiltUpon, Kept::Unknown, Kept::Disturbs] {
            let count = self.kept.iter().filter(|(_, kept)| *kept == reason).count();
            if count > 0 {
                parts.push(format!("{count} kept: {}", reason.label()));
            }
        }
        if parts.is_empty() {
            parts.push("nothing".into());
        }
        f.write_str(&parts.join(", "))
    }
}

/// Takes a turn back. It cannot fail: what does not hold stays, and is told of.
#[must_use]
pub fn take_back(present: &Document, turn: &str, around: Option<AroundTurn<'_>>) -> (Document, TakenBack) {
    let undoing = Undoing {
        present,
        turn,
        around,
    };
    let (changes, mut told) = undoing.plan();
    let (document, done) = match undoing.nobody_wrote_since() {
        Some(before) => (before, (0..changes.len()).collect()),
        None => undoing.done(&changes),
    };
    for (number, change) in changes.into_iter().enumerate() {
        let id = change.entry.id;
        match change.deed {
            _ if !done.contains(&number) => told.kept.push((id, Kept::Disturbs)),
            Deed::Remove(_) => told.removed.push(id),
            Deed::Restore(_) => told.restored.push(id),
            Deed::Merge(_) => told.merged.push(id),
            Deed::Return(_) => told.returned.push(id),
        }
    }
    (document, told)
}

/// What is done to a block of the present document, or of the one before, by its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Remove(usize),
    Restore(usize),
    Merge(usize),
    Return(usize),
}

/// One change, which holds or does not.
struct Change<'a> {
    deed: Deed,
    /// What is known of the block afterwards.
    entry: BlockEntry,
    kind: Kind,
    text: Cow<'a, str>,
}

struct Undoing<'a> {
    present: &'a Document,
    turn: &'a str,
    around: Option<AroundTurn<'a>>,
}

impl<'a> Undoing<'a> {
    /// The document as it was before the turn, if it is as the turn left it: there is nothing to put together then, and
    /// nothing that Markdown could make something else of.
    fn nobody_wrote_since(&self) -> Option<Document> {
        let AroundTurn { before, after } = self.around?;
        let is_as_left = after.content() == self.present.content()
            && after.manifest().entries() == self.present.manifest().entries();
        is_as_left.then(|| before.clone().numbered_from(self.present.next_number()))
    }

    /// What is to be done, and what stays from the outset.
    fn plan(&self) -> (Vec<Change<'a>>, TakenBack) {
        let mut told = TakenBack::default();
        let mut changes = Vec::new();
        for (at, block) in self.present.block_list().iter().enumerate() {
            if !block.entry().turns.iter().any(|turn| turn == self.turn) {
                continue;
            }
            match self.deed(at, block) {
                Ok(change) => changes.push(change),
                Err(kept) => told.kept.push((block.id().to_owned(), kept)),
            }
        }
        let (goes, stays) = self.with_whole_sections(changes);
        told.kept
            .extend(stays.into_iter().map(|id| (id, Kept::BuiltUpon)));
        changes = goes;
        changes.extend(self.returns());
        (changes, told)
    }

    /// What is to be done with a block that the turn wrote or changed.
    fn deed(&self, at: usize, block: &'a Block) -> Result<Change<'a>, Kept> {
        if !block.is_scribes() {
            return Err(Kept::Persons);
        }
        let entry = block.entry();
        let change = |deed, entry, text| Change {
            deed,
            entry,
            kind: block.kind(),
            text,
        };
        let removed = || change(Deed::Remove(at), entry.clone(), Cow::Borrowed(""));
        let alone = entry.turns == [self.turn];
        let Some(around) = self.around else {
            // A title that the turn changed looks like one that it wrote.
            let is_title = at == 0 && matches!(block.kind(), Kind::Heading(_));
            return match (alone && !is_title, entry.turns.last()) {
                (true, _) => Ok(removed()),
                (false, Some(last)) if last != self.turn => Err(Kept::BuiltUpon),
                (false, _) => Err(Kept::Unknown),
            };
        };
        let after = find(around.after, block.id()).ok_or(Kept::Unknown)?;
        let untouched = after.entry().turns == entry.turns;
        let Some(before) = find(around.before, block.id()) else {
            return if untouched {
                Ok(removed())
            } else {
                Err(Kept::BuiltUpon)
            };
        };
        let (was, left, now) = (
            around.before.text(before),
            around.after.text(after),
            self.present.text(block),
        );
        if untouched {
            return Ok(Change {
                kind: before.kind(),
                ..change(Deed::Restore(at), before.entry().clone(), Cow::Borrowed(was))
            });
        }
        let merged = merge_words(left, was, now).ok_or(Kept::BuiltUpon)?;
        let turns = entry.turns.iter().filter(|turn| *turn != self.turn);
        let entry = BlockEntry {
            hash: hash(&merged),
            turns: turns.cloned().collect(),
            ..entry.clone()
        };
        Ok(change(Deed::Merge(at), entry, Cow::Owned(merged)))
    }

    /// Leaves out the removal of headings below which something stays.
    fn with_whole_sections(&self, changes: Vec<Change<'a>>) -> (Vec<Change<'a>>, Vec<String>) {
        let blocks = self.present.block_list();
        let mut going: BTreeSet<usize> = changes
            .iter()
            .filter_map(|change| match change.deed {
                Deed::Remove(at) => Some(at),
                _ => None,
            })
            .collect();
        let mut stays = Vec::new();
        // From below: a part that stays keeps the section that it is in.
        let headings = (0..blocks.len()).rev().filter(|at| going.contains(at));
        for at in headings.collect::<Vec<_>>() {
            let id = blocks[at].id();
            // The turn may have put a heading above what was there before, and nobody built on it by that.
            let was_there = |block: &Block| {
                self.around.is_some_and(|around| {
                    find(around.before, block.id()).is_some()
                        && section(around.after, id).any(|below| below.id() == block.id())
                })
            };
            let below = section(self.present, id).filter(|block| !was_there(block));
            let mut below = below.filter_map(|block| self.present.position(block.id()));
            if below.any(|below| !going.contains(&below)) {
                going.remove(&at);
                stays.push(id.to_owned());
            }
        }
        let (goes, _) = changes
            .into_iter()
            .partition(|change| !matches!(change.deed, Deed::Remove(at) if !going.contains(&at)));
        (goes, stays)
    }

    /// What the turn deleted and nobody wrote again.
    fn returns(&self) -> Vec<Change<'a>> {
        let Some(AroundTurn { before, after }) = self.around else {
            return Vec::new();
        };
        let is_there = |block: &Block| {
            let written_again = |other: &Block| {
                other.entry().hash == block.entry().hash && find(before, other.id()).is_none()
            };
            let same = |other: &Block| other.id() == block.id() || written_again(other);
            self.present.blocks().any(same)
        };
        let deleted = before.block_list().iter().enumerate().filter(|(_, block)| {
            find(after, block.id()).is_none() && !before.is_placeholder(block) && !is_there(block)
        });
        deleted
            .map(|(at, block)| Change {
                deed: Deed::Return(at),
                entry: block.entry().clone(),
                kind: block.kind(),
                text: Cow::Borrowed(before.text(block)),
            })
            .collect()
    }
}

fn find<'a>(document: &'a Document, id: &str) -> Option<&'a Block> {
    document.block_list().get(document.position(id)?)
}

/// What stands below a heading, up to the next one of its rank or higher; nothing below other blocks.
fn section<'a>(document: &'a Document, id: &str) -> impl Iterator<Item = &'a Block> {
    let blocks = document.block_list();
    let at = document.position(id).unwrap_or(blocks.len());
    let level = blocks.get(at).and_then(rank).unwrap_or(0);
    let ends = move |block: &&Block| level == 0 || rank(block).is_some_and(|rank| rank <= level);
    blocks.iter().skip(at + 1).take_while(move |block| !ends(block))
}
