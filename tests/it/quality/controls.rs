//! The judge judged: each fault, put into a good document, is found, and nothing else is.

use scribe_core::cost::Usage;
use scribe_core::style::StyleChoice;

use super::fixture::{Expected, Fixture, Language, Phrase, Said, Save, Statement};
use super::play::Played;
use super::score::Score;
use super::table::{Bar, Row, table};

const GOOD: &str = "# The Ferry\n\nThe ferry of Ulm crosses on Saturday with 12 goats, and Berta steers it.\n\n\
    ## Fares\n\nA goat pays 3 coins.\n\nMine — keep *this*!\n";

fn statement(turn: usize, until: Option<usize>, says: &[&str]) -> Statement {
    let says = says
        .iter()
        .map(|phrase| Phrase::One((*phrase).to_owned()))
        .collect();
    Statement { turn, until, says }
}

fn fixture() -> Fixture {
    let said = |n: usize, user: &str, assistant: &str| Said {
        conversation_id: "ferry".into(),
        message_id: format!("m{n}"),
        user_message: user.into(),
        assistant_response: assistant.into(),
    };
    Fixture {
        name: "ferry".into(),
        turns: vec![
            said(
                1,
                "The ferry of Ulm crosses on Friday with twelve goats.",
                "And Berta steers it?",
            ),
            said(
                2,
                "Yes, on Saturday, not Friday. Berta steers.",
                "Saturday, then. A goat pays 3 coins.",
            ),
            said(3, "lol", "Indeed!"),
        ],
        expected: Expected {
            title: "The Ferry".into(),
            style: StyleChoice::Auto,
            language: Language::English,
            facts: vec![
                statement(1, Some(2), &["on Friday"]),
                statement(1, None, &["Ulm", "goats"]),
                statement(2, None, &["on Saturday", "Berta"]),
            ],
            claims: vec![
                statement(2, None, &["on Friday"]),
                statement(1, None, &["goats", "free"]),
            ],
            people: vec![Save {
                after: 2,
                text: "Mine — keep *this*!".into(),
                instead_of: None,
            }],
            idle: vec![3],
        },
        answers: std::collections::BTreeMap::new(),
    }
}

/// The document after each turn, where the end is this.
fn moments(end: &str) -> Vec<String> {
    let first = "# The Ferry\n\nThe ferry of Ulm crosses on Friday with 12 goats.\n";
    ["# The Ferry\n", first, end, end].map(str::to_owned).into()
}

/// The remarks on a document that differs from a good one in this.
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(GOOD.contains(from), "{from:?}");
    let score = Score::of(&fixture(), &moments(&GOOD.replace(from, to)));
    assert_eq!(score.remarks(), expected, "{from:?} -> {to:?}");
}

#[test]
fn a_good_document_has_no_remark() {
    let score = Score::of(&fixture(), &moments(GOOD));
    assert_eq!(score.remarks(), Vec::<String>::new());
    assert_eq!(
        (score.facts, score.human, score.turns, score.unchanged),
        (3, 1, 3, 1)
    );
    assert!((score.kept() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_fact_that_is_gone_is_missed() {
    check("Berta", "she", &["missing: on Saturday + Berta (turn 2)"]);
    check(" of Ulm", "", &["missing: Ulm + goats (turn 1)"]);
    // Words of a fact in two sections are two things.
    check(
        "with 12 goats, and Berta steers it.\n\n## Fares\n",
        "with 12 goats.\n\n## Fares\n\nBerta steers.\n",
        &["missing: on Saturday + Berta (turn 2)"],
    );
    let mut documents = moments(GOOD);
    documents[1] = "# The Ferry\n\nThe ferry of Ulm has goats.\n".into();
    assert_eq!(
        Score::of(&fixture(), &documents).remarks(),
        ["missing: on Friday (turn 1)"]
    );
}

#[test]
fn what_must_not_be_said_is_heard() {
    check(
        "coins.",
        "coins, not on Friday.",
        &["claimed: on Friday (turn 2)"],
    );
    check(
        "A goat pays 3 coins.",
        "Goats cross free.",
        &["claimed: goats + free (turn 1)"],
    );
    // What stood there for one turn only stood there.
    let mut documents = moments(GOOD);
    documents[2].push_str("\nGoats are free.\n");
    let remarks = [
        "claimed: goats + free (turn 1)",
        "turn 3 adds nothing and changed it",
    ];
    assert_eq!(Score::of(&fixture(), &documents).remarks(), remarks);
}

#[test]
fn what_nobody_said_is_told_apart() {
    check("12 goats", "12 goats from Basel", &["nobody said: Basel"]);
    check("3 coins", "4 coins", &["nobody said: 4"]);
    check("A goat pays", "It is clear: the goat pays", &[]);
    check("## Fares", "## Fares And Other Things", &[]);
    check(
        "coins.",
        "coins. The user said so.",
        &["about itself: the user said"],
    );
    check(
        "A goat",
        "**User:** A goat",
        &["about itself: User: A goat pays 3 coins."],
    );
}

#[test]
fn spoilt_text_is_seen() {
    check(
        "coins.",
        "coins.\n\n[rest unchanged]",
        &["left out: [rest unchanged]"],
    );
    check("coins.", "coins.\n\n[...]", &["left out: [...]"]);
    check(
        "A goat pays",
        "The ferry of Ulm crosses on Saturday with 12 goats and Berta steers it.\n\nA goat pays",
        &["twice: the ferry of ulm crosses on saturday with 12 goats and berta steers it"],
    );
    let german = "das ist nicht für den und auch nicht mit dem von da";
    check(
        "A goat pays",
        &format!("{german}.\n\nA goat pays"),
        &["another language than the conversation's"],
    );
}

#[test]
fn a_persons_bytes_are_bytes() {
    for worse in [
        "Mine – keep *this*!",
        "Mine — keep this!",
        "mine — keep *this*!",
        "",
    ] {
        check(
            "Mine — keep *this*!",
            worse,
            &["a person's text is gone: Mine — keep *this*!"],
        );
    }
    let mut documents = moments(GOOD);
    documents[2] = documents[2].replace("Mine", "My");
    let remarks = Score::of(&fixture(), &documents).remarks();
    assert_eq!(
        remarks[0], "a person's text is gone: Mine — keep *this*!",
        "it was away for a turn"
    );
}

#[test]
fn a_folder_that_contradicts_itself_is_refused() {
    assert_eq!(fixture().contradictions(), Vec::<String>::new());
    let mut wrong = fixture();
    wrong.expected.facts.push(statement(1, None, &["Saturday"]));
    wrong.expected.claims.push(statement(2, Some(2), &["x"]));
    wrong.expected.idle.push(9);
    wrong.turns[1].message_id = "m7".into();
    assert_eq!(
        wrong.contradictions(),
        [
            "ferry: nobody has said Saturday (turn 1) by then",
            "ferry: there is no turn 9",
            "ferry: x (turn 2) ends before it begins",
            "ferry: turn 2 has the ids of another one",
        ]
    );
}

#[test]
fn a_run_below_the_bar_is_told() {
    let row = |document: &str, failed: &[&str]| Row {
        name: "ferry".into(),
        played: Played {
            score: Score::of(&fixture(), &moments(document)),
            failed: failed.iter().map(ToString::to_string).collect(),
            seconds: 0.0,
            usage: Usage::default(),
            document: document.to_owned(),
        },
    };
    assert_eq!(Bar::SCRIPTED.misses(&[row(GOOD, &[])]), Vec::<String>::new());
    assert_eq!(
        Bar::SCRIPTED.misses(&[row(GOOD, &["turn 2 failed: cut"])]),
        ["failed turns"]
    );
    let without_mine = GOOD.replace("Mine — keep *this*!", "");
    assert_eq!(
        Bar::REAL.misses(&[row(&without_mine, &[])]),
        ["ferry: a person's text"]
    );
    let bad = GOOD.replace("Berta", "she").replace("3 coins", "4 coins") + "\nNot on Friday.\n";
    let rows = [row(&bad, &[])];
    let misses = [
        "ferry: facts kept",
        "ferry: claims",
        "ferry: unsupported",
        "facts kept over all",
    ];
    assert_eq!(Bar::SCRIPTED.misses(&rows), misses);
    assert_eq!(Bar::REAL.misses(&rows), misses);
    let told = table(&rows);
    assert!(told.contains("facts kept over all: 66.7%"), "{told}");
    assert!(
        told.contains("ferry: missing: on Saturday + Berta (turn 2)"),
        "{told}"
    );
}
