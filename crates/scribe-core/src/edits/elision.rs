//! Finds the places where a model wrote "the rest is unchanged" in place of the rest.
//!
//! Prose may say that something remains the same; an elision says it in brackets, behind an ellipsis, or of the
//! document itself. Short-hand that the turn itself uses is the turn's, not the model's.

/// What stands in brackets, comments or behind an ellipsis where text was left out.
const SAID_ASIDE: [&str; 14] = [
    "unchanged",
    "remains the same",
    "remain the same",
    "stays the same",
    "same as before",
    "same as above",
    "as before",
    "no changes",
    "rest of",
    "existing content",
    "existing text",
    "previous content",
    "previous text",
    "omitted",
];

/// What a document calls its parts.
const PARTS: [&str; 7] = [
    "document",
    "text",
    "section",
    "content",
    "paragraph",
    "chapter",
    "page",
];

/// Whether text was left out. `turn` is the turn's text in lower case.
pub(super) fn is_elided(markdown: &str, turn: &str) -> bool {
    markdown.lines().any(|line| {
        let line = line.to_lowercase().replace("...", "…").replace("[ … ]", "[…]");
        let bare = line
            .trim()
            .trim_start_matches(['>', '-', '*', '+', '_', '#', '`', ' ']);
        let bare = bare.trim_end_matches(['*', '_', '`', ' ']);
        is_only_ellipsis(bare)
            || (line.contains("[…]") && !turn.contains("[…]") && !turn.contains("[...]"))
            || aside(bare).iter().any(|said| says_left_out(said, turn))
            || speaks_of_the_document(bare, turn)
    })
}

fn is_only_ellipsis(line: &str) -> bool {
    line.contains('…')
        && line
            .chars()
            .all(|c| matches!(c, '…' | '.' | ' ' | '[' | ']' | '(' | ')'))
}

/// What stands between brackets or in a comment, and a whole line that begins with an ellipsis.
fn aside(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (open, close) in [("[", "]"), ("<!--", "-->"), ("{", "}")] {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((inside, behind)) = after.split_once(close) else {
                break;
            };
            found.push(inside);
            rest = behind;
        }
    }
    if line.starts_with('…') || (line.starts_with("(…") && line.ends_with(')')) {
        found.push(line);
    }
    found
}

fn says_left_out(said: &str, turn: &str) -> bool {
    let said = said.trim_matches(|c: char| !c.is_alphanumeric());
    said.split_whitespace().count() <= 12
        && SAID_ASIDE.iter().any(|sign| said.contains(sign))
        && !turn.contains(said)
}

/// "(The rest of the document remains unchanged.)", as a line of its own.
fn speaks_of_the_document(line: &str, turn: &str) -> bool {
    let said = line.trim_matches(|c: char| !c.is_alphanumeric());
    let says = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    said.split_whitespace().count() <= 12
        && (said.starts_with("rest ") || said.starts_with("the rest ") || says(&["remainder of the"]))
        && says(&[
            "unchanged",
            "the same",
            "as it was",
            "as is",
            "omitted",
            "continues",
        ])
        && (says(&PARTS) || said.split_whitespace().count() <= 4)
        && !turn.contains(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(markdown: &str, turn: &str, expected: bool) {
        assert_eq!(is_elided(markdown, turn), expected, "{markdown:?} {turn:?}");
    }

    #[test]
    fn text_left_out_is_found() {
        for elided in [
            "The king rode north.\n\n[rest of the section unchanged]",
            "[…]",
            "She said [...] and left.",
            "...",
            "> …",
            "<!-- existing content -->",
            "...remains the same...",
            "(… rest of the text …)",
            "*The rest of the document remains unchanged.*",
            "Rest unchanged.",
            "[Previous content stays the same]",
        ] {
            check(elided, "", true);
        }
    }

    #[test]
    fn prose_is_left_alone() {
        for prose in [
            "The rest of the crew remains the same, though the captain has changed.",
            "The harbour remains unchanged since the war...",
            "\"...and then?\" she asked.",
            "He waited… and waited.",
            "[Jester](https://example.org) laughs.",
            "- [ ] feed the horses\n- [x] sell the boat",
            "The rest of the night passes quietly.",
        ] {
            check(prose, "", false);
        }
    }

    #[test]
    fn what_the_turn_says_may_be_written() {
        check(
            "The letter reads [...] and ends.",
            "it reads [...] and ends",
            false,
        );
        check(
            "[rest of the letter unchanged]",
            "put [rest of the letter unchanged] there",
            false,
        );
    }
}
