//! The protocol as it is holds, whatever goes wrong within these bounds. Every test searches all its states.
//!
//! "Two turns" and so on are what can be told apart at a time; each fault comes as often as it says, at any moment.

use turn_protocol::Fault::{
    BadAnswer, Duplicate, EarlySweep, Failover, Flush, Invoke, Kill, LambdaQueue, LeaseExpires, LoseBacklog,
    LoseQueue, LoseSession, LoseTriggers, Model, Off, PutAnswer, Redis, RedisAnswer, Replay, S3, Save,
};
use turn_protocol::{Bounds, Guard, Guards};

use super::{check_holds, check_holds_with};

#[test]
fn killed_processes_lost_leases_saves_and_lost_answers() {
    let faults = [(Kill, 2), (LeaseExpires, 1), (Save, 1), (PutAnswer, 1)];
    check_holds(Bounds::new(2, &faults), 1_000_000);
}

#[test]
fn a_stale_cache() {
    let caches = Bounds {
        caches: true,
        ..Bounds::new(2, &[(Kill, 1), (Duplicate, 1), (LeaseExpires, 1), (Save, 1)])
    };
    check_holds(caches, 300_000);
}

#[test]
fn lambda_delivers_twice_loses_its_queue_and_the_sweeper_is_early() {
    let faults = [
        (LambdaQueue, 1),
        (Duplicate, 1),
        (EarlySweep, 1),
        (LeaseExpires, 1),
    ];
    check_holds(Bounds::new(2, &faults), 200_000);
}

#[test]
fn s3_fails() {
    check_holds(
        Bounds::new(2, &[(S3, 2), (PutAnswer, 1), (LeaseExpires, 1)]),
        100_000,
    );
    check_holds(Bounds::new(2, &[(S3, 1), (Redis, 1), (Flush, 1)]), 100_000);
}

#[test]
fn redis_is_emptied_twice_and_invokes_fail() {
    check_holds(Bounds::new(2, &[(Flush, 2), (Invoke, 2), (Kill, 1)]), 500_000);
}

#[test]
fn redis_fails_at_any_request() {
    check_holds(
        Bounds::new(2, &[(Redis, 2), (Kill, 1), (RedisAnswer, 1)]),
        200_000,
    );
    check_holds(
        Bounds::new(2, &[(Redis, 1), (RedisAnswer, 1), (LeaseExpires, 1)]),
        20_000,
    );
}

#[test]
fn redis_loses_a_part() {
    check_holds(Bounds::new(2, &[(LoseTriggers, 1), (Kill, 1), (S3, 1)]), 50_000);
    check_holds(
        Bounds::new(2, &[(LoseTriggers, 1), (BadAnswer, 3), (Replay, 1)]),
        50_000,
    );
    check_holds(
        Bounds::new(2, &[(LoseTriggers, 1), (LoseQueue, 1), (LoseSession, 1)]),
        20_000,
    );
    let faults = [(LoseQueue, 1), (LoseBacklog, 1), (LoseSession, 1), (Kill, 1)];
    check_holds(Bounds::new(2, &faults), 50_000);
}

#[test]
fn a_failover_forgets_the_last_write() {
    check_holds(Bounds::new(2, &[(Failover, 1), (Kill, 1), (Redis, 1)]), 50_000);
}

#[test]
fn a_person_switches_off_and_on() {
    check_holds(Bounds::new(2, &[(Off, 1), (Flush, 1), (Invoke, 1)]), 50_000);
}

#[test]
fn a_parked_turn_is_replayed() {
    let faults = [(BadAnswer, 3), (Replay, 1), (Redis, 1)];
    check_holds(Bounds::new(2, &faults), 50_000);
}

#[test]
fn a_poisoned_turn_costs_three_calls() {
    let poisoned = Bounds {
        kills: Some(0),
        counts_calls: true,
        ..Bounds::new(2, &[(Flush, 1), (LeaseExpires, 1)])
    };
    check_holds(poisoned, 20_000);
}

#[test]
fn the_model_is_asked_no_oftener_than_attempts_allow() {
    let counted = Bounds {
        counts_calls: true,
        ..Bounds::new(2, &[(Model, 1), (BadAnswer, 2), (Kill, 1)])
    };
    check_holds(counted, 100_000);
}

#[test]
fn the_backlog_is_a_write_of_its_own() {
    let apart = Bounds {
        backlog_apart: true,
        ..Bounds::new(2, &[(Invoke, 1), (Redis, 1), (Kill, 1)])
    };
    check_holds(apart, 50_000);
}

#[test]
fn three_turns() {
    check_holds(Bounds::new(3, &[(Kill, 1), (LeaseExpires, 1)]), 300_000);
    check_holds(Bounds::new(3, &[(Flush, 1)]), 100_000);
    check_holds(Bounds::new(3, &[(LoseTriggers, 1)]), 50_000);
}

#[test]
fn three_turns_and_a_window_of_one_id() {
    let narrow = Bounds {
        window: 1,
        ..Bounds::new(3, &[(Failover, 1), (LeaseExpires, 1)])
    };
    check_holds(narrow, 100_000);
}

/// The second turn replaces the first, or the third does, with one between them.
#[test]
fn a_turn_that_replaces_another_one() {
    let replaces = |turns, new, faults: &[_]| Bounds {
        replaces: Some((new, 0)),
        ..Bounds::new(turns, faults)
    };
    check_holds(replaces(2, 1, &[(Kill, 1), (LeaseExpires, 1), (Save, 1)]), 50_000);
    check_holds(replaces(2, 1, &[(BadAnswer, 3), (Replay, 1), (Redis, 1)]), 50_000);
    check_holds(replaces(2, 1, &[(Flush, 1), (Kill, 1), (Duplicate, 1)]), 50_000);
    check_holds(
        replaces(2, 1, &[(LoseTriggers, 1), (S3, 1), (PutAnswer, 1)]),
        50_000,
    );
    check_holds(replaces(3, 2, &[(LeaseExpires, 1)]), 50_000);
    let narrow = Bounds {
        window: 1,
        ..replaces(3, 1, &[(Failover, 1)])
    };
    check_holds(narrow, 20_000);
}

/// That a replaced turn is passed over saves a call; nothing depends on it, or on what Redis remembers of it.
#[test]
fn a_replaced_turn_that_is_not_passed_over() {
    let bounds = Bounds {
        replaces: Some((1, 0)),
        ..Bounds::new(2, &[(Kill, 1), (LeaseExpires, 1), (Flush, 1)])
    };
    check_holds_with(Guards::ALL.without(Guard::PassOver), bounds, 50_000);
}
