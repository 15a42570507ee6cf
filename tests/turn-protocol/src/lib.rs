//! The turn protocol as a model that is searched exhaustively, with Stateright.
//!
//! It has one conversation with its document, up to three turns, two invocations at once, and every interleaving of
//! their steps; the chat that records, the sweeper, a person who saves, switches and replays; and faults, each as often
//! as the bounds of a check say. The scripts are functions of `redis`, the engine's steps those of `invocation`,
//! and everything else is in `world`. What is searched for are states in which an [`Invariant`] does not hold.
//!
//! It is a package of its own for speed: it alone is optimized in the dev profile, and it depends on no other crate
//! of the workspace, so it is built once.

mod bounds;
mod check;
mod faults;
mod guards;
mod invariants;
mod invocation;
mod protocol;
mod redis;
mod state;
mod trace;
mod world;

pub use bounds::Bounds;
pub use check::{Broken, Checked, check};
pub use faults::{Fault, Faults};
pub use guards::{Guard, Guards};
pub use invariants::Invariant;
