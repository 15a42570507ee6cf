//! What measured turns come to.

use std::fmt;
use std::time::Duration;

use super::prose::PASSAGE;
use super::talk::Measured;

/// Turns of one kind, summed up. Times are of the turns that took the model's time, of all where none did.
pub(super) struct Figures {
    pub(super) of: String,
    pub(super) turns: usize,
    pub(super) median: Duration,
    pub(super) p90: Duration,
    /// The median without the model's part.
    pub(super) own: Duration,
    /// The longest prompt in tokens.
    pub(super) longest_prompt: usize,
    /// Tokens of all turns together.
    pub(super) prompt: usize,
    pub(super) cached: usize,
    pub(super) output: usize,
}

impl Figures {
    pub(super) fn of(of: impl fmt::Display, turns: &[Measured]) -> Self {
        let paced: Vec<&Measured> = turns.iter().filter(|turn| !turn.model.is_zero()).collect();
        let timed = if paced.is_empty() {
            turns.iter().collect()
        } else {
            paced
        };
        let sum = |of: fn(&Measured) -> usize| turns.iter().map(of).sum();
        let times = |of: fn(&Measured) -> Duration| timed.iter().map(|turn| of(turn)).collect::<Vec<_>>();
        Self {
            of: of.to_string(),
            turns: turns.len(),
            median: quantile(times(|turn| turn.time), 0.5),
            p90: quantile(times(|turn| turn.time), 0.9),
            own: quantile(times(Measured::own), 0.5),
            longest_prompt: turns.iter().map(|turn| turn.call.read).max().unwrap(),
            prompt: sum(|turn| turn.call.read),
            cached: sum(|turn| turn.call.cached),
            output: sum(|turn| turn.call.output),
        }
    }

    pub(super) fn uncached(&self) -> usize {
        self.prompt - self.cached
    }

    /// Output tokens paid for each token of new text.
    pub(super) fn paid(&self) -> f64 {
        self.output as f64 * 4.0 / (self.turns * PASSAGE) as f64
    }
}

/// The smallest value that has so large a share of the values below or at it.
fn quantile(mut values: Vec<Duration>, share: f64) -> Duration {
    values.sort_unstable();
    let rank = (values.len() as f64 * share).ceil();
    let (_, value) = (1..).zip(&values).find(|&(at, _)| f64::from(at) >= rank).unwrap();
    *value
}

/// Prints figures as a table; tokens are per turn.
pub(super) fn print(title: &str, all: &[&Figures]) {
    println!(
        "\n{title}\n| | turns | prompt (longest) | prompt | cached | output | paid/new | turn p50 s | p90 s | without the model p50 ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for figures in all {
        let each = |tokens: usize| tokens / figures.turns;
        println!(
            "| {} | {} | {} | {} | {} | {} | {:.2} | {:.3} | {:.3} | {:.1} |",
            figures.of,
            figures.turns,
            figures.longest_prompt,
            each(figures.prompt),
            each(figures.cached),
            each(figures.output),
            figures.paid(),
            figures.median.as_secs_f64(),
            figures.p90.as_secs_f64(),
            figures.own.as_secs_f64() * 1e3,
        );
    }
}
