//! What the sweeper asks and does, and what a person does with failed turns.

use std::time::Duration;

use scribe_core::turn::{ScribeTrigger, Seq, TriggerState};
use scribe_core::{AssetId, ConversationKey, MessageId};

use super::sessions::encode;
use super::turns::{decode_trigger, millis, parse_seq, parse_state, unknown};
use super::{Keys, Ledger, LedgerError, SHARDS, backlog_key, shard};

/// A conversation that had waiting turns when its entry was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogEntry {
    /// Which conversation.
    pub key: ConversationKey,
    /// When a turn was last recorded, in milliseconds since 1970.
    pub noted_ms: u64,
}

/// How long a turn waits before the sweeper invokes for it, and how often it does.
#[derive(Debug, Clone, Copy)]
pub struct SweepPace<'a> {
    /// From its recording to the first invocation.
    pub after: Duration,
    /// Then from each invocation to the next; beyond them a tenth of how long the turn has waited.
    pub pauses: &'a [Duration],
    /// The longest pause.
    pub longest_pause: Duration,
}

/// Whether somebody is to be invoked for a conversation.
#[derive(Debug)]
pub enum Sweep {
    /// No turn waits, or none is owed.
    Empty,
    /// The scribe is switched off.
    Off,
    /// Somebody writes, the conversation pauses, or it is too early.
    Later,
    /// The oldest turn has waited too long. It counts as invoked from now on.
    Due {
        /// The turn.
        trigger: Box<ScribeTrigger>,
        /// The document, where Redis knows the session.
        text_asset_id: Option<AssetId>,
    },
    /// The oldest turn has waited too long, and Redis has lost its text.
    Lost {
        /// Its id.
        message_id: MessageId,
        /// Its place in the conversation.
        seq: Seq,
    },
}

/// How many shards [`Ledger::backlog`] knows.
pub const BACKLOG_SHARDS: u8 = SHARDS;

impl Ledger {
    /// Reads one shard of the backlog, the longest untouched conversations first.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn backlog(&self, shard: u8) -> Result<Vec<BacklogEntry>, LedgerError> {
        let found: Vec<(String, f64)> = redis::cmd("ZRANGE")
            .arg(backlog_key(shard))
            .arg(0)
            .arg(-1)
            .arg("WITHSCORES")
            .query_async(&mut self.connection.clone())
            .await?;
        // What is no conversation was not written by this ledger and is left alone.
        let entries = found.into_iter().filter_map(|(member, score)| {
            let key = member.parse().ok()?;
            let noted_ms = super::turns::seq_of_score(score).0;
            Some(BacklogEntry { key, noted_ms })
        });
        Ok(entries.collect())
    }

    /// Removes a conversation from the backlog; answers false where a turn was recorded since the entry was read.
    /// Only the sweeper calls it, for an entry that is older than a minute and where nothing waits.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn forget_backlog(&self, entry: &BacklogEntry) -> Result<bool, LedgerError> {
        let mut call = self.scripts.forget_backlog.prepare_invoke();
        call.key(backlog_key(shard(&entry.key)))
            .arg(entry.key.to_string())
            .arg(entry.noted_ms);
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Asks whether somebody is to be invoked for a conversation, and notes that it is being done.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn sweep(
        &self,
        key: &ConversationKey,
        now_ms: u64,
        pace: SweepPace<'_>,
    ) -> Result<Sweep, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.sweep.prepare_invoke();
        call.key(keys.active)
            .key(&keys.trigger)
            .key(keys.queue)
            .key(keys.lease)
            .arg(now_ms)
            .arg(millis(pace.after))
            .arg(millis(pace.longest_pause))
            .arg(self.trigger_ttl.as_secs());
        for pause in pace.pauses {
            call.arg(millis(*pause));
        }
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        let field = |index: usize| {
            answer
                .get(index)
                .map(String::as_str)
                .ok_or_else(|| unknown("sweep"))
        };
        match field(0)? {
            "empty" | "none" => Ok(Sweep::Empty),
            "off" => Ok(Sweep::Off),
            "busy" | "early" => Ok(Sweep::Later),
            "due" => Ok(Sweep::Due {
                trigger: decode_trigger(field(1)?, &keys.trigger)?
                    .map(Box::new)
                    .ok_or_else(|| unknown("sweep"))?,
                text_asset_id: field(2)?.parse().ok(),
            }),
            "lost" => Ok(Sweep::Lost {
                message_id: field(1)?.parse().map_err(|_| unknown("sweep"))?,
                seq: parse_seq(field(2)?, "sweep")?,
            }),
            _ => Err(unknown("sweep")),
        }
    }

    /// Waiting turns that stand in Redis alone once their events have ended: recorded before `after`, and without a copy
    /// under `waiting/`. The oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn uncopied(
        &self,
        key: &ConversationKey,
        now_ms: u64,
        after: Duration,
        limit: usize,
    ) -> Result<Vec<ScribeTrigger>, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.uncopied.prepare_invoke();
        call.key(&keys.trigger)
            .key(keys.queue)
            .arg(now_ms)
            .arg(millis(after))
            .arg(limit);
        let found: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        let mut triggers = Vec::with_capacity(found.len());
        for json in &found {
            triggers.extend(decode_trigger(json, &keys.trigger)?);
        }
        Ok(triggers)
    }

    /// Moves a waiting turn without a text to the failed ones; answers false where somebody writes, or the text is
    /// there after all. Its object under `waiting/` must have the reason already.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn park_lost(&self, key: &ConversationKey, lost: &ScribeTrigger) -> Result<bool, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.park_lost.prepare_invoke();
        call.key(keys.trigger)
            .key(keys.queue)
            .key(keys.lease)
            .arg(encode(lost)?)
            .arg(self.trigger_ttl.as_secs());
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Forgets a failed turn; answers where it stood, none if Redis did not know it. Only a failed one is forgotten,
    /// and the document's record must have its id already.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn dismiss(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
    ) -> Result<Option<TriggerState>, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.dismiss.prepare_invoke();
        call.key(keys.trigger).key(keys.queue).arg(message_id.as_str());
        let state: String = call.invoke_async(&mut self.connection.clone()).await?;
        parse_state(&state, "dismiss")
    }

    /// Which of these turns Redis can say nothing about, or has in no queue although they wait: what it has lost.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn standings(
        &self,
        key: &ConversationKey,
        message_ids: &[MessageId],
    ) -> Result<Vec<Known>, LedgerError> {
        if message_ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = Keys::of(key);
        let names: Vec<&str> = message_ids.iter().map(MessageId::as_str).collect();
        let (triggers, queued): (Vec<Option<String>>, Vec<Option<f64>>) = redis::pipe()
            .cmd("HMGET")
            .arg(&keys.trigger)
            .arg(&names)
            .cmd("ZMSCORE")
            .arg(keys.queue)
            .arg(&names)
            .query_async(&mut self.connection.clone())
            .await?;
        let mut standings = Vec::with_capacity(names.len());
        for (found, score) in triggers.into_iter().zip(queued) {
            let trigger = decode_trigger(&found.unwrap_or_default(), &keys.trigger)?;
            standings.push(match trigger {
                None => Known::No,
                Some(trigger) => match trigger.state {
                    TriggerState::Incomplete => Known::No,
                    TriggerState::Processed => Known::Processed,
                    TriggerState::Failed => Known::Failed {
                        text_lost: trigger.text_lost,
                    },
                    TriggerState::Pending | TriggerState::Processing if score.is_some() => Known::Waiting,
                    TriggerState::Pending | TriggerState::Processing => Known::InNoQueue,
                },
            });
        }
        Ok(standings)
    }
}

/// What Redis knows of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    No,
    /// It waits in the queue.
    Waiting,
    /// It waits, but the queue was lost.
    InNoQueue,
    /// It is in its document.
    Processed,
    /// It is parked.
    Failed {
        /// Whether Redis had lost its text when it was parked.
        text_lost: bool,
    },
}
