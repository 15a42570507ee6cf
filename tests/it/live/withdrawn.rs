//! Whatever way an attempt fails, what it has shown is withdrawn.

use http::Method;
use scribe_core::turn::TriggerState;
use scribe_trigger::live::{News, Place};
use tokio::time::Instant;

use super::*;
use crate::world::Dictation;

/// The beginning of an answer, of which readers see the text.
const BEGUN: &str = r#"{"edits":[{"action":"append","block":null,"hash":null,"markdown":"Milestone-0001: a "#;

/// An attempt that has shown something; it ends as the test wants.
struct Shown {
    world: World,
    key: ConversationKey,
    engine: Arc<Engine>,
    event: TurnEvent,
    reader: Reader,
}

impl Shown {
    async fn new() -> Self {
        let world = World::new().await;
        let (key, engine) = (key("c1"), world.engine());
        world.start(&key).await;
        world.say(&key, 1).await;
        let (event, reader) = (world.lambda.take().unwrap(), Reader::of(&world, &key).await);
        Self {
            world,
            key,
            engine,
            event,
            reader,
        }
    }

    /// Begins an attempt and waits until readers have seen something of it.
    async fn show(&mut self) -> (Dictation, JoinHandle<Result<Outcome, TurnFailure>>, Place) {
        // The pause after an earlier attempt is over.
        let lease = format!("scribe:lease:{{{}}}", self.key);
        while self.world.redis.command::<u64>(&["EXISTS", &lease]).await == 1 {}
        let dictation = self.world.model.dictate();
        let turn = begin(&self.engine, &self.event);
        dictation.say(BEGUN);
        let (place, edits) = self.reader.writing().await;
        assert_eq!(edits, appended("Milestone-0001: a "));
        (dictation, turn, place)
    }

    /// What came since, but for the snapshots. The first is the withdrawal of the attempt that has shown something.
    async fn withdrawn(&mut self, shown: Place) -> Vec<LiveEvent> {
        let mut rest = self.reader.rest(&self.world).await;
        let snapshots = rest
            .iter()
            .take_while(|event| matches!(event.news, News::Writing { .. }))
            .count();
        rest.drain(..snapshots);
        let place = Place {
            number: shown.number + 1 + u32::try_from(snapshots).unwrap(),
            ..shown
        };
        assert_eq!(rest.remove(0).news, News::Withdrawn { place });
        rest
    }

    /// The next attempt succeeds, and its text is newer than what was withdrawn.
    async fn succeeds(&mut self, withdrawn: Place) {
        while self.world.ledger().queue_status(&self.key).await.unwrap().waiting > 0 {
            let outcome = run(&self.engine, &self.event).await;
            assert!(
                matches!(outcome, Ok(Outcome::Written { .. } | Outcome::Busy)),
                "{outcome:?}"
            );
        }
        let rest = self.reader.rest(&self.world).await;
        assert!(matches!(rest.last().unwrap().news, News::Processed), "{rest:?}");
        assert!(rest.len() > 1);
        for event in &rest[..rest.len() - 1] {
            match &event.news {
                News::Writing { place, .. } => assert!(place.claimed > withdrawn.claimed),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn when_the_model_fails_midway() {
    let mut shown = Shown::new().await;
    let (dictation, turn, place) = shown.show().await;
    dictation.then(Dictated::Fail);
    assert!(matches!(
        turn.await.unwrap(),
        Err(TurnFailure::ModelUnavailable { .. })
    ));
    assert_eq!(shown.withdrawn(place).await, []);
    // The connection ends. The attempt did not count, so this is the first one again; it began later.
    let (dictation, turn, again) = shown.show().await;
    assert!(again.attempt == place.attempt && again.claimed > place.claimed);
    drop(dictation);
    assert!(matches!(
        turn.await.unwrap(),
        Err(TurnFailure::ModelUnavailable { .. })
    ));
    assert_eq!(shown.withdrawn(again).await, []);
    shown.succeeds(again).await;
}

#[tokio::test]
async fn when_the_answer_can_not_be_used_until_the_turn_is_parked() {
    let mut shown = Shown::new().await;
    // Cut by the server; broken off by the model; and well formed, but nothing of it holds.
    let ends = [
        ("", "length"),
        ("…", "stop"),
        (r#"","block":"gone"}],"reason":null}"#, "stop"),
    ];
    for (attempt, (text, reason)) in (1..).zip(ends) {
        let (dictation, turn, place) = shown.show().await;
        assert_eq!(place.attempt, attempt);
        dictation.say(text);
        dictation.then(Dictated::Stop(reason));
        let outcome = turn.await.unwrap();
        let rest = shown.withdrawn(place).await;
        if attempt < 3 {
            assert!(
                matches!(outcome, Err(TurnFailure::AttemptFailed { .. })),
                "{outcome:?}"
            );
            assert_eq!(rest, []);
        } else {
            assert!(matches!(outcome, Ok(Outcome::Parked { .. })), "{outcome:?}");
            assert_eq!(rest, [LiveEvent::failed(&id("m1"))]);
        }
    }
    assert_eq!(shown.world.state(&shown.key, 1).await, Some(TriggerState::Failed));
}

#[tokio::test]
async fn when_the_document_can_not_be_written() {
    let mut shown = Shown::new().await;
    shown.world.tap.fail(Method::PUT, "media-assets", 503);
    let (dictation, turn, place) = shown.show().await;
    dictation.say(r#"courier."}],"reason":null}"#);
    dictation.then(Dictated::Stop("stop"));
    assert!(matches!(
        turn.await.unwrap(),
        Err(TurnFailure::StorageUnavailable { .. })
    ));
    assert_eq!(shown.withdrawn(place).await, []);
    shown.world.tap.mend();
    shown.succeeds(place).await;
}

#[tokio::test]
async fn when_the_deadline_comes() {
    let mut shown = Shown::new().await;
    let dictation = shown.world.model.dictate();
    let (engine, event) = (Arc::clone(&shown.engine), shown.event.clone());
    let deadline = Instant::now() + Duration::from_secs(2);
    let turn = tokio::spawn(async move { engine.process_turn(&event, deadline).await });
    dictation.say(BEGUN);
    let (place, _) = shown.reader.writing().await;
    assert!(matches!(
        turn.await.unwrap(),
        Err(TurnFailure::ModelUnavailable { .. })
    ));
    assert_eq!(shown.withdrawn(place).await, []);
}

#[tokio::test]
async fn when_another_one_was_faster() {
    let mut shown = Shown::new().await;
    let (dictation, turn, place) = shown.show().await;
    // The lease is lost, and another process writes the turn.
    let lease = format!("scribe:lease:{{{}}}", shown.key);
    let _: u64 = shown.world.redis.command(&["DEL", &lease]).await;
    let other = shown.world.engine();
    assert_eq!(run(&other, &shown.event).await, Ok(written(1)));
    let rest = shown.reader.rest(&shown.world).await;
    assert!(matches!(rest.last().unwrap().news, News::Processed), "{rest:?}");
    dictation.say(r#"courier."}],"reason":null}"#);
    dictation.then(Dictated::Stop("stop"));
    assert_eq!(turn.await.unwrap(), Ok(written(1)));
    assert_eq!(shown.withdrawn(place).await, []);
}

#[tokio::test]
async fn but_what_showed_nothing_has_nothing_to_withdraw() {
    let mut shown = Shown::new().await;
    shown.world.model.script([Reply::Status {
        status: 503,
        headers: vec![],
    }]);
    run(&shown.engine, &shown.event).await.unwrap_err();
    assert_eq!(shown.reader.rest(&shown.world).await, []);
}
