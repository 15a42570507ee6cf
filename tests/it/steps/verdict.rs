//! What must hold after every run.

use std::collections::BTreeMap;

use scribe_core::Standing;
use scribe_core::turn::TriggerState;
use scribe_engine::documents::{StoredAsset, WaitingState};

use super::fault::Fault;
use super::stage::Stage;
use crate::world::{marker, said, turn, woven};

/// Turns that one fault may make the model be asked for once more.
const ASKED_AGAIN: usize = 1;

macro_rules! ensure {
    ($held:expr, $($said:tt)+) => {
        if !$held {
            return Err(format!($($said)+));
        }
    };
}

impl Stage {
    /// Judges the run that has drained.
    pub(super) async fn judge(&mut self, stored: &StoredAsset) -> Result<(), String> {
        let content = &stored.asset.content;
        let record = &stored
            .asset
            .scribe
            .as_ref()
            .ok_or("the document has no record")?
            .record;
        let woven = woven(content);
        let turns = self.onlooker().turns(&self.key).await.unwrap();
        let waiting = self.documents.waiting_turns(&self.key).await.unwrap();

        for (&n, &acknowledged) in &self.said {
            let id = turn(&self.key, n).message_id;
            let times = content.matches(&marker(n)).count();
            ensure!(times <= 1, "turn {n} is in the document {times} times");
            let known = turns.iter().find(|turn| turn.message_id == id);
            let seq = known.map(|turn| turn.seq).unwrap_or_default();
            // With the highest sequence no floor and no order come into it: only the id counts.
            let standing = record.standing(
                &self.key.conversation,
                &id,
                seq.max(scribe_core::turn::Seq(u64::MAX)),
            );
            let copy = waiting.iter().find(|turn| turn.event.message_id == id);
            let is_replaced = self.replaced.get(&n).is_some_and(|by| woven.contains(by));
            ensure!(
                !is_replaced || times == 0,
                "turn {n} is in the document behind the one that replaced it"
            );
            ensure!(
                (standing == Standing::Applied) == (times == 1 || is_replaced),
                "turn {n} is {times} times in the text, and {standing:?} in the record"
            );
            if times == 1 || is_replaced {
                ensure!(copy.is_none(), "turn {n} is in the document and under waiting/");
                match known.map(|turn| turn.state) {
                    Some(TriggerState::Processed) => {}
                    None if self.forgot => {}
                    other => return Err(format!("turn {n} is in the document, and redis says {other:?}")),
                }
                continue;
            }
            let lost_twice = self.stands_once.contains(&n) && self.fault().is_some_and(Fault::loses_turns);
            if !acknowledged || lost_twice {
                continue;
            }
            let Some(copy) = copy else {
                return Err(format!(
                    "turn {n} was acknowledged and is lost; redis says {known:?}"
                ));
            };
            ensure!(copy.state == WaitingState::Parked, "turn {n} still waits");
            ensure!(copy.reason.is_some(), "turn {n} is parked without a reason");
            ensure!(
                copy.event.assistant_response == said(n),
                "turn {n} is parked without its texts"
            );
            ensure!(
                self.poisoned.contains(&n),
                "turn {n} is parked: {:?}",
                copy.reason
            );
            ensure!(
                known.is_some_and(|turn| turn.state == TriggerState::Failed && turn.reason.is_some()),
                "turn {n} is parked, and the list of turns says {known:?}"
            );
        }
        let strangers: Vec<_> = woven.iter().filter(|n| !self.said.contains_key(n)).collect();
        ensure!(strangers.is_empty(), "nobody said {strangers:?}");

        let mut highest = 0;
        for &n in &woven {
            let id = turn(&self.key, n).message_id;
            let known = turns.iter().find(|turn| turn.message_id == id);
            if n < highest {
                let may_be_late = self.replayed.contains(&n) || self.fault().is_some_and(Fault::forgets);
                ensure!(may_be_late, "turn {n} came late: {woven:?}");
                ensure!(
                    known.is_none_or(|turn| turn.late),
                    "turn {n} came late and nothing says so: {woven:?}"
                );
            }
            highest = highest.max(n);
        }

        let lease = self.key_of("lease");
        let holder: Option<String> = self.command(&["GET", &lease]).await;
        ensure!(
            holder.as_deref().is_none_or(|holder| holder == "pause"),
            "a lease is left"
        );
        for typed in &self.typed {
            ensure!(
                content.contains(typed.as_str()),
                "what a person typed is gone: {typed}"
            );
        }
        self.judge_model()
    }

    /// The model is paid once a turn: what the script and one fault ask for comes on top.
    fn judge_model(&self) -> Result<(), String> {
        let asked = self.world.model.asked_for();
        let mut calls: BTreeMap<usize, usize> = BTreeMap::new();
        for &n in &asked {
            *calls.entry(n).or_default() += 1;
        }
        let fallen = usize::from(self.fallen.is_some()) * ASKED_AGAIN;
        let bound = self.said.len() + self.allowance + fallen;
        ensure!(
            asked.len() <= bound,
            "the model was asked for {calls:?}, at most {bound} are in order"
        );
        if let Some(fallen) = &self.fallen {
            let since = &asked[fallen.asked.len()..];
            for n in &fallen.woven {
                ensure!(
                    !since.contains(n),
                    "turn {n} was in the document, and the model was asked again"
                );
            }
        }
        Ok(())
    }
}
