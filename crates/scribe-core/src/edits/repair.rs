//! The one call in which the model may mend what was refused.

use super::answer::{Answer, Edit};
use super::outcome::{EditOutcome, Fate, Refusal};

/// An edit that may be mended, and why it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToMend<'a> {
    /// What the model asked for.
    pub edit: &'a Edit,
    /// Why it was refused.
    pub refusal: Refusal,
}

/// The edits of an answer that may be mended, in its order.
#[must_use]
pub fn to_mend(outcomes: &[EditOutcome]) -> Vec<ToMend<'_>> {
    let refused = outcomes.iter().filter_map(|outcome| match outcome.fate {
        Fate::Refused(refusal) if refusal.can_be_mended() => Some(ToMend {
            edit: &outcome.edit,
            refusal,
        }),
        _ => None,
    });
    refused.collect()
}

/// An answer with the edits of a second one in place of those that were refused, and the edits that the second one
/// left out.
///
/// What held keeps its place. A second answer that is shorter takes edits back; one that is longer brings the others
/// behind them.
#[must_use]
pub fn mended(first: &[EditOutcome], second: &Answer) -> (Answer, Vec<EditOutcome>) {
    let mut second_edits = second.edits.iter().cloned();
    let mut edits = Vec::with_capacity(first.len());
    let mut taken_back = Vec::new();
    for outcome in first {
        if !outcome.can_be_mended() {
            edits.push(outcome.edit.clone());
        } else if let Some(edit) = second_edits.next() {
            edits.push(edit);
        } else {
            taken_back.push(EditOutcome {
                edit: outcome.edit.clone(),
                fate: Fate::Refused(Refusal::TakenBack),
            });
        }
    }
    edits.extend(second_edits);
    let answer = Answer {
        edits,
        reason: second.reason.clone(),
    };
    (answer, taken_back)
}

impl Refusal {
    /// What the model is told to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::TooLong => "write less",
            Self::Empty => "write text that a reader sees, or leave the edit out",
            Self::Elided => "write the whole text, with nothing left out",
            Self::Unclosed => "close every code fence and comment",
            Self::Html => "write Markdown without HTML",
            Self::Link => "link only to addresses that the turn or the document gives",
            Self::Defines => "write links and notes inline, without definitions",
            Self::UnknownAction => "use one of the operations",
            Self::UnknownBlock => "use the id of a block that is shown, or append at the end",
            Self::AlreadyReplaced => "say it in the other replace of that block, or as new text beside it",
            Self::StaleHash => "copy the hash that is shown with that block",
            Self::NoHeading => "begin the section with a heading",
            Self::OtherKind => {
                "leave headings, notes and front matter what they are, and put new text beside them"
            }
            Self::Shrinks => "keep what the block says and the turn does not contradict",
            Self::LosesNumber => "keep every number that the turn does not correct",
            Self::LosesName => "keep every name that the turn does not correct",
            Self::LosesLink => "keep every link that the turn does not correct",
            Self::Disturbs => "write text that does not join its neighbours, such as a paragraph",
            Self::TooMany
            | Self::Removed
            | Self::PersonsBlock
            | Self::LockedBlock
            | Self::NotSpokenOf
            | Self::Duplicate
            | Self::TakenBack => "leave it out",
        }
    }
}
