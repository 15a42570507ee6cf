//! Block by block: whose text stands, and what becomes of the other one.

use std::collections::{HashMap, HashSet};

use super::twice::Carried;
use crate::blocks::{Author, Block, BlockEntry, Document, Kind, hash};
use crate::edits::{SuggestedAction, Suggestion, merge_words_for_theirs};
use crate::ids::UserId;
use crate::words::Bag;

/// A block of a side, found by its id.
pub(super) struct Side<'a> {
    pub(super) document: &'a Document,
    pub(super) ids: Vec<String>,
    at: HashMap<String, usize>,
}

impl<'a> Side<'a> {
    fn new(document: &'a Document, ids: Vec<String>) -> Self {
        let at = ids.iter().enumerate().map(|(at, id)| (id.clone(), at)).collect();
        Self { document, ids, at }
    }

    pub(super) fn at(&self, id: &str) -> Option<usize> {
        self.at.get(id).copied()
    }

    pub(super) fn block(&self, id: &str) -> Option<&'a Block> {
        self.document.block_list().get(self.at(id)?)
    }

    pub(super) fn text(&self, id: &str) -> Option<&'a str> {
        self.block(id).map(|block| self.document.text(block))
    }
}

/// The three texts.
pub(super) struct Sides<'a> {
    pub(super) base: Side<'a>,
    pub(super) present: Side<'a>,
    pub(super) mine: Side<'a>,
}

/// Where a block's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Present,
    Mine,
    Both,
}

/// A block that is to stand in the merged text.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) entry: BlockEntry,
    pub(super) text: String,
    /// What it is; unknown where its text was merged and has not been read again.
    pub(super) kind: Option<Kind>,
    pub(super) source: Source,
    /// Whether it is not as the base had it, by others' doing.
    pub(super) is_others: bool,
    /// What others wrote in it, or that they removed it, and does not stand.
    pub(super) contested: Option<Suggestion>,
}

/// What is decided of each block.
pub(super) struct Decided {
    pub(super) kept: HashMap<String, Kept>,
    /// The blocks that others changed or added and that do not stand.
    pub(super) removed: HashSet<String>,
}

impl<'a> Sides<'a> {
    pub(super) fn new(
        base: &'a Document,
        present: &'a Document,
        mine: &'a Document,
        person: Option<&UserId>,
    ) -> Self {
        let ids = |document: &Document| document.blocks().map(|block| block.id().to_owned()).collect();
        let base = Side::new(base, ids(base));
        let present = Side::new(present, ids(present));
        let mut ids = apart(mine, &base, &present);
        if let Some(person) = person {
            go_on(&mut ids, mine, &base, &present, person);
        }
        let mine = Side::new(mine, ids);
        Self { base, present, mine }
    }

    /// Decides of each block.
    pub(super) fn decide(&self) -> Decided {
        let mut decided = Decided {
            kept: HashMap::new(),
            removed: HashSet::new(),
        };
        let carried = Carried::of(self);
        let all = self.present.ids.iter().chain(&self.mine.ids);
        let mut seen = HashSet::new();
        for id in all.filter(|id| seen.insert(id.as_str())) {
            if let Some(kept) = self.kept(id, &carried) {
                decided.kept.insert(id.clone(), kept);
            } else if self.present.at(id).is_some() && !self.left_by_others(id) {
                decided.removed.insert(id.clone());
            }
        }
        carried.settle(self, &mut decided);
        decided
    }

    /// Lets a block stand as the person has it; what others made of it becomes a suggestion.
    pub(super) fn give_back(&self, id: &str, decided: &mut Decided) {
        decided.kept.remove(id);
        match self.mine(id, true) {
            Some(mut kept) => {
                kept.contested = self.contested(id, &kept.entry.hash);
                decided.kept.insert(id.to_owned(), kept);
            }
            None => drop(decided.removed.insert(id.to_owned())),
        }
    }

    /// Lets a block of the person's stand that others removed.
    pub(super) fn bring_back(&self, id: &str, decided: &mut Decided) {
        if !decided.kept.contains_key(id)
            && let Some(kept) = self.mine(id, false)
        {
            decided.kept.insert(id.to_owned(), kept);
        }
    }

    /// The suggestion to write in a block what others wrote there.
    fn contested(&self, id: &str, now: &str) -> Option<Suggestion> {
        let block = self.present.block(id)?;
        let text = self.present.document.text(block);
        Some(Suggestion::of_block(
            block.entry(),
            id,
            now,
            SuggestedAction::Replace,
            text,
        ))
    }

    /// The present text's blocks as they are.
    pub(super) fn as_present(&self) -> Vec<(String, Kept)> {
        let ids = self.present.ids.iter();
        ids.filter_map(|id| Some((id.clone(), self.present(id)?)))
            .collect()
    }

    fn kept(&self, id: &str, carried: &Carried<'_>) -> Option<Kept> {
        let in_base = self.base.text(id);
        match (self.present.text(id), self.mine.text(id)) {
            (Some(_), Some(_)) if self.left_by_others(id) => self.mine(id, false),
            (Some(present), Some(mine)) => match in_base {
                _ if hash(present) == hash(mine) => self.present(id),
                Some(base) if hash(base) == hash(mine) => self.present(id),
                Some(_) => self.both(id, &carried.base(self, id), present, mine),
                // The person added it, saved it, and writes on without having been told.
                None => self.mine(id, false),
            },
            // The person removed it, or others added it.
            (Some(_), None) => in_base.is_none().then(|| self.present(id)).flatten(),
            // Others removed it, or the person added it.
            (None, Some(mine)) => match in_base {
                Some(base) if hash(base) == hash(mine) => None,
                Some(_) => self.mine(id, false).map(|kept| Kept {
                    contested: Some(Suggestion::of_removal(id, &kept.entry.hash)),
                    ..kept
                }),
                None => self.mine(id, false),
            },
            (None, None) => None,
        }
    }

    /// Whether others left a block as the base had it.
    fn left_by_others(&self, id: &str) -> bool {
        let (base, present) = (self.base.text(id), self.present.text(id));
        base.zip(present)
            .is_some_and(|(base, present)| hash(base) == hash(present))
    }

    fn present(&self, id: &str) -> Option<Kept> {
        let block = self.present.block(id)?;
        Some(Kept {
            entry: block.entry().clone(),
            text: self.present.document.text(block).to_owned(),
            kind: Some(block.kind()),
            source: Source::Present,
            is_others: !self.left_by_others(id),
            contested: None,
        })
    }

    /// The person's block. What others know of it stays with it: its turns, and that it is locked.
    fn mine(&self, id: &str, is_others: bool) -> Option<Kept> {
        let block = self.mine.block(id)?;
        let mut entry = block.entry().clone();
        id.clone_into(&mut entry.id);
        if let Some(present) = self.present.block(id).map(Block::entry) {
            let more = present.turns.iter().filter(|turn| !entry.turns.contains(turn));
            let more: Vec<String> = more.cloned().collect();
            entry.turns.extend(more);
            entry.locked |= present.locked;
            if entry.hash == present.hash {
                entry.person.clone_from(&present.person);
            }
        }
        Some(Kept {
            entry,
            text: self.mine.document.text(block).to_owned(),
            kind: Some(block.kind()),
            source: Source::Mine,
            is_others,
            contested: None,
        })
    }

    /// The words of both; where they are the same words, the person's.
    fn both(&self, id: &str, base: &str, present: &str, mine: &str) -> Option<Kept> {
        let resolved = merge_words_for_theirs(base, present, mine);
        let mut kept = self.mine(id, true)?;
        if resolved.text != mine {
            kept.kind = None;
            kept.source = Source::Both;
            kept.entry.author = Author::Human;
            kept.entry.hash = hash(&resolved.text);
            kept.text = resolved.text;
        }
        if resolved.contested {
            kept.contested = self.contested(id, &kept.entry.hash);
        }
        Some(kept)
    }
}

/// The ids of the person's blocks, none of which is another block's in the present text. Two people who add the same
/// text have added one block; an id that only looks the same is given up.
fn apart(mine: &Document, base: &Side<'_>, present: &Side<'_>) -> Vec<String> {
    let mut taken: HashSet<String> = mine.blocks().map(|block| block.id().to_owned()).collect();
    let mut apart = Vec::new();
    for block in mine.blocks() {
        let id = block.id();
        let is_another = base.at(id).is_none()
            && present
                .text(id)
                .is_some_and(|present| hash(present) != block.entry().hash);
        let mut own = id.to_owned();
        let mut copy = 2;
        while is_another && (taken.contains(&own) || present.at(&own).is_some() || base.at(&own).is_some()) {
            own = format!("{id}-{copy}");
            copy += 1;
        }
        taken.insert(own.clone());
        apart.push(own);
    }
    apart
}

/// Finds the blocks that the person has added, saved, and writes on in this text, which is based on a version before that
/// save: its answer was lost. The newer text has all of the older one, and stands in its place.
fn go_on(ids: &mut [String], mine: &Document, base: &Side<'_>, present: &Side<'_>, person: &UserId) {
    let is_own = |id: &&String| {
        let entry = present.block(id).map(Block::entry);
        entry.is_some_and(|entry| {
            entry.author == Author::Human && entry.person.as_deref() == Some(person.as_str())
        })
    };
    let is_new = |id: &String| base.at(id).is_none();
    let theirs = present.ids.iter().filter(|id| is_new(id) && !ids.contains(id));
    let mut open: Vec<&String> = theirs.filter(is_own).collect();
    for (at, block) in mine.blocks().enumerate() {
        if !is_new(&ids[at]) || present.at(&ids[at]).is_some() {
            continue;
        }
        let text = mine.text(block);
        let has_all = |id: &&String| {
            let older = present.text(id).unwrap_or_default();
            text.starts_with(older) || Bag::of(older).share_in(&Bag::of(text)) >= 1.0
        };
        if let Some(number) = open.iter().position(has_all) {
            ids[at].clone_from(open.remove(number));
        }
    }
}
