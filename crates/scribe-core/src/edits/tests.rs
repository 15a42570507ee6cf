//! Properties that hold for any document and any answer. Cases with a story are scenario folders.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::Seq;
use crate::blocks::{Author, Block, BlockEntry, Document, Manifest, PLACEHOLDER};
use crate::turn::Turn;

use super::*;

mod take_back;

/// What documents and answers are made of here: every construct that reaches beyond its own lines.
const SNIPPETS: [&str; 36] = [
    "# Title",
    "## Section",
    "### Part",
    "Plain words of a paragraph that says a thing or two about Jester and 12 guards.",
    "Two\nlines",
    "Setext\n===",
    "Setext\n---",
    "- one\n- two",
    "1. one\n2. two",
    "7) seven",
    "- [ ] task",
    "- a\n\n    - b\n\n      c",
    "    indented code",
    "  two spaces",
    "```\nfenced\n```",
    "```\nopen",
    "~~~~\nopen ~~~",
    "> quote",
    "> quote\nlazy",
    "> ```\n> open",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "<div>\nhtml\n</div>",
    "<!-- comment -->",
    "<!-- open",
    "<script>\nopen",
    "<pre>",
    "[label]: /url \"title\"",
    "see [label] and [^1]",
    "[^1]: a note",
    "[^2]: a note\n\n    longer",
    "***",
    "---",
    "---\nkey: value\n---",
    "שלום 🐉 עולם",
    "[x](javascript:alert(1)) ![y](https://e.example)",
    PLACEHOLDER,
];

fn markdown() -> impl Strategy<Value = String> {
    let separator = select(vec![
        "\n\n",
        "\n",
        "\r\n\r\n",
        "\n\n\n",
        "\n \t\n",
        "\n\u{c}\n",
        " ",
    ]);
    let piece = prop_oneof![12 => select(&SNIPPETS[..]).prop_map(str::to_owned), 1 => "\\PC{0,12}"];
    let top = select(vec!["", "", "", "\n", "\u{feff}"]);
    let end = select(vec!["", "\n", "\r\n", "  ", "\n\n\n"]);
    (top, vec((piece, separator), 0..8), end).prop_map(|(top, pieces, end)| {
        let body: String = pieces
            .iter()
            .flat_map(|(piece, separator)| [piece.as_str(), separator])
            .collect();
        format!("{top}{body}{end}")
    })
}

/// A document, some blocks of which are a person's or locked: `whose` says which.
fn document(content: &str, whose: &[u8]) -> Document {
    let mut entries: Vec<BlockEntry> = Manifest::of_scribe(content).entries().to_vec();
    for (entry, whose) in entries.iter_mut().zip(whose) {
        match whose {
            0 => entry.author = Author::Human,
            1 => entry.locked = true,
            2 => entry.turns = vec!["c0/m0".into()],
            _ => {}
        }
    }
    Document::read(content, &Manifest::from(entries))
}

/// An edit without its document: the action, which block, the text, and whether the hash is right.
type Draft = (u8, usize, String, bool);

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    vec((0..7_u8, 0..12_usize, markdown(), any::<bool>()), 1..8)
}

/// Edits for a document: most of them name blocks that are there, with the hash that they have.
fn answer(document: &Document, drafts: &[Draft]) -> Answer {
    let edit = |(action, at, markdown, wrong): &Draft| {
        let markdown = markdown.clone();
        let block = document.blocks().nth(at % (document.blocks().len() + 1));
        let (block, hash) = block.map_or(("b99".into(), "0123456789abcdef".into()), |block| {
            (block.id().to_owned(), block.entry().hash.clone())
        });
        let hash = if *wrong { "00000000".into() } else { hash };
        match action {
            0 => Edit::Append {
                section: None,
                markdown,
            },
            1 => Edit::Append {
                section: Some(block),
                markdown,
            },
            2 => Edit::InsertAfter { block, markdown },
            3 => Edit::Delete { block, hash },
            4 => Edit::NewSection {
                behind: wrong.then_some(block),
                markdown,
            },
            5 => Edit::Unknown { markdown },
            _ => Edit::Replace {
                block,
                hash,
                markdown,
            },
        }
    };
    Answer {
        edits: drafts.iter().map(edit).collect(),
        reason: None,
    }
}

fn turn() -> Turn {
    Turn {
        conversation: "default/c1".parse().unwrap(),
        message_id: "m1".parse().unwrap(),
        seq: Seq(1),
        earlier: vec![],
        replaces: None,
        user_message: "Jester and 12 guards; key: value".into(),
        assistant_response: String::new(),
        timestamp: String::new(),
    }
}

/// Every block that no edit replaced or deleted is there, with its bytes, its kind, its place among the others and all
/// that is known of it. Only the placeholder may go, and only the scribe's own blocks are replaced or deleted.
fn check_untouched(before: &Document, woven: &Woven) {
    let replaced = |id: &str| {
        woven
            .outcomes
            .iter()
            .any(|outcome| match (&outcome.edit, &outcome.fate) {
                (
                    Edit::Replace { block, .. } | Edit::Delete { block, .. },
                    Fate::Woven {
                        placed: Placed::AsAsked | Placed::Merged,
                        ..
                    },
                ) => block == id,
                _ => false,
            })
    };
    assert!(
        before
            .blocks()
            .filter(|block| replaced(block.id()))
            .all(Block::is_scribes)
    );
    let facts = |document: &Document, block: &Block| {
        (
            block.entry().clone(),
            block.kind(),
            document.text(block).to_owned(),
        )
    };
    let mut expected: Vec<_> = before
        .blocks()
        .filter(|block| !replaced(block.id()))
        .map(|block| facts(before, block))
        .collect();
    let known: BTreeSet<&str> = before.blocks().map(Block::id).collect();
    let after = woven
        .document
        .blocks()
        .filter(|block| known.contains(block.id()) && !replaced(block.id()));
    let found: Vec<_> = after.map(|block| facts(&woven.document, block)).collect();
    if found.len() < expected.len() {
        let gone = before
            .blocks()
            .find(|block| before.is_placeholder(block) && !replaced(block.id()))
            .unwrap();
        expected.retain(|(entry, ..)| entry.id != gone.id());
    }
    assert_eq!(found, expected);
    let references = |document: &Document| crate::blocks::Anatomy::of(document.content()).references;
    assert_eq!(references(&woven.document), references(before));
}

#[test]
fn an_edit_has_a_longest_text() {
    let markdown = "word ".repeat(4_000);
    let answer = Answer {
        edits: vec![Edit::Append {
            section: None,
            markdown,
        }],
        reason: None,
    };
    let error = weave(&document("# T", &[]), &answer, &turn(), &Bounds::default()).unwrap_err();
    assert_eq!(error.to_string(), "none of 1 edits could be woven: text too long");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn untouched_blocks_stay_what_they_are(content in markdown(), whose in vec(0..6_u8, 24), drafts in drafts()) {
        let document = document(&content, &whose);
        let answer = answer(&document, &drafts);
        match weave(&document, &answer, &turn(), &Bounds::default()) {
            Ok(woven) => {
                check_untouched(&document, &woven);
                let again = Document::read(woven.document.content(), &woven.document.manifest());
                prop_assert_eq!(again.content(), woven.document.content());
                prop_assert_eq!(again.manifest(), woven.document.manifest());
                let ids: BTreeSet<_> = woven.document.blocks().map(Block::id).collect();
                prop_assert_eq!(ids.len(), woven.document.blocks().len());
            }
            Err(error) => {
                prop_assert_eq!(error.outcomes.len(), answer.edits.len());
                prop_assert!(!error.outcomes.iter().any(EditOutcome::is_woven));
            }
        }
        prop_assert_eq!(document.content(), content);
    }

    #[test]
    fn a_newer_document_takes_the_answer_to_an_older_one(
        old in markdown(), newer in markdown(), whose in vec(0..6_u8, 24), drafts in drafts()
    ) {
        let seen = document(&old, &whose);
        let newer = Document::read(&newer, &seen.manifest());
        let turn = turn();
        let weaving = Weaving {
            document: &newer,
            seen: &seen,
            turn: &turn,
            bounds: &Bounds::default(),
            resort: Resort::Append,
        };
        if let Ok(woven) = weaving.weave(&answer(&seen, &drafts)) {
            check_untouched(&newer, &woven);
        }
    }

    #[test]
    fn what_one_answer_wrote_it_does_not_write_twice(content in markdown(), words in vec("[a-z]{3,9}", 6..20)) {
        let answer =
            Answer { edits: vec![Edit::Append { section: None, markdown: words.join(" ") }], reason: None };
        if let Ok(once) = weave(&document(&content, &[]), &answer, &turn(), &Bounds::default()) {
            let twice = weave(&once.document, &answer, &turn(), &Bounds::default()).unwrap();
            prop_assert_eq!(twice.document.content(), once.document.content());
        }
    }

    #[test]
    fn any_text_is_an_answer_or_an_error(text in "\\PC*", json in "[{}\\[\\]\":,a-z0-9_ ]{0,60}") {
        let _ = Answer::parse(&text);
        let _ = Answer::parse(&json);
    }
}
