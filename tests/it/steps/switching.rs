//! Started, switched off and on: S3 first, then Redis, and the same request again completes what broke off.

use super::run::explore;
use super::stage::Stage;

#[tokio::test]
async fn a_start() {
    explore(
        "a start",
        async |_| {},
        async |stage| {
            stage.start().await;
            stage.insist(1).await;
            stage.deliver_all().await;
        },
    )
    .await;
}

/// Off while the model thinks: that turn is finished, the next one is kept until the scribe is on again.
#[tokio::test]
async fn off_and_on() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        for n in 1..=2 {
            stage.insist(n).await;
        }
    };
    explore("off and on", prepare, async |stage| {
        let (Some(first), Some(second)) = (stage.take_event(), stage.take_event()) else {
            panic!("two events were to be delivered")
        };
        let underway = stage.begin(first).await;
        stage.toggle(false).await;
        stage.finish(underway).await;
        stage.deliver(second).await;
        stage.toggle(true).await;
        stage.deliver_all().await;
    })
    .await;
}
