//! The examples of the CommonMark specification, of GitHub's extensions to it, and those that the parser collected
//! from its users. They are not ours to copy: they come with the parser's package, in the version that Cargo.lock
//! names, as the tests that it runs itself.

use std::fs;

use cargo_metadata::MetadataCommand;
use scribe_core::blocks::{Block, Document, Kind, Manifest};
use scribe_core::edits::{Bounds, EditOutcome, weave};
use serde_json::json;

use crate::case::{answer_of, turn};
use crate::oracle;

/// The parser's files, and how many examples each has at least. Its tests of syntax that documents are not read with
/// are texts like any other.
const FILES: [(&str, usize); 8] = [
    ("spec", 652),
    ("gfm_table", 9),
    ("gfm_strikethrough", 3),
    ("gfm_tasklist", 2),
    ("table", 28),
    ("footnotes", 26),
    ("metadata_blocks", 12),
    ("regression", 200),
];

fn examples() -> Vec<String> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let options = ["--locked", "--offline", "--filter-platform", &platform].map(str::to_owned);
    let metadata = MetadataCommand::new().other_options(options).exec().unwrap();
    let parser = metadata
        .packages
        .iter()
        .find(|package| package.name == "pulldown-cmark");
    let folder = parser
        .unwrap()
        .manifest_path
        .with_file_name("tests")
        .join("suite");
    let mut examples = Vec::new();
    for (name, at_least) in FILES {
        let file = folder.join(format!("{name}.rs"));
        let code = fs::read_to_string(&file).unwrap_or_else(|error| {
            panic!("{file}: {error}: the parser no longer brings the specification's examples along, find a package that does")
        });
        let before = examples.len();
        let found = code.split("let original = r##\"").skip(1);
        examples.extend(found.map(|rest| rest.split_once("\"##;").unwrap().0.to_owned()));
        let found = examples.len() - before;
        assert!(
            found >= at_least,
            "{file} has {found} examples, {at_least} were there"
        );
    }
    examples
}

/// An example as it is, with other line breaks, with a byte order mark, and without its last line break.
fn forms(example: &str) -> [String; 5] {
    [
        example.to_owned(),
        example.replace('\n', "\r\n"),
        example.replace('\n', "\r"),
        format!("\u{feff}{example}"),
        example.trim_end_matches('\n').to_owned(),
    ]
}

/// Two examples in one document, a sample of all pairs that is the same in every run.
fn pairs(examples: &[String]) -> impl Iterator<Item = String> {
    let count = examples.len();
    (0..4_000_usize).map(move |number| {
        let (first, second) = (
            number * 7_919 % count,
            (number * 104_729 + number / count) % count,
        );
        let between = ["\n", "", "\n\n\n", "\r\n"][number % 4];
        format!("{}{between}{}", examples[first], examples[second])
    })
}

fn read(content: &str) -> Document {
    let document = Document::read(content, &Manifest::of_scribe(content));
    assert!(document.blocks().all(Block::is_scribes));
    document
}

/// How many edits were woven and how many refused.
#[derive(Debug, Default)]
struct Tally {
    woven: usize,
    refused: usize,
}

/// Weaves one edit, and holds the outcome against the oracle.
fn try_edit(document: &Document, said: &str, edit: &serde_json::Value, tally: &mut Tally) {
    let answer = answer_of(document, json!({ "edits": [edit], "reason": null })).unwrap();
    let result = weave(document, &answer, &turn(said), &Bounds::default());
    oracle::check_woven(document, &answer, &result);
    match result {
        Ok(woven) if woven.outcomes.iter().any(EditOutcome::is_woven) => {
            tally.woven += 1;
            let added = woven.document.blocks().len().checked_sub(document.blocks().len());
            assert!(
                added.is_some_and(|added| added <= 3),
                "blocks disappeared or came up"
            );
        }
        _ => tally.refused += 1,
    }
}

/// New text at the end and behind each block, and other text for each block.
fn edit_everywhere(content: &str, inserts: &mut Tally, replaces: &mut Tally) {
    const NEW: &str = "Wholly new words stand here.";
    let document = read(content);
    let append = json!({ "action": "append", "block": null, "hash": null, "markdown": NEW });
    try_edit(&document, NEW, &append, inserts);
    for block in document.blocks() {
        let insert = json!({ "action": "insert_after", "block": block.id(), "hash": null, "markdown": NEW });
        try_edit(&document, NEW, &insert, inserts);
        if matches!(block.kind(), Kind::Heading(_)) {
            continue;
        }
        // The turn says all that the block says, so that no check of facts stands in the way.
        let old = document.text(block);
        let words: Vec<&str> = old
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let text = format!("Wholly {} new.", words.join(" "));
        let replace = json!({ "action": "replace", "block": block.id(), "hash": "now", "markdown": text });
        try_edit(&document, &format!("{old} {text}"), &replace, replaces);
    }
}

#[test]
fn every_example_is_read_as_it_is() {
    let examples = examples();
    let forms = examples.iter().flat_map(|example| forms(example));
    let mut read_so_far = 0;
    for content in forms.chain(pairs(&examples)) {
        oracle::check_read(&content, &read(&content));
        read_so_far += 1;
    }
    println!("{} examples, {read_so_far} texts read", examples.len());
}

#[test]
fn an_edit_of_an_example_changes_nothing_else() {
    let examples = examples();
    let (mut inserts, mut replaces) = (Tally::default(), Tally::default());
    let forms = examples.iter().flat_map(|example| forms(example));
    for example in forms.chain(pairs(&examples).step_by(5)) {
        edit_everywhere(&example, &mut inserts, &mut replaces);
    }
    println!("inserts {inserts:?}, replaces {replaces:?}");
    assert!(inserts.woven > 50 * inserts.refused, "{inserts:?}");
    assert!(replaces.woven > 2 * replaces.refused, "{replaces:?}");
}
