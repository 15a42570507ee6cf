//! The ledger: what Redis holds, and every transition of it.
//!
//! Redis coordinates and caches. It may lose everything or any part at any time: the truth is in S3, and whatever
//! is not there yet stands in Lambda's queue or under S3's `waiting/` as well.
//!
//! | key | value | TTL |
//! |---|---|---|
//! | `scribe:active:{tenant/conversation}` | hash: `session` (JSON, the spec's `ActiveScribeSession`), `etag`, and `asset` where it is not too large (never without its `etag`); or only `none`, the mark that no scribe belongs here | 24 h |
//! | `scribe:trigger:{tenant/conversation}` | hash: message id to JSON, the spec's `ScribeTrigger`; `:last-seq` | 7 days |
//! | `scribe:queue:{tenant/conversation}` | sorted set: waiting message ids by sequence | 7 days |
//! | `scribe:lease:{tenant/conversation}` | the token of who is writing, or `pause` | 10 s |
//! | `scribe:backlog:{shard}` | sorted set: `tenant/conversation` by when a turn was last recorded (ms) | – |
//! | `scribe:sessions:{shard}` | sorted set: `tenant/conversation` by when the session ends (ms); a hint | – |
//! | `scribe:events:{tenant/conversation}` | channel: what becomes of turns, as [`LiveEvent`](crate::LiveEvent)s | – |
//!
//! The braces are literal: Redis Cluster hashes what is between them, so one conversation lies in one slot and one
//! script can touch all its keys. One transition is one script in a file of its own under `scripts/`.
//! Backlog and sessions lie in other slots, so they are a command of their own, sent after the queue's.

mod channel;
mod connection;
mod endings;
mod incomplete;
mod looking;
mod outcomes;
mod scripts;
mod sessions;
mod subscription;
mod sweeps;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use scribe_core::ConversationKey;
use sha2::{Digest, Sha256};

use crate::config::TriggerConfig;
use connection::Connection;
use scripts::Scripts;
use subscription::Hub;

pub use endings::Ended;
pub use incomplete::Noted;
pub use outcomes::{
    Claim, ClaimRequest, Claimed, Completed, Completion, Parked, QueueStatus, RecordOutcome, Release,
    Replayed, StampedTurns,
};
pub use sessions::{CachedAsset, Lookup, Registration, SessionUpdate, Toggled};
pub use subscription::{Heard, Subscription};
pub use sweeps::{BACKLOG_SHARDS, BacklogEntry, Known, Sweep, SweepPace};

/// Over how many keys backlog and sessions are spread, so that no slot of a cluster is hot.
pub(crate) const SHARDS: u8 = 16;

/// A Redis operation failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Redis could not be reached, or refused.
    #[error("redis is unavailable: {0}")]
    Unavailable(redis::RedisError),
    /// No answer within the caller's time.
    #[error("redis did not answer in time")]
    TimedOut,
    /// `REDIS_URL` can't be used.
    #[error("REDIS_URL can't be used: {0}")]
    Url(String),
    /// A key holds what this version can't read.
    #[error("{key} holds what can't be read: {reason}")]
    Malformed {
        /// The key, or the script that answered.
        key: String,
        /// Why, without the value.
        reason: String,
    },
}

impl From<redis::RedisError> for LedgerError {
    // Not the source, which would be printed twice where errors are printed with theirs.
    fn from(error: redis::RedisError) -> Self {
        Self::Unavailable(error)
    }
}

impl LedgerError {
    pub(crate) fn malformed(key: impl Into<String>, error: &serde_json::Error) -> Self {
        // serde_json repeats values in its messages; a value here may be a turn's text.
        let reason = format!(
            "{:?} error at line {} column {}",
            error.classify(),
            error.line(),
            error.column()
        );
        Self::Malformed {
            key: key.into(),
            reason,
        }
    }
}

/// The keys of one conversation.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) active: String,
    pub(crate) trigger: String,
    pub(crate) queue: String,
    pub(crate) lease: String,
    pub(crate) events: String,
}

impl Keys {
    pub(crate) fn of(key: &ConversationKey) -> Self {
        let named = |kind: &str| format!("scribe:{kind}:{{{key}}}");
        Self {
            active: named("active"),
            trigger: named("trigger"),
            queue: named("queue"),
            lease: named("lease"),
            events: named("events"),
        }
    }
}

/// The shard of a conversation in the two lists that go over all conversations.
fn shard(key: &ConversationKey) -> u8 {
    Sha256::digest(key.to_string().as_bytes())[0] % SHARDS
}

pub(crate) fn backlog_key(shard: u8) -> String {
    format!("scribe:backlog:{{{shard}}}")
}

pub(crate) fn sessions_key(shard: u8) -> String {
    format!("scribe:sessions:{{{shard}}}")
}

/// Redis, seen as sessions, turns, queues and leases. Cloning shares the connection.
#[derive(Clone)]
pub struct Ledger {
    connection: Connection,
    /// What its readers listen on.
    hub: Arc<Hub>,
    scripts: &'static Scripts,
    session_ttl: Duration,
    trigger_ttl: Duration,
    lease: Duration,
    cache_bytes: usize,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Ledger {
    /// Prepares a connection; it is made at the first command and again whenever it is lost.
    ///
    /// # Errors
    /// [`LedgerError::Url`] if the URL can't be used.
    pub fn connect(config: &TriggerConfig) -> Result<Self, LedgerError> {
        let (connection, server) = Connection::open(config)?;
        let hub = Hub::new(server, connection.clone(), config.redis_timeout);
        Ok(Self {
            connection,
            hub: Arc::new(hub),
            scripts: scripts::all(),
            session_ttl: config.session_ttl,
            trigger_ttl: config.trigger_ttl,
            lease: config.lease,
            cache_bytes: config.cache_bytes,
        })
    }

    /// How long a lease lasts without renewal.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Whether an asset of this many bytes of JSON is cached in Redis.
    #[must_use]
    pub fn caches(&self, bytes: usize) -> bool {
        bytes <= self.cache_bytes
    }

    /// Asks Redis whether it is there.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] if it is not.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        redis::cmd("PING")
            .query_async::<()>(&mut self.connection.clone())
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_conversation_share_a_slot() {
        let key: ConversationKey = "default/c1".parse().unwrap();
        let keys = Keys::of(&key);
        for name in [
            &keys.active,
            &keys.trigger,
            &keys.queue,
            &keys.lease,
            &keys.events,
        ] {
            assert!(name.ends_with(":{default/c1}"), "{name}");
        }
        assert!(shard(&key) < SHARDS);
        assert_eq!(backlog_key(3), "scribe:backlog:{3}");
    }
}
