use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::edits::SuggestedAction;

const BASE: &str = "# The Road\n\nOn Friday the crew meets Jester at the docks.\n\n- salt\n- rope\n\nNobody asks for the fare.\n";

/// A document of the scribe's.
fn scribes(content: &str) -> Document {
    Document::read(content, &Manifest::of_scribe(content))
}

/// The same after the scribe has written another text over it: what is new is the turn's.
fn after_scribe(base: &Document, content: &str) -> Document {
    let mut present = Document::read_after(content, base);
    let known = base.manifest();
    present.change_entries(|entry| {
        let is_known = |known: &&crate::blocks::BlockEntry| known.id == entry.id && known.hash == entry.hash;
        if known.entries().iter().find(is_known).is_none() {
            entry.author = Author::Scribe;
            entry.turns.push("c1/m2".into());
        }
    });
    present
}

fn person(name: &str) -> UserId {
    name.parse().unwrap()
}

/// The same after a person has saved another text over it.
fn after_person(base: &Document, content: &str, name: &str) -> Document {
    let mut present = Document::read_after(content, base);
    present.sign(&person(name), &base.manifest());
    present
}

fn merge(base: &Document, present: &Document, content: &str) -> Saved {
    Save {
        base,
        present,
        content,
        person: &person("ada"),
    }
    .merge()
}

/// Whether text and manifest, as they are stored, are this document.
fn reads_back(document: &Document) -> bool {
    let again = Document::read(document.content(), &document.manifest());
    again.manifest() == document.manifest() && again.content() == document.content()
}

/// What the scribe wrote meanwhile, what the person saves, the text that comes of it and what is suggested.
#[track_caller]
fn check(theirs: &str, mine: &str, expected: &str, suggested: &[(SuggestedAction, &str)]) {
    let base = scribes(BASE);
    let saved = merge(&base, &after_scribe(&base, theirs), mine);
    assert_eq!(saved.document.content(), expected);
    let found = saved.suggestions.iter();
    let found: Vec<_> = found
        .map(|suggestion| (suggestion.action, suggestion.markdown.as_str()))
        .collect();
    assert_eq!(found, suggested);
    assert!(reads_back(&saved.document));
}

#[test]
fn without_others_the_text_is_taken_as_it_is() {
    let base = scribes(BASE);
    let mine = "\n# The Road\r\n\r\n\r\nA line\n* x\n\n\n";
    let saved = merge(&base, &base, mine);
    assert_eq!(saved.document.content(), mine);
    let human = saved.document.blocks().filter(|block| !block.is_scribes());
    let human: Vec<_> = human.map(|block| block.entry().person.as_deref()).collect();
    assert_eq!(human, [Some("ada"), Some("ada")]);
}

#[test]
fn changes_of_different_blocks_both_stand() {
    check(
        &BASE.replace("salt", "salt and amber"),
        &BASE.replace("the fare", "the price"),
        &BASE
            .replace("salt", "salt and amber")
            .replace("the fare", "the price"),
        &[],
    );
}

#[test]
fn changes_of_different_words_of_a_block_both_stand() {
    let theirs = BASE.replace("Friday", "Saturday");
    let mine = BASE.replace("docks", "old mill");
    let both = theirs.replace("docks", "old mill");
    check(&theirs, &mine, &both, &[]);
    let base = scribes(BASE);
    let saved = merge(&base, &after_scribe(&base, &theirs), &mine);
    assert_eq!(saved.merged, ["b2"]);
    let block = saved.document.blocks().nth(1).unwrap().entry().clone();
    assert_eq!(
        (block.author, block.person.as_deref()),
        (Author::Human, Some("ada"))
    );
    assert_eq!(block.turns, ["c1/m2"]);
}

#[test]
fn the_persons_words_stand_against_the_scribes() {
    let theirs = "On Saturday the crew meets Jester at the docks.";
    let mine = BASE.replace("Friday", "Sunday");
    check(
        &BASE.replace("Friday", "Saturday"),
        &mine,
        &mine,
        &[(SuggestedAction::Replace, theirs)],
    );
    let base = scribes(BASE);
    let saved = merge(
        &base,
        &after_scribe(&base, &BASE.replace("Friday", "Saturday")),
        &mine,
    );
    let suggestion = &saved.suggestions[0];
    assert_eq!(suggestion.turn.as_deref(), Some("c1/m2"));
    assert_eq!(suggestion.block, "b2");
    assert_eq!(
        suggestion.hash,
        saved.document.blocks().nth(1).unwrap().entry().hash
    );
}

#[test]
fn of_two_people_the_later_one_stands_and_the_earlier_one_is_named() {
    let base = scribes(BASE);
    let present = after_person(&base, &BASE.replace("Friday", "Saturday"), "bob");
    let saved = merge(&base, &present, &BASE.replace("Friday", "Sunday"));
    assert!(saved.document.content().contains("Sunday"));
    let suggestion = &saved.suggestions[0];
    assert_eq!(
        (suggestion.person.as_deref(), suggestion.turn.as_deref()),
        (Some("bob"), None)
    );
    assert!(suggestion.markdown.contains("Saturday"));
}

#[test]
fn what_the_person_removed_is_gone_unless_others_changed_it() {
    let without = BASE.replace("- salt\n- rope\n\n", "");
    check(BASE, &without, &without, &[]);
    check(
        &BASE.replace("rope", "amber"),
        &without,
        &without,
        &[(SuggestedAction::Insert, "- salt\n- amber")],
    );
    let base = scribes(BASE);
    let saved = merge(
        &base,
        &after_scribe(&base, &BASE.replace("rope", "amber")),
        &without,
    );
    assert_eq!(saved.suggestions[0].block, "b2");
}

#[test]
fn what_others_removed_stays_where_the_person_changed_it() {
    let without = BASE.replace("- salt\n- rope\n\n", "");
    check(&without, BASE, &without, &[]);
    let mine = BASE.replace("rope", "rope of silk");
    check(&without, &mine, &mine, &[(SuggestedAction::Delete, "")]);
    // Somebody cuts it out and pastes it elsewhere, and between the two it is changed: it stands in both places, and the
    // one that came back is for somebody to take out.
    let base = scribes(BASE);
    let cut = after_person(&base, &without, "bob");
    let changed = merge(&base, &cut, &mine);
    let pasted = merge(&cut, &changed.document, &format!("{without}\n- salt\n- rope\n"));
    assert_eq!(pasted.document.content(), format!("{mine}\n- salt\n- rope\n"));
    let removal = &changed.suggestions[0];
    let tidied = accept(&pasted.document, removal, None, &person("bob")).unwrap();
    assert_eq!(tidied.content(), format!("{without}\n- salt\n- rope\n"));
}

#[test]
fn what_both_added_stands_beside_each_other() {
    check(
        &format!("{BASE}\nThe scribe's end.\n"),
        &format!("{BASE}\nThe person's end.\n"),
        &format!("{BASE}\nThe person's end.\n\nThe scribe's end.\n"),
        &[],
    );
    // A section that the person adds does not swallow what the scribe wrote in the one before.
    check(
        &format!("{BASE}\nThe scribe's end.\n"),
        &format!("{BASE}\n## Fares\n\nThe person's end.\n"),
        &format!("{BASE}\nThe scribe's end.\n\n## Fares\n\nThe person's end.\n"),
        &[],
    );
    check(
        &format!("{BASE}\n## Fares\n\nThe scribe's end.\n"),
        &format!("{BASE}\nThe person's end.\n"),
        &format!("{BASE}\nThe person's end.\n\n## Fares\n\nThe scribe's end.\n"),
        &[],
    );
    check(
        &format!("{BASE}\nThe same end.\n"),
        &format!("{BASE}\nThe same end.\n"),
        &format!("{BASE}\nThe same end.\n"),
        &[],
    );
}

#[test]
fn a_block_that_was_added_in_the_same_words_and_changed_since_is_another() {
    let base = scribes(BASE);
    let both = format!("{BASE}\nTo do.\n");
    let added = after_person(&base, &both, "bob");
    let changed = after_person(&added, &both.replace("To do", "Done, and how"), "bob");
    let saved = merge(&base, &changed, &both);
    assert_eq!(
        saved.document.content(),
        format!("{BASE}\nTo do.\n\nDone, and how.\n")
    );
}

#[test]
fn moved_blocks_stand_where_the_person_put_them() {
    let moved = "# The Road\n\n- salt\n- rope\n\nOn Friday the crew meets Jester at the docks.\n\nNobody asks for the fare.\n";
    check(
        &BASE.replace("rope\n", "rope\n\nBehind the list.\n"),
        moved,
        &moved.replace("rope\n", "rope\n\nBehind the list.\n"),
        &[],
    );
    check(
        moved,
        &BASE.replace("fare.\n", "fare.\n\nMine.\n"),
        &format!("{moved}\nMine.\n"),
        &[],
    );
}

#[test]
fn lists_that_would_join_are_kept_apart() {
    check(
        &BASE.replace("rope\n", "rope\n\nBetween.\n"),
        &BASE.replace("Nobody asks for the fare.", "1. one\n2. two"),
        &BASE
            .replace("rope\n", "rope\n\nBetween.\n")
            .replace("Nobody asks for the fare.", "1. one\n2. two"),
        &[],
    );
    let base = scribes("Top.\n");
    let saved = merge(
        &base,
        &after_scribe(&base, "Top.\n\n- theirs\n"),
        "Top.\n\n- mine\n",
    );
    assert_eq!(
        saved.document.content(),
        "Top.\n\n- mine\n\n<!-- -->\n\n- theirs\n"
    );
    assert_eq!(saved.suggestions, []);
}

#[test]
fn where_markdown_will_not_have_both_the_persons_text_stands() {
    // An open fence takes in everything behind it.
    let mine = format!("```\n{BASE}");
    let base = scribes(BASE);
    let saved = merge(&base, &after_scribe(&base, &BASE.replace("salt", "amber")), &mine);
    assert_eq!(saved.document.content(), mine);
    assert_eq!(saved.suggestions.len(), 1);
    assert!(saved.suggestions[0].markdown.contains("amber"));

    let mine = "---\ntitle: x\n---\n\nTop.\n";
    let base = scribes("Top.\n");
    let saved = merge(&base, &after_scribe(&base, "---\ntitle: y\n---\n\nTop.\n"), mine);
    assert!(saved.document.content().starts_with(mine.trim_end()), "{saved:?}");
    let all: String = [saved.document.content()]
        .into_iter()
        .chain(
            saved
                .suggestions
                .iter()
                .map(|suggestion| suggestion.markdown.as_str()),
        )
        .collect();
    assert!(all.contains("title: y"));
}

#[test]
fn a_person_who_writes_on_without_an_answer_says_it_once() {
    let base = scribes(BASE);
    for (first, then) in [
        ("Hello wor", "Hello world, this is it."),
        ("- one", "- one\n- two"),
        ("## Tit", "## Title two"),
        ("> Quo", "> Quoted, and more."),
    ] {
        let text = |new: &str| format!("{BASE}\n{new}\n");
        let present = after_person(&base, &text(first), "ada");
        let saved = merge(&base, &present, &text(then));
        assert_eq!(saved.document.content(), text(then));
        assert_eq!(saved.suggestions, []);
        // Another person's stands.
        let saved = merge(&base, &after_person(&base, &text(first), "bob"), &text(then));
        for new in [first, then] {
            assert!(
                saved.document.content().contains(new),
                "{:?}",
                saved.document.content()
            );
        }
    }
}

#[test]
fn an_empty_text_is_a_persons_wish() {
    check(BASE, "", "", &[]);
    let base = scribes(BASE);
    let saved = merge(&base, &after_scribe(&base, &format!("{BASE}\nNew.\n")), "");
    assert_eq!(saved.document.content(), "New.\n");
}

/// A text that is another one changed: words in places, blocks away, moved or new.
#[derive(Debug, Clone)]
enum Change {
    Word { block: usize, word: usize },
    Drop { block: usize },
    Swap { block: usize },
    Add { block: usize, kind: usize },
    Cut { block: usize, word: usize },
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let any = 0..12_usize;
    let change = prop_oneof![
        4 => (any.clone(), any.clone()).prop_map(|(block, word)| Change::Word { block, word }),
        1 => any.clone().prop_map(|block| Change::Drop { block }),
        1 => any.clone().prop_map(|block| Change::Swap { block }),
        3 => (any.clone(), any.clone()).prop_map(|(block, kind)| Change::Add { block, kind }),
        2 => (any.clone(), any).prop_map(|(block, word)| Change::Cut { block, word }),
    ];
    prop::collection::vec(change, 0..6)
}

const SHAPES: [&str; 8] = ["", "", "## ", "- ", "> ", "1. ", "    ", "* "];

/// Blocks, each with words that stand nowhere else.
fn blocks(count: usize) -> Vec<String> {
    let words = |block: usize| (0..6).map(move |word| format!("base{block}x{word}"));
    (0..count)
        .map(|block| {
            format!(
                "{}{}",
                SHAPES[block % SHAPES.len()],
                words(block).collect::<Vec<_>>().join(" ")
            )
        })
        .collect()
}

fn apply(blocks: &[String], changes: &[Change], name: &str) -> Vec<String> {
    let mut blocks = blocks.to_vec();
    for (number, change) in changes.iter().enumerate() {
        let count = blocks.len();
        match change {
            Change::Add { block, kind } => {
                let new = format!(
                    "{}{name}{number}a {name}{number}b {name}{number}c",
                    SHAPES[kind % SHAPES.len()]
                );
                blocks.insert(block % (count + 1), new);
            }
            _ if count == 0 => {}
            Change::Word { block, word } => {
                let text = &mut blocks[block % count];
                let mut words: Vec<&str> = text.split(' ').collect();
                // Not before what makes the block what it is.
                let at = 1 + word % words.len().max(2).saturating_sub(1);
                let new = format!("{name}{number}w");
                words.insert(at.min(words.len()), &new);
                *text = words.join(" ");
            }
            Change::Drop { block } => drop(blocks.remove(block % count)),
            Change::Swap { block } => blocks.swap(block % count, (block + 1) % count),
            Change::Cut { block, word } => {
                let text = &mut blocks[block % count];
                let mut words: Vec<&str> = text.split(' ').collect();
                if words.len() > 3 {
                    words.remove(2 + word % (words.len() - 2));
                }
                *text = words.join(" ");
            }
        }
    }
    blocks
}

/// The words that stand in one place only; the numbers of lists do not.
fn words(text: &str) -> BTreeSet<&str> {
    let all = text.split(|c: char| !c.is_alphanumeric());
    all.filter(|word| word.len() > 2).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_word_is_lost(count in 0..7_usize, theirs in changes(), mine in changes(), by_scribe in any::<bool>()) {
        let text = |blocks: &[String]| blocks.join("\n\n") + "\n";
        let blocks = blocks(count);
        let base = scribes(&text(&blocks));
        let theirs = text(&apply(&blocks, &theirs, "theirs"));
        let mine = text(&apply(&blocks, &mine, "mine"));
        let present = if by_scribe { after_scribe(&base, &theirs) } else { after_person(&base, &theirs, "bob") };
        let saved = merge(&base, &present, &mine);

        let document = saved.document.content();
        let suggested: String = saved.suggestions.iter().map(|suggestion| format!("{} ", suggestion.markdown)).collect();
        let (base, theirs, mine) = (words(base.content()), words(&theirs), words(&mine));
        let (stands, beside) = (words(document), words(&suggested));
        // What the person wrote stands, and what the person took away does not.
        for word in mine.difference(&base) {
            prop_assert!(stands.contains(word), "{word} of mine in {document:?}");
        }
        for word in base.difference(&mine) {
            prop_assert!(!stands.contains(word), "{word} was taken away, in {document:?}");
        }
        // What others wrote stands or is suggested.
        for word in theirs.difference(&base) {
            prop_assert!(stands.contains(word) || beside.contains(word), "{word} of theirs in {document:?}, {suggested:?}");
        }
        // What nobody took away stands.
        for word in base.iter().filter(|word| theirs.contains(*word) && mine.contains(*word)) {
            prop_assert!(stands.contains(word), "{word} of the base in {document:?}");
        }
        prop_assert!(reads_back(&saved.document));
    }

    #[test]
    fn any_texts_merge(base in "([-*#>`~|<\\[\\]:=1. a\t\n]|b){0,60}", theirs in "([-*#>`~|<\\[\\]:=1. a\t\n]|c){0,60}", mine in "([-*#>`~|<\\[\\]:=1. a\t\n]|d){0,60}") {
        let base = scribes(&base);
        let saved = merge(&base, &after_scribe(&base, &theirs), &mine);
        prop_assert!(reads_back(&saved.document));
    }
}

/// Somebody writes behind a word that another one has only begun: the word stays one.
#[test]
fn a_word_that_is_being_typed_is_not_torn() {
    let base = scribes("Here bob wrote bob\n");
    for (theirs, mine) in [
        ("Here bob wrote bob And ann27x.\n", "Here bob wrote bob26x.\n"),
        ("Here bob wrote bob26x.\n", "Here bob wrote bob And ann27x.\n"),
    ] {
        let present = after_person(&base, theirs, "bob");
        let saved = merge(&base, &present, mine);
        let content = saved.document.content();
        let beside: Vec<&str> = saved
            .suggestions
            .iter()
            .map(|one| one.markdown.as_str())
            .collect();
        for word in ["bob26x.", "ann27x."] {
            assert!(
                content.contains(word) || beside.iter().any(|text| text.contains(word)),
                "{content} {beside:?}"
            );
        }
        assert!(!content.contains("ann27x.26x"), "{content}");
    }
}
