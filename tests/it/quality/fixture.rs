//! A conversation with what its document must say, read from a folder: see `tests/quality/README.md`.

use std::collections::BTreeMap;
use std::path::Path;

use scribe_core::style::StyleChoice;
use serde::Deserialize;
use serde_json::Value;

use super::text::{has_phrase, words};

/// A conversation and what is known of its document.
#[derive(Debug)]
pub(super) struct Fixture {
    pub(super) name: String,
    pub(super) turns: Vec<Said>,
    pub(super) expected: Expected,
    /// What a scripted model answers to a turn (from 1), call by call.
    pub(super) answers: BTreeMap<usize, Vec<Value>>,
}

/// One turn, as `make import` reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Said {
    pub(super) conversation_id: String,
    pub(super) message_id: String,
    pub(super) user_message: String,
    pub(super) assistant_response: String,
}

/// What the document must and must not say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) title: String,
    #[serde(default)]
    pub(super) style: StyleChoice,
    #[serde(default)]
    pub(super) language: Language,
    /// What must be in the document.
    pub(super) facts: Vec<Statement>,
    /// What must not.
    #[serde(default)]
    pub(super) claims: Vec<Statement>,
    /// What people write into the document meanwhile.
    #[serde(default)]
    pub(super) people: Vec<Save>,
    /// Turns that add nothing.
    #[serde(default)]
    pub(super) idle: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(super) enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "de")]
    German,
}

/// Phrases that stand together: a fact in one section of the document, a claim in one block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    /// From which turn on.
    pub(super) turn: usize,
    /// The turn that takes it back.
    #[serde(default)]
    pub(super) until: Option<usize>,
    pub(super) says: Vec<Phrase>,
}

impl Statement {
    /// Whether a text says it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let words = words(text);
        self.says.iter().all(|phrase| phrase.is_in(&words))
    }
}

impl std::fmt::Display for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let phrases: Vec<&str> = self.says.iter().map(|phrase| phrase.ways()[0].as_str()).collect();
        write!(f, "{} (turn {})", phrases.join(" + "), self.turn)
    }
}

/// A phrase, or several ways to say the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Phrase {
    One(String),
    Any(Vec<String>),
}

impl Phrase {
    fn ways(&self) -> &[String] {
        match self {
            Self::One(way) => std::slice::from_ref(way),
            Self::Any(ways) => ways,
        }
    }

    fn is_in(&self, text: &[String]) -> bool {
        self.ways().iter().any(|way| has_phrase(text, &words(way)))
    }
}

/// A person's save.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Save {
    /// After which turn.
    pub(super) after: usize,
    /// The person's words, a block of their own.
    pub(super) text: String,
    /// They take the place of the first block that says this; else they come at the end.
    #[serde(default)]
    pub(super) instead_of: Option<Phrase>,
}

impl Save {
    pub(super) fn is_instead_of(&self, block: &str) -> bool {
        let words = words(block);
        self.instead_of
            .as_ref()
            .is_some_and(|phrase| phrase.is_in(&words))
    }
}

impl Fixture {
    /// All fixtures of a folder, by name.
    pub(super) fn all(folder: &Path) -> Vec<Self> {
        let mut folders: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        let fixtures: Vec<Self> = folders.iter().map(|folder| Self::read(folder)).collect();
        let wrong: Vec<String> = fixtures.iter().flat_map(Self::contradictions).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        fixtures
    }

    fn read(folder: &Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = |file: &str| {
            std::fs::read_to_string(folder.join(file))
                .unwrap_or_else(|error| panic!("{name}/{file}: {error}"))
        };
        let turns = text("turns.jsonl")
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}/turns.jsonl: {error}"))
            })
            .collect();
        let expected = serde_json::from_str(&text("expected.json"))
            .unwrap_or_else(|error| panic!("{name}/expected.json: {error}"));
        let answers = serde_json::from_str(&text("answers.json"))
            .unwrap_or_else(|error| panic!("{name}/answers.json: {error}"));
        Self {
            name,
            turns,
            expected,
            answers,
        }
    }

    /// Everything that was said up to a turn, one text for each.
    pub(super) fn said_until(&self, turn: usize) -> impl Iterator<Item = &str> {
        let turns = self.turns.iter().take(turn);
        let written = self.expected.people.iter().filter(move |save| save.after <= turn);
        turns
            .flat_map(|said| [said.user_message.as_str(), said.assistant_response.as_str()])
            .chain(written.map(|save| save.text.as_str()))
            .chain([self.expected.title.as_str()])
    }

    /// What the folder says and can't be meant: a fact that nobody could know, a turn that is not there.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let last = self.turns.len();
        for fact in &self.expected.facts {
            let said = self.said_until(fact.turn).collect::<Vec<_>>().join("\n");
            if !fact.is_in(&said) {
                wrong.push(format!("nobody has said {fact} by then"));
            }
        }
        let statements = || self.expected.facts.iter().chain(&self.expected.claims);
        let ends = statements().filter_map(|statement| statement.until);
        let saves = self.expected.people.iter().map(|save| save.after);
        let named = statements().map(|statement| statement.turn).chain(ends);
        let named = named.chain(saves).chain(self.expected.idle.iter().copied());
        for turn in named
            .chain(self.answers.keys().copied())
            .filter(|turn| !(1..=last).contains(turn))
        {
            wrong.push(format!("there is no turn {turn}"));
        }
        for statement in
            statements().filter(|statement| statement.until.is_some_and(|end| end <= statement.turn))
        {
            wrong.push(format!("{statement} ends before it begins"));
        }
        for (at, said) in self.turns.iter().enumerate() {
            if said.message_id != format!("m{}", at + 1) || said.conversation_id != self.name {
                wrong.push(format!("turn {} has the ids of another one", at + 1));
            }
        }
        wrong
            .iter()
            .map(|what| format!("{}: {what}", self.name))
            .collect()
    }
}
