//! What the scribe, or somebody else, would write in a block that is not theirs: kept beside the document, for a
//! person to accept or dismiss. Nothing here changes the text.

use serde::{Deserialize, Serialize};

use crate::blocks::{Author, BlockEntry, hash};

/// The most suggestions of the scribe's that a document keeps: the oldest give way to new ones. People's do not count.
pub const MAX_SUGGESTIONS: usize = 200;

/// What is suggested for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuggestedAction {
    /// Another text.
    Replace,
    /// That it goes.
    Delete,
    /// A block behind it: one that somebody else took away, with what was changed in it since.
    Insert,
}

/// A suggestion for a block.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Its id, made from what it says: the same suggestion twice is one.
    pub id: String,
    /// The id of the block; empty for an insert at the top.
    pub block: String,
    /// The hash of the block's text when it was made; empty for an insert.
    pub hash: String,
    /// What is suggested.
    pub action: SuggestedAction,
    /// The text; empty for a delete.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub markdown: String,
    /// The turn that it comes from, as `conversationId/messageId`; none where a person made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// Whose text it is, where it is a person's and that is known. Of a removal neither this nor the turn is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
}

impl std::fmt::Debug for Suggestion {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (action, block, bytes) = (self.action, &self.block, self.markdown.len());
        write!(f, "Suggestion({action:?} of {block}, {bytes} bytes)")
    }
}

impl Suggestion {
    /// A suggestion of a turn.
    #[must_use]
    pub fn of_turn(
        turn: &str,
        block: &str,
        block_hash: &str,
        action: SuggestedAction,
        markdown: &str,
    ) -> Self {
        let id = hash(&format!("{turn}\n{block}\n{action:?}\n{markdown}"));
        Self {
            id: format!("s{}", &id[..8]),
            block: block.to_owned(),
            hash: block_hash.to_owned(),
            action,
            markdown: markdown.to_owned(),
            turn: Some(turn.to_owned()),
            person: None,
        }
    }

    /// The suggestion to remove a block that somebody else removed while it was being changed. A block that is gone does
    /// not tell who did that.
    #[must_use]
    pub fn of_removal(block: &str, block_hash: &str) -> Self {
        let id = hash(&format!("{block}\n{block_hash}\nremoved"));
        Self {
            id: format!("s{}", &id[..8]),
            block: block.to_owned(),
            hash: block_hash.to_owned(),
            action: SuggestedAction::Delete,
            markdown: String::new(),
            turn: None,
            person: None,
        }
    }

    /// A suggestion of what somebody else wrote: the scribe in a turn, or a person.
    #[must_use]
    pub fn of_block(
        writer: &BlockEntry,
        block: &str,
        block_hash: &str,
        action: SuggestedAction,
        markdown: &str,
    ) -> Self {
        let is_scribes = writer.author == Author::Scribe;
        let turn = writer.turns.last().filter(|_| is_scribes).cloned();
        let made_by = turn.as_deref().or(writer.person.as_deref()).unwrap_or_default();
        Self {
            person: writer.person.clone().filter(|_| !is_scribes),
            turn: turn.clone(),
            ..Self::of_turn(made_by, block, block_hash, action, markdown)
        }
    }
}

/// The suggestions that stand beside a document, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Suggestions(Vec<Suggestion>);

impl Suggestions {
    /// All of them, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Suggestion> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Suggestion> {
        self.0.iter().find(|suggestion| suggestion.id == id)
    }

    /// Takes the one with this id away: somebody has decided on it.
    pub fn remove(&mut self, id: &str) -> Option<Suggestion> {
        let at = self.0.iter().position(|suggestion| suggestion.id == id)?;
        Some(self.0.remove(at))
    }

    /// Adds one, unless it is there or says the same as one that is there.
    pub fn add(&mut self, suggestion: Suggestion) {
        let same = |other: &Suggestion| {
            other.id == suggestion.id
                || (&other.block, other.action, &other.markdown)
                    == (&suggestion.block, suggestion.action, &suggestion.markdown)
        };
        if self.0.iter().any(same) {
            return;
        }
        self.0.push(suggestion);
        // A person's words never give way, and do not push the scribe's out.
        let scribes = |suggestion: &Suggestion| suggestion.turn.is_some();
        while self.0.iter().filter(|suggestion| scribes(suggestion)).count() > MAX_SUGGESTIONS {
            let Some(oldest) = self.0.iter().position(scribes) else {
                return;
            };
            self.0.remove(oldest);
        }
    }
}

impl Suggestions {
    /// Withdraws what a turn suggested and nobody has decided; answers how many that were.
    pub fn withdraw(&mut self, turn: &str) -> usize {
        let before = self.0.len();
        self.0
            .retain(|suggestion| suggestion.turn.as_deref() != Some(turn));
        before - self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(turn: usize, markdown: &str) -> Suggestion {
        let turn = format!("c/m{turn}");
        Suggestion::of_turn(&turn, "b1", "00", SuggestedAction::Replace, markdown)
    }

    #[test]
    fn the_same_is_suggested_once() {
        let mut suggestions = Suggestions::default();
        suggestions.add(suggestion(1, "x"));
        suggestions.add(suggestion(1, "x"));
        suggestions.add(suggestion(2, "x"));
        suggestions.add(suggestion(2, "y"));
        assert_eq!(suggestions.iter().len(), 2);
        let json = serde_json::to_string(&suggestions).unwrap();
        assert_eq!(serde_json::from_str::<Suggestions>(&json).unwrap(), suggestions);
    }

    #[test]
    fn what_a_turn_suggested_is_withdrawn() {
        let mut suggestions = Suggestions::default();
        suggestions.add(suggestion(1, "x"));
        suggestions.add(suggestion(2, "y"));
        suggestions.add(Suggestion {
            turn: None,
            ..suggestion(1, "a person's")
        });
        assert_eq!(suggestions.withdraw("c/m1"), 1);
        assert_eq!(suggestions.withdraw("c/m1"), 0);
        assert_eq!(suggestions.iter().len(), 2);
    }

    #[test]
    fn a_persons_words_do_not_give_way() {
        let mut suggestions = Suggestions::default();
        let persons = Suggestion {
            turn: None,
            ..suggestion(0, "a person's")
        };
        suggestions.add(persons.clone());
        for turn in 1..=MAX_SUGGESTIONS + 5 {
            suggestions.add(suggestion(turn, &turn.to_string()));
        }
        assert_eq!(suggestions.iter().len(), 1 + MAX_SUGGESTIONS);
        assert_eq!(suggestions.iter().next(), Some(&persons));
        assert_eq!(suggestions.iter().nth(1).unwrap().markdown, "6");
        for number in 0..MAX_SUGGESTIONS {
            suggestions.add(Suggestion {
                turn: None,
                ..suggestion(0, &format!("another person's {number}"))
            });
        }
        assert_eq!(
            suggestions
                .iter()
                .filter(|suggestion| suggestion.turn.is_some())
                .count(),
            MAX_SUGGESTIONS
        );
    }
}
