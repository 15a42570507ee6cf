//! What a replaced block must not lose, and what counts as said already.
//!
//! Corrections are legitimate: "Saturday, not Friday" removes a Friday. So a number, a name or a link may go if the
//! turn mentions it, or if one that the turn mentions took its place.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Parser, Tag, TagEnd, TextMergeStream};

use crate::blocks::{Block, Document, EXTENSIONS, Kind, plain_text};
use crate::turn::Turn;
use crate::words::{self, Bag};

use super::outcome::{Bounds, Refusal};

/// A turn's texts, for looking things up in.
#[derive(Debug)]
pub(super) struct Said {
    /// All of them in lower case.
    pub(super) text: String,
    words: BTreeSet<String>,
    numbers: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Said {
    pub(super) fn by(turn: &Turn) -> Self {
        let texts: Vec<&str> = turn.texts().collect();
        let all = texts.join("\n\n");
        Self {
            text: all.to_lowercase(),
            words: words::words(&all).into_iter().collect(),
            numbers: words::numbers(&all),
            names: words::names(&all),
        }
    }
}

/// What a replace would wrongly lose, if anything.
pub(super) fn lost(
    block: &Block,
    new: &str,
    said: &Said,
    document: &Document,
    bounds: &Bounds,
) -> Option<Refusal> {
    let old = document.text(block);
    let (old_plain, new_plain) = (plain_text(old), plain_text(new));
    let (before, after) = (Bag::of(&old_plain), Bag::of(&new_plain));
    let kept = before.share_in(&after);
    let is_spoken_of = kept >= bounds.successor_share || is_spoken_of(block, document, said);
    // Other words in place of a block's own are a delete: the turn must speak of the block.
    if kept < bounds.kept_share && !is_spoken_of {
        return Some(Refusal::Shrinks);
    }
    if before.len() >= bounds.kept_from_words
        && (after.len() as f64) < before.len() as f64 * bounds.kept_share
    {
        return Some(Refusal::Shrinks);
    }
    // A fact of the turn takes another one's place only in a block that the turn speaks of, or that says the rest of
    // what it said.
    let gone = |old: BTreeSet<String>, new: BTreeSet<String>, mentioned: &dyn Fn(&str) -> bool| {
        let unexplained = old.difference(&new).filter(|fact| !mentioned(fact)).count();
        let successors = new.difference(&old).filter(|fact| mentioned(fact)).count();
        unexplained > if is_spoken_of { successors } else { 0 }
    };
    let number = |number: &str| said.numbers.contains(number);
    if gone(words::numbers(&old_plain), words::numbers(&new_plain), &number) {
        return Some(Refusal::LosesNumber);
    }
    // A name at the beginning of a sentence is told from any other word by being a name elsewhere.
    let mut known = words::names(&plain_text(document.content()));
    known.extend(said.names.iter().cloned());
    let names = |text: &str| -> BTreeSet<String> {
        let capitalised = words::capitalised(text)
            .into_iter()
            .map(|name| name.word.to_owned());
        capitalised.filter(|word| known.contains(word)).collect()
    };
    let name = |name: &str| said.words.contains(&name.to_lowercase());
    if gone(names(&old_plain), names(&new_plain), &name) {
        return Some(Refusal::LosesName);
    }
    let link = |link: &str| said.text.contains(address(link));
    gone(links(old), links(new), &link).then_some(Refusal::LosesLink)
}

/// How many words of a block go where others take its place; none where it is the same block, changed.
pub(super) fn words_gone(old: &str, new: &str, bounds: &Bounds) -> usize {
    let (before, after) = (Bag::of(&plain_text(old)), Bag::of(&plain_text(new)));
    if before.share_in(&after) < bounds.kept_share {
        before.len() - before.shared(&after)
    } else {
        0
    }
}

/// What would wrongly be lost with a whole block, if anything: a number, a name or a link that neither the turn
/// mentions nor the rest of the document has.
pub(super) fn lost_whole(block: &Block, document: &Document, said: &Said) -> Option<Refusal> {
    let others = document.blocks().filter(|other| other.id() != block.id());
    let rest: Vec<&str> = others.map(|other| document.text(other)).collect();
    let rest = rest.join("\n\n");
    let text = document.text(block);
    let (plain, plain_rest) = (plain_text(text), plain_text(&rest));
    let kept = words::numbers(&plain_rest);
    let is_gone = |number: &String| !said.numbers.contains(number) && !kept.contains(number);
    if words::numbers(&plain).iter().any(is_gone) {
        return Some(Refusal::LosesNumber);
    }
    let kept: BTreeSet<String> = words::words(&plain_rest).into_iter().collect();
    let is_gone = |name: &String| {
        let name = name.to_lowercase();
        !said.words.contains(&name) && !kept.contains(&name)
    };
    if words::names(&plain).iter().any(is_gone) {
        return Some(Refusal::LosesName);
    }
    let kept = links(&rest);
    let is_gone = |link: &String| !said.text.contains(address(link)) && !kept.contains(link);
    links(text).iter().any(is_gone).then_some(Refusal::LosesLink)
}

/// Whether the turn speaks of a block: at least two words that tell something are in both and in few other blocks,
/// or one that is a name or a number, or all that a short block has.
pub(super) fn is_spoken_of(block: &Block, document: &Document, said: &Said) -> bool {
    let text = plain_text(document.text(block));
    let mut told: BTreeSet<String> = words::names(&text)
        .into_iter()
        .map(|name| name.to_lowercase())
        .collect();
    told.extend(words::numbers(&text));
    let telling: BTreeSet<String> = words::words(&text)
        .into_iter()
        .filter(|word| word.len() >= 4 || told.contains(word) || !word.is_ascii())
        .collect();
    let is_shared = |word: &&String| said.words.contains(*word) || said.numbers.contains(*word);
    let shared: Vec<&String> = telling.iter().filter(is_shared).collect();
    if shared.is_empty() {
        return false;
    }
    let others: Vec<BTreeSet<String>> = document
        .blocks()
        .filter(|other| other.id() != block.id() && !matches!(other.kind(), Kind::Heading(_)))
        .map(|other| words::words(document.text(other)).into_iter().collect())
        .collect();
    let is_rare = |word: &&&String| {
        let holders = others.iter().filter(|words| words.contains(**word)).count();
        holders * 3 <= others.len()
    };
    let rare: Vec<&&String> = shared.iter().filter(is_rare).collect();
    rare.len() >= telling.len().min(2) || rare.iter().any(|word| told.contains(**word))
}

/// Whether another block says what this one says.
pub(super) fn is_said_elsewhere(block: &Block, document: &Document, bounds: &Bounds) -> bool {
    Told::by(document, Some(block.id())).says(block.kind(), document.text(block), bounds)
}

/// Whether a text has nearly every word of another one, and every number and name of it.
pub(super) fn is_within(text: &str, other: &str) -> bool {
    let (plain, other) = (plain_text(text), plain_text(other));
    let share = Bag::of(&plain).share_in(&Bag::of(&other));
    let words_of_other: BTreeSet<String> = words::words(&other)
        .into_iter()
        .chain(words::numbers(&other))
        .collect();
    share >= 0.9 && brought_by(&plain).is_subset(&words_of_other)
}

/// The numbers and names of a text, in lower case.
fn brought_by(text: &str) -> BTreeSet<String> {
    let mut brought = words::numbers(text);
    let names = words::capitalised(text);
    brought.extend(names.into_iter().map(|name| name.word.to_lowercase()));
    brought
}

/// Where the links and images of a text lead.
pub(super) fn links(markdown: &str) -> BTreeSet<String> {
    let destination = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.to_lowercase())
        }
        _ => None,
    };
    Parser::new_ext(markdown, EXTENSIONS)
        .filter_map(destination)
        .collect()
}

/// The addresses that stand in a text as they are. They are no links in `CommonMark`, but most pages make links of them.
pub(super) fn bare_links(markdown: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // Of code and of links nobody makes links.
    let mut within = 0_usize;
    for event in TextMergeStream::new(Parser::new_ext(markdown, EXTENSIONS)) {
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. }) => within += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Link | TagEnd::Image) => within -= 1,
            Event::Text(text) if within == 0 => {
                let text = text.to_lowercase();
                for begin in ["https://", "http://", "www."] {
                    found.extend(text.match_indices(begin).map(|(at, _)| {
                        let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '|');
                        let address = text[at..].split(ends).next().unwrap_or_default();
                        let trailing = |c: char| !c.is_alphanumeric() && !matches!(c, '/' | '=' | '-');
                        address.trim_end_matches(trailing).to_owned()
                    }));
                }
            }
            _ => {}
        }
    }
    // A sentence may say "www." or "http://" and mean just that.
    found.retain(|address| self::address(address).contains(char::is_alphanumeric) && *address != "www");
    found
}

/// A link's address as people write it: without the scheme and without the slash at its end.
pub(super) fn address(link: &str) -> &str {
    let bare = ["https://", "http://", "mailto:"]
        .into_iter()
        .find_map(|scheme| link.strip_prefix(scheme));
    let bare = bare.unwrap_or(link);
    bare.strip_prefix("www.").unwrap_or(bare).trim_end_matches('/')
}

/// What the blocks of a document say, read once for all the blocks of a text.
pub(super) struct Told<'a>(Vec<(&'a str, Bag)>);

impl<'a> Told<'a> {
    /// All blocks, but for one.
    pub(super) fn by(document: &'a Document, except: Option<&str>) -> Self {
        let others = document.blocks().filter(|block| Some(block.id()) != except);
        Self(
            others
                .map(|block| document.text(block))
                .map(|text| (text, Bag::of(text)))
                .collect(),
        )
    }

    /// Whether a block says already what a new one says. One that brings a number or a name of its own says something
    /// new, however alike the rest is.
    pub(super) fn says(&self, kind: Kind, text: &str, bounds: &Bounds) -> bool {
        if matches!(kind, Kind::Heading(_) | Kind::Rule) {
            return false;
        }
        let bag = Bag::of(text);
        if bag.len() < bounds.duplicate_from_words {
            return false;
        }
        let brought = brought_by(text);
        self.0.iter().any(|(there, words)| {
            // Texts of very different lengths are not alike, and most blocks need not be looked at closer.
            if there.len() > text.len() * 2 || text.len() > there.len() * 2 {
                return false;
            }
            words.likeness(&bag) >= bounds.duplicate_likeness && {
                let all: BTreeSet<String> = words::words(there)
                    .into_iter()
                    .chain(words::numbers(there))
                    .collect();
                brought.is_subset(&all)
            }
        })
    }
}
