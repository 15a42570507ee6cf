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

/// A merge that always comes to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The text.
    pub text: String,
    /// Whether both changed the same words; `theirs` is in the text then, and what `ours` said there is not.
    pub contested: bool,
}

/// The merge of two changes of a text. Where both changed the same words, `theirs` stands; where both only added some at
/// one place, `ours` come first and then `theirs`.
#[must_use]
pub fn merge_words_for_theirs(base: &str, ours: &str, theirs: &str) -> Resolved {
    let mut options = diffy::MergeOptions::new();
    options.set_conflict_style(diffy::ConflictStyle::Diff3);
    match options.merge(&as_lines(base), &as_lines(ours), &as_lines(theirs)) {
        Ok(lines) => Resolved {
            text: from_lines(&lines),
            contested: false,
        },
        Err(lines) => resolved(&lines),
    }
}

/// The part of a conflict that is being read.
#[derive(Clone, Copy)]
enum Part {
    Ours,
    Base,
    Theirs,
}

/// The text of lines with conflicts. A mark of a text stands alone on its line, so no line of a text looks like a
/// conflict's.
fn resolved(lines: &str) -> Resolved {
    let mut text = String::with_capacity(lines.len());
    let mut contested = false;
    let mut part = None;
    let (mut ours, mut base, mut theirs) = (String::new(), String::new(), String::new());
    for line in lines.split_inclusive('\n') {
        match (line.get(..7), part) {
            (Some("<<<<<<<"), _) => part = Some(Part::Ours),
            (Some("|||||||"), _) => part = Some(Part::Base),
            (Some("======="), _) => part = Some(Part::Theirs),
            (Some(">>>>>>>"), _) => {
                let (one, other) = (std::mem::take(&mut ours), std::mem::take(&mut theirs));
                if !std::mem::take(&mut base).is_empty() {
                    contested = true;
                    text.push_str(&other);
                } else if one.starts_with(&other) {
                    // The longer one has both.
                    text.push_str(&one);
                } else {
                    if !other.starts_with(&one) {
                        text.push_str(&one);
                    }
                    text.push_str(&other);
                }
                part = None;
            }
            (_, Some(Part::Ours)) => ours.push_str(line),
            (_, Some(Part::Base)) => base.push_str(line),
            (_, Some(Part::Theirs)) => theirs.push_str(line),
            (_, None) => text.push_str(line),
        }
    }
    Resolved {
        text: from_lines(&text),
        contested,
    }
}

/// A word, a mark or a run of white space on each line, because the merge takes lines. A space belongs to what stands
/// behind it: alone it would be the same everywhere, and a word that has only moved on would count as another one.
fn as_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() * 2);
    let mut last = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
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
        let is_single = c == ' ' && last != Some(Kind::Space);
        let belongs_to_next = is_single && chars.peek().is_some_and(|next| !next.is_whitespace());
        last = Some(kind);
        if belongs_to_next && let Some(next) = chars.next() {
            if next == '\\' {
                lines.push_str("\\\\");
            } else {
                lines.push(next);
            }
            last = Some(Kind::of(next));
        }
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

    #[test]
    fn where_both_changed_the_same_words_theirs_stand() {
        let check = |base, ours, theirs, expected: (&str, bool)| {
            let resolved = merge_words_for_theirs(base, ours, theirs);
            assert_eq!((resolved.text.as_str(), resolved.contested), expected, "{base:?}");
        };
        check("on Friday", "on Saturday", "on Sunday", ("on Sunday", true));
        check(
            "the old mill by the river burned on Friday",
            "the new mill by the river burned on Saturday",
            "the old mill by the river burned on Sunday",
            ("the new mill by the river burned on Sunday", true),
        );
        check(
            "a ====== b",
            "a <<<<<<< b",
            "a >>>>>>> ======= b",
            ("a >>>>>>> ======= b", true),
        );
        check("a b c", "a b c d", "z a b c", ("z a b c d", false));
    }

    #[test]
    fn what_both_only_added_stands_one_after_the_other() {
        let check = |base, ours, theirs, expected| {
            let resolved = merge_words_for_theirs(base, ours, theirs);
            assert_eq!(
                (resolved.text.as_str(), resolved.contested),
                (expected, false),
                "{base:?}"
            );
        };
        check(
            "- salt\n- rope",
            "- salt\n- rope\n- amber",
            "- salt\n- rope\n- silk",
            "- salt\n- rope\n- amber\n- silk",
        );
        check(
            "It ends.",
            "It ends. So says Ann.",
            "It ends. So says Bob.",
            "It ends. So says Ann. So says Bob.",
        );
        check("a b", "a b c d", "a b c", "a b c d");
        check("a b", "a b c", "a b c d", "a b c d");
    }

    proptest! {
        #[test]
        fn theirs_alone_is_theirs(base in "\\PC{0,60}", theirs in "\\PC{0,60}") {
            prop_assert_eq!(merge_words_for_theirs(&base, &base, &theirs).text, theirs);
        }

        #[test]
        fn no_new_word_is_lost_unless_it_is_contested(
            base in "([a-d]{1,2} ){0,12}", ours in "([a-dx]{1,2} |OURS ){0,12}", theirs in "([a-dy]{1,2} |THEIRS ){0,12}"
        ) {
            let resolved = merge_words_for_theirs(&base, &ours, &theirs);
            let count = |text: &str, word| text.matches(word).count();
            prop_assert_eq!(count(&resolved.text, "THEIRS"), count(&theirs, "THEIRS"));
            if !resolved.contested {
                prop_assert_eq!(count(&resolved.text, "OURS"), count(&ours, "OURS"));
            }
            if let Some(merged) = merge_words(&base, &ours, &theirs) {
                prop_assert_eq!(resolved.text, merged);
            }
        }

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
