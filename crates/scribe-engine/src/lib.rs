#![doc = include_str!("../README.md")]

pub mod config;
pub mod conversations;
mod copies;
pub mod documents;
mod lost;
pub mod narrator;
pub mod process;
pub mod sweep;

pub use config::EngineConfig;
pub use conversations::Conversations;
pub use documents::Documents;
pub use narrator::{Narrator, NarratorConfig};
pub use process::{Engine, Outcome, TurnFailure};
pub use sweep::{SweepConfig, SweepError, Sweeper, Swept};
