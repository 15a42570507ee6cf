#![doc = include_str!("../README.md")]

pub mod aws;
pub mod config;
pub mod dispatch;
pub mod event;
pub mod ledger;
pub mod live;
pub mod record;

pub use config::{ConfigError, TriggerConfig};
pub use dispatch::{DispatchError, Dispatcher};
pub use event::{EVENT_VERSION, EventError, TurnEvent};
pub use ledger::{Ledger, LedgerError};
pub use live::LiveEvent;
pub use record::{Delivery, RecordError, Recorded, Recorder, TurnRequest};
