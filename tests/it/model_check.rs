//! The turn protocol, searched exhaustively: as it is it holds within these bounds, and without any one of its rules
//! something breaks. The model itself is the package `turn-protocol`.

mod bites;
mod holds;

use turn_protocol::{Bounds, Checked, Guards, Invariant, check};

/// Searches everything within the bounds; the protocol as it is must hold there. `states` is how many there are at
/// least, so that a model that lost its ways is noticed.
fn check_holds(bounds: Bounds, states: usize) {
    check_holds_with(Guards::ALL, bounds, states);
}

fn check_holds_with(guards: Guards, bounds: Bounds, states: usize) {
    let checked = check(guards, bounds);
    tell(&checked);
    assert!(checked.broken.is_empty(), "{:#?}", checked.broken);
    assert!(checked.states >= states, "{} states", checked.states);
}

/// Without these rules an invariant breaks; answers one of the shortest ways there.
fn check_breaks(guards: Guards, bounds: Bounds, invariant: Invariant) -> String {
    let checked = check(guards, bounds);
    tell(&checked);
    let broken = checked.broken.iter().find(|broken| broken.invariant == invariant);
    let broken = broken.unwrap_or_else(|| panic!("{} holds: {checked:#?}", invariant.name()));
    let way = broken.trace.join(" -> ");
    eprintln!("{} breaks: {way}", invariant.name());
    assert!(
        check(Guards::ALL, bounds).broken.is_empty(),
        "it breaks with the rule as well"
    );
    way
}

fn tell(checked: &Checked) {
    eprintln!("{} states in {:.1} s", checked.states, checked.time.as_secs_f64());
}
