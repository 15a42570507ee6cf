//! What stays the same from one prompt to the next stands first in it: a provider's cache serves nothing behind the
//! first difference.

use scribe_core::prompt::{DOCUMENT_BEGIN, DOCUMENT_END};
use serde_json::{Value, json};

use super::LENGTHS;
use super::model::{Pace, shared_bytes};
use super::talk::{Measured, Talk};

/// The least share of a prompt that is as it was in the one before, where text was appended.
const SHARE: f64 = 0.9;
/// A document that is not shown whole is shown from a block on that has to move on now and then; at most once in so
/// many turns.
const TURNS_BETWEEN_MOVES: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn appended_text_changes_a_tenth_of_the_prompt_at_most() {
    const PAIRS: usize = 64;
    println!(
        "\n| prompts of a document of | same at least | half of them at least | all together | moves |\n|---|---|---|---|---|"
    );
    for length in LENGTHS {
        let mut talk = talk_about(length).await;
        let turns = talk.turns(PAIRS + 1, |_| false).await;
        let mut shares = Vec::new();
        let (mut moves, mut same, mut all) = (0, 0, 0);
        for pair in turns.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            let (shared, prompt) = (shared(first, second), second.call.prompt.len());
            same += shared;
            all += prompt;
            if first_block(first) != first_block(second) {
                moves += 1;
                continue;
            }
            let changed = line_with(second, &first.said);
            assert!(
                shared >= changed,
                "{length} tokens: same for {shared}, changed from {changed} on"
            );
            shares.push(shared as f64 / prompt as f64);
        }
        shares.sort_by(f64::total_cmp);
        let (least, median) = (shares[0], shares[shares.len() / 2]);
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        println!(
            "| {length} tokens | {} | {} | {} | {moves} |",
            percent(least),
            percent(median),
            percent(same as f64 / all as f64),
        );
        let together = same as f64 / all as f64;
        assert!(together >= SHARE, "{length} tokens: {together:.3}");
        assert!(
            moves <= PAIRS / TURNS_BETWEEN_MOVES,
            "{length} tokens: {moves} moves"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_block_changes_nothing_in_front_of_it() {
    for length in LENGTHS {
        let mut talk = talk_about(length).await;
        let seen = talk.turn(Pace::NONE).await;
        let shown = blocks(&seen);
        let old = &shown[shown.len() / 2];
        let added = talk.prose.question();
        let markdown = format!("{} {added}", old["text"].as_str().unwrap());
        let edit =
            json!({ "action": "replace", "block": old["id"], "hash": old["hash"], "markdown": markdown });
        let first = talk.turn_with(Pace::NONE, added, &edit).await;
        let second = talk.turn(Pace::NONE).await;
        talk.check().await;
        assert_eq!(first_block(&first), first_block(&second), "{length} tokens");
        let (shared, changed) = (shared(&first, &second), line_with(&second, &first.said));
        assert!(
            shared >= changed,
            "{length} tokens: same for {shared}, changed from {changed} on"
        );
    }
}

/// A conversation about a document, warm.
async fn talk_about(length: usize) -> Talk {
    let mut talk = Talk::about(length, length as u64).await;
    talk.turn(Pace::NONE).await;
    talk
}

fn shared(first: &Measured, second: &Measured) -> usize {
    shared_bytes(&first.call.prompt, &second.call.prompt)
}

/// Where the first line begins that shows a block with this text.
fn line_with(turn: &Measured, text: &str) -> usize {
    let prompt = &turn.call.prompt;
    // A passage that begins a section is two blocks, the heading first.
    let text = Value::from(text.split("\n\n").next().unwrap()).to_string();
    let text = text.trim_matches('"');
    let found = prompt
        .match_indices(text)
        .map(|(at, _)| prompt[..at].rfind('\n').unwrap() + 1);
    let mut lines = found.filter(|&at| prompt[at..].starts_with("{\"id\":"));
    lines
        .next()
        .expect("the block that the turn before changed is not shown")
}

/// The blocks between the document's marks.
fn blocks(turn: &Measured) -> Vec<Value> {
    let prompt = &turn.call.prompt;
    let (_, document) = prompt.split_once(&format!("\n{DOCUMENT_BEGIN}\n")).unwrap();
    let (document, _) = document.split_once(DOCUMENT_END).unwrap();
    // The first line is the title's.
    document
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The id of the block from which on the document is shown.
fn first_block(turn: &Measured) -> Value {
    blocks(turn)[0]["id"].clone()
}
