//! Tells a way through the states in the protocol's own words.

use stateright::Path;

use crate::invocation::Fate;
use crate::protocol::{Lost, Protocol, Step};
use crate::state::{At, State};

impl Protocol {
    /// The steps of a path, one text for each.
    pub(crate) fn told(&self, path: &Path<State, Step>) -> Vec<String> {
        let steps = path.clone().into_vec();
        steps
            .iter()
            .filter_map(|(state, step)| step.map(|step| self.tell(state, step)))
            .collect()
    }

    /// Turns are counted from 1 here, as people do.
    pub(crate) fn tell(&self, before: &State, step: Step) -> String {
        match step {
            Step::Record(turn, fate) => format!("record {}{}", turn + 1, ending(fate)),
            Step::Note(turn, fate) => format!("backlog {}{}", turn + 1, ending(fate)),
            Step::Invoke(turn, fate) => format!("invoke {}{}", turn + 1, ending(fate)),
            Step::Deliver(turn, _) => format!("event {} comes", turn + 1),
            Step::DeliverTwice(turn, _) => format!("event {} comes, and will again", turn + 1),
            Step::Run(place, fate) => self.tell_run(before, place, fate),
            Step::LeaseRunsOut => "the lease runs out".into(),
            Step::Lose(lost) => match lost {
                Lost::Everything => "flush",
                Lost::LastWrite => "a failover forgets the last write",
                Lost::Triggers => "the triggers are lost",
                Lost::Queue => "the queue is lost",
                Lost::Backlog => "the backlog is lost",
                Lost::Session => "the session is lost",
                Lost::LambdaQueue => "lambda's queue is lost",
            }
            .into(),
            Step::Save => "a person saves".into(),
            Step::Switch => "a person switches".into(),
            Step::Replay(turn, fate) => format!("replay {}{}", turn + 1, ending(fate)),
            Step::SweepBacklog(fate) => format!("the sweeper reads the backlog{}", ending(fate)),
            Step::SweepLists => "the sweeper lists waiting/".into(),
            Step::SweepActs => "the sweeper acts".into(),
            Step::ForgetBacklog => "the sweeper forgets the backlog".into(),
            Step::TakeFailed(turn) => format!("on-failure {} is read", turn + 1),
        }
    }

    fn tell_run(&self, before: &State, place: u8, fate: Fate) -> String {
        let run = before.runs[usize::from(place)];
        let after = self.take(before, Step::Run(place, fate));
        let after = after.map_or(run, |after| after.runs[usize::from(place)]);
        let turn = run.turn + 1;
        let does = match run.at {
            At::Nowhere => "rests".into(),
            At::Claim | At::ClaimAgain => match after.at {
                At::Settle => "claims nothing".into(),
                At::ReviveRead => "finds no session".into(),
                _ => format!("claims {}", after.turn + 1),
            },
            At::ReviveRead => "reads what s3 knows".into(),
            At::ReviveRegister => "registers it".into(),
            At::LookUp => format!("looks for the text of {turn}"),
            At::GiveBack => format!("gives {turn} back to redis"),
            At::Read => "reads".into(),
            At::Model => format!("model {turn}"),
            At::Put if after.at == At::ReadAgain && fate == Fate::Goes => format!("put {turn}: conflict"),
            At::Put => format!("put {turn}"),
            At::ReadAgain => "reads again".into(),
            At::Complete => format!("completes {turn}"),
            At::Remove => format!("removes the copy of {turn}"),
            At::HandOn => format!("hands on {}", run.next.map_or(0, |next| next + 1)),
            At::Release => "releases".into(),
            At::ParkInS3 => format!("parks {turn} in s3"),
            At::Park => format!("parks {turn}"),
            At::Tell => format!("tells of the copy of {turn}"),
            At::Settle if run.settled => "ends".into(),
            At::Settle if after.at == At::Nowhere => "ends without settling".into(),
            At::Settle => format!("settles {}", run.own + 1),
        };
        format!("event {} {does}{}", run.own + 1, ending(fate))
    }
}

fn ending(fate: Fate) -> &'static str {
    match fate {
        Fate::Goes => "",
        Fate::Killed => ": killed before it",
        Fate::Fails => ": fails",
        Fate::Unheard => ": done, but not heard",
        Fate::UnheardTwice => ": done, but never heard",
        Fate::Bad => ": its answer is of no use",
    }
}
