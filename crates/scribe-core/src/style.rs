//! How a document is written.

use serde::{Deserialize, Serialize};

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
