//! One invocation, step by step: a permit to process one turn, whichever is oldest.
//!
//! Each function is one request to Redis, S3, the model or Lambda, with the thought behind it. What an invocation
//! learned stands in its [`Run`]; it is killed between any two steps.

use crate::faults::Fault;
use crate::guards::Guard;
use crate::protocol::Protocol;
use crate::redis::{Claim, PATIENCE};
use crate::state::{At, Cached, Copied, InRecord, Lease, Run, Standing, State};

/// Calls of the model are not counted beyond this.
const MOST_CALLS: u8 = 15;

/// How a step ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Fate {
    Goes,
    /// The invocation is killed before it.
    Killed,
    /// The request fails and nothing was done.
    Fails,
    /// It was done, and its answer is lost.
    Unheard,
    /// The same, and what would mend it is lost too.
    UnheardTwice,
    /// The model's answer can't be used.
    Bad,
}

/// Whom a step asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Redis,
    S3,
    Model,
    Lambda,
    Nobody,
}

impl Run {
    fn asks(&self) -> Asks {
        match self.at {
            At::Claim
            | At::ClaimAgain
            | At::ReviveRegister
            | At::GiveBack
            | At::Complete
            | At::Release
            | At::Park
            | At::Tell => Asks::Redis,
            At::ReviveRead | At::LookUp | At::Read | At::Put | At::ReadAgain | At::Remove | At::ParkInS3 => {
                Asks::S3
            }
            At::Settle if !self.settled => Asks::S3,
            At::Model => Asks::Model,
            At::HandOn => Asks::Lambda,
            At::Nowhere | At::Settle => Asks::Nobody,
        }
    }
}

impl Protocol {
    /// Whether a fate may befall the next step; what it costs is taken from what may still go wrong.
    pub(crate) fn befalls(&self, state: &mut State, place: u8, fate: Fate) -> bool {
        let run = *state.run(place);
        let kills = run.at == At::Model && self.bounds.kills == Some(run.turn);
        let fault = match (run.asks(), fate) {
            _ if run.at == At::Nowhere => return false,
            (_, Fate::Goes) => return !kills,
            (_, Fate::Killed) if kills => return true,
            _ if kills => return false,
            (_, Fate::Killed) => Fault::Kill,
            (Asks::Redis, Fate::Fails) => Fault::Redis,
            (Asks::S3, Fate::Fails) => Fault::S3,
            (Asks::Model, Fate::Fails) => Fault::Model,
            (Asks::Model, Fate::Bad) => Fault::BadAnswer,
            (Asks::Lambda, Fate::Fails) => Fault::Invoke,
            (Asks::Redis, Fate::Unheard) if matches!(run.at, At::Claim | At::Complete | At::Park) => {
                Fault::RedisAnswer
            }
            (Asks::Redis, Fate::UnheardTwice) if run.at == At::Claim => Fault::RedisAnswer,
            (Asks::S3, Fate::Unheard | Fate::UnheardTwice) if run.at == At::Put => Fault::PutAnswer,
            _ => return false,
        };
        state.left.take(fault)
    }

    /// Takes the next step of the invocation in one place.
    pub(crate) fn invocation_step(&self, state: &mut State, place: u8, fate: Fate) {
        if fate == Fate::Killed {
            // The model is paid for an answer that nobody is left to hear.
            if state.run(place).at == At::Model {
                self.count_call(state, state.runs[usize::from(place)].turn);
            }
            return fails(state, place);
        }
        match state.run(place).at {
            At::Nowhere => {}
            At::Claim | At::ClaimAgain => self.claim(state, place, fate),
            At::ReviveRead => revive_read(state, place, fate),
            At::ReviveRegister => self.revive_register(state, place, fate),
            At::LookUp => self.look_up(state, place, fate),
            At::GiveBack => self.give_back(state, place, fate),
            At::Read => self.read(state, place, fate),
            At::Model => self.ask_model(state, place, fate),
            At::Put => self.put(state, place, fate),
            At::ReadAgain => self.read_again(state, place, fate),
            At::Complete => self.complete(state, place, fate),
            At::Remove => {
                let run = *state.run(place);
                if fate == Fate::Goes {
                    *state.copied(run.turn) = Copied::Not;
                }
                goes_on(state.run(place));
            }
            At::HandOn => {
                if let (Some(next), Fate::Goes) = (state.run(place).next, fate) {
                    state.lambda.add(next, 3, self.bounds.events);
                }
                goes_to_settle(state.run(place));
            }
            At::Release => {
                let run = *state.run(place);
                if fate != Fate::Fails {
                    state.redis.release(run.turn, place, run.service, self.guards);
                }
                fails(state, place);
            }
            At::ParkInS3 => self.park_in_s3(state, place, fate),
            At::Park => self.park(state, place, fate),
            At::Tell => {
                let turn = state.run(place).turn;
                let removes = fate == Fate::Goes && state.redis.note_waiting(turn);
                let run = state.run(place);
                run.next = None;
                run.at = At::Remove;
                if !removes {
                    goes_to_settle(run);
                }
            }
            At::Settle => self.settle(state, place, fate),
        }
    }

    fn claim(&self, state: &mut State, place: u8, fate: Fate) {
        if fate == Fate::Fails {
            // Redis can't be reached: as if busy.
            return goes_to_settle(state.run(place));
        }
        let own = state.run(place).own;
        let (claim, known) = state.redis.claim(own, place, self.guards);
        if fate != Fate::Goes {
            // The lease may be held without our knowing, so the token is given back, if that is heard.
            if fate == Fate::Unheard && state.redis.lease == Lease::Run(place) {
                state.redis.lease = Lease::Free;
            }
            return goes_to_settle(state.run(place));
        }
        let patience_is_over = |attempts| attempts > PATIENCE;
        let again = state.run(place).at == At::ClaimAgain;
        let run = state.run(place);
        if claim == Claim::NoSession && !again {
            run.at = At::ReviveRead;
            return;
        }
        run.settled |= matches!(known, Standing::Processed | Standing::Failed)
            || !self.guards.has(Guard::Settle) && known == Standing::Waits;
        match claim {
            // Without a session once more: Redis is forgetting right now.
            Claim::NoSession | Claim::Disabled | Claim::Busy | Claim::Nothing => goes_to_settle(run),
            Claim::Turn(turn, None) => {
                run.turn = turn;
                run.at = At::LookUp;
            }
            Claim::Turn(turn, Some(trigger)) => {
                run.turn = turn;
                run.copy = trigger.copy;
                run.attempts = trigger.attempts + u8::from(!self.guards.has(Guard::AttemptsAtClaim));
                if patience_is_over(run.attempts) {
                    self.parks(run);
                } else {
                    run.at = At::Read;
                }
            }
        }
    }

    fn revive_register(&self, state: &mut State, place: u8, fate: Fate) {
        let run = state.run(place);
        let (enabled, found) = (run.found_enabled, run.found);
        run.found = Default::default();
        run.found_enabled = false;
        run.at = At::ClaimAgain;
        if fate == Fate::Fails {
            return goes_to_settle(run);
        }
        state.redis.register(Some(enabled), found, self.guards);
    }

    fn look_up(&self, state: &mut State, place: u8, fate: Fate) {
        let turn = state.run(place).turn;
        let found = state.copied(turn).has_text();
        let run = state.run(place);
        if fate == Fate::Fails {
            releases(run, true);
        } else if found {
            run.attempts = 1;
            run.copy = true;
            run.at = At::GiveBack;
        } else {
            run.text_lost = true;
            self.parks(run);
        }
    }

    fn give_back(&self, state: &mut State, place: u8, fate: Fate) {
        let turn = state.run(place).turn;
        if fate != Fate::Fails && self.guards.has(Guard::TextLost) {
            state.redis.register_turn(turn, Copied::Waiting, 1, self.guards);
        }
        state.run(place).at = At::Read;
    }

    fn read(&self, state: &mut State, place: u8, fate: Fate) {
        let cached = state.redis.cached;
        let document = state.document;
        let run = state.run(place);
        // After a failed attempt S3 is read in any case: that attempt may have committed.
        if cached.there && run.attempts <= 1 {
            run.base = cached.document;
            run.current = cached.current;
        } else if fate == Fate::Fails {
            return releases(run, true);
        } else {
            run.base = document;
            run.current = true;
        }
        self.looks_into_record(run, At::Model, true);
    }

    /// Where the turn stands in the record decides what follows.
    fn looks_into_record(&self, run: &mut Run, new: At, floor: bool) {
        let floor = floor && self.guards.has(Guard::Floor);
        run.at = if self.guards.has(Guard::Record) {
            match run.base.record(run.turn, self.bounds.window, floor) {
                InRecord::Applied => At::Complete,
                InRecord::New => new,
                InRecord::Unknowable => return self.parks(run),
            }
        } else {
            new
        };
    }

    fn ask_model(&self, state: &mut State, place: u8, fate: Fate) {
        let turn = state.run(place).turn;
        self.count_call(state, turn);
        let run = state.run(place);
        match fate {
            Fate::Fails => releases(run, true),
            Fate::Bad if run.attempts >= PATIENCE => self.parks(run),
            Fate::Bad => releases(run, false),
            _ => {
                run.attempts = 0;
                run.at = At::Put;
            }
        }
    }

    fn count_call(&self, state: &mut State, turn: u8) {
        if !self.bounds.counts_calls {
            return;
        }
        let asked = &mut state.asked[usize::from(turn)];
        *asked = (*asked + 1).min(MOST_CALLS);
    }

    fn put(&self, state: &mut State, place: u8, fate: Fate) {
        let run = *state.run(place);
        if fate == Fate::Fails {
            return releases(state.run(place), true);
        }
        if self.guards.has(Guard::IfMatch) && !run.current {
            state.run(place).at = At::ReadAgain;
            return;
        }
        let mut document = run.base;
        if let Some((new, old)) = self.bounds.replaces
            && new == run.turn
            && self.guards.has(Guard::RecordReplaced)
        {
            document.dismiss(old);
        }
        document.weave(run.turn);
        state.document_was_written();
        state.document = document;
        state.late |= *state.copied(run.turn) == Copied::Parked;
        let run = state.run(place);
        run.base = document;
        match fate {
            // The client sends it once more and meets its own write.
            Fate::Unheard => run.at = At::ReadAgain,
            Fate::UnheardTwice => releases(run, true),
            _ => {
                run.current = true;
                run.at = At::Complete;
            }
        }
    }

    fn read_again(&self, state: &mut State, place: u8, fate: Fate) {
        let document = state.document;
        let run = state.run(place);
        if fate == Fate::Fails {
            return releases(run, true);
        }
        run.base = document;
        run.current = true;
        self.looks_into_record(run, At::Put, self.guards.has(Guard::FloorAfterConflict));
    }

    fn complete(&self, state: &mut State, place: u8, fate: Fate) {
        let run = *state.run(place);
        let cached = self.bounds.caches.then_some(Cached {
            there: true,
            document: run.base,
            current: run.current,
        });
        let answer = match fate {
            Fate::Fails => None,
            _ => state.redis.complete(run.turn, Some(place), cached, self.guards),
        };
        let run = state.run(place);
        run.settled |= run.own == run.turn;
        if let (Some((copy, next)), Fate::Goes) = (answer, fate) {
            run.copy |= copy;
            run.next = next;
        }
        if run.copy {
            *run = Run {
                at: At::Remove,
                turn: run.turn,
                next: run.next,
                ..bare(run)
            };
        } else {
            goes_on(run);
        }
    }

    /// What follows when a turn is to be parked.
    fn parks(&self, run: &mut Run) {
        *run = Run {
            turn: run.turn,
            text_lost: run.text_lost,
            ..bare(run)
        };
        run.at = if self.guards.has(Guard::ParkInS3) {
            At::ParkInS3
        } else {
            run.settled |= run.own == run.turn;
            At::Park
        };
    }

    fn park_in_s3(&self, state: &mut State, place: u8, fate: Fate) {
        if fate == Fate::Fails {
            return fails(state, place);
        }
        let run = *state.run(place);
        let keeps = state.copied(run.turn).has_text() && self.guards.has(Guard::StubKeepsText);
        *state.copied(run.turn) = if run.text_lost && !keeps {
            Copied::Stub
        } else {
            Copied::Parked
        };
        let run = state.run(place);
        run.settled |= run.own == run.turn;
        run.at = At::Park;
    }

    fn park(&self, state: &mut State, place: u8, fate: Fate) {
        let run = *state.run(place);
        let parked = match fate {
            Fate::Fails => Some(None),
            _ => state.redis.park(run.turn, place, run.text_lost, self.guards),
        };
        let run = state.run(place);
        match (parked, fate) {
            (Some(next), Fate::Goes) => {
                run.next = next;
                goes_on(run);
            }
            // Another invocation has the turn now. If it succeeds, it is to remove the copy.
            (None, Fate::Goes) => run.at = At::Tell,
            _ => goes_to_settle(run),
        }
    }

    /// The last function of every invocation that ends well.
    fn settle(&self, state: &mut State, place: u8, fate: Fate) {
        let run = *state.run(place);
        if !run.settled && self.guards.has(Guard::Waiting) {
            if fate == Fate::Fails {
                return fails(state, place);
            }
            let copied = state.copied(run.own);
            if *copied == Copied::Not || *copied == Copied::Stub && self.guards.has(Guard::TextLost) {
                *copied = Copied::Waiting;
            }
            let run = state.run(place);
            run.settled = true;
            run.turn = run.own;
            run.at = At::Tell;
            return;
        }
        state.bury_lease_of(place);
        *state.run(place) = Run::default();
        self.handled(state, run.own);
    }
}

fn revive_read(state: &mut State, place: u8, fate: Fate) {
    if fate == Fate::Fails {
        return fails(state, place);
    }
    let (found, found_enabled) = (state.waiting, state.enabled);
    let run = state.run(place);
    run.found = found;
    run.found_enabled = found_enabled;
    run.at = At::ReviveRegister;
}

fn releases(run: &mut Run, service: bool) {
    *run = Run {
        at: At::Release,
        turn: run.turn,
        service,
        ..bare(run)
    };
}

/// Hands on if there is something to hand on.
fn goes_on(run: &mut Run) {
    if let Some(next) = run.next {
        *run = Run {
            at: At::HandOn,
            next: Some(next),
            ..bare(run)
        };
    } else {
        goes_to_settle(run);
    }
}

fn goes_to_settle(run: &mut Run) {
    *run = Run {
        at: At::Settle,
        ..bare(run)
    };
}

/// What the end of an invocation still needs.
fn bare(run: &Run) -> Run {
    Run {
        own: run.own,
        tries: run.tries,
        settled: run.settled,
        ..Run::default()
    }
}

/// The invocation ends with an error, or is killed: Lambda tries its event again, twice in all, then gives it to the
/// on-failure destination.
fn fails(state: &mut State, place: u8) {
    let run = *state.run(place);
    match run.tries {
        0 => {}
        1 => state.lambda.on_failure.add(run.own),
        tries => state.lambda.add(run.own, tries - 1, u8::MAX),
    }
    state.bury_lease_of(place);
    *state.run(place) = Run::default();
}
