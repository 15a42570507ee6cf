//! What can befall the system at a step.

use std::time::Duration;

use crate::world::{Moment, Step, Wire};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process that asks is killed. Whoever comes next meets its lease.
    Kill,
    /// The process is killed, and its lease has ended when the next one comes.
    KillAndLeaseEnds,
    /// Redis forgets everything, its scripts too.
    Flush,
    KillAndFlush,
    /// The connection is cut: before the step the request is lost, after it the answer.
    Cut,
    /// The server goes silent until whoever asks has given up. What was asked is done, if it was not yet, when nobody
    /// expects it any more.
    Silence,
    /// The lease of a living holder ends.
    LeaseEnds,
    /// Redis loses one key of the conversation.
    TriggersLost,
    QueueLost,
    SessionLost,
    /// Lambda's queue loses its events.
    EventsLost,
    /// A person saves the document.
    PersonSaves,
}

const ALL: [Fault; 12] = [
    Fault::Kill,
    Fault::KillAndLeaseEnds,
    Fault::Flush,
    Fault::KillAndFlush,
    Fault::Cut,
    Fault::Silence,
    Fault::LeaseEnds,
    Fault::TriggersLost,
    Fault::QueueLost,
    Fault::SessionLost,
    Fault::EventsLost,
    Fault::PersonSaves,
];

impl Fault {
    /// What can fall at a step: everything, or a kill and an emptied Redis and one more, whose turn it is.
    pub(super) fn at(step: &Step, whose_turn: Option<usize>) -> Vec<Self> {
        let (always, others): (Vec<_>, Vec<_>) =
            Self::possible_at(step).partition(|fault| matches!(fault, Self::Kill | Self::Flush));
        let others = match whose_turn {
            Some(turn) => vec![others[turn % others.len()]],
            None => others,
        };
        [always, others].concat()
    }

    fn possible_at(step: &Step) -> impl Iterator<Item = Self> {
        let before = step.moment == Moment::Before;
        let wire = step.wire;
        ALL.into_iter().filter(move |fault| match fault {
            Self::Kill | Self::Flush | Self::Cut | Self::Silence => true,
            // Between an answer and the next request nothing happens, so these need not fall twice.
            Self::KillAndLeaseEnds | Self::KillAndFlush => !before,
            Self::TriggersLost | Self::QueueLost | Self::SessionLost | Self::EventsLost => before,
            // Nobody holds a lease while a turn is recorded.
            Self::LeaseEnds => before && wire != Wire::Lambda,
            Self::PersonSaves => before && matches!(wire, Wire::S3 | Wire::Model),
        })
    }

    pub(super) fn kills(self) -> bool {
        matches!(self, Self::Kill | Self::KillAndLeaseEnds | Self::KillAndFlush)
    }

    /// Whether Redis forgets turns, or may not get one: then a turn may come late.
    pub(super) fn forgets(self) -> bool {
        matches!(
            self,
            Self::Flush
                | Self::KillAndFlush
                | Self::TriggersLost
                | Self::QueueLost
                | Self::Cut
                | Self::Silence
        )
    }

    /// Whether Redis loses turns that it has.
    pub(super) fn loses_turns(self) -> bool {
        matches!(
            self,
            Self::Flush | Self::KillAndFlush | Self::TriggersLost | Self::QueueLost
        )
    }

    /// The conversation's key that Redis loses.
    pub(super) fn lost_key(self) -> Option<&'static str> {
        match self {
            Self::LeaseEnds => Some("lease"),
            Self::TriggersLost => Some("trigger"),
            Self::QueueLost => Some("queue"),
            Self::SessionLost => Some("active"),
            _ => None,
        }
    }
}

/// By how much the clock jumps where a server is silent: more than its client waits.
pub(super) fn patience(wire: Wire) -> Duration {
    match wire {
        Wire::Redis | Wire::S3 => Duration::from_secs(6),
        Wire::Model => Duration::from_secs(21),
        Wire::Lambda => Duration::from_secs(2),
    }
}
