//! From the model's answer to a changed document.
//!
//! [`Answer`] is what the model proposes; [`weave()`] decides. A model is a stranger with good manners: most of what
//! it writes is fine, and nothing it writes is trusted. What can go wrong is a [`Refusal`] for one edit, and a
//! [`WeaveError`] if nothing is left; the document is then as it was.

mod answer;
mod elision;
mod facts;
mod fragment;
mod merge;
mod outcome;
mod places;
mod repair;
mod replace;
mod rewrite;
mod splice;
mod suggestion;
mod take_back;
mod tally;
mod weave;

pub use answer::{Answer, AnswerError, Edit, MAX_EDITS, answer_schema};
pub use merge::{Resolved, merge_words, merge_words_for_theirs};
pub use outcome::{Bounds, EditOutcome, Fate, Placed, Refusal, WeaveError, Woven};
pub use repair::{ToMend, mended, to_mend};
pub use rewrite::NO_CHANGE;
pub(crate) use splice::is_separator;
pub use suggestion::{MAX_SUGGESTIONS, SuggestedAction, Suggestion, Suggestions};
pub use take_back::{AroundTurn, Kept, TakenBack, take_back};
pub use tally::Tally;
pub use weave::{Resort, Weaving, weave};

#[cfg(test)]
mod tests;
