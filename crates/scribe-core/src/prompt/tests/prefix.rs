//! What two successive prompts have in common, which is what a provider's cache serves.

use super::world::{Conversation, append, document_of};
use super::*;
use crate::blocks::{Block, Kind};
use crate::edits::Edit;

/// The bytes of a prompt, in the order in which a model reads them.
fn bytes(prompt: &Prompt) -> String {
    prompt
        .messages
        .iter()
        .map(|message| message.content.as_str())
        .collect()
}

/// How many bytes from the beginning are the same.
fn shared(before: &str, after: &str) -> usize {
    before
        .bytes()
        .zip(after.bytes())
        .take_while(|(a, b)| a == b)
        .count()
}

/// The first block of the window.
fn window(prompt: &Prompt) -> String {
    between(prompt, DOCUMENT_BEGIN, DOCUMENT_END)[1]["id"].to_string()
}

/// What fifty turns that append found in the cache.
#[derive(Debug)]
struct Served {
    /// The share of the prompts' bytes.
    share: f64,
    /// The same without the turns where the window moved on.
    between_jumps: f64,
    /// The smallest share of a turn where it did not.
    least: f64,
    jumps: usize,
    /// How many blocks were related to a turn, on average.
    related: f64,
}

fn fifty_turns(size: usize, heading_every: usize) -> Served {
    let mut conversation = Conversation::new(document_of(size, &[]));
    let mut before: Option<Prompt> = None;
    let mut shares = Vec::new();
    let mut related = 0;
    for number in 0..=50 {
        let (turn, told) = conversation.next();
        let prompt = built(&conversation.document, &turn);
        related += super::related(&prompt).len();
        if let Some(before) = &before {
            let (old, new) = (bytes(before), bytes(&prompt));
            let share = shared(&old, &new) as f64 / new.len() as f64;
            shares.push((share, window(before) != window(&prompt)));
        }
        before = Some(prompt);
        let heading = match number % heading_every {
            0 => format!("## Night {number}\n\n"),
            _ => String::new(),
        };
        conversation.weave(&turn, append(format!("{heading}{told}")));
    }
    let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len() as f64;
    let all: Vec<f64> = shares.iter().map(|&(share, _)| share).collect();
    let calm: Vec<f64> = shares
        .iter()
        .filter(|(_, jumped)| !jumped)
        .map(|&(share, _)| share)
        .collect();
    Served {
        share: mean(&all),
        between_jumps: mean(&calm),
        least: calm.iter().copied().fold(1.0, f64::min),
        jumps: all.len() - calm.len(),
        related: related as f64 / 51.0,
    }
}

#[test]
fn turns_that_append_are_served_from_the_cache() {
    // How often the window may move on within fifty turns.
    for (size, jumps) in [(500, 0), (2_000, 2), (6_000, 3), (50_000, 3)] {
        let served = fifty_turns(size, 10);
        assert!(
            served.between_jumps >= 0.93 && served.least >= 0.86,
            "{size}: {served:?}"
        );
        assert!(served.jumps <= jumps, "{size}: {served:?}");
        assert!(served.share >= 0.9, "{size}: {served:?}");
        assert!(served.related <= 0.5, "{size}: {served:?}");
    }
}

#[test]
fn a_window_moves_on_by_about_half_of_its_length() {
    let mut conversation = Conversation::new(document_of(10_000, &[]));
    let mut starts = Vec::new();
    let mut lengths = Vec::new();
    for _ in 0..80 {
        let (turn, told) = conversation.next();
        let prompt = built(&conversation.document, &turn);
        starts.push(window(&prompt));
        lengths.push(between(&prompt, DOCUMENT_BEGIN, DOCUMENT_END).len());
        conversation.weave(&turn, append(told));
    }
    starts.dedup();
    let longest = *lengths.iter().max().unwrap();
    let shortest = *lengths.iter().min().unwrap();
    assert!(shortest * 5 >= longest * 2, "{shortest} to {longest}");
    // Each time by more than a quarter of what it shows at most.
    assert!(
        starts.len() > 3 && starts.len() * longest / 4 <= 80 + longest,
        "{starts:?}, {longest}"
    );
}

#[test]
fn a_new_heading_changes_nothing_in_front() {
    let mut conversation = Conversation::new(document_of(50_000, &[]));
    let (turn, _) = conversation.next();
    let before = bytes(&built(&conversation.document, &turn));
    conversation.weave(&turn, append("## A new book\n\nIt begins.".into()));
    let (next, _) = conversation.next();
    let after = bytes(&built(&conversation.document, &next));
    let end = before.find(&format!("\n{DOCUMENT_END}\n")).unwrap();
    assert!(shared(&before, &after) >= end);
}

/// What a turn does to the document in [`the_same_up_to_the_first_change`].
#[derive(Debug, Clone, Copy)]
enum Deed {
    Append,
    AppendWithHeading,
    Replace(usize),
    InsertBehind(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => Just(Deed::Append),
        1 => Just(Deed::AppendWithHeading),
        2 => (0..10_000_usize).prop_map(Deed::Replace),
        2 => (0..10_000_usize).prop_map(Deed::InsertBehind),
    ]
}

fn edit(document: &Document, deed: Deed, told: String) -> Edit {
    let paragraphs: Vec<&Block> = document
        .blocks()
        .filter(|block| block.kind() == Kind::Paragraph)
        .collect();
    match deed {
        Deed::Append => append(told),
        Deed::AppendWithHeading => append(format!("## {}\n\n{told}", &told[..20])),
        Deed::Replace(at) => {
            let block = paragraphs[at % paragraphs.len()];
            Edit::Replace {
                block: block.id().into(),
                hash: block.entry().hash.clone(),
                markdown: format!("{} {told}", document.text(block)),
            }
        }
        Deed::InsertBehind(at) => Edit::InsertAfter {
            block: paragraphs[at % paragraphs.len()].id().into(),
            markdown: told,
        },
    }
}

/// Where in a prompt the first block stands that is another one in a newer document, or has another one before it.
fn first_change(prompt: &Prompt, content: &str, newer: &Document) -> usize {
    let shown: Vec<String> = between(prompt, DOCUMENT_BEGIN, DOCUMENT_END)[1..]
        .iter()
        .map(|block| {
            format!(
                "{}{}",
                block["id"].as_str().unwrap(),
                block["hash"].as_str().unwrap()
            )
        })
        .collect();
    let there: Vec<String> = newer
        .blocks()
        .map(|block| format!("{}{}", block.id(), &block.entry().hash[..8]))
        .collect();
    let start = there
        .iter()
        .position(|block| *block == shown[0])
        .unwrap_or(there.len());
    let same = shown
        .iter()
        .zip(&there[start..])
        .take_while(|(a, b)| a == b)
        .count();
    let window = content.find(DOCUMENT_BEGIN).unwrap();
    let end = content.find(&format!("\n{DOCUMENT_END}\n")).unwrap();
    let in_window = content[window..]
        .match_indices("\n{\"id\":")
        .map(|(at, _)| window + at);
    in_window.chain([end]).nth(same).unwrap().min(end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_up_to_the_first_change(
        size in prop_oneof![Just(500_usize), Just(3_000), Just(9_000)],
        deeds in proptest::collection::vec(deed(), 1..25),
    ) {
        let mut conversation = Conversation::new(document_of(size, &[]));
        let (mut turn, mut told) = conversation.next();
        let mut before = built(&conversation.document, &turn);
        let mut jumps = 0;
        for deed in &deeds {
            conversation.weave(&turn, edit(&conversation.document, *deed, told));
            (turn, told) = conversation.next();
            let after = built(&conversation.document, &turn);
            let (old, new) = (bytes(&before), bytes(&after));
            if window(&before) == window(&after) && old.contains(OUTLINE_BEGIN) == new.contains(OUTLINE_BEGIN) {
                let first = before.messages[0].content.len();
                let least = first + first_change(&before, &before.messages[1].content, &conversation.document);
                let shared = shared(&old, &new);
                prop_assert!(shared >= least, "{deed:?}: {shared} of {least}");
            } else {
                jumps += 1;
            }
            before = after;
        }
        // Once for every eight blocks at most, and once when the document no longer fits.
        prop_assert!(jumps <= deeds.len() / 6 + 2, "{jumps} in {}", deeds.len());
    }
}
