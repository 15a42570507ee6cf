#![doc = include_str!("../README.md")]

pub mod asset;
pub mod blocks;
pub mod catch_up;
pub mod chat;
pub mod cost;
pub mod diff;
pub mod edits;
pub mod ids;
pub mod import;
pub mod live;
pub mod prompt;
pub mod record;
pub mod save;
pub mod session;
pub mod style;
pub mod turn;
mod words;

pub use asset::{MediaAsset, Metadata, SCRIBE_SCHEMA, ScribeState};
pub use catch_up::{Earlier, Speaker};
pub use cost::{Cost, Tokens, Usage};
pub use ids::{AssetId, ConversationId, ConversationKey, IdError, MessageId, TenantId, UserId, VersionId};
pub use record::{Record, Standing};
pub use session::ActiveScribeSession;
pub use style::Style;
pub use turn::{ScribeTrigger, Seq, TriggerState, Turn, TurnError};
