//! A replaced turn that is not woven yet, and never will be: it waits, is parked, or comes late.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::*;
use crate::world::Reply;

/// The model answers so often with what is no answer that the turn is parked.
async fn poison(world: &World, key: &ConversationKey, n: usize) {
    let junk = || Reply::Say {
        text: "not an answer".into(),
        finish_reason: "stop",
    };
    world.model.script_for(n, [junk(), junk(), junk()]);
    let engine = world.engine();
    let event = world.lambda.take().unwrap();
    for _ in 0..2 {
        run(&engine, &event).await.unwrap_err();
        end_pause(world, key).await;
    }
    let parked = run(&engine, &event).await.unwrap();
    assert_eq!(
        parked,
        Outcome::Parked {
            message_id: id(&format!("m{n}"))
        }
    );
}

async fn end_pause(world: &World, key: &ConversationKey) {
    let lease = format!("scribe:lease:{{{key}}}");
    world.redis.command::<()>(&["DEL", &lease]).await;
}

#[tokio::test]
async fn one_that_still_waits_costs_no_call() {
    let (world, key, session) = with_turns(0).await;
    world.say(&key, 1).await;
    world.say(&key, 2).await;
    world.say_instead(&key, 3, 1).await;
    world.say_instead(&key, 4, 3).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2, 4], &[1, 3]).await;
    assert_eq!(world.model.asked_for(), [2, 4]);
    let turns = world.conversations().turns(&key).await.unwrap();
    assert!(turns.iter().all(|turn| !turn.late), "{turns:?}");
    let view = world.conversations().view(&key).await.unwrap().unwrap();
    assert_eq!(
        view.session.message_count, 2,
        "what was never woven is not counted"
    );
}

#[tokio::test]
async fn one_that_waits_is_woven_after_all_if_the_other_one_fails() {
    let (world, key, session) = with_turns(0).await;
    world.say(&key, 1).await;
    world.say_instead(&key, 2, 1).await;
    // The event is the first turn's, and the turn that is taken the second.
    poison(&world, &key, 2).await;
    world.pump(&world.engine()).await;
    let content = world.document(&session).await.asset.content;
    assert_eq!(woven(&content), [1]);

    let replayed = api::post(
        &world,
        "/api/chat/background-doc/c1/turns/m2/replay",
        &Value::Null,
    )
    .await;
    assert_eq!(replayed.status, StatusCode::ACCEPTED);
    world.pump(&world.engine()).await;
    check(&world, &session, &[2], &[1]).await;
}

#[tokio::test]
async fn one_that_waits_is_taken_back_where_redis_forgot_its_replacement() {
    let (world, key, session) = with_turns(0).await;
    world.say(&key, 1).await;
    let first = world.lambda.take().unwrap();
    world.say_instead(&key, 2, 1).await;
    let second = world.lambda.take().unwrap();
    world.redis.flush().await;
    let engine = world.engine();
    run(&engine, &first).await.unwrap();
    assert_eq!(woven(&world.document(&session).await.asset.content), [1]);
    run(&engine, &second).await.unwrap();
    check(&world, &session, &[2], &[1]).await;
}

#[tokio::test]
async fn a_parked_one_is_dismissed() {
    let (world, key, session) = with_turns(0).await;
    world.say(&key, 1).await;
    poison(&world, &key, 1).await;
    assert_eq!(world.keys("waiting/").await.len(), 1);
    world.say_instead(&key, 2, 1).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2], &[1]).await;
    let list = api::get(&world, "/api/chat/background-doc/c1/turns").await.body;
    assert_eq!(list["turns"][0]["state"], "processed");
    let replayed = api::post(
        &world,
        "/api/chat/background-doc/c1/turns/m1/replay",
        &Value::Null,
    )
    .await;
    assert_eq!(replayed.status, StatusCode::CONFLICT, "{}", replayed.body);
}

#[tokio::test]
async fn a_parked_one_that_redis_forgot_is_removed_by_the_sweeper_too() {
    let (world, key, session) = with_turns(0).await;
    world.say(&key, 1).await;
    poison(&world, &key, 1).await;
    let parked = world.documents().waiting_turns(&key).await.unwrap().remove(0);
    world.redis.flush().await;
    world.say_instead(&key, 2, 1).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2], &[1]).await;
    // As if the process had ended after the PUT.
    world
        .documents()
        .park_waiting(&parked.event, "why")
        .await
        .unwrap();
    let later = Timestamp::now() + SignedDuration::from_mins(5);
    let until = Instant::now() + Duration::from_secs(60);
    sweeper(&world).look(later, until).await.unwrap();
    check(&world, &session, &[2], &[1]).await;
}

#[tokio::test]
async fn what_a_failed_replacement_was_to_replace_is_taken_back_by_the_next_one() {
    for forgets in [false, true] {
        let (world, key, session) = with_turns(1).await;
        world.say_instead(&key, 2, 1).await;
        poison(&world, &key, 2).await;
        if forgets {
            world.redis.flush().await;
        }
        world.say_instead(&key, 3, 2).await;
        world.pump(&world.engine()).await;
        let content = check(&world, &session, &[3], &[1, 2]).await;
        assert_eq!(content, text_of_one(3).await);
        // What is taken back of it later is all of it, and nothing comes back.
        world.say_instead(&key, 4, 3).await;
        world.pump(&world.engine()).await;
        let content = check(&world, &session, &[4], &[1, 2, 3]).await;
        assert_eq!(content, text_of_one(4).await);
    }
}

#[tokio::test]
async fn one_that_broke_off_stays_in_the_list_and_is_not_woven_when_it_comes_whole() {
    let (world, key, session) = with_turns(0).await;
    let ledger = world.ledger();
    let (message_id, said_at) = (id("m1"), "2026-11-22T15:40:00.000Z");
    let noted = ledger.note_incomplete(&key, &message_id, said_at, "it broke off");
    noted.await.unwrap();
    world.say_instead(&key, 2, 1).await;
    world.pump(&world.engine()).await;
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Incomplete));
    world.say(&key, 1).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2], &[1]).await;
    assert_eq!(world.model.calls(), 1);
}

#[tokio::test]
async fn one_that_nobody_knows_is_not_woven_when_it_comes() {
    let (world, key, session) = with_turns(0).await;
    world.say_instead(&key, 2, 1).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2], &[1]).await;
    assert_eq!(metadata(&world, &session).await["scribe-taken-back"], "nothing");
    let etag = world.document(&session).await.etag;

    world.say(&key, 1).await;
    let outcomes = world.pump(&world.engine()).await;
    assert_eq!(outcomes, [Ok(Outcome::AlreadyWritten { message_id: id("m1") })]);
    check(&world, &session, &[2], &[1]).await;
    assert_eq!(world.document(&session).await.etag, etag);
    assert_eq!(world.model.calls(), 1);
    // Its own replacement takes nothing back but what is there.
    world.say_instead(&key, 3, 1).await;
    world.pump(&world.engine()).await;
    check(&world, &session, &[2, 3], &[1]).await;
}
