//! Schedules are drawn from a seed. The seed and the schedule's number decide everything here; how a race ends may
//! differ from run to run.

use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::plan::{Act, Again, Asking, Deed, Fault, Named, Nonsense, Point, Route, Schedule, Talk, Who};
use super::upstream::{End, Form};
use crate::world::{Moment, Wire};

impl Schedule {
    pub(super) fn draw(seed: u64, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let rng = &mut rng;
        let talks: Vec<_> = (0..rng.random_range(2..=6)).map(|_| talk(rng)).collect();
        let turns: usize = talks.iter().map(Talk::turns).sum();
        let mut faults = Vec::new();
        // Up to eight, rather more than fewer; some schedules have none.
        for _ in 0..rng.random_range(0..=8).max(rng.random_range(0..=8)) {
            draw_faults(rng, u32::try_from(turns).unwrap(), &mut faults);
        }
        Self {
            seed,
            number,
            talks,
            faults,
        }
    }
}

/// Out of ten turns, how many are a chat's, and how many take the place of an earlier one.
const MIXTURES: [(u32, u32); 5] = [(0, 0), (0, 3), (10, 0), (8, 1), (5, 2)];

fn talk(rng: &mut ChaCha8Rng) -> Talk {
    let turns: usize = rng.random_range(3..=15);
    // Some people type ahead, some take their time.
    let longest_pause = *[0, 20, 200].choose(rng).unwrap();
    let (chats, instead) = *MIXTURES.choose(rng).unwrap();
    let mut acts: Vec<_> = (0..turns)
        .map(|_| match rng.random_range(0..10) {
            at if at < chats => Act::Chat(draw_asking(rng)),
            at if at < chats + instead => Act::SayInstead(rng.random()),
            _ => Act::Say,
        })
        .collect();
    for _ in 0..*[0, 0, 1, 3].choose(rng).unwrap() {
        let act = match rng.random_range(0..3) {
            0 => Act::TypeInto(rng.random()),
            _ => Act::TypeParagraph(rng.random()),
        };
        acts.insert(rng.random_range(0..=acts.len()), act);
    }
    if rng.random_ratio(1, 5) {
        let wished = chats > 0 && rng.random();
        let switched = |on: bool| match (wished, on) {
            (true, _) => Act::Wish(on),
            (false, true) => Act::On,
            (false, false) => Act::Off,
        };
        let off = rng.random_range(0..acts.len());
        acts.insert(off, switched(false));
        acts.insert(rng.random_range(off + 1..=acts.len()), switched(true));
    }
    let poisoned = if rng.random_ratio(1, 12) {
        vec![rng.random_range(0..turns)]
    } else {
        Vec::new()
    };
    let acts = acts
        .into_iter()
        .map(|act| (Duration::from_millis(rng.random_range(0..=longest_pause)), act))
        .collect();
    Talk {
        acts,
        repeats: rng.random_ratio(3, 4),
        poisoned,
    }
}

fn draw_asking(rng: &mut ChaCha8Rng) -> Asking {
    let form = *[Form::Events, Form::Events, Form::UiStream, Form::Json, Form::Text]
        .choose(rng)
        .unwrap();
    let hitches: Vec<End> = (0..*[0, 0, 0, 1, 1, 2].choose(rng).unwrap())
        .map(|_| {
            let after = rng.random_range(0..=3);
            *[
                End::Cut(after),
                End::Silence(after),
                End::Silence(after),
                End::Error(after),
                End::Endless(after),
                End::Refused(503),
            ]
            .choose(rng)
            .unwrap()
        })
        .collect();
    let gives_up = !hitches.is_empty() && rng.random_ratio(1, 3);
    let again = (0..*[0, 0, 0, 1, 1, 2].choose(rng).unwrap())
        .map(|_| {
            *[Again::Same, Again::Otherwise, Again::Edited]
                .choose(rng)
                .unwrap()
        })
        .collect();
    Asking {
        route: *[Route::Lore, Route::Completions].choose(rng).unwrap(),
        form,
        named: *[Named::Header, Named::Client, Named::Not].choose(rng).unwrap(),
        hitches,
        gives_up,
        again,
    }
}

fn millis(rng: &mut ChaCha8Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.random_range(from..=to))
}

/// Steps that a turn takes in most schedules; others are reached only when something went wrong before.
const COMMON: [(Wire, &str); 9] = [
    (Wire::Redis, "claim"),
    (Wire::S3, "GET media-assets"),
    (Wire::Model, "chat"),
    (Wire::Model, "first token"),
    (Wire::S3, "PUT turns"),
    (Wire::S3, "PUT media-assets"),
    (Wire::Redis, "complete"),
    (Wire::Lambda, "invoke"),
    (Wire::S3, "PUT waiting"),
];
const RARE: [(Wire, &str); 11] = [
    (Wire::Redis, "renew"),
    (Wire::Redis, "release"),
    (Wire::Redis, "park"),
    (Wire::Redis, "register"),
    (Wire::Redis, "note_waiting"),
    (Wire::S3, "PUT parked"),
    (Wire::S3, "DELETE waiting"),
    (Wire::S3, "GET conversations"),
    (Wire::S3, "LIST waiting"),
    (Wire::S3, "GET waiting"),
    (Wire::Redis, "claim"),
];
const SWEEPERS: [(Wire, &str); 13] = [
    (Wire::S3, "LIST waiting"),
    (Wire::S3, "GET conversations"),
    (Wire::S3, "GET media-assets"),
    (Wire::S3, "GET waiting"),
    (Wire::S3, "PUT waiting"),
    (Wire::S3, "DELETE waiting"),
    (Wire::Redis, "HMGET"),
    (Wire::Redis, "register"),
    (Wire::Redis, "sweep"),
    (Wire::Redis, "ZRANGE"),
    (Wire::Redis, "complete"),
    (Wire::Redis, "forget_backlog"),
    (Wire::Lambda, "invoke"),
];

/// What the API's processes do.
const APIS: [(Wire, &str); 7] = [
    (Wire::Redis, "record"),
    (Wire::Redis, "record"),
    (Wire::Lambda, "invoke"),
    (Wire::Redis, "note_incomplete"),
    (Wire::Redis, "toggle"),
    (Wire::S3, "GET conversations"),
    (Wire::S3, "PUT conversations"),
];

fn moment(rng: &mut ChaCha8Rng) -> Moment {
    if rng.random() {
        Moment::Before
    } else {
        Moment::After
    }
}

/// Some step of a function or of the API.
fn step(rng: &mut ChaCha8Rng, turns: u32) -> Point {
    let (who, (wire, name), most) = match rng.random_range(0..12) {
        0..6 => (Who::Summarizer, *COMMON.choose(rng).unwrap(), turns),
        6..8 => (Who::Summarizer, *RARE.choose(rng).unwrap(), 4),
        8..10 => (Who::Recorder, *APIS.choose(rng).unwrap(), turns.div_ceil(4)),
        _ => (Who::Sweeper, *SWEEPERS.choose(rng).unwrap(), 6),
    };
    Point {
        who,
        wire,
        name,
        moment: moment(rng),
        nth: rng.random_range(1..=most),
    }
}

/// A step of this wire.
fn step_on(rng: &mut ChaCha8Rng, turns: u32, wire: Wire) -> Point {
    loop {
        let point = step(rng, turns);
        if point.wire == wire {
            return point;
        }
    }
}

fn recording(rng: &mut ChaCha8Rng, turns: u32, name: &'static str) -> Point {
    let wire = if name == "invoke" {
        Wire::Lambda
    } else {
        Wire::Redis
    };
    Point {
        who: Who::Recorder,
        wire,
        name,
        moment: moment(rng),
        nth: rng.random_range(1..=turns),
    }
}

/// Any step, a recording one too.
fn anywhere(rng: &mut ChaCha8Rng, turns: u32) -> Point {
    match rng.random_range(0..4) {
        0 => {
            let name = ["record", "invoke"].choose(rng).unwrap();
            recording(rng, turns, name)
        }
        _ => step(rng, turns),
    }
}

fn before(point: Point) -> Point {
    Point {
        moment: Moment::Before,
        ..point
    }
}

fn draw_faults(rng: &mut ChaCha8Rng, turns: u32, faults: &mut Vec<Fault>) {
    let fault = match rng.random_range(0..100) {
        0..26 => Fault {
            at: step(rng, turns),
            deed: Deed::Kill,
        },
        26..31 => Fault {
            at: step(rng, turns),
            deed: Deed::Freeze(millis(rng, 50, 4000)),
        },
        31..36 => Fault {
            at: step(rng, turns),
            deed: Deed::Cut,
        },
        36..40 => Fault {
            at: anywhere(rng, turns),
            deed: Deed::Cut,
        },
        40..48 => Fault {
            at: before(step_on(rng, turns, Wire::S3)),
            deed: Deed::Status {
                status: *[409, 412, 500, 503, 503].choose(rng).unwrap(),
                times: *[1, 1, 2, 5, 12].choose(rng).unwrap(),
            },
        },
        48..51 => Fault {
            at: step_on(rng, turns, Wire::S3),
            deed: Deed::Slow(millis(rng, 100, 1500)),
        },
        51..56 => {
            let mut at = step_on(rng, turns, Wire::S3);
            // An answer that is lost: the server has done it.
            at.moment = Moment::After;
            Fault { at, deed: Deed::Cut }
        }
        56..62 => Fault {
            at: invoke(rng, turns),
            deed: Deed::Twice(millis(rng, 0, 800)),
        },
        62..67 => Fault {
            at: invoke(rng, turns),
            deed: Deed::Late(millis(rng, 50, 2000)),
        },
        67..71 => Fault {
            at: before(invoke(rng, turns)),
            deed: Deed::Status {
                status: *[429, 500].choose(rng).unwrap(),
                times: *[1, 2, 5, 20].choose(rng).unwrap(),
            },
        },
        71..73 => Fault {
            at: invoke(rng, turns),
            deed: Deed::Slow(millis(rng, 100, 1500)),
        },
        73..83 => {
            let nonsense = *[
                Nonsense::Garbage,
                Nonsense::Empty,
                Nonsense::Cut,
                Nonsense::Stall,
                Nonsense::Busy,
                Nonsense::Broken,
                Nonsense::Slow,
            ]
            .choose(rng)
            .unwrap();
            Fault {
                at: asking(rng, turns),
                deed: Deed::Say(nonsense),
            }
        }
        83..85 => Fault {
            at: asking(rng, turns),
            deed: Deed::Outage(millis(rng, 200, 3000)),
        },
        85..89 => Fault {
            at: anywhere(rng, turns),
            deed: Deed::Flush,
        },
        89..93 => Fault {
            at: anywhere(rng, turns),
            deed: Deed::Halve(rng.random()),
        },
        93..97 => {
            faults.push(Fault {
                at: anywhere(rng, turns),
                deed: Deed::Save,
            });
            Fault {
                at: anywhere(rng, turns),
                deed: Deed::Restore,
            }
        }
        _ => Fault {
            at: anywhere(rng, turns),
            deed: Deed::FreezeRedis(millis(rng, 50, 2500)),
        },
    };
    faults.push(fault);
}

fn asking(rng: &mut ChaCha8Rng, turns: u32) -> Point {
    let nth = rng.random_range(1..=turns);
    Point {
        who: Who::Summarizer,
        wire: Wire::Model,
        name: "chat",
        moment: Moment::Before,
        nth,
    }
}

fn invoke(rng: &mut ChaCha8Rng, turns: u32) -> Point {
    let who = *[Who::Recorder, Who::Recorder, Who::Summarizer, Who::Sweeper]
        .choose(rng)
        .unwrap();
    let nth = rng.random_range(1..=if who == Who::Sweeper { 4 } else { turns });
    Point {
        who,
        wire: Wire::Lambda,
        name: "invoke",
        moment: Moment::Before,
        nth,
    }
}
