//! Words, numbers, names and sentences, for the judge alone.
//!
//! The host has rules of the same kind. The judge does not borrow them: a fault in them would be a fault in both.

use std::collections::BTreeSet;

use scribe_core::blocks::{Document, Kind, Manifest, plain_text};

/// The words of a text in lower case, without marks. A number is one word with the signs within it: `14:30`, `2.5`.
pub(super) fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut found = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let within_number = matches!(c, '.' | ',' | ':') && at > 0 && is_digit(at - 1) && is_digit(at + 1);
        if c.is_alphanumeric() || within_number {
            word.extend(c.to_lowercase());
        } else if !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

/// Whether the words of a phrase stand in a text, one after the other.
pub(super) fn has_phrase(text: &[String], phrase: &[String]) -> bool {
    !phrase.is_empty() && text.windows(phrase.len()).any(|window| window == phrase)
}

/// A document's blocks: what they are and what a reader sees of them.
pub(super) fn blocks(document: &str) -> Vec<(Kind, String)> {
    let document = Document::read(document, &Manifest::default());
    document
        .blocks()
        .map(|block| (block.kind(), plain_text(document.text(block))))
        .collect()
}

/// A document's sections: each heading with what stands below it, up to the next heading of any rank.
pub(super) fn sections(document: &str) -> Vec<String> {
    let mut sections = vec![String::new()];
    for (kind, text) in blocks(document) {
        if matches!(kind, Kind::Heading(_)) {
            sections.push(String::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push_str(&text);
            section.push_str("\n\n");
        }
    }
    sections
}

/// The sentences of a text that have six words or more: shorter ones repeat by right.
pub(super) fn sentences(text: &str) -> Vec<Vec<String>> {
    // A dot within a number ends no sentence.
    let mut marked = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = matches!(c, '.' | '!' | '?') && chars.peek().is_none_or(|next| next.is_whitespace());
        marked.push(if ends { '\n' } else { c });
    }
    marked
        .lines()
        .map(words)
        .filter(|words| words.len() >= 6)
        .collect()
}

/// How alike two sentences are: the share of words that both have.
pub(super) fn likeness(a: &[String], b: &[String]) -> f64 {
    let (first, second): (BTreeSet<_>, BTreeSet<_>) = (a.iter().collect(), b.iter().collect());
    2.0 * first.intersection(&second).count() as f64 / (first.len() + second.len()) as f64
}

/// Number words and months, so that "three" supports a 3 and "14 May" a 14.5.
const SPOKEN: [(&str, u32); 58] = [
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("hundred", 100),
    ("half", 2),
    ("once", 1),
    ("twice", 2),
    ("ein", 1),
    ("eins", 1),
    ("eine", 1),
    ("einen", 1),
    ("zwei", 2),
    ("drei", 3),
    ("vier", 4),
    ("fünf", 5),
    ("sechs", 6),
    ("sieben", 7),
    ("acht", 8),
    ("neun", 9),
    ("zehn", 10),
    ("elf", 11),
    ("zwölf", 12),
    ("january", 1),
    ("february", 2),
    ("march", 3),
    ("april", 4),
    ("may", 5),
    ("june", 6),
    ("july", 7),
    ("august", 8),
    ("september", 9),
    ("october", 10),
    ("november", 11),
    ("december", 12),
    ("januar", 1),
    ("februar", 2),
    ("märz", 3),
    ("mai", 5),
    ("juni", 6),
    ("juli", 7),
    ("oktober", 10),
    ("dezember", 12),
    ("first", 1),
    ("second", 2),
    ("third", 3),
];

/// The numbers that a text gives, in digits or in words: each whole and in its parts.
pub(super) fn given_numbers(text: &str) -> BTreeSet<String> {
    let mut given = BTreeSet::new();
    for word in words(text) {
        if let Some((_, number)) = SPOKEN.iter().find(|(spoken, _)| *spoken == word) {
            given.insert(number.to_string());
        }
        given.extend(parts(&word));
        given.extend(whole(&word));
    }
    given
}

/// The numbers of a text that are not among the given ones.
pub(super) fn numbers_not_in(given: &BTreeSet<String>, text: &str) -> BTreeSet<String> {
    let is_given = |word: &String| {
        whole(word).is_none_or(|whole| given.contains(&whole))
            || parts(word).all(|part| given.contains(&part))
    };
    words(text).into_iter().filter(|word| !is_given(word)).collect()
}

/// All digits of a word: `12,000` is `12000`.
fn whole(word: &str) -> Option<String> {
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// The runs of digits of a word, without leading zeros.
fn parts(word: &str) -> impl Iterator<Item = String> {
    word.split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| match part.trim_start_matches('0') {
            "" => "0".to_owned(),
            part => part.to_owned(),
        })
}

/// The words of a text that begin with a capital letter where no sentence, line or quotation begins.
pub(super) fn names(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut opens = true;
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            let is_capital = word.chars().next().is_some_and(char::is_uppercase);
            if is_capital && !opens && word.chars().nth(1).is_some() {
                found.insert(std::mem::take(&mut word));
            }
            word.clear();
            opens = false;
        }
        if !matches!(c, ' ' | ',' | '\'' | '’' | '-' | '/' | '&') {
            opens = true;
        }
    }
    found
}

/// The share of German function words among those of both languages; none where there are none.
pub(super) fn german_share(text: &str) -> Option<f64> {
    const GERMAN: [&str; 24] = [
        "der", "das", "und", "ist", "nicht", "ein", "eine", "mit", "für", "auf", "den", "dem", "des", "sich",
        "im", "von", "zu", "wird", "sind", "bis", "einen", "um", "als", "auch",
    ];
    const ENGLISH: [&str; 24] = [
        "the", "and", "is", "not", "a", "with", "for", "on", "of", "to", "by", "are", "will", "that", "it",
        "as", "at", "from", "which", "this", "has", "or", "be", "its",
    ];
    let words = words(text);
    let count = |language: &[&str]| {
        words
            .iter()
            .filter(|word| language.contains(&word.as_str()))
            .count() as f64
    };
    let (german, english) = (count(&GERMAN), count(&ENGLISH));
    (german + english > 0.0).then(|| german / (german + english))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_marks() {
        assert_eq!(
            words("The *Salt-Monks*, at 14:30."),
            ["the", "salt", "monks", "at", "14:30"]
        );
        let text = words("They meet on **Saturday**, not Friday.");
        assert!(has_phrase(&text, &words("on Saturday")));
        assert!(!has_phrase(&text, &words("on Friday")));
        assert!(!has_phrase(&text, &words("")));
    }

    #[test]
    fn numbers_come_in_many_forms() {
        let given = given_numbers("On 14 May 2027 twelve boats and 12,000 crates.");
        assert!(numbers_not_in(&given, "2027-05-14, 14.5., 12 boats, 12000 crates").is_empty());
        let not_given = numbers_not_in(&given, "15 May, 13 boats");
        assert_eq!(not_given.into_iter().collect::<Vec<_>>(), ["13", "15"]);
    }

    #[test]
    fn names_stand_within_a_sentence() {
        let found = names("Boats wait for Ilsa. The monks know: Marrow Hill burns.\nSalt is dear.");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Hill", "Ilsa"]);
    }

    #[test]
    fn languages_are_told_apart() {
        assert!(german_share("Der Laden ist bis um sechs auf, und die Tür ist zu.").unwrap() > 0.9);
        assert!(german_share("The shop is open, and the door is shut.").unwrap() < 0.1);
        assert_eq!(german_share("# 42"), None);
    }

    #[test]
    fn sentences_end_at_marks_and_lines() {
        let found = sentences("It costs 2.5 crowns a head now. Yes.\nNobody has paid for it so far");
        assert_eq!(found.len(), 2);
        assert!(likeness(&found[0], &words("It costs 2.5 crowns a head today")) > 0.8);
    }
}
