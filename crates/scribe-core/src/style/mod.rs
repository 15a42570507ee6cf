//! How a document is written, and how a conversation shows which way suits it.

mod detect;
mod lexicon;
mod scan;
mod wish;

use serde::{Deserialize, Serialize};

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
