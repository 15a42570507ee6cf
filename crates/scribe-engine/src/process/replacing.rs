//! A turn that is said instead of another one: that one is taken back in the text that the model sees, and with the
//! new turn in one PUT.
//!
//! Nothing is written before that PUT, so a crash leaves the replaced turn as it was, and a retry takes it back again.
//! The PUT's record has both ids, so the replaced turn is never woven after it, from wherever its event comes.

use scribe_core::blocks::Document;
use scribe_core::edits::{AroundTurn, TakenBack, take_back};
use scribe_core::turn::{TriggerState, Turn};
use scribe_core::{ConversationKey, MediaAsset, MessageId, ScribeState};

use super::Engine;
use super::attempt::Claimant;
use super::failure::AttemptError;
use crate::documents::{DocumentsError, Replacing, TurnVersions};

/// The most blocks that stayed which are told one by one.
const MOST_TOLD: usize = 20;

/// How many turns that were replaced one after the other, and never woven, are followed.
const CHAIN: usize = 12;

/// What is replaced: mostly one turn. Where that was never woven and was to replace another one, that one too, and so
/// on; only the last of them can be in the text.
pub(super) struct Replaced {
    /// The turns, the one that was named first.
    turns: Vec<MessageId>,
    /// The last of them, as it stands in manifests.
    name: String,
    /// Whether the last one may be in the text.
    woven: bool,
    /// The document before it and after it, where S3 still knows.
    around: Option<(Document, Document)>,
}

impl Replaced {
    /// Whether it is as it was found, by a newer record.
    fn holds(&self, key: &ConversationKey, state: &ScribeState) -> bool {
        let (last, before) = self
            .turns
            .split_last()
            .map_or((None, &[][..]), |(last, before)| (Some(last), before));
        let is_there = |turn: &MessageId| state.record.has(&key.conversation, turn);
        // What was looked for in vain may have been woven meanwhile, by an invocation that had lost its lease.
        !before.iter().any(is_there) && (self.woven || !last.is_some_and(is_there))
    }

    /// The document without the turn, as far as nobody built on it.
    pub(super) fn taken_out_of(&self, document: &Document) -> (Document, TakenBack) {
        let around = self.around.as_ref();
        let around = around.map(|(before, after)| AroundTurn { before, after });
        take_back(document, &self.name, around)
    }
}

/// What an answer was asked for.
pub(super) struct Base {
    /// The document as it was read.
    read: Document,
    /// The document as the model saw it: without the turn that is replaced.
    pub(super) seen: Document,
    pub(super) replaced: Option<Replaced>,
    taken_back: TakenBack,
}

impl Base {
    pub(super) fn new(read: Document, replaced: Option<Replaced>) -> Self {
        let (seen, taken_back) = match &replaced {
            Some(replaced) => replaced.taken_out_of(&read),
            None => (read.clone(), TakenBack::default()),
        };
        Self {
            read,
            seen,
            replaced,
            taken_back,
        }
    }

    /// A newer text, without the turn that is replaced.
    pub(super) fn newer(&mut self, asset: &MediaAsset, state: &ScribeState) -> Document {
        // A program that saved the text and left the manifest alone changed the text that was read.
        let document = if state.blocks == self.read.manifest() {
            Document::read_after(&asset.content, &self.read)
        } else {
            Document::read(&asset.content, &state.blocks)
        };
        let Some(replaced) = &self.replaced else {
            return document;
        };
        let (document, taken_back) = replaced.taken_out_of(&document);
        self.taken_back = taken_back;
        document
    }

    /// What the version that is written says of the turn that is replaced.
    pub(super) fn replacing(&self) -> Option<Replacing> {
        let replaced = self.replaced.as_ref()?;
        Some(Replacing {
            turn: replaced.name.clone(),
            taken_back: self.taken_back.to_string(),
        })
    }

    /// Puts the turn into the record, and what it replaces, of which nothing waits for a person's decision any more.
    /// Answers what was not there.
    pub(super) fn record(&self, state: &mut ScribeState, turn: &Turn) -> Vec<MessageId> {
        let conversation = &turn.conversation.conversation;
        let replaced = match &self.replaced {
            Some(replaced) => {
                state.suggestions.withdraw(&replaced.name);
                &replaced.turns[..]
            }
            None => &[],
        };
        // The oldest first.
        let replaced = replaced.iter().rev();
        state
            .record
            .replace(conversation, replaced, turn.message_id.clone(), turn.seq)
    }

    /// What was taken back and what stayed, for whoever counts.
    pub(super) fn tell(&self, turn: &Turn) {
        let Some(replaced) = &self.replaced else { return };
        let turns: Vec<&str> = replaced.turns.iter().map(MessageId::as_str).collect();
        let turns = turns.join(", ");
        let kept = self.taken_back.kept.iter().take(MOST_TOLD);
        let kept: Vec<String> = kept.map(|(id, kept)| format!("{id} {}", kept.label())).collect();
        tracing::info!(
            turn.id = %turn.message_id,
            conversation.id = %turn.conversation,
            turn.replaces = turns,
            taken_back.kept = kept.join(", "),
            "turn {} replaced {turns}, of which was taken back: {}",
            turn.message_id,
            self.taken_back
        );
    }
}

impl Engine {
    /// Finds out what is to be taken back for a turn. Called again after a conflict, when the replaced turn may have
    /// been woven meanwhile; `known` is what was found before.
    pub(super) async fn replaced(
        &self,
        claimant: &Claimant<'_>,
        turn: &Turn,
        state: &ScribeState,
        known: Option<Replaced>,
    ) -> Result<Option<Replaced>, AttemptError> {
        let Some(named) = turn.replaced() else {
            return Ok(None);
        };
        if let Some(known) = known
            && known.holds(&claimant.key, state)
        {
            return Ok(Some(known));
        }
        let conversation = &claimant.key.conversation;
        let name_of = |message_id: &MessageId| format!("{conversation}/{message_id}");
        let is_woven = |message_id: &MessageId| {
            let name = name_of(message_id);
            let mut turns = state.blocks.entries().iter().flat_map(|entry| &entry.turns);
            state.record.has(conversation, message_id) || turns.any(|turn| *turn == name)
        };
        let (mut turns, mut last) = (Vec::new(), named.clone());
        while !is_woven(&last) && turns.len() < CHAIN {
            let Some(next) = self.replaced_by_unwoven(&claimant.key, &last).await? else {
                break;
            };
            if next == turn.message_id || next == last || turns.contains(&next) {
                break;
            }
            turns.push(std::mem::replace(&mut last, next));
        }
        let (name, woven) = (name_of(&last), is_woven(&last));
        let around = if woven {
            let (tenant, id) = (&claimant.key.tenant, &claimant.session.text_asset_id);
            around(&self.documents.turn_versions(tenant, id, &name).await?)
        } else {
            None
        };
        turns.push(last);
        Ok(Some(Replaced {
            turns,
            name,
            woven,
            around,
        }))
    }

    /// What a turn that was never woven was to replace, as far as it is known itself.
    async fn replaced_by_unwoven(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
    ) -> Result<Option<MessageId>, AttemptError> {
        // Without Redis S3 may still have it.
        if let Ok(Some(trigger)) = self.ledger.trigger(key, message_id).await {
            return Ok(trigger.replaces);
        }
        let copies = self.documents.owed_turn(key, message_id).await?;
        Ok(copies.into_iter().find_map(|copy| copy.event.replaces))
    }

    /// A replaced turn that was never woven is owed to nobody: Redis is told, and its copies under `waiting/` are
    /// removed. What fails here the sweeper does, because the document's record has the turn.
    pub(super) async fn settle_replaced(&self, key: &ConversationKey, message_id: &MessageId) {
        if let Err(reason) = self.forget_replaced(key, message_id).await {
            tracing::info!(
                turn.id = %message_id,
                conversation.id = %key,
                "turn {message_id} was replaced, and the sweeper removes what waits of it: {reason}"
            );
        }
    }

    async fn forget_replaced(&self, key: &ConversationKey, message_id: &MessageId) -> Result<(), String> {
        let said = |error: DocumentsError| error.to_string();
        let (known, copies) = tokio::join!(
            self.ledger.trigger(key, message_id),
            self.documents.owed_turn(key, message_id)
        );
        // One that Redis does not know, or not whole, is not made known to it: its event may yet bring its texts.
        if let Some(trigger) = known.map_err(|error| error.to_string())?
            && !matches!(trigger.state, TriggerState::Processed | TriggerState::Incomplete)
        {
            let marked = self.ledger.mark_processed(key, &trigger).await;
            marked.map_err(|error| error.to_string())?;
        }
        for copy in copies.map_err(said)? {
            let removed = self.documents.remove_waiting(key, copy.event.seq, message_id);
            removed.await.map_err(said)?;
        }
        Ok(())
    }
}

/// The document that the first of these turns was woven into, and what came of it. Those behind it were replaced, each
/// by the one before it, so nothing of them is to come back.
fn around(versions: &[TurnVersions]) -> Option<(Document, Document)> {
    let mut found: Option<(Document, Document)> = None;
    for (at, version) in versions.iter().enumerate().rev() {
        let after = read(&version.after, None);
        let mut before = read(&version.before, version.after.scribe.as_ref());
        if let Some(replaced) = &version.replaces {
            let older = found.as_ref().map(|(before, after)| AroundTurn { before, after });
            // Where nothing is known of that turn but what the document shows of it, the same was done when it was
            // replaced: its versions were gone, or it was never woven.
            let older = older.filter(|_| versions.get(at + 1).is_some_and(|older| older.turn == *replaced));
            before = take_back(&before, replaced, older).0;
        }
        found = Some((before, after));
    }
    found
}

/// A version's document. One that another program wrote without what the scribe knows is read with what the next one
/// knew: blocks that nobody changed between the two are found by their hashes.
fn read(asset: &MediaAsset, next: Option<&ScribeState>) -> Document {
    let known = asset.scribe.as_ref().or(next);
    let none = scribe_core::blocks::Manifest::default();
    Document::read(&asset.content, known.map_or(&none, |state| &state.blocks))
}
