//! Runs a check.

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::bounds::Bounds;
use crate::guards::Guards;
use crate::invariants::Invariant;
use crate::protocol::Protocol;

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// How many different states were reached.
    pub states: usize,
    /// How long it took.
    pub time: Duration,
    /// The invariants that do not hold, each with the shortest way there.
    pub broken: Vec<Broken>,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub invariant: Invariant,
    /// One of the shortest ways there, step by step.
    pub trace: Vec<String>,
}

/// Searches all states within the bounds; stops early when an invariant has broken.
#[must_use]
pub fn check(guards: Guards, bounds: Bounds) -> Checked {
    let began = Instant::now();
    let protocol = Protocol::new(guards, bounds);
    // One thread: with more, the first way found need not be a shortest one.
    let checker = protocol
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let discoveries = checker.discoveries();
    let broken = Invariant::ALL
        .into_iter()
        .filter_map(|invariant| {
            let path = discoveries.get(invariant.name())?;
            let trace = checker.model().told(path);
            Some(Broken { invariant, trace })
        })
        .collect();
    Checked {
        states: checker.unique_state_count(),
        time: began.elapsed(),
        broken,
    }
}
