//! Who acts: a chat that records turns, Lambda that delivers events and tries again, the API, the sweeper.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use scribe_core::style::StyleChoice;
use scribe_engine::conversations::Start;
use scribe_engine::{Outcome, SweepConfig, Sweeper, TurnFailure};
use scribe_trigger::{Delivery, TurnEvent};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::stage::{Acted, Stage};
use crate::world::{id, turn};

/// How often Lambda delivers an event: once, and two retries.
const DELIVERIES: usize = 3;

/// An invocation that stands at the model.
pub(super) struct Underway {
    event: TurnEvent,
    task: JoinHandle<Result<Outcome, TurnFailure>>,
    go: Arc<Notify>,
}

impl Stage {
    /// The chat records its nth turn, once. Answers whether that was acknowledged.
    pub(super) async fn say(&mut self, n: usize) -> bool {
        let recorder = self.recorder();
        let replaced = self.replaced.iter().find(|(_, by)| **by == n);
        let turn = match replaced {
            Some((replaced, _)) => turn(&self.key, n).replacing(turn(&self.key, *replaced).message_id),
            None => turn(&self.key, n),
        };
        let recorded = self.perform(async move { recorder.record(turn).await }).await;
        let acknowledged = match recorded {
            Some(Ok(recorded)) => match recorded.delivery {
                Delivery::Invoked | Delivery::Deferred | Delivery::Direct => true,
                Delivery::Off | Delivery::None => false,
            },
            Some(Err(_)) | None => false,
        };
        let said = self.said.entry(n).or_default();
        *said |= acknowledged;
        acknowledged
    }

    /// The chat records its nth turn and says it again, under the same id, until it is acknowledged.
    pub(super) async fn insist(&mut self, n: usize) {
        for _ in 0..3 {
            if self.say(n).await {
                return;
            }
        }
        panic!("turn {n} was never acknowledged");
    }

    /// The same for a turn that is said instead of another one.
    pub(super) async fn insist_instead(&mut self, n: usize, replaced: usize) {
        self.replaced.insert(replaced, n);
        self.insist(n).await;
    }

    /// Lambda delivers the next event of this conversation, and again if it fails. Answers whether there was one.
    pub(super) async fn deliver_next(&mut self) -> bool {
        let Some(event) = self.take_event() else {
            return false;
        };
        self.deliver(event).await;
        true
    }

    pub(super) async fn deliver_all(&mut self) {
        while self.deliver_next().await {}
    }

    /// Takes the next event of this conversation out of Lambda's queue; what an earlier run left is dropped.
    pub(super) fn take_event(&mut self) -> Option<TurnEvent> {
        while let Some(event) = self.world.lambda.take() {
            if event.key() == self.key {
                self.delivered.push(event.clone());
                return Some(event);
            }
        }
        None
    }

    pub(super) async fn deliver(&mut self, event: TurnEvent) {
        for _ in 0..DELIVERIES {
            if let Some(Ok(_)) = self.invoke(&event).await {
                return;
            }
            // A minute goes by, or two.
            self.end_pause().await;
        }
        self.given_up.push(event);
    }

    async fn invoke(&mut self, event: &TurnEvent) -> Option<Result<Outcome, TurnFailure>> {
        let (process, event) = (self.process(), event.clone());
        self.perform(async move {
            let deadline = Instant::now() + Duration::from_secs(60);
            process.process_turn(&event, deadline).await
        })
        .await
    }

    /// Begins an invocation and lets it go on until the model thinks; none where it did not come that far.
    pub(super) async fn begin(&mut self, event: TurnEvent) -> Option<Underway> {
        let (reached, go) = self.world.model.hold();
        let (process, own) = (self.process(), event.clone());
        let mut task = tokio::spawn(async move {
            let deadline = Instant::now() + Duration::from_secs(60);
            process.process_turn(&own, deadline).await
        });
        let ended = self.drive(&mut task, &reached).await;
        if let Acted::Holds = ended {
            self.held_by_another = true;
            self.leave_process();
            return Some(Underway { event, task, go });
        }
        // Nobody is to meet the hold that this one did not come to.
        self.world.model.forget_script();
        if !matches!(ended, Acted::Ended(Ok(_))) {
            self.end_pause().await;
            self.deliver(event).await;
        }
        None
    }

    /// Lets an invocation that was begun go on to its end.
    pub(super) async fn finish(&mut self, underway: Option<Underway>) {
        let Some(Underway { event, mut task, go }) = underway else {
            return;
        };
        self.held_by_another = false;
        go.notify_one();
        let ended = self.drive(&mut task, &Notify::new()).await;
        if !matches!(ended, Acted::Ended(Ok(_))) {
            self.end_pause().await;
            self.deliver(event).await;
        }
    }

    /// Starts the scribe; the same request again until it is answered well.
    pub(super) async fn start(&mut self) {
        for _ in 0..3 {
            let conversations = self.conversations();
            let start = self.start_request();
            let asset = self.asset.clone();
            let started = self
                .perform(async move { conversations.start(&start, asset).await })
                .await;
            if let Some(Ok(_)) = started {
                return;
            }
        }
        panic!("the scribe was never started");
    }

    /// A conversation whose scribe runs and whose session is warm. Nothing passes a tap for it.
    pub(super) async fn prepare(&mut self) {
        let start = self.start_request();
        self.onlooker().start(&start, self.asset.clone()).await.unwrap();
    }

    fn start_request(&self) -> Start {
        Start {
            key: self.key.clone(),
            user: id("default-user"),
            title: "The Amber Road".into(),
            style: StyleChoice::Auto,
            instructions: None,
        }
    }

    /// A person replays a failed turn; the same request again until it is answered well.
    pub(super) async fn replay(&mut self, n: usize) {
        self.replayed.insert(n);
        self.poisoned.remove(&n);
        for _ in 0..3 {
            let (conversations, key) = (self.conversations(), self.key.clone());
            let message_id = turn(&key, n).message_id;
            let replayed = self
                .perform(async move { conversations.replay(&key, &message_id).await })
                .await;
            if let Some(Ok(_)) = replayed {
                return;
            }
        }
        panic!("turn {n} was never replayed");
    }

    /// Switches the scribe; the same request again until it is answered well.
    pub(super) async fn toggle(&mut self, on: bool) {
        for _ in 0..3 {
            let (conversations, key) = (self.conversations(), self.key.clone());
            let toggled = self
                .perform(async move { conversations.toggle(&key, on).await })
                .await;
            if let Some(Ok(session)) = toggled {
                assert_eq!(session.unwrap().scribe_enabled, on);
                return;
            }
        }
        panic!("the scribe was never switched");
    }

    /// The sweeper looks, hours after everything that happened.
    pub(super) async fn sweep(&mut self) {
        self.hours += 1;
        let now = Timestamp::now() + SignedDuration::from_hours(self.hours);
        for _ in 0..3 {
            let sweeper = self.sweeper();
            let until = Instant::now() + Duration::from_secs(600);
            let looked = self.perform(async move { sweeper.look(now, until).await }).await;
            if let Some(Ok(_)) = looked {
                return;
            }
        }
        panic!("the sweeper never looked");
    }

    /// The on-failure destination's reader takes what Lambda gave up; its queue keeps what it failed to take.
    pub(super) async fn take_given_up(&mut self) {
        for event in std::mem::take(&mut self.given_up) {
            let mut taken = None;
            for _ in 0..3 {
                let (sweeper, event) = (self.sweeper(), event.clone());
                taken = self
                    .perform(async move { sweeper.take_given_up(&event).await })
                    .await;
                if let Some(Ok(_)) = taken {
                    break;
                }
            }
            assert!(matches!(taken, Some(Ok(_))), "{event:?} was never taken");
        }
    }

    fn sweeper(&self) -> Sweeper {
        let (dispatcher, documents) = self.wires();
        Sweeper::new(self.world.ledger(), dispatcher, documents, SweepConfig::default())
    }
}
