//! A paused clock over real sockets.
//!
//! A paused tokio clock jumps to the next timer whenever nobody is busy, and somebody who waits for a server looks
//! just like that: every timeout would fire at once. A thread of tokio's own that is parked for the whole test forbids
//! these jumps, so time moves only where a test moves it. The same thread ticks, so that whoever waits for an answer
//! and for time at once has something to wait for.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::Notify;

/// How much time passes at a tick, on the paused clock and on the wall's.
pub(super) const TICK: Duration = Duration::from_millis(1);

pub(super) struct Clock {
    tick: Arc<Notify>,
    /// Dropping it ends the thread.
    _stop: Sender<()>,
}

impl Clock {
    /// Pauses the clock of this test's runtime.
    pub(super) fn pause() -> Self {
        tokio::time::pause();
        let tick = Arc::new(Notify::new());
        let (stop, stopped) = channel::<()>();
        let ticking = Arc::clone(&tick);
        tokio::task::spawn_blocking(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                ticking.notify_one();
            }
        });
        Self { tick, _stop: stop }
    }

    /// Waits for the next tick. The caller moves the clock.
    pub(super) async fn tick(&self) {
        self.tick.notified().await;
    }
}
