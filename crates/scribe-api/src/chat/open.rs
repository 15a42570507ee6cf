//! The turns of chats that a process has open, and their end when it stops.
//!
//! What can go wrong: a client that reads nothing keeps its turn open until the time is over, and then the turn's name
//! is not noted. Nothing is owed for it.

use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The turns of chats that are open: asked, streaming, or being recorded. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct OpenChats {
    turns: TaskTracker,
    cut: CancellationToken,
}

impl OpenChats {
    /// Cuts the answers that still stream, and those that are waited for, and waits until each turn is recorded or noted
    /// as incomplete, but no longer than this. Tells whether all of them were. Whoever asks afterwards is refused.
    pub async fn close(&self, longest: Duration) -> bool {
        self.cut.cancel();
        self.turns.close();
        tokio::time::timeout(longest, self.turns.wait()).await.is_ok()
    }

    /// Held for as long as a turn is open.
    pub(super) fn open(&self) -> TaskTrackerToken {
        self.turns.token()
    }

    /// Waits until the answers are cut.
    pub(super) fn cut(&self) -> WaitForCancellationFutureOwned {
        self.cut.clone().cancelled_owned()
    }
}
