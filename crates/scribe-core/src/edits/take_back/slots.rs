//! Puts a document together from the blocks that stay and those that come back.
//!
//! Changes that do not hold together are tried one by one, so that one that would disturb other blocks does not keep
//! the others from being made.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::blocks::{Author, BlockEntry, Document, Expected, Kind, PLACEHOLDER, hash};
use crate::edits::splice::COMMENT;

use super::{Change, Deed, Undoing};

/// The most changes that are tried one by one where they do not hold together.
const TRIED_ALONE: usize = 64;

/// A block of the result.
struct Slot<'a> {
    entry: BlockEntry,
    kind: Kind,
    text: Cow<'a, str>,
    /// Where it stands in the present document, and in the one before.
    now: Option<usize>,
    before: Option<usize>,
    /// Its text is another one than in the present document.
    is_other: bool,
}

impl<'a> Undoing<'a> {
    /// The document with as many of the changes as hold, and which they are.
    pub(super) fn done(&self, changes: &[Change<'a>]) -> (Document, BTreeSet<usize>) {
        let all: BTreeSet<usize> = (0..changes.len()).collect();
        if all.is_empty() {
            return (self.present.clone(), all);
        }
        if let Some(document) = self.with(changes, &all) {
            return (document, all);
        }
        let (mut document, mut done) = (self.present.clone(), BTreeSet::new());
        for number in 0..changes.len().min(TRIED_ALONE) {
            let mut more = done.clone();
            more.insert(number);
            if let Some(changed) = self.with(changes, &more) {
                document = changed;
                done = more;
            }
        }
        (document, done)
    }

    /// The document with these changes; nothing if other blocks would change.
    fn with(&self, changes: &[Change<'a>], chosen: &BTreeSet<usize>) -> Option<Document> {
        let slots = self.slots(changes, chosen)?;
        [false, true]
            .into_iter()
            .find_map(|apart| self.put_together(&slots, apart))
    }

    /// The blocks of the result; nothing where a place is gone.
    fn slots(&self, changes: &[Change<'a>], chosen: &BTreeSet<usize>) -> Option<Vec<Slot<'a>>> {
        let chosen = || chosen.iter().filter_map(|&number| changes.get(number));
        let mut slots: Vec<Slot<'a>> = Vec::new();
        for (at, block) in self.present.block_list().iter().enumerate() {
            let touches = |change: &&Change<'_>| match change.deed {
                Deed::Remove(there) | Deed::Restore(there) | Deed::Merge(there) => there == at,
                Deed::Return(_) => false,
            };
            let now = Some(at);
            let before = self.place_before(block.id());
            match chosen().find(touches) {
                Some(change) if matches!(change.deed, Deed::Remove(_)) => {}
                Some(change) => slots.push(Slot {
                    entry: change.entry.clone(),
                    kind: change.kind,
                    text: change.text.clone(),
                    now,
                    before,
                    is_other: true,
                }),
                None => slots.push(Slot {
                    entry: block.entry().clone(),
                    kind: block.kind(),
                    text: Cow::Borrowed(self.present.text(block)),
                    now,
                    before,
                    is_other: false,
                }),
            }
        }
        for change in chosen() {
            if let Deed::Return(at) = change.deed {
                let place = place_of(&slots, at, change.kind)?;
                slots.insert(place, returned(change, at));
            }
        }
        self.promise_text(&mut slots);
        Some(slots)
    }

    /// The line that promises text comes back where no text is left, and where nothing came since it went.
    fn promise_text(&self, slots: &mut Vec<Slot<'a>>) {
        let before = self.around.map(|around| around.before);
        let promise = before.and_then(|before| {
            let mut blocks = before.block_list().iter().enumerate();
            blocks.find(|(_, block)| before.is_placeholder(block))
        });
        let went = promise.is_some_and(|(at, _)| slots.iter().all(|slot| slot.before != Some(at)));
        let nothing_since = went && slots.iter().all(|slot| slot.before.is_some());
        // A document that had no text before the turn has none without it.
        let had_text = before.is_none_or(|before| before.blocks().any(|block| is_text(block.kind())));
        let is_empty = had_text && !slots.iter().any(|slot| is_text(slot.kind));
        if !is_empty && !nothing_since {
            return;
        }
        let taken = |id: &str| self.present.position(id).is_some();
        let slot = |entry, before| Slot {
            entry,
            kind: Kind::Paragraph,
            text: Cow::Borrowed(PLACEHOLDER),
            now: None,
            before,
            is_other: true,
        };
        let place = promise.and_then(|(at, _)| place_of(slots, at, Kind::Paragraph));
        match (promise, place) {
            (Some((at, block)), Some(place)) if !taken(block.id()) => {
                slots.insert(place, slot(block.entry().clone(), Some(at)));
            }
            _ => {
                let foot = slots
                    .iter()
                    .rev()
                    .take_while(|slot| slot.kind == Kind::Definition);
                let place = slots.len() - foot.count();
                slots.insert(
                    place,
                    slot(scribes(self.present.next_number(), PLACEHOLDER), None),
                );
            }
        }
    }

    fn place_before(&self, id: &str) -> Option<usize> {
        self.around.and_then(|around| around.before.position(id))
    }

    /// The document of these blocks. `apart` keeps new neighbours apart with an empty comment.
    fn put_together(&self, slots: &[Slot<'_>], apart: bool) -> Option<Document> {
        let present = self.present;
        let before = self.around.map(|around| around.before);
        if let (true, Some(before)) = (slots.is_empty(), before)
            && before.block_list().is_empty()
        {
            return present.rewoven(before.content().to_owned(), &[], present.next_number());
        }
        let blank_line = present.line_break().repeat(2);
        // One for a placeholder that may have been made up.
        let mut next_number = present.next_number() + 1;
        let mut content = String::with_capacity(present.content().len());
        let mut expected: Vec<Expected<'_>> = Vec::with_capacity(slots.len());
        content.push_str(match (slots.first(), before) {
            (Some(first), Some(before)) if first.now != Some(0) && first.before == Some(0) => head(before),
            _ => head(present),
        });
        for (number, slot) in slots.iter().enumerate() {
            if let Some(last) = number.checked_sub(1).and_then(|last| slots.get(last)) {
                let follows = |last: Option<usize>, this: Option<usize>| {
                    last.zip(this)
                        .filter(|(last, this)| last + 1 == *this)
                        .map(|(last, _)| last)
                };
                let now = follows(last.now, slot.now);
                let was = before.zip(follows(last.before, slot.before));
                match (now, was) {
                    (Some(at), _) if !last.is_other && !slot.is_other => content.push_str(gap(present, at)),
                    (_, Some((before, at))) => content.push_str(gap(before, at)),
                    (Some(at), None) => content.push_str(gap(present, at)),
                    (None, None) => {
                        content.push_str(&blank_line);
                        if apart {
                            content.push_str(COMMENT);
                            content.push_str(&blank_line);
                            expected.push(Expected {
                                entry: scribes(next_number, COMMENT),
                                kind: Kind::Html,
                                text: COMMENT,
                            });
                            next_number += 1;
                        }
                    }
                }
            }
            content.push_str(&slot.text);
            expected.push(Expected {
                entry: slot.entry.clone(),
                kind: slot.kind,
                text: &slot.text,
            });
        }
        let was_last = |slot: &Slot<'_>| slot.now.is_some_and(|at| at + 1 == present.block_list().len());
        content.push_str(match (slots.last(), before) {
            (Some(last), Some(before))
                if !was_last(last) && last.before.is_some_and(|at| at + 1 == before.block_list().len()) =>
            {
                tail(before)
            }
            _ => tail(present),
        });
        present.rewoven(content, &expected, next_number)
    }
}

/// Where a block that stood at `at` belongs: behind the one that stood before it, or before the one behind it. A
/// heading goes on to where it takes no other text.
fn place_of(slots: &[Slot<'_>], at: usize, kind: Kind) -> Option<usize> {
    let stands = |at: usize| slots.iter().position(|slot| slot.before == Some(at));
    let behind = at.checked_sub(1).and_then(stands).map(|place| place + 1);
    let place = behind.or_else(|| stands(at + 1)).or_else(|| {
        // It stood alone.
        slots.is_empty().then_some(0)
    })?;
    let Kind::Heading(level) = kind else {
        return Some(place);
    };
    let free = |place: &usize| match slots.get(*place).map(|slot| slot.kind) {
        None => true,
        Some(Kind::Heading(next)) => next <= level,
        Some(_) => false,
    };
    (place..=slots.len()).find(free)
}

fn returned<'a>(change: &Change<'a>, before: usize) -> Slot<'a> {
    Slot {
        entry: change.entry.clone(),
        kind: change.kind,
        text: change.text.clone(),
        now: None,
        before: Some(before),
        is_other: true,
    }
}

fn scribes(number: u64, text: &str) -> BlockEntry {
    BlockEntry {
        id: format!("b{number}"),
        hash: hash(text),
        author: Author::Scribe,
        turns: Vec::new(),
        person: None,
        locked: false,
    }
}

/// What stands before the first block.
fn head(document: &Document) -> &str {
    let first = document.block_list().first();
    let end = first.map_or(document.content().len(), |block| block.span().start);
    document.content().get(..end).unwrap_or_default()
}

/// What stands behind the last block.
fn tail(document: &Document) -> &str {
    let last = document.block_list().last();
    let start = last.map_or(document.content().len(), |block| block.span().end);
    document.content().get(start..).unwrap_or_default()
}

/// What stands between a block and the next one.
fn gap(document: &Document, at: usize) -> &str {
    let blocks = document.block_list();
    match (blocks.get(at), blocks.get(at + 1)) {
        (Some(last), Some(next)) => document
            .content()
            .get(last.span().end..next.span().start)
            .unwrap_or_default(),
        _ => "",
    }
}

/// Whether blocks of a kind say something by themselves.
fn is_text(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Heading(_) | Kind::FrontMatter | Kind::Rule | Kind::Definition | Kind::Html
    )
}
