//! What people do to a document, and which of its blocks keep their ids, authors and turns.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use scribe_core::blocks::{Author, Block, Document, Manifest};

use crate::case::document;
use crate::oracle;

const BEFORE: &str = "# Emon

The old city stands by the grey sea, and forty ships lie in its harbour.

- salt from the north
- tar and rope

Percy keeps the gates; nobody else has a key. Vex watches from the tower with her bear at night.

See [the map](https://maps.example) of the town.
";

/// What is replaced by what.
type Changes = &'static [(&'static str, &'static str)];

/// Saves by people: what they replace by what, and the blocks that come of it, as `id` or `new`, with `!` where a
/// person is the author now, and the number of turns.
const SAVES: [(&str, Changes, &str); 17] = [
    ("nothing", &[], "b1/1 b2/1 b3/1 b4/1 b5/1"),
    (
        "a word",
        &[("grey sea", "green sea")],
        "b1/1 b2!/1 b3/1 b4/1 b5/1",
    ),
    (
        "a word, and a block before it",
        &[("# Emon\n", "# Emon\n\nBy Scanlan.\n"), ("grey", "green")],
        "b1/1 new!/0 b2!/1 b3/1 b4/1 b5/1",
    ),
    (
        "two blocks edited, one added between",
        &[
            ("grey", "green"),
            ("- salt", "Wares of all sorts:\n\n- salt"),
            ("tar and", "tar, oars and"),
        ],
        "b1/1 b2!/1 new!/0 b3!/1 b4/1 b5/1",
    ),
    (
        "one removed beside an edited one",
        &[
            (
                "The old city stands by the grey sea, and forty ships lie in its harbour.\n\n",
                "",
            ),
            ("tar and", "tar, oars and"),
        ],
        "b1/1 b3!/1 b4/1 b5/1",
    ),
    (
        "one edited and moved to the end",
        &[
            ("- salt from the north\n- tar and rope\n\n", ""),
            ("town.\n", "town.\n\n- salt from the far north\n- tar and rope\n"),
        ],
        "b1/1 b2/1 b4/1 b5/1 b3!/1",
    ),
    (
        "split in two",
        &[("key. Vex", "key.\n\nVex")],
        "b1/1 b2/1 b3/1 new!/1 b4!/1 b5/1",
    ),
    (
        "joined",
        &[(
            "harbour.\n\n- salt from the north\n- tar and rope\n\nPercy",
            "harbour. Percy",
        )],
        "b1/1 b4!/2 b5/1",
    ),
    (
        "everything else",
        &[("# Emon", "# Wildmount"), ("sea", "lake")],
        "b1!/1 b2!/1 b3/1 b4/1 b5/1",
    ),
    (
        "other list markers",
        &[("- salt", "* salt"), ("- tar", "* tar")],
        "b1/1 b2/1 b3/1 b4/1 b5/1",
    ),
    (
        "other wrapping",
        &[("sea, and", "sea,\nand")],
        "b1/1 b2/1 b3/1 b4/1 b5/1",
    ),
    (
        "another address",
        &[("maps.example", "other.example")],
        "b1/1 b2/1 b3/1 b4/1 b5!/1",
    ),
    (
        "another emphasis",
        &[("grey", "*grey*")],
        "b1/1 b2!/1 b3/1 b4/1 b5/1",
    ),
    (
        "another rank",
        &[("# Emon", "## Emon")],
        "b1!/1 b2/1 b3/1 b4/1 b5/1",
    ),
    (
        "Windows' line breaks",
        &[("\n", "\r\n")],
        "b1/1 b2/1 b3/1 b4/1 b5/1",
    ),
    ("all of it gone", &[(BEFORE, "")], ""),
    (
        "all of it new",
        &[(BEFORE, "Wholly new words.\n\nTwice.")],
        "new!/0 new!/0",
    ),
];

fn told(before: &Document, after: &Document) -> String {
    let known: BTreeSet<&str> = before.blocks().map(Block::id).collect();
    let block = |block: &Block| {
        let id = if known.contains(block.id()) {
            block.id()
        } else {
            "new"
        };
        let author = if block.entry().author == Author::Human {
            "!"
        } else {
            ""
        };
        format!("{id}{author}/{}", block.entry().turns.len())
    };
    after.blocks().map(block).collect::<Vec<_>>().join(" ")
}

/// A document whose blocks have a turn of their own each.
fn with_turns(content: &str) -> Document {
    let mut entries = document(content, "").manifest().entries().to_vec();
    for entry in &mut entries {
        entry.turns = vec![format!("c0/{}", entry.id)];
    }
    Document::read(content, &Manifest::from(entries))
}

#[test]
fn blocks_keep_their_ids_through_saves() {
    let before = with_turns(BEFORE);
    let failures: Vec<String> = SAVES
        .iter()
        .filter_map(|(name, changes, expected)| {
            let change = |text: String, (from, to): &(&str, &str)| {
                assert!(text.contains(from), "{name}: {from:?} is not there");
                text.replace(from, to)
            };
            let content = changes.iter().fold(BEFORE.to_owned(), change);
            let after = Document::read_after(&content, &before);
            oracle::check_read(&content, &after);
            let found = told(&before, &after);
            (found != *expected).then(|| format!("{name}: expected {expected}, found {found}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_locked_block_stays_locked_when_it_is_edited_or_joined() {
    let before = document("One two three four five.\n\nSix seven eight nine ten.", "ls");
    let edited = Document::read_after("One two three four, five!\n\nSix seven eight nine ten.", &before);
    assert!(edited.blocks().next().unwrap().entry().locked);
    let joined = Document::read_after("One two three four five. Six seven eight nine ten.", &before);
    assert!(joined.blocks().next().unwrap().entry().locked);
}

/// Square time would be sixty-four times as much for eight times the blocks; the rest is left to the machine's moods.
#[test]
fn a_rewrite_of_two_thousand_blocks_is_not_compared_pair_by_pair() {
    let text = |blocks: usize, salt: usize| {
        let block = |at: usize| {
            let word = |number: usize| {
                (at * 31 + number * number * 7 + salt * usize::from(number.is_multiple_of(6))) % (2 * blocks)
            };
            let words: Vec<String> = (0..60).map(|number| format!("w{}", word(number))).collect();
            format!("The {at} and {}.\n\n", words.join(" "))
        };
        (0..blocks).map(block).collect::<String>()
    };
    let time = |blocks: usize| {
        let before = with_turns(&text(blocks, 0));
        let saved = format!("New above all.\n\n{}", text(blocks, 1));
        let begun = Instant::now();
        let after = Document::read_after(&saved, &before);
        let took = begun.elapsed();
        let pairs = after.blocks().skip(1).zip(before.blocks());
        let kept = pairs.filter(|(after, before)| after.id() == before.id()).count();
        println!("{blocks} edited blocks: {took:?}, {kept} keep their ids");
        assert!(kept * 20 > blocks * 19, "{kept} of {blocks}");
        took
    };
    let few = (0..3).map(|_| time(250)).min().unwrap();
    let many = (0..3).map(|_| time(2_000)).min().unwrap();
    assert!(
        many < few.max(Duration::from_millis(5)) * 30,
        "{few:?} becomes {many:?}"
    );
}

/// What a person does to a list of blocks: which one, what, and with which words.
fn deeds() -> impl Strategy<Value = Vec<(u8, usize, String)>> {
    vec((0..5_u8, 0..64_usize, "[a-z]{2,9}( [a-z]{2,9}){0,12}"), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_person_left_alone_stays_as_it_was(
        words in vec("[a-z]{2,9}( [a-z]{2,9}){2,12}", 1..12), whose in "[shlt]{12}", deeds in deeds()
    ) {
        let content = words.iter().enumerate().map(|(at, words)| format!("u{at} {words}\n\n")).collect::<String>();
        let before = document(&content, &whose);
        let mut blocks: Vec<(String, Option<String>)> = before
            .blocks()
            .map(|block| (before.text(block).to_owned(), Some(block.id().to_owned())))
            .collect();
        for (deed, at, words) in deeds {
            let at = at % (blocks.len() + 1);
            match deed {
                0 => blocks.insert(at, (format!("n{at} {words}"), None)),
                1 if at < blocks.len() => drop(blocks.remove(at)),
                2 if at < blocks.len() => {
                    let moved = blocks.remove(at);
                    blocks.insert(words.len() % (blocks.len() + 1), moved);
                }
                3 if at < blocks.len() => blocks[at] = (format!("{} {words}", blocks[at].0), None),
                4 if at < blocks.len() => blocks[at] = (words, None),
                _ => {}
            }
        }
        let texts: Vec<&str> = blocks.iter().map(|(text, _)| text.as_str()).collect();
        let after = Document::read_after(&texts.join("\n\n"), &before);
        oracle::check_read(&texts.join("\n\n"), &after);
        let again = Document::read_after(&texts.join("\n\n"), &before);
        prop_assert_eq!(&after, &again);
        for (block, (text, id)) in after.blocks().zip(&blocks) {
            prop_assert_eq!(after.text(block), text);
            if let Some(id) = id {
                let was = before.blocks().find(|before| before.id() == id).unwrap();
                prop_assert_eq!(block.entry(), was.entry());
            } else if !before.blocks().any(|before_block| before.text(before_block) == text) {
                prop_assert_eq!(block.entry().author, Author::Human);
            }
        }
    }
}
