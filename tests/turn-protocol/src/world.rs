//! What happens around the invocations: the chat records, a person saves, switches and replays, the sweeper looks,
//! and stores forget.

use crate::faults::Fault;
use crate::guards::Guard;
use crate::protocol::{Lost, Protocol};
use crate::redis::Sweep;
use crate::state::{At, Call, Copied, Lease, Person, Redis, Run, Session, Standing, State, Sweeper, TURNS};

impl Protocol {
    /// The script: the turn is stored, or it is not, or it is and nobody hears of it.
    pub(crate) fn record(&self, state: &mut State, turn: u8, stored: Call, done: bool) -> Option<()> {
        let recording = state.chat[usize::from(turn)];
        let before = turn.checked_sub(1).map(|before| state.chat[usize::from(before)]);
        if recording.begun() || before.is_some_and(|before| !before.begun()) {
            return None;
        }
        if done && !state.redis.record(turn) {
            // Off: the chat is told that nothing was recorded.
            return None;
        }
        let recording = &mut state.chat[usize::from(turn)];
        recording.stored = stored;
        if stored == Call::Done && !self.bounds.backlog_apart {
            recording.noted = Call::Done;
            state.redis.backlog = true;
        }
        Some(())
    }

    pub(crate) fn note(&self, state: &mut State, turn: u8, noted: Call) -> Option<()> {
        let recording = &mut state.chat[usize::from(turn)];
        if recording.stored != Call::Done || recording.noted != Call::NotYet {
            return None;
        }
        recording.noted = noted;
        if noted == Call::Done {
            state.redis.backlog = true;
            // The entry that the sweeper read is another one now.
            state.sweeper.forgets &= !self.guards.has(Guard::BacklogUnchanged);
        }
        self.acknowledge(state, turn);
        Some(())
    }

    pub(crate) fn invoke(&self, state: &mut State, turn: u8, invoked: Call) -> Option<()> {
        let recording = &mut state.chat[usize::from(turn)];
        if !recording.begun() || recording.invoked != Call::NotYet {
            return None;
        }
        recording.invoked = invoked;
        if invoked == Call::Done {
            state.lambda.add(turn, 3, u8::MAX);
        }
        self.acknowledge(state, turn);
        // Redis forgot it, or the backlog, between the two calls, and Lambda did not take it: a second loss at record.
        let outside = invoked == Call::Failed && (self.stands_nowhere(state, turn) || !state.redis.backlog);
        (!outside || !state.chat[usize::from(turn)].acknowledged()).then_some(())
    }

    /// A turn that one of the two did not take stands once for a while.
    fn acknowledge(&self, state: &mut State, turn: u8) {
        if state.chat[usize::from(turn)].acknowledged() && self.stands_once(state, turn) {
            state.once_only.add(turn);
        }
    }

    pub(crate) fn deliver(&self, state: &mut State, turn: u8, tries: u8, twice: bool) -> Option<()> {
        let free = (0..self.bounds.runs).find(|&place| state.runs[usize::from(place)].at == At::Nowhere)?;
        if !state.lambda.queued(turn, tries) {
            return None;
        }
        if !twice {
            state.lambda.take(turn, tries);
        }
        *state.run(free) = Run {
            at: At::Claim,
            own: turn,
            tries,
            ..Run::default()
        };
        Some(())
    }

    pub(crate) fn lose(&self, state: &mut State, lost: Lost) -> Option<()> {
        if !state.left.take(lost.fault()) {
            return None;
        }
        match lost {
            Lost::Everything => state.redis.flush(),
            Lost::LastWrite => {
                state.redis = state.replica;
            }
            Lost::Triggers => state.redis.lose_triggers(),
            Lost::Queue => state.redis.lose_queue(),
            Lost::Backlog => state.redis.backlog = false,
            Lost::Session => state.redis.lose_session(),
            Lost::LambdaQueue => {
                state.lambda.lose_all();
                for run in &mut state.runs {
                    run.tries = 0;
                }
            }
        }
        for turn in 0..self.bounds.turns {
            // A second loss while the turn stands once is outside the promise, and so is one of what leads to it.
            let pointed_to = lost != Lost::Backlog || !self.stands_once(state, turn);
            if state.once_only.has(turn) && (self.stands_nowhere(state, turn) || !pointed_to) {
                return None;
            }
        }
        for turn in 0..self.bounds.turns {
            if self.stands_once(state, turn) {
                state.once_only.add(turn);
            }
        }
        Some(())
    }

    /// The conversation's object first, then Redis.
    pub(crate) fn switch(&self, state: &mut State) -> Option<()> {
        match state.person {
            Person::Idle => {
                let off = state.enabled && state.redis.session != Session::Off;
                if off && !state.left.take(Fault::Off) {
                    return None;
                }
                state.enabled = !off;
                state.person = Person::Switched;
            }
            Person::Switched => {
                let next = state.redis.toggle(state.enabled, state.waiting, self.guards);
                if let Some(next) = next.filter(|_| state.enabled) {
                    state.lambda.add(next, 3, self.bounds.events);
                }
                state.person = Person::Idle;
            }
            Person::Replaying(_) => return None,
        }
        Some(())
    }

    /// The object is a waiting one again, then the turn is queued and an invocation invoked.
    pub(crate) fn replay(&self, state: &mut State, turn: u8, goes: bool) -> Option<()> {
        let parked = *state.copied(turn) == Copied::Parked;
        match state.person {
            Person::Idle if parked => {
                state.left.take(Fault::Replay).then_some(())?;
                *state.copied(turn) = Copied::Waiting;
                state.person = Person::Replaying(turn);
                self.handled(state, turn);
            }
            Person::Replaying(replayed) if replayed == turn => {
                if !goes && !state.left.take(Fault::Redis) {
                    return None;
                }
                if goes && state.redis.replay(turn) {
                    state.lambda.add(turn, 3, self.bounds.events);
                }
                state.person = Person::Idle;
            }
            _ => return None,
        }
        Some(())
    }

    pub(crate) fn save(&self, state: &mut State) -> Option<()> {
        if !state.left.take(Fault::Save) {
            return None;
        }
        state.document_was_written();
        state.document.saves += 1;
        Some(())
    }

    /// Nothing is under way that the sweeper might overtake.
    pub(crate) fn is_quiet(&self, state: &State) -> bool {
        state.lambda.is_empty()
            && state.runs.iter().all(|run| run.at == At::Nowhere)
            && state.person == Person::Idle
            && matches!(state.redis.lease, Lease::Free)
            && state
                .chat
                .iter()
                .all(|recording| !recording.begun() || recording.invoked != Call::NotYet)
    }

    fn may_sweep(&self, state: &mut State) -> bool {
        self.is_quiet(state) || state.left.take(Fault::EarlySweep)
    }

    /// The backlog's half of a look: the conversation's oldest turn is invoked for, and what stands in Redis alone is
    /// copied.
    pub(crate) fn sweep_backlog(&self, state: &mut State, invoked: bool) -> Option<()> {
        if !state.redis.backlog || state.redis.queue.is_empty() || !self.may_sweep(state) {
            return None;
        }
        if !invoked && !state.left.take(Fault::Invoke) {
            return None;
        }
        match state.redis.sweep() {
            Sweep::Due(turn) if invoked => state.lambda.add(turn, 3, self.bounds.events),
            Sweep::Lost(turn) if state.copied(turn).has_text() => {
                state.redis.register_turn(turn, Copied::Waiting, 0, self.guards);
            }
            Sweep::Lost(turn) => {
                *state.copied(turn) = Copied::Stub;
                state.redis.park_lost(turn);
            }
            Sweep::Due(_) | Sweep::Empty | Sweep::Off | Sweep::Busy => {}
        }
        for turn in 0..self.bounds.turns {
            let known = state.redis.of(turn);
            let copies = known.standing == Standing::Waits && !known.copy;
            if copies && self.guards.has(Guard::SweepCopies) {
                if !state.copied(turn).has_text() {
                    *state.copied(turn) = Copied::Waiting;
                }
                state.redis.note_waiting(turn);
            }
            if known.standing == Standing::Waits {
                state.once_only.remove(turn);
            }
        }
        Some(())
    }

    /// The other half begins: `waiting/` is listed and read.
    pub(crate) fn sweep_lists(&self, state: &mut State) -> Option<()> {
        let nothing = self.waiting_needs_nobody(state);
        if !self.guards.has(Guard::SweepWaiting) || state.sweeper.listed.is_some() || nothing {
            return None;
        }
        if !self.may_sweep(state) {
            return None;
        }
        state.sweeper.listed = Some(state.waiting);
        Some(())
    }

    /// Parked turns that Redis has as failed, and turns that are queued and on the backlog, are left alone.
    fn waiting_needs_nobody(&self, state: &State) -> bool {
        (0..self.bounds.turns).all(|turn| {
            let standing = state.redis.of(turn).standing;
            let backlog = state.redis.backlog || !self.guards.has(Guard::WaitingNotesBacklog);
            match state.waiting[usize::from(turn)] {
                Copied::Not => true,
                _ if state.document.has(turn) => false,
                _ if standing == Standing::Waits && state.redis.queue.has(turn) => backlog,
                Copied::Parked | Copied::Stub => standing == Standing::Failed,
                Copied::Waiting => false,
            }
        })
    }

    /// What Redis does not know is queued again, what is in the record is marked processed and removed.
    pub(crate) fn sweep_acts(&self, state: &mut State) -> Option<()> {
        let listed = state.sweeper.listed.take()?;
        for (turn, copied) in (0..self.bounds.turns).zip(listed) {
            if copied == Copied::Not {
                continue;
            }
            if state.document.has(turn) {
                state.redis.complete(turn, None, None, self.guards);
                *state.copied(turn) = Copied::Not;
                continue;
            }
            let known = state.redis.of(turn);
            state.redis.register_turn(turn, copied, 0, self.guards);
            if *state.copied(turn) == Copied::Waiting {
                let half_replayed = known.standing == Standing::Failed && !known.text_lost;
                if half_replayed && self.guards.has(Guard::FinishReplays) {
                    state.redis.replay(turn);
                }
            }
            if state.redis.queue.has(turn) && self.guards.has(Guard::WaitingNotesBacklog) {
                state.redis.backlog = true;
            }
            if copied.has_text() {
                state.once_only.remove(turn);
            }
        }
        Some(())
    }

    /// One record of the on-failure destination, into `waiting/` unless its turn is in the record or parked.
    pub(crate) fn take_failed(&self, state: &mut State, turn: u8) -> Option<()> {
        if !state.lambda.on_failure.has(turn) || !self.guards.has(Guard::OnFailure) {
            return None;
        }
        state.lambda.on_failure.remove(turn);
        let in_record = state.document.has(turn);
        let copied = state.copied(turn);
        let missing = *copied == Copied::Not || *copied == Copied::Stub && self.guards.has(Guard::TextLost);
        if missing && !in_record {
            *copied = Copied::Waiting;
        }
        self.handled(state, turn);
        Some(())
    }

    /// An event of the turn is no more, so it does not stand once any longer; but where Redis forgot it, or could not
    /// be told of it, S3 alone has it until the sweeper looks.
    pub(crate) fn handled(&self, state: &mut State, turn: u8) {
        state.once_only.remove(turn);
        if self.stands_in_s3_alone(state, turn) && self.redis_failed(state) {
            state.once_only.add(turn);
        }
    }

    /// The sweeper removes an entry behind which nothing waits: it looks, then removes what is unchanged. That it also
    /// lets a minute go by first is left out here: the order of record's two writes needs no such wait.
    pub(crate) fn forget_backlog(&self, state: &mut State) -> Option<()> {
        if state.sweeper.forgets {
            state.redis.backlog = false;
            state.sweeper.forgets = false;
        } else if self.bounds.backlog_apart && state.redis.backlog && state.redis.queue.is_empty() {
            state.sweeper.forgets = true;
        } else {
            return None;
        }
        Some(())
    }

    /// A dead holder's lease, or a pause, runs out; a live holder's only as a fault.
    pub(crate) fn lease_runs_out(&self, state: &mut State) -> Option<()> {
        match state.redis.lease {
            Lease::Free => return None,
            Lease::Dead | Lease::Pause => {}
            Lease::Run(_) => {
                if !state.left.take(Fault::LeaseExpires) {
                    return None;
                }
            }
        }
        state.redis.lease = Lease::Free;
        Some(())
    }

    /// The world before anybody has said anything.
    pub(crate) fn beginning(&self) -> State {
        State {
            chat: Default::default(),
            redis: Redis {
                replaces: self.bounds.replaces,
                ..Redis::default()
            },
            replica: Redis::default(),
            lambda: Default::default(),
            document: Default::default(),
            waiting: [Copied::Not; TURNS],
            enabled: true,
            runs: Default::default(),
            sweeper: Sweeper::default(),
            person: Person::Idle,
            left: self.bounds.faults,
            once_only: Default::default(),
            late: false,
            asked: [0; TURNS],
        }
    }
}
