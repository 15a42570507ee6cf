//! Text of the document that comes back in a turn.

use super::world::{document_of, paragraph};
use super::*;

const DOCUMENT: &str = "# Emon

## The *market*

The market of **Emon** is held on Friday, in the square below the old bridge, from dawn until noon.

- Fish from the harbour, fresh every morning
- Apples
- Cloth from Marquet, which is dyed with the blood of snails
- Salt

Er sagte: „Die Brücke über den Fluß wird nachts von zwölf Männern bewacht.“

港の市場は毎週金曜日の朝に開かれ、魚と塩が売られている。
";

/// The texts of the turn as the model sees them.
fn seen(content: &str, user: &str, assistant: &str) -> (String, String) {
    let prompt = built(&document(content), &turn(user, assistant));
    let said = between(&prompt, TURN_BEGIN, TURN_END).remove(0);
    let text = |who: &str| said[who].as_str().unwrap().to_owned();
    (text("user"), text("assistant"))
}

fn check(said: &str, expected: &str) {
    assert_eq!(seen(DOCUMENT, said, "").0, expected, "{said}");
    assert_eq!(seen(DOCUMENT, "", said).1, expected, "{said}");
}

#[test]
fn a_quoted_document_is_a_mark() {
    check(DOCUMENT.trim(), "⟪blocks b1 to b6⟫");
    check(&DOCUMENT.replace('\n', "\r\n"), "⟪blocks b1 to b6⟫\r\n");
    check(
        &format!("As it stands:\n\n{DOCUMENT}\nNice!"),
        "As it stands:\n\n⟪blocks b1 to b6⟫\n\nNice!",
    );
}

#[test]
fn a_quoted_paragraph_is_a_mark_however_it_is_shown() {
    for quoted in [
        "The market of **Emon** is held on Friday, in the square below the old bridge, from dawn until noon.",
        "> The market of Emon is held on Friday,\n> in the square below the old bridge,\n> from dawn until noon",
        "“the MARKET of *Emon* is held on Friday in the square below the old bridge, from dawn until noon”",
        "in the square below the old bridge, from dawn until noon.",
        "- The market of Emon is held on Friday, in the square below the old bridge",
    ] {
        check(
            &format!("You said:\n\n{quoted}\n\nBut why?"),
            "You said:\n\n⟪block b3⟫\n\nBut why?",
        );
    }
    check(
        "Die Brücke über den Fluß wird nachts von zwölf Männern bewacht",
        "⟪block b5⟫",
    );
    check(
        "港の市場は毎週金曜日の朝に開かれ、魚と塩が売られている",
        "⟪block b6⟫",
    );
}

#[test]
fn a_correction_stays() {
    for said in [
        "The market of Emon is held on Saturday, in the square below the old bridge, from dawn until noon.",
        "The market of Emon is held on\nSaturday, in the square below the old bridge, from dawn until noon.",
        "The market of Emon is held on Friday, in the square below the old bridge, from dawn until noon, but in winter it is not.",
        "The market of Emon is ~~held~~ on Friday, in the square below the old bridge, from dawn until noon.",
        "Is the market of Emon held on Friday, in the square below the old bridge, from dawn until noon?",
        "The market of Emon is held on Friday, in the square below the old bridge, from dawn until noon?",
        "Die Brücke über den Fluß wird nachts von dreizehn Männern bewacht.",
        "港の市場は毎週土曜日の朝に開かれ、魚と塩が売られている。",
        "old bridge, from dawn until noon",
        "Apples\nSalt",
    ] {
        check(said, said);
    }
}

#[test]
fn signs_and_numbers_are_words() {
    let content = "# T\n\nThe well of the tower is -5 degrees cold and 2*3 yards wide at .5 fathoms.";
    for said in [
        "The well of the tower is 5 degrees cold and 2*3 yards wide at .5 fathoms.",
        "The well of the tower is -5 degrees cold and 23 yards wide at .5 fathoms.",
        "The well of the tower is -5 degrees cold and 2*3 yards wide at 5 fathoms.",
    ] {
        assert_eq!(seen(content, said, "").0, said);
    }
    let same = content.trim_start_matches("# T\n\n");
    assert_eq!(seen(content, same, "").0, "⟪block b2⟫");
}

#[test]
fn a_list_is_quoted_in_part() {
    check(
        "* Apples\n* Cloth from Marquet, which is dyed with the blood of snails\n* Salt\n* Amber from the north",
        "⟪block b4⟫\n* Amber from the north",
    );
    check(
        "- Fish from the harbour, fresh every evening\n- Apples\n- Cloth from Marquet, which is dyed with the blood of snails",
        "- Fish from the harbour, fresh every evening\n⟪block b4⟫",
    );
}

#[test]
fn a_quoted_block_is_shown_with_its_hash() {
    let document = document_of(50_000, &[]);
    let quoted = paragraph(200);
    let prompt = built(&document, &turn(&format!("> {quoted}\n\nThis is wrong."), "Why?"));
    let related = related(&prompt);
    assert_eq!(related[0]["text"], quoted);
    let id = related[0]["id"].as_str().unwrap();
    assert!(related[0].get("hash").is_some());
    let said = between(&prompt, TURN_BEGIN, TURN_END).remove(0);
    assert_eq!(said["user"], format!("⟪block {id}⟫\n\nThis is wrong."));
}

#[test]
fn a_large_turn_against_a_large_document_is_marked() {
    let document = document_of(50_000, &[]);
    // Everything, and then one word again and again, which stands at very many places.
    let said = format!("{}\n\nand more", document.content().replace("\n\n", "\n \n"));
    let last = document.blocks().last().unwrap().id().to_owned();
    let prompt = built(&document, &turn(&said, "Yes."));
    let seen = between(&prompt, TURN_BEGIN, TURN_END).remove(0);
    assert_eq!(seen["user"], format!("⟪blocks b1 to {last}⟫\n\n\nand more"));

    let same = super::document(&format!("# T\n\n{}", "la ".repeat(60_000)));
    let sung = format!(
        "{}- no\n\n{}",
        "- la la la la la la la la\n".repeat(5_000),
        "la ".repeat(20_000)
    );
    let prompt = built(&same, &turn(&sung, ""));
    let seen = between(&prompt, TURN_BEGIN, TURN_END).remove(0);
    assert_eq!(seen["user"], "⟪block b2⟫\n- no\n\n⟪block b2⟫ ");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// A changed word is never taken for a quotation, and what is not quoted stays as it was.
    #[test]
    fn one_other_word_is_seen(at in 0..20_usize, number in 0..40_usize) {
        let document = document_of(3_000, &[]);
        let quoted = paragraph(number);
        let mut words: Vec<&str> = quoted.split(' ').collect();
        let at = at % words.len();
        words[at] = "otherwise";
        let changed = words.join(" ");
        let prompt = built(&document, &turn(&changed, &quoted));
        let said = between(&prompt, TURN_BEGIN, TURN_END).remove(0);
        prop_assert_eq!(said["user"].as_str().unwrap(), changed);
        prop_assert!(said["assistant"].as_str().unwrap().starts_with("⟪block b"));
    }

    #[test]
    fn any_text_is_marked_without_harm(content in "([-#>|*a-c \n.「日本]){0,120}", said in "([-#>|*a-c \n.「日本]){0,120}") {
        let same = seen(&content, "x", "y");
        prop_assert_eq!(same, ("x".to_owned(), "y".to_owned()));
        seen(&content, &said, &content);
    }
}
