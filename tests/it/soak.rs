//! The fault machine over the real thing: redis-server, the embedded S3 and function processes that are killed,
//! stopped, cut off and invoked twice, and processes of the API in front of a chat that breaks off, by random schedules
//! from a seed.
//!
//! `SOAK_MINUTES` says for how long, `SOAK_SEED` from which seed, and `SOAK_SCHEDULE` which single schedule, to see a
//! failure again. Without a seed each run draws its own: so all runs together see ever more, and the one that fails
//! has printed what it takes to see it again.

mod api;
mod chatter;
mod draw;
mod found_out;
mod http_tap;
mod machine;
mod model;
mod named;
mod others;
mod plan;
mod process;
mod redis_hands;
mod run;
mod stage;
mod tally;
mod taps;
mod upstream;
mod verdict;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use machine::Book;
use plan::Schedule;
use stage::{Settings, Stage};
use tally::Tally;
use verdict::Broken;

/// How long the bounded share of `make test` takes. The browsers need the machine too.
const MINUTES: f64 = 2.5;

/// How many schedules go on at once.
const LANES: usize = 2;

fn setting<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(
        value
            .parse()
            .unwrap_or_else(|error| panic!("{name} can't be read: {error:?}")),
    )
}

/// What all lanes share.
struct Run {
    seed: u64,
    only: Option<u64>,
    began: Instant,
    limit: Duration,
    next: AtomicU64,
    /// The others stop when one has failed.
    failed: AtomicBool,
}

impl Run {
    /// The next schedule's number; none where the time is over.
    fn next(&self) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        if let Some(only) = self.only {
            return (number == 0).then_some(only);
        }
        let goes_on = self.began.elapsed() < self.limit && !self.failed.load(Ordering::SeqCst);
        goes_on.then_some(number)
    }

    /// One schedule after the other, on a stage of its own: most of each is waiting, so several go on at once.
    async fn lane(&self) -> Tally {
        let apis = Settings {
            apis: 2,
            ..Settings::default()
        };
        let stage = Arc::new(Stage::new(apis).await);
        let mut tally = Tally::default();
        while let Some(number) = self.next() {
            let schedule = Schedule::draw(self.seed, number);
            let outcome = run::run(&stage, &schedule).await;
            let book = stage.machine.book();
            match outcome {
                Ok(held) => {
                    if self.only.is_some() {
                        println!("soak: schedule {number}: {held:?}, {} faults", book.struck.len());
                    }
                    tally.add(&held, &book);
                }
                Err(broken) => {
                    self.failed.store(true, Ordering::SeqCst);
                    tally.add_broken(&broken, &book);
                    println!("{tally}");
                    self.show(&stage, &schedule, &book, &broken);
                    let seed = self.seed;
                    panic!("  {broken}\nsee it again with SOAK_SEED={seed} SOAK_SCHEDULE={number}");
                }
            }
        }
        Arc::into_inner(stage)
            .expect("somebody still holds the stage")
            .stop()
            .await;
        tally
    }

    /// What led to a failure: of the conversations that it befell, or everything, where it is looked at again.
    fn show(&self, stage: &Stage, schedule: &Schedule, book: &Book, broken: &Broken) {
        let shown = |line: &str| {
            let names = &broken.names;
            self.only.is_some() || names.is_empty() || names.iter().any(|name| line.contains(name.as_str()))
        };
        println!("{schedule}  struck:");
        for (when, fault) in &book.struck {
            println!("    {:.3} s {fault}", (*when - self.began).as_secs_f64());
        }
        for (when, line) in book.journal.iter().filter(|(_, line)| shown(line)) {
            println!("{:.3} s {line}", (*when - self.began).as_secs_f64());
        }
        let logs = ["summarizer", "sweeper"].map(|function| (function, stage.log(function, 2000)));
        for (process, log) in logs.into_iter().chain([("the API", stage.api.log())]) {
            println!("{process} printed:");
            for line in log.lines().filter(|line| shown(line)) {
                println!("{line}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_schedule_of_faults_loses_or_doubles_a_turn() {
    let run = Arc::new(Run {
        seed: setting("SOAK_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32),
        only: setting("SOAK_SCHEDULE"),
        began: Instant::now(),
        limit: Duration::from_secs_f64(setting("SOAK_MINUTES").unwrap_or(MINUTES) * 60.0),
        next: AtomicU64::new(0),
        failed: AtomicBool::new(false),
    });
    println!(
        "soak: SOAK_SEED={}, {} minutes",
        run.seed,
        run.limit.as_secs_f64() / 60.0
    );
    let lanes = if run.only.is_some() { 1 } else { LANES };
    let mut running = JoinSet::new();
    for _ in 0..lanes {
        let run = Arc::clone(&run);
        running.spawn(async move { run.lane().await });
    }
    let mut tally = Tally::default();
    for lane in running.join_all().await {
        tally.merge(lane);
    }
    println!("{tally}");
}
