//! A stand-in for a language model, for machines without a key.
//!
//! It speaks the real protocol, so that the same client runs as in the cloud, and it writes honest extracts: whole
//! sentences of the turn, with who said them. It is no model: it does not understand, correct or rewrite anything.
//!
//! Asked in a chat it says that it is none, so that the chat's routes can be tried without a key.
//!
//! - `protocol`: OpenAI's chat completions on the wire;
//! - `reading`: the turn and the document, found in the prompt;
//! - `sentences`, `extract`: what is worth writing, and how it is written.

mod extract;
mod protocol;
mod reading;
mod sentences;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How long answers that are being written may take after [`StandInModel::stop`].
const GRACE: Duration = Duration::from_secs(1);

/// How fast the stand-in writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// The time before the first token.
    pub first_token: Duration,
    /// How many tokens it writes in a second; as many as it can where there is no number.
    pub tokens_per_second: Option<u32>,
}

impl Pace {
    fn between(self) -> Duration {
        self.tokens_per_second
            .map_or(Duration::ZERO, |tokens| Duration::from_secs(1) / tokens.max(1))
    }

    fn whole(self, tokens: usize) -> Duration {
        self.first_token + self.between() * u32::try_from(tokens).unwrap_or(u32::MAX)
    }
}

/// A running stand-in. Dropping it stops it at once.
#[derive(Debug)]
pub struct StandInModel {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    /// One task, aborted when this is dropped.
    serving: JoinSet<()>,
}

impl StandInModel {
    /// Serves on `listener`, as fast as it can.
    ///
    /// # Errors
    /// If the listener has no address.
    pub async fn start(listener: TcpListener) -> anyhow::Result<Self> {
        Self::start_paced(listener, Pace::default()).await
    }

    /// Serves on `listener` at the pace of a real model.
    ///
    /// # Errors
    /// If the listener has no address.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime to spawn on, which a plain function would not show"
    )]
    pub async fn start_paced(listener: TcpListener, pace: Pace) -> anyhow::Result<Self> {
        let address = listener
            .local_addr()
            .context("could not tell the address of the model's listener")?;
        let (stop, stopped) = oneshot::channel::<()>();
        // Without it a chunk may wait 40 ms for the acknowledgement of the one before.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the stand-in model could not set nodelay"
                );
            }
        });
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let serve = axum::serve(listener, protocol::router(pace)).with_graceful_shutdown(async {
                // Also when the sender is gone.
                stopped.await.ok();
            });
            if let Err(error) = serve.await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the stand-in model stopped serving"
                );
            }
        });
        Ok(Self {
            address,
            stop,
            serving,
        })
    }

    /// Where it listens; the base URL is `http://{address}/v1`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and gives those that are being answered a moment.
    pub async fn stop(mut self) {
        // An error says that the task has ended already: there is nothing to stop.
        self.stop.send(()).ok();
        if tokio::time::timeout(GRACE, self.serving.join_next())
            .await
            .is_err()
        {
            tracing::debug!("the stand-in model cuts answers that took longer than {GRACE:?} to finish");
            self.serving.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests;
