//! Turns: recorded, claimed, and then completed, released or parked.

use std::time::Duration;

use scribe_core::turn::{ScribeTrigger, Seq, TriggerState};
use scribe_core::{ConversationKey, MessageId};

use super::outcomes::{
    Claim, ClaimRequest, Claimed, Completed, Completion, Parked, RecordOutcome, Release, Replayed,
};
use super::sessions::{decode_session, encode};
use super::{CachedAsset, Keys, Ledger, LedgerError, backlog_key, sessions_key, shard};
use crate::live::LiveEvent;

impl Ledger {
    /// Stores a turn once and queues it; its sequence is Redis' to give.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn record(
        &self,
        key: &ConversationKey,
        trigger: &ScribeTrigger,
    ) -> Result<RecordOutcome, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.record.prepare_invoke();
        call.key(keys.active)
            .key(keys.trigger)
            .key(keys.queue)
            .arg(encode(trigger)?)
            .arg(self.trigger_ttl.as_secs())
            .arg(self.session_ttl.as_secs());
        let (outcome, seq, state, asset, whole): (String, String, String, String, String) =
            call.invoke_async(&mut self.connection.clone()).await?;
        let text_asset_id = asset.parse().ok();
        match outcome.as_str() {
            "recorded" => Ok(RecordOutcome::Recorded {
                seq: parse_seq(&seq, "record")?,
                text_asset_id,
                certain: !whole.is_empty(),
            }),
            "same" => Ok(RecordOutcome::Same {
                seq: parse_seq(&seq, "record")?,
                state: parse_state(&state, "record")?.ok_or_else(|| LedgerError::Malformed {
                    key: "record".into(),
                    reason: "no state".into(),
                })?,
                text_asset_id,
                certain: !whole.is_empty(),
            }),
            "other_text" => Ok(RecordOutcome::OtherText),
            "off" => Ok(RecordOutcome::Off),
            "none" => Ok(RecordOutcome::NoScribe),
            _ => Err(unknown("record")),
        }
    }

    /// Tells the sweeper that a conversation has waiting turns, and renews its place in the list of sessions.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn note_backlog(&self, key: &ConversationKey, now_ms: u64) -> Result<(), LedgerError> {
        let shard = shard(key);
        let member = key.to_string();
        let session_ttl = u64::try_from(self.session_ttl.as_millis()).unwrap_or(u64::MAX);
        redis::pipe()
            .cmd("ZADD")
            .arg(backlog_key(shard))
            .arg("GT")
            .arg(now_ms)
            .arg(&member)
            .ignore()
            // XX: only a session that was registered is listed; GT: clocks differ.
            .cmd("ZADD")
            .arg(sessions_key(shard))
            .arg("XX")
            .arg("GT")
            .arg(now_ms.saturating_add(session_ttl))
            .arg(&member)
            .ignore()
            .query_async::<()>(&mut self.connection.clone())
            .await?;
        Ok(())
    }

    /// Takes the oldest waiting turn of a conversation, bringing the event's own along.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached or holds something else.
    pub async fn claim(
        &self,
        key: &ConversationKey,
        request: &ClaimRequest<'_>,
    ) -> Result<Claim, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.claim.prepare_invoke();
        call.key(&keys.active)
            .key(&keys.trigger)
            .key(keys.queue)
            .key(keys.lease)
            .arg(encode(request.own)?)
            .arg(request.token)
            .arg(self.lease_ms())
            .arg(request.held_etag.unwrap_or_default())
            .arg(self.trigger_ttl.as_secs())
            .arg(self.session_ttl.as_secs());
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        let field = |index: usize| {
            answer
                .get(index)
                .map(String::as_str)
                .ok_or_else(|| unknown("claim"))
        };
        let claimed = match field(0)? {
            "no_session" => Claimed::NoSession,
            "none" => Claimed::NoScribe,
            "disabled" => Claimed::Disabled,
            "nothing" => Claimed::Nothing,
            "busy" => Claimed::Busy {
                remaining: Duration::from_millis(field(2)?.parse().unwrap_or_default()),
                pause: field(3)? == "pause",
            },
            "claimed" => {
                let etag = Some(field(6)?.to_owned()).filter(|etag| !etag.is_empty());
                let json = field(7)?;
                Claimed::Turn {
                    message_id: field(2)?.parse().map_err(|_| unknown("claim"))?,
                    seq: parse_seq(field(3)?, "claim")?,
                    trigger: decode_trigger(field(4)?, &keys.trigger)?.map(Box::new),
                    session: Box::new(decode_session(field(5)?, &keys.active)?),
                    asset: etag.clone().filter(|_| !json.is_empty()).map(|etag| CachedAsset {
                        json: json.to_owned(),
                        etag,
                    }),
                    etag,
                }
            }
            _ => return Err(unknown("claim")),
        };
        Ok(Claim {
            own: parse_state(field(1)?, "claim")?,
            claimed,
        })
    }

    /// Undoes a claim that may have been done although its answer was lost, with the attempt that it counted. It is
    /// sent behind that claim on the same connection, so a Redis that only stood still for a while does both.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached; the lease then ends by itself.
    pub async fn unclaim(&self, key: &ConversationKey, token: &str) -> Result<bool, LedgerError> {
        let keys = Keys::of(key);
        // The whole text goes along: a hash that Redis does not know yet would need a second message, which nobody is
        // left to send.
        let given_back = redis::cmd("EVAL")
            .arg(super::scripts::UNCLAIM)
            .arg(3)
            .arg(keys.lease)
            .arg(keys.trigger)
            .arg(keys.queue)
            .arg(token)
            .arg(self.trigger_ttl.as_secs())
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(given_back)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached; the lease then ends by itself.
    pub async fn abandon(&self, key: &ConversationKey, token: &str) -> Result<bool, LedgerError> {
        let mut call = self.scripts.abandon.prepare_invoke();
        call.key(Keys::of(key).lease).arg(token);
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Keeps the lease; answers false where it is another's or gone.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn renew(&self, key: &ConversationKey, token: &str) -> Result<bool, LedgerError> {
        let mut call = self.scripts.renew.prepare_invoke();
        call.key(Keys::of(key).lease).arg(token).arg(self.lease_ms());
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// States that a turn is in its document.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached. The turn is in the document all the same.
    pub async fn complete(
        &self,
        key: &ConversationKey,
        completion: &Completion<'_>,
    ) -> Result<Completed, LedgerError> {
        let keys = Keys::of(key);
        let etag = completion.asset.map(|asset| &*asset.etag);
        let cached = completion.asset.filter(|asset| self.caches(asset.json.len()));
        let json = cached.map_or("", |asset| asset.json.as_str());
        let event = LiveEvent::processed(&completion.trigger.message_id, etag);
        let mut call = self.scripts.complete.prepare_invoke();
        call.key(keys.active)
            .key(&keys.trigger)
            .key(keys.queue)
            .key(keys.lease)
            .arg(encode(completion.trigger)?)
            .arg(completion.token)
            .arg(completion.last_update_at)
            .arg(completion.message_count)
            .arg(etag.unwrap_or_default())
            .arg(json)
            .arg(u8::from(completion.late))
            .arg(keys.events)
            .arg(encode(&event)?)
            .arg(self.trigger_ttl.as_secs())
            .arg(self.session_ttl.as_secs());
        let (who, waiting, next): (String, String, String) =
            call.invoke_async(&mut self.connection.clone()).await?;
        Ok(Completed {
            held_lease: who == "holder",
            waiting: waiting == "1",
            next: decode_trigger(&next, &keys.trigger)?.map(Box::new),
        })
    }

    /// Marks a turn processed without a lease: for repairs by hand, and for whoever found it in the record.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn mark_processed(
        &self,
        key: &ConversationKey,
        trigger: &ScribeTrigger,
    ) -> Result<Completed, LedgerError> {
        let completion = Completion {
            trigger,
            token: "",
            last_update_at: "",
            message_count: 0,
            late: trigger.late,
            asset: None,
        };
        self.complete(key, &completion).await
    }

    /// Gives the lease back after a failure; answers false where it is another's or gone.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached; the lease then ends by itself.
    pub async fn release(&self, key: &ConversationKey, release: &Release<'_>) -> Result<bool, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.release.prepare_invoke();
        call.key(keys.trigger)
            .key(keys.lease)
            .arg(release.message_id.as_str())
            .arg(release.token)
            .arg(millis(release.pause).max(1))
            .arg(u8::from(release.service_failure))
            .arg(release.reason)
            .arg(self.trigger_ttl.as_secs())
            .arg(
                release
                    .usage
                    .as_ref()
                    .map(encode)
                    .transpose()?
                    .unwrap_or_default(),
            );
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    /// Moves a waiting turn to the failed ones. Its object under `waiting/` must have the reason already.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn park(
        &self,
        key: &ConversationKey,
        trigger: &ScribeTrigger,
        token: &str,
        reason: &str,
    ) -> Result<Parked, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.park.prepare_invoke();
        call.key(keys.active)
            .key(&keys.trigger)
            .key(keys.queue)
            .key(keys.lease)
            .arg(encode(trigger)?)
            .arg(token)
            .arg(reason)
            .arg(keys.events)
            .arg(encode(&LiveEvent::failed(&trigger.message_id))?)
            .arg(self.trigger_ttl.as_secs());
        let (outcome, next): (String, String) = call.invoke_async(&mut self.connection.clone()).await?;
        match outcome.as_str() {
            "parked" => Ok(Parked::Parked {
                next: decode_trigger(&next, &keys.trigger)?.map(Box::new),
            }),
            _ => Ok(Parked::Refused),
        }
    }

    /// Queues a failed turn again, with all its attempts. Its object under `waiting/` must be a waiting one already.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn replay(
        &self,
        key: &ConversationKey,
        trigger: &ScribeTrigger,
    ) -> Result<Replayed, LedgerError> {
        let keys = Keys::of(key);
        let mut call = self.scripts.replay.prepare_invoke();
        call.key(&keys.trigger)
            .key(keys.queue)
            .arg(encode(trigger)?)
            .arg(self.trigger_ttl.as_secs());
        let (outcome, queued): (String, String) = call.invoke_async(&mut self.connection.clone()).await?;
        match decode_trigger(&queued, &keys.trigger)? {
            Some(trigger) => Ok(Replayed::Queued(Box::new(trigger))),
            None => parse_state(&outcome, "replay")?
                .map(Replayed::NotFailed)
                .ok_or_else(|| unknown("replay")),
        }
    }

    /// Notes that a copy of a turn stands under `waiting/`; answers where the turn stands, none if unknown.
    ///
    /// # Errors
    /// [`LedgerError`] if Redis can't be reached.
    pub async fn note_waiting(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
    ) -> Result<Option<TriggerState>, LedgerError> {
        let mut call = self.scripts.note_waiting.prepare_invoke();
        call.key(Keys::of(key).trigger)
            .arg(message_id.as_str())
            .arg(self.trigger_ttl.as_secs());
        let state: String = call.invoke_async(&mut self.connection.clone()).await?;
        parse_state(&state, "note_waiting")
    }

    fn lease_ms(&self) -> u64 {
        millis(self.lease)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sequences are below 2^53, see Seq"
)]
pub(super) fn seq_of_score(score: f64) -> Seq {
    Seq(score as u64)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a trigger; an empty text is none.
pub(super) fn decode_trigger(json: &str, key: &str) -> Result<Option<ScribeTrigger>, LedgerError> {
    if json.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(json)
        .map(Some)
        .map_err(|error| LedgerError::malformed(key, &error))
}

pub(super) fn parse_seq(text: &str, script: &str) -> Result<Seq, LedgerError> {
    text.parse().map(Seq).map_err(|_| unknown(script))
}

pub(super) fn parse_state(text: &str, script: &str) -> Result<Option<TriggerState>, LedgerError> {
    match text {
        "" => Ok(None),
        "pending" => Ok(Some(TriggerState::Pending)),
        "processing" => Ok(Some(TriggerState::Processing)),
        "processed" => Ok(Some(TriggerState::Processed)),
        "failed" => Ok(Some(TriggerState::Failed)),
        _ => Err(unknown(script)),
    }
}

pub(super) fn unknown(script: &str) -> LedgerError {
    LedgerError::Malformed {
        key: script.into(),
        reason: "the script answered what this version does not know".into(),
    }
}
