//! How long each part of an answer may take.

use std::time::Duration;

use tokio::time::Instant;

use super::config::NarratorConfig;
use super::error::{Outage, Stage};

/// The clock of one question.
pub(super) struct Clock {
    first_token: Duration,
    between_tokens: Duration,
    asked: Instant,
    last_token: Option<Instant>,
    /// When the whole must be there, and how long that was at the beginning.
    end: Instant,
    whole: Duration,
}

impl Clock {
    pub(super) fn start(config: &NarratorConfig, deadline: Instant) -> Self {
        let asked = Instant::now();
        let end = deadline.min(asked + config.turn_timeout);
        Self {
            first_token: config.first_token_timeout,
            between_tokens: config.between_tokens_timeout,
            asked,
            last_token: None,
            end,
            whole: end.saturating_duration_since(asked),
        }
    }

    /// The question is put once more.
    pub(super) fn restart(&mut self) {
        self.asked = Instant::now();
    }

    /// How long it is since the question was put.
    pub(super) fn asked_for(&self) -> Duration {
        self.asked.elapsed()
    }

    /// Text came.
    pub(super) fn tick(&mut self) {
        self.last_token = Some(Instant::now());
    }

    /// Until when the next thing must have happened, and what it means if it has not.
    pub(super) fn limit(&self) -> (Instant, Outage) {
        let (stage, limit, until) = match self.last_token {
            None => (Stage::FirstToken, self.first_token, self.asked + self.first_token),
            Some(last) => (Stage::NextToken, self.between_tokens, last + self.between_tokens),
        };
        if until <= self.end {
            (until, Outage::TooSlow { stage, limit })
        } else {
            (
                self.end,
                Outage::TooSlow {
                    stage: Stage::Turn,
                    limit: self.whole,
                },
            )
        }
    }
}
