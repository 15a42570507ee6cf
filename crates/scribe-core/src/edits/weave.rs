//! Weaves an answer into a document, edit by edit, with every check of the host before a byte changes.
//!
//! It is called with the document that the model saw, and again with a newer one if somebody wrote meanwhile. Then a
//! block may be gone, or be a person's now; no second call to the model sorts that out, so what can be kept is kept:
//!
//! - New text whose section or block is gone comes at the end of the document.
//! - A replace whose block has changed since becomes new blocks under that block's section.
//! - A person's block, a locked one or one that is gone is not replaced: what a person did, stays done.
//!
//! Each edit stands for itself: those that hold are woven, whatever becomes of the others.

use std::collections::{HashMap, HashSet};

use crate::blocks::{Author, Block, Document, Kind};
use crate::turn::Turn;

use super::answer::{Answer, Edit};
use super::facts::{self, Said};
use super::fragment::Fragment;
use super::outcome::{Bounds, EditOutcome, Fate, Placed, Refusal, WeaveError, Woven};
use super::splice::{Splice, without};

/// Weaves an answer into a document.
///
/// # Errors
/// [`WeaveError`] if edits were proposed and none can be woven. Edits that only say what the document says already
/// are no error: nothing has to change, and nothing does.
pub fn weave(
    document: &Document,
    answer: &Answer,
    turn: &Turn,
    bounds: &Bounds,
) -> Result<Woven, WeaveError> {
    let mut loom = Loom {
        document: document.clone(),
        turn: format!("{}/{}", turn.conversation.conversation, turn.message_id),
        said: Said::by(turn),
        bounds,
        replaced: HashSet::new(),
        last_behind: HashMap::new(),
    };
    let mut outcomes = Vec::with_capacity(answer.edits.len());
    for (at, edit) in answer.edits.iter().enumerate() {
        let repeats = answer.edits[..at]
            .iter()
            .any(|earlier| earlier.markdown().trim() == edit.markdown().trim());
        let fate = match at {
            _ if at >= bounds.edits => Err(Refusal::TooMany),
            // Small models do not stop by themselves.
            _ if repeats => Err(Refusal::Duplicate),
            _ => loom.weave_one(edit),
        };
        outcomes.push(EditOutcome {
            edit: edit.clone(),
            fate: fate.unwrap_or_else(Fate::Refused),
        });
    }
    let says_nothing_new = |outcome: &EditOutcome| outcome.fate == Fate::Refused(Refusal::Duplicate);
    if outcomes.iter().any(EditOutcome::is_woven) {
        Ok(Woven {
            document: loom.without_placeholder(),
            outcomes,
        })
    } else if outcomes.iter().all(says_nothing_new) {
        Ok(Woven {
            document: loom.document,
            outcomes,
        })
    } else {
        Err(WeaveError { outcomes })
    }
}

struct Loom<'a> {
    document: Document,
    /// As it stands in the manifest.
    turn: String,
    said: Said,
    bounds: &'a Bounds,
    /// The blocks that this answer replaced.
    replaced: HashSet<String>,
    /// For each block the last one that this answer put behind it: two texts for one place come in their order.
    last_behind: HashMap<String, String>,
}

impl Loom<'_> {
    fn weave_one(&mut self, edit: &Edit) -> Result<Fate, Refusal> {
        let fragment = Fragment::read(edit.markdown(), &self.said, &self.document, self.bounds)?;
        match edit {
            Edit::Append { section: None, .. } => {
                let fragment = fragment.without_duplicates(&self.document, None, self.bounds)?;
                self.insert(self.document.block_list().len(), &fragment, Placed::AsAsked)
            }
            Edit::Append {
                section: Some(section),
                ..
            } => {
                let fragment = fragment.without_duplicates(&self.document, None, self.bounds)?;
                match self.document.position(section) {
                    Some(at) => self.insert(self.section_end(at), &fragment, Placed::AsAsked),
                    None => self.insert(self.document.block_list().len(), &fragment, Placed::Elsewhere),
                }
            }
            Edit::InsertAfter { block, .. } => {
                let fragment = fragment.without_duplicates(&self.document, None, self.bounds)?;
                let last = self.last_behind.get(block).unwrap_or(block);
                let fate = match self.document.position(last) {
                    Some(at) => self.insert(at + 1, &fragment, Placed::AsAsked)?,
                    None => self.insert(self.document.block_list().len(), &fragment, Placed::Elsewhere)?,
                };
                self.remember_last(block, &fate);
                Ok(fate)
            }
            Edit::Replace { block, hash, .. } => self.replace(block, hash, fragment),
        }
    }

    fn replace(&mut self, id: &str, hash: &str, fragment: Fragment) -> Result<Fate, Refusal> {
        if self.replaced.contains(id) {
            return Err(Refusal::AlreadyReplaced);
        }
        let at = self.document.position(id).ok_or(Refusal::UnknownBlock)?;
        let block = &self.document.block_list()[at];
        if hash.len() < self.bounds.hash_digits || !block.entry().hash.starts_with(hash) {
            let fragment = fragment.without_duplicates(&self.document, None, self.bounds)?;
            return self.insert(self.section_end(at), &fragment, Placed::InsteadOfReplacing);
        }
        if block.entry().locked {
            return Err(Refusal::LockedBlock);
        }
        if block.entry().author == Author::Human {
            return Err(Refusal::PersonsBlock);
        }
        let old = self.document.text(block);
        if old == fragment.markdown() {
            return Err(Refusal::Duplicate);
        }
        if !self.may_become(at, &fragment) {
            return Err(Refusal::OtherKind);
        }
        let fragment = fragment.without_duplicates(&self.document, Some(id), self.bounds)?;
        if let Some(refusal) = facts::lost(old, fragment.markdown(), &self.said, &self.document, self.bounds)
        {
            return Err(refusal);
        }
        let splice = Splice {
            document: &self.document,
            fragment: &fragment,
            turn: &self.turn,
        };
        let (document, blocks) = splice.replace(at).ok_or(Refusal::Disturbs)?;
        self.document = document;
        self.replaced.insert(id.to_owned());
        let fate = Fate::Woven {
            blocks,
            placed: Placed::AsAsked,
            left_out: fragment.left_out,
        };
        self.remember_last(id, &fate);
        Ok(fate)
    }

    fn remember_last(&mut self, block: &str, fate: &Fate) {
        if let Fate::Woven { blocks, .. } = fate
            && let Some(last) = blocks.last()
        {
            self.last_behind.insert(block.to_owned(), last.clone());
        }
    }

    /// Puts a fragment before the block at `at`, or near it where it would change what other blocks mean.
    fn insert(&mut self, at: usize, fragment: &Fragment, placed: Placed) -> Result<Fate, Refusal> {
        let wanted = self.before_the_foot(at);
        let mut place = self.past_what_a_heading_would_take(wanted, fragment);
        let splice = Splice {
            document: &self.document,
            fragment,
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
        self.document = document;
        Ok(Fate::Woven {
            blocks,
            placed,
            left_out: fragment.left_out,
        })
    }

    /// Text at the end comes before the definitions of links and footnotes that stand there.
    fn before_the_foot(&self, at: usize) -> usize {
        let blocks = self.document.block_list();
        if at < blocks.len() {
            return at;
        }
        let foot = blocks
            .iter()
            .rev()
            .take_while(|block| matches!(block.kind(), Kind::Definition | Kind::Footnote));
        blocks.len() - foot.count()
    }

    /// A heading takes everything below it. One that is put above other blocks goes on to the first place where
    /// a heading of its rank, or the end, comes next.
    fn past_what_a_heading_would_take(&self, at: usize, fragment: &Fragment) -> usize {
        let Some(level) = fragment.highest_heading() else {
            return at;
        };
        let blocks = self.document.block_list();
        let free = |place: &usize| match blocks.get(*place).map(Block::kind) {
            None => true,
            Some(Kind::Heading(next)) => next <= level,
            Some(_) => false,
        };
        let end = self.before_the_foot(blocks.len());
        (at..=end).find(free).unwrap_or(end)
    }

    /// Where the section of a block ends: before the next heading of any rank, so that text for a section never
    /// lands under the heading of another one.
    fn section_end(&self, at: usize) -> usize {
        let blocks = self.document.block_list();
        let behind = blocks.iter().skip(at + 1);
        at + 1
            + behind
                .take_while(|block| !matches!(block.kind(), Kind::Heading(_)))
                .count()
    }

    /// Whether a block may become this: others depend on what headings, footnotes, definitions and front matter are.
    fn may_become(&self, at: usize, fragment: &Fragment) -> bool {
        let blocks = self.document.block_list();
        let kinds: Vec<Kind> = fragment.blocks().map(|(kind, _)| kind).collect();
        match blocks[at].kind() {
            Kind::FrontMatter | Kind::Definition | Kind::Footnote | Kind::Html => false,
            heading @ Kind::Heading(_) => {
                kinds.first() == Some(&heading)
                    && !kinds[1..].iter().any(|kind| matches!(kind, Kind::Heading(_)))
            }
            _ => self.past_what_a_heading_would_take(at + 1, fragment) == at + 1,
        }
    }

    /// The line of a new document that promises text goes when the first text comes.
    fn without_placeholder(self) -> Document {
        let document = self.document;
        // A document of the placeholder alone keeps it until something else stands there.
        let placeholder = document.blocks().position(|block| document.is_placeholder(block));
        match placeholder {
            Some(at) => without(document, at),
            None => document,
        }
    }
}
