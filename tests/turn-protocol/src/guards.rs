//! What keeps the protocol right. Each guard can be taken away, to see that something breaks.

/// One rule of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Guard {
    /// The document's PUT says `If-Match`.
    IfMatch,
    /// The record is looked into after every read of the document.
    Record,
    /// An invocation asks whether its own turn is settled. Without: whether Redis knows it.
    Settle,
    /// Settling writes the turn under `waiting/`. Without: it writes nothing.
    Waiting,
    /// A claim brings the event's own turn along.
    OwnTurn,
    /// Attempts are counted at the claim. Without: when one has failed.
    AttemptsAtClaim,
    /// Completing is a fact that anybody may state. Without: only the lease's holder completes.
    CompleteIsFact,
    /// A parked turn's object is written before the script.
    ParkInS3,
    /// A turn that was parked without its text waits again when its text comes, wherever it comes from.
    TextLost,
    /// A stub never replaces an object that has the text.
    StubKeepsText,
    /// Parking a turn without its text yields to the text, if Redis has got it in the meantime.
    StubYields,
    /// A turn that waits and is in no queue is queued again.
    Requeue,
    /// A turn at or below the floor is parked, not woven.
    Floor,
    /// The floor is looked at after a conflict too.
    FloorAfterConflict,
    /// The on-failure destination is read.
    OnFailure,
    /// The sweeper lists `waiting/`.
    SweepWaiting,
    /// What the sweeper finds waiting under `waiting/` puts its conversation on the backlog.
    WaitingNotesBacklog,
    /// The sweeper writes a copy of every turn that waits in Redis without one.
    SweepCopies,
    /// The sweeper queues a turn whose object waits and which Redis has as failed: a replay that stopped half-way.
    FinishReplays,
    /// The PUT of a turn that replaces another one puts that one into the record too.
    RecordReplaced,
    /// A waiting turn is passed over while the one that replaces it waits.
    PassOver,
    /// A turn that somebody has begun is not passed over.
    BegunIsTaken,
    /// A backlog entry is removed only if it is unchanged since it was read.
    BacklogUnchanged,
}

/// The rules that hold in one check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guards(u32);

impl Guards {
    /// The protocol as it is.
    pub const ALL: Self = Self(u32::MAX);

    /// The protocol without one of its rules.
    #[must_use]
    pub const fn without(self, guard: Guard) -> Self {
        Self(self.0 & !(1 << guard as u8))
    }

    pub(crate) const fn has(self, guard: Guard) -> bool {
        self.0 >> guard as u8 & 1 == 1
    }
}
