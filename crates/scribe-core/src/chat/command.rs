//! "Start the scribe, call it The Amber Road": what a person wants of the scribe, said in the chat.
//!
//! Rules decide, no model. A command is a sentence of its own and nothing else: polite words, what is to be done, the
//! title, polite words. So a sentence that only speaks of the scribe ("how do I stop the scribe?", "don't start the
//! scribe yet") is none, and neither is what somebody quotes, because the quotation mark is no part of a command.
//! What is missed costs a click in the page; what is taken wrongly would start writing where nobody wants it.

use std::sync::LazyLock;

use super::request::Asked;
use crate::catch_up::{Earlier, Speaker};

/// The longest message that is searched, in bytes. Longer ones are what the conversation is about.
const LONGEST_MESSAGE: usize = 600;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// How long a title is that is made from what was said, in characters.
const DEFAULT_TITLE: usize = 60;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start it, or go on with it where there is one.
    Start {
        /// The document's title, where one was said.
        title: Option<String>,
    },
    /// Switch it off; what waits is kept.
    Stop,
    /// Switch it on again.
    Resume,
}

/// A command in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commanded {
    /// What is wanted.
    pub command: Command,
    /// Whether the message says nothing else.
    pub alone: bool,
}

/// Words that may stand in front of a command, the longer ones first. A question asks for it only behind these.
static PLEASE: LazyLock<Vec<&str>> = LazyLock::new(|| listed("please"));

/// Words that say nothing, in front and behind.
static FILLERS: LazyLock<Vec<&str>> = LazyLock::new(|| listed("fillers"));

/// What it is called.
static SCRIBE: LazyLock<Vec<&str>> = LazyLock::new(|| listed("scribe"));

/// What is to be written down, behind "scribe" as a verb.
static THIS: LazyLock<Vec<&str>> = LazyLock::new(|| listed("this"));

/// Verbs that start it.
static START: LazyLock<Vec<&str>> = LazyLock::new(|| listed("start"));

/// Verbs that stop it.
static STOP: LazyLock<Vec<&str>> = LazyLock::new(|| listed("stop"));

/// Verbs that let it go on.
static RESUME: LazyLock<Vec<&str>> = LazyLock::new(|| listed("resume"));

/// What stands between the command and a title.
static CALLED: LazyLock<Vec<&str>> = LazyLock::new(|| listed("called"));

/// The same in the command's own sentence: "scribe this as …", but not "Scribe this. As we rode on …".
static AS: LazyLock<Vec<&str>> = LazyLock::new(|| listed("as"));

/// The phrases of a kind.
fn listed(kind: &str) -> Vec<&'static str> {
    include_str!("words/commands.txt")
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(of, _)| *of == kind)
        .flat_map(|(_, phrases)| phrases.split(", "))
        .collect()
}

/// The last or first sentence of a message, if it is a command.
#[must_use]
pub fn command(message: &str) -> Option<Commanded> {
    let (command, beside) = apart(message)?;
    let alone = beside.is_empty();
    Some(Commanded { command, alone })
}

/// A message's command, and what it says beside.
fn apart(message: &str) -> Option<(Command, &str)> {
    let message = message.trim();
    if message.is_empty() || message.len() > LONGEST_MESSAGE {
        return None;
    }
    if let Some((command, rest)) = at_beginning(message) {
        let beside = rest.trim();
        let mut polite = Words { rest: beside };
        while polite.take(&FILLERS) {
            polite.skip(&['.', ',', '!']);
        }
        return Some((command, if polite.rest.is_empty() { "" } else { beside }));
    }
    let ends = |at: &usize| {
        let rest = &message[*at..];
        rest.starts_with('\n')
            || (rest.starts_with(['.', '!', '?']) && rest[1..].starts_with(char::is_whitespace))
    };
    // A sentence that does not end the message is told, not wished.
    let begins = message.char_indices().map(|(at, _)| at).filter(ends);
    begins.into_iter().find_map(|at| {
        let (command, rest) = at_beginning(message[at + 1..].trim_start())?;
        rest.trim()
            .is_empty()
            .then(|| (command, message[..=at].trim_end()))
    })
}

/// Whether a message begins as a command does, and is none: what is wanted is not understood. A question is none of
/// these, unless it is a polite one.
#[must_use]
pub fn is_misunderstood(message: &str) -> bool {
    let message = message.trim();
    if message.len() > LONGEST_MESSAGE || command(message).is_some() {
        return false;
    }
    let Some(begun) = begin(message) else {
        return false;
    };
    let sentence = begun.words.rest.split_inclusive(['.', '!', '?', '\n']).next();
    begun.asks || !sentence.is_some_and(|sentence| sentence.ends_with('?'))
}

/// A sentence that begins as a command does.
struct Begun<'a> {
    command: Command,
    /// What stands behind.
    words: Words<'a>,
    /// Whether it asks politely, so that a question mark may stand behind it.
    asks: bool,
}

/// Reads polite words, what is to be done, and with what.
fn begin(text: &str) -> Option<Begun<'_>> {
    let mut words = Words { rest: text };
    let mut asks = false;
    words.rest = words.rest.strip_prefix('/').unwrap_or(words.rest);
    // "Scribe, stop": it is addressed, or what is to be stopped. Both are tried.
    let mut addressed = words.rest;
    loop {
        if words.take(&PLEASE) {
            asks = true;
        } else if !words.take(&FILLERS) {
            let before = words.rest;
            if !words.take(&["scribe"]) || !words.rest.starts_with([',', ':']) {
                words.rest = before;
                break;
            }
            addressed = before;
        }
        words.skip(&[',', '!', ':']);
    }
    let command = match wanted(&mut words) {
        Some(command) => command,
        None => {
            words.rest = addressed;
            wanted(&mut words)?
        }
    };
    Some(Begun { command, words, asks })
}

/// The command that a text begins with, and what stands behind its sentence.
fn at_beginning(text: &str) -> Option<(Command, &str)> {
    let Begun {
        mut command,
        mut words,
        mut asks,
    } = begin(text)?;
    loop {
        let before = words.rest;
        words.skip(&[',', ';', ':', '.', '–', '—', '-', '\n']);
        let between = &before[..before.len() - words.rest.len()];
        if let Command::Start { title: title @ None } = &mut command
            && (words.take(&CALLED) || (!between.contains(['.', '\n']) && words.take(&AS)))
        {
            words.skip(&[':', ',']);
            let found = words.title()?;
            *title = Some(found);
            continue;
        }
        words.rest = before;
        words.skip(&[',']);
        if words.take(&PLEASE_BEHIND) {
            asks = true;
        } else if !words.take(&FILLERS) {
            words.rest = before;
            break;
        }
    }
    let rest = words.rest.trim_start_matches(' ');
    let behind = rest.trim_start_matches(['.', '!', '?', ')', '…']);
    let is_question = rest[..rest.len() - behind.len()].contains('?');
    let ends = behind.is_empty() || behind.starts_with(char::is_whitespace);
    let has_end = rest.is_empty() || rest.len() > behind.len() || rest.starts_with('\n');
    (ends && has_end && (asks || !is_question)).then_some((command, behind))
}

/// What makes a question of a wish, behind it.
const PLEASE_BEHIND: [&str; 5] = ["will you", "would you", "could you", "can you", "if you can"];

/// What follows "turn the scribe".
const ON: [&str; 4] = ["on", "back on", "ein", "an"];
const OFF: [&str; 3] = ["off", "aus", "ab"];

/// What is to be done, with what.
fn wanted(words: &mut Words<'_>) -> Option<Command> {
    let kinds: [(&LazyLock<Vec<&str>>, Command); 3] = [
        (&START, Command::Start { title: None }),
        (&STOP, Command::Stop),
        (&RESUME, Command::Resume),
    ];
    let begin = words.rest;
    for (verbs, command) in kinds {
        words.rest = begin;
        if words.take(verbs) && words.take(&SCRIBE) {
            return Some(command);
        }
        // "Den Schreiber starten."
        words.rest = begin;
        if words.take(&SCRIBE) {
            words.skip(&[',', ':']);
            if words.take(verbs) {
                return Some(command);
            }
        }
    }
    words.rest = begin;
    if words.take(&["turn", "switch", "schalte", "schalt"]) && words.take(&SCRIBE) {
        if words.take(&ON) {
            return Some(Command::Start { title: None });
        }
        return words.take(&OFF).then_some(Command::Stop);
    }
    words.rest = begin;
    // "Scribe off", but not "the scribe off to the war".
    if words.take(&SCRIBE) {
        words.skip(&[',', ':']);
        let command = if words.take(&ON) {
            Some(Command::Start { title: None })
        } else {
            words.take(&OFF).then_some(Command::Stop)
        };
        if command.is_some() && !words.rest.trim_start().starts_with(char::is_alphanumeric) {
            return command;
        }
    }
    words.rest = begin;
    // "Scribe this", but not "the scribe this".
    if words.take(&["scribe"]) && words.take(&THIS) {
        return Some(Command::Start { title: None });
    }
    words.rest = begin;
    (words.take(&["start", "begin"]) && words.take(&["to scribe this", "to scribe"]))
        .then_some(Command::Start { title: None })
}

/// A text that is read word by word.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    /// Takes the first of these phrases that stands here, whole words only.
    fn take(&mut self, phrases: &[&str]) -> bool {
        for phrase in phrases {
            if let Some(rest) = behind(self.rest, phrase) {
                self.rest = rest;
                return true;
            }
        }
        false
    }

    /// Passes over spaces and these characters.
    fn skip(&mut self, characters: &[char]) {
        self.rest = self
            .rest
            .trim_start_matches(|c| c == ' ' || characters.contains(&c));
    }

    /// Takes a title: what stands between quotation marks, or all up to the end of the sentence.
    fn title(&mut self) -> Option<String> {
        let text = self.rest.trim_start();
        let quote = text.chars().next()?;
        if let Some(closing) = closing(quote) {
            let inner = &text[quote.len_utf8()..];
            let end = inner.find(closing)?;
            self.rest = inner[end..].trim_start_matches(|c| closing.contains(&c));
            return checked(&inner[..end]);
        }
        let line = text.split('\n').next().unwrap_or_default();
        let end = sentence_end(line);
        self.rest = &text[end..];
        let title = line[..end].trim_end();
        let mut without = title.trim_end_matches(',');
        for polite in [" please", " bitte", " thanks", " thank you", " danke"] {
            let cut = without.len().saturating_sub(polite.len());
            if without.is_char_boundary(cut) && without[cut..].eq_ignore_ascii_case(polite) {
                without = without[..cut].trim_end_matches([',', ' ']);
            }
        }
        checked(without)
    }
}

/// The marks that close what a mark opens.
fn closing(quote: char) -> Option<&'static [char]> {
    match quote {
        '"' | '“' | '„' | '”' => Some(&['"', '”', '“']),
        '\'' | '‘' | '‚' => Some(&['\'', '’', '‘']),
        '«' => Some(&['»']),
        '»' => Some(&['«']),
        '*' | '_' | '`' => Some(&['*', '_', '`']),
        _ => None,
    }
}

/// Where a title's sentence ends: at a mark behind which another sentence begins. "Dr. Strange" goes on, because "Dr"
/// is too short for a last word.
fn sentence_end(line: &str) -> usize {
    for (at, mark) in line.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?')) {
        let (title, rest) = (&line[..at], &line[at + mark.len_utf8()..]);
        let last_word = title.rsplit(' ').next().unwrap_or_default();
        let is_last = rest.trim_matches(['.', '!', '?', ' ']).is_empty();
        if is_last || (rest.starts_with(' ') && (last_word.chars().count() > 3 || mark != '.')) {
            return at;
        }
    }
    line.len()
}

fn checked(title: &str) -> Option<String> {
    let title = title.trim();
    let fits =
        !title.is_empty() && title.chars().count() <= LONGEST_TITLE && !title.contains(char::is_control);
    fits.then(|| title.to_owned())
}

/// What stands behind a phrase, if a text begins with it: whatever its case, and with any apostrophe for a space.
fn behind<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let mut rest = text.trim_start_matches(' ');
    for (at, word) in phrase.split(' ').enumerate() {
        if at > 0 {
            rest = rest.trim_start_matches([' ', '\'', '’']);
        }
        let mut ours = rest.char_indices();
        for expected in word.chars() {
            let (_, found) = ours.next()?;
            if !found.to_lowercase().eq(expected.to_lowercase()) {
                return None;
            }
        }
        rest = ours.as_str();
        if rest.starts_with(char::is_alphanumeric) {
            return None;
        }
    }
    // "start-up", "scribe's": a word that goes on.
    let goes_on =
        rest.starts_with(['-', '\'', '’', '_', '/']) && rest[1..].starts_with(|c: char| c.is_alphanumeric());
    (!goes_on).then_some(rest)
}

/// Whether the person's last command was to stop. Where a scribe would start by itself, it is to stay off.
#[must_use]
pub fn was_stopped(asked: &Asked) -> bool {
    let by_person = |message: &&Earlier| message.role == Speaker::User;
    let said = asked.before.iter().rev().filter(by_person);
    let mut commands = said.filter_map(|message| command(&message.content));
    commands
        .next()
        .is_some_and(|commanded| commanded.command == Command::Stop)
}

/// A title for a document nobody has named: the beginning of what the person said first.
#[must_use]
pub fn default_title(asked: &Asked) -> String {
    let said = asked
        .before
        .iter()
        .filter(|message| message.role == Speaker::User)
        .map(|message| message.content.as_str())
        .chain([asked.user_message.as_str()])
        .map(|text| apart(text).map_or(text, |(_, beside)| beside))
        .find(|text| text.contains(char::is_alphanumeric));
    let line = said.and_then(|text| {
        text.lines()
            .map(str::trim)
            .find(|line| line.contains(char::is_alphanumeric))
    });
    let shown: String = line
        .unwrap_or_default()
        .trim_start_matches(['#', '>', '*', '-', ' '])
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .collect();
    let sentence = &shown[..sentence_end(&shown)];
    let title = match sentence.char_indices().nth(DEFAULT_TITLE) {
        None => sentence.to_owned(),
        Some((end, _)) => {
            let cut = sentence[..end].rfind(' ').unwrap_or(end);
            format!("{}…", sentence[..cut].trim_end_matches([',', ';', ':', ' ']))
        }
    };
    if title.trim().is_empty() {
        "Untitled conversation".into()
    } else {
        title
    }
}

/// Marks that turn the direction of text, break lines or show nothing. Joiners are not among them: scripts and emoji
/// need them.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
