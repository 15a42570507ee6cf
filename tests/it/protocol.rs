//! The protocol of a turn, step by step, with the steps that fail.

mod a_turn;
mod failing;
mod never_lost;
mod once;

use scribe_core::Standing;
use scribe_core::turn::TriggerState;
use scribe_engine::{Outcome, TurnFailure};
use scribe_trigger::TurnEvent;
use tokio::task::JoinHandle;

use crate::world::{World, id, run, woven};

fn written(n: usize) -> Outcome {
    Outcome::Written {
        message_id: id(&format!("m{n}")),
        late: false,
    }
}

/// Every turn once, in order, each marked processed, nothing left under `waiting/`.
async fn check_all_woven(
    world: &World,
    key: &scribe_core::ConversationKey,
    turns: impl IntoIterator<Item = usize>,
) {
    let turns: Vec<usize> = turns.into_iter().collect();
    let session = world.conversations().view(key).await.unwrap().unwrap().session;
    let stored = world.document(&session).await;
    assert_eq!(woven(&stored.asset.content), turns, "{}", stored.asset.content);
    let record = &stored.asset.scribe.as_ref().unwrap().record;
    assert_eq!(record.turns(&key.conversation), turns.len() as u64);
    for n in turns {
        let trigger = world.trigger(key, n).await.unwrap();
        assert_eq!(trigger.state, TriggerState::Processed, "m{n}");
        assert!(trigger.processed);
        assert_eq!(
            record.standing(&key.conversation, &trigger.message_id, trigger.seq),
            Standing::Applied
        );
    }
    assert_eq!(world.keys("waiting/").await, Vec::<String>::new());
}

/// An invocation in a process of its own, under way.
fn begin(world: &World, event: &TurnEvent) -> JoinHandle<Result<Outcome, TurnFailure>> {
    let (engine, event) = (world.engine(), event.clone());
    tokio::spawn(async move { run(&engine, &event).await })
}
