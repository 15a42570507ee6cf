//! The backlog: conversations that may have waiting turns, and whether somebody is to be invoked for them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use scribe_core::turn::{ScribeTrigger, Seq};
use scribe_core::{AssetId, ConversationKey, MessageId};
use scribe_trigger::ledger::{BACKLOG_SHARDS, BacklogEntry, Sweep, SweepPace};
use scribe_trigger::record::unix_ms;
use scribe_trigger::{LedgerError, TurnEvent};
use tokio::time::Instant;

use super::{SweepError, Sweeper, Swept};
use crate::copies::tell_of_copy;
use crate::documents::DocumentsError;
use crate::lost;

/// How many turns of a conversation are copied before Redis is asked for more.
const COPIED_AT_ONCE: usize = 8;

/// How often Redis is asked for more in one look.
const COPY_ROUNDS: usize = 32;

/// How many conversations are asked about, and how many functions invoked, at a time.
const AT_ONCE: usize = 32;

impl Sweeper {
    /// Goes over the conversations that owe turns, then over the backlog.
    pub(super) async fn look_at_backlog(
        &self,
        now: Timestamp,
        until: Instant,
        waiting: BTreeSet<ConversationKey>,
        swept: &mut Swept,
    ) -> Result<(), SweepError> {
        let now_ms = unix_ms(now);
        // What stands under `waiting/` must be in the backlog as well: Redis may have lost that part of its memory.
        let owing = stream::iter(waiting)
            .map(|key| async move {
                self.ledger.note_backlog(&key, now_ms).await?;
                self.sweep_apart(&key, None, now_ms).await
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for done in owing {
            *swept += done?;
        }
        let first = self.first_shard.fetch_add(1, Ordering::Relaxed);
        for shard in 0..BACKLOG_SHARDS {
            let shard = first.wrapping_add(shard) % BACKLOG_SHARDS;
            let entries = self.ledger.backlog(shard).await?;
            let mut looks = stream::iter(entries)
                .map(|entry| async move {
                    if Instant::now() >= until {
                        return Ok(Swept {
                            cut_short: true,
                            ..Swept::default()
                        });
                    }
                    self.sweep_apart(&entry.key, Some(&entry), now_ms).await
                })
                .buffer_unordered(AT_ONCE);
            while let Some(done) = looks.next().await {
                *swept += done?;
            }
        }
        Ok(())
    }

    /// Sweeps one conversation. What can't be read of it is no reason to leave the others alone.
    async fn sweep_apart(
        &self,
        key: &ConversationKey,
        entry: Option<&BacklogEntry>,
        now_ms: u64,
    ) -> Result<Swept, LedgerError> {
        match self.sweep(key, entry, now_ms).await {
            Err(error @ LedgerError::Malformed { .. }) => {
                tracing::error!(
                    conversation.id = %key,
                    "{key} is not swept until what redis holds of it is mended or removed: {error}"
                );
                Ok(Swept {
                    failed: 1,
                    ..Swept::default()
                })
            }
            swept => swept,
        }
    }

    /// Invokes for one conversation if its oldest turn has waited too long; forgets one where nothing waits.
    async fn sweep(
        &self,
        key: &ConversationKey,
        entry: Option<&BacklogEntry>,
        now_ms: u64,
    ) -> Result<Swept, LedgerError> {
        let pace = SweepPace {
            after: self.config.after,
            pauses: &self.config.patience.pauses,
            longest_pause: self.config.patience.longest_pause,
        };
        let answer = self.ledger.sweep(key, now_ms, pace).await?;
        let mut swept = match &answer {
            Sweep::Empty => Swept::default(),
            _ => self.copy_waiting(key, now_ms).await?,
        };
        swept += match answer {
            Sweep::Off | Sweep::Later => Ok(Swept::default()),
            Sweep::Empty => {
                let age = entry.map_or(0, |entry| now_ms.saturating_sub(entry.noted_ms));
                if let Some(entry) = entry.filter(|_| u128::from(age) >= self.config.waiting_age.as_millis())
                {
                    self.ledger.forget_backlog(entry).await?;
                }
                Ok(Swept::default())
            }
            Sweep::Due {
                trigger,
                text_asset_id,
            } => Ok(self.invoke(key, &trigger, text_asset_id).await),
            Sweep::Lost { message_id, seq } => match self.find_lost(key, seq, &message_id).await {
                Ok(done) => Ok(done),
                Err(SweepError::Ledger(error)) => Err(error),
                Err(error @ SweepError::Documents(_)) => {
                    tracing::error!(
                        turn.id = %message_id,
                        conversation.id = %key,
                        "the text of turn {message_id} of {key} is lost in redis, and s3 can't be asked for it: {error}"
                    );
                    Ok(Swept {
                        failed: 1,
                        ..Swept::default()
                    })
                }
            },
        }?;
        Ok(swept)
    }

    /// Puts copies of a conversation's waiting turns under `waiting/`. A turn whose invoke failed stands in Redis alone
    /// for as long as an older one holds it up, the scribe is off, or Lambda refuses the sweeper too.
    async fn copy_waiting(&self, key: &ConversationKey, now_ms: u64) -> Result<Swept, LedgerError> {
        let mut swept = Swept::default();
        for _ in 0..COPY_ROUNDS {
            let turns = self
                .ledger
                .uncopied(key, now_ms, self.config.after, COPIED_AT_ONCE)
                .await?;
            for trigger in &turns {
                let event = TurnEvent::new(&trigger.turn(key), None);
                if let Err(error) = self.documents.put_waiting(&event).await {
                    tracing::error!(
                        turn.id = %trigger.message_id,
                        conversation.id = %key,
                        "turn {} of {key} stands in redis alone, the next look tries to copy it: {error}",
                        trigger.message_id
                    );
                    swept.failed += 1;
                    return Ok(swept);
                }
                swept.copied += 1;
                tell_of_copy(&self.ledger, &self.documents, &event).await;
            }
            if turns.len() < COPIED_AT_ONCE {
                break;
            }
        }
        Ok(swept)
    }

    async fn invoke(
        &self,
        key: &ConversationKey,
        trigger: &ScribeTrigger,
        text_asset_id: Option<AssetId>,
    ) -> Swept {
        let event = TurnEvent::new(&trigger.turn(key), text_asset_id);
        let mut swept = Swept::default();
        match self.dispatcher.invoke(&event).await {
            Ok(()) => {
                tracing::info!(
                    turn.id = %trigger.message_id,
                    conversation.id = %key,
                    "turn {} of {key} waited too long, the summarizer was invoked for it",
                    trigger.message_id
                );
                swept.invoked = 1;
            }
            Err(error) => {
                tracing::warn!(
                    turn.id = %trigger.message_id,
                    conversation.id = %key,
                    "turn {} of {key} waits for the next look: {error}",
                    trigger.message_id
                );
                swept.refused = 1;
            }
        }
        swept
    }

    /// A queued id whose text Redis has lost: it is given back if S3 has it, else parked.
    async fn find_lost(
        &self,
        key: &ConversationKey,
        seq: Seq,
        message_id: &MessageId,
    ) -> Result<Swept, SweepError> {
        if let Some(trigger) = lost::look_up(&self.documents, key, seq, message_id).await? {
            let Some((conversation, _)) = self.documents.conversation(key).await? else {
                return Ok(Swept::default());
            };
            let document = self.document(&conversation).await?;
            self.give_back(&conversation, document.as_ref(), std::slice::from_ref(&trigger))
                .await?;
            let mut swept = self.invoke(key, &trigger, Some(conversation.text_asset_id)).await;
            swept.requeued = 1;
            return Ok(swept);
        }
        let stub = ScribeTrigger {
            state: scribe_core::turn::TriggerState::Failed,
            reason: Some(lost::REASON.into()),
            ..lost::stub(key, seq, message_id)
        };
        let event = TurnEvent::new(&stub.turn(key), None);
        self.park(&event, lost::REASON).await?;
        self.ledger.park_lost(key, &stub).await?;
        Ok(Swept {
            parked: 1,
            ..Swept::default()
        })
    }

    /// Writes the reason to the turn's object, and tells the operator.
    pub(super) async fn park(&self, event: &TurnEvent, reason: &str) -> Result<(), DocumentsError> {
        self.documents.park_waiting(event, reason).await?;
        tracing::error!(
            turn.id = %event.message_id,
            conversation.id = %event.key(),
            "turn {} of {} is parked, replay or dismiss it: {reason}",
            event.message_id,
            event.key()
        );
        Ok(())
    }
}
