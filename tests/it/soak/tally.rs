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
    halves: usize,
    replaced: usize,
    muddled: usize,
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
        self.halves += held.halves;
        self.replaced += held.replaced;
        self.muddled += held.muddled;
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

    /// Adds what another lane has counted.
    pub(super) fn merge(&mut self, other: Self) {
        let Self {
            schedules,
            turns,
            saves,
            halves,
            replaced,
            muddled,
            paid,
            parked,
            late,
            excused,
            lost,
            doubled,
            out_of_order,
            faults,
            kills,
            longest_drain,
        } = other;
        self.schedules += schedules;
        for (sum, more) in [
            (&mut self.turns, turns),
            (&mut self.saves, saves),
            (&mut self.halves, halves),
            (&mut self.replaced, replaced),
            (&mut self.muddled, muddled),
            (&mut self.paid, paid),
            (&mut self.parked, parked),
            (&mut self.late, late),
            (&mut self.excused, excused),
            (&mut self.lost, lost),
            (&mut self.doubled, doubled),
            (&mut self.out_of_order, out_of_order),
        ] {
            *sum += more;
        }
        for (kind, times) in faults {
            *self.faults.entry(kind).or_default() += times;
        }
        for (place, times) in kills {
            *self.kills.entry(place).or_default() += times;
        }
        self.longest_drain = self.longest_drain.max(longest_drain);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "| {name:<42} | {value:>10} |");
        row("schedules", &self.schedules)?;
        row("turns acknowledged", &self.turns)?;
        row("saves by people", &self.saves)?;
        row("turns of chats that never became whole", &self.halves)?;
        row("turns that others stand in the place of", &self.replaced)?;
        row("answers of one name that are one by now", &self.muddled)?;
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
