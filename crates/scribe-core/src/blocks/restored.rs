//! An older text of a document, to stand in it again.
//!
//! What the older version knew of its blocks is laid over its text: a block that is restored to what the scribe had
//! written is the scribe's again, with its turns. What is known of a block now and stands in both texts stays: a person
//! may have locked it, or made it theirs, since then.

use std::collections::HashMap;

use super::manifest::{Author, BlockEntry, Manifest};
use super::{Anatomy, Document, Piece, hash};

impl Document {
    /// Reads an older text with what its own manifest knew, and with what the present one knows of the blocks that
    /// are in both. Without a manifest of its own the present one is laid over it.
    #[must_use]
    pub fn restored(content: &str, then: Option<&Manifest>, now: &Manifest) -> Self {
        let anatomy = Anatomy::of(content);
        let text = |piece: &Piece| hash(&content[piece.span.clone()]);
        let hashes: Vec<String> = anatomy.pieces.iter().map(text).collect();
        let mut entries = then.unwrap_or(now).laid_over(&hashes);
        let mut known: HashMap<&str, &BlockEntry> = HashMap::new();
        for entry in now.entries() {
            known.entry(&entry.hash).or_insert(entry);
        }
        for entry in &mut entries {
            let Some(now) = known.get(entry.hash.as_str()) else {
                continue;
            };
            entry.locked |= now.locked;
            if now.author == Author::Human {
                entry.author = Author::Human;
            }
            let more = now.turns.iter().filter(|turn| !entry.turns.contains(turn));
            let more: Vec<String> = more.cloned().collect();
            entry.turns.extend(more);
        }
        // No id of a block that was here since then is given to another one.
        let next_number = now.next_number().max(then.map_or(1, Manifest::next_number));
        Self::with_entries(content, anatomy, entries, next_number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::blocks::Block;

    fn of_turn(content: &str, turn: &str) -> Manifest {
        let mut manifest = Manifest::of_scribe(content);
        for entry in &mut manifest.entries {
            entry.turns = vec![turn.into()];
        }
        manifest
    }

    #[test]
    fn what_the_scribe_had_written_is_the_scribes_again() {
        let old = "# A\n\nThe ferry was late.\n\nNobody came.\n";
        let then = of_turn(old, "c/m1");
        let edited = "# A\n\nThe ferry was on time, and red.\n\nNobody came.\n";
        let now = Document::read(edited, &then);
        assert!(!now.block_list()[1].is_scribes());
        let restored = Document::restored(old, Some(&then), &now.manifest());
        assert_eq!(restored.content(), old);
        assert!(restored.blocks().all(Block::is_scribes));
        assert_eq!(restored.block_list()[1].entry().turns, ["c/m1"]);
    }

    #[test]
    fn what_a_person_has_done_since_to_a_block_of_both_stays() {
        let old = "# A\n\nThe ferry was late.\n\nNobody came.\n";
        let then = of_turn(old, "c/m1");
        let mut now = then.clone();
        now.entries[0].locked = true;
        now.entries[2].author = Author::Human;
        let restored = Document::restored(old, Some(&then), &now);
        let ours: Vec<bool> = restored.blocks().map(Block::is_scribes).collect();
        assert_eq!(ours, [false, true, false]);
    }

    #[test]
    fn a_version_without_a_manifest_is_explained_by_the_present_one() {
        let old = "# A\n\nThe ferry was late.\n";
        let now = of_turn("# A\n\nAnother text.\n\nNobody came.\n", "c/m1");
        let restored = Document::restored(old, None, &now);
        let ours: Vec<bool> = restored.blocks().map(Block::is_scribes).collect();
        assert_eq!(ours, [true, false]);
    }

    #[test]
    fn no_id_comes_back_for_another_block() {
        let old = "# A\n";
        let now = of_turn("# A\n\none\n\ntwo\n", "c/m1");
        assert_eq!(
            Document::restored(old, Some(&of_turn(old, "c/m0")), &now).next_number(),
            4
        );
    }

    proptest! {
        #[test]
        fn any_text_is_restored_as_it_was(then in any::<String>(), now in any::<String>()) {
            let restored = Document::restored(&then, Some(&Manifest::of_scribe(&then)), &Manifest::of_scribe(&now));
            prop_assert_eq!(restored.content(), &then);
            prop_assert!(restored.blocks().all(Block::is_scribes));
        }
    }
}
