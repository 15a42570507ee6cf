//! A question that is answered once more under its old name, while Redis does not know the first answer.

use scribe_core::Seq;
use scribe_core::turn::TriggerState;
use serde_json::{Value, json};

use super::upstream::Scripted;
use super::{Bench, LORE, ends, says};
use crate::world::{key, said, woven};

/// What Redis does while the first answer is written, and before the second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// It forgets everything.
    Forgets,
    /// It can't be reached, and comes back with what it had.
    Away,
}

impl Bench {
    async fn answered(&self, body: &Value, n: usize) {
        self.chat.script(Scripted::events(&(says(&said(n)) + &ends())));
        self.ask(LORE, body, &[]).await.text().await;
    }

    async fn content(&self) -> String {
        let session = self.world.ledger().session(&key("c1")).await.unwrap().unwrap();
        self.world.document(&session).await.asset.content
    }
}

fn asks(name: Option<&str>) -> Value {
    let message = match name {
        Some(name) => json!({ "id": name, "role": "user", "content": "Who?" }),
        None => json!({ "role": "user", "content": "Who?" }),
    };
    json!({ "conversationId": "c1", "messages": [message] })
}

async fn ends_with(name: Option<&str>, trouble: Trouble, answers: &[usize]) -> Vec<usize> {
    let bench =
        Bench::with(|config| config.trigger.redis_timeout = std::time::Duration::from_millis(250)).await;
    let engine = bench.world.engine();
    let body = asks(name);
    for (nth, answer) in answers.iter().enumerate() {
        match trouble {
            _ if nth == 0 => {}
            Trouble::None => {}
            Trouble::Forgets => bench.world.redis.flush().await,
            Trouble::Away => bench.world.redis.stop(),
        }
        bench.answered(&body, *answer).await;
        if nth > 0 && trouble == Trouble::Away {
            bench.world.redis.go_on();
        }
        bench.world.pump(&engine).await;
    }
    let turns = bench.turns().await;
    assert!(
        turns
            .iter()
            .all(|turn| turn.state == TriggerState::Processed && turn.seq > Seq(0))
    );
    assert_eq!(
        bench
            .world
            .ledger()
            .queue_status(&key("c1"))
            .await
            .unwrap()
            .waiting,
        0
    );
    let mut woven = woven(&bench.content().await);
    woven.sort_unstable();
    woven
}

#[tokio::test]
async fn the_last_answer_of_a_name_stands_whatever_redis_has_forgotten() {
    for trouble in [Trouble::None, Trouble::Forgets, Trouble::Away] {
        assert_eq!(ends_with(Some("q1"), trouble, &[1, 2]).await, [2], "{trouble:?}");
        assert_eq!(
            ends_with(Some("q1"), trouble, &[1, 2, 3]).await,
            [3],
            "{trouble:?}"
        );
    }
}

#[tokio::test]
async fn without_a_name_every_answer_stands_whatever_redis_has_forgotten() {
    for trouble in [Trouble::None, Trouble::Forgets, Trouble::Away] {
        assert_eq!(ends_with(None, trouble, &[1, 2]).await, [1, 2], "{trouble:?}");
    }
}

#[tokio::test]
async fn the_same_answer_once_more_is_the_same_turn_whatever_redis_has_forgotten() {
    for trouble in [Trouble::None, Trouble::Forgets, Trouble::Away] {
        for name in [Some("q1"), None] {
            assert_eq!(ends_with(name, trouble, &[1, 1]).await, [1], "{trouble:?}");
        }
    }
}
