//! What the stand-in writes: the sentences of a turn that tell most, put into one paragraph, with who said them.
//!
//! It invents nothing and leaves nothing half said. A turn of greetings and laughter is answered with no edits and
//! the reason, as a real model should. After some two dozen paragraphs it begins a new section, named after the
//! names that are talked about most.

use std::collections::{BTreeMap, BTreeSet};

use scribe_core::blocks::escape_inline;
use serde_json::{Value, json};

use super::reading::Reading;
use super::sentences::{Sentence, names, sentences, speeches};

/// After how many paragraphs a new section begins.
const SECTION: usize = 25;

/// What a sentence must be worth to be written down: two or three words that tell something.
const ENOUGH: f64 = 3.0;

/// The longest sentence that is written down whole, in characters.
const LONGEST: usize = 320;

/// The answer to a prompt, in the shape that the scribe asks for.
pub(super) fn answer(reading: Option<&Reading>) -> Value {
    let Some(reading) = reading else {
        return nothing("there is no turn in the prompt");
    };
    let told = told(reading);
    if told.is_empty() {
        return nothing("small talk");
    }
    let paragraph = as_paragraph(&told.join(" "));
    if reading.paragraphs.iter().any(|there| there == &paragraph) {
        return nothing("the document says it already");
    }
    let markdown = match section(reading) {
        Some(title) => format!("## {title}\n\n{paragraph}"),
        None => paragraph,
    };
    json!({
        "edits": [{ "action": "append", "block": null, "hash": null, "markdown": markdown }],
        "reason": null,
    })
}

fn nothing(reason: &str) -> Value {
    json!({ "edits": [], "reason": reason })
}

/// The best of what was asked and the best of what was answered, each as Markdown.
fn told(reading: &Reading) -> Vec<String> {
    let mut asked: Option<(Option<&str>, Sentence)> = None;
    for speech in speeches(&reading.user) {
        for sentence in sentences(speech.text) {
            if asked.as_ref().is_none_or(|(_, best)| sentence.worth > best.worth) {
                asked = Some((speech.speaker, sentence));
            }
        }
    }
    let answered = best_of_answer(&reading.assistant);
    let asked = asked.filter(|(_, sentence)| {
        sentence.worth >= ENOUGH
            || (sentence.worth >= 1.0 && answered.as_ref().is_some_and(|text| text.len() < 60))
    });
    let mut told = Vec::new();
    if let Some((speaker, sentence)) =
        asked.filter(|_| answered.is_some() || reading.assistant.trim().is_empty())
    {
        told.push(quoted(speaker, &sentence.text));
    } else if answered.is_none() {
        return said_alone(reading);
    }
    told.extend(answered.map(|text| escape_inline(&shortened(&text))));
    told
}

/// Where the answer tells nothing, what was asked may still.
fn said_alone(reading: &Reading) -> Vec<String> {
    let mut best: Option<(Option<&str>, Sentence)> = None;
    for speech in speeches(&reading.user) {
        for sentence in sentences(speech.text)
            .into_iter()
            .filter(|sentence| sentence.worth >= ENOUGH)
        {
            if best
                .as_ref()
                .is_none_or(|(_, other)| sentence.worth > other.worth)
            {
                best = Some((speech.speaker, sentence));
            }
        }
    }
    best.map(|(speaker, sentence)| quoted(speaker, &sentence.text))
        .into_iter()
        .collect()
}

/// One or two sentences of the answer: the best one, and its better neighbour if that tells something too.
fn best_of_answer(text: &str) -> Option<String> {
    let all: Vec<Sentence> = speeches(text)
        .iter()
        .flat_map(|speech| sentences(speech.text))
        .collect();
    let best = (0..all.len()).max_by(|&a, &b| all[a].worth.total_cmp(&all[b].worth).then(b.cmp(&a)))?;
    if all[best].worth < ENOUGH {
        return None;
    }
    let before = best.checked_sub(1);
    let behind = Some(best + 1).filter(|&at| at < all.len());
    let worth = |at: &usize| all[*at].worth;
    let neighbour = before
        .into_iter()
        .chain(behind)
        .max_by(|a, b| worth(a).total_cmp(&worth(b)));
    let neighbour = neighbour
        .filter(|&at| all[at].worth >= ENOUGH && all[at].text.len() + all[best].text.len() <= LONGEST);
    let mut chosen: Vec<usize> = neighbour.into_iter().chain([best]).collect();
    chosen.sort_unstable();
    Some(
        chosen
            .into_iter()
            .map(|at| all[at].text.as_str())
            .collect::<Vec<_>>()
            .join(" "),
    )
}

fn quoted(speaker: Option<&str>, text: &str) -> String {
    let said = escape_inline(&shortened(text.trim_matches(['"', '“', '”'])));
    match speaker {
        Some(speaker) => {
            let verb = if text.ends_with('?') { "asks" } else { "says" };
            format!("{} {verb}: “{said}”", escape_inline(speaker))
        }
        None => said,
    }
}

/// A line of Markdown that is a paragraph: "12. " and "- " would begin a list, "= " underline what stands above.
fn as_paragraph(line: &str) -> String {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match line[digits..].chars().next() {
        Some('.' | ')') if digits > 0 => format!("{}\\{}", &line[..digits], &line[digits..]),
        Some('-' | '+' | '=' | '#' | '|' | ':') if digits == 0 => format!("\\{line}"),
        _ => line.to_owned(),
    }
}

/// A text of bounded length: up to a comma, and the mark that something follows.
fn shortened(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(LONGEST) else {
        return text.to_owned();
    };
    let cut = text[..end]
        .rfind([',', ';'])
        .or_else(|| text[..end].rfind(' '))
        .unwrap_or(end);
    format!("{}…", &text[..cut])
}

/// The title of a new section, if one is due: who is talked about most, and has no section yet.
fn section(reading: &Reading) -> Option<String> {
    if reading.since_heading < SECTION {
        return None;
    }
    let recent = reading
        .paragraphs
        .iter()
        .rev()
        .take(SECTION / 2)
        .map(String::as_str);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for text in recent.chain([reading.user.as_str(), reading.assistant.as_str()]) {
        for (name, count) in names(text) {
            *counts.entry(name).or_default() += count;
        }
    }
    let speakers = speakers(reading);
    let taken = |name: &str| reading.headings.iter().any(|heading| heading.contains(name));
    let mut ranked: Vec<(String, usize)> = counts
        .into_iter()
        .filter(|(name, count)| *count > 1 && !speakers.contains(name) && !taken(name))
        .collect();
    ranked.sort_by(|(a_name, a), (b_name, b)| b.cmp(a).then(a_name.cmp(b_name)));
    let title = match ranked.as_slice() {
        // The title's heading counts for the part that has none.
        [] => format!("Part {}", reading.headings.len() + 1),
        [(one, often), (two, less), ..] if less * 2 > *often => format!("{one} and {two}"),
        [(one, _), ..] => one.clone(),
    };
    Some(escape_inline(&title))
}

/// Who talks: players' names make poor titles.
fn speakers(reading: &Reading) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for speech in speeches(&reading.user)
        .into_iter()
        .chain(speeches(&reading.assistant))
    {
        found.extend(speech.speaker.map(str::to_owned));
    }
    for paragraph in &reading.paragraphs {
        for verb in [" says: “", " asks: “"] {
            found.extend(paragraph.split_once(verb).map(|(speaker, _)| speaker.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(user: &str, assistant: &str) -> Reading {
        Reading {
            user: user.into(),
            assistant: assistant.into(),
            ..Reading::default()
        }
    }

    fn check(user: &str, assistant: &str, expected: Option<&str>) {
        let answer = answer(Some(&reading(user, assistant)));
        assert_eq!(answer["edits"][0]["markdown"].as_str(), expected, "{answer}");
        assert_eq!(answer["reason"].is_string(), expected.is_none());
    }

    #[test]
    fn it_writes_what_was_said_and_by_whom() {
        check(
            "Sam: Do I have eyes on the biggie? Is Fjord right next to her?",
            "Fjord and Mollymauk are both next to it, yes.",
            Some("Sam asks: “Is Fjord right next to her?” Fjord and Mollymauk are both next to it, yes."),
        );
        check(
            "Tell me about the harbour of Emon.",
            "The harbour lies below the northern wall. Forty ships are at anchor, and 3 of them fly the flag of Tal'Dorei.",
            Some(
                "Tell me about the harbour of Emon. The harbour lies below the northern wall. Forty ships are at anchor, and 3 of them fly the flag of Tal'Dorei.",
            ),
        );
    }

    #[test]
    fn small_talk_changes_nothing() {
        check("lol", "Ha!", None);
        check("Laura: (laughter)", "(laughter)", None);
        check("Sam: Thanks!", "Okay, cool. Yeah.", None);
    }

    #[test]
    fn it_writes_markdown_that_shows_the_text() {
        check(
            "",
            "- The *old* king_of_Emon owns <b>seven</b> castles [north].",
            Some("\\- The \\*old\\* king_of_Emon owns \\<b>seven\\</b> castles \\[north\\]."),
        );
        check(
            "",
            "1987. Dragons burned the harbour of Emon",
            Some("Dragons burned the harbour of Emon"),
        );
    }

    #[test]
    fn a_section_is_named_after_whom_it_is_about() {
        let mut reading = reading(
            "Sam: I follow the trail of Jester to the gate.",
            "You find Jester with Fjord below the gate, and Fjord waves.",
        );
        assert_eq!(section(&reading), None);
        reading.since_heading = SECTION;
        assert_eq!(section(&reading).as_deref(), Some("Fjord and Jester"));
        reading.headings = vec!["Emon".into(), "Fjord and Jester".into()];
        assert_eq!(section(&reading).as_deref(), Some("Part 3"));
    }
}
