//! The taps that other tests count on: they name what passes, hold it, and cut it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use scribe_trigger::Delivery;

use crate::world::{Action, Held, Moment, Step, Verdict, Wire, World, hold, key, run};

/// Holds the first step of this name and moment, lets everything else pass.
fn hold_at(world: &World, wire: Wire, name: &'static str, moment: Moment) -> Held {
    let (hold, held) = hold();
    let mut hold = Some(hold);
    world.gate.set(move |step| {
        if (step.wire, step.name.as_str(), step.moment) == (wire, name, moment) {
            hold.take().map_or(Action::Pass, Action::Hold)
        } else {
            Action::Pass
        }
    });
    held
}

#[tokio::test]
async fn a_warm_turn_is_these_steps() {
    let world = World::tapped(|_| {}).await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    // Redis learns the scripts, the process the document.
    world.say(&key, 1).await;
    world.pump(&engine).await;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let steps = Arc::clone(&seen);
    world.gate.set(move |step| {
        steps.lock().unwrap().push(step.to_string());
        Action::Pass
    });
    world.say(&key, 2).await;
    let began = Instant::now();
    world.pump(&engine).await;
    let took = began.elapsed();
    world.gate.open();
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    // Recording notes the backlog and invokes at the same time; asking goes beside writing the turn down.
    let both = |name: &str| [format!("{name} Before"), format!("{name} After")];
    for beside in ["Redis ZADD", "Lambda invoke", "S3 PUT turns"].map(both) {
        let count = seen.len();
        seen.retain(|step| !beside.contains(step));
        assert!(count - seen.len() >= 2, "{beside:?}");
    }
    // While the model writes, readers are told of it beside the turn: at most every 100 ms, and once at the end. That is
    // a command; all the turn's own steps are scripts.
    let count = seen.len();
    seen.retain(|step| !both("Redis PUBLISH").contains(step));
    let (told, most) = ((count - seen.len()) / 2, took.as_millis().div_ceil(100) + 1);
    assert!(told >= 1 && told as u128 <= most, "{told} of at most {most}");
    let expected = [
        "Redis record",
        "Redis claim",
        "Model chat",
        "S3 PUT media-assets",
        "Redis complete",
    ];
    assert_eq!(seen, expected.map(both).concat());
}

#[tokio::test]
async fn a_command_is_held_before_redis_has_done_it_and_its_answer_after() {
    let world = World::tapped(|_| {}).await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    world.pump(&world.engine()).await;
    for (n, moment) in [(2, Moment::Before), (3, Moment::After)] {
        let held = hold_at(&world, Wire::Redis, "record", moment);
        let recorder = world.recorder();
        let turn = crate::world::turn(&key, n);
        let recording = tokio::spawn(async move { recorder.record(turn).await });
        held.reached().await;
        world.gate.open();
        assert_eq!(world.state(&key, n).await.is_some(), moment == Moment::After);
        held.end(Verdict::Go);
        assert_eq!(recording.await.unwrap().unwrap().delivery, Delivery::Invoked);
    }
}

#[tokio::test]
async fn a_wire_that_is_cut_has_done_what_was_asked_or_not() {
    let world = World::tapped(|_| {}).await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    world.pump(&world.engine()).await;
    for (n, moment) in [(2, Moment::Before), (3, Moment::After)] {
        let held = hold_at(&world, Wire::Redis, "record", moment);
        drop(held);
        // The event alone carries the turn.
        assert_eq!(world.say(&key, n).await.delivery, Delivery::Direct);
        assert_eq!(world.state(&key, n).await.is_some(), moment == Moment::After);
        world.lambda.take().unwrap();
    }
    for (n, moment) in [(4, Moment::Before), (5, Moment::After)] {
        world.say(&key, n).await;
        let event = world.lambda.take().unwrap();
        world.gate.set(move |step| {
            let put = step.wire == Wire::S3 && step.name == "PUT media-assets" && step.moment == moment;
            if put { Action::Cut } else { Action::Pass }
        });
        run(&world.engine(), &event).await.unwrap_err();
        world.gate.open();
        let content = world.document(&session).await.asset.content;
        // The oldest turn is the one whose answer was lost above.
        let woven = crate::world::woven(&content);
        assert_eq!(woven.contains(&3), moment == Moment::After, "{woven:?}");
    }
}

#[tokio::test]
async fn a_delayed_answer_comes_later() {
    let world = World::tapped(|_| {}).await;
    let key = key("c1");
    world.start(&key).await;
    world.say(&key, 1).await;
    let delay = Duration::from_millis(30);
    world.gate.set(move |step: &Step| {
        if step.name == "claim" && step.moment == Moment::After {
            Action::Delay(delay)
        } else {
            Action::Pass
        }
    });
    let began = Instant::now();
    let outcomes = world.pump(&world.engine()).await;
    assert!(began.elapsed() >= delay);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}
