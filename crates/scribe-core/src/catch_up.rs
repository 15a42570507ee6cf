//! What was said before: messages that a turn brings along, and a conversation that is caught up on.
//!
//! A scribe may be started in the middle of a conversation. What was said until then becomes a few turns, each of
//! several messages, that are recorded and woven like any other.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::command;
use crate::ids::MessageId;

/// How many tokens of messages a turn takes; a token counts as four bytes. One pair of messages that is larger is a
/// turn of its own.
const TURN_TOKENS: usize = 2_000;

/// Who said something in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The person.
    User,
    /// The assistant.
    Assistant,
}

/// A message that was said before the two of its turn.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Who said it.
    pub role: Speaker,
    /// What was said.
    pub content: String,
}

impl fmt::Debug for Earlier {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Earlier({:?}, {} bytes)", self.role, self.content.len())
    }
}

/// A turn of messages that were said before the scribe was started.
#[derive(Clone, PartialEq, Eq)]
pub struct CatchUp {
    /// Its id, made from the texts.
    pub message_id: MessageId,
    /// What was said before the last two messages.
    pub earlier: Vec<Earlier>,
    /// What the person said last; empty where the last two messages are not a pair.
    pub user_message: String,
    /// What the assistant answered; empty where nobody did.
    pub assistant_response: String,
}

impl fmt::Debug for CatchUp {
    /// Leaves the texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CatchUp({}, {} messages before)",
            self.message_id,
            self.earlier.len()
        )
    }
}

/// Groups messages into turns, in their order. A person's messages and the answers to them stay together.
///
/// The same messages give the same turns with the same ids, so a start that is repeated writes nothing twice. Where
/// more messages follow the second time, the turns are the same up to the last one of the first time. What was said to
/// the scribe alone is left out, as it is from every turn.
#[must_use]
pub fn catch_up(messages: &[Earlier]) -> Vec<CatchUp> {
    let said: Vec<&Earlier> = messages
        .iter()
        .filter(|message| !message.content.trim().is_empty())
        .collect();
    let mut batches: Vec<Vec<&Earlier>> = Vec::new();
    let mut size = 0;
    let pairs = said.chunk_by(|a, b| !(a.role == Speaker::Assistant && b.role == Speaker::User));
    for pair in pairs.filter(|pair| !is_command(pair)) {
        let bytes: usize = pair.iter().map(|message| message.content.len()).sum();
        match batches.last_mut() {
            Some(batch) if size + bytes <= TURN_TOKENS * 4 => {
                batch.extend(pair);
                size += bytes;
            }
            _ => {
                batches.push(pair.to_vec());
                size = bytes;
            }
        }
    }
    // The same words may be said twice.
    let mut times: HashMap<String, u32> = HashMap::new();
    batches
        .into_iter()
        .filter_map(|batch| {
            let digest = digest(&batch);
            let time = times.entry(digest.clone()).or_default();
            *time += 1;
            let message_id = format!("earlier-{digest}-{time}").parse().ok()?;
            Some(turn(message_id, batch))
        })
        .collect()
}

/// Whether a person's message is nothing but a command, which no document is about.
fn is_command(pair: &[&Earlier]) -> bool {
    let mut asked = pair.iter().filter(|message| message.role == Speaker::User);
    let only = asked.next().filter(|_| asked.next().is_none());
    only.and_then(|message| command(&message.content))
        .is_some_and(|commanded| commanded.alone)
}

fn turn(message_id: MessageId, mut batch: Vec<&Earlier>) -> CatchUp {
    let mut last = |role| {
        let message = batch.pop_if(|message| message.role == role);
        message.map_or_else(String::new, |message| message.content.clone())
    };
    let assistant_response = last(Speaker::Assistant);
    let user_message = last(Speaker::User);
    CatchUp {
        message_id,
        earlier: batch.into_iter().cloned().collect(),
        user_message,
        assistant_response,
    }
}

fn digest(batch: &[&Earlier]) -> String {
    let mut sha = Sha256::new();
    for message in batch {
        // Who and how much before what, so that no two lists are one text.
        sha.update(format!("{:?} {}\n", message.role, message.content.len()));
        sha.update(&message.content);
    }
    hex::encode(&sha.finalize()[..12])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(role: Speaker, content: &str) -> Earlier {
        Earlier {
            role,
            content: content.into(),
        }
    }

    /// All messages of the turns, in order.
    fn all(turns: &[CatchUp]) -> Vec<Earlier> {
        let of_one = |turn: &CatchUp| {
            let last = [
                said(Speaker::User, &turn.user_message),
                said(Speaker::Assistant, &turn.assistant_response),
            ];
            let last = last.into_iter().filter(|message| !message.content.is_empty());
            turn.earlier.iter().cloned().chain(last).collect::<Vec<_>>()
        };
        turns.iter().flat_map(of_one).collect()
    }

    #[test]
    fn pairs_stay_together() {
        use Speaker::{Assistant, User};
        let messages = [
            said(Assistant, "Welcome."),
            said(User, "Hello?"),
            said(User, &"Is there a harbour? ".repeat(200)),
            said(Assistant, &"Yes, in the west. ".repeat(100)),
            said(User, &"And a market? ".repeat(400)),
            said(Assistant, "On Friday."),
            said(User, " \n"),
            said(User, "Thanks."),
        ];
        let turns = catch_up(&messages);
        let shape: Vec<_> = turns
            .iter()
            .map(|turn| {
                (
                    turn.earlier.len(),
                    turn.user_message.get(..6),
                    turn.assistant_response.get(..3),
                )
            })
            .collect();
        assert_eq!(
            shape,
            [(2, Some("Is the"), Some("Yes")), (2, Some("Thanks"), None)]
        );
    }

    #[test]
    fn the_same_messages_are_the_same_turns() {
        let pair = |n: usize| {
            [
                said(Speaker::User, &format!("{n} {}", "who? ".repeat(400))),
                said(Speaker::Assistant, &format!("{n} {}", "she ".repeat(500))),
            ]
        };
        let messages: Vec<Earlier> = [1, 2, 3, 4, 3, 4, 5].into_iter().flat_map(pair).collect();
        let ids = |messages: &[Earlier]| -> Vec<String> {
            catch_up(messages)
                .iter()
                .map(|turn| turn.message_id.to_string())
                .collect()
        };
        let first = ids(&messages);
        assert_eq!(first, ids(&messages));
        let mut different = first.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), first.len(), "{first:?}");
        let fewer = ids(&messages[..8]);
        assert_eq!(first[..fewer.len()], fewer);
        assert!(fewer.len() > 1);
    }

    #[test]
    fn what_was_said_to_the_scribe_alone_is_left_out() {
        let (user, assistant) = (Speaker::User, Speaker::Assistant);
        let messages = [
            said(user, "Who keeps the lamp?"),
            said(assistant, "Maren."),
            said(user, "Please start the scribe, call it The Lamp."),
            said(assistant, "It is on."),
            said(user, "Stop the scribe. Who guards the gate?"),
            said(assistant, "Voss."),
        ];
        let turns = catch_up(&messages);
        assert_eq!(turns.len(), 1);
        assert_eq!(turns[0].earlier, messages[..2]);
        assert_eq!(turns[0].assistant_response, "Voss.");
    }

    #[test]
    fn who_said_it_is_part_of_the_id() {
        let id = |role| catch_up(&[said(role, "Hello.")])[0].message_id.clone();
        assert_ne!(id(Speaker::User), id(Speaker::Assistant));
    }

    #[test]
    fn no_text_reaches_a_debug_print() {
        let turns = catch_up(&[
            said(Speaker::User, "a secret"),
            said(Speaker::Assistant, "another secret"),
            said(Speaker::User, "a third secret"),
        ]);
        assert!(!format!("{turns:?} {:?}", turns[0].earlier).contains("secret"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_turn_is_large(
            messages in proptest::collection::vec((any::<bool>(), "[a-z ]{0,40}", 1..90_usize), 0..40),
        ) {
            let messages: Vec<Earlier> = messages
                .iter()
                .map(|(user, content, repeat)| {
                    said(if *user { Speaker::User } else { Speaker::Assistant }, &content.repeat(*repeat))
                })
                .collect();
            let turns = catch_up(&messages);
            let expected: Vec<Earlier> =
                messages.into_iter().filter(|message| !message.content.trim().is_empty()).collect();
            prop_assert_eq!(all(&turns), expected);
            for turn in turns {
                let bytes: usize = all(std::slice::from_ref(&turn)).iter().map(|message| message.content.len()).sum();
                let whole = turn.earlier.iter().any(|message| message.role == Speaker::Assistant)
                    && turn.earlier.iter().any(|message| message.role == Speaker::User);
                prop_assert!(bytes <= TURN_TOKENS * 4 || !whole || turn.earlier.windows(2).all(|pair| {
                    !(pair[0].role == Speaker::Assistant && pair[1].role == Speaker::User)
                }), "{bytes}");
            }
        }
    }
}
