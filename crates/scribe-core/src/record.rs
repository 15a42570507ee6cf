//! The record of the turns that are in a document.
//!
//! It lies in the same S3 object as the text, so one conditional PUT commits both or neither. It decides whether
//! a turn is in the document, and it decides by the turn's id, never by its sequence alone: sequences repeat and
//! jump when Redis loses its memory, ids do not.
//!
//! It is bounded: the last [`WINDOW`] ids of each conversation, in the order in which they were woven, and below
//! them the *floor*, the highest sequence that was dropped. A turn at or below the floor whose id is not there may
//! be in the document or not. Nobody can tell, so it is parked for a person to decide, never woven.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ids::{ConversationId, MessageId};
use crate::turn::Seq;

/// How many ids are kept for each conversation.
pub const WINDOW: usize = 500;

/// Which turns are in the document, for each conversation that writes to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record {
    conversations: BTreeMap<ConversationId, Applied>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Applied {
    /// Oldest first, in the order of weaving: a late turn must not be the first to be forgotten.
    ids: VecDeque<(MessageId, Seq)>,
    /// The highest sequence that was dropped from `ids`.
    #[serde(default)]
    floor: Seq,
    /// How many turns were woven in all.
    #[serde(default)]
    turns: u64,
}

/// What the record says of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is in the document.
    Applied,
    /// It is not in the document.
    New {
        /// A turn that was recorded after it is in the document already.
        late: bool,
    },
    /// It is at or below the floor and its id is not there: it may be in the document or not.
    Unknowable,
}

impl Record {
    /// Where a turn stands.
    #[must_use]
    pub fn standing(&self, conversation: &ConversationId, message: &MessageId, seq: Seq) -> Standing {
        let Some(applied) = self.conversations.get(conversation) else {
            return Standing::New { late: false };
        };
        if applied.ids.iter().any(|(id, _)| id == message) {
            return Standing::Applied;
        }
        if applied.floor >= seq && applied.floor != Seq::default() {
            return Standing::Unknowable;
        }
        Standing::New {
            late: applied.ids.iter().any(|&(_, other)| other > seq),
        }
    }

    /// Whether its id is among those that are remembered: woven, or never to be woven.
    #[must_use]
    pub fn has(&self, conversation: &ConversationId, message: &MessageId) -> bool {
        let applied = self.conversations.get(conversation);
        applied.is_some_and(|applied| applied.ids.iter().any(|(id, _)| id == message))
    }

    /// The turns of a conversation that are remembered, the oldest first.
    pub fn turns_of(&self, conversation: &ConversationId) -> impl Iterator<Item = (&MessageId, Seq)> {
        let applied = self.conversations.get(conversation);
        applied
            .into_iter()
            .flat_map(|applied| &applied.ids)
            .map(|(id, seq)| (id, *seq))
    }

    /// Whether a turn that is in the document came after one that was recorded later, as far as the record remembers.
    /// Redis is told so, and may forget it; the record does not.
    #[must_use]
    pub fn came_late(&self, conversation: &ConversationId, message: &MessageId) -> bool {
        let Some(applied) = self.conversations.get(conversation) else {
            return false;
        };
        let mut highest = applied.floor;
        for (id, seq) in &applied.ids {
            if id == message {
                return highest > *seq;
            }
            highest = highest.max(*seq);
        }
        false
    }

    /// Adds a turn that is being woven, and forgets the oldest one if the window is full.
    pub fn add(&mut self, conversation: &ConversationId, message: MessageId, seq: Seq) {
        self.add_within(WINDOW, conversation, message, seq);
    }

    fn add_within(&mut self, window: usize, conversation: &ConversationId, message: MessageId, seq: Seq) {
        let applied = self.conversations.entry(conversation.clone()).or_default();
        applied.ids.push_back((message, seq));
        applied.turns += 1;
        while applied.ids.len() > window {
            if let Some((_, dropped)) = applied.ids.pop_front() {
                applied.floor = applied.floor.max(dropped);
            }
        }
    }

    /// Adds a turn that a person does not want, so that it is never woven, from wherever its event comes. It is not
    /// counted among those that are in the document.
    pub fn dismiss(&mut self, conversation: &ConversationId, message: MessageId, seq: Seq) {
        self.add(conversation, message, seq);
        if let Some(applied) = self.conversations.get_mut(conversation) {
            applied.turns -= 1;
        }
    }

    /// The conversations that have turns here.
    pub fn conversations(&self) -> impl Iterator<Item = &ConversationId> {
        self.conversations.keys()
    }

    /// Adds a turn that is being woven, and those that it replaces, which are never woven from now on. Where those are
    /// not there yet they go in before the new one and under its sequence, which may be all that is known: so order and
    /// floor are as if the new one were alone. Answers those that were not there.
    pub fn replace<'a>(
        &mut self,
        conversation: &ConversationId,
        replaced: impl IntoIterator<Item = &'a MessageId>,
        message: MessageId,
        seq: Seq,
    ) -> Vec<MessageId> {
        let mut new = Vec::new();
        for replaced in replaced {
            if !self.has(conversation, replaced) {
                self.dismiss(conversation, replaced.clone(), seq);
                new.push(replaced.clone());
            }
        }
        self.add(conversation, message, seq);
        new
    }

    /// How many turns of a conversation were woven into the document. One that was replaced is counted, as its
    /// replacement is, if it was woven before.
    #[must_use]
    pub fn turns(&self, conversation: &ConversationId) -> u64 {
        self.conversations
            .get(conversation)
            .map_or(0, |applied| applied.turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    fn check(record: &Record, message: &str, seq: u64, expected: Standing) {
        assert_eq!(
            record.standing(&id("c"), &id(message), Seq(seq)),
            expected,
            "{message} {seq}"
        );
    }

    #[test]
    fn an_id_decides_whatever_its_sequence() {
        let mut record = Record::default();
        check(&record, "m1", 10, Standing::New { late: false });
        record.add(&id("c"), id("m1"), Seq(10));
        check(&record, "m1", 10, Standing::Applied);
        check(&record, "m1", 99, Standing::Applied);
        check(&record, "m0", 9, Standing::New { late: true });
        check(&record, "m2", 11, Standing::New { late: false });
        assert_eq!(
            record.standing(&id("other"), &id("m1"), Seq(10)),
            Standing::New { late: false }
        );
    }

    #[test]
    fn below_the_floor_nothing_is_known() {
        let mut record = Record::default();
        for (message, seq) in [("m1", 10), ("m2", 20), ("m3", 30)] {
            record.add_within(2, &id("c"), id(message), Seq(seq));
        }
        check(&record, "m1", 10, Standing::Unknowable);
        check(&record, "m0", 5, Standing::Unknowable);
        check(&record, "m4", 11, Standing::New { late: true });
        check(&record, "m2", 20, Standing::Applied);
        assert_eq!(record.turns(&id("c")), 3);
    }

    #[test]
    fn a_late_turn_is_not_the_first_to_be_forgotten() {
        let mut record = Record::default();
        for (message, seq) in [("m2", 20), ("m3", 30), ("m1", 10)] {
            record.add_within(2, &id("c"), id(message), Seq(seq));
        }
        check(&record, "m1", 10, Standing::Applied);
        check(&record, "m2", 20, Standing::Unknowable);
        assert!(record.came_late(&id("c"), &id("m1")));
        assert!(!record.came_late(&id("c"), &id("m3")));
        assert!(!record.came_late(&id("c"), &id("m9")));
    }

    #[test]
    fn a_replaced_turn_is_never_new_again() {
        let mut record = Record::default();
        record.add(&id("c"), id("m1"), Seq(10));
        let replaced = record.replace(&id("c"), &[id("m1")], id("m2"), Seq(20));
        assert!(replaced.is_empty(), "m1 was woven");
        let replaced = record.replace(&id("c"), &[id("m1"), id("m3")], id("m4"), Seq(40));
        assert_eq!(replaced, [id("m3")]);
        assert_eq!(record.turns(&id("c")), 3);
        // Whatever its own sequence is, when its event comes.
        check(&record, "m3", 30, Standing::Applied);
        check(&record, "m3", 50, Standing::Applied);
        for message in ["m2", "m3", "m4"] {
            assert!(!record.came_late(&id("c"), &id(message)), "{message}");
        }
        check(&record, "m5", 50, Standing::New { late: false });
    }

    #[test]
    fn it_reads_back_what_it_writes() {
        let mut record = Record::default();
        record.add(&id("c"), id("m1"), Seq(1_763_826_000_123_456));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            json,
            r#"{"c":{"ids":[["m1",1763826000123456]],"floor":0,"turns":1}}"#
        );
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }
}
