//! What somebody says outright about how the document is to be written: "write it like a short story",
//! "halte es sachlich". One such sentence outweighs everything that is counted.
//!
//! A style's name alone is no wish: people talk about stories and facts. It counts behind a verb that asks for it
//! ("keep it", "écris-le") in the same clause, or in a phrase that can hardly mean anything else. A clause that says
//! no is left alone: what is not wanted does not say what is.

use std::sync::LazyLock;

use super::Style;
use super::scan::{beginning, is_quote};

/// A list of phrases, by style.
type Phrases = Vec<(Style, &'static str)>;

/// Ways to ask in other languages than English. A style's name follows in the same clause.
static ASKING: LazyLock<Vec<&str>> = LazyLock::new(|| {
    listed(include_str!("words/asking.txt"))
        .map(|(_, phrase)| phrase)
        .collect()
});

/// Names of styles behind a way to ask.
static ASKED: LazyLock<Phrases> = LazyLock::new(|| by_style(include_str!("words/asked.txt")));

/// Phrases that are a wish by themselves.
static WISHES: LazyLock<Phrases> = LazyLock::new(|| by_style(include_str!("words/wishes.txt")));

/// English verbs that ask; one of [`OBJECTS`] follows.
const VERBS: &[&str] = &[
    "write", "keep", "make", "leave", "put", "turn", "phrase", "tell", "style", "format", "want",
];

/// What English verbs ask for.
const OBJECTS: &[&str] = &[
    "it",
    "this",
    "that",
    "them",
    "these",
    "everything",
    "all",
    "the document",
    "the doc",
    "the text",
    "the notes",
    "my notes",
    "the style",
    "the tone",
];

/// What says no.
const NEGATIONS: &[&str] = &[
    "not", "no", "don", "dont", "doesn", "didn", "won", "isn", "never", "without", "nicht", "kein", "keine",
    "keinen", "nie", "ohne", "ne", "pas", "jamais", "sans", "nunca", "sin",
];

/// Whoever does it themselves, before an English verb: "I put it as a story" asks for nothing.
const DOERS: &[&str] = &["i", "he", "she", "they", "we", "who", "it"];

/// The last wish that a person's message has, if any. What is quoted was said by somebody else.
pub(super) fn wish(user: &str) -> Option<Style> {
    let lines = beginning(user).lines();
    let unquoted = lines.flat_map(|line| line.split(is_quote).step_by(2));
    let ends = |c| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '—');
    unquoted
        .flat_map(|text| text.split(ends))
        .filter_map(wish_of_clause)
        .last()
}

fn wish_of_clause(clause: &str) -> Option<Style> {
    // Words between single spaces, so that phrases are found whole.
    let mut words = String::from(" ");
    for word in clause
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        words.push_str(&word.to_lowercase());
        words.push(' ');
    }
    if NEGATIONS
        .iter()
        .any(|negation| behind(&words, negation).is_some())
    {
        return None;
    }
    named(&WISHES, &words).or_else(|| named(&ASKED, behind_asking(&words)?))
}

/// The phrases of a list, each with what its line begins with.
fn listed(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    list.lines()
        .filter_map(|line| line.split_once(": "))
        .flat_map(|(of, phrases)| phrases.split(", ").map(move |phrase| (of, phrase)))
}

fn by_style(list: &'static str) -> Phrases {
    let style = |name| match name {
        "literary" => Some(Style::Literary),
        "factual" => Some(Style::Factual),
        "conversational" => Some(Style::Conversational),
        _ => None,
    };
    listed(list)
        .filter_map(|(name, phrase)| Some((style(name)?, phrase)))
        .collect()
}

/// The style that a clause names first in the list.
fn named(list: &[(Style, &str)], words: &str) -> Option<Style> {
    list.iter()
        .find(|(_, phrase)| behind(words, phrase).is_some())
        .map(|(style, _)| *style)
}

/// What stands behind the earliest way to ask, with the space before it.
fn behind_asking(words: &str) -> Option<&str> {
    let english = VERBS.iter().filter_map(|verb| {
        let rest = behind(words, verb)?;
        let before = &words[..words.len() - rest.len() - verb.len()];
        let before = before.trim_end().rsplit(' ').next()?;
        if *verb != "want" && DOERS.contains(&before) {
            return None;
        }
        OBJECTS.iter().find_map(|object| {
            behind(rest, object).filter(|after| rest.len() == after.len() + object.len() + 1)
        })
    });
    let others = ASKING.iter().filter_map(|phrase| behind(words, phrase));
    english.chain(others).max_by_key(|rest| rest.len())
}

/// What stands behind a phrase, with the space before it. Both sides of the phrase are spaces in `words`.
fn behind<'a>(words: &'a str, phrase: &str) -> Option<&'a str> {
    words.match_indices(phrase).find_map(|(at, _)| {
        let rest = &words[at + phrase.len()..];
        (words[..at].ends_with(' ') && rest.starts_with(' ')).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Option<Style>) {
        assert_eq!(wish(message), expected, "{message}");
    }

    #[test]
    fn who_asks_for_a_style_gets_it() {
        let literary = Some(Style::Literary);
        check("Write it like a short story.", literary);
        check("Could you turn this into a bedtime story, please?", literary);
        check("Schreib das bitte wie eine Geschichte.", literary);
        check("Écris-le comme un roman, s'il te plaît.", literary);
        check("Escríbelo como un cuento.", literary);
        let factual = Some(Style::Factual);
        check("Keep it factual, just bullet points.", factual);
        check("Just the facts, no story!", factual);
        check("Halte es sachlich.", factual);
        check("Bitte nur Stichpunkte", factual);
        check("Garde un ton factuel.", factual);
        check("Reste factuel.", factual);
        check("Mantén un tono objetivo.", factual);
        let conversational = Some(Style::Conversational);
        check("please leave it as a conversation", conversational);
        check("KEEP THE TONE CONVERSATIONAL", conversational);
        check("Lass es als Gespräch stehen.", conversational);
        check("Laisse-le comme une conversation.", conversational);
        check("Déjalo como una conversación.", conversational);
    }

    #[test]
    fn the_last_wish_counts() {
        check(
            "Write it like a novel. No, keep it factual.",
            Some(Style::Factual),
        );
        check(
            "Keep it factual. I mean, make it literary!",
            Some(Style::Literary),
        );
    }

    #[test]
    fn talking_about_a_style_is_no_wish() {
        check("I read a short story about a conversation yesterday.", None);
        check("He told it like a story and we all laughed.", None);
        check("She put it in a chat.", None);
        check("Don't write it like a short story.", None);
        check("Schreib das nicht wie eine Geschichte.", None);
        check("Ne le garde pas comme un roman.", None);
        check("\"Keep it to the facts,\" says the judge, and I bow.", None);
        check("The conversation was factual and the story was short.", None);
        check("Keep it in a dry place.", None);
        check("", None);
    }

    #[test]
    fn every_phrase_of_the_lists_is_read() {
        assert!(ASKING.len() > 60);
        for style in [Style::Literary, Style::Factual, Style::Conversational] {
            for list in [&ASKED, &WISHES] {
                assert!(list.iter().any(|(of, _)| *of == style));
            }
        }
        let phrases = ASKING
            .iter()
            .chain(ASKED.iter().chain(WISHES.iter()).map(|(_, phrase)| phrase));
        for phrase in phrases {
            let plain = phrase
                .chars()
                .all(|c| c == ' ' || c.is_alphanumeric() && !c.is_uppercase());
            assert!(plain, "{phrase} is never found");
        }
    }
}
