//! What became of each edit, and the bounds that decide it.

use crate::blocks::Document;

use super::answer::{Edit, MAX_EDITS};
use super::suggestion::Suggestion;

/// The bounds of the checks, in one table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// How many edits of an answer are looked at; those behind them are refused. Not all servers keep to the number
    /// that the schema allows, and what a willing model says beyond it is not to be lost.
    pub edits: usize,
    /// The longest text of one edit, in bytes.
    pub markdown_bytes: usize,
    /// The share of its words that a replaced block keeps at least: as many words, and where the turn does not speak
    /// of the block, these very words.
    pub kept_share: f64,
    /// The share of its words that a replaced block keeps at least where a number, a name or a link of the turn takes
    /// another one's place and the turn does not speak of the block.
    pub successor_share: f64,
    /// Blocks with fewer words than this may shrink as they like, if the turn speaks of them.
    pub kept_from_words: usize,
    /// From which likeness on (0 to 1, by words) a new block counts as one that is there already.
    pub duplicate_likeness: f64,
    /// Blocks with fewer words than this are never duplicates: "The door opens." may stand twice.
    pub duplicate_from_words: usize,
    /// How many digits of a block's hash a replace or a delete must bring along at least.
    pub hash_digits: usize,
    /// How many blocks an answer may delete.
    pub deletes: usize,
    /// The share of a document's words that an answer may delete.
    pub deleted_share: f64,
    /// In documents with fewer words than this any share may be deleted.
    pub deleted_from_words: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            edits: 2 * MAX_EDITS,
            markdown_bytes: 16 * 1024,
            kept_share: 0.6,
            successor_share: 0.75,
            kept_from_words: 20,
            duplicate_likeness: 0.9,
            duplicate_from_words: 6,
            hash_digits: 8,
            deletes: 2,
            deleted_share: 0.25,
            deleted_from_words: 150,
        }
    }
}

impl Bounds {
    /// The bounds for a document that was rewritten whole: it becomes as many edits as it has changes.
    #[must_use]
    pub fn of_rewrite() -> Self {
        Self {
            edits: usize::MAX,
            ..Self::default()
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
    /// The operation does not exist.
    #[error("unknown operation")]
    UnknownAction,
    /// It names a block that is not there.
    #[error("unknown block")]
    UnknownBlock,
    /// The block that it changes was removed after the model saw it.
    #[error("block removed since")]
    Removed,
    /// Its hash is not that of the block, or the block has changed since in the same words.
    #[error("stale hash")]
    StaleHash,
    /// A new section that does not begin with a heading.
    #[error("section without a heading")]
    NoHeading,
    /// It deletes a block that the turn does not speak of.
    #[error("not spoken of in the turn")]
    NotSpokenOf,
    /// Asked once more, the model took it back.
    #[error("taken back")]
    TakenBack,
    /// It replaces a block that another edit of the same answer replaced.
    #[error("block already replaced")]
    AlreadyReplaced,
    /// It replaces a person's block.
    #[error("a person's block")]
    PersonsBlock,
    /// It replaces a block that a person locked.
    #[error("locked block")]
    LockedBlock,
    /// It makes something else of a block that others depend on, or deletes it: a heading, a footnote, front matter,
    /// the notes at the foot.
    #[error("other kind of block")]
    OtherKind,
    /// A replaced block, or the document, would lose too many of its words.
    #[error("block shrinks")]
    Shrinks,
    /// A number would be lost that the turn does not mention.
    #[error("number lost")]
    LosesNumber,
    /// A name would be lost that the turn does not mention.
    #[error("name lost")]
    LosesName,
    /// A link would be lost that the turn does not mention.
    #[error("link lost")]
    LosesLink,
    /// The document says it already.
    #[error("duplicate")]
    Duplicate,
    /// A block that it does not address would no longer be the same block.
    #[error("would change other blocks")]
    Disturbs,
}

impl Refusal {
    /// Whether the model may mend the edit if it is told so. Of the others nothing is owed: the text is there
    /// already, or what a person did stands against it.
    #[must_use]
    pub fn can_be_mended(self) -> bool {
        !matches!(
            self,
            Self::TooMany
                | Self::Removed
                | Self::PersonsBlock
                | Self::LockedBlock
                | Self::Duplicate
                | Self::NotSpokenOf
                | Self::TakenBack
        )
    }
}

/// Where a text was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// Where the edit asked for.
    AsAsked,
    /// Elsewhere, because a block was gone or the place would have changed what other blocks mean.
    Elsewhere,
    /// In its block, word by word: somebody else has changed other words of it since.
    Merged,
    /// As new blocks under the section of the block that it names, or at the end: nothing else held.
    LastResort,
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
    /// It stands beside the document, for a person to decide.
    Suggested {
        /// What is suggested.
        suggestion: Box<Suggestion>,
        /// What stood against it.
        because: Refusal,
    },
    /// It is not in the document.
    Refused(Refusal),
}

impl Fate {
    /// Why it was refused, if it was.
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused(refusal) => Some(*refusal),
            Self::Woven { .. } | Self::Suggested { .. } => None,
        }
    }

    /// What became of it, in few words and without a text: they are counted.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Woven { placed, .. } => match placed {
                Placed::AsAsked => "woven".into(),
                Placed::Elsewhere => "woven elsewhere".into(),
                Placed::Merged => "merged".into(),
                Placed::LastResort => "woven as a last resort".into(),
            },
            Self::Suggested { because, .. } => format!("suggested: {because}"),
            Self::Refused(refusal) => format!("refused: {refusal}"),
        }
    }
}

/// An edit and what became of it.
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

    /// The operation and what became of it, in few words and without a text.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} {}", self.edit.action(), self.fate.label())
    }

    /// Whether the model may mend it if it is told so.
    #[must_use]
    pub fn can_be_mended(&self) -> bool {
        self.fate.refusal().is_some_and(Refusal::can_be_mended)
    }

    /// Whether nothing is owed for it: it is in the document or beside it, the document says the same already, or it
    /// would only have taken text away that stays. A delete of a block that never was is none of these: who answers
    /// so has not read the document.
    pub(super) fn is_settled(&self) -> bool {
        match (self.fate.refusal(), &self.edit) {
            (None | Some(Refusal::Duplicate | Refusal::TakenBack), _) => true,
            (Some(Refusal::UnknownBlock | Refusal::StaleHash), _) => false,
            (Some(_), edit) => matches!(edit, Edit::Delete { .. }),
        }
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
