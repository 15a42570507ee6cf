//! What stands under `waiting/`: given back to Redis where Redis has forgotten it, removed where it is in its document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_core::{ConversationKey, MessageId, Record, Standing};
use scribe_trigger::ledger::{Known, Registration, Replayed};
use tokio::time::Instant;

use super::{SweepError, Sweeper, Swept};
use crate::conversations::session_of;
use crate::copies::was_recorded_before;
use crate::documents::{Conversation, DocumentsError, Fetched, Owed, StoredAsset, WaitingState, WaitingTurn};
use crate::{DELETED, UNKNOWABLE};

/// How many conversations are looked at at a time.
const AT_ONCE: usize = 16;

/// How many turns are given back to Redis with one script. Turns have up to 256 KB, and a script stops everybody.
const GIVEN_BACK_AT_ONCE: usize = 32;

/// What was done for a conversation, and whether turns of it wait in Redis.
type Looked = (Swept, bool);

impl Sweeper {
    /// Lists `waiting/` once and looks at every conversation that has an object there which is old enough.
    /// Conversations with turns that wait are added to `waiting`.
    pub(super) async fn look_at_owed(
        &self,
        now: Timestamp,
        until: Instant,
        waiting: &mut BTreeSet<ConversationKey>,
        swept: &mut Swept,
    ) -> Result<(), SweepError> {
        let mut conversations: BTreeMap<ConversationKey, Vec<Owed>> = BTreeMap::new();
        for owed in self.documents.owed().await? {
            conversations.entry(owed.key.clone()).or_default().push(owed);
        }
        let is_old = |owed: &Owed| self.is_old(owed, now);
        conversations.retain(|_, turns| turns.iter().any(is_old));
        let mut looks = stream::iter(conversations)
            .map(|(key, turns)| async move {
                if Instant::now() >= until {
                    let cut_short = Swept {
                        cut_short: true,
                        ..Swept::default()
                    };
                    return (key, Ok((cut_short, false)));
                }
                let looked = self.look_at_conversation(&key, turns, now).await;
                (key, looked)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((key, looked)) = looks.next().await {
            match looked {
                Ok((done, waits)) => {
                    *swept += done;
                    if waits {
                        waiting.insert(key);
                    }
                }
                // Without Redis nothing here makes sense; without one object the others still do.
                Err(error @ SweepError::Ledger(_)) => return Err(error),
                Err(error @ SweepError::Documents(_)) => {
                    swept.failed += 1;
                    tracing::error!(
                        conversation.id = %key,
                        "what {key} owes could not be looked at, the next look tries again: {error}"
                    );
                }
            }
        }
        Ok(())
    }

    fn is_old(&self, owed: &Owed, now: Timestamp) -> bool {
        let age = now.duration_since(owed.written);
        age.unsigned_abs() >= self.config.waiting_age && age.is_positive()
    }

    async fn look_at_conversation(
        &self,
        key: &ConversationKey,
        mut turns: Vec<Owed>,
        now: Timestamp,
    ) -> Result<Looked, SweepError> {
        turns.sort_by_key(|turn| turn.seq);
        let ids: Vec<MessageId> = turns.iter().map(|turn| turn.message_id.clone()).collect();
        let known = self.ledger.standings(key, &ids).await?;
        let turns: Vec<(Owed, Known)> = turns.into_iter().zip(known).collect();
        let waits = turns.iter().any(|(_, known)| *known == Known::Waiting);
        let unclear = |(owed, known): &(Owed, Known)| self.is_old(owed, now) && *known != Known::Waiting;
        if !turns.iter().any(unclear) {
            return Ok((Swept::default(), waits));
        }
        let Some((conversation, _)) = self.documents.conversation(key).await? else {
            let old = turns.iter().filter(|(owed, _)| self.is_old(owed, now));
            let ended = self.documents.ended_at(key).await?;
            let old = old.map(|(owed, _)| owed);
            return Ok((self.forget_not_owed(old, ended).await?, false));
        };
        let only_parked = turns
            .iter()
            .filter(|turn| unclear(turn))
            .all(|(_, known)| *known == Known::Failed { text_lost: false });
        let newest = turns.iter().map(|(owed, _)| owed.written).max();
        let Some(document) = self
            .document_to_compare(key, &conversation, newest.unwrap_or_default(), only_parked)
            .await?
        else {
            return Ok((Swept::default(), waits));
        };
        let record = self.record(&conversation, document.as_ref()).await?;

        let mut swept = Swept::default();
        let mut forgotten = Vec::new();
        let mut replayed = 0;
        for (owed, known) in &turns {
            let standing = record.standing(&key.conversation, &owed.message_id, owed.seq);
            // A young one of which Redis knows nothing goes along with the old ones, or it would be overtaken.
            let old = self.is_old(owed, now);
            match (known, standing) {
                (_, Standing::Applied) if old => swept.removed += self.settle_applied(owed, &record).await?,
                (Known::Processed, Standing::Unknowable) if old => {
                    self.remove(owed).await?;
                    swept.removed += 1;
                }
                (Known::No | Known::InNoQueue, Standing::Unknowable) if old => {
                    let parked = self.park_unknowable(owed).await?;
                    swept.parked += u32::from(parked.is_some());
                    forgotten.extend(parked);
                }
                (Known::No | Known::InNoQueue | Known::Failed { text_lost: true }, Standing::New { .. }) => {
                    let found = self.read(owed).await?.map(|turn| turn.trigger());
                    forgotten.extend(found);
                }
                (Known::Failed { text_lost: false }, Standing::New { .. }) if old => {
                    let twice = turns
                        .iter()
                        .any(|(other, _)| other.message_id == owed.message_id && other.seq != owed.seq);
                    replayed += u32::from(self.finish_replay(owed, twice).await?);
                }
                (Known::Processed, Standing::New { .. }) => tracing::error!(
                    turn.id = %owed.message_id,
                    conversation.id = %key,
                    "redis says that turn {} of {key} is in its document, the document's record does not; replay it if \
                     it is missing",
                    owed.message_id
                ),
                _ => {}
            }
        }
        let requeued = forgotten
            .iter()
            .filter(|turn| turn.state == TriggerState::Pending)
            .count();
        for part in forgotten.chunks(GIVEN_BACK_AT_ONCE) {
            self.give_back(&conversation, document.as_ref(), part).await?;
        }
        if requeued > 0 {
            tracing::warn!(
                conversation.id = %key,
                "{requeued} turns of {key} stood under waiting/ and redis had forgotten them, they wait again"
            );
        }
        swept.requeued += u32::try_from(requeued)
            .unwrap_or(u32::MAX)
            .saturating_add(replayed);
        Ok((swept, waits || swept.requeued > 0))
    }

    /// A turn that Redis calls failed and whose object is a waiting one: a replay broke off between the two.
    async fn finish_replay(&self, owed: &Owed, twice: bool) -> Result<bool, SweepError> {
        let Some(found) = self.read(owed).await? else {
            return Ok(false);
        };
        if found.state == WaitingState::Parked {
            return Ok(false);
        }
        if twice {
            let all = self.documents.owed_turn(&owed.key, &owed.message_id).await?;
            let parked = |turn: &WaitingTurn| turn.state == WaitingState::Parked && !turn.event.text_lost();
            if all.iter().any(parked) {
                // Not replayed: it was delivered directly as well, under another sequence, and that copy is the older.
                self.remove(owed).await?;
                return Ok(false);
            }
        }
        let replayed = self.ledger.replay(&owed.key, &found.trigger()).await?;
        Ok(matches!(replayed, Replayed::Queued(_)))
    }

    /// Gives turns back to Redis, with the session if Redis has none.
    pub(super) async fn give_back(
        &self,
        conversation: &Conversation,
        document: Option<&StoredAsset>,
        turns: &[ScribeTrigger],
    ) -> Result<(), SweepError> {
        let registration = Registration {
            session: &session_of(conversation, document.map(|stored| &stored.asset)),
            asset: None,
            turns,
            replace: false,
        };
        self.ledger.register(registration).await?;
        Ok(())
    }

    /// The document, none within if there is none; nothing where only parked turns are to be compared with it and
    /// neither it nor they have changed since that was done.
    async fn document_to_compare(
        &self,
        key: &ConversationKey,
        conversation: &Conversation,
        newest: Timestamp,
        only_parked: bool,
    ) -> Result<Option<Option<StoredAsset>>, DocumentsError> {
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let held = seen()
            .get(key)
            .filter(|(_, compared)| only_parked && *compared == newest)
            .map(|(etag, _)| etag.clone());
        let (tenant, id) = (&conversation.tenant_id, &conversation.text_asset_id);
        match self.documents.asset(tenant, id, held.as_deref()).await? {
            Fetched::Found(stored) => {
                seen().put(key.clone(), (stored.etag.clone(), newest));
                Ok(Some(Some(*stored)))
            }
            Fetched::NotModified => Ok(None),
            Fetched::Absent => Ok(Some(None)),
        }
    }

    /// Turns of a conversation that has no object: it never had a scribe, or its document was deleted.
    async fn forget_not_owed(
        &self,
        turns: impl Iterator<Item = &Owed>,
        ended: Option<Timestamp>,
    ) -> Result<Swept, DocumentsError> {
        let mut swept = Swept::default();
        for owed in turns {
            // A parked one stays, for whoever asks where it is.
            let waiting = self.read(owed).await?;
            let Some(found) = waiting.filter(|found| found.state == WaitingState::Waiting) else {
                continue;
            };
            if ended.is_some_and(|ended| was_recorded_before(owed.seq, ended)) {
                self.park(&found.event, DELETED).await?;
                swept.parked += 1;
            } else {
                tracing::info!(
                    turn.id = %owed.message_id,
                    conversation.id = %owed.key,
                    "turn {} of {} is owed nowhere: the conversation has no document",
                    owed.message_id,
                    owed.key
                );
                self.remove(owed).await?;
                swept.removed += 1;
            }
        }
        Ok(swept)
    }

    /// A turn that is in its document: Redis is told, then the copy is removed.
    async fn settle_applied(&self, owed: &Owed, record: &Record) -> Result<u32, SweepError> {
        let Some(found) = self.read(owed).await? else {
            return Ok(0);
        };
        let applied = ScribeTrigger {
            late: record.came_late(&owed.key.conversation, &owed.message_id),
            ..found.event.trigger()
        };
        self.ledger.mark_processed(&owed.key, &applied).await?;
        self.remove(owed).await?;
        Ok(1)
    }

    /// Parks a turn of which nobody can tell whether it is in its document. Answers what Redis is to be told.
    async fn park_unknowable(&self, owed: &Owed) -> Result<Option<ScribeTrigger>, DocumentsError> {
        let Some(found) = self.read(owed).await? else {
            return Ok(None);
        };
        if found.state == WaitingState::Waiting {
            self.park(&found.event, UNKNOWABLE).await?;
        }
        let parked = WaitingTurn {
            state: WaitingState::Parked,
            reason: found.reason.or_else(|| Some(UNKNOWABLE.into())),
            event: found.event,
        };
        Ok(Some(parked.trigger()))
    }

    async fn read(&self, owed: &Owed) -> Result<Option<WaitingTurn>, DocumentsError> {
        self.documents
            .waiting_turn(&owed.key, owed.seq, &owed.message_id)
            .await
    }

    async fn remove(&self, owed: &Owed) -> Result<(), DocumentsError> {
        self.documents
            .remove_waiting(&owed.key, owed.seq, &owed.message_id)
            .await
    }
}
