//! A schedule: conversations, what is said in them, and what goes wrong meanwhile. It is plain data; `draw` makes it.
//!
//! A fault is armed at a *point*: the n-th time that somebody reaches a step on the wire, before or after the server
//! has done it.

use std::fmt;
use std::time::Duration;

use super::upstream::{End, Form, Script};
use crate::world::{Moment, Wire, said};

/// Who is on the other side of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// The API side, which records turns: a thin one in the test, and the API's processes.
    Recorder,
    Summarizer,
    Sweeper,
}

/// The n-th time that somebody reaches a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) who: Who,
    pub(super) wire: Wire,
    pub(super) name: &'static str,
    pub(super) moment: Moment,
    pub(super) nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who,
            wire,
            name,
            moment,
            nth,
        } = self;
        write!(f, "{moment:?} {who:?}'s {wire:?} {name} no. {nth}")
    }
}

/// What the model does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nonsense {
    /// An answer that is no JSON.
    Garbage,
    /// An answer of no bytes.
    Empty,
    /// The stream breaks off in the middle.
    Cut,
    /// The stream stops in the middle, and nothing more comes.
    Stall,
    /// 429, with Retry-After.
    Busy,
    /// 500.
    Broken,
    /// The first token comes only when a lease that is not renewed would have ended.
    Slow,
}

/// What goes wrong at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// SIGKILL for the process that is at the point.
    Kill,
    /// SIGSTOP for the process, and SIGCONT after a while.
    Freeze(Duration),
    /// Its connection is cut. Afterwards: it was done, and the answer is lost.
    Cut,
    /// It is answered with a status, this often in a row, and not done.
    Status { status: u16, times: u32 },
    /// It takes a while.
    Slow(Duration),
    /// The event is delivered again, this long after the first time.
    Twice(Duration),
    /// The event is accepted and delivered this much later, and so behind others.
    Late(Duration),
    /// The model does this.
    Say(Nonsense),
    /// The model answers nobody for a while.
    Outage(Duration),
    /// Redis forgets everything.
    Flush,
    /// Redis forgets a random half of its keys.
    Halve(u64),
    /// Redis remembers what it has now, for the next `Restore`.
    Save,
    /// Redis dies and comes back with what it had at `Save`, or with nothing.
    Restore,
    /// Redis stands still for a while.
    FreezeRedis(Duration),
}

impl Deed {
    /// The kind under which it is counted.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Kill => "function killed",
            Self::Freeze(_) => "function stopped for a while",
            Self::Cut => "connection cut",
            Self::Status { .. } => "request refused",
            Self::Slow(_) => "request slow",
            Self::Twice(_) => "event delivered twice",
            Self::Late(_) => "event delivered late",
            Self::Say(Nonsense::Garbage) => "model: garbage",
            Self::Say(Nonsense::Empty) => "model: empty answer",
            Self::Say(Nonsense::Cut) => "model: stream cut",
            Self::Say(Nonsense::Stall) => "model: stream stalls",
            Self::Say(Nonsense::Busy) => "model: 429",
            Self::Say(Nonsense::Broken) => "model: 500",
            Self::Say(Nonsense::Slow) => "model: slower than a lease",
            Self::Outage(_) => "model: down for a while",
            Self::Flush => "redis emptied",
            Self::Halve(_) => "half of redis' keys deleted",
            Self::Save => "redis snapshot taken",
            Self::Restore => "redis restarted from the snapshot",
            Self::FreezeRedis(_) => "redis stopped for a while",
        }
    }
}

/// A deed at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: Point,
    pub(super) deed: Deed,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.deed, self.at)
    }
}

/// Through which route somebody chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Lore,
    Completions,
}

/// How a turn of a chat is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// By a header.
    Header,
    /// As the client names the message.
    Client,
    /// Not at all, so by what it says.
    Not,
}

/// What a client asks once more, although it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// The same, and it is answered the same.
    Same,
    /// The same, and it is answered otherwise.
    Otherwise,
    /// Something else in its place.
    Edited,
}

/// A turn of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) route: Route,
    pub(super) form: Form,
    pub(super) named: Named,
    /// How the first tries end. None of them becomes whole.
    pub(super) hitches: Vec<End>,
    /// Whether it is not tried again after them.
    pub(super) gives_up: bool,
    pub(super) again: Vec<Again>,
}

impl Asking {
    /// Asked and answered.
    pub(super) fn plain() -> Self {
        Self {
            route: Route::Lore,
            form: Form::Events,
            named: Named::Not,
            hitches: Vec::new(),
            gives_up: false,
            again: Vec::new(),
        }
    }

    /// How many turns it may become.
    fn turns(&self) -> usize {
        1 + self.again.iter().filter(|again| **again != Again::Same).count()
    }

    /// The chat's answer to a try of the turn of this number.
    pub(super) fn script(&self, turn: usize, end: End) -> Script {
        Script {
            form: self.form,
            text: said(turn),
            end,
        }
    }
}

/// What the people of a conversation do between turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// The next turn is said.
    Say,
    /// The next turn is said instead of an earlier one; the number chooses which.
    SayInstead(u32),
    /// The next turn is a chat's.
    Chat(Asking),
    /// A person types a paragraph of their own; the number chooses the place.
    TypeParagraph(u32),
    /// A person adds words to a paragraph that is there; the number chooses which.
    TypeInto(u32),
    Off,
    On,
    /// The scribe is told to stop or to start, in the chat.
    Wish(bool),
}

/// One conversation: acts, each after a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Talk {
    pub(super) acts: Vec<(Duration, Act)>,
    /// Whether a turn that was refused is sent again under the same id. If not, it is dropped.
    pub(super) repeats: bool,
    /// Turns of which the model makes nothing until the faults end.
    pub(super) poisoned: Vec<usize>,
}

impl Talk {
    pub(super) fn turns(&self) -> usize {
        let turns = self.acts.iter().map(|(_, act)| match act {
            Act::Say | Act::SayInstead(_) => 1,
            Act::Chat(asking) => asking.turns(),
            Act::TypeParagraph(_) | Act::TypeInto(_) | Act::Off | Act::On | Act::Wish(_) => 0,
        });
        turns.sum()
    }
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) number: u64,
    pub(super) talks: Vec<Talk>,
    pub(super) faults: Vec<Fault>,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schedule {} of seed {}", self.number, self.seed)?;
        for (at, talk) in self.talks.iter().enumerate() {
            let others: Vec<_> = talk.acts.iter().filter(|(_, act)| *act != Act::Say).collect();
            writeln!(
                f,
                "  conversation {at}: {} turns, {others:?}, poisoned {:?}",
                talk.turns(),
                talk.poisoned
            )?;
        }
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        Ok(())
    }
}
