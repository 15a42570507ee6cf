//! Asynchronous invocation of the summarizer.
//!
//! `InvocationType=Event`: Lambda answers 202 once its own queue has the event, and retries the function by itself.
//! A failed invoke loses nothing, because the turn stands in Redis as well; the sweeper brings it back.

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;

use crate::aws;
use crate::config::TriggerConfig;
use crate::event::TurnEvent;

/// Lambda did not take the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("function {function} was not invoked: {reason}")]
pub struct DispatchError {
    /// The function's name.
    pub function: String,
    /// What went wrong.
    pub reason: String,
}

/// Invokes the summarizer.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    client: Client,
    function: String,
    tenant_isolation: bool,
}

impl Dispatcher {
    /// A dispatcher with the environment's credentials, region and endpoint (`AWS_ENDPOINT_URL_LAMBDA`).
    pub async fn from_env(config: &TriggerConfig) -> Self {
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws::https_client())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(config.invoke_timeout)
                    .build(),
            )
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .load()
            .await;
        Self::new(Client::new(&shared), config)
    }

    /// A dispatcher with a client of the caller's.
    #[must_use]
    pub fn new(client: Client, config: &TriggerConfig) -> Self {
        Self {
            client,
            function: config.function.clone(),
            tenant_isolation: config.tenant_isolation,
        }
    }

    /// Hands the event to Lambda's queue.
    ///
    /// # Errors
    /// [`DispatchError`] if Lambda can't be reached in time or refuses. It may have taken the event all the same.
    pub async fn invoke(&self, event: &TurnEvent) -> Result<(), DispatchError> {
        let failed = |reason: String| DispatchError {
            function: self.function.clone(),
            reason,
        };
        let payload = serde_json::to_vec(event).map_err(|error| failed(error.to_string()))?;
        let tenant = self.tenant_isolation.then(|| event.tenant_id.to_string());
        self.client
            .invoke()
            .function_name(&self.function)
            .invocation_type(InvocationType::Event)
            .set_tenant_id(tenant)
            .payload(Blob::new(payload))
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(aws::describe(&error)))
    }
}
