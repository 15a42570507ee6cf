//! What the world looks like between two steps: the chat, Redis, Lambda, S3, two invocations, the sweeper, a person.
//!
//! One conversation and one document. A turn is its number, which is also its sequence: 0 was recorded before 1.
//! Everything is small and `Copy`: millions of these are held while one check runs.

use std::hash::{Hash, Hasher};

use crate::faults::Faults;

/// The most turns that a check may have.
pub(crate) const TURNS: usize = 3;

/// How many invocations may run at once.
pub(crate) const RUNS: usize = 2;

/// A set of turns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Turns(u8);

impl Turns {
    pub(crate) fn has(self, turn: u8) -> bool {
        self.0 >> turn & 1 == 1
    }
    pub(crate) fn add(&mut self, turn: u8) {
        self.0 |= 1 << turn;
    }
    pub(crate) fn remove(&mut self, turn: u8) {
        self.0 &= !(1 << turn);
    }
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Sequences are turn numbers, so the oldest is the lowest.
    pub(crate) fn oldest(self) -> Option<u8> {
        (0..8).find(|&turn| self.has(turn))
    }
}

/// One half of what record does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Call {
    #[default]
    NotYet,
    Done,
    Failed,
}

/// The record of one turn, as the chat sees it: the script, then the backlog and the invoke side by side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Recording {
    pub(crate) stored: Call,
    pub(crate) noted: Call,
    pub(crate) invoked: Call,
}

impl Recording {
    pub(crate) fn begun(self) -> bool {
        self.stored != Call::NotYet
    }
    /// Redis was not heard to take it: its event alone carries it.
    pub(crate) fn direct(self) -> bool {
        self.stored == Call::Failed
    }
    /// The chat was told 202.
    pub(crate) fn acknowledged(self) -> bool {
        match self.stored {
            Call::NotYet => false,
            Call::Failed => self.invoked == Call::Done,
            Call::Done => {
                let both_ended = self.noted != Call::NotYet && self.invoked != Call::NotYet;
                both_ended && (self.noted == Call::Done || self.invoked == Call::Done)
            }
        }
    }
}

/// The session in Redis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Session {
    Unknown,
    #[default]
    On,
    Off,
}

/// What a trigger says. Pending and processing are one: nothing but a page tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Standing {
    #[default]
    Absent,
    Waits,
    Processed,
    Failed,
}

/// One field of the trigger hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Trigger {
    pub(crate) standing: Standing,
    pub(crate) attempts: u8,
    /// A copy stands under `waiting/`.
    pub(crate) copy: bool,
    /// Parked without its text, because Redis lost it.
    pub(crate) text_lost: bool,
    /// A later turn replaces it.
    pub(crate) replaced: bool,
}

/// Who keeps others from claiming.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Lease {
    #[default]
    Free,
    /// The invocation in this place.
    Run(u8),
    /// An invocation that is no more. It runs out by itself.
    Dead,
    Pause,
}

/// The asset that Redis caches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Cached {
    pub(crate) there: bool,
    pub(crate) document: Document,
    /// Nobody has written the document since.
    pub(crate) current: bool,
}

/// All keys of the conversation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Redis {
    pub(crate) session: Session,
    pub(crate) triggers: [Trigger; TURNS],
    pub(crate) queue: Turns,
    pub(crate) lease: Lease,
    /// The conversation's entry in the backlog.
    pub(crate) backlog: bool,
    pub(crate) cached: Cached,
    /// Which turn replaces which: what the triggers themselves say.
    pub(crate) replaces: Option<(u8, u8)>,
}

/// Lambda's async queue and the on-failure destination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Lambda {
    /// For each turn, how many events have one, two and three tries left; at most three of each are told apart.
    events: [[u8; 3]; TURNS],
    pub(crate) on_failure: Turns,
}

impl Lambda {
    pub(crate) fn queued(&self, turn: u8, tries: u8) -> bool {
        self.events[usize::from(turn)][usize::from(tries) - 1] > 0
    }
    pub(crate) fn any_queued(&self, turn: u8) -> bool {
        self.events[usize::from(turn)] != [0; 3]
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.events == [[0; 3]; TURNS]
    }
    /// Beyond the bound an event is dropped: fewer duplicates, nothing else.
    pub(crate) fn add(&mut self, turn: u8, tries: u8, most: u8) {
        let events = &mut self.events[usize::from(turn)];
        if events.iter().sum::<u8>() < most {
            events[usize::from(tries) - 1] += 1;
        }
    }
    pub(crate) fn take(&mut self, turn: u8, tries: u8) {
        self.events[usize::from(turn)][usize::from(tries) - 1] -= 1;
    }
    pub(crate) fn lose_all(&mut self) {
        self.events = [[0; 3]; TURNS];
    }
}

/// A turn's object under `waiting/`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Copied {
    #[default]
    Not,
    Waiting,
    Parked,
    /// Parked without its text.
    Stub,
}

impl Copied {
    pub(crate) fn has_text(self) -> bool {
        matches!(self, Self::Waiting | Self::Parked)
    }
}

/// The document: the turns that are woven in, in their order, and how often a person has saved. The record is the last
/// ids of the same list, because one PUT commits both. A turn that was replaced before it was woven stands there too,
/// marked, before the one that replaces it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Document {
    woven: [u8; 5],
    pub(crate) saves: u8,
}

/// Marks a turn in the record that is not in the text.
const NEVER_WOVEN: u8 = 1 << 7;

/// What the record says of a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InRecord {
    Applied,
    New,
    Unknowable,
}

impl Document {
    /// The turns in the record.
    pub(crate) fn turns(&self) -> impl DoubleEndedIterator<Item = u8> + Clone + '_ {
        let turns = self.woven.iter().filter(|&&turn| turn > 0);
        turns.map(|turn| (turn & !NEVER_WOVEN) - 1)
    }
    /// The turns that were woven.
    pub(crate) fn woven(&self) -> impl DoubleEndedIterator<Item = u8> + Clone + '_ {
        let woven = self
            .woven
            .iter()
            .filter(|&&turn| turn > 0 && turn & NEVER_WOVEN == 0);
        woven.map(|turn| turn - 1)
    }
    pub(crate) fn has(&self, turn: u8) -> bool {
        self.turns().any(|other| other == turn)
    }
    /// Puts a turn into the record that is never to be woven, unless it is there.
    pub(crate) fn dismiss(&mut self, turn: u8) {
        if !self.has(turn) {
            self.weave(turn | NEVER_WOVEN);
        }
    }
    /// A document that is full has a turn twice, and is not looked at any more.
    pub(crate) fn weave(&mut self, turn: u8) {
        if let Some(place) = self.woven.iter_mut().find(|place| **place == 0) {
            *place = turn + 1;
        }
    }
    /// Looks a turn up in the record, which keeps the last `window` ids and the highest sequence that it dropped.
    pub(crate) fn record(&self, turn: u8, window: usize, floor: bool) -> InRecord {
        if self.turns().rev().take(window).any(|id| id == turn) {
            return InRecord::Applied;
        }
        // One that was never woven stands there under the sequence of the turn that replaced it.
        let dropped = self.turns().count().saturating_sub(window);
        let sequence = |place: usize| {
            let never = self.woven[place] & NEVER_WOVEN != 0;
            (self.woven[place + usize::from(never)] & !NEVER_WOVEN) - 1
        };
        let dropped = (0..dropped).map(sequence).max();
        if floor && dropped.is_some_and(|dropped| dropped >= turn) {
            return InRecord::Unknowable;
        }
        InRecord::New
    }
}

/// Which step an invocation takes next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(crate) enum At {
    /// The place is free.
    #[default]
    Nowhere,
    Claim,
    /// No session: S3 is read, what it said is registered, and claimed again.
    ReviveRead,
    ReviveRegister,
    ClaimAgain,
    /// A queued id without its trigger: its text is looked for in S3, and given back to Redis.
    LookUp,
    GiveBack,
    Read,
    Model,
    Put,
    ReadAgain,
    Complete,
    Remove,
    HandOn,
    Release,
    ParkInS3,
    Park,
    /// Redis is told of a copy under `waiting/`.
    Tell,
    /// The last step: the own turn is settled, and Lambda is told that the event is done.
    Settle,
}

/// One invocation. Fields that its next steps don't need are at their defaults, so that fewer states differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Run {
    pub(crate) at: At,
    /// The event's own turn.
    pub(crate) own: u8,
    /// Tries that Lambda has left for the event, this one included; none if Lambda has forgotten it.
    pub(crate) tries: u8,
    pub(crate) settled: bool,
    /// The turn that the step is about.
    pub(crate) turn: u8,
    pub(crate) attempts: u8,
    /// The trigger said that a copy stands under `waiting/`.
    pub(crate) copy: bool,
    /// The turn's text could not be found.
    pub(crate) text_lost: bool,
    /// A service failed, so the attempt is taken back.
    pub(crate) service: bool,
    /// The document that was read or written last, and whether nobody has written it since.
    pub(crate) base: Document,
    pub(crate) current: bool,
    /// The turn to hand on.
    pub(crate) next: Option<u8>,
    /// What reviving found in S3.
    pub(crate) found: [Copied; TURNS],
    pub(crate) found_enabled: bool,
}

/// What the sweeper has listed and not yet acted upon.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Sweeper {
    pub(crate) listed: Option<[Copied; TURNS]>,
    /// It has seen a backlog entry and an empty queue, and is about to remove the entry.
    pub(crate) forgets: bool,
}

/// What a person is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) enum Person {
    #[default]
    Idle,
    /// The conversation's object is switched, Redis is not.
    Switched,
    /// The object under `waiting/` is a waiting one again, Redis has the turn as failed.
    Replaying(u8),
}

/// The world between two steps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    pub(crate) chat: [Recording; TURNS],
    pub(crate) redis: Redis,
    /// Redis before its last write: what a failover that forgets it falls back to. Kept only where one may come.
    pub(crate) replica: Redis,
    pub(crate) lambda: Lambda,
    pub(crate) document: Document,
    pub(crate) waiting: [Copied; TURNS],
    /// The conversation's object: whether the scribe is on.
    pub(crate) enabled: bool,
    pub(crate) runs: [Run; RUNS],
    pub(crate) sweeper: Sweeper,
    pub(crate) person: Person,
    /// What may still go wrong.
    pub(crate) left: Faults,
    /// Turns that stand once, as the design allows it, until their event is handled or the sweeper looks.
    pub(crate) once_only: Turns,
    /// A parked turn was woven after all, by a holder that had lost its lease: it came late.
    pub(crate) late: bool,
    /// How often the model was asked for a turn, where that is counted.
    pub(crate) asked: [u8; TURNS],
}

// Hashes take most of a check's time, so what is small is hashed as one number.

impl Hash for Recording {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u8(self.stored as u8 | (self.noted as u8) << 2 | (self.invoked as u8) << 4);
    }
}

impl Hash for Trigger {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let flags = u8::from(self.copy) | u8::from(self.text_lost) << 1;
        let replaced = u8::from(self.replaced) << 7;
        hasher.write_u8(self.standing as u8 | flags << 2 | self.attempts << 4 | replaced);
    }
}

impl Hash for Document {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [first, second, third, fourth, fifth] = self.woven;
        hasher.write_u64(u64::from_le_bytes([
            first, second, third, fourth, fifth, self.saves, 0, 0,
        ]));
    }
}

impl Hash for Run {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [first, second, third] = self.found.map(|copied| copied as u8);
        let flags = u8::from(self.settled)
            | u8::from(self.copy) << 1
            | u8::from(self.text_lost) << 2
            | u8::from(self.service) << 3
            | u8::from(self.current) << 4
            | u8::from(self.found_enabled) << 5;
        hasher.write_u64(u64::from_le_bytes([
            self.at as u8,
            self.own | self.tries << 4,
            self.turn | self.attempts << 4,
            flags,
            self.next.map_or(0, |next| next + 1),
            first,
            second,
            third,
        ]));
        self.base.hash(hasher);
    }
}

impl State {
    pub(crate) fn copied(&mut self, turn: u8) -> &mut Copied {
        &mut self.waiting[usize::from(turn)]
    }
    pub(crate) fn run(&mut self, place: u8) -> &mut Run {
        &mut self.runs[usize::from(place)]
    }
    /// Whoever has read the document before has an older one now.
    pub(crate) fn document_was_written(&mut self) {
        for run in &mut self.runs {
            run.current = false;
        }
        self.redis.cached.current = false;
        self.replica.cached.current = false;
    }
    /// A lease whose holder is gone runs out by itself.
    pub(crate) fn bury_lease_of(&mut self, place: u8) {
        for redis in [&mut self.redis, &mut self.replica] {
            if redis.lease == Lease::Run(place) {
                redis.lease = Lease::Dead;
            }
        }
    }
    /// The two places for invocations are alike: of two states that differ in them alone one is kept.
    pub(crate) fn canonical(mut self) -> Self {
        if self.runs[0] > self.runs[1] {
            self.runs.swap(0, 1);
            for redis in [&mut self.redis, &mut self.replica] {
                if let Lease::Run(place) = redis.lease {
                    redis.lease = Lease::Run(1 - place);
                }
            }
        }
        self
    }
}
