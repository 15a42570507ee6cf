//! What readers are told is beside the turn: it costs the turn nothing, however Redis takes it.

use std::sync::Mutex;
use std::time::Instant;

use http::Method;
use scribe_core::turn::TriggerState;
use scribe_trigger::live::News;

use super::*;
use crate::world::{Action, Held, Moment, Verdict, hold};

/// A tapped world with a turn that waits.
async fn tapped() -> (World, ConversationKey, TurnEvent) {
    let world = World::tapped(|_| {}).await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let event = world.lambda.take().unwrap();
    (world, key, event)
}

/// Holds the first message to readers before Redis sees it.
fn hold_first(world: &World) -> Held {
    let (hold, held) = hold();
    let mut hold = Some(hold);
    world.gate.set(move |step| {
        if step.name == "PUBLISH" && step.moment == Moment::Before {
            hold.take().map_or(Action::Pass, Action::Hold)
        } else {
            Action::Pass
        }
    });
    held
}

/// The pieces of an answer that appends what is said in the first turn.
fn pieces() -> Vec<String> {
    append(&said(1)).chars().map(String::from).collect()
}

#[tokio::test]
async fn nobody_waits_for_redis_and_no_queue_grows() {
    let (world, key, event) = tapped().await;
    let mut reader = Reader::of(&world, &key).await;
    let held = hold_first(&world);
    let dictation = world.model.dictate();
    let turn = begin(&world.engine(), &event);
    let put = world.tap.hold_before(Method::PUT, "media-assets");
    for piece in pieces() {
        dictation.say(&piece);
    }
    held.reached().await;
    dictation.then(Dictated::Stop("stop"));
    // The first message stands still, and yet the answer is read to its end and about to be written.
    put.reached().await;
    held.end(Verdict::Go);
    let (_, first) = reader.writing().await;
    assert!(first != appended(&said(1)));
    // All the others are one, and it has everything.
    assert_eq!(reader.writing().await.1, appended(&said(1)));
    put.go();
    assert_eq!(turn.await.unwrap(), Ok(written(1)));
    let rest = reader.rest(&world).await;
    check_only_processed(&rest);
}

#[tokio::test]
async fn a_message_that_hangs_for_the_whole_turn_comes_before_the_last_word() {
    let (world, key, event) = tapped().await;
    let mut reader = Reader::of(&world, &key).await;
    let held = hold_first(&world);
    let put = world.tap.hold_after(Method::PUT, "media-assets");
    let turn = begin(&world.engine(), &event);
    held.reached().await;
    put.reached().await;
    put.go();
    // The turn is completed behind the message, on the same connection.
    held.end(Verdict::Go);
    assert_eq!(turn.await.unwrap(), Ok(written(1)));
    let rest = reader.rest(&world).await;
    let processed = rest.iter().position(|event| event.news == News::Processed);
    assert_eq!(processed, Some(rest.len() - 1), "{rest:?}");
    assert_eq!(world.state(&key, 1).await, Some(TriggerState::Processed));
}

#[tokio::test]
async fn messages_that_are_lost_cost_the_turn_nothing() {
    for moment in [Moment::Before, Moment::After] {
        let (world, key, event) = tapped().await;
        let mut reader = Reader::of(&world, &key).await;
        let (hold, held) = hold();
        let mut hold = Some(hold);
        world.gate.set(
            move |step| match hold.take_if(|_| step.name == "PUBLISH" && step.moment == moment) {
                Some(hold) => Action::Hold(hold),
                None => Action::Pass,
            },
        );
        let dictation = world.model.dictate();
        let turn = begin(&world.engine(), &event);
        let whole = append(&said(1));
        let (begun, rest) = whole.split_at(whole.len() - 9);
        dictation.say(begun);
        held.reached().await;
        held.end(Verdict::Cut);
        dictation.say(rest);
        dictation.then(Dictated::Stop("stop"));
        assert_eq!(turn.await.unwrap(), Ok(written(1)));
        world.gate.open();
        assert_eq!(world.state(&key, 1).await, Some(TriggerState::Processed));
        let rest = reader.rest(&world).await;
        assert!(matches!(rest.last().unwrap().news, News::Processed), "{rest:?}");
    }
}

#[tokio::test]
async fn messages_are_few_however_fast_the_model_writes() {
    let (world, key, event) = tapped().await;
    let published = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&published);
    world.gate.set(move |step| {
        if step.name == "PUBLISH" && step.moment == Moment::Before {
            *count.lock().unwrap() += 1;
        }
        Action::Pass
    });
    let mut reader = Reader::of(&world, &key).await;
    let dictation = world.model.dictate();
    let turn = begin(&world.engine(), &event);
    let began = Instant::now();
    dictation.say(r#"{"edits":[{"action":"append","block":null,"hash":null,"markdown":""#);
    // Many more words than there may be messages, until readers have seen five snapshots.
    let mut text = format!("{} a courier", marker(1));
    dictation.say(&text);
    for _ in 0..5 {
        let seen = loop {
            dictation.say(" x");
            text += " x";
            tokio::select! {
                biased;
                seen = reader.writing() => break seen,
                // Redis sets the pace.
                _ = world.redis.command::<String>(&["PING"]) => {}
            }
        };
        assert!(text.starts_with(&seen.1[0].markdown));
    }
    dictation.say(r#"."}],"reason":null}"#);
    dictation.then(Dictated::Stop("stop"));
    let outcome = turn.await.unwrap();
    let most = began.elapsed().as_millis().div_ceil(100) + 1;
    let published = *published.lock().unwrap();
    assert!(
        published >= 5 && u128::from(published) <= most,
        "{published} of at most {most}, {outcome:?}"
    );
}
