//! The API: the scribe's own router, over clients that know this stack's endpoints.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use axum::serve::ListenerExt as _;
use scribe_api::{ApiState, EventSettings, Events, OpenChats, Stop, Stopping};
use scribe_engine::narrator::{DEFAULT_BASE_URL, DEFAULT_MODEL};
use scribe_engine::{ChatConfig, Conversations, Documents, Upstream};
use scribe_trigger::{Dispatcher, Ledger, Recorder, TriggerConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::bucket;
use super::config::StackConfig;
use super::endpoints::Endpoints;
use super::function::FUNCTION_NAME;

/// The longest that `/healthz` waits.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long requests that are being answered may take after a stop.
const GRACE: Duration = Duration::from_secs(2);
/// How long it may take to note the chats that were still being answered then.
const NOTING: Duration = Duration::from_secs(2);

/// The API, serving. Dropping it stops it at once.
#[derive(Debug)]
pub(crate) struct Api {
    stop: CancellationToken,
    /// Streams of events have no end of their own.
    streams: Stop,
    chats: OpenChats,
    server: AbortOnDropHandle<()>,
}

/// What the routes need.
pub(crate) fn state(
    config: &StackConfig,
    endpoints: &Endpoints,
    stopping: Stopping,
) -> anyhow::Result<ApiState> {
    let trigger = TriggerConfig::new(
        endpoints.redis.expose().to_owned().into(),
        FUNCTION_NAME.to_owned(),
    )
    .tuned_by_env()?;
    anyhow::ensure!(
        config.redis.is_some() || !trigger.redis_cluster,
        "SCRIBE_REDIS_CLUSTER is set, but not REDIS_URL, and the Redis that is started here is no cluster"
    );
    let ledger = Ledger::connect(&trigger).context("REDIS_URL can't be used")?;
    let dispatcher = Dispatcher::new(lambda_client(endpoints, trigger.invoke_timeout), &trigger);
    let documents = Documents::new(bucket::client(&endpoints.s3), config.bucket.clone());
    let base_url = endpoints.model.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
    let mut chat = ChatConfig::new(
        base_url.parse().context("OPENAI_BASE_URL can't be used")?,
        DEFAULT_MODEL.to_owned(),
    );
    let key = endpoints.model.api_key.as_ref();
    chat.api_key = key.map(|key| key.expose().to_owned().into());
    let chat = Upstream::new(chat.tuned_by_env()?)?;
    Ok(ApiState {
        chat,
        open_chats: OpenChats::default(),
        conversations: Conversations::new(ledger.clone(), documents, dispatcher.clone()),
        recorder: Recorder::new(ledger, dispatcher, &trigger),
        health_timeout: HEALTH_TIMEOUT,
        events: Events::new(EventSettings::from_env()?, stopping),
    })
}

fn lambda_client(endpoints: &Endpoints, timeout: Duration) -> aws_sdk_lambda::Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(TimeoutConfig::builder().operation_timeout(timeout).build())
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .region(Region::new(endpoints.s3.region.clone()))
        .endpoint_url(&endpoints.lambda)
        .credentials_provider(bucket::credentials(&endpoints.s3))
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

impl Api {
    /// Serves the routes on `listener`.
    pub(crate) fn serve(
        listener: TcpListener,
        router: axum::Router,
        streams: Stop,
        chats: OpenChats,
    ) -> Self {
        let stop = CancellationToken::new();
        // Without it a piece of an answer may wait 40 ms for the acknowledgement of the one before.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("the API could not set nodelay: {error}");
            }
        });
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let server = tokio::spawn(async move {
            // It ends only when told to: accept errors are retried inside.
            let _ = serving.await;
        });
        Self {
            stop,
            streams,
            chats,
            server: AbortOnDropHandle::new(server),
        }
    }

    /// Accepts nothing more and answers what it has accepted. Chats that take longer are cut; then all turns are recorded,
    /// or noted as incomplete, while Redis and Lambda are still there.
    pub(crate) async fn stop(mut self) {
        self.streams.stop();
        self.stop.cancel();
        let is_serving = tokio::time::timeout(GRACE, &mut self.server).await.is_err();
        let last_answers = async {
            // Who is told that the service stops has to get it before the process is gone.
            if is_serving {
                let _ = tokio::time::timeout(NOTING, self.server).await;
            }
        };
        let (are_noted, ()) = tokio::join!(self.chats.close(NOTING), last_answers);
        if !are_noted {
            tracing::warn!("a turn of a chat was neither recorded nor noted as incomplete before the end");
        }
    }
}
