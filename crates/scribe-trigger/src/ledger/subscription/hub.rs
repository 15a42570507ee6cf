//! The one connection on which a process listens.
//!
//! It exists while there is a reader. It is a plain connection to one server also where Redis is a cluster: what is
//! published on any node of a cluster is told on all of them. Where the node of the URL is away, the others are tried.
//! A server that vanishes without a word is noticed by a ping.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::{PubSub, PubSubSink};
use redis::{ConnectionAddr, ConnectionInfo, Msg, RedisResult, Value};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::mailbox::Mailbox;
use crate::ledger::connection::Connection;
use crate::live::LiveEvent;

/// How often a connection that says nothing is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long to wait after the first failure; each further wait is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// All readers of a process.
pub(in crate::ledger) struct Hub {
    server: ConnectionInfo,
    /// The connection of all commands, which knows the nodes of a cluster.
    commands: Connection,
    /// The longest that an answer may take.
    patience: Duration,
    readers: Mutex<Readers>,
    /// Somebody came or went.
    changed: Notify,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Readers {
    channels: HashMap<String, Vec<Reader>>,
    last_number: u64,
    /// Whether a task looks after them.
    served: bool,
    /// Whether Redis could not be reached the last time.
    lost: bool,
}

struct Reader {
    number: u64,
    mailbox: Arc<Mailbox>,
    /// Whether it was told that it is connected.
    connected: bool,
}

/// Why listening ended.
enum End {
    NobodyListens,
    Lost(String),
}

impl Hub {
    pub(in crate::ledger) fn new(server: ConnectionInfo, commands: Connection, patience: Duration) -> Self {
        Self {
            server,
            commands,
            patience,
            readers: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn join(hub: &Arc<Self>, channel: &str, mailbox: Arc<Mailbox>) -> u64 {
        let mut readers = hub.readers();
        readers.last_number += 1;
        let number = readers.last_number;
        if readers.lost {
            mailbox.lost();
        }
        let reader = Reader {
            number,
            mailbox,
            connected: false,
        };
        readers
            .channels
            .entry(channel.to_owned())
            .or_default()
            .push(reader);
        if !std::mem::replace(&mut readers.served, true) {
            tokio::spawn(serve(Arc::clone(hub)));
        }
        drop(readers);
        hub.changed.notify_one();
        number
    }

    pub(super) fn leave(&self, channel: &str, number: u64) {
        let mut readers = self.readers();
        if let Some(of_channel) = readers.channels.get_mut(channel) {
            of_channel.retain(|reader| reader.number != number);
            if of_channel.is_empty() {
                readers.channels.remove(channel);
            }
        }
        drop(readers);
        self.changed.notify_one();
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The channels that have readers. Where none has, the caller is to stop, and whoever comes next begins anew.
    fn wanted(&self) -> Option<BTreeSet<String>> {
        let mut readers = self.readers();
        if readers.channels.is_empty() {
            (readers.served, readers.lost) = (false, false);
            return None;
        }
        Some(readers.channels.keys().cloned().collect())
    }

    /// Tells those readers of the channels that were not told yet that from now on they hear everything.
    fn tell_connected(&self, channels: &BTreeSet<String>) {
        let mut readers = self.readers();
        readers.lost = false;
        let listening = readers
            .channels
            .iter_mut()
            .filter(|(channel, _)| channels.contains(*channel));
        for reader in listening.flat_map(|(_, readers)| readers) {
            if !std::mem::replace(&mut reader.connected, true) {
                reader.mailbox.connected();
            }
        }
    }

    /// Tells all readers that Redis is away, once.
    fn tell_lost(&self) {
        let mut readers = self.readers();
        let is_known = std::mem::replace(&mut readers.lost, true);
        for reader in readers.channels.values_mut().flatten() {
            if std::mem::replace(&mut reader.connected, false) || !is_known {
                reader.mailbox.lost();
            }
        }
    }

    fn tell(&self, message: &Msg) {
        let event = message
            .get_payload::<String>()
            .ok()
            .and_then(|text| LiveEvent::read(&text))
            .map(Arc::new);
        let readers = self.readers();
        for reader in readers
            .channels
            .get(message.get_channel_name())
            .into_iter()
            .flatten()
        {
            match &event {
                _ if !reader.connected => {}
                Some(event) => reader.mailbox.news(event),
                // A newer program wrote it, or none of ours.
                None => reader.mailbox.missed(),
            }
        }
    }

    async fn connect(&self, attempt: u32) -> Result<PubSub, String> {
        let mut server = self.server.clone();
        if attempt > 0
            && let Connection::Cluster { .. } = self.commands
        {
            let nodes = self.nodes().await;
            let turn = usize::try_from(attempt).unwrap_or_default() % (nodes.len() + 1);
            // Zero is the URL's own.
            if let Some(node) = turn.checked_sub(1).and_then(|at| nodes.into_iter().nth(at)) {
                server = server.set_addr(node);
            }
        }
        let client = redis::Client::open(server).map_err(|error| error.to_string())?;
        self.in_time(client.get_async_pubsub()).await
    }

    /// The masters of a cluster, as any of its nodes knows them.
    async fn nodes(&self) -> Vec<ConnectionAddr> {
        let slots = redis::cmd("CLUSTER")
            .arg("SLOTS")
            .query_async(&mut self.commands.clone())
            .await;
        match slots {
            Ok(Value::Array(slots)) => {
                let mut nodes: Vec<_> = slots.iter().filter_map(|range| self.node(range)).collect();
                nodes.dedup();
                nodes
            }
            _ => Vec::new(),
        }
    }

    /// The master of a range of slots: `[first, last, [host, port, …], …]`.
    fn node(&self, range: &Value) -> Option<ConnectionAddr> {
        let Value::Array(range) = range else { return None };
        let Value::Array(node) = range.get(2)? else {
            return None;
        };
        let (Value::BulkString(host), Value::Int(port)) = (node.first()?, node.get(1)?) else {
            return None;
        };
        let (host, port) = (String::from_utf8(host.clone()).ok()?, u16::try_from(*port).ok()?);
        let mut address = self.server.addr().clone();
        match &mut address {
            ConnectionAddr::Tcp(known, at) => (*known, *at) = (host, port),
            ConnectionAddr::TcpTls {
                host: known,
                port: at,
                ..
            } => (*known, *at) = (host, port),
            _ => return None,
        }
        Some(address)
    }

    async fn in_time<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, String> {
        match timeout(self.patience, answer).await {
            Ok(answered) => answered.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Listens until nobody does any more, or the connection is lost.
    async fn listen(&self, connection: PubSub) -> End {
        let (mut sink, mut messages) = connection.split();
        let mut listened = BTreeSet::new();
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let mut came_or_went = true;
        loop {
            if came_or_went {
                let Some(wanted) = self.wanted() else {
                    return End::NobodyListens;
                };
                if let Err(reason) = self.adjust(&mut sink, &listened, &wanted).await {
                    return End::Lost(reason);
                }
                listened = wanted;
                self.tell_connected(&listened);
            }
            came_or_went = false;
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.tell(&message),
                    None => return End::Lost("the connection ended".to_owned()),
                },
                () = self.changed.notified() => came_or_went = true,
                _ = ping.tick() => {
                    if let Err(reason) = self.in_time(sink.ping::<Value>()).await {
                        return End::Lost(reason);
                    }
                }
            }
        }
    }

    async fn adjust(
        &self,
        sink: &mut PubSubSink,
        listened: &BTreeSet<String>,
        wanted: &BTreeSet<String>,
    ) -> Result<(), String> {
        let joined: Vec<&String> = wanted.difference(listened).collect();
        if !joined.is_empty() {
            self.in_time(sink.subscribe(joined)).await?;
        }
        let left: Vec<&String> = listened.difference(wanted).collect();
        if !left.is_empty() {
            self.in_time(sink.unsubscribe(left)).await?;
        }
        Ok(())
    }
}

/// Looks after the readers until there are none.
async fn serve(hub: Arc<Hub>) {
    let mut failures: u32 = 0;
    loop {
        let reason = match hub.connect(failures).await {
            Ok(connection) => {
                failures = 0;
                match hub.listen(connection).await {
                    End::NobodyListens => return,
                    End::Lost(reason) => reason,
                }
            }
            Err(reason) => reason,
        };
        if failures == 0 {
            tracing::warn!("readers hear nothing until redis is back: {reason}");
        }
        hub.tell_lost();
        sleep(pause_after(failures)).await;
        failures = failures.saturating_add(1);
        if hub.wanted().is_none() {
            return;
        }
    }
}

/// Longer with each failure, and not the same for all processes, which would come back all at once.
fn pause_after(failures: u32) -> Duration {
    let pause = FIRST_PAUSE
        .saturating_mul(1 << failures.min(6))
        .min(LONGEST_PAUSE);
    let chance = u32::try_from(RandomState::new().hash_one(failures) % 512).unwrap_or_default();
    pause * (512 + chance) / 1024
}
