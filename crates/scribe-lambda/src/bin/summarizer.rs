//! The summarizer: one invocation, one turn.

use std::sync::Arc;
use std::time::SystemTime;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use scribe_engine::{Engine, EngineConfig, Outcome, TurnFailure};
use scribe_lambda::time_left;
use scribe_trigger::{EventError, TurnEvent};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

/// What Lambda is told of a failed invocation. It has types of its own, so that alarms can tell them apart.
#[derive(Debug)]
enum Failure {
    /// The payload is not an event. Trying again does not help, but the on-failure queue keeps the payload.
    Event(EventError),
    /// The turn could not be processed.
    Turn(TurnFailure),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let (error_type, error_message) = match failure {
            Failure::Event(error) => ("Scribe.EventUnreadable", error.to_string()),
            Failure::Turn(error) => (error.error_type(), error.to_string()),
        };
        Self {
            error_type: error_type.into(),
            error_message,
        }
    }
}

async fn summarize(engine: &Engine, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Failure> {
    let left = time_left(
        event.context.deadline(),
        SystemTime::now(),
        engine.config().function_timeout,
    );
    let turn = TurnEvent::parse(event.payload.get()).map_err(Failure::Event)?;
    let outcome = engine
        .process_turn(&turn, Instant::now() + left)
        .await
        .map_err(Failure::Turn)?;
    tracing::info!(
        turn.id = %turn.message_id,
        conversation.id = %turn.key(),
        "event of turn {} of {}: {outcome}",
        turn.message_id,
        turn.key()
    );
    Ok(answer(&outcome))
}

fn answer(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Written { message_id, late } => {
            json!({ "outcome": "written", "messageId": message_id, "late": late })
        }
        Outcome::AlreadyWritten { message_id } => {
            json!({ "outcome": "alreadyWritten", "messageId": message_id })
        }
        Outcome::Parked { message_id } => json!({ "outcome": "parked", "messageId": message_id }),
        Outcome::Busy => json!({ "outcome": "busy" }),
        Outcome::Nothing => json!({ "outcome": "nothing" }),
        Outcome::Disabled => json!({ "outcome": "disabled" }),
        Outcome::NoScribe => json!({ "outcome": "noScribe" }),
        Outcome::RedisUnreachable => json!({ "outcome": "redisUnreachable" }),
    }
}

// One thread: nearly all of a turn is waiting for the model, and several invocations share the thread well.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let engine = Arc::new(Engine::connect(EngineConfig::from_env()?).await?);
    let handler = service_fn(move |event| {
        let engine = Arc::clone(&engine);
        async move { summarize(&engine, event).await }
    });
    lambda_runtime::run_concurrent(handler).await
}
