//! The judge: what a document kept, what it should not say, and what was done to people's words. Rules only.

use std::collections::BTreeSet;

use scribe_core::blocks::Kind;

use super::fixture::{Fixture, Language, Statement};
use super::text::{
    blocks, german_share, given_numbers, has_phrase, likeness, names, numbers_not_in, sections, sentences,
    words,
};

/// What a document never says of itself, unless the conversation does.
const META: [&str; 18] = [
    "as an ai",
    "language model",
    "the user said",
    "the user says",
    "the user asked",
    "the user asks",
    "the user wants",
    "the assistant said",
    "the assistant suggested",
    "in this conversation",
    "in this turn",
    "this document was updated",
    "system prompt",
    "der nutzer",
    "die nutzerin",
    "der assistent",
    "in diesem gespräch",
    "als ki",
];

/// Who speaks, where a document has the form of a transcript.
const SPEAKERS: [&str; 8] = [
    "user",
    "assistant",
    "human",
    "ai",
    "nutzer",
    "assistent",
    "system",
    "bot",
];

/// What stands where text was left out.
const ELIDED: [&str; 8] = [
    "rest unchanged",
    "rest of the document",
    "rest of the section",
    "remains unchanged",
    "existing content",
    "previous content",
    "same as before",
    "rest bleibt",
];

/// From which likeness on two sentences say the same.
const SAME: f64 = 0.9;

/// How a document came out.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) facts: usize,
    /// Facts that are not there at their last valid moment.
    pub(super) missing: Vec<String>,
    /// Claims that were there at any moment.
    pub(super) claims: Vec<String>,
    /// Numbers and names of the document that nobody gave.
    pub(super) invented: Vec<String>,
    /// Meta text, transcript form.
    pub(super) meta: Vec<String>,
    /// Left-out text.
    pub(super) elided: Vec<String>,
    /// Sentences that stand twice.
    pub(super) doubled: Vec<String>,
    pub(super) human: usize,
    /// Texts of people that were not there byte for byte at any later moment.
    pub(super) human_lost: Vec<String>,
    /// Turns that add nothing and changed the document all the same.
    pub(super) idle_woven: Vec<usize>,
    pub(super) turns: usize,
    /// Turns that changed nothing.
    pub(super) unchanged: usize,
    /// Whether the document is in another language than the conversation.
    pub(super) foreign: bool,
}

impl Score {
    /// Judges a document by how it was after each turn; the first one is how it was before all.
    pub(super) fn of(fixture: &Fixture, documents: &[String]) -> Self {
        let (expected, last) = (&fixture.expected, documents.len() - 1);
        let end = &documents[last];
        let due = |fact: &&Statement| fact.turn <= last;
        let is_kept = |fact: &&Statement| {
            let moment = fact.until.map_or(last, |until| (until - 1).min(last));
            sections(&documents[moment])
                .iter()
                .any(|section| fact.is_in(section))
        };
        let is_claimed = |claim: &&Statement| {
            let moments = claim.turn..=claim.until.map_or(last, |until| (until - 1).min(last));
            documents
                .get(moments)
                .unwrap_or_default()
                .iter()
                .any(|document| blocks(document).iter().any(|(_, text)| claim.is_in(text)))
        };
        let is_lost = |after: usize, text: &str| {
            documents
                .get(after..)
                .unwrap_or_default()
                .iter()
                .any(|document| !document.contains(text))
        };
        let changes = |turn: usize| documents[turn] != documents[turn - 1];
        let said = fixture.said_until(usize::MAX).collect::<Vec<_>>().join("\n");
        Self {
            facts: expected.facts.iter().filter(due).count(),
            missing: told(expected.facts.iter().filter(due).filter(|fact| !is_kept(fact))),
            claims: told(expected.claims.iter().filter(is_claimed)),
            invented: invented(end, &said, expected.language),
            meta: meta(end, &said),
            elided: elided(end, &said),
            doubled: doubled(end),
            human: expected.people.iter().filter(|save| save.after <= last).count(),
            human_lost: told(
                expected
                    .people
                    .iter()
                    .filter(|save| is_lost(save.after, &save.text))
                    .map(|save| &save.text),
            ),
            idle_woven: expected
                .idle
                .iter()
                .copied()
                .filter(|&turn| turn <= last && changes(turn))
                .collect(),
            turns: last,
            unchanged: (1..=last).filter(|&turn| !changes(turn)).count(),
            foreign: german_share(end).is_some_and(|share| {
                if expected.language == Language::German {
                    share < 0.7
                } else {
                    share > 0.3
                }
            }),
        }
    }

    /// The share of facts that were kept.
    pub(super) fn kept(&self) -> f64 {
        (self.facts - self.missing.len()) as f64 / self.facts.max(1) as f64
    }

    /// How many things it says that nothing supports.
    pub(super) fn unsupported(&self) -> usize {
        self.claims.len() + self.invented.len() + self.meta.len()
    }

    /// What is wrong, a line each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let listed = |what: &str, items: &[String]| {
            items
                .iter()
                .map(|item| format!("{what}: {item}"))
                .collect::<Vec<_>>()
        };
        let mut remarks = listed("missing", &self.missing);
        remarks.extend(listed("claimed", &self.claims));
        remarks.extend(listed("nobody said", &self.invented));
        remarks.extend(listed("about itself", &self.meta));
        remarks.extend(listed("left out", &self.elided));
        remarks.extend(listed("twice", &self.doubled));
        remarks.extend(listed("a person's text is gone", &self.human_lost));
        remarks.extend(
            self.idle_woven
                .iter()
                .map(|turn| format!("turn {turn} adds nothing and changed it")),
        );
        remarks.extend(
            self.foreign
                .then(|| "another language than the conversation's".to_owned()),
        );
        remarks
    }
}

fn told(items: impl Iterator<Item = impl std::fmt::Display>) -> Vec<String> {
    items.map(|item| item.to_string()).collect()
}

/// Numbers and names that nobody gave. Where every noun has a capital letter, names can't be told by it.
fn invented(document: &str, said: &str, language: Language) -> Vec<String> {
    let given = given_numbers(said);
    let spoken: BTreeSet<String> = words(said).into_iter().collect();
    let is_spoken = |name: &str| {
        let name = name.to_lowercase();
        spoken.contains(&name) || name.strip_suffix('s').is_some_and(|one| spoken.contains(one))
    };
    let mut found = BTreeSet::new();
    for (kind, text) in blocks(document) {
        found.extend(numbers_not_in(&given, &text));
        // A heading has capitals of its own.
        if !matches!(kind, Kind::Heading(_)) && language == Language::English {
            found.extend(names(&text).into_iter().filter(|name| !is_spoken(name)));
        }
    }
    found.into_iter().collect()
}

fn meta(document: &str, said: &str) -> Vec<String> {
    let (said, mut found) = (words(said), Vec::new());
    for (_, text) in blocks(document) {
        let there = words(&text);
        let speaks = META.iter().filter(|phrase| {
            let phrase = words(phrase);
            has_phrase(&there, &phrase) && !has_phrase(&said, &phrase)
        });
        found.extend(speaks.map(|&phrase| phrase.to_owned()));
        let is_speaker = |line: &&str| {
            line.split_once(':')
                .is_some_and(|(name, _)| SPEAKERS.contains(&name.trim().to_lowercase().as_str()))
        };
        found.extend(text.lines().filter(is_speaker).map(str::to_owned));
    }
    found
}

fn elided(document: &str, said: &str) -> Vec<String> {
    let said = words(said);
    let is_elided = |line: &&str| {
        let bare = line.trim_matches(|c: char| c.is_whitespace() || "[]()*_>".contains(c));
        let there = words(line);
        let says = ELIDED.iter().any(|phrase| {
            let phrase = words(phrase);
            has_phrase(&there, &phrase) && !has_phrase(&said, &phrase)
        });
        says || matches!(bare, "…" | "...")
    };
    document.lines().filter(is_elided).map(str::to_owned).collect()
}

/// Sentences that say what an earlier one says, with the same numbers.
fn doubled(document: &str) -> Vec<String> {
    let all: Vec<Vec<String>> = blocks(document)
        .iter()
        .flat_map(|(_, text)| sentences(text))
        .collect();
    let numbers = |sentence: &[String]| given_numbers(&sentence.join(" "));
    let is_second = |(at, sentence): &(usize, &Vec<String>)| {
        all[..*at]
            .iter()
            .any(|other| likeness(other, sentence) >= SAME && numbers(other) == numbers(sentence))
    };
    all.iter()
        .enumerate()
        .filter(is_second)
        .map(|(_, sentence)| sentence.join(" "))
        .collect()
}
