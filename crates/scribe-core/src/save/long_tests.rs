//! Two people and the scribe in one document for hundreds of steps, without a wire: each save is on what its person
//! holds, which others have changed since. A word goes away only with the save of a person who saw it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::blocks::BlockEntry;
use crate::edits::Suggestions;

/// Above this many blocks a person takes some away.
const MANY_BLOCKS: usize = 12;

/// Who does what, where, and whether a person looks again afterwards.
type Step = (u8, u8, usize, usize, bool);

/// The words that stand in one place only: `w17`.
fn words(text: &str) -> BTreeSet<String> {
    let all = text.split(|c: char| !c.is_alphanumeric());
    all.filter(|word| word.starts_with('w') && word[1..].starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// The words that stand twice. Where one joins two blocks and the other moves one of them, its words stand in both; two
/// people who each take one away have then taken them away together.
fn twice(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
    all.filter(|word| !seen.insert(word.clone())).collect()
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
    let mut words: Vec<&str> = blocks[at].split(' ').collect();
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_word_goes_only_with_a_person_who_saw_it(
        steps in prop::collection::vec((0..8_u8, 0..10_u8, any::<usize>(), any::<usize>(), any::<bool>()), 1..400)
    ) {
        let start = "# The Road\n\nOn Friday the crew meets Jester at the docks.\n";
        let mut present = Document::read(start, &Manifest::of_scribe(start));
        let mut suggestions = Suggestions::default();
        let mut held = [present.clone(), present.clone()];
        let mut doubled = BTreeSet::new();
        let people: [UserId; 2] = ["ada".parse().unwrap(), "bob".parse().unwrap()];
        for (number, &step) in steps.iter().enumerate() {
            let word = format!("w{number}");
            let before = stands(&present, &suggestions);
            let Some(person) = people.get(usize::from(step.0 % 3)) else {
                present = narrated(&present, &word);
                let after = stands(&present, &suggestions);
                prop_assert!(before.is_subset(&after) && after.contains(&word));
                continue;
            };
            let base = held[usize::from(step.0 % 3)].clone();
            let mine = edited(base.content(), &word, step);
            let save = Save { base: &base, present: &present, content: &mine, person };
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
                    "{gone} at step {number}\nbase {:?}\nwas  {was:?}\nmine {mine:?}\nnow  {:?}", base.content(), present.content()
                );
            }
            if step.4 {
                held[usize::from(step.0 % 3)] = present.clone();
            }
        }
    }
}
