//! Sessions: which conversations have a scribe.

use scribe_core::turn::ScribeTrigger;
use scribe_core::{ActiveScribeSession, ConversationKey};
use serde::{Deserialize, Serialize};

use super::{Keys, Ledger, LedgerError, SHARDS, sessions_key, shard};

/// An asset as Redis caches it: the S3 object's bytes and its ETag.
#[derive(Clone, PartialEq, Eq)]
pub struct CachedAsset {
    /// The whole object, JSON.
    pub json: String,
    /// Its ETag.
    pub etag: String,
}

impl std::fmt::Debug for CachedAsset {
    /// Leaves the document out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CachedAsset({} bytes, etag {})", self.json.len(), self.etag)
    }
}

/// A session that is to be stored.
#[derive(Clone)]
pub struct Registration<'a> {
    /// The session.
    pub session: &'a ActiveScribeSession,
    /// Its asset, to be cached if it is small enough.
    pub asset: Option<CachedAsset>,
    /// Turns that were found under `waiting/`, waiting or parked, to be queued or listed again.
    pub turns: &'a [ScribeTrigger],
    /// Whether a session or mark that is there is replaced. Start and toggle do; a summarizer that only read S3
    /// never does, because what it read may be older.
    pub replace: bool,
}

/// Fields of a session that are to be changed; the others stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionUpdate {
    /// The document's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The title, for URLs and file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// When the document last changed by the scribe, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_at: Option<String>,
}

/// What a toggle did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toggled {
    /// Switched. With `next`, a turn waits and the summarizer is to be invoked.
    Switched {
        /// The session as it is now.
        session: Box<ActiveScribeSession>,
        /// The oldest waiting turn, if the scribe is on now.
        next: Option<Box<ScribeTrigger>>,
    },
    /// Redis has no session of this conversation.
    Unknown,
}

/// What Redis knows of a conversation's scribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// There is one.
    Session(Box<ActiveScribeSession>),
    /// There is none.
    NoScribe,
    /// Nothing.
    Unknown,
}

impl Ledger {
    /// Stores a session. Answers whether it was stored; without `replace` one that is there stays.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn register(&self, registration: Registration<'_>) -> Result<bool, LedgerError> {
        let key = registration.session.key();
        let keys = Keys::of(&key);
        let mut session = registration.session.clone();
        // It is the asset's content; a second copy could only contradict it.
        session.current_content = None;
        let (asset, etag) = registration
            .asset
            .filter(|asset| self.caches(asset.json.len()))
            .map_or_else(Default::default, |asset| (asset.json, asset.etag));
        let mut call = self.scripts.register.prepare_invoke();
        call.key(keys.active)
            .key(keys.trigger)
            .key(keys.queue)
            .arg(if registration.replace { "replace" } else { "absent" })
            .arg(encode(&session)?)
            .arg(asset)
            .arg(etag)
            .arg(self.session_ttl.as_secs())
            .arg(self.trigger_ttl.as_secs());
        for trigger in registration.turns {
            call.arg(encode(trigger)?);
        }
        let stored: bool = call.invoke_async(&mut self.connection.clone()).await?;
        if stored {
            self.note_session(&key).await?;
        }
        Ok(stored)
    }

    /// Notes that no scribe belongs to a conversation. Answers false where a session was registered meanwhile.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn mark_none(&self, key: &ConversationKey) -> Result<bool, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.mark_none.prepare_invoke();
        call.key(keys.active)
            .key(keys.trigger)
            .key(keys.queue)
            .arg(self.session_ttl.as_secs());
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Reads a session, with `current_content` where Redis has the asset.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn session(&self, key: &ConversationKey) -> Result<Option<ActiveScribeSession>, LedgerError> {
        let active = Keys::of(key).active;
        let (session, asset): (Option<String>, Option<String>) = redis::cmd("HMGET")
            .arg(&active)
            .arg("session")
            .arg("asset")
            .query_async(&mut self.connection.clone())
            .await?;
        session
            .map(|session| whole_session(&session, asset, &active))
            .transpose()
    }

    /// The session with its document as [`Self::session`] has it, or that Redis knows there is none.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn look_up(&self, key: &ConversationKey) -> Result<Lookup, LedgerError> {
        let active = Keys::of(key).active;
        let (session, none, asset): (Option<String>, Option<String>, Option<String>) = redis::cmd("HMGET")
            .arg(&active)
            .arg("session")
            .arg("none")
            .arg("asset")
            .query_async(&mut self.connection.clone())
            .await?;
        match session {
            Some(session) => Ok(Lookup::Session(Box::new(whole_session(
                &session, asset, &active,
            )?))),
            None if none.is_some() => Ok(Lookup::NoScribe),
            None => Ok(Lookup::Unknown),
        }
    }

    /// Lists the sessions that are in Redis now, without their documents.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn active_sessions(&self) -> Result<Vec<ActiveScribeSession>, LedgerError> {
        let mut connection = self.connection.clone();
        let mut sessions = Vec::new();
        for shard in 0..SHARDS {
            let members: Vec<String> = redis::cmd("ZRANGE")
                .arg(sessions_key(shard))
                .arg(0)
                .arg(-1)
                .query_async(&mut connection)
                .await?;
            for member in members {
                // A hint may be older than the session it points to, or not be one of ours.
                let Ok(key) = member.parse::<ConversationKey>() else {
                    continue;
                };
                let active = Keys::of(&key).active;
                let found: Option<String> = redis::cmd("HGET")
                    .arg(&active)
                    .arg("session")
                    .query_async(&mut connection)
                    .await?;
                match found {
                    Some(session) => sessions.push(decode_session(&session, &active)?),
                    None => {
                        redis::cmd("ZREM")
                            .arg(sessions_key(shard))
                            .arg(&member)
                            .query_async::<()>(&mut connection)
                            .await?;
                    }
                }
            }
        }
        Ok(sessions)
    }

    /// Changes fields of a session and answers with it; none where Redis has no session.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn update_session(
        &self,
        key: &ConversationKey,
        update: &SessionUpdate,
    ) -> Result<Option<ActiveScribeSession>, LedgerError> {
        let active = Keys::of(key).active;
        let mut call = self.scripts.update.prepare_invoke();
        call.key(&active)
            .arg(encode(update)?)
            .arg(self.session_ttl.as_secs());
        let session: String = call.invoke_async(&mut self.connection.clone()).await?;
        if session.is_empty() {
            Ok(None)
        } else {
            decode_session(&session, &active).map(Some)
        }
    }

    /// Switches a session on.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn enable(&self, key: &ConversationKey) -> Result<Toggled, LedgerError> {
        self.toggle(key, true).await
    }

    /// Switches a session off. What waits is kept; the turn that is being written is finished.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn disable(&self, key: &ConversationKey) -> Result<Toggled, LedgerError> {
        self.toggle(key, false).await
    }

    async fn toggle(&self, key: &ConversationKey, enabled: bool) -> Result<Toggled, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.toggle.prepare_invoke();
        call.key(&keys.active)
            .key(&keys.trigger)
            .key(keys.queue)
            .arg(u8::from(enabled))
            .arg(self.session_ttl.as_secs());
        let (outcome, session, next): (String, String, String) =
            call.invoke_async(&mut self.connection.clone()).await?;
        if outcome == "unknown" {
            return Ok(Toggled::Unknown);
        }
        Ok(Toggled::Switched {
            session: Box::new(decode_session(&session, &keys.active)?),
            next: super::turns::decode_trigger(&next, &keys.trigger)?.map(Box::new),
        })
    }

    /// Drops the cached asset of a session, after somebody else wrote it.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn drop_asset(&self, key: &ConversationKey) -> Result<(), LedgerError> {
        let active = Keys::of(key).active;
        redis::cmd("HDEL")
            .arg(active)
            .arg("asset")
            .arg("etag")
            .query_async::<()>(&mut self.connection.clone())
            .await?;
        Ok(())
    }

    /// Keeps the list of sessions: a hint, by Redis' clock plus the session's life.
    async fn note_session(&self, key: &ConversationKey) -> Result<(), LedgerError> {
        let mut connection = self.connection.clone();
        let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await?;
        let until = (seconds + self.session_ttl.as_secs()) * 1000;
        redis::cmd("ZADD")
            .arg(sessions_key(shard(key)))
            .arg(until)
            .arg(key.to_string())
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }
}

/// A session with the content of its asset.
fn whole_session(
    session: &str,
    asset: Option<String>,
    active: &str,
) -> Result<ActiveScribeSession, LedgerError> {
    #[derive(Deserialize)]
    struct Content {
        content: String,
    }
    let mut session = decode_session(session, active)?;
    if let Some(asset) = asset {
        let asset: Content =
            serde_json::from_str(&asset).map_err(|error| LedgerError::malformed(active, &error))?;
        session.current_content = Some(asset.content);
    }
    Ok(session)
}

pub(super) fn decode_session(json: &str, key: &str) -> Result<ActiveScribeSession, LedgerError> {
    serde_json::from_str(json).map_err(|error| LedgerError::malformed(key, &error))
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::malformed("a value to be stored", &error))
}
