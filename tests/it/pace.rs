//! A turn costs a turn: what it takes and what it costs does not grow with the document.
//!
//! The model is a paced one, on the real wire. Every measured turn takes the time that a real model takes, so these
//! tests are as long as the turns that they measure; conversations run side by side, and turns that are only to be
//! there take no time. `PACE_ALL` has every turn take its time: the 800 then take 20 minutes.

mod figures;
mod model;
mod prefix;
mod prose;
mod talk;

use std::time::Duration;

use figures::{Figures, print};
use model::Pace;
use talk::Talk;

/// The documents' lengths in tokens.
const LENGTHS: [usize; 4] = [500, 2_000, 6_000, 50_000];
/// How many times the least the most may be.
const SPREAD: f64 = 1.1;

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_takes_as_long_whatever_the_documents_length() {
    /// How many of the turns take their time.
    const PACED: usize = 20;
    let measured = LENGTHS.map(|length| {
        tokio::spawn(async move {
            let mut talk = Talk::about(length, length as u64).await;
            // The process opens its connections, and finds the document that was written behind its back.
            talk.turn(Pace::NONE).await;
            let turns = talk.turns(50, |n| paces_all() || n < PACED).await;
            let trips = talk.round_trips().await;
            talk.check().await;
            (turns, trips)
        })
    });
    let mut all = Vec::new();
    for (length, measured) in LENGTHS.iter().zip(measured) {
        let (turns, mut trips) = measured.await.unwrap();
        all.push(Figures::of(format!("{length} tokens"), &turns));
        // Recording is not the turn's. Writing the turn down and telling readers goes beside the path; the model is
        // the fourth.
        trips.retain(|trip| {
            ![
                "Redis record",
                "Redis ZADD",
                "Lambda invoke",
                "S3 PUT turns",
                "Redis PUBLISH",
            ]
            .contains(&trip.as_str())
        });
        assert_eq!(
            trips,
            ["Redis claim", "S3 PUT media-assets", "Redis complete"],
            "{length} tokens"
        );
    }
    print("Turns at four lengths", &all.iter().collect::<Vec<_>>());
    for figures in &all {
        assert!(
            figures.median < Duration::from_secs(2),
            "{}: {:?}",
            figures.of,
            figures.median
        );
        assert!(
            figures.longest_prompt <= 6_000,
            "{}: {}",
            figures.of,
            figures.longest_prompt
        );
        assert!(figures.paid() < 2.5, "{}: {}", figures.of, figures.paid());
    }
    let times = all.iter().map(|figures| figures.median.as_secs_f64());
    let (least, most) = times.fold((f64::MAX, 0.0_f64), |(least, most), time| {
        (least.min(time), most.max(time))
    });
    assert!(most <= least * SPREAD, "from {least:.3} to {most:.3} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_eight_hundred_turns_costs_what_the_first_did() {
    const TURNS: usize = 800;
    const AT_EACH_END: usize = 50;
    /// Of the first and the last turns one in so many takes its time.
    const ONE_IN: usize = 4;
    /// By then the document no longer fits into a prompt.
    const LONG: usize = 100;
    let mut talk = Talk::about(0, 800).await;
    talk.turn(Pace::NONE).await;
    let is_paced = |n: usize| {
        let between = (AT_EACH_END..TURNS - AT_EACH_END).contains(&n);
        paces_all() || (!between && n.is_multiple_of(ONE_IN))
    };
    let turns = talk.turns(TURNS, is_paced).await;
    talk.check().await;

    let (end, middle) = (TURNS - AT_EACH_END, (LONG + TURNS - AT_EACH_END) / 2);
    let first = Figures::of("the first 50", &turns[..AT_EACH_END]);
    let last = Figures::of("the last 50", &turns[end..]);
    let earlier = Figures::of(format!("from {LONG} to {middle}"), &turns[LONG..middle]);
    let later = Figures::of(format!("from {middle} to {end}"), &turns[middle..end]);
    print("800 turns", &[&first, &earlier, &later, &last]);
    check_alike("seconds", first.median.as_secs_f64(), last.median.as_secs_f64());
    check_alike("output tokens", first.output as f64, last.output as f64);
    // A document that fits into a prompt is all that is in it. From then on the prompt neither grows nor is it read
    // anew more often.
    check_alike("prompt tokens", earlier.prompt as f64, later.prompt as f64);
    check_alike(
        "uncached tokens",
        earlier.uncached() as f64,
        later.uncached() as f64,
    );
}

fn check_alike(what: &str, one: f64, other: f64) {
    let (least, most) = (one.min(other), one.max(other));
    assert!(most <= least * SPREAD, "{what}: {one:.3} and {other:.3}");
}

/// Whether every turn takes its time.
fn paces_all() -> bool {
    std::env::var_os("PACE_ALL").is_some_and(|value| !value.is_empty())
}
