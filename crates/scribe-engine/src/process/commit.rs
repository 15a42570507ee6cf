//! The commit: one conditional PUT of text and record together.

use std::sync::Arc;

use jiff::Timestamp;
use scribe_core::blocks::Document;
use scribe_core::edits::{EditOutcome, Fate, Resort, Tally, Weaving, Woven};
use scribe_core::style::style_with;
use scribe_core::turn::Turn;
use scribe_core::{AssetId, ConversationKey, MediaAsset, MessageId, Record, ScribeState, Standing};
use scribe_trigger::record::iso;

use super::Engine;
use super::answering::Answered;
use super::attempt::Claimant;
use super::failure::AttemptError;
use super::replacing::Base;
use crate::documents::{Author, Fetched, StoredAsset, Written};

/// How often the same edits are put onto a newer text before the attempt is given up.
const CONFLICTS: u32 = 8;

/// The most edits of a turn that are told one by one.
const MOST_TOLD: usize = 50;

/// A document that has the turn.
pub(super) struct Committed {
    pub(super) stored: Arc<StoredAsset>,
    /// How many turns of the conversation it has.
    pub(super) turns: u64,
    pub(super) late: bool,
    /// Whether this attempt asked the model.
    pub(super) asked_model: bool,
    /// The turns that this one replaced before they were ever woven.
    pub(super) replaced_unwoven: Vec<MessageId>,
}

impl Committed {
    /// A document whose record has the turn. The record says whether it came late: what was known before a conflict
    /// may be wrong after it, and a process that was killed can't say any more.
    pub(super) fn read(stored: Arc<StoredAsset>, record: &Record, turn: &Turn, asked_model: bool) -> Self {
        let conversation = &turn.conversation.conversation;
        Self {
            stored,
            turns: record.turns(conversation),
            late: record.came_late(conversation, &turn.message_id),
            asked_model,
            replaced_unwoven: Vec::new(),
        }
    }
}

impl Engine {
    /// Weaves the answer into the document and writes it, on condition that nobody else wrote. After a conflict the
    /// same edits go onto the newer text, with all checks; the model is not asked again.
    pub(super) async fn commit(
        &self,
        claimant: &Claimant<'_>,
        mut stored: Arc<StoredAsset>,
        mut state: ScribeState,
        mut base: Base,
        mut answered: Answered,
    ) -> Result<Committed, AttemptError> {
        let key = &claimant.key;
        let trigger = &claimant.trigger;
        let turn = trigger.turn(key);
        let model = claimant
            .answering_model()
            .unwrap_or_else(|| self.config.narrator.model.clone());
        for _ in 0..CONFLICTS {
            let woven = match answered.woven.take() {
                Some(woven) => woven,
                None => woven(&base.newer(&stored.asset, &state), &base.seen, &answered, &turn)?,
            };
            let mut outcomes = woven.outcomes;
            outcomes.extend_from_slice(&answered.taken_back);
            let mut tally = Tally::default();
            tally.add(&outcomes);
            let author = Author::Turn {
                conversation: key.clone(),
                message_id: trigger.message_id.clone(),
                edits: tally.to_string(),
                usage: claimant.usage(),
                model: model.clone(),
                replaces: base.replacing(),
            };
            let (mut asset, replaced_unwoven) =
                woven_asset(&stored.asset, &state, &woven.document, &outcomes, &turn, &base);
            // Onto the cost of the version that is replaced, whichever it is: a conflict does not count it twice.
            if let Some(state) = &mut asset.scribe {
                state.cost.add(claimant.usage());
            }
            let (written, json) = self
                .documents
                .replace_asset(&key.tenant, &asset, &stored.etag, &author)
                .await?;
            match written {
                Written::Done { etag } => {
                    tell(&outcomes, &turn);
                    base.tell(&turn);
                    let stored = Arc::new(StoredAsset { asset, json, etag });
                    self.hold(&key.tenant, Arc::clone(&stored));
                    let none = Record::default();
                    let record = stored.asset.scribe.as_ref().map_or(&none, |state| &state.record);
                    let committed = Committed::read(Arc::clone(&stored), record, &turn, true);
                    return Ok(Committed {
                        replaced_unwoven,
                        ..committed
                    });
                }
                Written::Gone => return Err(self.deleted(key, &asset.id).await?),
                Written::Conflict => {}
            }
            // Somebody else wrote, or this very PUT came through although its answer did not: the record knows.
            stored = match self.documents.asset(&key.tenant, &stored.asset.id, None).await? {
                Fetched::Found(stored) => Arc::new(*stored),
                Fetched::NotModified | Fetched::Absent => {
                    return Err(self.deleted(key, &stored.asset.id).await?);
                }
            };
            state = self.state_of(claimant, &stored.asset).await?;
            match state
                .record
                .standing(&key.conversation, &trigger.message_id, trigger.seq)
            {
                Standing::Applied => {
                    self.hold(&key.tenant, Arc::clone(&stored));
                    return Ok(Committed::read(stored, &state.record, &turn, true));
                }
                Standing::Unknowable => return Err(AttemptError::unknowable()),
                Standing::New { .. } => {}
            }
            // It may have been woven meanwhile, by an invocation that had lost its lease.
            base.replaced = self.replaced(claimant, &turn, &state, base.replaced).await?;
        }
        Err(AttemptError::Counted {
            reason: format!("others wrote the document {CONFLICTS} times in between"),
        })
    }

    /// Why nothing can be written: the document was deleted, and may be restored; or it was removed for good, and so
    /// is what belongs to it.
    async fn deleted(&self, key: &ConversationKey, id: &AssetId) -> Result<AttemptError, AttemptError> {
        if self.documents.has_versions(&key.tenant, id).await? {
            Ok(AttemptError::Permanent {
                reason: crate::DELETED.into(),
            })
        } else {
            Ok(AttemptError::Erased)
        }
    }
}

/// The answer, woven into the present text.
fn woven(
    document: &Document,
    seen: &Document,
    answered: &Answered,
    turn: &Turn,
) -> Result<Woven, AttemptError> {
    let weaving = Weaving {
        document,
        seen,
        turn,
        bounds: &answered.bounds,
        resort: Resort::Append,
    };
    weaving
        .weave(&answered.answer)
        .map_err(|error| AttemptError::Counted {
            reason: format!("no edit of the model's answer holds: {error}"),
        })
}

/// The asset with a woven text, the turn in its record, and what became of the turn's edits; and what it
/// replaced, as far as that was not in the record.
fn woven_asset(
    asset: &MediaAsset,
    state: &ScribeState,
    document: &Document,
    outcomes: &[EditOutcome],
    turn: &Turn,
    base: &Base,
) -> (MediaAsset, Vec<MessageId>) {
    let mut state = state.clone();
    state.schema = scribe_core::SCRIBE_SCHEMA;
    state.blocks = document.manifest();
    let replaced_unwoven = base.record(&mut state, turn);
    let (style, evidence) = style_with(asset.metadata.style, state.style_evidence, turn);
    state.style_evidence = evidence;
    state.outcomes.add(outcomes);
    for outcome in outcomes {
        if let Fate::Suggested { suggestion, .. } = &outcome.fate {
            state.suggestions.add((**suggestion).clone());
        }
    }
    let now = iso(Timestamp::now());
    let mut asset = asset.clone();
    asset.content = document.content().to_owned();
    asset.updated_at.clone_from(&now);
    asset.metadata.last_scribe_update = Some(now);
    asset.metadata.style = style;
    asset.metadata.last_message_id = Some(turn.message_id.to_string());
    asset.metadata.scribe_version = Some("realtime".into());
    asset.scribe = Some(state);
    (asset, replaced_unwoven)
}

/// What became of each edit that was committed, for whoever counts.
fn tell(outcomes: &[EditOutcome], turn: &Turn) {
    for outcome in outcomes.iter().take(MOST_TOLD) {
        tracing::info!(
            turn.id = %turn.message_id,
            conversation.id = %turn.conversation,
            edit.action = outcome.edit.action(),
            edit.outcome = outcome.fate.label(),
            "an edit of turn {}: {}",
            turn.message_id,
            outcome.label()
        );
    }
}
