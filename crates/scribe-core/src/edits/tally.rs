//! How often each operation came to which end, counted for a document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome::EditOutcome;

/// What a turn without edits counts as.
const NO_EDITS: &str = "no edits";

/// Counts by operation and outcome, such as `replace suggested: a person's block`. No texts, and no more lines than
/// there are operations and outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Whether nothing has been counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The counts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, &count)| (name.as_str(), count))
    }

    /// Counts what became of a turn's edits.
    pub fn add(&mut self, outcomes: &[EditOutcome]) {
        for outcome in outcomes {
            *self.0.entry(outcome.label()).or_default() += 1;
        }
        if outcomes.is_empty() {
            *self.0.entry(NO_EDITS.into()).or_default() += 1;
        }
    }
}

impl std::fmt::Display for Tally {
    /// `append woven 2, replace suggested: a person's block 1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, count)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::{Edit, Fate, Refusal};

    #[test]
    fn outcomes_are_counted_by_name() {
        let outcome = |refusal| EditOutcome {
            edit: Edit::Delete {
                block: "b1".into(),
                hash: String::new(),
            },
            fate: Fate::Refused(refusal),
        };
        let mut tally = Tally::default();
        tally.add(&[outcome(Refusal::StaleHash), outcome(Refusal::StaleHash)]);
        tally.add(&[]);
        let json = serde_json::to_string(&tally).unwrap();
        assert_eq!(json, r#"{"delete refused: stale hash":2,"no edits":1}"#);
        assert_eq!(serde_json::from_str::<Tally>(&json).unwrap(), tally);
        assert_eq!(tally.to_string(), "delete refused: stale hash 2, no edits 1");
    }
}
