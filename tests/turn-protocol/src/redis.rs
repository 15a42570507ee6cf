//! The ledger's scripts: one function for each, named as the `.lua` files are.

use crate::guards::{Guard, Guards};
use crate::state::{Cached, Copied, Lease, Redis, Session, Standing, TURNS, Trigger, Turns};

/// What a claim answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    NoSession,
    Disabled,
    Busy,
    Nothing,
    /// The turn with its trigger; none where only the id was left.
    Turn(u8, Option<Trigger>),
}

/// What the sweeper's question for the oldest turn answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sweep {
    Empty,
    Off,
    Busy,
    Due(u8),
    /// Redis has lost its text.
    Lost(u8),
}

/// The most attempts before a turn is parked.
pub(crate) const PATIENCE: u8 = 3;

impl Redis {
    pub(crate) fn of(&self, turn: u8) -> Trigger {
        self.triggers[usize::from(turn)]
    }

    fn of_mut(&mut self, turn: u8) -> &mut Trigger {
        &mut self.triggers[usize::from(turn)]
    }

    fn enqueue(&mut self, turn: u8, attempts: u8, copy: bool) {
        *self.of_mut(turn) = Trigger {
            standing: Standing::Waits,
            attempts,
            copy,
            text_lost: false,
            replaced: self.of(turn).replaced,
        };
        self.queue.add(turn);
        if let Some((new, old)) = self.replaces
            && new == turn
        {
            self.of_mut(old).replaced = self.of(old).standing != Standing::Absent;
        }
    }

    /// The turn that is to be taken: the oldest that yields to no later one which replaces it and waits too. One that
    /// somebody has begun yields no more.
    fn first_to_take(&self, guards: Guards) -> Option<u8> {
        let yields = |turn: u8| {
            self.replaces.is_some_and(|(new, old)| {
                let by = self.of(new);
                let waits = by.standing == Standing::Waits && !by.text_lost && self.queue.has(new);
                let begun = self.of(old).attempts > 0 && guards.has(Guard::BegunIsTaken);
                old == turn && self.of(old).replaced && !begun && waits && guards.has(Guard::PassOver)
            })
        };
        let waiting = (0..).take(TURNS).filter(|&turn| self.queue.has(turn));
        waiting.into_iter().find(|&turn| !yields(turn))
    }

    /// Whether the turn is to be queued again because Redis kept it and lost the queue.
    pub(crate) fn in_no_queue(&self, turn: u8) -> bool {
        self.of(turn).standing == Standing::Waits && !self.queue.has(turn)
    }

    /// Answers whether the turn was stored: nothing is where the session is off.
    pub(crate) fn record(&mut self, turn: u8) -> bool {
        if self.session == Session::Off {
            return false;
        }
        if self.of(turn).standing == Standing::Absent {
            self.enqueue(turn, 0, false);
        }
        true
    }

    /// Answers what was found, and what Redis knows of the event's own turn.
    pub(crate) fn claim(&mut self, own: u8, place: u8, guards: Guards) -> (Claim, Standing) {
        if guards.has(Guard::OwnTurn) {
            let known = self.of(own);
            if known.standing == Standing::Absent {
                self.enqueue(own, 0, false);
            } else if known.text_lost && guards.has(Guard::TextLost) {
                self.enqueue(own, 0, true);
            } else if self.in_no_queue(own) && guards.has(Guard::Requeue) {
                self.queue.add(own);
            }
        }
        let known = self.of(own).standing;
        let claim = match self.session {
            Session::Unknown => Claim::NoSession,
            Session::Off => Claim::Disabled,
            Session::On if self.lease != Lease::Free => Claim::Busy,
            Session::On => match self.first_to_take(guards) {
                None => Claim::Nothing,
                Some(turn) => {
                    self.lease = Lease::Run(place);
                    let trigger = self.of_mut(turn);
                    if trigger.standing == Standing::Absent || trigger.text_lost {
                        Claim::Turn(turn, None)
                    } else {
                        if guards.has(Guard::AttemptsAtClaim) {
                            trigger.attempts = (trigger.attempts + 1).min(PATIENCE + 1);
                        }
                        trigger.standing = Standing::Waits;
                        Claim::Turn(turn, Some(*trigger))
                    }
                }
            },
        };
        (claim, known)
    }

    /// The turn that is to be handed on.
    fn next_waiting(&self, guards: Guards) -> Option<u8> {
        let turn = self.first_to_take(guards)?;
        let known = self.of(turn);
        let has_text = known.standing != Standing::Absent && !known.text_lost;
        (self.session != Session::Off && has_text).then_some(turn)
    }

    /// Answers whether a copy stands under `waiting/`, and for the holder which turn to hand on; none where it was
    /// refused.
    pub(crate) fn complete(
        &mut self,
        turn: u8,
        place: Option<u8>,
        cached: Option<Cached>,
        guards: Guards,
    ) -> Option<(bool, Option<u8>)> {
        let holder = place.is_some_and(|place| self.lease == Lease::Run(place));
        if !holder && !guards.has(Guard::CompleteIsFact) {
            return None;
        }
        let copy = self.of(turn).copy;
        *self.of_mut(turn) = Trigger {
            standing: Standing::Processed,
            ..Trigger::default()
        };
        self.queue.remove(turn);
        if !holder {
            return Some((copy, None));
        }
        self.lease = Lease::Free;
        if let (Some(cached), true) = (cached, self.session != Session::Unknown) {
            self.cached = cached;
        }
        Some((copy, self.next_waiting(guards)))
    }

    /// A service's failure takes the attempt back. Without counting at the claim the others are counted here.
    pub(crate) fn release(&mut self, turn: u8, place: u8, service: bool, guards: Guards) {
        if self.lease != Lease::Run(place) {
            return;
        }
        self.lease = Lease::Pause;
        let trigger = self.of_mut(turn);
        if trigger.standing == Standing::Waits || trigger.standing == Standing::Failed {
            trigger.standing = Standing::Waits;
            if guards.has(Guard::AttemptsAtClaim) == service {
                trigger.attempts = if service {
                    trigger.attempts.saturating_sub(1)
                } else {
                    trigger.attempts + 1
                };
            }
        }
    }

    /// Answers the turn to hand on, or none where it was refused.
    pub(crate) fn park(
        &mut self,
        turn: u8,
        place: u8,
        text_lost: bool,
        guards: Guards,
    ) -> Option<Option<u8>> {
        if self.lease != Lease::Run(place) || !self.queue.has(turn) {
            return None;
        }
        let known = self.of(turn);
        let found = text_lost && known.standing != Standing::Absent && !known.text_lost;
        // Its event has brought the text in the meantime, so it goes on waiting.
        if found && guards.has(Guard::StubYields) {
            self.of_mut(turn).copy = true;
        } else {
            self.fail(turn, text_lost);
        }
        self.lease = Lease::Free;
        Some(self.next_waiting(guards))
    }

    /// The sweeper's park of a turn whose text is nowhere.
    pub(crate) fn park_lost(&mut self, turn: u8) {
        let known = self.of(turn);
        let has_text = known.standing != Standing::Absent && !known.text_lost;
        if self.lease == Lease::Free && self.queue.has(turn) && !has_text {
            self.fail(turn, true);
        }
    }

    fn fail(&mut self, turn: u8, text_lost: bool) {
        let trigger = self.of_mut(turn);
        if trigger.standing == Standing::Absent {
            trigger.text_lost = text_lost;
        }
        trigger.standing = Standing::Failed;
        trigger.copy = true;
        trigger.attempts = 0;
        self.queue.remove(turn);
    }

    /// Answers whether the turn was completed in between, so that the caller removes the copy.
    pub(crate) fn note_waiting(&mut self, turn: u8) -> bool {
        let trigger = self.of_mut(turn);
        if matches!(trigger.standing, Standing::Waits | Standing::Failed) {
            trigger.copy = true;
        }
        trigger.standing == Standing::Processed
    }

    /// Leaves a session that is there, and queues what was found under `waiting/`.
    pub(crate) fn register(&mut self, enabled: Option<bool>, found: [Copied; TURNS], guards: Guards) {
        if let (Session::Unknown, Some(enabled)) = (self.session, enabled) {
            self.session = if enabled { Session::On } else { Session::Off };
        }
        for (turn, copied) in (0..).zip(found) {
            self.register_turn(turn, copied, 0, guards);
        }
    }

    pub(crate) fn register_turn(&mut self, turn: u8, copied: Copied, attempts: u8, guards: Guards) {
        let known = self.of(turn);
        match copied {
            Copied::Not => {}
            _ if self.in_no_queue(turn) => {
                if guards.has(Guard::Requeue) {
                    self.queue.add(turn);
                    self.of_mut(turn).copy = true;
                }
            }
            Copied::Waiting if known.standing == Standing::Absent => self.enqueue(turn, attempts, true),
            Copied::Waiting if known.text_lost && guards.has(Guard::TextLost) => {
                self.enqueue(turn, attempts, true);
            }
            Copied::Parked | Copied::Stub if known.standing == Standing::Absent => {
                *self.of_mut(turn) = Trigger {
                    standing: Standing::Failed,
                    attempts: 0,
                    copy: true,
                    text_lost: copied == Copied::Stub,
                    replaced: false,
                };
            }
            Copied::Waiting | Copied::Parked | Copied::Stub => {}
        }
    }

    /// Queues a failed turn again, with all its attempts; answers whether it was one.
    pub(crate) fn replay(&mut self, turn: u8) -> bool {
        let failed = matches!(self.of(turn).standing, Standing::Failed | Standing::Absent);
        if failed {
            self.enqueue(turn, 0, true);
        }
        failed
    }

    /// Answers the turn to invoke for. A session that Redis does not know is registered, with what waits in S3.
    pub(crate) fn toggle(&mut self, enabled: bool, waiting: [Copied; TURNS], guards: Guards) -> Option<u8> {
        if self.session == Session::Unknown {
            self.register(Some(enabled), waiting, guards);
        }
        self.session = if enabled { Session::On } else { Session::Off };
        self.next_waiting(guards)
    }

    /// Whether an invocation is to be invoked for the oldest turn.
    pub(crate) fn sweep(&self) -> Sweep {
        let Some(turn) = self.queue.oldest() else {
            return Sweep::Empty;
        };
        let known = self.of(turn);
        if self.session == Session::Off {
            Sweep::Off
        } else if self.lease != Lease::Free {
            Sweep::Busy
        } else if known.standing == Standing::Absent || known.text_lost {
            Sweep::Lost(turn)
        } else {
            Sweep::Due(turn)
        }
    }

    pub(crate) fn flush(&mut self) {
        *self = Self {
            session: Session::Unknown,
            replaces: self.replaces,
            ..Self::default()
        };
    }

    pub(crate) fn lose_triggers(&mut self) {
        self.triggers = [Trigger::default(); TURNS];
    }

    pub(crate) fn lose_queue(&mut self) {
        self.queue = Turns::default();
    }

    pub(crate) fn lose_session(&mut self) {
        self.session = Session::Unknown;
        self.cached = Cached::default();
    }
}
