//! Where the blocks of a Markdown text begin and end.
//!
//! Every block is a run of whole lines: it begins where its first line begins and ends before the line break of
//! its last. What lies between blocks is blank. Link reference definitions, which the parser swallows without a
//! word, are blocks too, so that no byte of a person's text belongs to nobody.
//!
//! Front matter is recognised here and not by the parser, which would find it in the middle of a text as well,
//! where every other reader sees a rule and a heading.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag};

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// YAML between `---` or TOML between `+++`, at the very top.
    FrontMatter,
    /// A heading of level 1 to 6.
    Heading(u8),
    /// A paragraph.
    Paragraph,
    /// A list of either sort, whole.
    List,
    /// A block quote, whole.
    Quote,
    /// Fenced or indented code.
    Code,
    /// A table.
    Table,
    /// An HTML block.
    Html,
    /// A thematic break.
    Rule,
    /// A footnote's text.
    Footnote,
    /// One or more link reference definitions.
    Definition,
}

/// A block of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// Destination and title of reference links, by label in lower case.
pub(crate) type References = BTreeMap<String, (String, String)>;

/// A text taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anatomy {
    /// Its blocks in order. They do not overlap, and only blank lines lie between them.
    pub(crate) pieces: Vec<Piece>,
    /// Where its reference links lead, by label: a new definition could change what a block means whose bytes
    /// nobody touched.
    pub(crate) references: References,
    /// The labels of its footnotes.
    pub(crate) footnotes: BTreeSet<String>,
}

/// The extensions that documents are read with: what GitHub reads, as far as blocks depend on it.
pub(crate) const EXTENSIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_GFM);

impl Anatomy {
    /// Takes a whole document apart.
    pub(crate) fn of(content: &str) -> Self {
        let content = &*as_lines(content);
        let top = if content.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        let matter = front_matter(&content[top..]).map(|end| top..top + end);
        let body = matter.as_ref().map_or(top, |matter| matter.end);
        let mut anatomy = Self::from(content, body);
        if let Some(matter) = matter {
            let span = matter.start..trimmed_end(content, &matter);
            anatomy.pieces.insert(
                0,
                Piece {
                    kind: Kind::FrontMatter,
                    span,
                },
            );
        }
        anatomy
    }

    /// Takes a part of a document apart: nothing in it is front matter.
    pub(crate) fn of_part(markdown: &str) -> Self {
        Self::from(&as_lines(markdown), 0)
    }

    fn from(content: &str, body: usize) -> Self {
        let mut events = Parser::new_ext(&content[body..], EXTENSIONS).into_offset_iter();
        let mut found: Vec<Piece> = Vec::new();
        let mut footnotes = BTreeSet::new();
        let mut depth = 0_usize;
        for (event, range) in events.by_ref() {
            let kind = match &event {
                Event::Start(tag) => {
                    if let Tag::FootnoteDefinition(label) = tag {
                        footnotes.insert(label.to_lowercase());
                    }
                    depth += 1;
                    (depth == 1).then(|| kind_of(tag))
                }
                Event::End(_) => {
                    depth = depth.saturating_sub(1);
                    None
                }
                Event::Rule => (depth == 0).then_some(Kind::Rule),
                _ => None,
            };
            if let Some(kind) = kind {
                found.push(Piece {
                    kind,
                    span: body + range.start..body + range.end,
                });
            }
        }
        let references = events
            .reference_definitions()
            .iter()
            .map(|(label, definition)| {
                let title = definition.title.as_deref().unwrap_or_default().to_owned();
                (label.to_lowercase(), (definition.dest.to_string(), title))
            })
            .collect();
        Self {
            pieces: in_lines(content, body, found),
            references,
            footnotes,
        }
    }
}

fn kind_of(tag: &Tag<'_>) -> Kind {
    match tag {
        Tag::Heading { level, .. } => Kind::Heading(match level {
            HeadingLevel::H1 => 1,
            HeadingLevel::H2 => 2,
            HeadingLevel::H3 => 3,
            HeadingLevel::H4 => 4,
            HeadingLevel::H5 => 5,
            HeadingLevel::H6 => 6,
        }),
        Tag::List(_) => Kind::List,
        Tag::BlockQuote(_) => Kind::Quote,
        Tag::CodeBlock(_) => Kind::Code,
        Tag::Table(_) => Kind::Table,
        Tag::HtmlBlock => Kind::Html,
        Tag::FootnoteDefinition(_) => Kind::Footnote,
        _ => Kind::Paragraph,
    }
}

/// Widens what the parser found to whole lines, and makes blocks of what it left out.
fn in_lines(content: &str, body: usize, found: Vec<Piece>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(found.len());
    let mut covered = body;
    for piece in found {
        // Looking for the ends of a line that is covered already would take square time where one line holds
        // thousands of footnotes, one in the other.
        if piece.span.end <= covered {
            continue;
        }
        let end = trimmed_end(content, &piece.span);
        if end <= covered {
            continue;
        }
        if let Some(last) = pieces.last_mut().filter(|_| piece.span.start < covered) {
            // It begins on the last line of another one and goes on: together they are whole lines.
            last.span.end = end;
            covered = end;
            continue;
        }
        let gap = covered..piece.span.start;
        let start = content[gap]
            .rfind(['\n', '\r'])
            .map_or(covered, |at| covered + at + 1);
        pieces.extend(between(content, covered..start));
        pieces.push(Piece {
            kind: piece.kind,
            span: start..end,
        });
        covered = end;
    }
    pieces.extend(between(content, covered..content.len()));
    pieces
}

/// The text, byte for byte as long, in which every line break is one to the parser. A lone `\r` is a line break by
/// CommonMark, but the parser overlooks it here and there, and then a block's meaning depends on its neighbours.
pub(super) fn as_lines(content: &str) -> Cow<'_, str> {
    let lone = |at: usize| content[at..].starts_with('\r') && !content[at + 1..].starts_with('\n');
    if !content.match_indices('\r').any(|(at, _)| lone(at)) {
        return Cow::Borrowed(content);
    }
    let line = |(at, c): (usize, char)| if c == '\r' && lone(at) { '\n' } else { c };
    Cow::Owned(content.char_indices().map(line).collect())
}

/// What stands between two blocks and is not blank: definitions of reference links.
fn between(content: &str, gap: Range<usize>) -> Option<Piece> {
    let text = &content[gap.clone()];
    let first = text.find(|c: char| !is_blank(c))?;
    let start = gap.start + text[..first].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let span = start..trimmed_end(content, &gap);
    Some(Piece {
        kind: Kind::Definition,
        span,
    })
}

/// The end of the last line of a range that is not blank, before its line break.
fn trimmed_end(content: &str, range: &Range<usize>) -> usize {
    let kept = range.start + content[range.clone()].trim_end_matches(is_blank).len();
    kept + content[kept..].find(['\n', '\r']).unwrap_or(content.len() - kept)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Where the front matter at the top of a text ends, its last line break left out.
fn front_matter(content: &str) -> Option<usize> {
    let mut lines = content.split_inclusive('\n');
    let first = lines.next()?;
    let fence = match first.trim_end() {
        "---" => ["---", "..."],
        "+++" => ["+++", "+++"],
        _ => return None,
    };
    let mut at = first.len();
    for (number, line) in lines.enumerate() {
        let text = line.trim_end();
        // A rule, a blank line and a second rule is prose, not front matter.
        if number == 0 && text.is_empty() {
            return None;
        }
        if fence.contains(&text) {
            return Some(at + text.len());
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expected: &[(Kind, &str)]) {
        let pieces = Anatomy::of(content).pieces;
        let found: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.kind, &content[piece.span.clone()]))
            .collect();
        assert_eq!(found, expected, "{content:?}");
    }

    #[test]
    fn every_kind_of_block_is_found() {
        use Kind::*;
        check("", &[]);
        check(" \n\t\n", &[]);
        check("# T\ntext\n\n\n", &[(Heading(1), "# T"), (Paragraph, "text")]);
        check(
            "T\n===\n\nlazy\ncontinued  ",
            &[(Heading(1), "T\n==="), (Paragraph, "lazy\ncontinued  ")],
        );
        check(
            "- a\n\n  b\n    - c\n\n\nd",
            &[(List, "- a\n\n  b\n    - c"), (Paragraph, "d")],
        );
        check("> q\nlazy\n\n---\n", &[(Quote, "> q\nlazy"), (Rule, "---")]);
        check("    code\n\n    more\n", &[(Code, "    code\n\n    more")]);
        check("```rust\nlet x;\n```\n", &[(Code, "```rust\nlet x;\n```")]);
        check(
            "text\n\n```\nnever closed\n\n",
            &[(Paragraph, "text"), (Code, "```\nnever closed")],
        );
        check(
            "| a |\n|---|\n| 1 |\n\nb",
            &[(Table, "| a |\n|---|\n| 1 |"), (Paragraph, "b")],
        );
        check(
            "<div>\n*x*\n</div>\n\ny",
            &[(Html, "<div>\n*x*\n</div>"), (Paragraph, "y")],
        );
        check(
            "a[^1]\n\n[^1]: note\n    more\n",
            &[(Paragraph, "a[^1]"), (Footnote, "[^1]: note\n    more")],
        );
        check(
            "[^1]: [^2]: note\n    more\n\nb",
            &[(Footnote, "[^1]: [^2]: note\n    more"), (Paragraph, "b")],
        );
    }

    #[test]
    fn definitions_are_blocks_too() {
        use Kind::*;
        let text = "see [a]\n\n[a]: /one\n[b]: /two 'T'\n\nend [b]";
        check(
            text,
            &[
                (Paragraph, "see [a]"),
                (Definition, "[a]: /one\n[b]: /two 'T'"),
                (Paragraph, "end [b]"),
            ],
        );
        let references = Anatomy::of(text).references;
        assert_eq!(references["b"], ("/two".to_owned(), "T".to_owned()));
        check(
            "[a]: /one\ntext",
            &[(Definition, "[a]: /one"), (Paragraph, "text")],
        );
    }

    #[test]
    fn front_matter_stands_at_the_top_only() {
        use Kind::*;
        check(
            "---\na: 1\n---\n# T",
            &[(FrontMatter, "---\na: 1\n---"), (Heading(1), "# T")],
        );
        check("+++\na = 1\n+++\n", &[(FrontMatter, "+++\na = 1\n+++")]);
        check(
            "\u{feff}---\r\na: 1\r\n...\r\n\r\nx",
            &[(FrontMatter, "---\r\na: 1\r\n..."), (Paragraph, "x")],
        );
        check(
            "---\n\na\n\n---\n",
            &[(Rule, "---"), (Paragraph, "a"), (Rule, "---")],
        );
        check(
            "x\n\n---\na: 1\n---\n",
            &[(Paragraph, "x"), (Rule, "---"), (Heading(2), "a: 1\n---")],
        );
        check("---\nno end", &[(Rule, "---"), (Paragraph, "no end")]);
    }

    #[test]
    fn any_line_break_and_any_script() {
        use Kind::*;
        check(
            "# T\r\n\r\na\r\nb\r\n",
            &[(Heading(1), "# T"), (Paragraph, "a\r\nb")],
        );
        check("a\rb\r\rc", &[(Paragraph, "a\rb"), (Paragraph, "c")]);
        check(
            "```\rcode\r```\rtext",
            &[(Code, "```\rcode\r```"), (Paragraph, "text")],
        );
        check(
            "---\ra: 1\r---\rx",
            &[(FrontMatter, "---\ra: 1\r---"), (Paragraph, "x")],
        );
        check(
            "שלום עולם\n\n🐉 *x*",
            &[(Paragraph, "שלום עולם"), (Paragraph, "🐉 *x*")],
        );
        check("\u{feff}# T\n", &[(Heading(1), "# T")]);
        check(
            "  # indented\n   text",
            &[(Heading(1), "  # indented"), (Paragraph, "   text")],
        );
    }
}
