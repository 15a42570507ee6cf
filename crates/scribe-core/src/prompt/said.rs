//! A turn as it stands in the prompt: one line of JSON, bounded.
//!
//! What quotes the document is replaced by a mark, and what is too long loses its middle. The last two messages come
//! first where room is short; where only one of them is long, the other is shown whole. What was said before shares
//! what they leave.

use crate::catch_up::{Earlier, Speaker};
use crate::turn::Turn;

use super::echo::Echo;
use super::lines::{clipped, json_string};

/// An earlier message is shown with at least so many bytes, or not at all.
const LEAST: usize = 200;

/// What an earlier message takes beside its text.
const AROUND: usize = r#"{"role":"assistant","content":},"#.len();

/// A turn for the prompt.
#[derive(Default)]
pub(super) struct Said {
    /// One line of JSON.
    pub(super) line: String,
    /// The ids of blocks that it quotes.
    pub(super) quoted: Vec<String>,
}

impl Said {
    /// A turn in at most so many bytes.
    pub(super) fn of(turn: &Turn, echo: &Echo<'_>, room: usize) -> Self {
        let mut quoted = Vec::new();
        let mut marked = |text: &str| {
            let marked = echo.mark(text);
            quoted.extend(marked.quoted);
            marked.text
        };
        let before: Vec<Earlier> = turn
            .earlier
            .iter()
            .map(|message| Earlier {
                role: message.role,
                content: marked(&message.content),
            })
            .collect();
        let user = marked(&turn.user_message);
        let assistant = marked(&turn.assistant_response);
        let pair = pair(&user, &assistant, room);
        let earlier = match before.as_slice() {
            [] => String::new(),
            before => format!(
                "\"earlier\":[{}],",
                earlier(before, room.saturating_sub(pair.len()))
            ),
        };
        Self {
            line: format!("{{{earlier}{pair}}}"),
            quoted,
        }
    }
}

/// The last two messages.
fn pair(user: &str, assistant: &str, room: usize) -> String {
    let (whole_user, whole_assistant) = (json_string(user), json_string(assistant));
    let (user, assistant) = if whole_user.len() + whole_assistant.len() <= room {
        (whole_user, whole_assistant)
    } else {
        let for_user = room.saturating_sub(whole_assistant.len()).max(room / 2);
        let for_assistant = room.saturating_sub(whole_user.len()).max(room / 2);
        (
            json_string(&clipped(user, for_user)),
            json_string(&clipped(assistant, for_assistant)),
        )
    };
    format!("\"user\":{user},\"assistant\":{assistant}")
}

/// The earlier messages, separated by commas. All are cut to one length, so that the short ones stay whole; where that
/// would leave too little of each, the oldest ones are left out.
fn earlier(messages: &[Earlier], room: usize) -> String {
    let costs: Vec<usize> = messages
        .iter()
        .map(|message| json_string(&message.content).len())
        .collect();
    // As if each that does not fit had the least length: then there is room for the length that is found below.
    let mut spent = 2 * AROUND + LEAST / 2;
    let fitting = costs
        .iter()
        .rev()
        .take_while(|&&cost| {
            spent += cost.min(LEAST) + AROUND;
            spent <= room
        })
        .count();
    let left_out = messages.len() - fitting;
    let (messages, costs) = (&messages[left_out..], &costs[left_out..]);
    let room = room.saturating_sub(2 * AROUND + LEAST / 2 + messages.len() * AROUND);
    let length = level(costs, room);
    let line = |role, content: String| serde_json::to_string(&Earlier { role, content }).unwrap_or_default();
    let mark = || line(Speaker::User, format!("⟪{left_out} earlier messages left out⟫"));
    let mark = (left_out > 0).then(mark);
    let shown = messages
        .iter()
        .map(|message| line(message.role, clipped(&message.content, length)));
    mark.into_iter().chain(shown).collect::<Vec<_>>().join(",")
}

/// The length to which all must be cut so that they fit together.
fn level(lengths: &[usize], room: usize) -> usize {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let mut left = room;
    for (at, &length) in sorted.iter().enumerate() {
        let share = left / (sorted.len() - at);
        if length > share {
            return share;
        }
        left -= length;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_short_ones_stay_whole() {
        assert_eq!(level(&[10, 1_000, 20, 2_000], 530), 250);
        assert_eq!(level(&[10, 20], 30), usize::MAX);
        assert_eq!(level(&[], 0), usize::MAX);
    }

    proptest! {
        #[test]
        fn what_was_said_before_fits(
            contents in proptest::collection::vec(("\\PC{0,40}", 1..60_usize), 1..60),
            room in 400..6_000_usize,
        ) {
            let messages: Vec<Earlier> = contents
                .iter()
                .map(|(content, repeat)| Earlier { role: Speaker::Assistant, content: content.repeat(*repeat) })
                .collect();
            let shown = earlier(&messages, room);
            prop_assert!(shown.len() <= room, "{} of {room}", shown.len());
            let shown: Vec<Earlier> = serde_json::from_str(&format!("[{shown}]")).unwrap();
            prop_assert!(!shown.is_empty());
        }
    }
}
