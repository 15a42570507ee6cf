//! The lease of a conversation, kept while its turn is written.

use std::time::Duration;

use scribe_core::ConversationKey;
use scribe_trigger::Ledger;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Renews the lease until it is dropped or the invocation's deadline has come.
///
/// It is renewed by a timer and not by progress: nothing flows before a model's first token. Losing it is no error:
/// the ETag is what fences writers off, and a holder that lost it merely neither caches nor hands on.
pub(super) struct Lease {
    pub(super) token: String,
    renewal: Option<JoinHandle<()>>,
}

impl Lease {
    pub(super) fn token() -> String {
        uuid::Uuid::new_v4().simple().to_string()
    }

    pub(super) fn keep(ledger: &Ledger, key: &ConversationKey, token: String, deadline: Instant) -> Self {
        let every: Duration = ledger.lease() / 3;
        let (ledger, key, held) = (ledger.clone(), key.clone(), token.clone());
        let renewal = tokio::spawn(async move {
            let mut timer = tokio::time::interval_at(Instant::now() + every, every);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while timer.tick().await < deadline {
                match ledger.renew(&key, &held).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::warn!(conversation.id = %key, "the lease of {key} was lost while its turn is written");
                        return;
                    }
                    // The next tick tries again; until then the lease may end.
                    Err(error) => {
                        tracing::warn!(conversation.id = %key, "the lease of {key} was not renewed: {error}");
                    }
                }
            }
        });
        Self {
            token,
            renewal: Some(renewal),
        }
    }

    /// Stops the renewal and waits for one that is under way, so that none reaches Redis after what comes next.
    pub(super) async fn stop(&mut self) {
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
            // Aborted or done, both are what was asked for.
            let _ = renewal.await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
    }
}
