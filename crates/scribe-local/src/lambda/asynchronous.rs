//! Asynchronous invocation: what happens to an event after the 202.
//!
//! Each event is a task of its own: it waits for a permit, runs, and is forgotten; or it fails, waits and runs
//! again under the same request id, and when it may not run again it goes to the on-failure destination. Events
//! of a function begin in the order in which they came, but nothing keeps them in order after that. A stop leaves
//! what is not done on disk, and the next start takes it up again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event_queue::{EventQueue, QueuedEvent, bytes};
use super::function::RecursiveLoop;
use super::lineage::MOST_ROUNDS;
use super::on_failure::{Condition, OnFailure};
use super::pool::Pool;
use super::refusal::Refusal;
use super::sandbox::{FunctionError, Request};

/// The functions and their events.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) functions: HashMap<String, Arc<Pool>>,
    pub(super) on_failure: OnFailure,
    pub(super) queue: EventQueue,
    /// No more events are begun.
    pub(super) stopping: CancellationToken,
    /// Everything that runs.
    pub(super) tasks: TaskTracker,
    /// How many events are not done.
    pub(super) unfinished: watch::Sender<usize>,
}

/// What becomes of an event after a run or a wait.
enum Next {
    Done,
    Again,
    /// The service is stopping; the event stays on disk.
    Later,
}

impl Events {
    /// Takes up what an earlier start left. What ran when it ended has failed, and nobody knows which those were,
    /// so all of it waits first as after a failure: whatever the dead runs held must have time to expire.
    pub(super) fn resume(self: &Arc<Self>) -> anyhow::Result<()> {
        for event in self.queue.unfinished()? {
            let function = self.functions.get(&event.function);
            let function = function.with_context(|| {
                format!(
                    "event {} is for {}, which is not a function here",
                    event.request_id, event.function
                )
            })?;
            let wait = function.config.retry_wait(event.attempts.max(1));
            self.deliver(Arc::clone(function), event, wait);
        }
        Ok(())
    }

    /// Accepts an event: it is on disk when this returns. `round` is how often the function is invoked in this
    /// chain of requests, this time included.
    pub(super) async fn accept(
        self: &Arc<Self>,
        function: &Arc<Pool>,
        event: QueuedEvent,
        payload: Box<RawValue>,
        round: u32,
    ) -> anyhow::Result<()> {
        let config = &function.config;
        if round > MOST_ROUNDS && config.recursive_loop == RecursiveLoop::Terminate {
            let arn = config.arn();
            let reason = Refusal::RecursiveLoop(arn.clone()).to_string();
            tracing::warn!(function.name = %config.name, request.id = %event.request_id, "{reason}");
            let error = FunctionError::new("RecursiveInvocationException", &reason);
            let condition = Condition::RetriesExhausted;
            return self
                .on_failure
                .give_up(&event, &arn, condition, payload, Some(&error))
                .await;
        }
        self.queue.store(&event, payload).await?;
        self.deliver(Arc::clone(function), event, Duration::ZERO);
        Ok(())
    }

    fn deliver(self: &Arc<Self>, function: Arc<Pool>, event: QueuedEvent, wait: Duration) {
        self.unfinished.send_modify(|count| *count += 1);
        let events = Arc::clone(self);
        self.tasks.spawn(async move {
            let request_id = event.request_id.clone();
            if let Err(error) = events.run_until_done(&function, event, wait).await {
                let error = format!("{error:#}");
                tracing::error!(request.id = %request_id, error, "event {request_id} waits for the next start");
            }
            events.unfinished.send_modify(|count| *count -= 1);
        });
    }

    async fn run_until_done(
        self: &Arc<Self>,
        function: &Arc<Pool>,
        mut event: QueuedEvent,
        mut wait: Duration,
    ) -> anyhow::Result<()> {
        let mut duplicate = function.config.duplicate_delivery;
        loop {
            // A timer has a granularity; what need not wait does not touch it.
            let waiting = async {
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
            };
            if self.stopping.run_until_cancelled(waiting).await.is_none() {
                return Ok(());
            }
            if std::mem::take(&mut duplicate) {
                let payload = self.queue.payload(&event).await?;
                self.run_beside(Arc::clone(function), request(&event, &payload));
            }
            match self.run(function, &mut event).await? {
                Next::Done => return self.queue.remove(&event).await,
                Next::Later => return Ok(()),
                Next::Again => wait = function.config.retry_wait(event.attempts),
            }
        }
    }

    async fn run(&self, function: &Arc<Pool>, event: &mut QueuedEvent) -> anyhow::Result<Next> {
        let permit = Arc::clone(&function.permits).acquire_owned();
        let Some(permit) = self.stopping.run_until_cancelled(permit).await else {
            return Ok(Next::Later);
        };
        let permit = permit.context("the permits of the function are gone")?;
        let payload = self.queue.payload(event).await?;
        let arn = function.config.arn();
        let age = Timestamp::now().duration_since(event.accepted_at);
        if Duration::try_from(age).unwrap_or_default() > function.config.maximum_event_age {
            self.on_failure
                .give_up(event, &arn, Condition::EventAgeExceeded, payload, None)
                .await?;
            return Ok(Next::Done);
        }
        let error = match function.run(permit, request(event, &payload)).await {
            Ok(_) => return Ok(Next::Done),
            // It may have failed because its process was killed: it costs no attempt.
            Err(_) if self.stopping.is_cancelled() => return Ok(Next::Later),
            Err(error) => error,
        };
        event.attempts += 1;
        if event.attempts > function.config.maximum_retry_attempts {
            self.on_failure
                .give_up(event, &arn, Condition::RetriesExhausted, payload, Some(&error))
                .await?;
            return Ok(Next::Done);
        }
        self.queue.store(event, payload).await?;
        Ok(Next::Again)
    }

    /// Delivers an event a second time; what comes of it doesn't count.
    fn run_beside(self: &Arc<Self>, function: Arc<Pool>, request: Request) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let permit = Arc::clone(&function.permits).acquire_owned();
            if let Some(Ok(permit)) = stopping.run_until_cancelled(permit).await {
                let _ = function.run(permit, request).await;
            }
        });
    }
}

fn request(event: &QueuedEvent, payload: &RawValue) -> Request {
    Request {
        request_id: event.request_id.clone(),
        payload: bytes(payload),
        trace: event.trace.clone(),
    }
}
