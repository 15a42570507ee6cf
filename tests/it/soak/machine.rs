//! The fault machine: every tap asks it at every step, and it does what the schedule has armed for that step.
//!
//! It also keeps the book of what was seen on the wires: commits, accepted events, calls of the model, and when Redis
//! lost something. The verdict reads it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::plan::{Deed, Fault, Nonsense, Point, Who};
use super::process;
use super::redis_hands::RedisHands;
use crate::world::Watch;
use crate::world::{Moment, Step, Verdict, Wire};

/// What a tap is to do at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Go,
    Cut,
    Status(u16),
    Twice(Duration),
    Late(Duration),
    Say(Nonsense),
}

/// A turn that a successful PUT of a document carries.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) when: Instant,
    pub(super) conversation: String,
    pub(super) message: String,
}

/// An event that Lambda has accepted.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) when: Instant,
    pub(super) conversation: String,
    pub(super) message: String,
}

/// What was seen since the schedule began.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) commits: Vec<Commit>,
    pub(super) accepted: Vec<Accepted>,
    /// The turns for which the model has begun to answer with something.
    pub(super) paid: Vec<usize>,
    /// When Redis forgot something: from before until it had.
    pub(super) losses: Vec<(Instant, Instant)>,
    pub(super) struck: Vec<(Instant, Fault)>,
    /// Calls that met a poisoned turn.
    pub(super) poisonings: usize,
    /// Everything, in words, for whoever looks for the cause of a failure.
    pub(super) journal: Vec<(Instant, String)>,
}

impl Book {
    /// Whether Redis has forgotten something since then.
    pub(super) fn forgot_since(&self, then: Instant) -> bool {
        self.losses.iter().any(|(_, ended)| *ended >= then)
    }

    /// Whether Redis came back with what it had before.
    pub(super) fn came_back(&self) -> bool {
        self.struck.iter().any(|(_, fault)| fault.deed == Deed::Restore)
    }

    /// Whether something befell the API's side since then.
    pub(super) fn struck_api_since(&self, then: Instant) -> bool {
        self.struck
            .iter()
            .any(|(when, fault)| *when >= then && fault.at.who == Who::Recorder)
    }
}

#[derive(Default)]
struct State {
    armed: Vec<Armed>,
    reached: BTreeMap<(Who, Wire, String, Moment), u32>,
    book: Book,
    poisoned: Vec<usize>,
    outage_until: Option<Instant>,
}

struct Armed {
    fault: Fault,
    /// How often it is still to happen.
    left: u32,
}

/// See above.
pub(super) struct Machine {
    state: Mutex<State>,
    pub(super) redis: RedisHands,
}

impl Machine {
    pub(super) fn new(redis: RedisHands) -> Self {
        Self {
            state: Mutex::default(),
            redis,
        }
    }

    /// Begins a schedule: a new book, these faults.
    pub(super) fn arm(&self, faults: &[Fault], poisoned: Vec<usize>) {
        let armed = faults.iter().map(|fault| Armed {
            fault: fault.clone(),
            left: match fault.deed {
                Deed::Status { times, .. } => times,
                _ => 1,
            },
        });
        *self.state() = State {
            armed: armed.collect(),
            poisoned,
            ..State::default()
        };
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn disarm(&self) {
        let mut state = self.state();
        state.armed.clear();
        state.poisoned.clear();
        state.outage_until = None;
    }

    /// Whether nothing is left that could still happen.
    pub(super) fn is_spent(&self) -> bool {
        let state = self.state();
        state.armed.is_empty() && state.outage_until.is_none_or(|end| end <= Instant::now())
    }

    pub(super) fn book(&self) -> Book {
        self.state().book.clone()
    }

    /// Notes something in the book.
    pub(super) fn note(&self, note: impl FnOnce(&mut Book)) {
        note(&mut self.state().book);
    }

    /// Whether the model makes nothing of this turn, now.
    pub(super) fn is_poisoned(&self, turn: usize) -> bool {
        let mut state = self.state();
        let is = state.poisoned.contains(&turn);
        state.book.poisonings += usize::from(is);
        is
    }

    /// Whether the model answers nobody, now.
    pub(super) fn is_out(&self) -> bool {
        self.state().outage_until.is_some_and(|end| end > Instant::now())
    }

    /// Asks what is to happen at a step, and does what is to be done beside the wire.
    pub(super) async fn pass(&self, who: Who, step: &Step, client: SocketAddr) -> Order {
        match self.due(who, step) {
            Some(deed) => self.strike(deed, client).await,
            None => Order::Go,
        }
    }

    fn due(&self, who: Who, step: &Step) -> Option<Deed> {
        let mut state = self.state();
        let line = format!(
            "{who:?} {:?} {} {:?} {}",
            step.wire, step.name, step.moment, step.of
        );
        state.book.journal.push((Instant::now(), line));
        let reached = state
            .reached
            .entry((who, step.wire, step.name.clone(), step.moment))
            .or_default();
        *reached += 1;
        let reached = *reached;
        let is_here = |at: &Point| {
            at.who == who
                && at.wire == step.wire
                && at.moment == step.moment
                && at.name == step.name
                && at.nth <= reached
        };
        let position = state.armed.iter().position(|armed| is_here(&armed.fault.at))?;
        let armed = &mut state.armed[position];
        armed.left -= 1;
        let fault = armed.fault.clone();
        if armed.left == 0 {
            state.armed.remove(position);
        }
        let deed = fault.deed.clone();
        state.book.struck.push((Instant::now(), fault));
        Some(deed)
    }

    async fn strike(&self, deed: Deed, client: SocketAddr) -> Order {
        match deed {
            Deed::Kill => {
                if let Some(process) = process::at(client) {
                    process::end(process);
                }
                return Order::Cut;
            }
            Deed::Freeze(how_long) => {
                if let Some(process) = process::at(client) {
                    process::freeze(process, how_long);
                }
            }
            Deed::Cut => return Order::Cut,
            Deed::Status { status, .. } => return Order::Status(status),
            Deed::Slow(how_long) => tokio::time::sleep(how_long).await,
            Deed::Twice(after) => return Order::Twice(after),
            Deed::Late(after) => return Order::Late(after),
            Deed::Say(nonsense) => return Order::Say(nonsense),
            Deed::Outage(how_long) => {
                self.state().outage_until = Some(Instant::now() + how_long);
            }
            Deed::Flush => self.losing(self.redis.flush()).await,
            Deed::Halve(seed) => self.losing(self.redis.halve(seed)).await,
            Deed::Save => self.redis.save().await,
            Deed::Restore => self.losing(self.redis.restore()).await,
            Deed::FreezeRedis(how_long) => self.redis.freeze(how_long),
        }
        Order::Go
    }

    async fn losing(&self, loss: impl Future<Output = ()>) {
        let before = Instant::now();
        loss.await;
        self.state().book.losses.push((before, Instant::now()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// What one party's Redis tap asks.
pub(super) struct RedisWatch {
    pub(super) who: Who,
    pub(super) machine: Arc<Machine>,
}

impl Watch for RedisWatch {
    async fn pass(&self, step: Step, client: SocketAddr) -> Verdict {
        match self.machine.pass(self.who, &step, client).await {
            Order::Cut => Verdict::Cut,
            _ => Verdict::Go,
        }
    }
}
