//! One attempt at one turn, under the lease.

use std::sync::Arc;
use std::time::Duration;

use scribe_core::blocks::Document;
use scribe_core::edits::Answer;
use scribe_core::prompt::{Mode, PromptBudget, PromptInput, prompt, rewrite_fits};
use scribe_core::style::style_with;
use scribe_core::turn::{ScribeTrigger, Seq};
use scribe_core::{ActiveScribeSession, ConversationKey, MediaAsset, MessageId, ScribeState, Standing};
use scribe_trigger::TurnEvent;
use scribe_trigger::ledger::{CachedAsset, Registration};
use tokio::time::Instant;

use super::answering::{Again, Answered};
use super::commit::Committed;
use super::failure::AttemptError;
use super::lease::Lease;
use super::live::Live;
use super::replacing::Base;
use super::settle::Own;
use super::spent::Spent;
use super::{Engine, Outcome, TurnFailure};
use crate::documents::{Fetched, StoredAsset};
use crate::lost;
use crate::narrator::{Call, Listener};

/// The time that is kept for commit, complete and settle when the model's deadline is set.
const AFTER_THE_MODEL: Duration = Duration::from_secs(5);

/// What a claim gave.
pub(super) struct Given {
    pub(super) trigger: Option<Box<ScribeTrigger>>,
    pub(super) message_id: MessageId,
    pub(super) seq: Seq,
    pub(super) session: ActiveScribeSession,
    pub(super) etag: Option<String>,
    pub(super) asset: Option<CachedAsset>,
}

/// A claimed turn with all that the steps need.
pub(super) struct Claimant<'a> {
    pub(super) event: &'a TurnEvent,
    pub(super) key: ConversationKey,
    pub(super) trigger: ScribeTrigger,
    pub(super) session: ActiveScribeSession,
    pub(super) etag: Option<String>,
    pub(super) cached: Option<CachedAsset>,
    pub(super) lease: Lease,
    pub(super) live: Live,
    pub(super) spent: Spent,
    pub(super) deadline: Instant,
}

impl Claimant<'_> {
    /// The event that carries the claimed turn, whichever event brought the permit.
    pub(super) fn turn_event(&self) -> TurnEvent {
        TurnEvent::new(
            &self.trigger.turn(&self.key),
            Some(self.session.text_asset_id.clone()),
        )
    }

    /// The listener of an answer that readers may see while it is written, to the document with this ETag.
    pub(super) fn aloud(&self, etag: &str) -> Aloud<'_> {
        self.live.listen(etag);
        Aloud {
            live: &self.live,
            spent: &self.spent,
        }
    }
}

/// Passes on to the readers what the model writes.
pub(super) struct Aloud<'a> {
    live: &'a Live,
    spent: &'a Spent,
}

impl Listener for Aloud<'_> {
    fn heard(&mut self, piece: &str) {
        self.live.hear(piece);
    }

    fn ended(&mut self, call: Call) {
        self.live.over();
        self.spent.add(call);
    }
}

impl Engine {
    pub(super) async fn attempt(
        &self,
        event: &TurnEvent,
        given: Given,
        lease: Lease,
        deadline: Instant,
        own: &mut Own,
    ) -> Result<Outcome, TurnFailure> {
        let key = event.key();
        let found = match given.trigger {
            Some(trigger) => Ok(*trigger),
            None => {
                self.lost_trigger(&key, &given.session, given.seq, &given.message_id)
                    .await
            }
        };
        let (trigger, lost) = match found {
            Ok(trigger) => (trigger, None),
            Err((stub, error)) => (*stub, Some(error)),
        };
        let live = Live::new(&self.ledger, &key, &trigger, self.config.live_every);
        let mut claimant = Claimant {
            event,
            key,
            trigger,
            session: given.session,
            etag: given.etag,
            cached: given.asset,
            lease,
            live,
            spent: Spent::default(),
            deadline,
        };
        let result = match lost {
            Some(error) => Err(error),
            None if claimant.trigger.attempts > self.config.patience.attempts => {
                Err(AttemptError::Permanent {
                    reason: format!("{} attempts ended without a word", self.config.patience.attempts),
                })
            }
            None => self.weave(&claimant).await,
        };
        claimant.lease.stop().await;
        claimant.live.stop().await;
        claimant.account();
        match result {
            Ok(committed) => {
                own.saw(event, &claimant.trigger.message_id);
                for replaced in &committed.replaced_unwoven {
                    own.saw(event, replaced);
                    self.settle_replaced(&claimant.key, replaced).await;
                }
                Ok(self.complete(&claimant, committed).await)
            }
            Err(error) => {
                // Beside each other, and sent in this order: readers hear of it before whatever comes next.
                let ((), failed) = tokio::join!(claimant.live.withdraw(), self.fail(&claimant, error, own));
                failed
            }
        }
    }

    /// From the document to the committed document.
    async fn weave(&self, claimant: &Claimant<'_>) -> Result<Committed, AttemptError> {
        let stored = self.present_asset(claimant).await?;
        let trigger = &claimant.trigger;
        let turn = trigger.turn(&claimant.key);
        let state = self.state_of(claimant, &stored.asset).await?;
        match state
            .record
            .standing(&claimant.key.conversation, &trigger.message_id, trigger.seq)
        {
            Standing::Applied => return Ok(Committed::read(stored, &state.record, &turn, false)),
            Standing::Unknowable => return Err(AttemptError::unknowable()),
            Standing::New { .. } => {}
        }

        let read = Document::read(&stored.asset.content, &state.blocks);
        let replaced = self.replaced(claimant, &turn, &state, None).await?;
        let base = Base::new(read, replaced);
        let document = &base.seen;
        let input = PromptInput {
            title: &stored.asset.title,
            style: style_with(stored.asset.metadata.style, state.style_evidence, &turn).0,
            instructions: stored.asset.metadata.instructions.as_deref(),
            universe: &self.config.universe,
            mode: self.config.mode,
            document,
            turn: &turn,
            budget: PromptBudget {
                output_tokens: self.config.narrator.max_output_tokens,
                ..PromptBudget::default()
            },
        };
        // A document that has outgrown a rewrite is edited.
        let mode = match self.config.mode {
            Mode::Rewrite if rewrite_fits(&input) => Mode::Rewrite,
            Mode::Rewrite | Mode::Edits => Mode::Edits,
        };
        let question = prompt(&PromptInput { mode, ..input });
        let transcript = claimant.turn_event();
        let until = self.model_deadline(claimant.deadline);
        let mut aloud = claimant.aloud(&stored.etag);
        let (answered, written) = tokio::join!(
            self.narrator.ask_aloud(&question, until, &mut aloud),
            self.documents.put_turn(&transcript)
        );
        let text = answered?.text;
        let answer = match mode {
            Mode::Edits => Answer::parse(&text),
            Mode::Rewrite => Answer::of_rewrite(&text, document),
        };
        let answer = answer.map_err(|error| AttemptError::Counted {
            reason: format!("the model's answer can't be used: {error}"),
        })?;
        if written.is_err() {
            self.documents.put_turn(&transcript).await?;
        }
        let answered = match mode {
            Mode::Edits => {
                let again = Again {
                    question: &question,
                    until,
                    spent: &claimant.spent,
                };
                self.mend(answer, document, &turn, again).await
            }
            Mode::Rewrite => Answered::rewritten(answer),
        };
        self.commit(claimant, stored, state, base, answered).await
    }

    /// The asset: the one that the process holds or Redis caches, else S3's. After a failed attempt S3's in any case:
    /// that attempt may have committed.
    async fn present_asset(&self, claimant: &Claimant<'_>) -> Result<Arc<StoredAsset>, AttemptError> {
        let tenant = &claimant.key.tenant;
        let id = &claimant.session.text_asset_id;
        let held = self.held(tenant, id);
        let fresh = claimant.trigger.attempts <= 1 && claimant.trigger.service_failures == 0;
        if fresh {
            if let Some(cached) = &claimant.cached {
                let stored = StoredAsset::read(id.as_str(), cached.json.clone(), cached.etag.clone())?;
                return Ok(Arc::new(stored));
            }
            // A claim that brought the ETag alone found the one that we hold, or Redis has only that of a large asset.
            if let Some(held) = held
                .as_ref()
                .filter(|held| claimant.etag.as_ref() == Some(&held.etag))
            {
                return Ok(Arc::clone(held));
            }
        }
        let etag = held.as_ref().map(|held| held.etag.as_str());
        match (self.documents.asset(tenant, id, etag).await?, held) {
            (Fetched::Found(stored), _) => {
                let stored = Arc::new(*stored);
                self.hold(tenant, Arc::clone(&stored));
                Ok(stored)
            }
            (Fetched::NotModified, Some(held)) => Ok(held),
            // A start that is not finished yet looks like this for a moment, a deleted document for ever.
            (Fetched::NotModified | Fetched::Absent, _) => Err(AttemptError::Counted {
                reason: format!("document {id} is not there"),
            }),
        }
    }

    /// What the scribe knows of the document; recovered where another program wrote the document without it.
    pub(super) async fn state_of(
        &self,
        claimant: &Claimant<'_>,
        asset: &MediaAsset,
    ) -> Result<ScribeState, AttemptError> {
        if let Some(state) = &asset.scribe {
            return Ok(state.clone());
        }
        tracing::info!(
            conversation.id = %claimant.key,
            "document {} has no record, it is recovered from an older version",
            asset.id
        );
        Ok(self
            .documents
            .recover_state(&claimant.key.tenant, &asset.id)
            .await?)
    }

    /// A queued id without its trigger: the turn is looked up in S3, and given back to Redis.
    async fn lost_trigger(
        &self,
        key: &ConversationKey,
        session: &ActiveScribeSession,
        seq: Seq,
        message_id: &MessageId,
    ) -> Result<ScribeTrigger, (Box<ScribeTrigger>, AttemptError)> {
        match lost::look_up(&self.documents, key, seq, message_id).await {
            Ok(Some(found)) => {
                // This attempt counts, so Redis must know of it: one that kills its process is not to be endless.
                let trigger = ScribeTrigger { attempts: 1, ..found };
                let registration = Registration {
                    session,
                    asset: None,
                    turns: std::slice::from_ref(&trigger),
                    replace: false,
                };
                if let Err(error) = self.ledger.register(registration).await {
                    tracing::warn!(
                        turn.id = %message_id,
                        conversation.id = %key,
                        "the text of turn {message_id} was found, but redis was not told: {error}"
                    );
                }
                Ok(trigger)
            }
            Ok(None) => Err((
                Box::new(lost::stub(key, seq, message_id)),
                AttemptError::Permanent {
                    reason: lost::REASON.into(),
                },
            )),
            Err(error) => Err((Box::new(lost::stub(key, seq, message_id)), error.into())),
        }
    }

    fn model_deadline(&self, deadline: Instant) -> Instant {
        let now = Instant::now();
        let half = now + deadline.saturating_duration_since(now) / 2;
        // A function with a very short timeout still gives the model half of it.
        deadline
            .checked_sub(AFTER_THE_MODEL)
            .map_or(half, |early| early.max(half))
    }
}
