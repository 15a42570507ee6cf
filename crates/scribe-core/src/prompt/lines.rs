//! Texts as JSON strings, their size, and what is left of them where they are too long.

/// How many tokens a text is counted as: four bytes each. For English that is a little too many, which is the
/// right side to err on.
pub(super) fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// A text as a JSON string, quotes included.
pub(super) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text that takes at most `room` bytes as a JSON string: whole, or its beginning and its end around a mark that
/// says how much was left out.
pub(super) fn clipped(text: &str, room: usize) -> String {
    let cost: usize = text.chars().map(json_cost).sum();
    // The quotes, and the mark.
    if cost + 2 <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(64);
    let head = fitting(text.chars(), room / 3 * 2);
    let rest = &text[head..];
    let tail = rest.len() - fitting(rest.chars().rev(), room / 3);
    let left_out = rest[..tail].chars().count();
    format!(
        "{} ⟪{left_out} characters left out⟫ {}",
        &text[..head],
        &rest[tail..]
    )
}

/// How many bytes of the text its first characters have that fit into the room.
fn fitting(chars: impl Iterator<Item = char>, room: usize) -> usize {
    let mut cost = 0;
    let fits = |c: &char| {
        cost += json_cost(*c);
        cost <= room
    };
    chars.take_while(fits).map(char::len_utf8).sum()
}

/// How many bytes a character takes within a JSON string.
fn json_cost(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_text_keeps_its_ends() {
        assert_eq!(clipped("short", 100), "short");
        let long = format!("begin {} end", "x".repeat(1000));
        let shown = clipped(&long, 200);
        assert!(
            shown.starts_with("begin xxx") && shown.ends_with("xxx end"),
            "{shown}"
        );
        assert!(shown.contains("characters left out⟫"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_is_clipped_fits(text in any::<String>(), room in 80..400_usize) {
            prop_assert!(json_string(&clipped(&text, room)).len() <= room);
        }

        #[test]
        fn a_string_of_json_is_one_line(text in any::<String>()) {
            prop_assert!(!json_string(&text).contains(['\n', '\r']));
        }
    }
}
