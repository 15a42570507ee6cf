//! The sweeper: what is left behind is brought back, once, and nothing else is touched.

mod failed_turns;
mod scale;

use std::time::Duration;

use http::Method;
use jiff::{Timestamp, ToSpan};
use scribe_core::turn::TriggerState;
use scribe_core::{ConversationKey, Record};
use scribe_engine::sweep::GivenUp;
use scribe_engine::{SweepConfig, Sweeper, Swept};
use scribe_trigger::Delivery;
use tokio::time::Instant;

use crate::world::{World, id, key, run, turn, woven};

fn sweeper(world: &World) -> Sweeper {
    Sweeper::new(
        world.ledger(),
        world.dispatcher(),
        world.documents(),
        SweepConfig::default(),
    )
}

fn in_minutes(minutes: i64) -> Timestamp {
    Timestamp::now() + minutes.minutes()
}

async fn look(sweeper: &Sweeper, now: Timestamp) -> Swept {
    sweeper
        .look(now, Instant::now() + Duration::from_secs(60))
        .await
        .unwrap()
}

/// Looks two minutes later and runs what is invoked, until nothing more is.
async fn settle(world: &World) {
    let (sweeper, engine) = (sweeper(world), world.engine());
    for minutes in 1..20 {
        let swept = look(&sweeper, in_minutes(minutes * 6)).await;
        world.pump(&engine).await;
        if swept == Swept::default() {
            return;
        }
    }
    panic!("the sweeper always finds something");
}

async fn document_of(world: &World, key: &ConversationKey) -> scribe_core::MediaAsset {
    let session = world.conversations().view(key).await.unwrap().unwrap().session;
    world.document(&session).await.asset
}

/// These turns in the text in this order, nothing owed.
async fn check_woven(world: &World, key: &ConversationKey, turns: &[usize]) {
    let asset = document_of(world, key).await;
    assert_eq!(woven(&asset.content), turns, "{}", asset.content);
    assert_eq!(
        asset.scribe.unwrap().record.turns(&key.conversation),
        turns.len() as u64
    );
    assert_eq!(world.keys("waiting/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_turn_whose_invoke_failed_is_invoked_for_when_it_has_waited() {
    let world = World::new().await;
    let (key, sweeper) = (key("c1"), sweeper(&world));
    world.start(&key).await;
    world.lambda.refuse(true);
    assert_eq!(world.say(&key, 1).await.delivery, Delivery::Deferred);
    world.lambda.refuse(false);

    assert_eq!(look(&sweeper, Timestamp::now()).await, Swept::default());
    let swept = look(&sweeper, in_minutes(1)).await;
    assert_eq!((swept.invoked, swept.refused), (1, 0));
    let event = world.lambda.take().unwrap();
    assert_eq!(event.message_id, id("m1"));
    assert_eq!(event.user_message, turn(&key, 1).user_message);
    assert!(event.text_asset_id.is_some());
    run(&world.engine(), &event).await.unwrap();
    check_woven(&world, &key, &[1]).await;
}

#[tokio::test]
async fn what_cant_be_read_of_one_conversation_does_not_keep_the_others_waiting() {
    let world = World::new().await;
    let (spoiled, other, sweeper) = (key("c1"), key("c2"), sweeper(&world));
    world.lambda.refuse(true);
    for key in [&spoiled, &other] {
        world.start(key).await;
        world.say(key, 1).await;
    }
    world.lambda.refuse(false);
    let name = format!("scribe:trigger:{{{spoiled}}}");
    let trigger: String = world.redis.command(&["HGET", &name, "m1"]).await;
    let trigger = trigger.replace("\"attempts\":0", "\"attempts\":0.5");
    let _: i64 = world.redis.command(&["HSET", &name, "m1", &trigger]).await;
    let swept = look(&sweeper, in_minutes(1)).await;
    assert_eq!((swept.invoked, swept.failed), (1, 1), "{swept:?}");
    assert_eq!(world.lambda.take().unwrap().key(), other);
}

#[tokio::test]
async fn a_turn_that_an_older_one_holds_up_is_copied_before_redis_forgets_it() {
    let world = World::new().await;
    let (key, sweeper) = (key("c1"), sweeper(&world));
    world.start(&key).await;
    let (reached, go) = world.model.hold();
    world.say(&key, 1).await;
    let first = world.lambda.take().unwrap();
    let writing = tokio::spawn({
        let engine = world.engine();
        async move { run(&engine, &first).await }
    });
    reached.notified().await;
    world.lambda.refuse(true);
    world.say(&key, 2).await;
    world.lambda.refuse(false);
    let swept = look(&sweeper, in_minutes(1)).await;
    assert_eq!((swept.copied, swept.invoked), (2, 0));
    world.redis.flush().await;
    go.notify_one();
    writing.await.unwrap().unwrap();
    settle(&world).await;
    check_woven(&world, &key, &[1, 2]).await;
}

#[tokio::test]
async fn a_parked_turn_with_a_second_copy_is_not_replayed_for_ever() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    let mut direct = event.clone();
    direct.seq.0 -= 5;
    world.documents().put_waiting(&direct).await.unwrap();
    world.documents().park_waiting(&event, "junk").await.unwrap();
    world
        .redis
        .command::<()>(&["DEL", "scribe:queue:{default/c1}"])
        .await;
    let mut failed = world.trigger(&key, 1).await.unwrap();
    world
        .redis
        .command::<()>(&["DEL", "scribe:trigger:{default/c1}"])
        .await;
    failed.state = TriggerState::Failed;
    let session = world.conversations().view(&key).await.unwrap().unwrap().session;
    let registration = scribe_trigger::ledger::Registration {
        session: &session,
        asset: None,
        turns: &[failed],
        replace: false,
    };
    world.ledger().register(registration).await.unwrap();
    let swept = look(&sweeper(&world), in_minutes(2)).await;
    assert_eq!((swept.requeued, swept.invoked), (0, 0));
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Failed));
    assert_eq!(world.keys("waiting/").await.len(), 1, "the parked one");
}

#[tokio::test]
async fn the_pauses_between_invocations_for_one_turn_grow() {
    let world = World::new().await;
    let (key, sweeper) = (key("c1"), sweeper(&world));
    world.start(&key).await;
    world.lambda.refuse(true);
    world.say(&key, 1).await;
    let start = Timestamp::now();
    let mut at = Vec::new();
    for seconds in (0..1800).step_by(20) {
        let swept = look(&sweeper, start + seconds.seconds()).await;
        assert_eq!(
            swept.copied,
            u32::from(seconds == 20),
            "Lambda has no event of it"
        );
        if swept.refused == 1 {
            at.push(seconds);
        }
    }
    // 20 s, because a look comes every 20 s; then the pause of 60 s, then a tenth of how long it has waited.
    assert_eq!(
        at,
        [
            20, 40, 60, 120, 180, 240, 300, 360, 420, 480, 540, 620, 700, 780, 880, 980, 1100, 1240, 1380,
            1540, 1720
        ]
    );
}

#[tokio::test]
async fn a_conversation_that_is_off_busy_or_paused_is_left_alone() {
    let world = World::new().await;
    let sweeper = sweeper(&world);
    for name in ["off", "busy", "paused"] {
        world.start(&key(name)).await;
        world.say(&key(name), 1).await;
        world.lambda.take().unwrap();
    }
    world.conversations().toggle(&key("off"), false).await.unwrap();
    for (name, holder) in [("busy", "a token"), ("paused", "pause")] {
        let lease = format!("scribe:lease:{{default/{name}}}");
        world
            .redis
            .command::<()>(&["SET", &lease, holder, "PX", "600000"])
            .await;
    }
    let swept = look(&sweeper, in_minutes(10)).await;
    assert_eq!((swept.copied, swept.invoked, swept.refused), (3, 0, 0));
    assert_eq!(world.keys("waiting/").await.len(), 3, "they stood in Redis alone");
    assert_eq!(look(&sweeper, in_minutes(20)).await, Swept::default());
    world.conversations().toggle(&key("off"), true).await.unwrap();
    assert_eq!(world.lambda.take().unwrap().conversation_id, id("off"));
}

#[tokio::test]
async fn an_entry_of_the_backlog_goes_only_when_it_is_old_unchanged_and_nothing_waits() {
    let world = World::new().await;
    let (key, engine, ledger) = (key("c1"), world.engine(), world.ledger());
    let sweeper = sweeper(&world);
    let entries = async || {
        let mut found = Vec::new();
        for shard in 0..scribe_trigger::ledger::BACKLOG_SHARDS {
            found.extend(ledger.backlog(shard).await.unwrap());
        }
        found
    };
    world.start(&key).await;
    world.say(&key, 1).await;
    look(&sweeper, in_minutes(10)).await;
    assert_eq!(entries().await.len(), 1, "a turn waits");
    world.pump(&engine).await;
    look(&sweeper, Timestamp::now()).await;
    let read = entries().await;
    assert_eq!(read.len(), 1, "it is young");
    // A turn is recorded after the entry was read; its queue is written before its entry.
    world.say(&key, 2).await;
    assert!(!ledger.forget_backlog(&read[0]).await.unwrap(), "it has changed");
    world.pump(&engine).await;
    look(&sweeper, in_minutes(10)).await;
    assert!(entries().await.is_empty());
}

#[tokio::test]
async fn what_redis_has_forgotten_is_given_back_all_at_once_and_in_order() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    let (reached, go) = world.model.hold();
    for n in 1..=4 {
        world.say(&key, n).await;
    }
    // The first holds the lease; the others end as busy and leave their turns under waiting/.
    let engine = world.engine();
    let first = world.lambda.take().unwrap();
    let writing = tokio::spawn({
        let engine = world.engine();
        async move { run(&engine, &first).await }
    });
    reached.notified().await;
    while let Some(event) = world.lambda.take() {
        run(&engine, &event).await.unwrap();
    }
    assert_eq!(world.keys("waiting/").await.len(), 3);
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    go.notify_one();
    world.redis.flush().await;

    // The first one's event comes after the sweeper has looked, so it is late.
    let swept = look(&sweeper(&world), in_minutes(2)).await;
    assert_eq!((swept.requeued, swept.invoked), (3, 1));
    world.pump(&engine).await;
    check_woven(&world, &key, &[2, 3, 4]).await;
}

#[tokio::test]
async fn a_copy_whose_turn_is_in_the_document_is_removed_and_redis_is_told() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    run(&engine, &event).await.unwrap();
    for forgotten in [false, true] {
        if forgotten {
            world.redis.flush().await;
        }
        assert!(world.documents().put_waiting(&event).await.unwrap());
        let swept = look(&sweeper(&world), in_minutes(2)).await;
        assert_eq!((swept.removed, swept.requeued, swept.invoked), (1, 0, 0));
        assert_eq!(world.state(&key, 1).await, Some(TriggerState::Processed));
        check_woven(&world, &key, &[1]).await;
    }
    assert_eq!(world.model.calls(), 1);
}

#[tokio::test]
async fn a_young_object_is_left_alone() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    world.documents().put_waiting(&event).await.unwrap();
    world.redis.flush().await;
    assert_eq!(look(&sweeper(&world), Timestamp::now()).await, Swept::default());
    assert_eq!(look(&sweeper(&world), in_minutes(2)).await.requeued, 1);
}

#[tokio::test]
async fn a_turn_below_the_floor_is_parked_and_never_woven() {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    // Five hundred and one younger turns have been woven since, as if this one's event had been lost for days.
    world
        .person_writes(&session, |asset| {
            let mut record = Record::default();
            for n in 0..=500 {
                let seq = scribe_core::Seq(event.seq.0 + 1 + n);
                record.add(&key.conversation, id(&format!("other-{n}")), seq);
            }
            asset.scribe.as_mut().unwrap().record = record;
        })
        .await;
    world.documents().put_waiting(&event).await.unwrap();
    world.redis.flush().await;
    let swept = look(&sweeper(&world), in_minutes(2)).await;
    assert_eq!((swept.parked, swept.requeued), (1, 0));
    let trigger = world.trigger(&key, 1).await.unwrap();
    assert_eq!(trigger.state, TriggerState::Failed);
    assert!(trigger.reason.unwrap().contains("older than what"));
    assert_eq!(
        look(&sweeper(&world), in_minutes(10)).await,
        Swept::default(),
        "once is enough"
    );
    assert_eq!(world.model.calls(), 0);
}

#[tokio::test]
async fn an_event_that_lambda_gave_up_is_taken_over() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    world.redis.flush().await;
    let kept = sweeper(&world).take_given_up(&event).await.unwrap();
    assert_eq!(kept, GivenUp::Kept);
    settle(&world).await;
    check_woven(&world, &key, &[1]).await;

    let applied = sweeper(&world).take_given_up(&event).await.unwrap();
    assert_eq!(applied, GivenUp::Applied);
    check_woven(&world, &key, &[1]).await;

    let mut stranger = event.clone();
    stranger.conversation_id = id("never-started");
    let not_owed = sweeper(&world).take_given_up(&stranger).await.unwrap();
    assert_eq!(not_owed, GivenUp::NotOwed);
    world.say(&key, 2).await;
    run(&engine, &world.lambda.take().unwrap()).await.unwrap();
    check_woven(&world, &key, &[1, 2]).await;
}

#[tokio::test]
async fn an_event_that_can_not_be_kept_stays_in_the_queue() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    world.tap.fail(Method::PUT, "/waiting/", 503);
    assert!(sweeper(&world).take_given_up(&event).await.is_err());
    world.tap.mend();
    assert!(sweeper(&world).take_given_up(&event).await.is_ok());
}

#[tokio::test]
async fn a_queue_that_redis_lost_is_queued_again() {
    for by_sweeper in [true, false] {
        let world = World::new().await;
        let key = key("c1");
        world.start(&key).await;
        world.say(&key, 1).await;
        let event = world.lambda.take().unwrap();
        if by_sweeper {
            world.documents().put_waiting(&event).await.unwrap();
        }
        world
            .redis
            .command::<()>(&["DEL", "scribe:queue:{default/c1}"])
            .await;
        if by_sweeper {
            settle(&world).await;
        } else {
            run(&world.engine(), &event).await.unwrap();
        }
        assert_eq!(
            woven(&document_of(&world, &key).await.content),
            [1],
            "{by_sweeper}"
        );
    }
}

#[tokio::test]
async fn a_turn_whose_text_redis_lost_is_found_in_s3_or_waits_for_its_event() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    for n in 1..=2 {
        world.say(&key, n).await;
    }
    let first = world.lambda.take().unwrap();
    let second = world.lambda.take().unwrap();
    world.documents().put_waiting(&first).await.unwrap();
    world
        .redis
        .command::<()>(&["DEL", "scribe:trigger:{default/c1}"])
        .await;

    let sweeper = sweeper(&world);
    let swept = look(&sweeper, in_minutes(2)).await;
    assert!(swept.requeued >= 1 && swept.invoked >= 1, "{swept:?}");
    world.pump(&engine).await;
    assert_eq!(woven(&document_of(&world, &key).await.content), [1]);

    // Nothing has the second one's text but its event, which is still to come.
    let swept = look(&sweeper, in_minutes(4)).await;
    assert_eq!(swept.parked, 1, "{swept:?}");
    let parked = world.trigger(&key, 2).await.unwrap();
    assert_eq!((parked.state, parked.text_lost), (TriggerState::Failed, true));
    assert_eq!(world.keys("waiting/").await.len(), 1);
    run(&engine, &second).await.unwrap();
    check_woven(&world, &key, &[1, 2]).await;
}

#[tokio::test]
async fn a_lost_text_is_healed_by_the_same_message_sent_again() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    world.lambda.refuse(true);
    world.say(&key, 1).await;
    world.lambda.refuse(false);
    world
        .redis
        .command::<()>(&["DEL", "scribe:trigger:{default/c1}"])
        .await;
    assert_eq!(look(&sweeper(&world), in_minutes(2)).await.parked, 1);
    assert!(world.conversations().replay(&key, &id("m1")).await.is_err());

    assert_eq!(world.say(&key, 1).await.delivery, Delivery::Invoked);
    world.pump(&engine).await;
    check_woven(&world, &key, &[1]).await;
}

#[tokio::test]
async fn one_half_is_swept_while_the_other_is_out_of_reach() {
    let world = World::new().await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    world.lambda.take().unwrap();
    world.tap.fail(Method::GET, "list-type=2", 503);
    let until = Instant::now() + Duration::from_secs(60);
    let error = sweeper(&world).look(in_minutes(2), until).await.unwrap_err();
    assert_eq!(error.error_type(), "Scribe.SweepWithoutStorage");
    assert_eq!(world.lambda.take().unwrap().message_id, id("m1"));
}
