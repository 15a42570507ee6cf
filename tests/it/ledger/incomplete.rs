//! A turn that never became whole is listed, and to every transition it is unknown.

use scribe_core::turn::TriggerState;
use scribe_core::{ConversationKey, ScribeTrigger};
use scribe_trigger::ledger::{
    Claimed, Completion, Known, Lookup, Noted, RecordOutcome, Registration, Sweep, SweepPace,
};

use super::{Bench, bench, session, trigger};
use crate::world::{id, key};

impl Bench {
    async fn breaks_off(&self, key: &ConversationKey, message: &str, reason: &str) -> Noted {
        let message = id(message);
        let noted = self
            .ledger
            .note_incomplete(key, &message, "2026-11-22T15:40:00.000Z", reason);
        noted.await.unwrap()
    }

    async fn listed(&self, key: &ConversationKey) -> Vec<(String, TriggerState)> {
        let turns = self.ledger.triggers(key).await.unwrap();
        turns
            .into_iter()
            .map(|turn| (turn.message_id.into(), turn.state))
            .collect()
    }
}

#[tokio::test]
async fn it_is_listed_with_its_reason_and_nobody_is_to_write_it() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    assert_eq!(bench.breaks_off(&key, "m1", "first").await, Noted::Noted);
    assert_eq!(bench.breaks_off(&key, "m1", "second").await, Noted::Noted);
    let found = bench.ledger.trigger(&key, &id("m1")).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.reason.as_deref()),
        (TriggerState::Incomplete, Some("second"))
    );
    assert!(found.seq.0 > 0 && found.times.finished.is_some() && !found.processed);

    assert_eq!(bench.ledger.queue_status(&key).await.unwrap().waiting, 0);
    assert_eq!(bench.ledger.unprocessed().await.unwrap(), []);
    let pace = SweepPace {
        after: std::time::Duration::ZERO,
        pauses: &[],
        longest_pause: std::time::Duration::ZERO,
    };
    let swept = bench.ledger.sweep(&key, u64::MAX >> 12, pace).await.unwrap();
    assert!(matches!(swept, Sweep::Empty), "{swept:?}");
    let alone = bench
        .ledger
        .uncopied(&key, u64::MAX >> 12, std::time::Duration::ZERO, 9)
        .await;
    assert_eq!(alone.unwrap(), []);
    assert_eq!(
        bench.ledger.standings(&key, &[id("m1")]).await.unwrap(),
        [Known::No]
    );
    assert_eq!(bench.ledger.note_waiting(&key, &id("m1")).await.unwrap(), None);
    assert_eq!(bench.ledger.dismiss(&key, &id("m1")).await.unwrap(), None);

    // Another turn's claim takes that turn.
    bench.record(&key, "m2").await;
    match bench.claim(&key, &trigger(&key, "m2", 1), "holder").await.claimed {
        Claimed::Turn { message_id, .. } => assert_eq!(message_id, id("m2")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_whole_one_takes_its_place_however_it_comes() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;

    bench.breaks_off(&key, "m1", "why").await;
    bench.record(&key, "m1").await;
    bench.breaks_off(&key, "m2", "why").await;
    let own = trigger(&key, "m2", u64::MAX >> 12);
    let claim = bench.claim(&key, &own, "holder").await;
    assert_eq!(
        claim.own,
        Some(TriggerState::Pending),
        "an event that came without redis"
    );
    bench.breaks_off(&key, "m3", "why").await;
    let third = ScribeTrigger {
        waiting: true,
        ..trigger(&key, "m3", (u64::MAX >> 12) + 1)
    };
    let session = session(&key);
    let registration = Registration {
        session: &session,
        asset: None,
        turns: &[third],
        replace: true,
    };
    bench.ledger.register(registration).await.unwrap();
    assert_eq!(bench.ledger.queue_status(&key).await.unwrap().waiting, 3);

    bench.breaks_off(&key, "m4", "why").await;
    let fourth = trigger(&key, "m4", (u64::MAX >> 12) + 2);
    let completion = Completion {
        trigger: &fourth,
        token: "",
        last_update_at: "",
        message_count: 1,
        late: false,
        asset: None,
    };
    bench.ledger.complete(&key, &completion).await.unwrap();
    let found = bench.ledger.trigger(&key, &id("m4")).await.unwrap().unwrap();
    assert_eq!((found.state, found.reason), (TriggerState::Processed, None));
    assert_eq!(found.assistant_response, fourth.assistant_response);
}

#[tokio::test]
async fn it_never_takes_the_place_of_a_whole_one() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    bench.record(&key, "m1").await;
    assert_eq!(bench.breaks_off(&key, "m1", "why").await, Noted::Known);
    // Redis has lost the turn's text, and its id still waits.
    bench
        .redis
        .command::<()>(&["DEL", "scribe:trigger:{default/c1}"])
        .await;
    assert_eq!(bench.breaks_off(&key, "m1", "why").await, Noted::Known);
    assert_eq!(bench.listed(&key).await, []);
    let again = bench.ledger.record(&key, &trigger(&key, "m1", 0)).await.unwrap();
    assert!(matches!(again, RecordOutcome::Recorded { .. }), "{again:?}");

    bench.ledger.disable(&key).await.unwrap();
    assert_eq!(bench.breaks_off(&key, "m2", "why").await, Noted::Off);
    let other = crate::world::key("c2");
    assert_eq!(bench.ledger.look_up(&other).await.unwrap(), Lookup::Unknown);
    bench.ledger.mark_none(&other).await.unwrap();
    assert_eq!(bench.ledger.look_up(&other).await.unwrap(), Lookup::NoScribe);
    assert_eq!(bench.breaks_off(&other, "m1", "why").await, Noted::NoScribe);
    assert!(matches!(
        bench.ledger.look_up(&key).await.unwrap(),
        Lookup::Session(_)
    ));
}
