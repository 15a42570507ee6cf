//! What is taken back of a turn, and what stays.

use super::*;
use crate::blocks::Kind;

const NAME: &str = "c1/m1";

/// As it is stored and read again.
fn stored(document: &Document) -> Document {
    Document::read(document.content(), &document.manifest())
}

fn of_turn(message: &str) -> Turn {
    Turn {
        message_id: message.parse().unwrap(),
        ..turn()
    }
}

/// The document with an answer in it, as far as it holds.
fn woven(document: &Document, answer: &Answer, turn: &Turn, resort: Resort) -> Option<Document> {
    let weaving = Weaving {
        document,
        seen: document,
        turn,
        bounds: &Bounds::default(),
        resort,
    };
    weaving.weave(answer).ok().map(|woven| stored(&woven.document))
}

fn resort(append: bool) -> Resort {
    if append { Resort::Append } else { Resort::Refuse }
}

/// All that is known of a block.
fn facts(document: &Document, block: &Block) -> (BlockEntry, Kind, String) {
    (
        block.entry().clone(),
        block.kind(),
        document.text(block).to_owned(),
    )
}

/// Every block that is not the turn's, or is a person's, is there with all that is known of it, in its place among the
/// others. What else is there has come back, or keeps others apart.
fn check_taken_back(before: &Document, present: &Document, after: &Document, told: &TakenBack) {
    let is_safe = |block: &Block| !block.is_scribes() || !block.entry().turns.iter().any(|turn| turn == NAME);
    let safe: Vec<_> = present
        .blocks()
        .filter(|block| is_safe(block))
        .map(|block| facts(present, block))
        .collect();
    let ids: BTreeSet<&str> = safe.iter().map(|(entry, ..)| entry.id.as_str()).collect();
    let left = after.blocks().filter(|block| ids.contains(block.id()));
    assert_eq!(left.map(|block| facts(after, block)).collect::<Vec<_>>(), safe);
    assert_eq!(
        after.manifest(),
        stored(after).manifest(),
        "its manifest explains it"
    );
    for id in &told.removed {
        assert!(after.position(id).is_none(), "{id} is gone");
    }
    for (id, _) in &told.kept {
        let text = |document: &Document| {
            let at = document.position(id)?;
            Some(document.text(&document.block_list()[at]).to_owned())
        };
        assert_eq!(text(after), text(present), "{id} stays");
    }
    // A document that said nothing before the turn, headings and comments apart, says nothing without it.
    let says = |block: &Block| {
        !matches!(
            block.kind(),
            Kind::Heading(_) | Kind::FrontMatter | Kind::Rule | Kind::Definition | Kind::Html
        )
    };
    if before.blocks().any(says) && present.blocks().len() > 0 {
        assert!(after.blocks().len() > 0, "something is left");
    }
}

/// Plays turns onto a document: each its edits, in which `now` is the hash of the block that it names.
fn played(before: &Document, message: &str, edits: &[(&str, &str, &str)]) -> Document {
    let edit = |&(action, block, markdown): &(&str, &str, &str)| {
        let found = before.blocks().find(|found| found.id() == block);
        let hash = found.map_or(String::new(), |found| found.entry().hash.clone());
        let (block, markdown) = (block.to_owned(), markdown.to_owned());
        match action {
            "append" => Edit::Append {
                section: (!block.is_empty()).then_some(block),
                markdown,
            },
            "insert_after" => Edit::InsertAfter { block, markdown },
            "replace" => Edit::Replace {
                block,
                hash,
                markdown,
            },
            "delete" => Edit::Delete { block, hash },
            "new_section" => Edit::NewSection {
                behind: (!block.is_empty()).then_some(block),
                markdown,
            },
            _ => Edit::Unknown { markdown },
        }
    };
    let answer = Answer {
        edits: edits.iter().map(edit).collect(),
        reason: None,
    };
    let turn = Turn {
        user_message: edits.iter().map(|edit| edit.2).collect::<Vec<_>>().join(" ")
            + " The guards at the gate are gone, forget them; two hundred ships.",
        ..of_turn(message)
    };
    let weaving = Weaving {
        document: before,
        seen: before,
        turn: &turn,
        bounds: &Bounds::default(),
        resort: Resort::Append,
    };
    let woven = weaving.weave(&answer).unwrap();
    assert!(
        woven.outcomes.iter().all(EditOutcome::is_woven),
        "{:?}",
        woven.outcomes
    );
    stored(&woven.document)
}

fn saved(before: &Document, content: &str) -> Document {
    stored(&Document::read_after(content, before))
}

fn around<'a>(before: &'a Document, after: &'a Document) -> Option<AroundTurn<'a>> {
    Some(AroundTurn { before, after })
}

const TOWN: &str = "# Emon\n\nThe city lies by the sea, with a hundred ships in its harbour.\n\n## The gate\n\n\
                    Guards stand at the gate.\n\n## The tower\n\n- Vex\n- her bear\n";

fn town() -> Document {
    Document::read(TOWN, &Manifest::of_scribe(TOWN))
}

#[test]
fn each_operation_is_undone_byte_for_byte() {
    let operations: [&[(&str, &str, &str)]; 8] = [
        &[("append", "b3", "Percy has the only key.")],
        &[(
            "insert_after",
            "b2",
            "Forty more lie on the reede.\n\nAnd one is on fire.",
        )],
        &[(
            "replace",
            "b2",
            "The city lies by the sea, with two hundred ships in its harbour.",
        )],
        &[(
            "replace",
            "b6",
            "- Vex\n- her bear\n- a kettle\n\nNobody else comes up.",
        )],
        &[("delete", "b4", "")],
        &[
            ("new_section", "b4", "## The mill\n\nFlour is ground here."),
            ("append", "b6", "- another list\n- of things"),
        ],
        &[("unknown", "", "Whatever it was, it comes at the end.")],
        &[
            ("append", "b6", "1. first\n2. second"),
            ("insert_after", "b1", "> A word before all."),
            ("delete", "b4", ""),
        ],
    ];
    for edits in operations {
        let before = town();
        let after = played(&before, "m1", edits);
        assert_ne!(after.content(), before.content(), "{edits:?}");
        let (document, told) = take_back(&after, NAME, around(&before, &after));
        assert_eq!(document.content(), TOWN, "{edits:?}");
        assert_eq!(
            document.manifest().entries(),
            before.manifest().entries(),
            "{edits:?}"
        );
        assert!(told.kept.is_empty() && !told.is_nothing(), "{told:?}");
    }
}

#[test]
fn the_placeholder_comes_back_where_nothing_else_is_left() {
    let content = format!("# Emon\n\n{PLACEHOLDER}");
    let before = Document::read(&content, &Manifest::of_scribe(&content));
    let first = played(&before, "m1", &[("append", "", "The city lies by the sea.")]);
    let second = played(&first, "m2", &[("append", "", "Forty ships are in its harbour.")]);

    let (document, _) = take_back(&first, NAME, around(&before, &first));
    assert_eq!(document.content(), content);
    assert_eq!(document.manifest().entries(), before.manifest().entries());
    // The numbers of what was taken back are not given again.
    assert!(document.next_number() >= first.next_number());
    // Also where S3 has forgotten what was there before.
    let (document, _) = take_back(&first, NAME, None);
    assert_eq!(document.content(), content);
    assert!(document.blocks().any(|block| document.is_placeholder(block)));

    let (rest, told) = take_back(&second, NAME, around(&before, &first));
    assert_eq!(rest.content(), "# Emon\n\nForty ships are in its harbour.");
    assert_eq!(told.to_string(), "1 removed");
    let (document, _) = take_back(&rest, "c1/m2", around(&first, &second));
    assert_eq!(document.content(), content);
}

#[test]
fn what_a_person_changed_stays_whole() {
    let before = town();
    let edits = [
        ("append", "b3", "Percy has the only key."),
        (
            "replace",
            "b2",
            "The city lies by the sea, with two hundred ships in its harbour.",
        ),
    ];
    let after = played(&before, "m1", &edits);
    let newer = after
        .content()
        .replace("only key", "only key, or so he says")
        .replace("two hundred", "some");
    let present = saved(&after, &newer);
    let (document, told) = take_back(&present, NAME, around(&before, &after));
    assert_eq!(document.content(), newer);
    assert_eq!(told.to_string(), "2 kept: a person's");
    assert!(told.is_nothing());
}

#[test]
fn what_later_turns_built_on_stays() {
    let before = town();
    let after = played(
        &before,
        "m1",
        &[
            ("new_section", "b4", "## The mill\n\nFlour is ground here."),
            ("append", "b3", "Percy has the only key."),
        ],
    );
    let mill = after
        .blocks()
        .find(|block| after.text(block) == "## The mill")
        .unwrap()
        .id()
        .to_owned();
    let key = after
        .blocks()
        .find(|block| after.text(block).contains("key"))
        .unwrap()
        .id()
        .to_owned();
    let present = played(
        &after,
        "m2",
        &[
            ("append", &mill, "Its wheel is made of oak."),
            ("replace", &key, "Percy has the only key. It is made of brass."),
        ],
    );
    let (document, told) = take_back(&present, NAME, around(&before, &after));
    assert_eq!(
        document.content(),
        TOWN.replace(
            "gate.\n\n",
            "gate.\n\nPercy has the only key. It is made of brass.\n\n## The mill\n\nIts wheel is made of oak.\n\n"
        )
    );
    assert_eq!(told.to_string(), "1 removed, 2 kept: built upon");
}

#[test]
fn other_words_of_a_later_turn_are_merged() {
    let before = town();
    let after = played(
        &before,
        "m1",
        &[(
            "replace",
            "b2",
            "The city lies by the sea, with two hundred ships in its harbour.",
        )],
    );
    let present = played(
        &after,
        "m2",
        &[(
            "replace",
            "b2",
            "The city lies by the grey sea, with two hundred ships in its harbour.",
        )],
    );
    let (document, told) = take_back(&present, NAME, around(&before, &after));
    assert_eq!(document.content(), TOWN.replace("the sea", "the grey sea"));
    assert_eq!(told.to_string(), "1 merged");
    assert_eq!(document.manifest().entries()[1].turns, ["c1/m2"]);
}

#[test]
fn a_deleted_block_comes_back_beside_a_neighbour() {
    let before = town();
    let after = played(&before, "m1", &[("delete", "b4", "")]);
    let check = |newer: &str, expected: &str, kept: usize| {
        let (document, told) = take_back(&saved(&after, newer), NAME, around(&before, &after));
        assert_eq!(document.content(), expected);
        assert_eq!(told.kept.len(), kept, "{told:?}");
    };
    let gone = "# Emon\n\nThe city lies by the sea, with a hundred ships in its harbour.\n\n## The gate\n\n";
    check(
        &after
            .content()
            .replace("## The gate", "## The gate\n\nA person writes here."),
        &TOWN.replace("gate.\n\n", "gate.\n\nA person writes here.\n\n"),
        0,
    );
    check(
        &after.content().replace("## The gate\n\n", ""),
        &TOWN.replace("## The gate\n\n", ""),
        0,
    );
    // Both neighbours are gone, or somebody has written it again.
    let neither =
        "# Emon\n\nThe city lies by the sea, with a hundred ships in its harbour.\n\n- Vex\n- her bear\n";
    check(neither, neither, 1);
    let again = format!("{gone}## The tower\n\n- Vex\n- her bear\n\nGuards stand at the gate.\n");
    check(&again, &again, 0);
}

#[test]
fn a_turn_that_replaced_another_brings_nothing_of_that_one_back() {
    let before = town();
    let first = played(
        &before,
        "m1",
        &[
            (
                "replace",
                "b2",
                "The city lies by the sea, with two hundred ships in it.",
            ),
            ("delete", "b4", ""),
        ],
    );
    let (without_first, _) = take_back(&first, NAME, around(&before, &first));
    let second = played(
        &without_first,
        "m2",
        &[("append", "b3", "Percy has the only key.")],
    );
    let (document, told) = take_back(&second, "c1/m2", around(&without_first, &second));
    assert_eq!(document.content(), TOWN);
    assert_eq!(told.to_string(), "1 removed");
}

#[test]
fn without_the_versions_only_what_the_turn_alone_wrote_goes() {
    let before = town();
    let edits = [
        ("append", "b3", "Percy has the only key."),
        (
            "replace",
            "b2",
            "The city lies by the sea, with two hundred ships in its harbour.",
        ),
        ("new_section", "", "## The mill\n\nFlour is ground here."),
        ("replace", "b1", "# Emon, the city"),
    ];
    let later = played(
        &before,
        "m0",
        &[(
            "replace",
            "b2",
            "The city lies by the sea, with a hundred old ships in its harbour.",
        )],
    );
    let after = played(&later, "m1", &edits);
    let (document, told) = take_back(&after, NAME, None);
    let expected = TOWN
        .replace("a hundred ships", "two hundred ships")
        .replace("# Emon", "# Emon, the city");
    assert_eq!(document.content(), expected);
    assert_eq!(told.to_string(), "3 removed, 2 kept: text before unknown");
    let (document, told) = take_back(&later, NAME, None);
    assert_eq!((document, told.to_string().as_str()), (later, "nothing"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_nothing_in_between_the_text_is_what_it_was(
        content in markdown(), whose in vec(0..6_u8, 24), drafts in drafts(), append in any::<bool>()
    ) {
        let before = document(&content, &whose);
        if let Some(after) = woven(&before, &answer(&before, &drafts), &turn(), resort(append)) {
            let (document, told) = take_back(&after, NAME, around(&before, &after));
            prop_assert_eq!(document.content(), before.content(), "{:?}", told);
            let (now, then) = (document.manifest(), before.manifest());
            prop_assert_eq!(now.entries(), then.entries());
        }
    }

    #[test]
    fn people_and_later_turns_keep_what_is_theirs(
        content in markdown(), whose in vec(0..6_u8, 24), drafts in (drafts(), drafts()), newer in markdown(),
        cut in (0..9_usize, 0..9_usize), known in any::<bool>()
    ) {
        let before = document(&content, &whose);
        if let Some(after) = woven(&before, &answer(&before, &drafts.0), &turn(), Resort::Append) {
            let later = woven(&after, &answer(&after, &drafts.1), &of_turn("m2"), Resort::Append).unwrap_or_else(|| after.clone());
            // A person puts something in the place of some lines.
            let lines: Vec<&str> = later.content().split_inclusive('\n').collect();
            let (from, to) = (cut.0.min(lines.len()), (cut.0 + cut.1).min(lines.len()));
            let text = format!("{}{newer}{}", lines[..from].concat(), lines[to..].concat());
            let saved = saved(&later, &text);
            for present in [&later, &saved] {
                let around = around(&before, &after).filter(|_| known);
                let (document, told) = take_back(present, NAME, around);
                check_taken_back(&before, present, &document, &told);
                for block in present.blocks().filter(|block| block.entry().turns.iter().any(|turn| turn == "c1/m2")) {
                    prop_assert!(document.position(block.id()).is_some(), "built upon");
                }
                let (again, _) = take_back(&stored(&document), NAME, around);
                check_taken_back(&before, &document, &again, &TakenBack::default());
            }
        }
    }
}
