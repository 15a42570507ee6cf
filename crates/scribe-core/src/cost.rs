//! What turns cost, in the tokens of the model's server.
//!
//! Servers need not say what an answer cost, and one that breaks off can't. What is not known is never guessed: calls
//! are counted, and of how many of them the tokens are known stands beside the tokens.

use serde::{Deserialize, Serialize};

/// Numbers of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// The prompts, cached parts included.
    pub prompt: u64,
    /// What of them the server had in its cache, as far as it says so.
    pub cached: u64,
    /// The answers, thoughts included.
    pub output: u64,
}

impl Tokens {
    #[must_use]
    fn plus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
        }
    }
}

/// What a turn has cost so far: all calls for it that a model began to answer, in all its attempts.
///
/// Not counted is what nobody lived to tell: the calls of a process that was killed, and of an attempt that could not
/// be given back because Redis was out of reach or its lease was another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// How many calls there were.
    pub calls: u32,
    /// How many of them the tokens are known of.
    pub metered: u32,
    /// Their tokens; none where nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
}

impl Usage {
    /// One more call, with its tokens where the server told them.
    pub fn add_call(&mut self, tokens: Option<Tokens>) {
        *self = self.plus(Self {
            calls: 1,
            metered: u32::from(tokens.is_some()),
            tokens,
        });
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            metered: self.metered.saturating_add(other.metered),
            tokens: match (self.tokens, other.tokens) {
                (Some(tokens), Some(more)) => Some(tokens.plus(more)),
                (tokens, more) => tokens.or(more),
            },
        }
    }

    /// Whether no model was asked.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.calls == 0
    }

    /// Whether the tokens are all that there were.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.metered == self.calls
    }
}

/// What the turns in a document have cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// How many turns are in the sum, as far as a model was asked for them and all their tokens are known.
    pub turns: u64,
    /// How many calls there were, for all turns.
    pub calls: u64,
    /// How many of them the tokens are known of.
    pub metered: u64,
    /// Their tokens.
    pub tokens: Tokens,
}

impl Cost {
    /// A turn came into the document.
    pub fn add(&mut self, usage: Usage) {
        if !usage.is_nothing() && usage.is_known() {
            self.turns += 1;
        }
        self.calls = self.calls.saturating_add(usage.calls.into());
        self.metered = self.metered.saturating_add(usage.metered.into());
        self.tokens = self.tokens.plus(usage.tokens.unwrap_or_default());
    }

    /// Whether no model was asked for this document.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.calls == 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokens(prompt: u64, cached: u64, output: u64) -> Tokens {
        Tokens {
            prompt,
            cached,
            output,
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let mut usage = Usage::default();
        assert!(usage.is_nothing());
        usage.add_call(None);
        assert_eq!(
            serde_json::to_value(usage).unwrap(),
            json!({ "calls": 1, "metered": 0 })
        );
        usage.add_call(Some(tokens(900, 800, 51)));
        usage.add_call(Some(tokens(100, 0, 9)));
        assert_eq!(
            serde_json::to_value(usage).unwrap(),
            json!({ "calls": 3, "metered": 2, "tokens": { "prompt": 1000, "cached": 800, "output": 60 } })
        );
        let read: Usage = serde_json::from_value(json!({ "calls": 1, "metered": 0 })).unwrap();
        assert_eq!(read.tokens, None);
    }

    #[test]
    fn a_document_sums_its_turns() {
        let (mut cost, mut known, mut unknown) = (Cost::default(), Usage::default(), Usage::default());
        known.add_call(Some(tokens(900, 800, 51)));
        known.add_call(Some(tokens(100, 0, 9)));
        unknown.add_call(None);
        // A turn for which no model was asked costs nothing and is no turn of the sum.
        for usage in [known, unknown, Usage::default()] {
            cost.add(usage);
        }
        let expected = Cost {
            turns: 1,
            calls: 3,
            metered: 2,
            tokens: tokens(1000, 800, 60),
        };
        assert_eq!(cost, expected);
        cost.add(Usage {
            calls: u32::MAX,
            metered: 1,
            tokens: Some(tokens(u64::MAX, 0, 0)),
        });
        assert_eq!(cost.tokens.prompt, u64::MAX);
    }
}
