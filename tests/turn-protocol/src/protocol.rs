//! The protocol as a transition system: which steps are possible in a state, and what each makes of it.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use stateright::{Model, Property};

use crate::bounds::Bounds;
use crate::faults::Fault;
use crate::guards::Guards;
use crate::invariants::Invariant;
use crate::invocation::Fate;
use crate::redis::PATIENCE;
use crate::state::{At, Call, Lease, Person, State};

/// What a store forgets at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Lost {
    Everything,
    LastWrite,
    Triggers,
    Queue,
    Backlog,
    Session,
    LambdaQueue,
}

impl Lost {
    pub(crate) const ALL: [Self; 7] = [
        Self::Everything,
        Self::LastWrite,
        Self::Triggers,
        Self::Queue,
        Self::Backlog,
        Self::Session,
        Self::LambdaQueue,
    ];

    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Everything => Fault::Flush,
            Self::LastWrite => Fault::Failover,
            Self::Triggers => Fault::LoseTriggers,
            Self::Queue => Fault::LoseQueue,
            Self::Backlog => Fault::LoseBacklog,
            Self::Session => Fault::LoseSession,
            Self::LambdaQueue => Fault::LambdaQueue,
        }
    }
}

/// One step of the world.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Step {
    /// The script of record.
    Record(u8, Fate),
    Note(u8, Fate),
    Invoke(u8, Fate),
    /// Lambda starts an invocation with an event of this turn that has so many tries left.
    Deliver(u8, u8),
    /// The same, and the event is kept to be delivered once more.
    DeliverTwice(u8, u8),
    /// The next step of the invocation in this place.
    Run(u8, Fate),
    LeaseRunsOut,
    Lose(Lost),
    Save,
    Switch,
    Replay(u8, Fate),
    SweepBacklog(Fate),
    SweepLists,
    SweepActs,
    ForgetBacklog,
    TakeFailed(u8),
}

/// One check: the rules that hold, and how far it looks.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(crate) guards: Guards,
    pub(crate) bounds: Bounds,
    /// Hashes of states from which everything drains, so that no way is gone twice.
    pub(crate) drains: Mutex<HashSet<u64>>,
    /// Invariants that broke before. Stateright would let a longer way to a break replace the shortest.
    pub(crate) broken: AtomicU32,
}

impl Protocol {
    pub(crate) fn new(guards: Guards, bounds: Bounds) -> Self {
        Self {
            guards,
            bounds,
            drains: Mutex::default(),
            broken: AtomicU32::default(),
        }
    }

    /// Takes a step; none where it can't be taken. Places are not swapped yet, so that a trace can name them.
    pub(crate) fn take(&self, before: &State, step: Step) -> Option<State> {
        let mut state = *before;
        self.change(&mut state, step)?;
        if state.left.left(Fault::Failover) == 0 {
            state.replica = Default::default();
        } else {
            let mut last = before.redis;
            if let Lease::Run(place) = last.lease
                && state.runs[usize::from(place)].at == At::Nowhere
            {
                last.lease = Lease::Dead;
            }
            if state.redis != last {
                state.replica = last;
            }
        }
        Some(state)
    }

    fn change(&self, state: &mut State, step: Step) -> Option<()> {
        match step {
            Step::Record(turn, Fate::Goes) => self.record(state, turn, Call::Done, true),
            Step::Record(turn, Fate::Fails) if state.left.take(Fault::Redis) => {
                self.record(state, turn, Call::Failed, false)
            }
            Step::Record(turn, Fate::Unheard) if state.left.take(Fault::RedisAnswer) => {
                self.record(state, turn, Call::Failed, true)
            }
            Step::Note(turn, Fate::Goes) => self.note(state, turn, Call::Done),
            Step::Note(turn, Fate::Fails) if state.left.take(Fault::Redis) => {
                self.note(state, turn, Call::Failed)
            }
            Step::Invoke(turn, Fate::Goes) => self.invoke(state, turn, Call::Done),
            Step::Invoke(turn, Fate::Fails) if state.left.take(Fault::Invoke) => {
                self.invoke(state, turn, Call::Failed)
            }
            Step::Record(..) | Step::Note(..) | Step::Invoke(..) => None,
            Step::Deliver(turn, tries) => self.deliver(state, turn, tries, false),
            Step::DeliverTwice(turn, tries) => {
                state.left.take(Fault::Duplicate).then_some(())?;
                self.deliver(state, turn, tries, true)
            }
            Step::Run(place, fate) => {
                self.befalls(state, place, fate).then_some(())?;
                self.invocation_step(state, place, fate);
                Some(())
            }
            Step::LeaseRunsOut => self.lease_runs_out(state),
            Step::Lose(lost) => self.lose(state, lost),
            Step::Save => self.save(state),
            Step::Switch => self.switch(state),
            Step::Replay(turn, fate) => self.replay(state, turn, fate == Fate::Goes),
            Step::SweepBacklog(fate) => self.sweep_backlog(state, fate == Fate::Goes),
            Step::SweepLists => self.sweep_lists(state),
            Step::SweepActs => self.sweep_acts(state),
            Step::ForgetBacklog => self.forget_backlog(state),
            Step::TakeFailed(turn) => self.take_failed(state, turn),
        }
    }

    /// The next step of a world in which nothing goes wrong any more. What is under way ends, events are delivered,
    /// the sweeper looks when all is quiet, and a person who switched the scribe off switches it on. None where no
    /// step is left.
    pub(crate) fn calm_step(&self, state: &State) -> Option<Step> {
        let turns = || 0..self.bounds.turns;
        let recording = |turn: u8| state.chat[usize::from(turn)];
        for turn in turns() {
            if recording(turn).begun() && recording(turn).invoked == Call::NotYet {
                return Some(Step::Invoke(turn, Fate::Goes));
            }
            if recording(turn).stored == Call::Done && recording(turn).noted == Call::NotYet {
                return Some(Step::Note(turn, Fate::Goes));
            }
        }
        for (place, run) in (0..).zip(&state.runs) {
            if run.at == At::Model && self.bounds.kills == Some(run.turn) {
                return Some(Step::Run(place, Fate::Killed));
            }
            if run.at != At::Nowhere {
                return Some(Step::Run(place, Fate::Goes));
            }
        }
        match state.person {
            Person::Idle => {}
            Person::Switched => return Some(Step::Switch),
            Person::Replaying(turn) => return Some(Step::Replay(turn, Fate::Goes)),
        }
        if state.sweeper.listed.is_some() {
            return Some(Step::SweepActs);
        }
        if state.sweeper.forgets {
            return Some(Step::ForgetBacklog);
        }
        if state.redis.lease != Lease::Free {
            return Some(Step::LeaseRunsOut);
        }
        let queued = turns()
            .flat_map(|turn| (1..=PATIENCE).map(move |tries| (turn, tries)))
            .find(|&(turn, tries)| state.lambda.queued(turn, tries));
        if let Some((turn, tries)) = queued {
            return Some(Step::Deliver(turn, tries));
        }
        let failed = turns().map(Step::TakeFailed);
        let is_off = !state.enabled || state.redis.session == crate::state::Session::Off;
        let switch = is_off.then_some(Step::Switch);
        failed
            .chain(switch)
            .chain([Step::SweepBacklog(Fate::Goes), Step::SweepLists])
            .find(|&step| self.take(state, step).is_some_and(|after| after != *state))
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![self.beginning()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        let left = |fault| state.left.left(fault) > 0;
        let fates = |goes: &[(Fate, Option<Fault>)], actions: &mut Vec<Step>, step: &dyn Fn(Fate) -> Step| {
            for &(fate, fault) in goes {
                if fault.is_none_or(left) {
                    actions.push(step(fate));
                }
            }
        };
        for turn in 0..self.bounds.turns {
            let recording = state.chat[usize::from(turn)];
            if recording.stored == Call::NotYet {
                let ends = [
                    (Fate::Goes, None),
                    (Fate::Fails, Some(Fault::Redis)),
                    (Fate::Unheard, Some(Fault::RedisAnswer)),
                ];
                fates(&ends, actions, &|fate| Step::Record(turn, fate));
            } else {
                let ends = [(Fate::Goes, None), (Fate::Fails, Some(Fault::Invoke))];
                fates(&ends, actions, &|fate| Step::Invoke(turn, fate));
                let ends = [(Fate::Goes, None), (Fate::Fails, Some(Fault::Redis))];
                fates(&ends, actions, &|fate| Step::Note(turn, fate));
            }
            if left(Fault::Replay) || state.person == Person::Replaying(turn) {
                actions.extend([Fate::Goes, Fate::Fails].map(|fate| Step::Replay(turn, fate)));
            }
            for tries in 1..=PATIENCE {
                if state.lambda.queued(turn, tries) {
                    actions.push(Step::Deliver(turn, tries));
                    if left(Fault::Duplicate) {
                        actions.push(Step::DeliverTwice(turn, tries));
                    }
                }
            }
            actions.push(Step::TakeFailed(turn));
        }
        for (place, run) in (0..).zip(&state.runs) {
            if run.at != At::Nowhere {
                let fates = [
                    Fate::Goes,
                    Fate::Killed,
                    Fate::Fails,
                    Fate::Unheard,
                    Fate::UnheardTwice,
                    Fate::Bad,
                ];
                actions.extend(fates.map(|fate| Step::Run(place, fate)));
            }
        }
        actions.extend(
            Lost::ALL
                .into_iter()
                .filter(|lost| left(lost.fault()))
                .map(Step::Lose),
        );
        actions.extend([Step::LeaseRunsOut, Step::Save, Step::Switch]);
        actions.extend([Fate::Goes, Fate::Fails].map(Step::SweepBacklog));
        actions.extend([Step::SweepLists, Step::SweepActs, Step::ForgetBacklog]);
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        self.take(before, step).map(State::canonical)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Invariant::ALL.map(Invariant::property).into()
    }
}
