#![doc = include_str!("../README.md")]

pub mod config;
pub mod conversations;
pub mod documents;
pub mod narrator;
pub mod process;

pub use config::EngineConfig;
pub use conversations::Conversations;
pub use documents::Documents;
pub use narrator::{Narrator, NarratorConfig};
pub use process::{Engine, Outcome, TurnFailure};
