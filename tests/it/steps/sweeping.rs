//! The sweeper's own steps, and the on-failure destination's reader's.

use std::collections::BTreeSet;

use super::run::explore;
use super::stage::Stage;
use crate::world::Reply;

/// One turn of each kind that the sweeper finds: 1 is parked and 3 stands under `waiting/`, and Redis knows neither; 2
/// is written and has a stale copy; 4 waits in Redis and its event was lost.
async fn left_behind(stage: &mut Stage) {
    stage.prepare().await;
    stage.insist(2).await;
    let second = stage.take_event().unwrap();
    stage.deliver(second.clone()).await;
    stage.documents.put_waiting(&second).await.unwrap();
    for n in [1, 3] {
        stage.insist(n).await;
        let event = stage.take_event().unwrap();
        if n == 1 {
            stage
                .documents
                .park_waiting(&event, "a test parked it")
                .await
                .unwrap();
        } else {
            stage.documents.put_waiting(&event).await.unwrap();
        }
        let (triggers, queue, id) = (stage.key_of("trigger"), stage.key_of("queue"), format!("m{n}"));
        let _: u64 = stage.command(&["HDEL", &triggers, &id]).await;
        let _: u64 = stage.command(&["ZREM", &queue, &id]).await;
    }
    stage.poisoned = BTreeSet::from([1]);
    stage.insist(4).await;
    stage.stands_once = BTreeSet::from([4]);
    stage.world.lambda.lose_events();
    // These are gone: nobody delivers them again.
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
