//! How a conversation ends for Redis: its document is deleted, or removed for good with all that is known of it.

use scribe_core::turn::Seq;
use scribe_core::{AssetId, ConversationKey, MessageId};

use super::sessions::encode;
use super::{Keys, Ledger, LedgerError, backlog_key, sessions_key, shard};
use crate::live::LiveEvent;

/// What ending a session did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// No scribe belongs to the conversation any more; the given turns are among the failed ones.
    Ended,
    /// The session is another document's by now. Nothing was changed.
    Other,
    /// These turns wait and were not given. Nothing was changed.
    Waiting(Vec<(MessageId, Seq)>),
}

impl Ledger {
    /// Ends the session of a conversation that writes to the document. What waits must stand under `waiting/` as
    /// parked, with the reason, and be given.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn end(
        &self,
        key: &ConversationKey,
        asset: &AssetId,
        parked: &[MessageId],
        reason: &str,
    ) -> Result<Ended, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.end.prepare_invoke();
        call.key(keys.active)
            .key(keys.trigger)
            .key(&keys.queue)
            .arg(asset.as_str())
            .arg(reason)
            .arg(self.session_ttl.as_secs())
            .arg(self.trigger_ttl.as_secs())
            .arg(keys.events);
        for message_id in parked {
            call.arg(message_id.as_str())
                .arg(encode(&LiveEvent::failed(message_id))?);
        }
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        let malformed = || LedgerError::Malformed {
            key: keys.queue.clone(),
            reason: "the script end answered something else".into(),
        };
        match answer
            .split_first()
            .map(|(outcome, rest)| (outcome.as_str(), rest))
        {
            Some(("ended", _)) => Ok(Ended::Ended),
            Some(("other", _)) => Ok(Ended::Other),
            Some(("waiting", rest)) => {
                let turn = |pair: &[String]| match pair {
                    [id, seq] => Ok((
                        id.parse().map_err(|_| malformed())?,
                        Seq(seq.parse().map_err(|_| malformed())?),
                    )),
                    _ => Err(malformed()),
                };
                rest.chunks(2)
                    .map(turn)
                    .collect::<Result<_, _>>()
                    .map(Ended::Waiting)
            }
            _ => Err(malformed()),
        }
    }

    /// Forgets turns that are written: the document in which they are is removed for good. What is owed is not touched.
    /// Answers how many were known.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn forget_turns(&self, key: &ConversationKey, ids: &[MessageId]) -> Result<u64, LedgerError> {
        let mut call = self.scripts.forget_turns.prepare_invoke();
        call.key(Keys::of(key).trigger);
        for id in ids {
            call.arg(id.as_str());
        }
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Forgets all that Redis knows of a conversation, its turns' texts included.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached; some of it may be gone.
    pub async fn forget(&self, key: &ConversationKey) -> Result<(), LedgerError> {
        let keys = Keys::of(key);
        let mut connection = self.connection.clone();
        redis::cmd("DEL")
            .arg(keys.active)
            .arg(keys.trigger)
            .arg(keys.queue)
            .arg(keys.lease)
            .query_async::<()>(&mut connection)
            .await?;
        let shard = shard(key);
        // They lie in slots of their own.
        for list in [backlog_key(shard), sessions_key(shard)] {
            redis::cmd("ZREM")
                .arg(list)
                .arg(key.to_string())
                .query_async::<()>(&mut connection)
                .await?;
        }
        Ok(())
    }
}
