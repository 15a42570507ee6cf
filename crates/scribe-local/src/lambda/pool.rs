//! The sandboxes of one function: started when needed, used again while idle, stopped when idle for long.
//!
//! Whoever wants to run something takes a permit first (`FunctionConfig::reserved_concurrency` bounds them) and
//! then a slot. A slot is given back before its permit, so a sandbox with room, or room for one more sandbox, is
//! always there for the holder of a permit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::function::FunctionConfig;
use super::process::Program;
use super::sandbox::{End, Outcome, Request, Sandbox};

/// A function and its sandboxes.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) config: Arc<FunctionConfig>,
    pub(super) permits: Arc<Semaphore>,
    program: Program,
    sandboxes: Mutex<Vec<Entry>>,
    /// Stops every sandbox.
    stop: CancellationToken,
    processes: TaskTracker,
}

#[derive(Debug)]
struct Entry {
    sandbox: Arc<Sandbox>,
    in_flight: usize,
    idle_since: Instant,
}

/// Room for one invocation, given back when dropped.
struct Slot<'pool> {
    pool: &'pool Pool,
    sandbox: Arc<Sandbox>,
}

impl Pool {
    pub(super) fn new(
        config: Arc<FunctionConfig>,
        program: Program,
        stop: CancellationToken,
        processes: TaskTracker,
    ) -> Self {
        let permits = config
            .reserved_concurrency
            .saturating_mul(config.in_process_concurrency);
        let permits = Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            config,
            permits,
            program,
            sandboxes: Mutex::default(),
            stop,
            processes,
        }
    }

    /// Runs the function once. The permit is given back afterwards.
    pub(super) async fn run(self: &Arc<Self>, permit: OwnedSemaphorePermit, request: Request) -> Outcome {
        let slot = self.claim();
        let outcome = slot.sandbox.invoke(request).await;
        drop(slot);
        drop(permit);
        outcome
    }

    fn claim(self: &Arc<Self>) -> Slot<'_> {
        let mut sandboxes = self.sandboxes();
        // The one that was used last, so that the others get old and are stopped.
        let room = sandboxes
            .iter_mut()
            .filter(|entry| {
                entry.in_flight < self.config.in_process_concurrency && !entry.sandbox.kill.is_cancelled()
            })
            .max_by_key(|entry| entry.idle_since);
        if let Some(entry) = room {
            entry.in_flight += 1;
            return Slot {
                pool: self,
                sandbox: Arc::clone(&entry.sandbox),
            };
        }
        let sandbox = Arc::new(Sandbox::new(
            self.config.arn(),
            self.config.timeout,
            self.stop.child_token(),
        ));
        let entry = Entry {
            sandbox: Arc::clone(&sandbox),
            in_flight: 1,
            idle_since: Instant::now(),
        };
        sandboxes.push(entry);
        drop(sandboxes);
        self.processes.spawn(Arc::clone(self).live(Arc::clone(&sandbox)));
        Slot { pool: self, sandbox }
    }

    /// A sandbox's life, from start to end.
    async fn live(self: Arc<Self>, sandbox: Arc<Sandbox>) {
        let end = {
            let mut process = std::pin::pin!(self.program.run(&sandbox));
            tokio::select! {
                end = &mut process => end,
                () = self.retire_when_idle(&sandbox) => {
                    sandbox.kill.cancel();
                    process.await
                }
            }
        };
        self.sandboxes()
            .retain(|entry| !Arc::ptr_eq(&entry.sandbox, &sandbox));
        let killed = sandbox.kill.is_cancelled();
        let failed = sandbox.end(end.clone());
        if !self.stop.is_cancelled() && (!killed || failed > 0) {
            self.warn(&end, killed, failed);
        }
    }

    fn warn(&self, end: &End, killed: bool, failed: usize) {
        let how = match end {
            End::NotStarted(reason) => format!("did not start: {reason}"),
            End::Exited(_) if killed => format!("was killed after its timeout of {:?}", self.config.timeout),
            End::Exited(status) => format!("ended by itself ({status})"),
            End::InitError(_) => "could not begin".to_owned(),
        };
        tracing::warn!(
            function.name = %self.config.name,
            "a process of {} {how}, {failed} invocations failed with it, see {}",
            self.config.name,
            self.program.log_path().display(),
        );
    }

    /// Returns once the sandbox has been idle for long and has been taken out, so that nobody gets it any more.
    async fn retire_when_idle(&self, sandbox: &Arc<Sandbox>) {
        let mut wait = self.config.idle_time;
        loop {
            tokio::time::sleep(wait).await;
            let mut sandboxes = self.sandboxes();
            let Some(position) = sandboxes
                .iter()
                .position(|entry| Arc::ptr_eq(&entry.sandbox, sandbox))
            else {
                return;
            };
            let entry = &sandboxes[position];
            let idle = if entry.in_flight == 0 {
                entry.idle_since.elapsed()
            } else {
                Duration::ZERO
            };
            if idle >= self.config.idle_time {
                sandboxes.swap_remove(position);
                return;
            }
            wait = self.config.idle_time - idle;
        }
    }

    fn sandboxes(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Nothing panics while holding it.
        self.sandboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut sandboxes = self.pool.sandboxes();
        if let Some(entry) = sandboxes
            .iter_mut()
            .find(|entry| Arc::ptr_eq(&entry.sandbox, &self.sandbox))
        {
            entry.in_flight -= 1;
            entry.idle_since = Instant::now();
        }
    }
}
