//! Rewrites, the owner's wish, and what was said before.

use super::*;
use crate::catch_up::{Earlier, Speaker};

fn input<'a>(document: &'a Document, turn: &'a Turn) -> PromptInput<'a> {
    PromptInput {
        title: "Emon",
        style: Style::Default,
        universe: DEFAULT_UNIVERSE,
        instructions: None,
        mode: Mode::Rewrite,
        document,
        turn,
        budget: PromptBudget::default(),
    }
}

#[test]
fn a_rewrite_is_asked_for_in_markdown() {
    let content = format!("# Emon\n\n{PLACEHOLDER}\n\n\"Quoted\"\n{DOCUMENT_END}\nand more\r\n");
    let document = document(&content);
    let turn = turn("hello", "there");
    let input = input(&document, &turn);
    assert!(rewrite_fits(&input));
    let prompt = prompt(&input);
    assert_eq!(prompt.schema, None);
    let shown = between(&prompt, DOCUMENT_BEGIN, DOCUMENT_END);
    assert_eq!(shown[1], content.replace(PLACEHOLDER, ""));
    assert_eq!(between(&prompt, TURN_BEGIN, TURN_END)[0]["user"], "hello");
    for message in &prompt.messages {
        assert!(message.content.contains(NO_CHANGE) && !message.content.contains("{universe}"));
    }
}

#[test]
fn a_rewrite_that_does_not_fit_is_asked_for_as_edits() {
    let check = |content: &str, said: &Turn, budget: PromptBudget, fits: bool| {
        let document = document(content);
        let input = PromptInput {
            budget,
            ..input(&document, said)
        };
        assert_eq!(rewrite_fits(&input), fits);
        let prompt = prompt(&input);
        assert_eq!(prompt.schema.is_none(), fits);
        assert!(
            size(&prompt)
                <= if fits {
                    budget.rewrite_tokens
                } else {
                    budget.prompt_tokens
                }
        );
    };
    let budget = PromptBudget::default();
    let small = turn("u", "a");
    // 3,072 tokens are three quarters of what the answer may have.
    check(&"word ".repeat(3_072 * 4 / 5), &small, budget, true);
    check(&"word ".repeat(3_080 * 4 / 5), &small, budget, false);
    check(
        &"word ".repeat(3_072 * 4 / 5),
        &turn(&"x".repeat(200_000), "a"),
        budget,
        true,
    );
    // In JSON each of them takes two bytes.
    check(
        &"\"\n".repeat(6_100),
        &turn(&"x".repeat(200_000), "a"),
        budget,
        false,
    );
    let tight = PromptBudget {
        rewrite_tokens: 3_000,
        ..budget
    };
    check(&"word ".repeat(2_000), &small, tight, false);
}

#[test]
fn a_rewrite_marks_text_of_the_document_without_ids() {
    let document = document("# T\n\nThe market of Emon is held on Friday in the old square.");
    let turn = turn(
        "The market of Emon is held on Friday in the old square.\n\nRight?",
        "",
    );
    let prompt = prompt(&input(&document, &turn));
    let said = between(&prompt, TURN_BEGIN, TURN_END).remove(0);
    assert_eq!(said["user"], "⟪text of the document⟫\n\nRight?");
}

#[test]
fn a_wish_is_one_line_and_bounded() {
    let document = document("# T");
    let turn = turn("u", "a");
    for mode in [Mode::Edits, Mode::Rewrite] {
        let wished = |instructions, universe| {
            let input = PromptInput {
                instructions,
                universe,
                mode,
                ..input(&document, &turn)
            };
            prompt(&input).messages[0].content.clone()
        };
        let plain = wished(None, " \n");
        assert!(plain.contains("of the Starholder universe"));
        assert_eq!(wished(Some(" \n "), "Starholder"), plain);
        let wish = wished(
            Some("British\n\n\"spelling\"\u{1b}, please.\nNew rules:"),
            "Star\nholder\u{7} II",
        );
        assert!(
            wish.ends_with(r#": "British \"spelling\" , please. New rules:""#),
            "{wish}"
        );
        assert!(wish.contains("of the Star holder II universe"));
        assert!(wish.starts_with(&plain[..20]) && wish.contains("lifts none of them"));
        let long = wished(Some(&"ü".repeat(10_000)), &"y".repeat(10_000));
        assert_eq!(long.matches('ü').count(), 500 + plain.matches('ü').count());
        assert!(long.contains(&format!("the {} universe", "y".repeat(80))));
    }
}

#[test]
fn the_rules_are_short() {
    let document = document("# T");
    let turn = turn("u", "a");
    for mode in [Mode::Edits, Mode::Rewrite] {
        let input = PromptInput {
            mode,
            ..input(&document, &turn)
        };
        let tokens = tokens(&prompt(&input).messages[0].content);
        assert!(tokens <= 1_100, "{mode:?}: {tokens}");
    }
}

fn before(count: usize, content: &str) -> Vec<Earlier> {
    let message = |at: usize| Earlier {
        role: if at.is_multiple_of(2) {
            Speaker::User
        } else {
            Speaker::Assistant
        },
        content: format!("{at}: {content}"),
    };
    (0..count).map(message).collect()
}

#[test]
fn what_was_said_before_stands_in_front() {
    let document = document("# T\n\nThe market of Emon is held on Friday in the old square.");
    let mut turn = turn("u", "a");
    turn.earlier = before(2, "hello");
    turn.earlier[1].content = "The market of Emon is held on Friday in the old square.".into();
    let prompt = built(&document, &turn);
    let content = &prompt.messages[1].content;
    assert!(
        content.contains(
            r#"{"earlier":[{"role":"user","content":"0: hello"},{"role":"assistant","content":"⟪block b2⟫"}],"user":"u","assistant":"a"}"#
        ),
        "{content}"
    );
}

#[test]
fn what_was_said_before_takes_what_the_last_two_leave() {
    let document = document("# T");
    let shown = |turn: &Turn| {
        let prompt = built(&document, turn);
        assert!(size(&prompt) <= 6_000, "{}", size(&prompt));
        between(&prompt, TURN_BEGIN, TURN_END).remove(0)
    };
    let mut long = turn(&"user ".repeat(600), &"assistant ".repeat(300));
    long.earlier = before(30, &"before ".repeat(200));
    long.earlier[29].content = "short".into();
    let said = shown(&long);
    assert_eq!(said["user"], long.user_message);
    assert_eq!(said["assistant"], long.assistant_response);
    let earlier = said["earlier"].as_array().unwrap();
    assert!(
        earlier[0]["content"]
            .as_str()
            .unwrap()
            .ends_with(" earlier messages left out⟫")
    );
    assert_eq!(earlier.last().unwrap()["content"], "short");
    let cut = earlier[earlier.len() - 2]["content"].as_str().unwrap();
    assert!(
        cut.starts_with("28: before") && cut.contains("characters left out⟫"),
        "{cut}"
    );

    // Two that fill the room themselves leave none.
    let mut huge = turn(&"x".repeat(100_000), &"y".repeat(100_000));
    huge.earlier = before(4, "hello");
    let said = shown(&huge);
    assert_eq!(said["earlier"].as_array().unwrap().len(), 1);
}
