//! The API: processes of its own behind one listener, killed and stopped like functions, and started again.

use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use scribe_core::{ConversationKey, MessageId};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::stage::built;

pub(super) struct Api {
    pub(super) address: SocketAddr,
    log: PathBuf,
    /// Dropping it ends the processes.
    _processes: JoinSet<()>,
}

/// What the API has told of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// Lambda refused it.
    Deferred,
    /// Redis missed it.
    Direct,
    /// Nobody took it.
    NotRecorded,
    /// It never became whole, and Redis was not told.
    NotListed,
}

impl Report {
    /// As the log has it.
    fn of(line: &str) -> Option<Self> {
        [
            ("waits for the sweeper", Self::Deferred),
            ("goes to the summarizer without Redis", Self::Direct),
            ("was not recorded", Self::NotRecorded),
            ("could not be listed", Self::NotListed),
        ]
        .into_iter()
        .find_map(|(said, report)| line.contains(said).then_some(report))
    }
}

impl Api {
    pub(super) fn start(folder: &Path, environment: &[(String, String)], processes: usize) -> Self {
        let log = folder.join("api.log");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut supervised = JoinSet::new();
        for _ in 0..processes {
            supervised.spawn(keep_up(
                listener.try_clone().unwrap(),
                log.clone(),
                environment.to_vec(),
            ));
        }
        Self {
            address,
            log,
            _processes: supervised,
        }
    }

    /// What was told of a turn, each time that it was tried.
    pub(super) fn reports(&self, key: &ConversationKey, message_id: &MessageId) -> Vec<Report> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let (conversation, turn) = (format!("conversation.id={key}"), format!("turn.id={message_id}"));
        log.lines()
            .filter(|line| {
                let has = |wanted: &str| line.split_whitespace().any(|word| word == wanted);
                has(&conversation) && has(&turn)
            })
            .filter_map(Report::of)
            .collect()
    }

    /// The last lines that it printed.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Starts a process whenever the last one was killed. Who connects meanwhile waits at the listener.
async fn keep_up(listener: TcpListener, log: PathBuf, environment: Vec<(String, String)>) {
    loop {
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        let log = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut child = Command::new(built("chat-api"))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(socket))
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let ended = child.wait().await.unwrap();
        assert!(ended.code().is_none(), "the API ended by itself: {ended}");
    }
}
