//! Weaves an answer into a document, edit by edit, with every check of the host before a byte changes.
//!
//! It is called with the document that the model saw, and again with a newer one if somebody wrote meanwhile. Then a
//! block may be gone, or be a person's now; no second call to the model sorts that out, so what can be kept is kept:
//!
//! - New text whose section or block is gone comes at the end of the document.
//! - A replace whose block has changed since is merged into it word by word; where the same words changed, the new
//!   text comes as a block of its own under that block's section.
//! - A person's block or a locked one is not replaced and not deleted: the edit becomes a suggestion beside the
//!   document. One that is gone stays gone: what a person did, stays done.
//!
//! Each edit stands for itself: those that hold are woven, whatever becomes of the others.

use std::collections::{HashMap, HashSet};

use crate::blocks::{Block, Document};
use crate::turn::Turn;

use super::answer::{Answer, Edit};
use super::facts::Said;
use super::fragment::Fragment;
use super::outcome::{Bounds, EditOutcome, Fate, Placed, Refusal, WeaveError, Woven};
use super::places::Places;
use super::splice::{Splice, without};

/// What becomes of an edit that can't be woven as it was asked for and could be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resort {
    /// It is refused: the model may be asked once more.
    Refuse,
    /// Its text comes as a new block, under the section of the block that it names.
    Append,
}

/// What an answer is woven into, and how.
#[derive(Debug, Clone, Copy)]
pub struct Weaving<'a> {
    /// The document as it is now.
    pub document: &'a Document,
    /// The document as the model saw it; the same one where nobody wrote meanwhile.
    pub seen: &'a Document,
    /// The turn that the answer is about.
    pub turn: &'a Turn,
    /// The bounds of the checks.
    pub bounds: &'a Bounds,
    /// What becomes of edits that don't hold.
    pub resort: Resort,
}

/// Weaves an answer into the document that the model saw, and refuses what does not hold.
///
/// # Errors
/// As [`Weaving::weave`].
pub fn weave(
    document: &Document,
    answer: &Answer,
    turn: &Turn,
    bounds: &Bounds,
) -> Result<Woven, WeaveError> {
    let weaving = Weaving {
        document,
        seen: document,
        turn,
        bounds,
        resort: Resort::Refuse,
    };
    weaving.weave(answer)
}

impl Weaving<'_> {
    /// Weaves an answer.
    ///
    /// # Errors
    /// [`WeaveError`] if edits were proposed, none can be woven or suggested, and text would be lost with them. Edits
    /// that only say what the document says already are no error: nothing has to change, and nothing does. Nor are
    /// deletes that were refused.
    pub fn weave(&self, answer: &Answer) -> Result<Woven, WeaveError> {
        let mut loom = Loom {
            document: self.document.clone(),
            before: self.document,
            seen: self.seen,
            turn: self.turn.name(),
            said: Said::by(self.turn),
            bounds: self.bounds,
            replaced: HashSet::new(),
            last_behind: HashMap::new(),
            deletes: 0,
            deleted_words: 0,
        };
        let mut outcomes = Vec::with_capacity(answer.edits.len());
        let mut texts: HashSet<&str> = HashSet::new();
        for (at, edit) in answer.edits.iter().enumerate() {
            let text = edit.markdown().trim();
            let fate = if at >= self.bounds.edits {
                Err(Refusal::TooMany)
            } else if !text.is_empty() && !texts.insert(text) {
                // Small models do not stop by themselves.
                Err(Refusal::Duplicate)
            } else {
                loom.weave_one(edit)
            };
            let fate = fate.or_else(|refusal| match self.resort {
                Resort::Append if refusal.can_be_mended() => loom.append_instead(edit, refusal),
                _ => Err(refusal),
            });
            outcomes.push(EditOutcome {
                edit: edit.clone(),
                fate: fate.unwrap_or_else(Fate::Refused),
            });
        }
        if outcomes.iter().any(EditOutcome::is_woven) {
            Ok(Woven {
                document: loom.without_placeholder(),
                outcomes,
            })
        } else if outcomes.iter().all(EditOutcome::is_settled) {
            Ok(Woven {
                document: loom.document,
                outcomes,
            })
        } else {
            Err(WeaveError { outcomes })
        }
    }
}

/// A document that is being changed.
pub(super) struct Loom<'a> {
    pub(super) document: Document,
    /// What it was before the first edit.
    pub(super) before: &'a Document,
    pub(super) seen: &'a Document,
    /// As it stands in the manifest.
    pub(super) turn: String,
    pub(super) said: Said,
    pub(super) bounds: &'a Bounds,
    /// The blocks that this answer replaced.
    pub(super) replaced: HashSet<String>,
    /// For each block the last one that this answer put behind it: two texts for one place come in their order.
    last_behind: HashMap<String, String>,
    /// How many blocks this answer deleted, and how many words they had.
    pub(super) deletes: usize,
    pub(super) deleted_words: usize,
}

impl Loom<'_> {
    fn weave_one(&mut self, edit: &Edit) -> Result<Fate, Refusal> {
        if let Edit::Delete { block, hash } = edit {
            return self.delete(block, hash);
        }
        let fragment = self.read(edit)?;
        match edit {
            Edit::Append { section: None, .. } => self.insert(usize::MAX, fragment, Placed::AsAsked),
            Edit::Append {
                section: Some(section),
                ..
            } => match self.find(section)? {
                Some(at) => self.insert(self.places().section_end(at), fragment, Placed::AsAsked),
                None => self.insert(usize::MAX, fragment, Placed::Elsewhere),
            },
            Edit::InsertAfter { block, .. } => {
                let last = self.last_behind.get(block).unwrap_or(block);
                let fate = match self.find(last)? {
                    Some(at) => self.insert(at + 1, fragment, Placed::AsAsked)?,
                    None => self.insert(usize::MAX, fragment, Placed::Elsewhere)?,
                };
                self.remember_last(block, &fate);
                Ok(fate)
            }
            Edit::NewSection { behind, .. } => self.new_section(behind.as_deref(), fragment),
            Edit::Replace { block, hash, .. } => self.replace(block, hash, fragment),
            Edit::Delete { .. } | Edit::Unknown { .. } => Err(Refusal::UnknownAction),
        }
    }

    fn read(&self, edit: &Edit) -> Result<Fragment, Refusal> {
        self.fragment(edit.markdown())
    }

    pub(super) fn fragment(&self, markdown: &str) -> Result<Fragment, Refusal> {
        Fragment::read(markdown, &self.said, self.before, &self.document, self.bounds)
    }

    pub(super) fn places(&self) -> Places<'_> {
        Places(&self.document)
    }

    /// Where a block stands; nowhere if it was there when the model looked and is gone now.
    pub(super) fn find(&self, id: &str) -> Result<Option<usize>, Refusal> {
        match self.document.position(id) {
            Some(at) => Ok(Some(at)),
            None if self.seen.position(id).is_some() => Ok(None),
            None => Err(Refusal::UnknownBlock),
        }
    }

    fn new_section(&mut self, behind: Option<&str>, fragment: Fragment) -> Result<Fate, Refusal> {
        let level = fragment.leading_heading().ok_or(Refusal::NoHeading)?;
        let (at, placed) = match behind.map(|id| self.find(id)).transpose()? {
            Some(Some(at)) => (self.places().whole_section_end(at), Placed::AsAsked),
            Some(None) => (self.places().end(), Placed::Elsewhere),
            None => (self.places().end(), Placed::AsAsked),
        };
        let heading = fragment.blocks().next().map_or("", |(_, text)| text);
        match self.places().section_of_the_same_name(at, level, heading) {
            // A second section of that name would split what belongs together.
            Some(there) => {
                let fragment = fragment.without_its_first_block().ok_or(Refusal::Duplicate)?;
                self.insert(self.places().section_end(there), fragment, Placed::Elsewhere)
            }
            None => self.insert(at, fragment, placed),
        }
    }

    pub(super) fn remember_last(&mut self, block: &str, fate: &Fate) {
        if let Fate::Woven { blocks, .. } = fate
            && let Some(last) = blocks.last()
        {
            self.last_behind.insert(block.to_owned(), last.clone());
        }
    }

    /// What an edit says, as a new block: its place did not hold, its text does.
    fn append_instead(&mut self, edit: &Edit, refusal: Refusal) -> Result<Fate, Refusal> {
        let fragment = self.read(edit).map_err(|_| refusal)?;
        if fragment.is_headings_only() {
            return Err(refusal);
        }
        let named = edit.block().and_then(|id| self.document.position(id));
        if let (Edit::Replace { .. }, Some(at)) = (edit, named) {
            let old = self.document.text(&self.document.block_list()[at]);
            if fragment.says_less_than(old) {
                return Err(Refusal::Duplicate);
            }
        }
        if fragment.leading_heading().is_some() {
            // A section that is there already is not begun a second time.
            let mut fate = self.new_section(named.and(edit.block()), fragment)?;
            if let Fate::Woven { placed, .. } = &mut fate {
                *placed = Placed::LastResort;
            }
            return Ok(fate);
        }
        let at = named.map_or(usize::MAX, |at| self.places().section_end(at));
        self.insert(at, fragment, Placed::LastResort)
    }

    /// Puts a fragment before the block at `at`, or near it where it would change what other blocks mean. What the
    /// document says already is left out.
    pub(super) fn insert(&mut self, at: usize, fragment: Fragment, placed: Placed) -> Result<Fate, Refusal> {
        let fragment = fragment.without_duplicates(&self.document, None, self.bounds)?;
        let wanted = self.places().before_the_foot(at);
        let mut place = self.places().past_what_a_heading_would_take(wanted, &fragment);
        let splice = Splice {
            document: &self.document,
            fragment: &fragment,
            turn: &self.turn,
        };
        let mut result = splice.insert(place);
        if result.is_none() && place == self.document.block_list().len() && place > 0 {
            // A person left a fence or a comment open at the end: nothing behind it would be seen.
            place -= 1;
            result = splice.insert(place);
        }
        let (document, blocks) = result.ok_or(Refusal::Disturbs)?;
        let placed = if place != wanted && placed == Placed::AsAsked {
            Placed::Elsewhere
        } else {
            placed
        };
        let left_out = fragment.left_out;
        self.document = document;
        Ok(Fate::Woven {
            blocks,
            placed,
            left_out,
        })
    }

    /// The line of a new document that promises text goes when the first text comes.
    fn without_placeholder(self) -> Document {
        let document = self.document;
        // A document of the placeholder alone keeps it until something else stands there.
        let placeholder = document.blocks().position(|block| document.is_placeholder(block));
        match placeholder {
            Some(at) => without(&document, at, &self.turn).unwrap_or(document),
            None => document,
        }
    }

    pub(super) fn block_at(&self, at: usize) -> &Block {
        &self.document.block_list()[at]
    }
}
