//! A turn that is said instead of another one, which is woven, waits, or is being written.

use super::run::explore;
use super::stage::Stage;

#[tokio::test]
async fn a_regenerated_turn() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        for n in 1..=2 {
            stage.insist(n).await;
            stage.deliver_all().await;
        }
    };
    explore("a regenerated turn", prepare, async |stage| {
        stage.insist_instead(3, 1).await;
        stage.deliver_all().await;
    })
    .await;
}

/// The first turn is passed over while the third waits; its event is settled under `waiting/`.
#[tokio::test]
async fn a_turn_that_is_replaced_before_it_is_written() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        for n in 1..=2 {
            stage.insist(n).await;
        }
    };
    explore("replaced before it is written", prepare, async |stage| {
        stage.insist_instead(3, 1).await;
        stage.deliver_all().await;
    })
    .await;
}

/// The second turn comes while the model writes the first, and a person saves while it writes the second.
#[tokio::test]
async fn a_turn_that_is_replaced_while_it_is_written() {
    let prepare = async |stage: &mut Stage| {
        stage.prepare().await;
        stage.insist(1).await;
    };
    explore("replaced while it is written", prepare, async |stage| {
        let Some(first) = stage.take_event() else {
            panic!("an event was to be delivered")
        };
        let underway = stage.begin(first).await;
        stage.insist_instead(2, 1).await;
        stage.finish(underway).await;
        if let Some(second) = stage.take_event() {
            let underway = stage.begin(second).await;
            stage.person_saves().await;
            stage.finish(underway).await;
        }
        stage.deliver_all().await;
    })
    .await;
}
