//! Lambda's invoke API, with the true asynchronous contract, driving real function binaries.
//!
//! `POST /2015-03-31/functions/{name}/invocations`, as `aws-sdk-lambda` sends it. An `Event` is answered with 202
//! before the function runs, is delivered at least once, is tried again under the same request id when the
//! function fails, crashes or takes too long, and ends in the on-failure destination when nothing helps. Chains
//! of functions that invoke each other are stopped as Lambda stops them.
//!
//! Data, in one folder: `queue/` has a file for each event that is not done, `on-failure/` one for each that was
//! given up, `logs/` what each function prints, `processes/` notes of running processes.
//!
//! What can go wrong: after `kill -9` of this process the functions die with it ([`crate::children`]), and the
//! next start delivers unfinished events again, so a function may see an event twice. After a power cut as well;
//! no event that was answered with 202 is lost.

mod asynchronous;
mod event_queue;
mod function;
mod invoke_api;
mod lineage;
mod on_failure;
mod pool;
mod process;
mod refusal;
mod runtime_api;
mod sandbox;
mod sources;
mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::children::Children;
use asynchronous::Events;
use event_queue::EventQueue;
use pool::Pool;
use process::Program;

pub use function::{ACCOUNT, FunctionConfig, REGION, RecursiveLoop};
pub use on_failure::{Condition, FailureRecord, OnFailure, RequestContext, ResponseContext};

/// How long running invocations may go on after a stop.
const GRACE: Duration = Duration::from_secs(2);
/// How long connections may linger after everything has ended.
const LINGER: Duration = Duration::from_secs(1);

/// The running service. Dropping it stops it at once; [`LambdaService::stop`] does so in order.
#[derive(Debug)]
pub struct LambdaService {
    address: SocketAddr,
    events: Arc<Events>,
    server: JoinHandle<()>,
    processes: TaskTracker,
    /// Closes the invoke API.
    closing: CancellationToken,
    stop_processes: CancellationToken,
    _stop_when_dropped: [DropGuard; 3],
}

impl LambdaService {
    /// Starts to serve `functions` on `listener`, with its data in `folder`, and takes up what is not done. The
    /// folder must belong to this service alone.
    ///
    /// # Errors
    /// If a function's configuration is wrong or its binary missing, or the folder can't be used.
    pub async fn start(
        folder: &Path,
        listener: TcpListener,
        functions: Vec<FunctionConfig>,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("the listener has no address")?;
        let children = Children::new(&folder.join("processes")).await?;
        let stopping = CancellationToken::new();
        let (closing, stop_processes) = (CancellationToken::new(), CancellationToken::new());
        let (tasks, processes) = (TaskTracker::new(), TaskTracker::new());
        let mut pools = HashMap::new();
        for config in functions {
            config.check()?;
            let config = Arc::new(config);
            let program = Program::new(Arc::clone(&config), children.clone(), &folder.join("logs"))?;
            let pool = Pool::new(
                Arc::clone(&config),
                program,
                stop_processes.clone(),
                processes.clone(),
            );
            let twice = pools.insert(config.name.clone(), Arc::new(pool)).is_some();
            ensure!(!twice, "there are two functions of the name {}", config.name);
        }
        let events = Arc::new(Events {
            functions: pools,
            on_failure: OnFailure::open(folder.join("on-failure"))?,
            queue: EventQueue::open(folder.join("queue"))?,
            stopping: stopping.clone(),
            tasks,
            unfinished: watch::Sender::new(0),
        });
        events.resume()?;
        let api = axum::serve(listener, invoke_api::router(Arc::clone(&events)))
            .with_graceful_shutdown(closing.clone().cancelled_owned());
        let server = tokio::spawn(async move {
            // It ends only when told to: accept errors are retried inside.
            let _ = api.await;
        });
        let guards = [
            stopping.drop_guard(),
            closing.clone().drop_guard(),
            stop_processes.clone().drop_guard(),
        ];
        Ok(Self {
            address,
            events,
            server,
            processes,
            closing,
            stop_processes,
            _stop_when_dropped: guards,
        })
    }

    /// Where the invoke API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The invoke API as `AWS_ENDPOINT_URL_LAMBDA` wants it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The on-failure destination.
    #[must_use]
    pub fn on_failure(&self) -> &OnFailure {
        &self.events.on_failure
    }

    /// Waits until every accepted event is done or given up. Events that functions invoke meanwhile count.
    pub async fn drained(&self) {
        // Fails only if the sender is gone, which `self` holds.
        let _ = self
            .events
            .unfinished
            .subscribe()
            .wait_for(|unfinished| *unfinished == 0)
            .await;
    }

    /// Stops: nothing more is begun, what runs gets two seconds, then its processes are killed. Until then events are
    /// still accepted, because what runs may invoke at its end; they and what is not done stay in the queue.
    pub async fn stop(mut self) {
        self.events.stopping.cancel();
        self.events.tasks.close();
        let _ = tokio::time::timeout(GRACE, self.events.tasks.wait()).await;
        self.stop_processes.cancel();
        self.processes.close();
        self.processes.wait().await;
        self.events.tasks.wait().await;
        self.closing.cancel();
        if tokio::time::timeout(LINGER, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}
