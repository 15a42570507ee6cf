//! What one text shows of its style, counted in one pass: its words, and the marks that need no language.
//!
//! The marks are speech in quotation marks, numbers, lists, tables, code, questions and exclamations.

use std::collections::HashSet;

use super::lexicon::{self, Tells};
use crate::words::is_unspaced;

/// How much of a text is looked at. A style shows early, and a turn may have 256 KB.
const LOOKED_AT_BYTES: usize = 8 * 1024;

/// What was counted in one text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    /// Words outside code blocks; two characters of a script without spaces count as one.
    pub(super) words: u32,
    /// Words that begin with a digit, but for those that number a list.
    pub(super) numbers: u32,
    /// Lines of lists, tables and code, headings, and code within a line.
    pub(super) structure: u32,
    /// Quotations that somebody speaks.
    pub(super) speech: u32,
    /// Sentences that ask, outside quotations.
    pub(super) questions: u32,
    /// Sentences that exclaim, outside quotations.
    pub(super) exclamations: u32,
    /// Words of stories, each once: who asks about a dragon names it often, who tells of one does not.
    pub(super) story: u32,
    /// Words for what stands in stories, each once.
    pub(super) scenery: u32,
    /// Words of plans and findings.
    pub(super) facts: u32,
    /// Words of opinions and feelings, outside quotations.
    pub(super) talk: u32,
    /// Who speaks and who is spoken to, outside quotations.
    pub(super) people: u32,
}

/// Counts what a text shows.
pub(super) fn scan(text: &str) -> Signs {
    let mut scanner = Scanner::default();
    let mut in_code = false;
    for line in beginning(text).lines() {
        let line = line.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
        } else if in_code {
            scanner.signs.structure += u32::from(!line.is_empty());
        } else {
            scanner.line(line);
        }
    }
    scanner.signs
}

/// The part of a text that is looked at.
pub(super) fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOOKED_AT_BYTES)]
}

#[derive(Default)]
struct Scanner {
    signs: Signs,
    /// The words of stories that were counted.
    told: HashSet<String>,
}

/// A quotation that is open.
struct Quotation {
    opens_line: bool,
    words: u32,
}

impl Scanner {
    fn line(&mut self, line: &str) {
        let content = behind_mark(line);
        self.signs.structure += u32::from(content.len() < line.len() || line.starts_with('|'));
        // In French, Spanish and Russian stories a dash opens what is said.
        self.signs.speech += u32::from(content.starts_with('—'));
        let mut ticks = 0;
        let mut quotation: Option<Quotation> = None;
        let mut word = String::new();
        // The last character, and the last one that was no space.
        let (mut last, mut last_sign) = (' ', ' ');
        let mut characters = content.chars().peekable();
        while let Some(c) = characters.next() {
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            } else {
                self.word(&mut word, quotation.as_mut());
            }
            match &quotation {
                // Inches and seconds of arc open nothing.
                None if is_quote(c) && (c != '"' || !last.is_alphanumeric()) => {
                    let opens_line = last_sign == ' ';
                    quotation = Some(Quotation { opens_line, words: 0 });
                }
                Some(open) if is_quote(c) => {
                    self.signs.speech += u32::from(is_speech(open, last_sign, characters.peek()));
                    quotation = None;
                }
                None if matches!(c, '?' | '？' | '؟') => self.signs.questions += u32::from(last != c),
                None if matches!(c, '!' | '！') => self.signs.exclamations += u32::from(last != c),
                None if c == '`' => ticks += 1,
                None | Some(_) => {}
            }
            last = c;
            if !c.is_whitespace() && !matches!(c, '*' | '_') {
                last_sign = c;
            }
        }
        self.word(&mut word, quotation.as_mut());
        self.signs.structure += ticks / 2;
    }

    /// Counts the word that has just ended, if one has.
    fn word(&mut self, word: &mut String, quotation: Option<&mut Quotation>) {
        let Some(first) = word.chars().next() else {
            return;
        };
        let unspaced = word.chars().filter(|c| is_unspaced(*c)).count();
        self.signs.words += u32::try_from(unspaced.div_ceil(2)).unwrap_or(u32::MAX).max(1);
        let is_quoted = quotation.is_some();
        if let Some(quotation) = quotation {
            quotation.words += 1;
        }
        if first.is_numeric() {
            self.signs.numbers += 1;
        } else {
            match lexicon::tells(word) {
                Some(Tells::Story) => self.signs.story += u32::from(self.told.insert(word.clone())),
                Some(Tells::Scenery) => self.signs.scenery += u32::from(self.told.insert(word.clone())),
                Some(Tells::Facts) => self.signs.facts += 1,
                Some(Tells::Talk) if !is_quoted => self.signs.talk += 1,
                Some(Tells::People) if !is_quoted => self.signs.people += 1,
                Some(Tells::Talk | Tells::People) | None => {}
            }
        }
        word.clear();
    }
}

/// Whether somebody says what is quoted: it ends as a sentence does, or it opens the line and the sentence goes on
/// behind it ("Nobody", says the voice). Titles and words that are spoken of do neither.
fn is_speech(quotation: &Quotation, last_sign: char, next: Option<&char>) -> bool {
    let ends = matches!(last_sign, '.' | ',' | '!' | '?' | '…' | '。' | '！' | '？');
    let goes_on = quotation.words >= 4 || matches!(next, None | Some(','));
    quotation.words > 0 && (ends || quotation.opens_line && goes_on)
}

/// Any quotation mark: what opens in one language closes in another.
pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』')
}

/// What stands behind the mark of a heading or of an item.
fn behind_mark(line: &str) -> &str {
    let bare = line.trim_start_matches('#');
    if bare.len() < line.len() && bare.starts_with(' ') {
        return bare.trim_start();
    }
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let marks: &[&str] = if digits.len() < line.len() {
        &[". ", ") "]
    } else {
        &["- ", "* ", "+ ", "• ", "– "]
    };
    marks
        .iter()
        .find_map(|mark| digits.strip_prefix(mark))
        .unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_what_somebody_says() {
        let speech = |text| scan(text).speech;
        assert_eq!(speech("\"You took your time,\" she said."), 1);
        assert_eq!(speech("„Niemand“, sagt eine Stimme. „Geh nach Hause!“"), 2);
        assert_eq!(speech("« Pas encore », dit-elle."), 1);
        assert_eq!(speech("— Foi-se embora — disse ele."), 1);
        assert_eq!(speech("「もう遅い。」と彼女は言った。"), 1);
        assert_eq!(
            speech("Is it \"who\" or \"whom\"? The shelf is 12\" deep, 30\" wide."),
            0
        );
        assert_eq!(speech("We read \"War and Peace\" in June."), 0);
    }

    #[test]
    fn marks_need_no_language() {
        let signs = scan(
            "# Titel\n\n1. eins\n2. zwei 3\n- drei\n\n| a | 7 |\n\n```\nlet x = 1;\n```\nnutze `x` hier",
        );
        assert_eq!(signs.structure, 7);
        assert_eq!(signs.numbers, 2);
        // Titel eins zwei 3 drei a 7 nutze x hier
        assert_eq!(signs.words, 10);
        assert_eq!(scan("Was? Wie?? Nein!!! \"Wer?\"").questions, 2);
        assert_eq!(scan("Was? Wie?? Nein!!! \"Wer?\"").exclamations, 1);
    }

    #[test]
    fn a_word_of_a_story_tells_once() {
        assert_eq!(scan("The dragon, the dragon and the dragon.").scenery, 1);
        assert_eq!(scan("I think that you think").talk, 2);
    }

    #[test]
    fn only_the_beginning_is_looked_at() {
        // The limit falls within a character.
        let long = format!("x{} dragon", "Ä".repeat(LOOKED_AT_BYTES));
        assert_eq!(scan(&long).words, 1);
        assert_eq!(scan(&"Äh, ".repeat(100_000)).words, 1639);
    }
}
