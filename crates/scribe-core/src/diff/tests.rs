//! Differences of documents.

use proptest::prelude::*;

use super::*;
use crate::blocks::Manifest;

fn read(text: &str) -> Document {
    Document::read(text, &Manifest::of_scribe(text))
}

fn by_text(text: &str) -> Document {
    Document::read(text, &Manifest::default())
}

/// The difference in one line for each block: `=` kept, `+` added, `-` removed, `~` changed, `>` moved.
fn shape(from: &str, to: &str) -> Vec<String> {
    let (from, to) = (by_text(from), by_text(to));
    let difference = Difference::between(&from, &to);
    assert_eq!(difference.applied(&from).as_deref(), Some(to.content()));
    let line = |block: &BlockChange| {
        let sign = match block.change {
            Change::Kept => '=',
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
            Change::Moved => '>',
        };
        let words: String = block
            .words
            .iter()
            .map(|word| match word {
                WordChange::Kept(text) => text.clone(),
                WordChange::Removed(text) => format!("[-{text}-]"),
                WordChange::Added(text) => format!("[+{text}+]"),
            })
            .collect();
        format!("{sign} {}{words}", block.text.as_deref().unwrap_or_default())
    };
    difference.blocks.iter().map(line).collect()
}

#[test]
fn a_changed_block_shows_its_words() {
    let from = "# The Coast\n\nOn Friday the crew meets Jester at the docks.\n\nThe end.\n";
    let to = "# The Coast\n\nOn Saturday the crew meets Jester at the docks.\n\nThe end.\n";
    assert_eq!(
        shape(from, to),
        [
            "= # The Coast",
            "~ On [-Friday-][+Saturday+] the crew meets Jester at the docks.",
            "= The end.",
        ]
    );
}

#[test]
fn blocks_come_and_go() {
    let from = "# A\n\nThe ferry was late.\n\nNobody came.\n";
    let to = "# A\n\nA lantern burned all night.\n\nNobody came.\n\n- salt\n";
    assert_eq!(
        shape(from, to),
        [
            "= # A",
            "+ A lantern burned all night.",
            "- The ferry was late.",
            "= Nobody came.",
            "+ - salt",
        ]
    );
    assert_eq!(shape("one\n", ""), ["- one"]);
    assert_eq!(shape("", "one"), ["+ one"]);
    assert!(shape("", "").is_empty());
}

#[test]
fn a_block_that_stands_elsewhere_was_moved() {
    let from = "# A\n\nfirst words here\n\nsecond words there\n\nthird words nowhere\n";
    let to = "# A\n\nthird words nowhere\n\nfirst words here\n\nsecond words there\n";
    assert_eq!(
        shape(from, to),
        [
            "= # A",
            "> third words nowhere",
            "= first words here",
            "= second words there",
        ]
    );
}

#[test]
fn ids_tell_what_words_do_not() {
    let from = read("The old gate.\n\nA wall of stone and moss.\n");
    let text = "A wall of stone, moss and ivy.\n\nSomething else entirely, new from end to end.\n";
    // The manifest says that the second block became the first, and that the first was written anew below it.
    let mut entries = from.manifest().entries().to_vec();
    entries.swap(0, 1);
    let to = Document::read(text, &Manifest::from(entries));
    let difference = Difference::between(&from, &to);
    assert_eq!(difference.applied(&from).as_deref(), Some(text));
    let places: Vec<_> = difference
        .blocks
        .iter()
        .map(|block| (block.from, block.to))
        .collect();
    assert!(places.contains(&(Some(1), Some(0))), "{difference:?}");
}

#[test]
fn blank_space_is_part_of_it() {
    let (from, to) = (by_text("a\n\nb\n"), by_text("\n\na\n\n\n\nb"));
    let difference = Difference::between(&from, &to);
    assert_eq!(difference.counts.kept, 2);
    assert_eq!(difference.applied(&from).as_deref(), Some("\n\na\n\n\n\nb"));
    let back = Difference::between(&to, &from);
    assert_eq!((back.end.as_str(), &back.blocks[0].before), ("\n", &None));
    assert_eq!(difference.blocks[1].before.as_deref(), Some("\n\n\n\n"));
}

#[test]
fn another_document_is_refused() {
    let (from, to) = (by_text("a\n\nb\n"), by_text("a\n\nc\n"));
    let difference = Difference::between(&from, &to);
    assert_eq!(difference.applied(&by_text("a\n\nx\n")), None);
    assert_eq!(difference.applied(&by_text("a\n")), None);
}

#[test]
fn no_text_reaches_a_debug_print() {
    let (from, to) = (
        by_text("a secret here\n\nold secret\n"),
        by_text("a secret there\n\nnew\n"),
    );
    assert!(!format!("{:?}", Difference::between(&from, &to)).contains("secret"));
}

#[test]
fn long_texts_take_no_time() {
    let long = |seed: usize| -> String {
        let word = |at: usize| format!("w{} ", (at * 7919 + seed * 104_729) % 100_003);
        (0..40_000).map(word).collect()
    };
    let blocks = |seed: usize| -> String {
        (0..3_000)
            .map(|at| format!("paragraph {} of {seed} is unlike all\n\n", at * seed))
            .collect()
    };
    for (from, to) in [(long(1), long(2)), (blocks(1), blocks(2))] {
        let (from, to) = (by_text(&from), by_text(&to));
        let difference = Difference::between(&from, &to);
        assert_eq!(difference.applied(&from).as_deref(), Some(to.content()));
    }
}

/// A text of blocks that repeat and resemble each other.
fn text() -> impl Strategy<Value = String> {
    let block = prop_oneof![
        "[abc]( [abc]){0,6}",
        Just("# Heading".to_owned()),
        Just("- one\n- two".to_owned()),
        Just("---".to_owned()),
        Just("```\ncode\n\nmore\n```".to_owned()),
        "(é|船|港| ){1,6}",
    ];
    let gap = prop_oneof![8 => Just("\n\n"), 1 => Just("\n\n\n"), 1 => Just("\r\n\r\n"), 1 => Just("\n")];
    proptest::collection::vec((block, gap), 0..12).prop_map(|blocks| {
        blocks
            .into_iter()
            .flat_map(|(block, gap)| [block, gap.to_owned()])
            .collect()
    })
}

proptest! {
    #[test]
    fn applied_to_the_older_text_it_is_the_newer(from in text(), to in text(), known in any::<bool>()) {
        let read = if known { read } else { by_text };
        let (from, to) = (read(&from), read(&to));
        let difference = Difference::between(&from, &to);
        let applied = difference.applied(&from);
        prop_assert_eq!(applied.as_deref(), Some(to.content()));
        let counts = difference.counts;
        prop_assert_eq!(counts.kept + counts.added + counts.changed + counts.moved, to.blocks().len());
        prop_assert_eq!(counts.kept + counts.removed + counts.changed + counts.moved, from.blocks().len());
    }

    #[test]
    fn any_text_to_any_text(from in any::<String>(), to in any::<String>()) {
        let (from, to) = (by_text(&from), by_text(&to));
        let difference = Difference::between(&from, &to);
        let applied = difference.applied(&from);
        prop_assert_eq!(applied.as_deref(), Some(to.content()));
    }

    #[test]
    fn a_text_and_itself_differ_in_nothing(text in text()) {
        let document = by_text(&text);
        let difference = Difference::between(&document, &document);
        prop_assert!(difference.blocks.iter().all(|block| block.change == Change::Kept));
    }
}
