use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::edits::Answer;

/// The edits after all pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Vec<LiveEdit> {
    let mut answer = PartialAnswer::default();
    for piece in pieces {
        answer.push(piece);
    }
    answer.edits()
}

fn edit(action: LiveAction, block: Option<&str>, markdown: &str) -> LiveEdit {
    LiveEdit {
        action,
        block: block.map(Into::into),
        markdown: markdown.into(),
    }
}

fn check(text: &str, expected: &[LiveEdit]) {
    // In one piece, and in as many as it has characters.
    assert_eq!(read([text]), expected, "{text}");
    assert_eq!(read(text.split("")), expected, "{text}, in pieces");
}

fn append(markdown: &str) -> [LiveEdit; 1] {
    [edit(LiveAction::Append, None, markdown)]
}

/// An answer up to where its text would end.
fn begun(markdown: &str) -> String {
    format!(r#"{{"edits":[{{"action":"append","block":null,"hash":null,"markdown":"{markdown}"#)
}

#[test]
fn text_is_seen_as_far_as_it_is_written() {
    check("", &[]);
    check(r#"{"edits":[{"#, &[]);
    check(r#"{"edits":[{"action":"app"#, &[]);
    check(r#"{"edits":[{"action":"append""#, &append(""));
    check(&begun(""), &append(""));
    check(&begun("The br"), &append("The br"));
    check(
        &begun(r#"a\n\n- \"b\" \\ \/ \t\u0041\u00e9"#),
        &append("a\n\n- \"b\" \\ / \tAé"),
    );
    check(&begun("漢字 🐉 مرحبا"), &append("漢字 🐉 مرحبا"));
}

#[test]
fn edits_follow_each_other() {
    let text = r#" { "edits" : [ {"action":"insert_after","block":" b3 ","hash":null,"markdown":"one"} ,
        {"action":"replace","block":"b4","hash":"ab","markdown":"two"},
        {"action":"delete","block":"b5","hash":"ab","markdown":null},
        {"action":"new_section","block":null,"hash":null,"markdown":"\n## Th"#;
    let expected = [
        edit(LiveAction::InsertAfter, Some("b3"), "one"),
        edit(LiveAction::Replace, Some("b4"), "two"),
        edit(LiveAction::Delete, Some("b5"), ""),
        edit(LiveAction::NewSection, None, "\n## Th"),
    ];
    check(text, &expected);
}

#[test]
fn keys_may_come_in_any_order() {
    check(r#"{"reason":"x","edits":[{"markdown":"one"#, &[]);
    check(
        r#"{"reason":"x","edits":[{"markdown":"one","block":"b1","action":"append"#,
        &[],
    );
    check(
        r#"{"reason":"x","edits":[{"markdown":"one","block":"b1","action":"append"}"#,
        &[edit(LiveAction::Append, Some("b1"), "one")],
    );
}

#[test]
fn no_character_is_shown_by_half() {
    check(&begun(r"x\ud83d\udc0"), &append("x"));
    check(&begun(r"x\ud83d\udc09"), &append("x🐉"));
    check(&begun(r"x\ud83d"), &append("x"));
    check(&begun("x\\"), &append("x"));
    check(&begun(r"x\u00"), &append("x"));
    // Halves that belong to nothing: no JSON, so it ends there.
    for broken in [
        r"x\ud83dy",
        r"x\ud83d\n",
        r"x\ud83d\u0041y",
        r"x\udc09y",
        r"x\u00g0y",
        r"x\qy",
        "x\ny",
    ] {
        check(&begun(broken), &append("x"));
    }
}

#[test]
fn wrappings_are_taken_away_as_from_a_whole_answer() {
    let bare = begun("one");
    for before in [
        "\n ",
        "```json\n",
        "```\n",
        "<think>\nhm {\"edits\": <</think>\n",
        "<think></think>\n```json\n",
    ] {
        let text = format!("{before}{bare}");
        check(&text, &append("one"));
        let whole = format!(
            "{text}\"}}],\"reason\":null}}{}",
            if before.contains("```") { "\n```" } else { "" }
        );
        assert!(Answer::parse(&whole).is_ok(), "{whole}");
        check(&whole, &append("one"));
    }
}

#[test]
fn what_is_no_answer_shows_nothing() {
    for text in [
        "# A document\n\nwith {\"edits\":[{\"action\":\"append\",\"markdown\":\"x",
        "I'd rather not",
        "<thoughts>",
        "``x",
        "[{\"action\":\"append\",\"markdown\":\"x\"}]",
        r#"{"edits":{"a":{"action":"append","markdown":"x"}}}"#,
        r#"{"edits":["action","append","markdown","x"]}"#,
        r#"{"other":[{"action":"append","markdown":"x"}]}"#,
        r#"{"edits":[[{"action":"append","markdown":"x"}]]}"#,
        r#"{"edits" [{"action":"append","markdown":"x"}]}"#,
        r#"{"edits":[}{"action":"append","markdown":"x"}]}"#,
        r#"{"x":{"edits":[{"action":"append","markdown":"x"}]}}"#,
    ] {
        check(text, &[]);
    }
    // Reading ends, what was seen stays.
    check(&format!("{}\"] oh", begun("one")), &append("one"));
    check(
        r#"{"edits":[{"action":"append","more":{"markdown":["no"]},"markdown":"one"}],"reason":null} {"edits":[{"action":"append"}]}"#,
        &append("one"),
    );
}

#[test]
fn only_what_shows_is_a_change() {
    let mut answer = PartialAnswer::default();
    assert!(!answer.push(r#"{"edits":[{"#));
    assert!(answer.push(r#""action":"append","#));
    assert!(!answer.push(r#""hash":null,"markdown":""#));
    assert!(answer.push("one"));
    assert!(!answer.push("\\"));
    assert!(answer.push("n"));
    assert!(!answer.push("\"}],\"reason\":null}\n"));
    assert!(!answer.is_cut());
}

#[test]
fn memory_is_bounded() {
    let mut answer = PartialAnswer::default();
    answer.push(&begun("x"));
    let dragons = "🐉".repeat(1000);
    for _ in 0..100 {
        answer.push(&dragons);
    }
    assert!(answer.is_cut());
    let shown = &answer.edits()[0].markdown;
    assert!(shown.len() > MAX_LIVE_BYTES - 4 && shown.len() <= MAX_LIVE_BYTES);
    assert!(!answer.push("more"));

    let many = vec![json!({ "action": "append", "markdown": "x" }); 1000];
    let mut answer = PartialAnswer::default();
    answer.push(&json!({ "edits": many }).to_string());
    assert!(answer.is_cut());
    assert_eq!(answer.edits().len(), MAX_LIVE_EDITS);

    let long = "x".repeat(10_000);
    let text = json!({ "edits": [{ "action": &long, "block": &long, "markdown": "m" }] }).to_string();
    check(&text, &[edit(LiveAction::Other, None, "m")]);
    check(&"[".repeat(100_000), &[]);
    check(&format!(r#"{{"x":{}"#, "[".repeat(100_000)), &[]);
}

#[test]
fn no_text_reaches_a_debug_print() {
    let mut answer = PartialAnswer::default();
    answer.push(&begun("a secret"));
    assert!(!format!("{answer:?} {:?}", answer.edits()).contains("secret"));
}

proptest! {
    #[test]
    fn an_answer_reads_as_its_whole_however_it_comes(
        markdowns in prop::collection::vec("\\PC*", 1..4),
        block in prop::option::of("[a-z0-9]{1,8}"),
        pretty: bool,
        escaped: bool,
        cuts in prop::collection::vec(1_usize..9, 1..20),
    ) {
        let edits: Vec<_> = markdowns
            .iter()
            .map(|markdown| json!({ "action": "append", "block": block, "hash": null, "markdown": markdown }))
            .collect();
        let answer = json!({ "edits": edits, "reason": null });
        let mut text = if pretty { format!("{answer:#}") } else { answer.to_string() };
        if escaped {
            // As servers do that keep to ASCII: each UTF-16 unit by its number.
            text = text
                .chars()
                .map(|c| match c {
                    ' '..='~' | '\n' => c.to_string(),
                    _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
                })
                .collect();
        }
        prop_assert!(Answer::parse(&text).is_ok());
        let expected: Vec<_> = markdowns
            .iter()
            .map(|markdown| edit(LiveAction::Append, block.as_deref(), markdown))
            .collect();

        let (mut partial, mut shown) = (PartialAnswer::default(), Vec::<LiveEdit>::new());
        let (mut characters, mut sizes) = (text.chars().peekable(), cuts.iter().cycle());
        while characters.peek().is_some() {
            let piece: String = characters.by_ref().take(*sizes.next().unwrap()).collect();
            let changed = partial.push(&piece);
            let now = partial.edits();
            prop_assert!(changed || now == shown);
            // It only grows.
            prop_assert!(shown.iter().zip(&now).all(|(old, new)| new.markdown.starts_with(&old.markdown)));
            shown = now;
        }
        prop_assert_eq!(shown, expected);
    }

    #[test]
    fn nothing_that_is_written_makes_it_panic(
        text in r#"[{}\[\]":,\\u0-9a-f`<>\n 🐉]{0,60}"#,
        anything in "\\PC*",
        at in 0_usize..120,
    ) {
        let whole = json!({ "edits": [{ "action": "append", "block": "b1", "hash": null, "markdown": "é🐉" }] });
        let mut mutated = whole.to_string();
        let at = mutated.floor_char_boundary(at);
        mutated.insert_str(at, &text);
        let _ = read([mutated.as_str()]);
        let _ = read(text.split(""));
        let _ = read([anything.as_str()]);
    }
}
