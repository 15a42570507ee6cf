//! What the verdict asks of a turn beside others: where it stands, who was said instead of it, and which of several
//! answers nobody could tell apart.

use std::collections::BTreeSet;

use super::machine::Commit;
use super::run::Said;
use super::verdict::{View, blocks};
use crate::world::marker;

impl View<'_> {
    /// How often a turn stands in the record.
    pub(super) fn recorded(&self, turn: &Said) -> usize {
        let is_it = |(id, _): &&(String, u64)| *id == turn.id.as_str();
        self.record().iter().filter(is_it).count()
    }

    /// Whether a version was written by this turn.
    pub(super) fn is_author(&self, turn: &Said) -> bool {
        self.versions
            .iter()
            .any(|(author, _)| self.names(author.as_deref(), turn))
    }

    pub(super) fn names(&self, author: Option<&str>, turn: &Said) -> bool {
        let key = &self.talk.key;
        author.is_some_and(|author| {
            author.split_once('/') == Some((key.conversation.as_str(), turn.id.as_str()))
        })
    }

    /// Whether nobody could tell which of several answers of one name this is: the next one was sent before it was
    /// written, and Redis was not there or has forgotten; or Redis came back with what it had before. Then one of them
    /// stands for both.
    pub(super) fn is_muddled(&self, turn: &Said) -> bool {
        if turn.name.is_none() {
            return false;
        }
        let said = self.talk.said.iter();
        let answers: Vec<&Said> = said.filter(|other| other.name == turn.name).collect();
        let trouble = answers.iter().any(|answer| answer.direct) || self.book.forgot_since(answers[0].began);
        let in_flight = answers.windows(2).any(|pair| {
            let is_written =
                |commit: &Commit| commit.message == pair[0].id.as_str() && commit.when < pair[1].began;
            !self.book.commits.iter().any(is_written)
        });
        trouble && (in_flight || self.redis_came_back())
    }

    pub(super) fn redis_came_back(&self) -> bool {
        self.book.came_back()
    }

    /// The turns that were said instead of this one.
    pub(super) fn instead(&self, turn: &Said) -> impl Iterator<Item = &Said> {
        let number = turn.number;
        self.talk
            .said
            .iter()
            .filter(move |other| other.replaces == Some(number))
    }

    /// Whether a turn that was said instead of it is in the record.
    pub(super) fn is_superseded(&self, turn: &Said) -> bool {
        self.instead(turn).any(|other| self.recorded(other) > 0)
    }

    /// Whether whoever is written in the place of a turn that was never written could know what that one replaced:
    /// where Redis missed it, or has forgotten something, only its event may have known.
    pub(super) fn chain_may_be_torn(&self, turn: &Said) -> bool {
        self.instead(turn)
            .any(|other| !self.is_author(other) && (self.may_be_late(other) || self.is_superseded(other)))
            && self.instead(turn).all(|other| !self.is_author(other))
    }

    /// Whether a person wrote into the turn's paragraph.
    pub(super) fn is_built_upon(&self, turn: &Said) -> bool {
        let marker = marker(turn.number);
        let blocks = blocks(&self.document.asset.content);
        let mut of_turn = blocks.iter().filter(|block| block.contains(&marker));
        of_turn.all(|block| self.talk.typed.iter().any(|word| block.contains(word)))
    }

    /// The turn that it was said instead of, and the one before that.
    pub(super) fn replaced_by(&self, turn: &Said) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut next = turn.replaces;
        while let Some(number) = next.filter(|number| !all.contains(number)) {
            all.insert(number);
            let replaced = self.talk.said.iter().find(|said| said.number == number);
            next = replaced.and_then(|said| said.replaces);
        }
        all
    }

    /// Whether one that it replaced, itself never written, may not have been known for what it was.
    pub(super) fn may_be_torn_by(&self, turn: &Said) -> bool {
        let replaced = self.replaced_by(turn);
        let mut replaced = self
            .talk
            .said
            .iter()
            .filter(|said| replaced.contains(&said.number));
        replaced.any(|said| self.chain_may_be_torn(said))
    }
}
