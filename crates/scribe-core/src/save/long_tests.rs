//! Two people and the scribe in one document for hundreds of steps, without a wire: each save is on what its person
//! holds, which others have changed since. A word goes away only with the save of a person who saw it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::blocks::BlockEntry;
use crate::edits::Suggestions;

/// Above this many blocks a person takes some away.
const MANY_BLOCKS: usize = 12;

/// Who does what, where, and whether a person looks again afterwards.
type Step = (u8, u8, usize, usize, bool);

/// The words that stand in one place only: `w17x`.
fn words(text: &str) -> BTreeSet<String> {
    let all = text.split(|c: char| !c.is_alphanumeric());
    all.filter(|word| word.starts_with('w') && word[1..].starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// The words that stand twice. Two people who each take one of them away have taken them away together.
fn twice(text: &str) -> BTreeSet<String> {
    let count = |word: &String| {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|other| other == word)
            .count()
    };
    words(text).into_iter().filter(|word| count(word) > 1).collect()
}

/// A person's next text.
fn edited(text: &str, word: &str, (_, kind, first, second, _): Step) -> String {
    let mut blocks: Vec<String> = text.trim().split("\n\n").map(str::to_owned).collect();
    while blocks.len() > MANY_BLOCKS {
        blocks.remove(1 + first % (blocks.len() - 1));
    }
    let mut at = first % blocks.len();
    // Nobody types into an empty comment, which would become an open one and take in all that follows.
    while blocks[at].starts_with("<!--") && at > 0 {
        at -= 1;
    }
    let text = blocks[at].clone();
    let mut words: Vec<&str> = text.split(' ').collect();
    let place = 1 + second % words.len();
    match kind {
        0..=3 => {
            words.insert(place, word);
            blocks[at] = words.join(" ");
        }
        4 | 5 => {
            words[place - 1] = word;
            blocks[at] = words.join(" ");
        }
        6 => {
            let other = blocks.len() / 2;
            blocks.swap(at, other);
            blocks.push(format!("Moved, says {word}."));
        }
        7 => blocks[at] = format!("Anew: {word} was there."),
        8 => blocks.insert(at, format!("- a list of {word}\n- and more of it")),
        9 => {
            words.insert(place, word);
            let rest = words.split_off(1 + first % words.len()).join(" ");
            blocks[at] = words.join(" ");
            if !rest.is_empty() {
                blocks.insert(at + 1, rest);
            }
        }
        10 => {
            blocks[at] = format!("{text} {word}");
            if at + 1 < blocks.len() {
                let next = blocks.remove(at + 1);
                blocks[at] = format!("{}\n{next}", blocks[at]);
            }
        }
        _ => blocks.push(format!(
            "{} {word}",
            ["## About", "> Quoted:", "In short:"][second % 3]
        )),
    }
    blocks.join("\n\n") + "\n"
}

fn stands(document: &Document, suggestions: &Suggestions) -> BTreeSet<String> {
    let mut stands = words(document.content());
    for suggestion in suggestions.iter() {
        stands.extend(words(&suggestion.markdown));
    }
    stands
}

/// The document with a paragraph of the scribe's at its end.
fn narrated(document: &Document, word: &str) -> Document {
    let text = format!(
        "{}\n\nThe scribe tells of {word} and of the sea.\n",
        document.content().trim_end()
    );
    let mut after = Document::read_after(&text, document);
    let known: Vec<BlockEntry> = document.manifest().entries().to_vec();
    after.change_entries(|entry| {
        if !known
            .iter()
            .any(|known| known.id == entry.id && known.hash == entry.hash)
        {
            entry.author = Author::Scribe;
            entry.turns.push("c1/m1".into());
        }
    });
    after
}

/// The steps of a run.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..8_u8, 0..12_u8, any::<usize>(), any::<usize>(), any::<bool>());
    prop::collection::vec(step, 1..400)
}

/// Goes through the steps; answers the words that stood twice at some time.
fn run(steps: &[Step]) -> Result<BTreeSet<String>, TestCaseError> {
    let start = "# The Road\n\nOn Friday the crew meets Jester at the docks.\n";
    let mut present = Document::read(start, &Manifest::of_scribe(start));
    let mut suggestions = Suggestions::default();
    let mut held = [present.clone(), present.clone()];
    let mut doubled = BTreeSet::new();
    let people: [UserId; 2] = ["ada".parse().unwrap(), "bob".parse().unwrap()];
    for (number, &step) in steps.iter().enumerate() {
        let word = format!("w{number}x");
        let before = stands(&present, &suggestions);
        let Some(person) = people.get(usize::from(step.0 % 3)) else {
            present = narrated(&present, &word);
            let after = stands(&present, &suggestions);
            prop_assert!(before.is_subset(&after) && after.contains(&word));
            continue;
        };
        let base = held[usize::from(step.0 % 3)].clone();
        let mine = edited(base.content(), &word, step);
        let save = Save {
            base: &base,
            present: &present,
            content: &mine,
            person,
        };
        let saved = save.merge();
        let was = present.content().to_owned();
        present = Document::read(saved.document.content(), &saved.document.manifest());
        for suggestion in saved.suggestions {
            suggestions.add(suggestion);
        }
        doubled.extend(twice(present.content()));
        let after = stands(&present, &suggestions);
        let (saw, kept) = (words(base.content()), words(&mine));
        prop_assert!(after.contains(&word), "{word} itself, in {:?}", present.content());
        for gone in before.difference(&after).filter(|word| !doubled.contains(*word)) {
            prop_assert!(
                saw.contains(gone) && !kept.contains(gone),
                "{gone} at step {number}\nbase {:?}\nwas  {was:?}\nmine {mine:?}\nnow  {:?}",
                base.content(),
                present.content()
            );
        }
        if step.4 {
            held[usize::from(step.0 % 3)] = present.clone();
        }
    }
    Ok(doubled)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_word_goes_only_with_a_person_who_saw_it(steps in steps()) {
        run(&steps)?;
    }
}

/// Where others took a block to pieces or said something alike anew, nobody can tell; all else stands once.
#[test]
fn what_is_carried_from_block_to_block_stands_once() {
    let mut runner = TestRunner::deterministic();
    let (mut saves, mut doubled) = (0, 0);
    for _ in 0..100 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        saves += steps.iter().filter(|step| step.0 % 3 < 2).count();
        doubled += run(&steps).unwrap().len();
    }
    assert!(
        doubled * 400 < saves,
        "{doubled} words of {saves} saves stood twice"
    );
}
