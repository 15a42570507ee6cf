//! A person's save, merged with what others wrote since the version that it is based on.
//!
//! Three texts: the *base*, which the person began from, the *present* one in S3, and the person's own. A save is never
//! refused because another was faster, and nothing that anybody typed goes away unless somebody takes it away:
//!
//! | the person | others since | what becomes of the block |
//! |---|---|---|
//! | left it | changed, moved or removed it | theirs |
//! | changed it | left it | the person's |
//! | changed it | changed other words | both, word by word |
//! | changed it | changed the same words | the person's words; the others' text becomes a suggestion |
//! | changed it | removed it | the person's; that it goes becomes a suggestion |
//! | removed it | changed it | removed; the others' text becomes a suggestion |
//! | added it | added it in the same words | one |
//! | changed it | joined it with another one, or split it | the person's; the others' text becomes a suggestion |
//!
//! Blocks are told by their ids, which both texts got from the base. The merged text is put together and read again,
//! and counts only if it falls into the blocks that were meant. Where Markdown will not have it so, the person's text
//! stands as it is, and whatever else there was becomes suggestions.
//!
//! While nobody else wrote, the person's text is taken byte for byte.

mod accept;
mod blocks;
mod compose;
#[cfg(test)]
mod long_tests;
mod order;
mod recent;
#[cfg(test)]
mod tests;
mod twice;

use crate::blocks::{Author, Document, Manifest};
use crate::edits::Suggestion;
use crate::ids::UserId;

pub use accept::{AcceptError, accept};
pub use recent::RecentSaves;

/// A save that is to be merged.
#[derive(Debug, Clone, Copy)]
pub struct Save<'a> {
    /// What the person began from.
    pub base: &'a Document,
    /// What stands in S3 now.
    pub present: &'a Document,
    /// The person's text: Markdown.
    pub content: &'a str,
    /// Who saves.
    pub person: &'a UserId,
}

/// A save, merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The document.
    pub document: Document,
    /// The blocks that others changed or added since the base, as they left them.
    pub others: Vec<String>,
    /// The blocks that have the words of both.
    pub merged: Vec<String>,
    /// What others wrote and is not in the document, or removed and still is.
    pub suggestions: Vec<Suggestion>,
}

impl Save<'_> {
    /// Merges.
    #[must_use]
    pub fn merge(&self) -> Saved {
        let known = self.present.manifest();
        if self.base == self.present {
            let mut document = Document::read_after(self.content, self.present);
            document.sign(self.person, &known);
            return Saved {
                document,
                others: Vec::new(),
                merged: Vec::new(),
                suggestions: Vec::new(),
            };
        }
        let mine = Document::read_after(self.content, self.base);
        let sides = blocks::Sides::new(self.base, self.present, &mine, Some(self.person));
        let decided = sides.decide();
        let order = order::order(&sides, &decided);
        let mut saved =
            compose::compose(&sides, &decided, &order).unwrap_or_else(|| compose::as_it_is(&sides, &decided));
        saved.document.sign(self.person, &known);
        saved
    }
}

impl Document {
    /// Notes whose the blocks are that became a person's since a manifest was written.
    pub fn sign(&mut self, person: &UserId, before: &Manifest) {
        self.change_entries(|entry| {
            let is_known =
                |known: &&crate::blocks::BlockEntry| known.id == entry.id && known.hash == entry.hash;
            let was_human = before
                .entries()
                .iter()
                .find(is_known)
                .is_some_and(|known| known.author == Author::Human);
            if entry.author == Author::Human && !was_human {
                entry.person = Some(person.to_string());
            }
        });
    }
}
