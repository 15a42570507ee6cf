//! What a run counts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::machine::Book;
use super::plan::{Deed, Point};
use super::run::Held;
use super::verdict::Broken;

#[derive(Default)]
pub(super) struct Tally {
    schedules: u64,
    turns: usize,
    saves: usize,
    paid: usize,
    parked: usize,
    late: usize,
    excused: usize,
    lost: usize,
    doubled: usize,
    out_of_order: usize,
    faults: BTreeMap<&'static str, usize>,
    /// Where functions were killed.
    kills: BTreeMap<String, usize>,
    longest_drain: Duration,
}

impl Tally {
    pub(super) fn add(&mut self, held: &Held, book: &Book) {
        self.turns += held.turns;
        self.saves += held.saves;
        self.paid += held.paid;
        self.parked += held.parked;
        self.late += held.late;
        self.excused += held.excused;
        self.longest_drain = self.longest_drain.max(held.drained);
        self.count(book);
    }

    /// Adds the schedule that ends the run.
    pub(super) fn add_broken(&mut self, broken: &Broken, book: &Book) {
        self.lost += broken.lost;
        self.doubled += broken.doubled;
        self.out_of_order += broken.out_of_order;
        self.count(book);
    }

    fn count(&mut self, book: &Book) {
        self.schedules += 1;
        for (_, fault) in &book.struck {
            *self.faults.entry(fault.deed.kind()).or_default() += 1;
            if fault.deed == Deed::Kill {
                let Point {
                    who, name, moment, ..
                } = fault.at;
                *self
                    .kills
                    .entry(format!("{who:?}, {moment:?} {name}"))
                    .or_default() += 1;
            }
        }
    }

    pub(super) fn schedules(&self) -> u64 {
        self.schedules
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "| {name:<42} | {value:>10} |");
        row("schedules", &self.schedules)?;
        row("turns acknowledged", &self.turns)?;
        row("saves by people", &self.saves)?;
        row("answers of the model that were paid", &self.paid)?;
        for (kind, times) in &self.faults {
            row(kind, times)?;
        }
        row("lost", &self.lost)?;
        row("doubled", &self.doubled)?;
        row("out of order", &self.out_of_order)?;
        row("late, as redis had lost or missed them", &self.late)?;
        row("lost where both stores failed at record", &self.excused)?;
        row("parked with a cause", &self.parked)?;
        row(
            "longest from faults' end to drained (s)",
            &format!("{:.1}", self.longest_drain.as_secs_f64()),
        )?;
        for (place, times) in &self.kills {
            row(&format!("killed: {place}"), times)?;
        }
        Ok(())
    }
}
