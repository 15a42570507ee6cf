//! One conversation in a world of its own, with a model that takes its time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scribe_core::blocks::Manifest;
use scribe_core::{ActiveScribeSession, ConversationKey};
use scribe_engine::{Engine, NarratorConfig, Outcome};
use scribe_trigger::{Recorder, TurnRequest};
use serde_json::json;
use tokio::time::Instant;

use super::model::{Call, Pace, PacedModel, PromptCache};
use super::prose::Prose;
use crate::world::{Action, Moment, RedisTap, World, id, key, run};

/// A turn, measured.
pub(super) struct Measured {
    /// From the event to the end of its invocation.
    pub(super) time: Duration,
    /// What of it was the model's, by its pace.
    pub(super) model: Duration,
    pub(super) call: Call,
    /// What the model was told to write.
    pub(super) said: String,
}

impl Measured {
    /// What is left of the time without the model: ours, that of Redis and S3, and what a busy machine adds.
    pub(super) fn own(&self) -> Duration {
        self.time.saturating_sub(self.model)
    }
}

pub(super) struct Talk {
    pub(super) world: World,
    pub(super) model: PacedModel,
    pub(super) prose: Prose,
    pub(super) session: ActiveScribeSession,
    engine: Arc<Engine>,
    recorder: Recorder,
    key: ConversationKey,
    turns: usize,
    /// What was woven in over all.
    woven: Vec<String>,
}

impl Talk {
    /// A conversation whose document has so many tokens; without any, as a start leaves it. The process is warm.
    pub(super) async fn about(tokens: usize, seed: u64) -> Self {
        let model = PacedModel::start(Pace::NONE, PromptCache::default()).await;
        let narrator = NarratorConfig::new(model.url().parse().unwrap(), "paced".into());
        let world = World::with(|config| config.narrator = narrator).await;
        let key = key("c1");
        let session = world.start(&key).await.session;
        let mut prose = Prose::new(seed);
        if tokens > 0 {
            let content = prose.document("The Amber Road", tokens);
            let fill = |asset: &mut scribe_core::MediaAsset| {
                let state = asset.scribe.as_mut().unwrap();
                state.blocks = Manifest::of_scribe(&content);
                asset.content.clone_from(&content);
            };
            world.person_writes(&session, fill).await;
        }
        Self {
            engine: world.engine(),
            recorder: world.recorder(),
            world,
            model,
            prose,
            session,
            key,
            turns: 0,
            woven: Vec::new(),
        }
    }

    /// The next turn, with what the model does about it.
    pub(super) async fn turn(&mut self, pace: Pace) -> Measured {
        let passage = self.prose.passage(self.turns);
        let edit = json!({ "action": "append", "block": null, "hash": null, "markdown": passage });
        self.turn_with(pace, passage, &edit).await
    }

    /// The next turn, in which the assistant says something, and the model makes this edit of it.
    pub(super) async fn turn_with(&mut self, pace: Pace, said: String, edit: &serde_json::Value) -> Measured {
        self.turns += 1;
        let message = format!("m{}", self.turns);
        let request = TurnRequest::new(
            self.key.tenant.clone(),
            self.key.conversation.clone(),
            id(&message),
            self.prose.question(),
            said.clone(),
        );
        self.recorder.record(request).await.unwrap();
        let event = self.world.lambda.take().unwrap();
        self.model.set_pace(pace);
        self.model
            .will_say(json!({ "edits": [edit], "reason": null }).to_string());

        let begin = Instant::now();
        let outcome = run(&self.engine, &event).await;
        let time = begin.elapsed();

        let written = Outcome::Written {
            message_id: id(&message),
            late: false,
        };
        assert_eq!(outcome, Ok(written));
        assert_eq!(self.model.calls(), self.turns, "one question for each turn");
        let call = self.model.last_call();
        self.woven.push(said.clone());
        Measured {
            time,
            model: pace.of(&call),
            call,
            said,
        }
    }

    /// So many turns; the nth takes the model's time if `is_paced` says so.
    pub(super) async fn turns(&mut self, count: usize, is_paced: impl Fn(usize) -> bool) -> Vec<Measured> {
        let mut measured = Vec::with_capacity(count);
        for n in 0..count {
            let pace = if is_paced(n) { Pace::REAL } else { Pace::NONE };
            measured.push(self.turn(pace).await);
        }
        measured
    }

    /// The round trips of a warm turn, one after the other; the model's among them by its name only.
    pub(super) async fn round_trips(&mut self) -> Vec<String> {
        let gate = Arc::clone(&self.world.gate);
        let tap = RedisTap::start(self.world.redis.address(), Arc::clone(&gate)).await;
        self.world.config.trigger.redis_url = tap.url().into();
        self.engine = self.world.engine();
        // A new process reads the document once.
        self.turn(Pace::NONE).await;
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let steps = Arc::clone(&seen);
        gate.set(move |step| {
            if step.moment == Moment::Before {
                steps
                    .lock()
                    .unwrap()
                    .push(format!("{:?} {}", step.wire, step.name));
            }
            Action::Pass
        });
        self.turn(Pace::NONE).await;
        gate.open();
        std::mem::take(&mut *seen.lock().unwrap())
    }

    /// Whether the document has every passage once, and the record every turn.
    pub(super) async fn check(&self) {
        let stored = self.world.document(&self.session).await;
        for passage in &self.woven {
            assert_eq!(
                stored.asset.content.matches(passage.as_str()).count(),
                1,
                "{passage}"
            );
        }
        let record = &stored.asset.scribe.as_ref().unwrap().record;
        assert_eq!(record.turns(&self.key.conversation), self.turns as u64);
    }
}
