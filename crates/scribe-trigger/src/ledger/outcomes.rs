//! What the transitions of turns take, and how they can end.

use std::time::Duration;

use scribe_core::turn::{ScribeTrigger, Seq, TriggerState};
use scribe_core::{ActiveScribeSession, AssetId, MessageId, Usage};

use super::CachedAsset;

/// What became of a turn that was to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOutcome {
    /// Stored under a new sequence.
    Recorded {
        /// Its place in the conversation.
        seq: Seq,
        /// The document, where Redis knows the session.
        text_asset_id: Option<AssetId>,
        /// Whether Redis knows every turn of the conversation, so that the id never stood for another one.
        certain: bool,
    },
    /// The same turn was recorded before.
    Same {
        /// Its place in the conversation.
        seq: Seq,
        /// Where it stands.
        state: TriggerState,
        /// The document, where Redis knows the session.
        text_asset_id: Option<AssetId>,
        /// As above.
        certain: bool,
    },
    /// The id stands for other texts.
    OtherText,
    /// The scribe is switched off: nothing was stored.
    Off,
    /// The conversation has no scribe: nothing was stored.
    NoScribe,
}

/// What a claim needs.
#[derive(Debug)]
pub struct ClaimRequest<'a> {
    /// The event's own turn, queued first if Redis does not know it.
    pub own: &'a ScribeTrigger,
    /// Who claims: a random token.
    pub token: &'a str,
    /// The ETag of the asset that the process still holds.
    pub held_etag: Option<&'a str>,
}

/// An answer to a claim, with what Redis knows of the event's own turn.
#[derive(Debug)]
pub struct Claim {
    /// Where the event's own turn stands; none where Redis does not know it.
    pub own: Option<TriggerState>,
    /// What may be done.
    pub claimed: Claimed,
}

/// What an invocation may do.
pub enum Claimed {
    /// Write this turn. The lease is held.
    Turn {
        /// The oldest waiting turn; its attempt is counted. None where only its id was left.
        trigger: Option<Box<ScribeTrigger>>,
        /// Its id.
        message_id: MessageId,
        /// Its place in the conversation.
        seq: Seq,
        /// The session.
        session: Box<ActiveScribeSession>,
        /// The asset's ETag, where Redis knows it; it does of assets too that are too large to be cached.
        etag: Option<String>,
        /// The asset, where Redis caches it and the process does not hold it already.
        asset: Option<CachedAsset>,
    },
    /// Another invocation is writing, or the conversation pauses after a failure.
    Busy {
        /// For how long at least.
        remaining: Duration,
        /// Whether it is a pause.
        pause: bool,
    },
    /// No turn waits.
    Nothing,
    /// The scribe is switched off.
    Disabled,
    /// The conversation has no scribe.
    NoScribe,
    /// Redis does not know the conversation.
    NoSession,
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Turn { message_id, seq, .. } => write!(f, "Turn({message_id} seq {})", seq.0),
            Self::Busy { remaining, pause } => write!(f, "Busy({remaining:?}, pause {pause})"),
            Self::Nothing => f.write_str("Nothing"),
            Self::Disabled => f.write_str("Disabled"),
            Self::NoScribe => f.write_str("NoScribe"),
            Self::NoSession => f.write_str("NoSession"),
        }
    }
}

/// A fact: the turn is in the document.
#[derive(Debug)]
pub struct Completion<'a> {
    /// The turn, as the caller knows it.
    pub trigger: &'a ScribeTrigger,
    /// The caller's token; an empty one holds no lease.
    pub token: &'a str,
    /// When the document was written, ISO 8601.
    pub last_update_at: &'a str,
    /// How many turns of the conversation are in the document.
    pub message_count: u64,
    /// Whether it came after turns that were recorded later.
    pub late: bool,
    /// The asset as it is now, to be cached if it is small enough.
    pub asset: Option<&'a CachedAsset>,
}

/// What completing did.
#[derive(Debug)]
pub struct Completed {
    /// Whether the caller held the lease. If not, the turn was marked and nothing else was done.
    pub held_lease: bool,
    /// Whether a copy of the turn stands under `waiting/`, to be removed.
    pub waiting: bool,
    /// The turn to hand on.
    pub next: Option<Box<ScribeTrigger>>,
}

/// A failed attempt.
#[derive(Debug)]
pub struct Release<'a> {
    /// Which turn.
    pub message_id: &'a MessageId,
    /// The caller's token.
    pub token: &'a str,
    /// How long nobody claims.
    pub pause: Duration,
    /// Whether a service failed: then the attempt does not count.
    pub service_failure: bool,
    /// Why, for people to read.
    pub reason: &'a str,
    /// What the turn has cost so far, this attempt and those before it.
    pub usage: Option<Usage>,
}

/// What parking did.
#[derive(Debug)]
pub enum Parked {
    /// The turn is among the failed ones.
    Parked {
        /// The turn to hand on.
        next: Option<Box<ScribeTrigger>>,
    },
    /// The lease is another's, or the turn does not wait any more.
    Refused,
}

/// What replaying did.
#[derive(Debug)]
pub enum Replayed {
    /// It waits again.
    Queued(Box<ScribeTrigger>),
    /// It is not a failed turn.
    NotFailed(TriggerState),
}

/// The turns of a conversation at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampedTurns {
    /// The turns that Redis knows, by sequence.
    pub turns: Vec<ScribeTrigger>,
    /// The largest [`ScribeTrigger::changed`] that was given so far; zero where Redis knows nothing.
    pub last_change: u64,
    /// When a turn was last taken away, by the same count; zero if never.
    pub last_forgotten: u64,
}

/// How a conversation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStatus {
    /// How many turns wait, the one that is being written included.
    pub waiting: u64,
    /// The oldest one's sequence.
    pub oldest: Option<Seq>,
    /// Whether an invocation holds the lease.
    pub writing: bool,
}
