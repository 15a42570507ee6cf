//! What differs between two versions of a document: block by block, and word by word inside a block that was changed.
//!
//! A difference is complete: [`Difference::applied`] makes the newer text of the older one, byte for byte. Blocks are
//! the same by their text, wherever they stand; by the id that the manifests give them; or by the likeness of their
//! words. Where that is guessed wrong, a change is shown as a removal and an addition, and nothing else is lost.

mod align;
mod words;

use crate::blocks::{Document, Kind};

pub use words::WordChange;

/// What stands between two blocks of most documents.
const BLANK_LINE: &str = "\n\n";

/// What differs between two documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The blocks: those of the newer document in their order, and those that were removed where they stood.
    pub blocks: Vec<BlockChange>,
    /// The blank space at the end of the newer document.
    pub end: String,
    /// How many blocks there are of each sort.
    pub counts: Counts,
}

/// How many blocks were kept, added, removed, changed and moved. A block that was moved and changed is a moved one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// As they were.
    pub kept: usize,
    /// In the newer document only.
    pub added: usize,
    /// In the older document only.
    pub removed: usize,
    /// In both, with other words.
    pub changed: usize,
    /// In both, elsewhere.
    pub moved: usize,
}

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is as it was.
    Kept,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has other words.
    Changed,
    /// It stands elsewhere, perhaps with other words.
    Moved,
}

/// A block of either document, and what became of it.
#[derive(Clone, PartialEq, Eq)]
pub struct BlockChange {
    /// What became of it.
    pub change: Change,
    /// What it is; of a changed one what it is now.
    pub kind: Kind,
    /// Its place among the blocks of the older document, from 0.
    pub from: Option<usize>,
    /// Its place among the blocks of the newer document, from 0.
    pub to: Option<usize>,
    /// The blank space in front of it in the newer document, where that is not one blank line.
    pub before: Option<String>,
    /// Its text; none where `words` say what it was and is.
    pub text: Option<String>,
    /// Its words, where they are not the same in both.
    pub words: Vec<WordChange>,
}

impl std::fmt::Debug for BlockChange {
    /// Leaves the texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}({:?} -> {:?})", self.change, self.from, self.to)
    }
}

impl Difference {
    /// What makes the newer document of the older one.
    #[must_use]
    pub fn between(from: &Document, to: &Document) -> Self {
        let mut blocks = Vec::with_capacity(to.blocks().len());
        let mut counts = Counts::default();
        let mut end_of_last = 0;
        for step in align::steps(from, to) {
            let block = match step {
                align::Step::Removed { from: at } => {
                    counts.removed += 1;
                    let block = &from.block_list()[at];
                    BlockChange {
                        change: Change::Removed,
                        kind: block.kind(),
                        from: Some(at),
                        to: None,
                        before: None,
                        text: Some(from.text(block).to_owned()),
                        words: Vec::new(),
                    }
                }
                align::Step::Standing {
                    from: old,
                    to: at,
                    moved,
                } => {
                    let block = &to.block_list()[at];
                    let text = to.text(block);
                    let was = old.map(|old| from.text(&from.block_list()[old]));
                    let change = match was {
                        None => Change::Added,
                        Some(_) if moved => Change::Moved,
                        Some(was) if was == text => Change::Kept,
                        Some(_) => Change::Changed,
                    };
                    match change {
                        Change::Added => counts.added += 1,
                        Change::Moved => counts.moved += 1,
                        Change::Changed => counts.changed += 1,
                        Change::Kept | Change::Removed => counts.kept += 1,
                    }
                    let words = was
                        .filter(|was| *was != text)
                        .map(|was| words::changes(was, text))
                        .unwrap_or_default();
                    let gap = &to.content()[end_of_last..block.span().start];
                    end_of_last = block.span().end;
                    let usual = if at == 0 { "" } else { BLANK_LINE };
                    BlockChange {
                        change,
                        kind: block.kind(),
                        from: old,
                        to: Some(at),
                        before: (gap != usual).then(|| gap.to_owned()),
                        text: words.is_empty().then(|| text.to_owned()),
                        words,
                    }
                }
            };
            blocks.push(block);
        }
        Self {
            blocks,
            end: to.content()[end_of_last..].to_owned(),
            counts,
        }
    }

    /// The newer text, from the older document; none where it is not the one that this is a difference from.
    #[must_use]
    pub fn applied(&self, from: &Document) -> Option<String> {
        let mut text = String::new();
        for block in &self.blocks {
            let was = match block.from {
                Some(at) => {
                    let was = from.text(from.block_list().get(at)?);
                    let expected = words::text_before(&block.words);
                    let is_it = match &block.text {
                        Some(text) => text == was,
                        None => expected == was,
                    };
                    is_it.then_some(was)?
                }
                None => block.text.as_deref()?,
            };
            let Some(at) = block.to else { continue };
            let usual = if at == 0 { "" } else { BLANK_LINE };
            text.push_str(block.before.as_deref().unwrap_or(usual));
            if block.words.is_empty() {
                text.push_str(was);
            } else {
                text.push_str(&words::text_after(&block.words));
            }
        }
        text.push_str(&self.end);
        Some(text)
    }
}

#[cfg(test)]
mod tests;
