//! One case for the oracle: a document, whose its blocks are, a turn, and an answer; written as a text that people can
//! read and fuzzers can change.
//!
//! ```text
//! # The document
//! %%%% shl
//! %%%% what the turn says
//! %%%% the document as a person saved it meanwhile, or nothing
//! %%%%
//! !replace b2
//! The text of an edit.
//! !append
//! The text of another one.
//! ```
//!
//! A letter for each block says whose it is: `h` a person's, `l` locked, `t` the scribe's with a turn, anything else
//! the scribe's. An answer that begins with a brace is one as the model writes it. A hash of `now` is the block's own.

use scribe_core::blocks::{Author, BlockEntry, Document, Manifest};
use scribe_core::edits::{Answer, AnswerError, Bounds, EditOutcome, Resort, Weaving};
use scribe_core::{Seq, Turn};
use serde_json::{Value, json};

use crate::oracle;

/// A turn that says this.
pub(crate) fn turn(said: &str) -> Turn {
    Turn {
        conversation: "default/c1".parse().unwrap(),
        message_id: "m1".parse().unwrap(),
        seq: Seq(1),
        earlier: Vec::new(),
        replaces: None,
        user_message: said.to_owned(),
        assistant_response: String::new(),
        timestamp: String::new(),
    }
}

/// An answer to a document; a hash of `now` becomes that of the block.
pub(crate) fn answer_of(document: &Document, mut answer: Value) -> Result<Answer, AnswerError> {
    for edit in answer["edits"].as_array_mut().into_iter().flatten() {
        if edit["hash"] == "now" {
            let block = document.blocks().find(|block| edit["block"] == block.id());
            edit["hash"] = json!(block.map_or("now", |block| &block.entry().hash));
        }
    }
    Answer::parse(&answer.to_string())
}

/// A document whose blocks are whose the letters say.
pub(crate) fn document(content: &str, whose: &str) -> Document {
    let mut entries: Vec<BlockEntry> = Manifest::of_scribe(content).entries().to_vec();
    for (entry, whose) in entries.iter_mut().zip(whose.chars()) {
        match whose {
            'h' => entry.author = Author::Human,
            'l' => entry.locked = true,
            't' => entry.turns = vec!["c0/m0".into()],
            _ => {}
        }
    }
    Document::read(content, &Manifest::from(entries))
}

/// Reads a case and holds it against the oracle.
pub(crate) fn check(case: &str) {
    let mut parts = case
        .splitn(5, "\n%%%%")
        .map(|part| part.strip_prefix(' ').unwrap_or(part));
    let [content, whose, said, newer, asked] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let seen = document(content, whose);
    oracle::check_read(content, &seen);
    let saved = (!newer.is_empty()).then(|| Document::read(newer, &seen.manifest()));
    if let Some(saved) = &saved {
        oracle::check_read(newer, saved);
    }
    let answer = if asked.trim_start().starts_with('{') {
        Answer::parse(asked)
    } else {
        answer_of(&seen, json!({ "edits": edits(asked), "reason": null }))
    };
    if let Ok(answer) = answer {
        check_answer(saved.as_ref().unwrap_or(&seen), &seen, &answer, &turn(said));
    }
    if let Ok(rewrite) = Answer::of_rewrite(asked, &seen) {
        check_answer(saved.as_ref().unwrap_or(&seen), &seen, &rewrite, &turn(said));
    }
}

/// Weaves an answer, as it is done at first and as a last resort, and once more into what came of it, as after a
/// conflict. Returns what became of the edits at first.
pub(crate) fn check_answer(
    document: &Document,
    seen: &Document,
    answer: &Answer,
    turn: &Turn,
) -> Vec<EditOutcome> {
    let bounds = Bounds::default();
    let mut first = None;
    for resort in [Resort::Refuse, Resort::Append] {
        let weaving = Weaving {
            document,
            seen,
            turn,
            bounds: &bounds,
            resort,
        };
        let result = weaving.weave(answer);
        oracle::check_woven(document, answer, &result);
        if let Ok(woven) = &result {
            let again = Weaving {
                document: &woven.document,
                ..weaving
            };
            oracle::check_woven(&woven.document, answer, &again.weave(answer));
        }
        let outcomes = result.map_or_else(|error| error.outcomes, |woven| woven.outcomes);
        first.get_or_insert(outcomes);
    }
    first.unwrap_or_default()
}

fn edits(asked: &str) -> Vec<Value> {
    let edit = |edit: &str| {
        let (head, markdown) = edit.split_once('\n').unwrap_or((edit, ""));
        let mut head = head.split(' ');
        let (action, block, hash) = (head.next(), head.next(), head.next());
        json!({ "action": action, "block": block, "hash": hash.or(Some("now")), "markdown": markdown })
    };
    asked.split("\n!").skip(1).map(edit).collect()
}
