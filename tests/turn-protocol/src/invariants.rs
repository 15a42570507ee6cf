//! What holds in every state.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use ahash::RandomState;
use stateright::Property;

use crate::faults::Fault;
use crate::guards::Guard;
use crate::protocol::Protocol;
use crate::redis::PATIENCE;
use crate::state::{At, Call, Copied, Person, Standing, State};

/// The longest way to the drained state, in steps, before it counts as none.
const LONGEST_WAY: usize = 400;

/// The same in every run.
const HASHES: RandomState = RandomState::with_seeds(1, 2, 3, 4);

/// A promise, or what stands for it in the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Invariant {
    /// No turn is in the document twice.
    Once,
    /// Turns are woven in the order in which they were recorded, where no Redis lost or missed one, none was replayed,
    /// none was parked while somebody still wrote it, and none had yielded to one that failed.
    InOrder,
    /// A turn that was replaced is not woven behind the one that replaces it.
    Replaced,
    /// A turn that was acknowledged is in the document, or its text stands somewhere.
    NeverLost,
    /// A turn that is neither in the document nor parked stands in two of three places, but for the time that the
    /// design names.
    TwoCopies,
    /// What a person saved is in the document.
    PeopleWin,
    /// If nothing goes wrong any more, everything is drained: each turn in the document or parked, no event, no lease,
    /// no stale copy.
    Progress,
    /// The model is asked for a turn at most three times, and three times more for each loss or replay, once more for
    /// each failure of a service.
    FewCalls,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Once,
        Self::InOrder,
        Self::Replaced,
        Self::NeverLost,
        Self::TwoCopies,
        Self::PeopleWin,
        Self::Progress,
        Self::FewCalls,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::InOrder => "in order",
            Self::Replaced => "replaced",
            Self::NeverLost => "never lost",
            Self::TwoCopies => "two copies",
            Self::PeopleWin => "people win",
            Self::Progress => "progress",
            Self::FewCalls => "few calls",
        }
    }

    pub(crate) fn property(self) -> Property<Protocol> {
        let condition: fn(&Protocol, &State) -> bool = match self {
            Self::Once => |protocol, state| protocol.holds(Self::Once, once(state)),
            Self::InOrder => |protocol, state| protocol.holds(Self::InOrder, protocol.in_order(state)),
            Self::Replaced => |protocol, state| protocol.holds(Self::Replaced, protocol.replaced(state)),
            Self::NeverLost => |protocol, state| protocol.holds(Self::NeverLost, protocol.none_lost(state)),
            Self::TwoCopies => |protocol, state| protocol.holds(Self::TwoCopies, protocol.two_copies(state)),
            Self::PeopleWin => |protocol, state| protocol.holds(Self::PeopleWin, protocol.people_win(state)),
            Self::Progress => |protocol, state| protocol.holds(Self::Progress, protocol.progresses(state)),
            Self::FewCalls => |protocol, state| protocol.holds(Self::FewCalls, protocol.few_calls(state)),
        };
        Property::always(self.name(), condition)
    }
}

fn once(state: &State) -> bool {
    let turns = state.document.turns();
    turns
        .clone()
        .enumerate()
        .all(|(place, turn)| turns.clone().take(place).all(|before| before != turn))
}

/// Where the text of a turn stands so that it outlives every process.
fn copies(state: &State, turn: u8) -> u8 {
    let known = state.redis.of(turn);
    let in_redis = matches!(known.standing, Standing::Waits | Standing::Failed) && !known.text_lost;
    let kept_for_a_run = |at: &crate::state::Run| at.at != At::Nowhere && at.own == turn && at.tries > 0;
    let in_lambda = state.lambda.any_queued(turn)
        || state.lambda.on_failure.has(turn)
        || state.runs.iter().any(kept_for_a_run);
    let in_s3 = state.waiting[usize::from(turn)].has_text();
    u8::from(in_redis) + u8::from(in_lambda) + u8::from(in_s3)
}

impl Protocol {
    /// Only the first break of an invariant counts: it has the shortest trace.
    fn holds(&self, invariant: Invariant, holds: bool) -> bool {
        let bit = 1 << invariant as u8;
        holds || self.broken.fetch_or(bit, Ordering::Relaxed) & bit != 0
    }

    fn used(&self, state: &State, fault: Fault) -> u8 {
        self.bounds.faults.left(fault) - state.left.left(fault)
    }

    fn in_order(&self, state: &State) -> bool {
        let turns = state.document.woven();
        let yielded = self.bounds.replaces.is_some() && self.used(state, Fault::BadAnswer) > 0;
        let excused = yielded
            || LOSSES.iter().any(|&loss| self.used(state, loss) > 0)
            || self.used(state, Fault::Replay) > 0
            || state.late
            || state.chat.iter().any(|recording| recording.direct());
        excused
            || turns
                .clone()
                .zip(turns.skip(1))
                .all(|(before, after)| before <= after)
    }

    fn replaced(&self, state: &State) -> bool {
        let place = |turn: u8| state.document.turns().position(|other| other == turn);
        self.bounds
            .replaces
            .is_none_or(|(new, old)| match (place(new), place(old)) {
                (Some(new), Some(old)) => old < new,
                (Some(_), None) => !self.guards.has(Guard::RecordReplaced),
                (None, _) => true,
            })
    }

    /// An acknowledged turn that is not in the document.
    fn is_owed(&self, state: &State, turn: u8) -> bool {
        state.chat[usize::from(turn)].acknowledged() && !state.document.has(turn)
    }

    pub(crate) fn stands_nowhere(&self, state: &State, turn: u8) -> bool {
        self.is_owed(state, turn) && copies(state, turn) == 0
    }

    pub(crate) fn stands_once(&self, state: &State, turn: u8) -> bool {
        let parked = state.waiting[usize::from(turn)] == Copied::Parked;
        self.is_owed(state, turn) && !parked && copies(state, turn) == 1
    }

    pub(crate) fn stands_in_s3_alone(&self, state: &State, turn: u8) -> bool {
        self.stands_once(state, turn) && state.waiting[usize::from(turn)].has_text()
    }

    /// Redis forgot something, or a request to it failed.
    pub(crate) fn redis_failed(&self, state: &State) -> bool {
        let requests = [Fault::Redis, Fault::RedisAnswer];
        LOSSES
            .iter()
            .chain(&requests)
            .any(|&fault| self.used(state, fault) > 0)
    }

    fn none_lost(&self, state: &State) -> bool {
        (0..self.bounds.turns).all(|turn| !self.stands_nowhere(state, turn))
    }

    fn two_copies(&self, state: &State) -> bool {
        (0..self.bounds.turns).all(|turn| state.once_only.has(turn) || !self.stands_once(state, turn))
    }

    fn people_win(&self, state: &State) -> bool {
        state.document.saves == self.used(state, Fault::Save)
    }

    fn few_calls(&self, state: &State) -> bool {
        let lives = 1
            + LOSSES.iter().map(|&loss| self.used(state, loss)).sum::<u8>()
            + self.used(state, Fault::Replay);
        let failures =
            [Fault::Redis, Fault::S3, Fault::PutAnswer, Fault::Model].map(|fault| self.used(state, fault));
        let most = PATIENCE * lives + failures.iter().sum::<u8>();
        state.asked.iter().all(|&asked| asked <= most)
    }

    fn is_drained(&self, state: &State) -> bool {
        let turns_rest = (0..self.bounds.turns).all(|turn| {
            let copied = state.waiting[usize::from(turn)];
            let standing = state.redis.of(turn).standing;
            if state.document.has(turn) {
                // A Redis that has forgotten something may say what is stale of a turn that is owed nowhere.
                let told = matches!(standing, Standing::Absent | Standing::Processed);
                copied == Copied::Not && (told || self.redis_failed(state))
            } else if state.chat[usize::from(turn)].begun() {
                let parked =
                    copied == Copied::Parked && matches!(standing, Standing::Absent | Standing::Failed);
                // What was not acknowledged may be anywhere, but not half-way.
                parked || !state.chat[usize::from(turn)].acknowledged() && copied != Copied::Waiting
            } else {
                true
            }
        });
        // A turn that nobody acknowledged may stay queued until it is sent again; and a Redis that failed may take a
        // woven one for a waiting one until the next turn of the conversation.
        let queue_rests = (0..self.bounds.turns)
            .filter(|&turn| state.redis.queue.has(turn))
            .all(|turn| {
                !state.chat[usize::from(turn)].acknowledged()
                    || state.document.has(turn) && self.redis_failed(state)
            });
        turns_rest
            && queue_rests
            && state.lambda.is_empty()
            && state.lambda.on_failure.is_empty()
            && state.runs.iter().all(|run| run.at == At::Nowhere)
            && state.person == Person::Idle
            && state
                .chat
                .iter()
                .all(|recording| !recording.begun() || recording.invoked != Call::NotYet)
    }

    /// From here everything drains if nothing goes wrong any more. This is stronger than that a way exists: the way
    /// is a given one.
    fn progresses(&self, state: &State) -> bool {
        let mut drains = self.drains.lock().unwrap_or_else(PoisonError::into_inner);
        let mut way = Vec::new();
        let mut state = *state;
        loop {
            let hash = HASHES.hash_one(state);
            way.push(hash);
            if drains.contains(&hash) || self.is_drained(&state) {
                drains.extend(way);
                return true;
            }
            let next = self.calm_step(&state).and_then(|step| self.take(&state, step));
            match next {
                Some(next) if way.len() < LONGEST_WAY => state = next.canonical(),
                _ => return false,
            }
        }
    }
}

/// Losses of what Redis or Lambda held.
const LOSSES: [Fault; 6] = [
    Fault::Flush,
    Fault::Failover,
    Fault::LoseTriggers,
    Fault::LoseQueue,
    Fault::LoseSession,
    Fault::LoseBacklog,
];
