//! Without any one of its rules the protocol breaks, and it holds in the same bounds with it.
//!
//! Each test names the promise that goes and says how, in one of the shortest ways. Turns are counted from 1; "event 2"
//! is the invocation that event 2 started.

use turn_protocol::Fault::{
    BadAnswer, Failover, Flush, Invoke, Kill, LeaseExpires, LoseBacklog, LoseQueue, LoseTriggers, Off, Redis,
    Replay, S3, Save,
};
use turn_protocol::{Bounds, Guard, Guards, Invariant};

use super::check_breaks;

fn without(guard: Guard) -> Guards {
    Guards::ALL.without(guard)
}

#[test]
fn without_if_match_a_persons_text_disappears() {
    let way = check_breaks(
        without(Guard::IfMatch),
        Bounds::new(1, &[(Save, 1)]),
        Invariant::PeopleWin,
    );
    assert_eq!(
        way,
        "record 1 -> invoke 1 -> event 1 comes -> event 1 claims 1 -> event 1 reads -> event 1 model 1 -> \
         a person saves -> event 1 put 1"
    );
}

#[test]
fn without_if_match_a_turn_is_overwritten() {
    let way = check_breaks(
        without(Guard::IfMatch),
        Bounds::new(2, &[(LeaseExpires, 1)]),
        Invariant::NeverLost,
    );
    assert!(way.contains("the lease runs out"), "{way}");
}

#[test]
fn without_the_record_a_turn_is_woven_twice() {
    let way = check_breaks(
        without(Guard::Record),
        Bounds::new(1, &[(Kill, 1)]),
        Invariant::Once,
    );
    assert_eq!(
        way,
        "record 1 -> invoke 1 -> event 1 comes -> event 1 claims 1 -> event 1 reads -> event 1 model 1 -> \
         event 1 put 1 -> event 1 completes 1: killed before it -> event 1 comes -> the lease runs out -> \
         event 1 claims 1 -> event 1 reads -> event 1 model 1 -> event 1 put 1"
    );
}

#[test]
fn asking_whether_redis_knows_the_turn_instead_of_whether_it_is_settled_loses_it() {
    let way = check_breaks(
        without(Guard::Settle),
        Bounds::new(2, &[(Flush, 1)]),
        Invariant::NeverLost,
    );
    assert_eq!(
        way,
        "record 1 -> invoke 1 -> event 1 comes -> record 2 -> invoke 2 -> event 2 comes -> event 1 claims 1 -> \
         event 2 claims nothing -> event 2 ends -> flush"
    );
}

#[test]
fn without_waiting_a_flush_loses_what_no_event_carries() {
    let way = check_breaks(
        without(Guard::Waiting),
        Bounds::new(2, &[(Flush, 1)]),
        Invariant::NeverLost,
    );
    assert_eq!(
        way,
        "record 1 -> invoke 1 -> event 1 comes -> record 2 -> invoke 2 -> event 2 comes -> event 1 claims 1 -> \
         event 2 claims nothing -> event 2 ends without settling -> flush"
    );
}

#[test]
fn without_waiting_a_turn_stands_once_before_anything_goes_wrong() {
    check_breaks(without(Guard::Waiting), Bounds::new(2, &[]), Invariant::TwoCopies);
}

#[test]
fn without_its_own_turn_a_claim_lets_the_only_copy_go() {
    let way = check_breaks(
        without(Guard::OwnTurn),
        Bounds::new(2, &[(LoseTriggers, 1)]),
        Invariant::NeverLost,
    );
    assert_eq!(
        way,
        "record 1 -> invoke 1 -> event 1 comes -> the triggers are lost -> event 1 claims 1 -> \
         event 1 looks for the text of 1 -> event 1 parks 1 in s3 -> event 1 parks 1 -> event 1 ends"
    );
}

#[test]
fn counted_when_they_fail_attempts_that_kill_their_process_are_endless() {
    let poisoned = Bounds {
        kills: Some(0),
        counts_calls: true,
        ..Bounds::new(1, &[])
    };
    let way = check_breaks(without(Guard::AttemptsAtClaim), poisoned, Invariant::FewCalls);
    assert_eq!(way.matches("model 1: killed before it").count(), 4, "{way}");
    check_breaks(without(Guard::AttemptsAtClaim), poisoned, Invariant::Progress);
}

#[test]
fn where_only_the_holder_completes_a_turn_is_in_the_document_and_failed_for_ever() {
    let way = check_breaks(
        without(Guard::CompleteIsFact),
        Bounds::new(1, &[(LeaseExpires, 1), (BadAnswer, 3)]),
        Invariant::Progress,
    );
    assert!(way.ends_with("event 1 claims 1 -> the lease runs out"), "{way}");
}

#[test]
fn parked_in_redis_alone_a_turn_is_lost_in_a_flush() {
    let way = check_breaks(
        without(Guard::ParkInS3),
        Bounds::new(1, &[(BadAnswer, 3), (Flush, 1)]),
        Invariant::NeverLost,
    );
    assert!(way.ends_with("event 1 parks 1 -> event 1 ends -> flush"), "{way}");
}

#[test]
fn taken_for_settled_a_turn_that_was_parked_without_its_text_loses_it() {
    let way = check_breaks(
        without(Guard::TextLost),
        Bounds::new(2, &[(LoseTriggers, 1)]),
        Invariant::NeverLost,
    );
    assert!(
        way.contains(
            "the triggers are lost -> event 2 claims 1 -> event 2 looks for the text of 1 -> \
             event 2 parks 1 in s3 -> event 2 parks 1 -> event 1 claims 2"
        ),
        "{way}"
    );
}

#[test]
fn a_stub_that_replaces_the_text_in_s3_takes_a_copy_away() {
    let way = check_breaks(
        without(Guard::StubKeepsText),
        Bounds::new(2, &[(LoseTriggers, 1)]),
        Invariant::TwoCopies,
    );
    assert!(
        way.contains("event 1 settles 1 -> event 2 parks 1 in s3"),
        "{way}"
    );
}

#[test]
fn a_stub_that_does_not_yield_to_the_text_in_redis_leaves_it_there_alone() {
    let way = check_breaks(
        without(Guard::StubYields),
        Bounds::new(2, &[(LoseTriggers, 1), (Kill, 1)]),
        Invariant::Progress,
    );
    assert!(
        way.ends_with(
            "event 2 claims 1 -> event 1 claims nothing -> event 1 ends without settling: killed before it"
        ),
        "{way}"
    );
}

#[test]
fn a_turn_whose_queue_was_lost_waits_for_ever() {
    let way = check_breaks(
        without(Guard::Requeue),
        Bounds::new(1, &[(LoseQueue, 1)]),
        Invariant::Progress,
    );
    assert_eq!(way, "record 1 -> the queue is lost");
}

#[test]
fn without_the_floor_a_turn_older_than_the_window_is_woven_twice() {
    let narrow = Bounds {
        window: 1,
        ..Bounds::new(2, &[(Failover, 1)])
    };
    check_breaks(without(Guard::Floor), narrow, Invariant::Once);
}

#[test]
fn after_a_conflict_the_floor_counts_as_well() {
    let narrow = Bounds {
        window: 1,
        ..Bounds::new(2, &[(LeaseExpires, 1)])
    };
    let way = check_breaks(without(Guard::FloorAfterConflict), narrow, Invariant::Once);
    assert!(way.ends_with("event 2 reads again -> event 2 put 1"), "{way}");
}

#[test]
fn an_on_failure_destination_that_nobody_reads_keeps_its_turns() {
    check_breaks(
        without(Guard::OnFailure),
        Bounds::new(1, &[(S3, 3)]),
        Invariant::Progress,
    );
}

#[test]
fn waiting_that_nobody_lists_keeps_its_turns() {
    check_breaks(
        without(Guard::SweepWaiting),
        Bounds::new(2, &[(Flush, 1)]),
        Invariant::Progress,
    );
}

#[test]
fn a_lost_backlog_is_mended_by_what_stands_under_waiting() {
    let way = check_breaks(
        without(Guard::WaitingNotesBacklog),
        Bounds::new(2, &[(LoseBacklog, 1), (Kill, 1)]),
        Invariant::Progress,
    );
    assert!(
        way.ends_with("killed before it -> event 1 comes -> the backlog is lost"),
        "{way}"
    );
}

#[test]
fn a_turn_whose_invoke_failed_stands_once_while_the_scribe_is_off() {
    let way = check_breaks(
        without(Guard::SweepCopies),
        Bounds::new(2, &[(Invoke, 1), (Off, 1)]),
        Invariant::TwoCopies,
    );
    assert_eq!(
        way,
        "record 1 -> invoke 1: fails -> a person switches -> a person switches -> the sweeper reads the backlog"
    );
}

#[test]
fn a_turn_whose_invoke_failed_stands_once_behind_an_older_one() {
    let way = check_breaks(
        without(Guard::SweepCopies),
        Bounds::new(2, &[(Invoke, 1), (BadAnswer, 1)]),
        Invariant::TwoCopies,
    );
    assert!(
        way.contains("invoke 2: fails") && way.ends_with("the sweeper reads the backlog"),
        "{way}"
    );
}

#[test]
fn a_replay_that_stopped_half_way_is_finished_by_the_sweeper() {
    check_breaks(
        without(Guard::FinishReplays),
        Bounds::new(1, &[(BadAnswer, 3), (Replay, 1), (Redis, 1)]),
        Invariant::Progress,
    );
}

#[test]
fn a_backlog_entry_that_changed_is_not_removed() {
    let apart = Bounds {
        backlog_apart: true,
        ..Bounds::new(2, &[(Invoke, 1)])
    };
    let way = check_breaks(without(Guard::BacklogUnchanged), apart, Invariant::Progress);
    assert!(way.ends_with("record 2 -> invoke 2: fails"), "{way}");
}

#[test]
fn a_begun_turn_that_is_passed_over_lands_behind_later_ones() {
    let replaces = Bounds {
        replaces: Some((2, 0)),
        ..Bounds::new(3, &[(LeaseExpires, 1)])
    };
    let way = check_breaks(without(Guard::BegunIsTaken), replaces, Invariant::InOrder);
    assert!(way.contains("claims 2") && way.ends_with("put 1"), "{way}");
}

#[test]
fn a_replaced_turn_that_is_not_in_the_record_is_woven_behind_its_replacement() {
    let replaces = Bounds {
        replaces: Some((1, 0)),
        ..Bounds::new(2, &[])
    };
    let way = check_breaks(without(Guard::RecordReplaced), replaces, Invariant::Replaced);
    assert!(way.contains("put 2") && way.ends_with("put 1"), "{way}");
}
