//! How an import ended.

use std::fmt::Write as _;
use std::time::Duration;

use super::client::TurnState;
use super::progress::span;
use super::transcript::Skipped;

/// The end of an import, in numbers and names.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) processed: usize,
    /// Turns that the scribe could not write, with its reason.
    pub(super) failed: Vec<(String, String)>,
    /// Waiting, or being written.
    pub(super) pending: usize,
    /// Not known to the API, or not sent.
    pub(super) unknown: usize,
    /// How many turns the API refused.
    pub(super) refused_turns: usize,
    /// Turns and conversations that the API refused, and lines that are no turns, with the reasons.
    refused: Vec<(String, String)>,
    skipped: Vec<(String, String)>,
    /// Messages that nobody answered.
    unanswered: usize,
    pub(super) took: Duration,
    pub(super) interrupted: bool,
}

impl Summary {
    pub(super) fn new(skipped: &[Skipped], unanswered: usize, refused: &[(String, String)]) -> Self {
        let skipped = skipped
            .iter()
            .map(|line| (line.place.clone(), line.reason.clone()))
            .collect();
        Self {
            skipped,
            unanswered,
            refused: refused.to_vec(),
            ..Self::default()
        }
    }

    /// Counts a turn.
    pub(super) fn add(&mut self, message_id: &str, state: Option<&TurnState>) {
        let Some(turn) = state else {
            self.unknown += 1;
            return;
        };
        match turn.state.as_str() {
            "processed" => self.processed += 1,
            "failed" => {
                let reason = turn
                    .reason
                    .clone()
                    .unwrap_or_else(|| "no reason is known".to_owned());
                self.failed.push((message_id.to_owned(), reason));
            }
            _ => self.pending += 1,
        }
    }

    /// How many turns may still change.
    pub(super) fn open(&self) -> usize {
        self.pending + self.unknown
    }

    /// How many turns won't change any more.
    pub(super) fn settled(&self) -> usize {
        self.processed + self.failed.len() + self.refused_turns
    }

    /// Whether every line is in its document.
    pub(super) fn is_complete(&self) -> bool {
        self.open() == 0 && self.failed.is_empty() && self.refused.is_empty() && self.skipped.is_empty()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut counts = vec![
            format!("{} processed", self.processed),
            format!("{} failed", self.failed.len()),
        ];
        let rest = [
            (self.refused_turns, "refused"),
            (self.skipped.len(), "skipped"),
            (self.pending, "still waiting"),
            (
                self.unknown,
                if self.interrupted {
                    "not sent"
                } else {
                    "not known to the API"
                },
            ),
        ];
        counts.extend(
            rest.into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}")),
        );
        let mut text = format!("{}; {}", counts.join(", "), span(self.took));
        for (message_id, reason) in &self.failed {
            let _ = write!(text, "\n  failed: {message_id}: {reason}");
        }
        for (what, lines) in [("refused", &self.refused), ("skipped", &self.skipped)] {
            for (place, reason) in lines {
                let _ = write!(text, "\n  {what}: {place}: {reason}");
            }
        }
        if self.unanswered > 0 {
            let _ = write!(
                text,
                "\n  {} without an answer, which makes no turn",
                messages(self.unanswered)
            );
        }
        if self.open() > 0 {
            text.push_str("\nRun the same import again to go on where this one stopped.");
        }
        text
    }
}

fn messages(count: usize) -> String {
    match count {
        1 => "one message".to_owned(),
        count => format!("{count} messages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_not_well_is_named() {
        let state = |state: &str, reason: Option<&str>| TurnState {
            message_id: String::new(),
            state: state.into(),
            reason: reason.map(Into::into),
        };
        let skipped = Skipped {
            place: "line 9".into(),
            reason: "not JSON".into(),
        };
        let mut summary = Summary::new(
            &[skipped],
            1,
            &[("line 7".into(), "messageId is too long".into())],
        );
        summary.add("m1", Some(&state("processed", None)));
        assert!(!summary.is_complete());
        summary.add("m2", Some(&state("failed", Some("the document was deleted"))));
        summary.add("m3", Some(&state("processing", None)));
        summary.add("m4", None);
        summary.took = Duration::from_secs(61);
        let expected = "1 processed, 1 failed, 1 refused, 1 skipped, 1 still waiting, 1 not known to the API; \
                        1 min 1 s\n  failed: m2: the document was deleted\n  refused: line 7: messageId is too long\n  \
                        skipped: line 9: not JSON\n  one message without an answer, which makes no turn\nRun the same import again to go on where this one stopped.";
        summary.refused_turns = 1;
        assert_eq!(summary.text(), expected);
    }
}
