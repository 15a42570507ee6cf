//! A suggestion that a person takes over.

use super::blocks::{Kept, Sides, Source};
use super::compose::in_order;
use crate::blocks::{Anatomy, Author, BlockEntry, Document, hash};
use crate::edits::{SuggestedAction, Suggestion};
use crate::ids::UserId;

/// Why a suggestion can't be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// Its block is not there any more.
    #[error("the block was removed")]
    BlockGone,
    /// Its block has another text than the person saw.
    #[error("the block has changed")]
    BlockChanged,
    /// Other blocks would become something else.
    #[error("the text would change other blocks")]
    Disturbs,
}

/// The document with what is suggested. `seen` is the hash of the block that the person looked at, where it is not the
/// one that the suggestion was made for.
///
/// # Errors
/// [`AcceptError`]. The document is as it was.
pub fn accept(
    document: &Document,
    suggestion: &Suggestion,
    seen: Option<&str>,
    person: &UserId,
) -> Result<Document, AcceptError> {
    let at = document.position(&suggestion.block);
    let block = at.map(|at| &document.block_list()[at]);
    let sides = Sides::new(document, document, document, None);
    let mut kept: Vec<(String, Kept)> = sides.as_present();
    match suggestion.action {
        SuggestedAction::Insert => {
            // The block that it stood behind may be gone: then it stands at the end, or at the top.
            let place = match at {
                Some(at) => at + 1,
                None if suggestion.block.is_empty() => 0,
                None => kept.len(),
            };
            kept.splice(place..place, pieces(document, suggestion, None));
        }
        SuggestedAction::Replace | SuggestedAction::Delete => {
            let (at, block) = at.zip(block).ok_or(AcceptError::BlockGone)?;
            if block.entry().hash != seen.unwrap_or(&suggestion.hash) {
                return Err(AcceptError::BlockChanged);
            }
            kept.splice(at..=at, pieces(document, suggestion, Some(block.entry())));
        }
    }
    let kept: Vec<(&str, &Kept)> = kept.iter().map(|(id, kept)| (id.as_str(), kept)).collect();
    let mut accepted = in_order(&sides, &kept).ok_or(AcceptError::Disturbs)?;
    accepted.sign(person, &document.manifest());
    Ok(accepted)
}

/// The blocks of a suggestion's text. The first goes on as the block that it replaces.
fn pieces(
    document: &Document,
    suggestion: &Suggestion,
    replaced: Option<&BlockEntry>,
) -> Vec<(String, Kept)> {
    let text = suggestion.markdown.trim_matches(['\n', '\r']);
    let mut pieces: Vec<(String, Kept)> = Vec::new();
    for piece in Anatomy::of_part(text).pieces {
        let own = &text[piece.span];
        let own_hash = hash(own);
        let first = replaced.filter(|_| pieces.is_empty());
        let mut id = first.map_or_else(|| format!("p{}", &own_hash[..6]), |first| first.id.clone());
        let mut copy = 2;
        while first.is_none()
            && (document.position(&id).is_some() || pieces.iter().any(|(other, _)| *other == id))
        {
            id = format!("p{}-{copy}", &own_hash[..6]);
            copy += 1;
        }
        let mut turns = first.map_or_else(Vec::new, |first| first.turns.clone());
        turns.extend(
            suggestion
                .turn
                .iter()
                .filter(|turn| !turns.contains(turn))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let entry = BlockEntry {
            id: id.clone(),
            hash: own_hash,
            author: Author::Human,
            person: None,
            turns,
            locked: first.is_some_and(|first| first.locked),
        };
        let kept = Kept {
            entry,
            text: own.to_owned(),
            kind: Some(piece.kind),
            source: Source::Mine,
            is_others: false,
            contested: None,
        };
        pieces.push((id, kept));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Manifest;

    const TEXT: &str = "# The Road\n\n- salt\n- rope\n\nThe end.\n";

    fn check(action: SuggestedAction, block: &str, markdown: &str, expected: Result<&str, AcceptError>) {
        let document = Document::read(TEXT, &Manifest::of_scribe(TEXT));
        let seen = document
            .position(block)
            .map(|at| document.block_list()[at].entry().hash.clone());
        let suggestion =
            Suggestion::of_turn("c/m1", block, seen.as_deref().unwrap_or("00"), action, markdown);
        let accepted = accept(&document, &suggestion, None, &"ada".parse().unwrap());
        let content = accepted.as_ref().map(Document::content).map_err(|error| *error);
        assert_eq!(content, expected, "{action:?} {block} {markdown:?}");
        if let Ok(accepted) = accepted {
            let again = Document::read(accepted.content(), &accepted.manifest());
            assert_eq!(again.manifest(), accepted.manifest());
            for block in accepted.blocks().filter(|block| !block.is_scribes()) {
                assert_eq!(block.entry().person.as_deref(), Some("ada"));
                assert_eq!(block.entry().turns, ["c/m1"]);
            }
        }
    }

    #[test]
    fn what_is_suggested_is_done() {
        use SuggestedAction::{Delete, Insert, Replace};
        check(
            Replace,
            "b3",
            "An end.",
            Ok("# The Road\n\n- salt\n- rope\n\nAn end.\n"),
        );
        check(
            Replace,
            "b3",
            "An end.\n\nAnd another.\n",
            Ok("# The Road\n\n- salt\n- rope\n\nAn end.\n\nAnd another.\n"),
        );
        check(Delete, "b2", "", Ok("# The Road\n\nThe end.\n"));
        check(Delete, "b3", "", Ok("# The Road\n\n- salt\n- rope\n"));
        check(
            Insert,
            "b1",
            "New.",
            Ok("# The Road\n\nNew.\n\n- salt\n- rope\n\nThe end.\n"),
        );
        check(
            Insert,
            "",
            "New.",
            Ok("New.\n\n# The Road\n\n- salt\n- rope\n\nThe end.\n"),
        );
        check(
            Insert,
            "b9",
            "New.",
            Ok("# The Road\n\n- salt\n- rope\n\nThe end.\n\nNew.\n"),
        );
        check(
            Insert,
            "b2",
            "- more",
            Ok("# The Road\n\n- salt\n- rope\n\n<!-- -->\n\n- more\n\nThe end.\n"),
        );
        check(Delete, "b9", "", Err(AcceptError::BlockGone));
        check(Insert, "b2", "```\nopen", Err(AcceptError::Disturbs));
    }

    #[test]
    fn a_block_that_has_changed_is_not_replaced_unless_the_person_saw_it() {
        let document = Document::read(TEXT, &Manifest::of_scribe(TEXT));
        let suggestion = Suggestion::of_turn("c/m1", "b3", "00", SuggestedAction::Replace, "An end.");
        let person = "ada".parse().unwrap();
        assert_eq!(
            accept(&document, &suggestion, None, &person),
            Err(AcceptError::BlockChanged)
        );
        let seen = &document.block_list()[2].entry().hash;
        assert!(accept(&document, &suggestion, Some(seen), &person).is_ok());
    }
}
