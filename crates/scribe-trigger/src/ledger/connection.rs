//! The connection to Redis: to one server, or to a cluster of them.
//!
//! Both fail fast, and both begin at the first command and again after a loss, so a Redis that is down stops no start.
//! What can go wrong: a command that was sent and not answered may have been done. It is never sent again here: a
//! second claim would find its own lease, a second complete would no longer hold it. The callers know what to do.
//!
//! In a cluster a command is sent a second time only where the first certainly did nothing: the node says that the slot
//! has moved, or there was no node to send it to. Both share one command's time. While a slot is on its way between
//! two masters, Redis refuses scripts whose keys do not all exist (TRYAGAIN); that passes on as any failure does.

use std::future::Future;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClientBuilder, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult,
    ServerErrorKind, Value,
};
use secrecy::ExposeSecret;

use super::LedgerError;
use crate::config::TriggerConfig;

/// How long what was sent may stay without the other side's acknowledgement, its kernel's and not Redis' own.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// A connection that may be shared: clones use the same one.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(ConnectionManager),
    Cluster {
        connection: ClusterConnection,
        timeout: Duration,
    },
}

impl Connection {
    /// Prepares the connection that the settings ask for, and says where it leads.
    pub(crate) fn open(config: &TriggerConfig) -> Result<(Self, ConnectionInfo), LedgerError> {
        // The URL may hold a password, so neither it nor the parser's message is repeated.
        let url = |reason: &str| LedgerError::Url(reason.into());
        let info = config
            .redis_url
            .expose_secret()
            .into_connection_info()
            .map_err(|_| url("it must look like redis://host:port or rediss://user:password@host:port"))?;
        let info = info.set_tcp_settings(tcp_settings());
        let timeout = config.redis_timeout;
        if !config.redis_cluster {
            let settings = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(timeout))
                .set_response_timeout(Some(timeout))
                // The manager connects again at the next command.
                .set_number_of_retries(0);
            let client = redis::Client::open(info.clone())?;
            let manager = ConnectionManager::new_lazy_with_config(client, settings)?;
            return Ok((Self::Server(manager), info));
        }
        if info.redis_settings().db() != 0 {
            return Err(url("a cluster has database 0 only"));
        }
        let client = ClusterClientBuilder::new([info.clone()])
            .retries(0)
            .tcp_settings(tcp_settings())
            // `answer` below keeps the time.
            .overall_response_timeout(None)
            .build()
            .map_err(|_| {
                url("a cluster is reached through redis:// or rediss:// and the address of one of its nodes")
            })?;
        let settings = ClusterConfig::new()
            .set_connection_timeout(timeout)
            .set_response_timeout(timeout);
        let connection = client.get_pending_async_connection_with_config(settings);
        Ok((Self::Cluster { connection, timeout }, info))
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            match self {
                Self::Server(server) => server.req_packed_command(command).await.and_then(not_moved),
                Self::Cluster { connection, timeout } => {
                    answer(*timeout, async {
                        match connection.req_packed_command(command).await {
                            Err(error) if did_nothing(&error) => connection.req_packed_command(command).await,
                            answered => answered,
                        }
                    })
                    .await
                }
            }
        })
    }

    /// All keys of a pipeline lie in one slot, or the cluster refuses it.
    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            match self {
                Self::Server(server) => {
                    let values = server.req_packed_commands(pipeline, offset, count).await?;
                    values.into_iter().map(not_moved).collect()
                }
                Self::Cluster { connection, timeout } => {
                    answer(*timeout, async {
                        match connection.req_packed_commands(pipeline, offset, count).await {
                            Err(error) if did_nothing(&error) => {
                                connection.req_packed_commands(pipeline, offset, count).await
                            }
                            answered => answered,
                        }
                    })
                    .await
                }
            }
        })
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster { connection, .. } => connection.get_db(),
        }
    }
}

/// A host that vanishes without a word must not be waited for until TCP gives up by itself, a quarter of an hour later:
/// the client connects again only when a connection has ended.
fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(UNACKNOWLEDGED);
    settings
}

/// The answer of a cluster within a command's time; no node at all is said in words that help.
async fn answer<T>(timeout: Duration, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(Err(error)) if error.kind() == ErrorKind::ClusterConnectionNotFound => Err(RedisError::from((
            ErrorKind::ClusterConnectionNotFound,
            "no node of the cluster can be reached, or REDIS_URL is no cluster's (SCRIBE_REDIS_CLUSTER)",
        ))),
        Ok(answered) => answered,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// Whether a command certainly was not done. The connection has asked for the slots again, or connected again, before
/// it sends the next one.
fn did_nothing(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::Moved) | ErrorKind::ClusterConnectionNotFound
    )
}

/// A server that points at another one is a node of a cluster, whose other conversations could not be reached.
fn not_moved(value: Value) -> RedisResult<Value> {
    match value {
        Value::ServerError(error) if error.kind() == Some(ServerErrorKind::Moved) => Err(RedisError::from((
            ErrorKind::InvalidClientConfig,
            "REDIS_URL is a cluster's: set SCRIBE_REDIS_CLUSTER=true",
        ))),
        value => Ok(value),
    }
}
