//! Texts of our own: every construct that documents are made of, in every script and with every line break, and
//! constructs piled up higher than any person would.

use std::time::{Duration, Instant};

use scribe_core::blocks::{Block, Document, Kind, Manifest};
use scribe_core::edits::{Bounds, weave};
use serde_json::json;

use crate::case::{answer_of, turn};
use crate::oracle;

use Kind::{Code, Definition, Footnote, FrontMatter, Heading, Html, List, Paragraph, Quote, Rule, Table};

/// Texts and the blocks that they fall into.
const TEXTS: [(&str, &[Kind]); 24] = [
    (
        "---\ntitle: A\ntags: [a, b]\n---\n\n# T\n",
        &[FrontMatter, Heading(1)],
    ),
    (
        "+++\ntitle = \"A\"\n\n[x]\ny = 1\n+++\ntext\n",
        &[FrontMatter, Paragraph],
    ),
    (
        "| a | b |\n|:--|--:|\n| 1 | `\\|` |\n| 2 |\n\nend\n",
        &[Table, Paragraph],
    ),
    ("a|b\n-|-\n1|2\n", &[Table]),
    ("```rust\nfn x() {}\n\n\n\tmore\n```\ntext\n", &[Code, Paragraph]),
    ("~~~~\n```\n~~~\n~~~~\n", &[Code]),
    ("    indented\n\n    \n    more\n\ntext\n", &[Code, Paragraph]),
    ("\tby a tab\n\n\t\tdeeper\n", &[Code]),
    (
        "- a\n  - b\n    1. c\n\n       text\n\n           code\n- d\n",
        &[List],
    ),
    (
        "- a\n- b\n\n\n* c\n+ d\n1. e\n1) f\n",
        &[List, List, List, List, List],
    ),
    ("- [ ] open\n- [x] done\n", &[List]),
    (
        "<div class=\"x\">\n\n*text*\n\n</div>\n",
        &[Html, Paragraph, Html],
    ),
    (
        "<!-- a\n\nb -->\ntext\n\n<pre>\n\nx\n</pre>\n",
        &[Html, Paragraph, Html],
    ),
    (
        "a[^1] b[^long]\n\n[^1]: note\n\n[^long]: more\n\n    text\n\nend\n",
        &[Paragraph, Footnote, Footnote, Paragraph],
    ),
    (
        "[a]: /u\n[b]: <v w>\n  'title'\n\nsee [a] and [b]\n",
        &[Definition, Paragraph],
    ),
    (
        "> quote\n> > deeper\nlazy\n\n> [!NOTE]\n> said\n",
        &[Quote, Quote],
    ),
    (
        "T\n===\nS\n---\n***\n# A #\n###### F\n",
        &[Heading(1), Heading(2), Rule, Heading(1), Heading(6)],
    ),
    (
        "two spaces  \nbackslash\\\nend \t \n\n   \n \t\nnext\t\n",
        &[Paragraph, Paragraph],
    ),
    (
        "שלום עולם\n\n# مرحبا \u{202b}بالعالم\u{202c}\n\n- \u{200f}א\n",
        &[Paragraph, Heading(1), List],
    ),
    (
        "👩‍👩‍👧‍👦 🇩🇪🇯🇵 👍🏽 #️⃣\n\n- e\u{301}a\u{308}\n\n> Z̸̧a̴͓l̷͎g̶̱o̴̟\n",
        &[Paragraph, List, Quote],
    ),
    (
        "船が港に着いた。\n\n- 一\n- 二\n\n|表|\n|-|\n|x|\n",
        &[Paragraph, List, Table],
    ),
    (
        "a\u{a0}b\u{2028}c\u{85}d\u{c}e\u{b}f\u{0}g\n\n\u{3000}\n",
        &[Paragraph, Paragraph],
    ),
    ("\n\n \t\n# late\n\n\n\n", &[Heading(1)]),
    ("", &[]),
];

/// Constructs that contain each other, or look as if they would.
const PILES: [(&str, &str); 15] = [
    ("quotes", ">"),
    ("quotes with spaces", "> "),
    ("lists", "- "),
    ("numbered lists", "1. "),
    ("lists and quotes", "- > "),
    ("lines of lists", "- a\n  "),
    ("brackets", "["),
    ("brackets and parentheses", "[a]("),
    ("images", "!["),
    ("stars", "*a **a "),
    ("underscores", "_a "),
    ("backticks", "`a``"),
    ("angles", "<a "),
    ("notes", "[^1]: "),
    ("ampersands", "&#"),
];

fn forms(text: &str) -> [String; 6] {
    [
        text.to_owned(),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        format!("\u{feff}{text}"),
        text.trim_end_matches('\n').to_owned(),
        text.trim_end_matches('\n').to_owned() + " \t\n\n \n",
    ]
}

/// An edit at the end, behind the first block, and of the last one.
fn weave_around(document: &Document) {
    let id = |at: usize| document.blocks().nth(at).map(|block| block.id().to_owned());
    let edits = json!([
        { "action": "append", "block": null, "hash": null, "markdown": "Wholly new words." },
        { "action": "insert_after", "block": id(0).unwrap_or("b1".into()), "hash": null, "markdown": "- a new list" },
        { "action": "replace", "block": id(document.blocks().len().saturating_sub(1)).unwrap_or("b1".into()),
          "hash": "now", "markdown": "Other words." },
    ]);
    let answer = answer_of(document, json!({ "edits": edits, "reason": null })).unwrap();
    let result = weave(document, &answer, &turn("anything"), &Bounds::default());
    oracle::check_woven(document, &answer, &result);
}

#[test]
fn every_construct_is_read_and_woven_around() {
    for (text, kinds) in TEXTS {
        for content in forms(text) {
            let document = Document::read(&content, &Manifest::of_scribe(&content));
            let found: Vec<Kind> = document.blocks().map(Block::kind).collect();
            assert_eq!(found, kinds, "{content:?}");
            oracle::check_read(&content, &document);
            weave_around(&document);
        }
    }
}

#[test]
fn every_construct_stands_behind_every_other() {
    for (first, _) in TEXTS {
        for (second, _) in TEXTS {
            let content = format!("{first}{second}");
            let document = Document::read(&content, &Manifest::of_scribe(&content));
            oracle::check_read(&content, &document);
            weave_around(&document);
        }
    }
}

/// Square time would be a hundred times as much for ten times the levels; the rest is left to the machine's moods.
#[test]
fn ten_thousand_levels_take_no_stack_and_no_square_time() {
    let time = |pile: &str, levels: usize| {
        let content = format!("# T\n\n{}\n\nend\n", pile.repeat(levels));
        let begun = Instant::now();
        let document = Document::read(&content, &Manifest::of_scribe(&content));
        let took = begun.elapsed();
        weave_around(&document);
        took
    };
    for (name, pile) in PILES {
        let fastest = |levels| (0..3).map(|_| time(pile, levels)).min().unwrap();
        let (few, many) = (fastest(1_000), fastest(10_000));
        println!("{name}: {few:?}, ten times as many {many:?}");
        assert!(
            many < few.max(Duration::from_millis(2)) * 40,
            "{name}: {few:?} becomes {many:?}"
        );
    }
}
