#![doc = include_str!("../README.md")]

pub mod chat;
pub mod config;
pub mod conversations;
mod copies;
pub mod documents;
mod lost;
pub mod narrator;
pub mod process;
pub mod sweep;

/// Why a turn is parked that is older than what its document's record remembers.
const UNKNOWABLE: &str = "it is older than what the document's record remembers, and may be in it or not";

/// Why a turn is parked whose document is gone.
const DELETED: &str = "the document was deleted";

pub use chat::{ChatConfig, Upstream};
pub use config::EngineConfig;
pub use conversations::Conversations;
pub use documents::Documents;
pub use narrator::{Narrator, NarratorConfig};
pub use process::{Engine, Outcome, TurnFailure};
pub use sweep::{SweepConfig, SweepError, Sweeper, Swept};
