//! The sweeper: a schedule invokes it each minute and it looks every 20 seconds; a queue brings it the events that
//! Lambda gave up.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use scribe_engine::{SweepError, Sweeper, Swept};
use scribe_lambda::time_left;
use scribe_trigger::{EventError, TurnEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

/// What is kept of the function's time for the answer; a look that has begun may use it up.
const AFTER_THE_LAST_LOOK: Duration = Duration::from_secs(3);

/// The function's timeout where its deadline makes no sense.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What Lambda sends to the on-failure destination, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureRecord {
    /// The event, as the function was invoked with it.
    request_payload: Box<RawValue>,
}

/// Why a message of the queue can't be taken.
#[derive(Debug, thiserror::Error)]
enum MessageError {
    #[error("it is not a record of Lambda's on-failure destination")]
    NotARecord,
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Sweep(#[from] SweepError),
}

async fn handle(sweeper: &Sweeper, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Diagnostic> {
    let left = time_left(event.context.deadline(), SystemTime::now(), TIMEOUT);
    match serde_json::from_str::<SqsEvent>(event.payload.get()) {
        Ok(batch) if !batch.records.is_empty() => Ok(take_batch(sweeper, batch).await),
        _ => look(sweeper, left).await.map_err(|error| Diagnostic {
            error_type: error.error_type().into(),
            error_message: error.to_string(),
        }),
    }
}

/// Looks as often as there is time for. One failed look does not end it: the next may find what failed well again.
async fn look(sweeper: &Sweeper, left: Duration) -> Result<Value, SweepError> {
    let start = Instant::now();
    let until = start + left.saturating_sub(AFTER_THE_LAST_LOOK).max(left / 2);
    let every = sweeper.config().every;
    let (mut looks, mut total, mut failed) = (0_u32, Swept::default(), None);
    loop {
        match sweeper.look(Timestamp::now(), until).await {
            Ok(swept) => total += swept,
            Err(error) => {
                tracing::error!("a look failed, the next one does what it did not: {error}");
                failed = Some(error);
            }
        }
        looks += 1;
        let next = (start + every * looks).max(Instant::now());
        // The next schedule's looks go on from there.
        if next + every / 2 > start + left || next >= until {
            break;
        }
        tokio::time::sleep_until(next).await;
    }
    if total != Swept::default() {
        tracing::info!(
            "{looks} looks: invoked for {} conversations, refused {}, gave back {} turns, copied {}, removed {} copies, parked {}, \
             could not look at {} conversations",
            total.invoked,
            total.refused,
            total.requeued,
            total.copied,
            total.removed,
            total.parked,
            total.failed
        );
    }
    failed.map_or_else(
        || {
            Ok(json!({
                "looks": looks,
                "invoked": total.invoked,
                "refused": total.refused,
                "requeued": total.requeued,
                "copied": total.copied,
                "removed": total.removed,
                "parked": total.parked,
                "failed": total.failed,
                "cutShort": total.cut_short,
            }))
        },
        Err,
    )
}

/// Takes the queue's messages over. What can't be taken stays in the queue.
async fn take_batch(sweeper: &Sweeper, batch: SqsEvent) -> Value {
    let mut response = SqsBatchResponse::default();
    for message in batch.records {
        if let Err(error) = take(sweeper, &message).await {
            let id = message.message_id.unwrap_or_default();
            tracing::error!("message {id} of the on-failure queue stays there: {error}");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            response.batch_item_failures.push(failure);
        }
    }
    json!(response)
}

async fn take(sweeper: &Sweeper, message: &SqsMessage) -> Result<(), MessageError> {
    let body = message.body.as_deref().unwrap_or_default();
    let record: FailureRecord = serde_json::from_str(body).map_err(|_| MessageError::NotARecord)?;
    let event = TurnEvent::parse(record.request_payload.get())?;
    let taken = sweeper.take_given_up(&event).await?;
    tracing::info!(
        turn.id = %event.message_id,
        conversation.id = %event.key(),
        "Lambda gave up the event of turn {} of {}: {taken:?}",
        event.message_id,
        event.key()
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let sweeper = Arc::new(Sweeper::from_env().await?);
    let handler = service_fn(move |event| {
        let sweeper = Arc::clone(&sweeper);
        async move { handle(&sweeper, event).await }
    });
    lambda_runtime::run_concurrent(handler).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_events_are_told_apart_and_read() {
        let batch: SqsEvent =
            serde_json::from_str(include_str!("../../../../events/failed-events.json")).unwrap();
        let body = batch.records[0].body.as_deref().unwrap();
        let record: FailureRecord = serde_json::from_str(body).unwrap();
        let event = TurnEvent::parse(record.request_payload.get()).unwrap();
        assert_eq!(event.message_id.as_str(), "sample-0001");

        let schedule = include_str!("../../../../events/schedule.json");
        let batch = serde_json::from_str::<SqsEvent>(schedule);
        assert!(!batch.is_ok_and(|batch| !batch.records.is_empty()));
    }
}
