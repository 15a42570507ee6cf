//! Sentences of a conversation, and how much they tell. Rules only: no model is asked, and nothing is understood.

use std::collections::BTreeMap;

/// Words that begin sentences and tell nothing.
const OPENERS: [&str; 22] = [
    "oh", "okay", "ok", "yeah", "yes", "no", "well", "so", "all", "right", "alright", "sure", "um", "uh",
    "ah", "hey", "like", "and", "but", "wait", "cool", "thanks",
];

/// Words that say nothing about what a sentence is about.
const COMMON: [&str; 64] = [
    "about",
    "again",
    "also",
    "another",
    "anything",
    "because",
    "been",
    "before",
    "being",
    "come",
    "could",
    "does",
    "doing",
    "done",
    "down",
    "else",
    "even",
    "everything",
    "from",
    "getting",
    "give",
    "going",
    "gonna",
    "good",
    "great",
    "guys",
    "have",
    "having",
    "here",
    "just",
    "know",
    "like",
    "little",
    "look",
    "make",
    "maybe",
    "much",
    "need",
    "really",
    "right",
    "said",
    "should",
    "some",
    "something",
    "still",
    "sure",
    "take",
    "than",
    "that",
    "them",
    "then",
    "there",
    "they",
    "thing",
    "think",
    "this",
    "very",
    "want",
    "well",
    "were",
    "what",
    "with",
    "would",
    "your",
];

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Speech<'a> {
    /// The name before the colon, where there is one.
    pub(super) speaker: Option<&'a str>,
    /// What follows.
    pub(super) text: &'a str,
}

/// Takes a text apart by the names before colons at the beginning of its lines.
pub(super) fn speeches(text: &str) -> Vec<Speech<'_>> {
    let mut found: Vec<Speech<'_>> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let named = line.split_once(": ").filter(|(name, _)| is_name(name));
        found.push(match named {
            Some((speaker, text)) => Speech {
                speaker: Some(speaker),
                text,
            },
            None => Speech {
                speaker: None,
                text: line,
            },
        });
    }
    found
}

/// One to three capitalised words.
fn is_name(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    let capital = |word: &&str| word.chars().next().is_some_and(char::is_uppercase);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '\'' | '-' | '/');
    (1..=3).contains(&words.len()) && text.len() <= 40 && words.iter().all(capital) && text.chars().all(plain)
}

/// A sentence and how much it tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sentence {
    pub(super) text: String,
    pub(super) worth: f64,
}

/// The sentences of a text, in order, without stage directions such as "(laughter)".
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let text = without_asides(text);
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let ends = match c {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' | '…' | '\n' => {
                let mut close = end;
                while let Some(&(next, mark)) = chars.peek() {
                    if !matches!(mark, '"' | '”' | '’' | '\'' | ')' | '.' | '!' | '?') {
                        break;
                    }
                    close = next + mark.len_utf8();
                    chars.next();
                }
                let rest = text[close..].trim_start();
                let gap = rest.len() < text.len() - close;
                let begins = rest.chars().next().is_none_or(|c| !c.is_lowercase());
                if (gap && begins && !is_abbreviation(&text[start..end])) || rest.is_empty() || c == '\n' {
                    push(&mut found, &text[start..close]);
                    start = close;
                }
                false
            }
            _ => false,
        };
        if ends {
            push(&mut found, &text[start..end]);
            start = end;
        }
    }
    push(&mut found, &text[start..]);
    found
}

fn push(found: &mut Vec<Sentence>, text: &str) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace(" .", ".").replace(" ,", ",");
    let text = without_lone_quote(&text);
    if text.chars().any(char::is_alphanumeric) {
        found.push(Sentence {
            worth: worth(text),
            text: text.to_owned(),
        });
    }
}

/// A quotation of several sentences leaves each of its ends with half of its marks.
fn without_lone_quote(text: &str) -> &str {
    if text.matches('"').count().is_multiple_of(2) {
        return text;
    }
    text.strip_prefix('"')
        .or_else(|| text.strip_suffix('"'))
        .unwrap_or(text)
}

fn is_abbreviation(text: &str) -> bool {
    let last = text
        .trim_end_matches('.')
        .rsplit([' ', '"', '“'])
        .next()
        .unwrap_or_default();
    matches!(
        last,
        "Mr" | "Mrs" | "Ms" | "Dr" | "St" | "vs" | "etc" | "e.g" | "i.e" | "No"
    ) || (last.chars().count() == 1 && last.chars().all(char::is_uppercase) && last != "I")
}

fn without_asides(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        let Some(close) = rest[open..].find(')') else {
            break;
        };
        kept.push_str(&rest[..open]);
        // A parenthesis that is long is part of what is said.
        if close > 60 {
            kept.push_str(&rest[open..=open + close]);
        }
        rest = &rest[open + close + 1..];
    }
    kept.push_str(rest);
    kept
}

/// How much a sentence tells: content words and names, but no question, no half sentence, and not too long.
fn worth(text: &str) -> f64 {
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    let telling = |word: &&&str| {
        let lower = word.to_lowercase();
        lower.chars().count() >= 4 && !COMMON.contains(&lower.as_str()) && !OPENERS.contains(&lower.as_str())
    };
    let mut worth = words.iter().filter(telling).count() as f64;
    worth += 1.5 * names(text).len() as f64;
    worth += text
        .split(' ')
        .filter(|word| word.chars().any(|c| c.is_ascii_digit()))
        .count() as f64;
    // A script without spaces: three characters tell about as much as a word.
    worth += text
        .chars()
        .filter(|c| ('\u{3040}'..='\u{9fff}').contains(c))
        .count() as f64
        / 3.0;
    if text.ends_with('?') {
        worth *= 0.4;
    }
    if text.contains("--") || text.ends_with("...") || text.ends_with('-') {
        worth *= 0.6;
    }
    if words
        .first()
        .is_some_and(|first| OPENERS.contains(&first.to_lowercase().as_str()))
    {
        worth *= 0.8;
    }
    if words.len() > 40 {
        worth *= 0.5;
    }
    worth
}

/// The names in a text, with how often they stand there: runs of capitalised words that do not begin a sentence.
pub(super) fn names(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut run: Vec<&str> = Vec::new();
    let mut opens = true;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let begins_anew = word.starts_with(['"', '“', '\'', '(', '*', '-']);
        let is_capital = bare.chars().next().is_some_and(char::is_uppercase)
            && bare.chars().count() >= 3
            && bare
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '\'' | '’'))
            && !bare.chars().all(char::is_uppercase)
            // "I'm", "I’ll".
            && !bare.starts_with("I'")
            && !bare.starts_with("I’");
        if begins_anew {
            end_of(&mut run, &mut found);
        }
        if is_capital && !opens && !begins_anew {
            run.push(bare);
        } else {
            end_of(&mut run, &mut found);
        }
        // A comma ends a name, and not a sentence.
        if !word.ends_with(|c: char| c.is_alphanumeric()) {
            end_of(&mut run, &mut found);
        }
        opens = word.ends_with(['.', '!', '?', ':', '"', '”', '…', '-', '—']);
    }
    end_of(&mut run, &mut found);
    found
}

fn end_of(run: &mut Vec<&str>, found: &mut BTreeMap<String, usize>) {
    let name = run.join(" ");
    run.clear();
    let name = name
        .strip_suffix("'s")
        .or_else(|| name.strip_suffix("’s"))
        .unwrap_or(&name);
    if !name.is_empty() && name.len() <= 40 {
        *found.entry(name.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_are_told_apart() {
        let found = speeches("Sam: Do I see her?\nShe waits.\nOld Mr. Brown: Yes: I do.\nhttp://x: no");
        let found: Vec<_> = found.iter().map(|speech| (speech.speaker, speech.text)).collect();
        assert_eq!(
            found,
            [
                (Some("Sam"), "Do I see her?"),
                (None, "She waits."),
                (Some("Old Mr. Brown"), "Yes: I do."),
                (None, "http://x: no"),
            ]
        );
    }

    #[test]
    fn sentences_end_where_they_end() {
        let texts = |text| {
            sentences(text)
                .into_iter()
                .map(|sentence| sentence.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            texts("(laughter) Hm. \"Go!\" he says. Dr. Fjord has 2.5 gold."),
            ["Hm.", "\"Go!\" he says.", "Dr. Fjord has 2.5 gold."]
        );
        assert_eq!(texts("船が着いた。山は白い！"), ["船が着いた。", "山は白い！"]);
        assert_eq!(texts("no end"), ["no end"]);
        assert_eq!(texts("(laughter)"), Vec::<String>::new());
    }

    #[test]
    fn names_may_have_several_words() {
        let found = names(
            "Then the Crown's Guard saw Jester's tail. Jester, Fjord and Nott left for the Critical Role inn.",
        );
        let found: Vec<_> = found
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        assert_eq!(
            found,
            [
                ("Critical Role", 1),
                ("Crown's Guard", 1),
                ("Fjord", 1),
                ("Jester", 1),
                ("Nott", 1)
            ]
        );
    }

    #[test]
    fn what_tells_something_is_worth_more() {
        let worth = |text: &str| sentences(text)[0].worth;
        assert!(worth("lol") < 1.0 && worth("Okay, cool.") < 1.0 && worth("Yeah, I think so.") < 1.0);
        assert!(worth("The harbour of Emon has forty ships at anchor.") > 4.0);
        assert!(worth("The ships of Emon sail west.") > worth("Do the ships of Emon sail west?"));
    }
}
