//! Two changes of one text, merged word by word.
//!
//! What a word is only decides how finely changes are told apart: a merge that holds has every change of both sides,
//! and where both changed the same words there is none.

/// The merge of two changes of a text, or nothing where both changed the same words.
#[must_use]
pub fn merge_words(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let merged = diffy::merge(&as_lines(base), &as_lines(ours), &as_lines(theirs)).ok()?;
    Some(from_lines(&merged))
}

/// A word, a mark or a run of white space on each line, because the merge takes lines.
fn as_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() * 2);
    let mut last = None;
    for c in text.chars() {
        let kind = Kind::of(c);
        // Words and runs of white space are whole; every mark stands alone.
        if last.is_some_and(|last| last != kind || kind == Kind::Mark) {
            lines.push('\n');
        }
        match c {
            '\\' => lines.push_str("\\\\"),
            '\n' => lines.push_str("\\n"),
            _ => lines.push(c),
        }
        last = Some(kind);
    }
    lines.push('\n');
    lines
}

/// The text of such lines.
fn from_lines(lines: &str) -> String {
    let mut text = String::with_capacity(lines.len());
    let mut escaped = false;
    for c in lines.chars() {
        match c {
            '\n' => {}
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            'n' if escaped => text.push('\n'),
            _ => text.push(c),
        }
        escaped = false;
    }
    text
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Word,
    Space,
    Mark,
}

impl Kind {
    fn of(c: char) -> Self {
        if c.is_whitespace() {
            Self::Space
        } else if c.is_alphanumeric() && !crate::words::is_unspaced(c) {
            Self::Word
        } else {
            Self::Mark
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(base: &str, ours: &str, theirs: &str, expected: Option<&str>) {
        assert_eq!(merge_words(base, ours, theirs).as_deref(), expected, "{base:?}");
    }

    #[test]
    fn changes_of_different_words_both_hold() {
        check(
            "On Friday the crew meets Jester at the docks.",
            "On Saturday the crew meets Jester at the docks.",
            "On Friday the crew meets Jester at the mill.",
            Some("On Saturday the crew meets Jester at the mill."),
        );
        check("a b c", "a b c d", "z a b c", Some("z a b c d"));
        check(
            "- one\n- two\n",
            "- one\n- two\n- three\n",
            "- One\n- two\n",
            Some("- One\n- two\n- three\n"),
        );
        check(
            "船が港に着いた",
            "船が町に着いた",
            "船が港に着いたのだ",
            Some("船が町に着いたのだ"),
        );
        check("a\\n \\ b", "a\\n \\ c", "x\\n \\ b", Some("x\\n \\ c"));
    }

    #[test]
    fn changes_of_the_same_words_do_not_merge() {
        check("on Friday", "on Saturday", "on Sunday", None);
        check("a b", "a b c", "a b d", None);
    }

    proptest! {
        #[test]
        fn a_change_of_one_side_is_that_side(base in "\\PC{0,60}", other in "\\PC{0,60}") {
            prop_assert_eq!(merge_words(&base, &other, &base), Some(other.clone()));
            prop_assert_eq!(merge_words(&base, &base, &other), Some(other.clone()));
            prop_assert_eq!(merge_words(&base, &other, &other), Some(other));
        }

        #[test]
        fn any_text_becomes_lines_and_text_again(text in any::<String>()) {
            prop_assert_eq!(from_lines(&as_lines(&text)), text);
        }
    }
}
