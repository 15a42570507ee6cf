//! How far an import is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is printed where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The progress of an import.
pub(super) struct Progress {
    total: u64,
    /// Done before this run began.
    before: u64,
    done: u64,
    began: Instant,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Progress {
    pub(super) fn new(total: u64, before: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        let mut progress = Self {
            total,
            before,
            done: before,
            began: now,
            bar,
            last_line: now,
        };
        progress.show(before);
        progress
    }

    /// Shows that `done` turns are done, those from before included.
    pub(super) fn show(&mut self, done: u64) {
        self.done = done.max(self.done).min(self.total);
        let text = describe(self.done, self.total, self.before, self.began.elapsed());
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.done);
                bar.set_message(text);
            }
            None if self.last_line.elapsed() >= LINE_INTERVAL => {
                self.last_line = Instant::now();
                say(&text);
            }
            None => {}
        }
    }

    /// Says something beside the bar.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Removes the bar. Returns how long the import took.
    pub(super) fn end(self) -> Duration {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.began.elapsed()
    }
}

/// "120/382 done, 3.4/s, 1 min 17 s left"
fn describe(done: u64, total: u64, before: u64, elapsed: Duration) -> String {
    let now = done.saturating_sub(before);
    let mut text = format!("{done}/{total} done");
    let seconds = elapsed.as_secs_f64();
    if now > 0 && seconds > 0.0 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let (rate, left) = (now as f64 / seconds, total.saturating_sub(done) as f64);
        text += &format!(", {rate:.1}/s");
        if left > 0.0 {
            text += &format!(", {} left", span(Duration::from_secs_f64((left / rate).min(1e9))));
        }
    }
    text
}

/// A time for people: "42 s", "1 min 17 s", "2 h 5 min".
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Prints for people. Nobody may be reading any more; that is no reason to stop.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_this_run() {
        let text = describe(120, 200, 100, Duration::from_secs(10));
        assert_eq!(text, "120/200 done, 2.0/s, 40 s left");
        assert_eq!(describe(100, 200, 100, Duration::from_secs(10)), "100/200 done");
        assert_eq!(
            describe(200, 200, 0, Duration::from_secs(100)),
            "200/200 done, 2.0/s"
        );
        assert_eq!(span(Duration::from_secs(7530)), "2 h 5 min");
    }
}
