//! An S3 for one machine: conditional writes, versions and files on disk, for development and tests.
//!
//! It speaks enough of S3 for the scribe's own clients and for a person with the AWS command line: buckets (always
//! versioned), objects with conditions, versions and delete markers, and the two listings. Addresses are
//! path-style, requests are signed (version 4), and what is not offered answers `NotImplemented`.
//!
//! - `key`: keys as folders that a person can read, and back;
//! - `version_file`: one version, one file, one rename;
//! - `folder`: the layout, the lock, and what a start reads;
//! - `index`: what is there, in memory;
//! - `store`: conditions and turns, the heart of it;
//! - `api`, `upload`, `download`, `listing`: S3's types on the outside.
//!
//! What it promises: of any number of conditional writers to a key exactly one wins; what was answered with
//! success is still there after `kill -9`, and after a power cut as far as the disk keeps its word on sync; a
//! version is read as it was written or not at all. A second process on the same folder is refused.
//!
//! What it costs: the index lives in memory, some hundred bytes for each version that was touched, and a start
//! reads the name of every file. Bodies are held in memory while they travel, and are bounded.

mod api;
mod download;
mod error;
mod folder;
mod index;
mod key;
mod listing;
mod store;
mod upload;
mod version_file;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use self::api::Api;
use self::store::Store;

/// How long requests that are being answered may take after [`EmbeddedS3::stop`].
const GRACE: Duration = Duration::from_secs(5);

/// The pair of keys that clients sign with.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
}

/// A running S3. Dropping it stops it at once, as a kill would; [`EmbeddedS3::stop`] finishes what was begun.
#[derive(Debug)]
pub struct EmbeddedS3 {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    /// One task, aborted when this is dropped.
    serving: JoinSet<()>,
}

impl EmbeddedS3 {
    /// Opens the store in `folder`, creating it if need be, and serves it on `listener`.
    ///
    /// # Errors
    ///
    /// When another process has the folder, when its layout is unknown, or when it can't be read or written.
    pub async fn start(
        folder: &Path,
        listener: TcpListener,
        credentials: Credentials,
    ) -> anyhow::Result<Self> {
        let address = listener
            .local_addr()
            .context("could not tell the address of the s3 listener")?;
        let store = Store::open(folder).await?;
        let mut service = S3ServiceBuilder::new(Api { store });
        service.set_auth(SimpleAuth::from_single(
            credentials.access_key,
            credentials.secret_key,
        ));
        let (stop, stopped) = oneshot::channel();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, service.build(), stopped));
        Ok(Self {
            address,
            stop,
            serving,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, finishes the requests that are being answered, and frees the folder.
    pub async fn stop(mut self) {
        // An error says that the task has ended already: there is nothing to stop.
        self.stop.send(()).ok();
        while self.serving.join_next().await.is_some() {}
    }
}

async fn serve(listener: TcpListener, service: S3Service, mut stopped: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    // Dropped with this future, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let connection = connect(stream, service.clone());
                    connections.spawn(log_failure(graceful.watch(connection)));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: the ones in use must get their chance to end.
                    tracing::error!(error = &error as &dyn std::error::Error, "the embedded s3 could not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            // Also when the sender is gone.
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("the embedded s3 cuts requests that took longer than {GRACE:?} to finish");
    }
    connections.shutdown().await;
}

fn connect(stream: TcpStream, service: S3Service) -> http1::Connection<TokioIo<TcpStream>, S3Service> {
    // Without it an answer may wait 40 ms for the acknowledgement of its own headers.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "the embedded s3 could not set nodelay"
        );
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
}

async fn log_failure(connection: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = connection.await {
        // Clients come and go; what matters to them is answered or retried.
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection to the embedded s3 ended early"
        );
    }
}
