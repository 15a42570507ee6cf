//! Turns that are recorded and written, by one invocation, a chain of them, or two at once.

use super::run::explore;
use super::stage::Stage;

async fn started(stage: &mut Stage) {
    stage.prepare().await;
}

#[tokio::test]
async fn a_warm_turn() {
    explore("a warm turn", started, async |stage| {
        stage.say(1).await;
        stage.deliver_all().await;
    })
    .await;
}

/// Redis knows neither the session nor the scripts.
#[tokio::test]
async fn a_cold_turn() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        stage.flush().await;
    };
    explore("a cold turn", prepare, async |stage| {
        stage.say(1).await;
        stage.deliver_all().await;
    })
    .await;
}

/// The first invocation hands on, and the events of the others find nothing.
#[tokio::test]
async fn a_chain() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        for n in 1..=3 {
            stage.insist(n).await;
        }
    };
    explore("a chain", prepare, async |stage| {
        stage.deliver_all().await;
    })
    .await;
}

/// An invocation that finds another one writing puts its turn under `waiting/`.
#[tokio::test]
async fn two_at_once() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        for n in 1..=2 {
            stage.insist(n).await;
        }
    };
    explore("two at once", prepare, async |stage| {
        let (Some(first), Some(second)) = (stage.take_event(), stage.take_event()) else {
            panic!("two events were to be delivered")
        };
        let underway = stage.begin(first).await;
        stage.deliver(second).await;
        stage.finish(underway).await;
        stage.deliver_all().await;
    })
    .await;
}

/// A person saves while the model thinks, so the PUT conflicts.
#[tokio::test]
async fn a_conflict() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        stage.insist(1).await;
    };
    explore("a conflict", prepare, async |stage| {
        let Some(event) = stage.take_event() else {
            panic!("an event was to be delivered")
        };
        let underway = stage.begin(event).await;
        stage.person_saves().await;
        stage.finish(underway).await;
        stage.deliver_all().await;
    })
    .await;
}

/// What a chat says again until it is acknowledged, under the same id, counts once.
#[tokio::test]
async fn a_turn_that_is_said_until_it_is_acknowledged() {
    explore("said again", started, async |stage| {
        stage.insist(1).await;
        stage.insist(1).await;
        stage.insist(2).await;
        stage.deliver_all().await;
    })
    .await;
}
