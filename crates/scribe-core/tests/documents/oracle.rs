//! What must hold of a document that was read, and of an answer that was woven into it or not.
//!
//! It knows only what anybody knows who uses the crate, and asks the parser itself what each block means. It panics,
//! because that is what tests and fuzzers take for a failure.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag};
use scribe_core::blocks::{Block, BlockEntry, Document, Kind, PLACEHOLDER, plain_text};
use scribe_core::edits::{Answer, Edit, EditOutcome, Fate, Placed, WeaveError, Woven};

/// What documents are read with.
const EXTENSIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_GFM);

/// A block as a reader sees it: the parser's top-level constructs within it, and all of their events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Meaning {
    /// What the parser found at the top level: one construct, but for those that begin on another one's last line.
    constructs: Vec<Kind>,
    events: String,
}

/// The text is there, byte for byte; every byte is in one block or blank; ids are unique; the parser sees the same
/// blocks.
pub(crate) fn check_read(content: &str, document: &Document) {
    assert_eq!(document.content(), content, "the text is another one");
    let mut end = 0;
    for block in document.blocks() {
        let span = block.span();
        assert!(end <= span.start && span.start < span.end, "blocks overlap");
        assert_blank(content, end, span.start);
        assert_eq!(&content[span.clone()], document.text(block));
        let line_begins = content[..span.start].trim_end_matches('\u{feff}');
        assert!(
            line_begins.is_empty() || line_begins.ends_with(['\n', '\r']),
            "a block begins within a line"
        );
        let behind = &content[span.end..];
        assert!(
            behind.is_empty() || behind.starts_with(['\n', '\r']),
            "a block ends within a line"
        );
        end = span.end;
    }
    assert_blank(content, end, content.len());
    let ids: BTreeSet<&str> = document.blocks().map(Block::id).collect();
    assert_eq!(ids.len(), document.blocks().len(), "an id stands twice");
    let found = meanings(document);
    for (block, meaning) in document.blocks().zip(&found) {
        match block.kind() {
            Kind::FrontMatter | Kind::Definition => assert!(meaning.constructs.is_empty(), "{meaning:?}"),
            kind => assert_eq!(meaning.constructs, [kind], "{:?}", document.text(block)),
        }
    }
    let again = Document::read(content, &document.manifest());
    assert_eq!(
        again.manifest(),
        document.manifest(),
        "the manifest does not fit its own text"
    );
}

fn assert_blank(content: &str, from: usize, to: usize) {
    let gap = &content[from..to];
    let gap = if from == 0 {
        gap.trim_start_matches('\u{feff}')
    } else {
        gap
    };
    assert!(
        gap.chars().all(|c| matches!(c, ' ' | '\t' | '\r' | '\n')),
        "{gap:?} belongs to no block"
    );
}

/// What each block means, in order.
pub(crate) fn meanings(document: &Document) -> Vec<Meaning> {
    let content = document.content();
    let blocks: Vec<&Block> = document.blocks().collect();
    let mut found = vec![Meaning::default(); blocks.len()];
    let body = match blocks.first() {
        Some(first) if first.kind() == Kind::FrontMatter => first.span().end,
        _ => content.len() - content.strip_prefix('\u{feff}').unwrap_or(content).len(),
    };
    let (mut depth, mut at, mut covered) = (0_usize, 0_usize, 0_usize);
    // A lone `\r` is a line break by CommonMark, which the parser does not see everywhere.
    let behind = content.chars().skip(1).chain(['\0']);
    let lines = content.chars().zip(behind);
    let lines: String = lines
        .map(|pair| {
            if pair.0 == '\r' && pair.1 != '\n' {
                '\n'
            } else {
                pair.0
            }
        })
        .collect();
    for (event, range) in Parser::new_ext(&lines[body..], EXTENSIONS).into_offset_iter() {
        if depth == 0 {
            let start = body + range.start;
            while at + 1 < blocks.len() && blocks[at].span().end <= start {
                at += 1;
            }
            assert!(
                blocks[at].span().contains(&start),
                "{event:?} belongs to no block"
            );
            // A block is whole lines, so what shares a line with another construct is a part of its block.
            let shares_a_line = covered > start || !content[covered..start].contains(['\n', '\r']);
            if found[at].constructs.is_empty() || !shares_a_line {
                found[at].constructs.push(kind(&event));
            }
            covered = body + range.start + content[body..][range.clone()].trim_end().len();
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        found[at].events.push_str(&told(&event));
    }
    found
}

/// An event in words, without blank lines at its end: those behind a block's last line are not the block's.
fn told(event: &Event<'_>) -> String {
    match event {
        Event::Text(text) | Event::Html(text) => {
            let text = text.trim_end();
            if text.is_empty() {
                String::new()
            } else {
                format!("{text:?}\n")
            }
        }
        other => format!("{other:?}\n"),
    }
}

fn kind(event: &Event<'_>) -> Kind {
    match event {
        Event::Start(Tag::Heading { level, .. }) => Kind::Heading(u8::try_from(*level as usize).unwrap()),
        Event::Start(Tag::Paragraph) => Kind::Paragraph,
        Event::Start(Tag::List(_)) => Kind::List,
        Event::Start(Tag::BlockQuote(_)) => Kind::Quote,
        Event::Start(Tag::CodeBlock(_)) => Kind::Code,
        Event::Start(Tag::Table(_)) => Kind::Table,
        Event::Start(Tag::HtmlBlock) => Kind::Html,
        Event::Start(Tag::FootnoteDefinition(_)) => Kind::Footnote,
        Event::Rule => Kind::Rule,
        other => panic!("{other:?} at the top level"),
    }
}

/// Nothing that the answer did not address changed, no person's block changed at all, the document did not become
/// empty, and what is known of it fits its text.
pub(crate) fn check_woven(before: &Document, answer: &Answer, result: &Result<Woven, WeaveError>) {
    let woven = match result {
        Ok(woven) => woven,
        Err(error) => {
            assert_eq!(error.outcomes.len(), answer.edits.len());
            assert!(!error.outcomes.iter().any(EditOutcome::is_woven));
            return;
        }
    };
    assert_eq!(
        woven.outcomes.len(),
        answer.edits.len(),
        "an edit without an outcome"
    );
    let addressed: BTreeSet<&str> = woven.outcomes.iter().filter_map(addressed).collect();
    let may_go = |block: &Block| {
        let id = block.id();
        addressed.contains(id)
            || (is_placeholder(before, block) && !woven.document.blocks().any(|block| block.id() == id))
    };
    let known: BTreeSet<&str> = before.blocks().map(Block::id).collect();
    let expected = facts(before, &|block| !may_go(block));
    let found = facts(&woven.document, &|block| {
        known.contains(block.id()) && !addressed.contains(block.id())
    });
    assert_eq!(found, expected, "a block changed that no edit addressed");
    for block in before.blocks().filter(|block| may_go(block)) {
        assert!(block.is_scribes(), "{}: a person's block was changed", block.id());
    }
    if !plain_text(before.content()).is_empty() {
        assert!(
            !plain_text(woven.document.content()).is_empty(),
            "nothing is left"
        );
    }
    check_read(woven.document.content(), &woven.document);
}

/// The block that a woven edit was allowed to change or to take away.
fn addressed(outcome: &EditOutcome) -> Option<&str> {
    match (&outcome.edit, &outcome.fate) {
        (
            Edit::Replace { block, .. } | Edit::Delete { block, .. },
            Fate::Woven {
                placed: Placed::AsAsked | Placed::Merged,
                ..
            },
        ) => Some(block),
        _ => None,
    }
}

fn is_placeholder(document: &Document, block: &Block) -> bool {
    block.is_scribes() && document.text(block) == PLACEHOLDER
}

type Facts<'a> = (BlockEntry, Kind, &'a str, Meaning);

fn facts<'a>(document: &'a Document, wanted: &dyn Fn(&Block) -> bool) -> Vec<Facts<'a>> {
    let meanings = meanings(document);
    let blocks = document.blocks().zip(meanings).filter(|(block, _)| wanted(block));
    blocks
        .map(|(block, meaning)| (block.entry().clone(), block.kind(), document.text(block), meaning))
        .collect()
}
