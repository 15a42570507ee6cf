//! Event sources: a schedule, and a queue that holds the on-failure destination's records.
//!
//! Both invoke synchronously, as EventBridge's retries are off and SQS waits for the answer. A record is removed from
//! the destination once the function has taken it; one that it reports as failed, and all of a batch whose invocation
//! fails, are delivered again after the visibility timeout. A stop ends both at once: what was not taken is there at
//! the next start.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::LambdaService;
use super::asynchronous::Events;
use super::function::{ACCOUNT, REGION};
use super::lineage::Trace;
use super::on_failure::FailureRecord;
use super::pool::Pool;
use super::sandbox::{Outcome, Request};

/// How many messages SQS hands to a function at once, where nothing else is configured.
const BATCH: usize = 10;

/// What a function says of a batch.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BatchAnswer {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

impl LambdaService {
    /// Invokes a function now and then again and again, never twice at once.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn schedule(&self, function: &str, every: Duration) -> anyhow::Result<()> {
        let (function, events) = (self.function(function)?, Arc::clone(&self.events));
        let task = async move {
            let mut timer = tokio::time::interval(every);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                timer.tick().await;
                let payload = json!({
                    "version": "0",
                    "id": Uuid::new_v4().to_string(),
                    "detail-type": "Scheduled Event",
                    "source": "aws.events",
                    "account": ACCOUNT,
                    "time": format!("{:.0}", Timestamp::now()),
                    "region": REGION,
                    "resources": [],
                    "detail": {},
                });
                if let Err(error) = invoke(&function, &payload).await {
                    let name = &function.config.name;
                    let error = String::from_utf8_lossy(&error.0);
                    tracing::warn!(function.name = %name, "the scheduled run of {name} failed: {error}");
                }
            }
        };
        self.until_stop(&events, task);
        Ok(())
    }

    /// Hands the records of the on-failure destination to a function, in batches as SQS does.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn deliver_failures(&self, function: &str, visibility_timeout: Duration) -> anyhow::Result<()> {
        let (function, events) = (self.function(function)?, Arc::clone(&self.events));
        let on_failure = events.on_failure.clone();
        let task = async move {
            loop {
                let records = on_failure.list();
                if records.as_ref().is_ok_and(Vec::is_empty) {
                    on_failure.written().await;
                    continue;
                }
                let delivered = match records {
                    Ok(records) => deliver(&function, &records, &on_failure).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = delivered {
                    let name = &function.config.name;
                    tracing::warn!(function.name = %name, "records of the on-failure destination wait: {error:#}");
                    tokio::time::sleep(visibility_timeout).await;
                }
            }
        };
        self.until_stop(&events, task);
        Ok(())
    }

    fn function(&self, name: &str) -> anyhow::Result<Arc<Pool>> {
        let function = self.events.functions.get(name);
        Ok(Arc::clone(function.with_context(|| {
            format!("there is no function of the name {name}")
        })?))
    }

    fn until_stop(&self, events: &Events, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.events.stopping.clone();
        events.tasks.spawn(async move {
            stopping.run_until_cancelled(task).await;
        });
    }
}

async fn deliver(
    function: &Arc<Pool>,
    records: &[FailureRecord],
    on_failure: &super::OnFailure,
) -> anyhow::Result<()> {
    let mut kept = 0;
    for batch in records.chunks(BATCH) {
        let messages = batch.iter().map(message).collect::<anyhow::Result<Vec<_>>>()?;
        let answer = invoke(function, &json!({ "Records": messages })).await;
        let answer = answer.map_err(|error| anyhow::anyhow!("{}", String::from_utf8_lossy(&error.0)))?;
        let answer: BatchAnswer = serde_json::from_slice(&answer).unwrap_or_default();
        let failed: HashSet<&str> = answer
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.as_str())
            .collect();
        for record in batch {
            let id = &record.request_context.request_id;
            if failed.contains(id.as_str()) {
                kept += 1;
            } else {
                on_failure.remove(id)?;
            }
        }
    }
    anyhow::ensure!(
        kept == 0,
        "the function could not take {kept} of {}",
        records.len()
    );
    Ok(())
}

fn message(record: &FailureRecord) -> anyhow::Result<Value> {
    let id = &record.request_context.request_id;
    Ok(json!({
        "messageId": id,
        "receiptHandle": id,
        "body": serde_json::to_string(record)?,
        "attributes": { "ApproximateReceiveCount": "1" },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:failed-events"),
        "awsRegion": REGION,
    }))
}

async fn invoke(function: &Arc<Pool>, payload: &Value) -> Outcome {
    // The permits live as long as the function.
    let Ok(permit) = Arc::clone(&function.permits).acquire_owned().await else {
        return std::future::pending().await;
    };
    let seconds = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let (trace, _) = Trace::read(None, seconds, Uuid::new_v4()).enter(&function.config.arn());
    let request = Request {
        request_id: Uuid::new_v4().to_string(),
        payload: payload.to_string().into(),
        trace: trace.header(),
    };
    function.run(permit, request).await
}
