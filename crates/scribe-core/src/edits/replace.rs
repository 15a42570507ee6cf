//! Replacing and deleting: where an edit takes text away.

use crate::blocks::{Author, Block, Document, Kind};

use super::facts;
use super::fragment::Fragment;
use super::merge::merge_words;
use super::outcome::{Fate, Placed, Refusal};
use super::places::rank;
use super::splice::{Splice, without};
use super::suggestion::{SuggestedAction, Suggestion};
use super::weave::Loom;

/// How a block stands to the hash that an edit brings.
enum Freshness {
    /// It is what the model saw.
    Fresh,
    /// The model saw this text, and somebody has changed it since.
    ChangedSince(String),
    /// The model never saw such a block.
    Wrong,
}

impl Loom<'_> {
    pub(super) fn replace(&mut self, id: &str, hash: &str, fragment: Fragment) -> Result<Fate, Refusal> {
        if self.replaced.contains(id) {
            return Err(Refusal::AlreadyReplaced);
        }
        let Some(at) = self.find(id)? else {
            return self.suggest_for_removed(id, fragment.markdown());
        };
        let freshness = self.freshness(at, hash);
        if matches!(freshness, Freshness::Wrong) {
            return Err(Refusal::StaleHash);
        }
        let old = self.document.text(self.block_at(at));
        if old == fragment.markdown() {
            return Err(Refusal::Duplicate);
        }
        if let Some(because) = self.persons(at) {
            return Ok(self.suggest(at, SuggestedAction::Replace, fragment.markdown(), because));
        }
        let (fragment, placed) = match freshness {
            Freshness::ChangedSince(seen) => {
                let merged = merge_words(&seen, fragment.markdown(), old).ok_or(Refusal::StaleHash)?;
                if merged == old {
                    return Err(Refusal::Duplicate);
                }
                let fragment = self.fragment(&merged)?;
                (fragment, Placed::Merged)
            }
            Freshness::Fresh | Freshness::Wrong => (fragment, Placed::AsAsked),
        };
        self.put_in_place(at, fragment, placed)
    }

    fn put_in_place(&mut self, at: usize, fragment: Fragment, placed: Placed) -> Result<Fate, Refusal> {
        let id = self.block_at(at).id().to_owned();
        if !self.may_become(at, &fragment) {
            return Err(Refusal::OtherKind);
        }
        let fragment = fragment.without_duplicates(&self.document, Some(&id), self.bounds)?;
        let block = self.block_at(at);
        if let Some(refusal) = facts::lost(
            block,
            fragment.markdown(),
            &self.said,
            &self.document,
            self.bounds,
        ) {
            return Err(refusal);
        }
        let gone = facts::words_gone(self.document.text(block), fragment.markdown(), self.bounds);
        if gone > 0 && (self.deletes >= self.bounds.deletes || self.is_a_large_part(gone)) {
            return Err(Refusal::Shrinks);
        }
        let splice = Splice {
            document: &self.document,
            fragment: &fragment,
            turn: &self.turn,
        };
        let (document, blocks) = splice.replace(at).ok_or(Refusal::Disturbs)?;
        self.document = document;
        self.replaced.insert(id.clone());
        self.deletes += usize::from(gone > 0);
        self.deleted_words += gone;
        let fate = Fate::Woven {
            blocks,
            placed,
            left_out: fragment.left_out,
        };
        self.remember_last(&id, &fate);
        Ok(fate)
    }

    /// Takes a block out, if the turn speaks of it and nothing is lost that it does not speak of.
    pub(super) fn delete(&mut self, id: &str, hash: &str) -> Result<Fate, Refusal> {
        let at = self.find(id)?.ok_or(Refusal::Removed)?;
        if self.replaced.contains(id) {
            return Err(Refusal::AlreadyReplaced);
        }
        if !matches!(self.freshness(at, hash), Freshness::Fresh) {
            return Err(Refusal::StaleHash);
        }
        if self.deletes >= self.bounds.deletes {
            return Err(Refusal::TooMany);
        }
        let block = self.block_at(at);
        let said_elsewhere = facts::is_said_elsewhere(block, &self.document, self.bounds);
        if !said_elsewhere && !facts::is_spoken_of(block, &self.document, &self.said) {
            return Err(Refusal::NotSpokenOf);
        }
        if let Some(because) = self.persons(at) {
            return Ok(self.suggest(at, SuggestedAction::Delete, "", because));
        }
        if !self.may_go(at) {
            return Err(Refusal::OtherKind);
        }
        let these = crate::words::words(self.document.text(block)).len();
        let because = if self.is_a_large_part(these) {
            Some(Refusal::Shrinks)
        } else if said_elsewhere {
            None
        } else {
            facts::lost_whole(block, &self.document, &self.said)
        };
        if let Some(because) = because {
            self.deletes += 1;
            return Ok(self.suggest(at, SuggestedAction::Delete, "", because));
        }
        self.document = without(&self.document, at, &self.turn).ok_or(Refusal::Disturbs)?;
        self.deletes += 1;
        self.deleted_words += these;
        Ok(Fate::Woven {
            blocks: vec![id.to_owned()],
            placed: Placed::AsAsked,
            left_out: 0,
        })
    }

    /// Whether with so many more words a large part of the document would have gone.
    fn is_a_large_part(&self, words: usize) -> bool {
        let all = crate::words::words(self.document.content()).len();
        let share = (self.deleted_words + words) as f64 / (all + self.deleted_words).max(1) as f64;
        all >= self.bounds.deleted_from_words && share > self.bounds.deleted_share
    }

    fn freshness(&self, at: usize, hash: &str) -> Freshness {
        let block = self.block_at(at);
        if hash.len() < self.bounds.hash_digits {
            return Freshness::Wrong;
        }
        if block.entry().hash.starts_with(hash) {
            return Freshness::Fresh;
        }
        let seen = self.seen.blocks().find(|seen| seen.id() == block.id());
        match seen.filter(|seen| seen.entry().hash.starts_with(hash)) {
            Some(seen) => Freshness::ChangedSince(self.seen.text(seen).to_owned()),
            None => Freshness::Wrong,
        }
    }

    /// Why a block is not the scribe's to change.
    fn persons(&self, at: usize) -> Option<Refusal> {
        let entry = self.block_at(at).entry();
        if entry.locked {
            Some(Refusal::LockedBlock)
        } else {
            (entry.author == Author::Human).then_some(Refusal::PersonsBlock)
        }
    }

    fn suggest(&self, at: usize, action: SuggestedAction, markdown: &str, because: Refusal) -> Fate {
        let entry = self.block_at(at).entry();
        let suggestion = Suggestion::of_turn(&self.turn, &entry.id, &entry.hash, action, markdown);
        Fate::Suggested {
            suggestion: Box::new(suggestion),
            because,
        }
    }

    /// Text for a block that was removed after the model saw it: what a person did stays done, and the text is kept.
    fn suggest_for_removed(&self, id: &str, markdown: &str) -> Result<Fate, Refusal> {
        let seen = self.seen.blocks().find(|block| block.id() == id);
        let hash = &seen.ok_or(Refusal::UnknownBlock)?.entry().hash;
        Ok(Fate::Suggested {
            suggestion: Box::new(Suggestion::of_turn(
                &self.turn,
                id,
                hash,
                SuggestedAction::Replace,
                markdown,
            )),
            because: Refusal::Removed,
        })
    }

    /// Whether a block may become this: others depend on what headings, footnotes, definitions and front matter are.
    fn may_become(&self, at: usize, fragment: &Fragment) -> bool {
        let kinds: Vec<Kind> = fragment.blocks().map(|(kind, _)| kind).collect();
        match self.block_at(at).kind() {
            Kind::FrontMatter | Kind::Definition | Kind::Footnote | Kind::Html => false,
            heading @ Kind::Heading(_) => {
                kinds.first() == Some(&heading)
                    && !kinds[1..].iter().any(|kind| matches!(kind, Kind::Heading(_)))
            }
            _ => self.places().past_what_a_heading_would_take(at + 1, fragment) == at + 1,
        }
    }

    /// Whether a block may go: nothing else depends on it, and something is left.
    fn may_go(&self, at: usize) -> bool {
        let block = self.block_at(at);
        let next = self.document.block_list().get(at + 1);
        let is_left = |other: &Block| other.id() != block.id() && shows_something(&self.document, other);
        let depended_on = match block.kind() {
            Kind::FrontMatter | Kind::Definition | Kind::Footnote | Kind::Html => true,
            // The title stays, and a heading as long as there is something below it.
            Kind::Heading(level) => {
                at == 0 || next.is_some_and(|next| rank(next).is_none_or(|next| next > level))
            }
            _ => false,
        };
        !depended_on && !self.places().is_foot(at) && self.document.blocks().any(is_left)
    }
}

fn shows_something(document: &Document, block: &Block) -> bool {
    !matches!(
        block.kind(),
        Kind::FrontMatter | Kind::Rule | Kind::Definition | Kind::Html
    ) && !document.text(block).trim().is_empty()
}
