//! What became of each edit, and the bounds that decide it.

use crate::blocks::Document;

use super::answer::{Edit, MAX_EDITS};

/// The bounds of the checks, in one table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// How many edits of an answer are looked at; those behind them are refused.
    pub edits: usize,
    /// The longest text of one edit, in bytes.
    pub markdown_bytes: usize,
    /// The share of its words that a replaced block keeps at least.
    pub kept_share: f64,
    /// Blocks with fewer words than this may shrink as they like.
    pub kept_from_words: usize,
    /// From which likeness on (0 to 1, by words) a new block counts as one that is there already.
    pub duplicate_likeness: f64,
    /// Blocks with fewer words than this are never duplicates: "The door opens." may stand twice.
    pub duplicate_from_words: usize,
    /// How many digits of a block's hash a replace must bring along at least.
    pub hash_digits: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            edits: MAX_EDITS,
            markdown_bytes: 16 * 1024,
            kept_share: 0.6,
            kept_from_words: 20,
            duplicate_likeness: 0.9,
            duplicate_from_words: 6,
            hash_digits: 8,
        }
    }
}

/// Why an edit was refused. The words reach logs and the list of failed turns; no text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It came behind the last one that is looked at.
    #[error("too many edits")]
    TooMany,
    /// Longer than one edit may be.
    #[error("text too long")]
    TooLong,
    /// A reader would see nothing.
    #[error("no visible text")]
    Empty,
    /// "The rest is unchanged", and the like.
    #[error("text left out")]
    Elided,
    /// A fence or a comment that would swallow what follows.
    #[error("unclosed fence")]
    Unclosed,
    /// HTML that cannot be shown as text.
    #[error("raw html")]
    Html,
    /// A link that runs code, or leads where neither the turn nor the document leads.
    #[error("link from nowhere")]
    Link,
    /// A definition that could change what other blocks mean.
    #[error("link or footnote definition")]
    Defines,
    /// It replaces a block that is not there.
    #[error("unknown block")]
    UnknownBlock,
    /// It replaces a block that another edit of the same answer replaced.
    #[error("block already replaced")]
    AlreadyReplaced,
    /// It replaces a person's block.
    #[error("a person's block")]
    PersonsBlock,
    /// It replaces a block that a person locked.
    #[error("locked block")]
    LockedBlock,
    /// It makes something else of a block that others depend on: a heading, a footnote, front matter.
    #[error("other kind of block")]
    OtherKind,
    /// A replaced block would lose too many of its words.
    #[error("block shrinks")]
    Shrinks,
    /// A replaced block would lose a number that the turn does not mention.
    #[error("number lost")]
    LosesNumber,
    /// A replaced block would lose a name that the turn does not mention.
    #[error("name lost")]
    LosesName,
    /// A replaced block would lose a link that the turn does not mention.
    #[error("link lost")]
    LosesLink,
    /// The document says it already.
    #[error("duplicate")]
    Duplicate,
    /// A block that it does not address would no longer be the same block.
    #[error("would change other blocks")]
    Disturbs,
}

/// Where a text was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// Where the edit asked for.
    AsAsked,
    /// Elsewhere, because a block was gone or the place would have changed what other blocks mean.
    Elsewhere,
    /// As new blocks under the section of a block that was to be replaced and has changed since.
    InsteadOfReplacing,
}

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in the document.
    Woven {
        /// The ids of its blocks.
        blocks: Vec<String>,
        /// Where they were put.
        placed: Placed,
        /// How many of its blocks were left out because the document has them already.
        left_out: usize,
    },
    /// It is not in the document.
    Refused(Refusal),
}

/// An edit and what became of it. The edit is kept whole, so that what a person's block refused can become a
/// suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditOutcome {
    /// What the model asked for.
    pub edit: Edit,
    /// What became of it.
    pub fate: Fate,
}

impl EditOutcome {
    /// Whether it changed the document.
    #[must_use]
    pub fn is_woven(&self) -> bool {
        matches!(self.fate, Fate::Woven { .. })
    }
}

/// A document with a turn woven into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Woven {
    /// The document; the same as before where the answer changed nothing.
    pub document: Document,
    /// What became of each edit, in the answer's order.
    pub outcomes: Vec<EditOutcome>,
}

/// Edits were proposed, and none could be woven. The document is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("none of {} edits could be woven: {}", outcomes.len(), reasons(outcomes))]
pub struct WeaveError {
    /// What became of each edit, in the answer's order.
    pub outcomes: Vec<EditOutcome>,
}

fn reasons(outcomes: &[EditOutcome]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for outcome in outcomes {
        if let Fate::Refused(refusal) = outcome.fate {
            let reason = refusal.to_string();
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    reasons.join(", ")
}
