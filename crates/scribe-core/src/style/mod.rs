//! How a document is written, and how a conversation shows which way suits it.

mod choice;
mod detect;
mod lexicon;
mod scan;
mod wish;

use serde::{Deserialize, Serialize};

pub use choice::{StyleChoice, UnknownStyle, style_with};
pub use detect::StyleEvidence;

/// The spec's four styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Engaging prose of no particular colour.
    #[default]
    Default,
    /// Flowing prose, as in a short story.
    Literary,
    /// Clear and concrete, fact after fact.
    Factual,
    /// The tone of the conversation, in order.
    Conversational,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Default, Self::Literary, Self::Factual, Self::Conversational];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Literary => "literary",
            Self::Factual => "factual",
            Self::Conversational => "conversational",
        }
    }
}
