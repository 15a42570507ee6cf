//! How far a check looks.

use crate::faults::{Fault, Faults};

/// How far a check looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// How many turns are recorded, at most three.
    pub turns: u8,
    /// How many invocations run at once, at most two.
    pub runs: u8,
    /// How many events of one turn Lambda holds before the sweeper and the handing on add no more.
    pub events: u8,
    /// How many ids the record keeps.
    pub window: usize,
    /// Redis caches the asset.
    pub caches: bool,
    /// The backlog is a write of its own, and its entry is removed when nothing waits.
    pub backlog_apart: bool,
    /// Calls of the model are counted.
    pub counts_calls: bool,
    /// A turn that kills every process that asks the model about it.
    pub kills: Option<u8>,
    /// A turn, and the older one that it replaces.
    pub replaces: Option<(u8, u8)>,
    /// What may go wrong, and how often.
    pub faults: Faults,
}

impl Bounds {
    /// So many turns, two invocations, and these faults.
    #[must_use]
    pub fn new(turns: u8, faults: &[(Fault, u8)]) -> Self {
        Self {
            turns,
            runs: 2,
            events: 2,
            window: usize::MAX,
            caches: false,
            backlog_apart: false,
            counts_calls: false,
            kills: None,
            replaces: None,
            faults: Faults::of(faults),
        }
    }
}
