//! The fault machine over the real thing: redis-server, the embedded S3 and function processes that are killed,
//! stopped, cut off and invoked twice, by random schedules from a seed.
//!
//! `SOAK_MINUTES` says for how long, `SOAK_SEED` from which seed, and `SOAK_SCHEDULE` which single schedule, to see a
//! failure again. Without a seed each run draws its own: so all runs together see ever more, and the one that fails
//! has printed what it takes to see it again.

mod draw;
mod http_tap;
mod machine;
mod model;
mod named;
mod plan;
mod process;
mod redis_hands;
mod run;
mod stage;
mod tally;
mod taps;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use plan::Schedule;
use stage::{Settings, Stage};
use tally::Tally;

/// How long the bounded share of `make test` takes.
const MINUTES: f64 = 5.0;

fn setting<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(
        value
            .parse()
            .unwrap_or_else(|error| panic!("{name} can't be read: {error:?}")),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_schedule_of_faults_loses_or_doubles_a_turn() {
    let seed = setting("SOAK_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32);
    let only = setting::<u64>("SOAK_SCHEDULE");
    let limit = Duration::from_secs_f64(setting("SOAK_MINUTES").unwrap_or(MINUTES) * 60.0);
    println!("soak: SOAK_SEED={seed}, {} minutes", limit.as_secs_f64() / 60.0);
    let stage = Arc::new(Stage::new(Settings::default()).await);
    let (began, mut tally) = (Instant::now(), Tally::default());
    let numbers = only.map_or(0..=u64::MAX, |number| number..=number);
    for number in numbers {
        if tally.schedules() > 0 && began.elapsed() >= limit {
            break;
        }
        let schedule = Schedule::draw(seed, number);
        let outcome = run::run(&stage, &schedule).await;
        let book = stage.machine.book();
        match outcome {
            Ok(held) => {
                println!("soak: schedule {number}: {held:?}, {} faults", book.struck.len());
                tally.add(&held, &book);
            }
            Err(broken) => {
                tally.add_broken(&broken, &book);
                println!("{tally}");
                println!("{schedule}  struck:");
                for (when, fault) in &book.struck {
                    println!("    {:.3} s {fault}", (*when - began).as_secs_f64());
                }
                if only.is_some() {
                    for (when, line) in &book.journal {
                        println!("{:.3} s {line}", (*when - began).as_secs_f64());
                    }
                    for function in ["summarizer", "sweeper"] {
                        println!("{function} printed:\n{}", stage.log(function, 2000));
                    }
                }
                panic!("  {broken}\nsee it again with SOAK_SEED={seed} SOAK_SCHEDULE={number}");
            }
        }
    }
    println!("{tally}");
    Arc::into_inner(stage)
        .expect("somebody still holds the stage")
        .stop()
        .await;
}
