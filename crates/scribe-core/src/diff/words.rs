//! The words of a block that was changed.

use similar::{Algorithm, ChangeTag, TextDiff};

/// Above this many bytes of both texts a block is shown as replaced in one piece: comparing is quadratic where all
/// words are others.
const MOST_BYTES: usize = 64 * 1024;

/// A stretch of a changed block.
#[derive(Clone, PartialEq, Eq)]
pub enum WordChange {
    /// In both texts.
    Kept(String),
    /// In the older text only.
    Removed(String),
    /// In the newer text only.
    Added(String),
}

impl std::fmt::Debug for WordChange {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kept(text) => write!(f, "Kept({} bytes)", text.len()),
            Self::Removed(text) => write!(f, "Removed({} bytes)", text.len()),
            Self::Added(text) => write!(f, "Added({} bytes)", text.len()),
        }
    }
}

/// The stretches of two texts that differ. Never empty.
pub(super) fn changes(was: &str, is: &str) -> Vec<WordChange> {
    if was.len() + is.len() > MOST_BYTES {
        return vec![
            WordChange::Removed(was.to_owned()),
            WordChange::Added(is.to_owned()),
        ];
    }
    let mut stretches: Vec<WordChange> = Vec::new();
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .diff_unicode_words(was, is);
    for change in diff.iter_all_changes() {
        let text = change.value();
        match (change.tag(), stretches.last_mut()) {
            (ChangeTag::Equal, Some(WordChange::Kept(stretch)))
            | (ChangeTag::Delete, Some(WordChange::Removed(stretch)))
            | (ChangeTag::Insert, Some(WordChange::Added(stretch))) => stretch.push_str(text),
            (ChangeTag::Equal, _) => stretches.push(WordChange::Kept(text.to_owned())),
            (ChangeTag::Delete, _) => stretches.push(WordChange::Removed(text.to_owned())),
            (ChangeTag::Insert, _) => stretches.push(WordChange::Added(text.to_owned())),
        }
    }
    stretches
}

/// The older text of the stretches.
pub(super) fn text_before(stretches: &[WordChange]) -> String {
    let of = |stretch: &WordChange| match stretch {
        WordChange::Kept(text) | WordChange::Removed(text) => text.clone(),
        WordChange::Added(_) => String::new(),
    };
    stretches.iter().map(of).collect()
}

/// The newer text of the stretches.
pub(super) fn text_after(stretches: &[WordChange]) -> String {
    let of = |stretch: &WordChange| match stretch {
        WordChange::Kept(text) | WordChange::Added(text) => text.clone(),
        WordChange::Removed(_) => String::new(),
    };
    stretches.iter().map(of).collect()
}
