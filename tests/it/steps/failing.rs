//! Turns that fail: at the model, at a service, for good.

use std::collections::BTreeSet;

use super::run::explore;
use super::stage::Stage;
use crate::world::Reply;

/// How many attempts count.
const ATTEMPTS: usize = 3;

fn junk() -> Reply {
    Reply::Say {
        text: "no edits at all".into(),
        finish_reason: "stop",
    }
}

async fn recorded(stage: &mut Stage, turns: usize) {
    stage.prepare().await;
    for n in 1..=turns {
        stage.insist(n).await;
    }
}

#[tokio::test]
async fn an_attempt_that_fails() {
    let prepare = async |stage: &mut Stage| {
        recorded(stage, 1).await;
        stage.world.model.script_for(1, [junk()]);
        stage.allowance = 1;
    };
    explore("an attempt that fails", prepare, async |stage| {
        stage.deliver_all().await;
    })
    .await;
}

#[tokio::test]
async fn a_service_that_fails() {
    let prepare = async |stage: &mut Stage| {
        recorded(stage, 1).await;
        let busy = Reply::Status {
            status: 429,
            headers: Vec::new(),
        };
        stage.world.model.script_for(1, [busy]);
        stage.allowance = 1;
    };
    explore("a service that fails", prepare, async |stage| {
        stage.deliver_all().await;
    })
    .await;
}

/// The first turn is parked, the one behind it is written.
#[tokio::test]
async fn a_poisoned_turn() {
    let prepare = async |stage: &mut Stage| {
        recorded(stage, 2).await;
        poison(stage);
    };
    explore("a poisoned turn", prepare, async |stage| {
        stage.deliver_all().await;
    })
    .await;
}

/// The model never answers the first turn with anything that can be used.
fn poison(stage: &mut Stage) {
    stage.poisoned = BTreeSet::from([1]);
    // After a flush it has all its attempts again.
    stage
        .world
        .model
        .script_for(1, std::iter::repeat_with(junk).take(3 * ATTEMPTS));
    stage.allowance = 2 * ATTEMPTS;
}

#[tokio::test]
async fn a_replay() {
    let prepare = async |stage: &mut Stage| {
        recorded(stage, 2).await;
        poison(stage);
        stage.deliver_all().await;
        stage.recover().await.unwrap();
        stage.delivered.clear();
        // The cause is gone.
        stage.world.model.forget();
        stage.allowance = 0;
    };
    explore("a replay", prepare, async |stage| {
        stage.replay(1).await;
        stage.deliver_all().await;
    })
    .await;
}
