//! Turns as they stand, for whoever asks. Nothing here changes one.

use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_core::{ConversationKey, MessageId};

use super::outcomes::{QueueStatus, StampedTurns};
use super::turns::{decode_trigger, seq_of_score};
use super::{Keys, Ledger, LedgerError, SHARDS, backlog_key};

impl Ledger {
    /// Reads a turn.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn trigger(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
    ) -> Result<Option<ScribeTrigger>, LedgerError> {
        let name = Keys::of(key).trigger;
        let found: Option<String> = redis::cmd("HGET")
            .arg(&name)
            .arg(message_id.as_str())
            .query_async(&mut self.connection.clone())
            .await?;
        decode_trigger(&found.unwrap_or_default(), &name)
    }

    /// Lists the turns of a conversation that Redis knows, by sequence.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn triggers(&self, key: &ConversationKey) -> Result<Vec<ScribeTrigger>, LedgerError> {
        Ok(self.stamped_triggers(key).await?.turns)
    }

    /// Lists the turns of a conversation with the stamp of their last change, all of one moment.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn stamped_triggers(&self, key: &ConversationKey) -> Result<StampedTurns, LedgerError> {
        let name = Keys::of(key).trigger;
        let found: Vec<(String, String)> = redis::cmd("HGETALL")
            .arg(&name)
            .query_async(&mut self.connection.clone())
            .await?;
        let mut stamped = StampedTurns {
            turns: Vec::with_capacity(found.len()),
            last_change: 0,
            last_forgotten: 0,
        };
        for (field, text) in &found {
            match field.as_str() {
                ":last-change" => stamped.last_change = text.parse().unwrap_or_default(),
                ":forgotten" => stamped.last_forgotten = text.parse().unwrap_or_default(),
                // Fields that begin with a colon are the ledger's own, ids have none.
                own if own.starts_with(':') => {}
                _ => stamped.turns.extend(decode_trigger(text, &name)?),
            }
        }
        stamped.turns.sort_by_key(|trigger| trigger.seq);
        Ok(stamped)
    }

    /// Lists the turns of all conversations that wait, conversation by conversation.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn unprocessed(&self) -> Result<Vec<(ConversationKey, ScribeTrigger)>, LedgerError> {
        let mut connection = self.connection.clone();
        let mut unprocessed = Vec::new();
        for shard in 0..SHARDS {
            let members: Vec<String> = redis::cmd("ZRANGE")
                .arg(backlog_key(shard))
                .arg(0)
                .arg(-1)
                .query_async(&mut connection)
                .await?;
            for key in members
                .iter()
                .filter_map(|member| member.parse::<ConversationKey>().ok())
            {
                for trigger in self.triggers(&key).await? {
                    if matches!(trigger.state, TriggerState::Pending | TriggerState::Processing) {
                        unprocessed.push((key.clone(), trigger));
                    }
                }
            }
        }
        Ok(unprocessed)
    }

    /// How many turns wait, since when, and whether one is being written.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn queue_status(&self, key: &ConversationKey) -> Result<QueueStatus, LedgerError> {
        let keys = Keys::of(key);
        let (waiting, oldest, lease): (u64, Vec<(String, f64)>, Option<String>) = redis::pipe()
            .cmd("ZCARD")
            .arg(&keys.queue)
            .cmd("ZRANGE")
            .arg(&keys.queue)
            .arg(0)
            .arg(0)
            .arg("WITHSCORES")
            .cmd("GET")
            .arg(keys.lease)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(QueueStatus {
            waiting,
            oldest: oldest.first().map(|&(_, score)| seq_of_score(score)),
            writing: lease.is_some_and(|holder| holder != "pause"),
        })
    }

    /// The turn that is being written, as far as Redis knows: the oldest waiting one, while the lease is held.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn writing(&self, key: &ConversationKey) -> Result<Option<ScribeTrigger>, LedgerError> {
        let keys = Keys::of(key);
        let (lease, oldest): (Option<String>, Vec<String>) = redis::pipe()
            .cmd("GET")
            .arg(keys.lease)
            .cmd("ZRANGE")
            .arg(&keys.queue)
            .arg(0)
            .arg(0)
            .query_async(&mut self.connection.clone())
            .await?;
        let written = lease
            .filter(|holder| holder != "pause")
            .and_then(|_| oldest.into_iter().next());
        let Some(message_id) = written.and_then(|id| id.parse().ok()) else {
            return Ok(None);
        };
        let oldest = self.trigger(key, &message_id).await?;
        if oldest.as_ref().is_none_or(|turn| turn.replaced_by.is_none()) {
            return Ok(oldest);
        }
        // It may have been passed over.
        let mut turns = self.triggers(key).await?.into_iter();
        Ok(turns.find(|turn| turn.state == TriggerState::Processing))
    }
}
