//! A whole document that the model wrote anew, taken as edits: what it kept, what it changed, what it added and what
//! it left out. The edits then go through the same checks as any others, so a careless rewrite loses nothing.

use std::collections::HashSet;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::blocks::{Anatomy, Block, Document, Kind, hash};
use crate::words::Bag;

use super::answer::{Answer, AnswerError, Edit, unwrapped, without_thoughts};
use super::facts::is_within;
use super::splice::is_separator;

/// What a model answers where the turn changes nothing, with the reason behind it.
pub const NO_CHANGE: &str = "NO CHANGE";

/// Which share of its words a heading or a paragraph keeps if it was changed. With less it was left out, and what
/// stands there is new: taking one sentence for another would lose the first.
const KEPT_OF_PROSE: f64 = 0.75;

/// From which likeness on (0 to 1, by words) a list, a table or another block is one of the document's, changed.
const CHANGED_LIKENESS: f64 = 0.4;

/// The most pairs of blocks that are compared with each other.
const MOST_PAIRS: usize = 40_000;

/// A block of the rewrite.
struct New<'a> {
    kind: Kind,
    text: &'a str,
    hash: String,
}

impl Answer {
    /// Reads a rewritten document as edits to the document that the model saw.
    ///
    /// # Errors
    /// [`AnswerError::NoReason`] if it is empty, or says that nothing changes and not why;
    /// [`AnswerError::NoDocument`] if it is JSON.
    pub fn of_rewrite(text: &str, seen: &Document) -> Result<Self, AnswerError> {
        let text = document_in(text, seen);
        if let Some(reason) = reason_for_no_change(text) {
            return Self::unchanged(reason);
        }
        if text.starts_with('{') && serde_json::from_str::<serde_json::Value>(text).is_ok() {
            return Err(AnswerError::NoDocument);
        }
        let pieces = Anatomy::of(text).pieces;
        let new = pieces.iter().map(|piece| New {
            kind: piece.kind,
            text: &text[piece.span.clone()],
            hash: hash(&text[piece.span.clone()]),
        });
        let new: Vec<New<'_>> = new.collect();
        if new.is_empty() {
            return Err(AnswerError::NoReason);
        }
        let old: Vec<&Block> = seen
            .blocks()
            .filter(|block| !seen.is_placeholder(block) && !is_separator(seen, block))
            .collect();
        let edits = edits(seen, &old, &new);
        if edits.is_empty() {
            return Self::unchanged("the document is as it was");
        }
        Ok(Self { edits, reason: None })
    }

    fn unchanged(reason: &str) -> Result<Self, AnswerError> {
        if reason.is_empty() {
            return Err(AnswerError::NoReason);
        }
        Ok(Self {
            edits: Vec::new(),
            reason: Some(reason.to_owned()),
        })
    }
}

/// What stands behind [`NO_CHANGE`]. In other letters it counts only as the line that was asked for: a document may
/// begin with these words.
fn reason_for_no_change(text: &str) -> Option<&str> {
    let bare = text.trim_start_matches(['*', '_', '`']);
    let (said, behind) = bare.split_at_checked(NO_CHANGE.len())?;
    let is_line = behind.trim_start_matches(['*', '_', '`']).starts_with(':') && !text.contains('\n');
    let counts = text.starts_with(NO_CHANGE) || (said.eq_ignore_ascii_case(NO_CHANGE) && is_line);
    counts.then(|| behind.trim_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '*' | '_' | '`')))
}

/// The document in an answer: all of it, or what stands in a fence around it, with a word before the fence or without
/// one. Documents have fences of their own, so it is the one that has most of the blocks that were seen.
fn document_in<'a>(text: &'a str, seen: &Document) -> &'a str {
    let all = without_thoughts(text);
    let fence = all.find("\n```").map_or("", |at| &all[at + 1..]);
    let known: HashSet<&str> = seen.blocks().map(|block| block.entry().hash.as_str()).collect();
    let kept = |text: &str| {
        let pieces = Anatomy::of(text).pieces;
        let is_known = |span: Range<usize>| known.contains(hash(&text[span]).as_str());
        pieces
            .into_iter()
            .filter(|piece| is_known(piece.span.clone()))
            .count()
    };
    // Of those with as many blocks the first.
    let mut best = (unwrapped(text), kept(unwrapped(text)));
    for candidate in [all, unwrapped(fence)] {
        let count = kept(candidate);
        if count > best.1 {
            best = (candidate, count);
        }
    }
    best.0
}

fn edits(seen: &Document, old: &[&Block], new: &[New<'_>]) -> Vec<Edit> {
    let old_hashes: Vec<&str> = old.iter().map(|block| block.entry().hash.as_str()).collect();
    let new_hashes: Vec<&str> = new.iter().map(|block| block.hash.as_str()).collect();
    // For each block of the rewrite the one that it was.
    let mut was: Vec<Option<usize>> = vec![None; new.len()];
    for op in capture_diff_slices(Algorithm::Myers, &old_hashes, &new_hashes) {
        match op {
            DiffOp::Equal {
                old_index,
                new_index,
                len,
            } => {
                for at in 0..len {
                    was[new_index + at] = Some(old_index + at);
                }
            }
            DiffOp::Replace {
                old_index,
                old_len,
                new_index,
                new_len,
            } => {
                let old = &old[old_index..old_index + old_len];
                for (of_old, of_new) in pairs(seen, old, &new[new_index..new_index + new_len]) {
                    was[new_index + of_new] = Some(old_index + of_old);
                }
            }
            DiffOp::Delete { .. } | DiffOp::Insert { .. } => {}
        }
    }
    let mut kept = vec![false; old.len()];
    for &was in was.iter().flatten() {
        kept[was] = true;
    }
    let left_out: Vec<&str> = old
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| !**kept)
        .map(|(block, _)| seen.text(block))
        .collect();
    // A rewrite that broke off within a block: the block stays whole, and a part of it adds nothing.
    let is_a_part = |text: &str| {
        left_out.len() * new.len() <= MOST_PAIRS && left_out.iter().any(|whole| is_within(text, whole))
    };
    let mut edits = Vec::new();
    let mut added: Vec<&str> = Vec::new();
    for (block, was) in new.iter().zip(&was) {
        let Some(was) = *was else {
            if !is_a_part(block.text) {
                added.push(block.text);
            }
            continue;
        };
        edits.extend(insertion(&mut added, old.get(was.saturating_sub(1))));
        let entry = old[was].entry();
        if entry.hash != block.hash {
            edits.push(Edit::Replace {
                block: entry.id.clone(),
                hash: entry.hash.clone(),
                markdown: block.text.to_owned(),
            });
        }
    }
    edits.extend(insertion(&mut added, old.last()));
    let gone = old.iter().zip(kept).filter(|(_, kept)| !kept);
    edits.extend(gone.map(|(block, _)| Edit::Delete {
        block: block.id().to_owned(),
        hash: block.entry().hash.clone(),
    }));
    edits
}

/// The added blocks, to be put behind a block: the one before the next that was kept, also where that one was left out,
/// because it may stay all the same.
fn insertion(added: &mut Vec<&str>, last: Option<&&Block>) -> Option<Edit> {
    if added.is_empty() {
        return None;
    }
    let markdown = added.join("\n\n");
    added.clear();
    Some(match last {
        Some(block) => Edit::InsertAfter {
            block: block.id().to_owned(),
            markdown,
        },
        None => Edit::Append {
            section: None,
            markdown,
        },
    })
}

/// Which blocks of a run became which of another one: in order, the likest together.
fn pairs(seen: &Document, old: &[&Block], new: &[New<'_>]) -> Vec<(usize, usize)> {
    if old.len() * new.len() > MOST_PAIRS {
        // A rewrite from end to end. What cannot be told apart is taken as added and left out.
        return Vec::new();
    }
    let old_bags: Vec<Bag> = old.iter().map(|block| Bag::of(seen.text(block))).collect();
    let new_bags: Vec<Bag> = new.iter().map(|block| Bag::of(block.text)).collect();
    let likeness = |at: usize, of_new: usize| {
        let likeness = old_bags[at].likeness(&new_bags[of_new]);
        let is_changed = match old[at].kind() {
            kind if kind != new[of_new].kind => false,
            Kind::Heading(_) | Kind::Paragraph => old_bags[at].share_in(&new_bags[of_new]) >= KEPT_OF_PROSE,
            // A list may grow a lot and still be the same one.
            _ => likeness >= CHANGED_LIKENESS,
        };
        if is_changed { likeness } else { 0.0 }
    };
    // The best sum of likenesses of everything from (at, of_new) on.
    let width = new.len() + 1;
    let mut best = vec![0.0_f64; (old.len() + 1) * width];
    for at in (0..old.len()).rev() {
        for of_new in (0..new.len()).rev() {
            let apart = best[(at + 1) * width + of_new].max(best[at * width + of_new + 1]);
            let together = likeness(at, of_new);
            let together = if together > 0.0 {
                together + best[(at + 1) * width + of_new + 1]
            } else {
                0.0
            };
            best[at * width + of_new] = apart.max(together);
        }
    }
    let (mut at, mut of_new) = (0, 0);
    let mut found = Vec::new();
    while at < old.len() && of_new < new.len() {
        let here = best[at * width + of_new];
        if here <= best[(at + 1) * width + of_new] {
            at += 1;
        } else if here <= best[at * width + of_new + 1] {
            of_new += 1;
        } else {
            found.push((at, of_new));
            at += 1;
            of_new += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Manifest;

    const SEEN: &str = "# Emon\n\nThe old city stands by the grey sea.\n\nForty ships lie at anchor in the harbour.\n\n- salt\n- tar";

    fn check(rewritten: &str, expected: &[&str]) {
        let seen = Document::read(SEEN, &Manifest::of_scribe(SEEN));
        let answer = Answer::of_rewrite(rewritten, &seen).unwrap();
        let told = |edit: &Edit| {
            let block = edit.block().unwrap_or("end");
            format!("{} {block} {:?}", edit.action(), edit.markdown())
        };
        let found: Vec<String> = answer.edits.iter().map(told).collect();
        assert_eq!(found, expected, "{rewritten}");
    }

    #[test]
    fn what_changed_becomes_edits() {
        check(SEEN, &[]);
        check(&format!("```markdown\n{SEEN}\n```"), &[]);
        check(
            &format!("{SEEN}\n\nA new part."),
            &[r#"insert_after b4 "A new part.""#],
        );
        check(
            "# Emon\n\nThe old city stands by the green sea.\n\nForty ships lie at anchor in the harbour.\n\nTwo of them burn.\n\nAll night.\n\n- salt\n- tar\n- oars",
            &[
                r#"replace b2 "The old city stands by the green sea.""#,
                r#"insert_after b3 "Two of them burn.\n\nAll night.""#,
                r#"replace b4 "- salt\n- tar\n- oars""#,
            ],
        );
        check(
            "# Emon\n\nForty ships lie at anchor in the harbour.\n\n- salt\n- tar",
            &[r#"delete b2 """#],
        );
        check(
            "Something else altogether.",
            &[
                r#"insert_after b4 "Something else altogether.""#,
                r#"delete b1 """#,
                r#"delete b2 """#,
                r#"delete b3 """#,
                r#"delete b4 """#,
            ],
        );
    }

    #[test]
    fn words_around_the_document_are_not_part_of_it() {
        check(
            &format!("Here is the updated document:\n\n```markdown\n{SEEN}\n```"),
            &[],
        );
        let with_code = format!("{SEEN}\n\n```\nA part of its own.\n```");
        check(&with_code, &[r#"insert_after b4 "```\nA part of its own.\n```""#]);
        let seen = Document::read(SEEN, &Manifest::of_scribe(SEEN));
        let json = r#"{"edits":[],"reason":"small talk"}"#;
        assert_eq!(Answer::of_rewrite(json, &seen), Err(AnswerError::NoDocument));
        for line in [
            "No change: small talk",
            "**NO CHANGE:** small talk",
            "**No change**: small talk",
        ] {
            let answer = Answer::of_rewrite(line, &seen).unwrap();
            assert_eq!(answer.reason.as_deref(), Some("small talk"), "{line}");
        }
        let sentence = Answer::of_rewrite("No change of heart came to her.", &seen).unwrap();
        assert!(!sentence.edits.is_empty());
    }

    #[test]
    fn no_change_needs_a_reason() {
        let seen = Document::read(SEEN, &Manifest::of_scribe(SEEN));
        let answer = Answer::of_rewrite("NO CHANGE: small talk", &seen).unwrap();
        assert_eq!(
            (answer.edits.len(), answer.reason.as_deref()),
            (0, Some("small talk"))
        );
        for nothing in ["NO CHANGE", "NO CHANGE:", "", " \n", "```\n```"] {
            assert_eq!(
                Answer::of_rewrite(nothing, &seen),
                Err(AnswerError::NoReason),
                "{nothing:?}"
            );
        }
    }
}
