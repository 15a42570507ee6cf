//! The saves that a document has seen lately, so that the same save twice counts once.
//!
//! A client that got no answer sends its save again, on the base that it knows. The document has the text already, and
//! perhaps what others made of it since; merged a second time, the person's words would stand against their own.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::blocks::hash;
use crate::ids::UserId;

/// How many are remembered: a client repeats itself within seconds.
const REMEMBERED: usize = 50;

/// The saves that a document has seen, oldest first: a hash of each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecentSaves(VecDeque<String>);

impl RecentSaves {
    /// What tells a save from others: who saves what, and on which base.
    #[must_use]
    pub fn name(person: &UserId, base_etag: &str, content: &str) -> String {
        hash(&format!("{person}\n{base_etag}\n{content}"))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a save is in the document.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }

    /// Remembers a save, and forgets the oldest one.
    pub fn add(&mut self, name: String) {
        self.0.push_back(name);
        while self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }
}
