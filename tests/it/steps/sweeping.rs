//! The sweeper's own steps, and the on-failure destination's reader's.

use std::collections::BTreeSet;

use super::run::explore;
use super::stage::Stage;
use crate::world::{Reply, turn};

/// One turn of each kind that the sweeper finds: 1 is parked, 2 is written and has a stale copy, 3 stands under
/// `waiting/` and Redis does not know it, 4 waits in Redis and its event was lost.
async fn left_behind(stage: &mut Stage) {
    stage.prepare().await;
    stage.insist(1).await;
    stage.insist(2).await;
    stage.poisoned = BTreeSet::from([1]);
    let junk = || Reply::Say {
        text: "no edits at all".into(),
        finish_reason: "stop",
    };
    stage
        .world
        .model
        .script_for(1, std::iter::repeat_with(junk).take(9));
    stage.allowance = 6;
    stage.deliver_all().await;
    stage.recover().await.unwrap();
    let second = stage
        .delivered
        .iter()
        .find(|event| event.message_id == turn(&stage.key, 2).message_id);
    stage.documents.put_waiting(second.unwrap()).await.unwrap();
    stage.insist(3).await;
    let third = stage.take_event().unwrap();
    stage.documents.put_waiting(&third).await.unwrap();
    let (triggers, queue) = (stage.key_of("trigger"), stage.key_of("queue"));
    let _: u64 = stage.command(&["HDEL", &triggers, "m3"]).await;
    let _: u64 = stage.command(&["ZREM", &queue, "m3"]).await;
    stage.insist(4).await;
    stage.world.lambda.lose_events();
    stage.delivered.clear();
}

#[tokio::test]
async fn a_look() {
    explore("a look", left_behind, async |stage| {
        stage.sweep().await;
        stage.deliver_all().await;
    })
    .await;
}

/// The model was away for longer than Lambda tries, so the event is in the on-failure destination.
#[tokio::test]
async fn an_event_that_lambda_gave_up() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        stage.insist(1).await;
        let away = || Reply::Status {
            status: 500,
            headers: Vec::new(),
        };
        stage
            .world
            .model
            .script_for(1, std::iter::repeat_with(away).take(3));
        stage.allowance = 3;
        stage.deliver_all().await;
        assert_eq!(stage.given_up.len(), 1);
        stage.delivered.clear();
    };
    explore("given up", prepare, async |stage| {
        stage.take_given_up().await;
        stage.sweep().await;
        stage.deliver_all().await;
    })
    .await;
}
