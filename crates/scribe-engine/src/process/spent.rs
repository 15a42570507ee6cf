//! What an attempt spends at the model.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scribe_core::{Tokens, Usage};

use super::attempt::Claimant;
use crate::narrator::{Call, Listener};

/// What an attempt has spent so far, call by call. It listens to calls that readers do not see.
#[derive(Default)]
pub(super) struct Spent(Mutex<Sum>);

#[derive(Default)]
struct Sum {
    usage: Usage,
    /// The last one that answered, where its server said which.
    model: Option<String>,
    took: Duration,
}

impl Spent {
    pub(super) fn add(&self, call: Call) {
        let mut sum = self.sum();
        sum.usage.add_call(call.usage.map(|usage| Tokens {
            prompt: usage.prompt_tokens,
            cached: usage.cached_tokens,
            output: usage.completion_tokens,
        }));
        sum.model = call.model.or(sum.model.take());
        sum.took += call.took;
    }

    fn sum(&self) -> MutexGuard<'_, Sum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for &Spent {
    fn ended(&mut self, call: Call) {
        self.add(call);
    }
}

impl Claimant<'_> {
    /// What the turn has cost so far: this attempt and those before it. An attempt that ends is added to the turn by
    /// [`Claimant::account`].
    pub(super) fn usage(&self) -> Usage {
        let before = self.trigger.usage.unwrap_or_default();
        before.plus(self.spent.sum().usage)
    }

    /// Which model answered in this attempt, where its server said so.
    pub(super) fn answering_model(&self) -> Option<String> {
        self.spent.sum().model.clone()
    }

    /// The attempt is over: what it has spent becomes the turn's, and is told once.
    pub(super) fn account(&mut self) {
        let Sum { usage, took, .. } = std::mem::take(&mut *self.spent.sum());
        if usage.is_nothing() {
            return;
        }
        let (id, tokens) = (&self.trigger.message_id, usage.tokens);
        tracing::info!(
            turn.id = %id,
            conversation.id = %self.key,
            model.calls = usage.calls,
            model.ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            tokens.prompt = tokens.map(|tokens| tokens.prompt),
            tokens.cached = tokens.map(|tokens| tokens.cached),
            tokens.output = tokens.map(|tokens| tokens.output),
            "attempt {} at turn {id} asked the model",
            self.trigger.attempts
        );
        let before = self.trigger.usage.unwrap_or_default();
        self.trigger.usage = Some(before.plus(usage));
    }
}
