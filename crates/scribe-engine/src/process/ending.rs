//! How an attempt ends: the turn is completed, waits for another attempt, or is parked.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use scribe_core::turn::ScribeTrigger;
use scribe_core::{ConversationKey, MessageId};
use scribe_trigger::LiveEvent;
use scribe_trigger::ledger::{CachedAsset, Completion, Parked, Release};
use scribe_trigger::record::unix_ms;

use super::attempt::Claimant;
use super::commit::Committed;
use super::failure::AttemptError;
use super::settle::Own;
use super::{Engine, Outcome, Service, TurnFailure};
use crate::copies::{remove_copy, tell_of_copy};
use crate::documents::StoredAsset;

impl Engine {
    /// States the fact in Redis, removes the turn's copy, and hands on.
    pub(super) async fn complete(&self, claimant: &Claimant<'_>, committed: Committed) -> Outcome {
        let key = &claimant.key;
        let message_id = claimant.trigger.message_id.clone();
        let stored = &committed.stored;
        let asset = CachedAsset {
            json: stored.json.clone(),
            etag: stored.etag.clone(),
        };
        let completion = Completion {
            trigger: &claimant.trigger,
            token: &claimant.lease.token,
            last_update_at: stored
                .asset
                .metadata
                .last_scribe_update
                .as_deref()
                .unwrap_or(&stored.asset.updated_at),
            message_count: committed.turns,
            late: committed.late,
            asset: Some(&asset),
        };
        let mut waiting = claimant.trigger.waiting;
        let (mut next, mut told) = (None, true);
        match self.ledger.complete(key, &completion).await {
            Ok(completed) => {
                waiting |= completed.waiting;
                next = completed.next;
                told = completed.held_lease;
            }
            // The turn is in the document; the next claim finds it there and completes it without a model.
            Err(error) => tracing::warn!(
                turn.id = %message_id,
                conversation.id = %key,
                "turn {message_id} is in its document, but redis was not told: {error}"
            ),
        }
        let turn = claimant.turn_event();
        tokio::join!(
            async {
                if waiting {
                    remove_copy(&self.documents, &turn).await;
                }
            },
            async {
                // Only the holder of the lease tells readers that the turn is written.
                if !told {
                    claimant.live.withdraw().await;
                }
            },
            async {
                if committed.asked_model {
                    self.tell_other_conversations(key, &message_id, stored).await;
                }
            },
            self.hand_on(claimant.event, &claimant.session.text_asset_id, next)
        );
        if committed.asked_model {
            Outcome::Written {
                message_id,
                late: committed.late,
            }
        } else {
            Outcome::AlreadyWritten { message_id }
        }
    }

    /// Tells the readers of the document's other conversations that it has a new version. There mostly are none.
    async fn tell_other_conversations(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
        stored: &StoredAsset,
    ) {
        let event = &LiveEvent::version(&stored.etag, &key.conversation, message_id);
        let others = stored.asset.conversations().into_iter();
        let told = others.filter(|other| *other != key.conversation).map(|other| {
            let other = ConversationKey::new(key.tenant.clone(), other);
            async move {
                if let Err(error) = self.ledger.publish(&other, event).await {
                    tracing::info!(
                        turn.id = %message_id,
                        conversation.id = %other,
                        "readers of {other} were not told of turn {message_id} of {key}: {error}"
                    );
                }
            }
        });
        join_all(told).await;
    }

    /// Parks the turn or gives the lease back with a pause.
    pub(super) async fn fail(
        &self,
        claimant: &Claimant<'_>,
        error: AttemptError,
        own: &mut Own,
    ) -> Result<Outcome, TurnFailure> {
        let trigger = &claimant.trigger;
        let message_id = trigger.message_id.clone();
        let patience = &self.config.patience;
        // What the process holds may be what failed.
        self.drop_held(&claimant.key.tenant, &claimant.session.text_asset_id);
        let (pause, service_failure, reason, failure): (Duration, bool, String, TurnFailure) = match error {
            AttemptError::Permanent { reason } => return self.park(claimant, reason, own).await,
            AttemptError::Erased => return Ok(self.let_go(claimant, own).await),
            AttemptError::Counted { reason } if trigger.attempts >= patience.attempts => {
                return self.park(claimant, reason, own).await;
            }
            AttemptError::Counted { reason } => {
                let pause = patience.after_attempt(trigger.attempts);
                let (attempt, pause_s) = (trigger.attempts, pause.as_secs());
                let failure = TurnFailure::AttemptFailed {
                    message_id,
                    attempt,
                    pause_s,
                    reason: reason.clone(),
                };
                (pause, false, reason, failure)
            }
            AttemptError::Service {
                service,
                reason,
                retry_after,
            } => {
                let failing_for = failing_for(trigger);
                if failing_for >= patience.service {
                    return self.park(claimant, reason, own).await;
                }
                let failures = trigger.service_failures + 1;
                let pause = patience.after_service_failure(failures, failing_for, retry_after);
                let (pause_s, said) = (pause.as_secs(), reason.clone());
                let failure = match service {
                    Service::Model => TurnFailure::ModelUnavailable {
                        message_id,
                        pause_s,
                        reason: said,
                    },
                    Service::Storage => TurnFailure::StorageUnavailable {
                        message_id,
                        pause_s,
                        reason: said,
                    },
                };
                (pause, true, reason, failure)
            }
        };
        let release = Release {
            message_id: &trigger.message_id,
            token: &claimant.lease.token,
            pause,
            service_failure,
            reason: &reason,
            usage: trigger.usage,
        };
        if let Err(error) = self.ledger.release(&claimant.key, &release).await {
            tracing::warn!(
                turn.id = %trigger.message_id,
                conversation.id = %claimant.key,
                "the lease of {} was not given back and ends by itself: {error}",
                claimant.key
            );
        }
        Err(failure)
    }

    /// Drops a turn whose document was removed for good while it was being written. Its text must not come back.
    async fn let_go(&self, claimant: &Claimant<'_>, own: &mut Own) -> Outcome {
        let key = &claimant.key;
        tracing::info!(
            turn.id = %claimant.trigger.message_id,
            conversation.id = %key,
            "turn {} of {key} is owed nowhere: its document was removed for good",
            claimant.trigger.message_id
        );
        own.not_owed();
        if let Err(error) = self.ledger.abandon(key, &claimant.lease.token).await {
            tracing::warn!(conversation.id = %key, "the lease of {key} was not given back and ends by itself: {error}");
        }
        Outcome::NoScribe
    }

    /// Parks a turn: its object under `waiting/` gets the reason first, then Redis.
    async fn park(
        &self,
        claimant: &Claimant<'_>,
        reason: String,
        own: &mut Own,
    ) -> Result<Outcome, TurnFailure> {
        let message_id = claimant.trigger.message_id.clone();
        if let Err(error) = self.documents.park_waiting(&claimant.turn_event(), &reason).await {
            return Err(TurnFailure::NotSettled {
                message_id,
                reason: error.to_string(),
            });
        }
        own.saw(claimant.event, &message_id);
        tracing::error!(
            turn.id = %message_id,
            conversation.id = %claimant.key,
            "turn {message_id} of {} is parked, replay it once the cause is gone: {reason}",
            claimant.key
        );
        match self
            .ledger
            .park(&claimant.key, &claimant.trigger, &claimant.lease.token, &reason)
            .await
        {
            Ok(Parked::Parked { next }) => {
                self.hand_on(claimant.event, &claimant.session.text_asset_id, next)
                    .await;
            }
            Ok(Parked::Refused) => {
                // Another invocation has the turn now. If it succeeds, it is to remove the copy. Or the turn waits no
                // longer, because the conversation was ended; then the lease is still ours, and nobody's any more.
                tell_of_copy(&self.ledger, &self.documents, &claimant.turn_event()).await;
                let _ = self.ledger.abandon(&claimant.key, &claimant.lease.token).await;
            }
            Err(error) => tracing::warn!(
                turn.id = %message_id,
                conversation.id = %claimant.key,
                "turn {message_id} is parked, but redis was not told: {error}"
            ),
        }
        Ok(Outcome::Parked { message_id })
    }
}

/// How long services have been failing a turn, by the clocks of Redis and this process.
fn failing_for(trigger: &ScribeTrigger) -> Duration {
    let now = unix_ms(Timestamp::now());
    let since = trigger.failing_since.unwrap_or(now);
    Duration::from_millis(now.saturating_sub(since))
}
