//! Redis: Debian's own `redis-server` as a child process, on loopback, with its data in a folder.
//!
//! It appends every write to a file that is synced once a second, and evicts nothing. What it prints goes to a log.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::data_folder::listen;
use crate::children::{Child, Children, find_on_path};

/// How long Redis may take to read its file.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long it may take to write its last words.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How many ports are tried. Another program may take one between our look and Redis' own.
const PORTS_TRIED: usize = 5;

/// What installs it.
const INSTALL: &str = "sudo apt-get update && sudo apt-get install -y redis-server";

/// A running redis-server. Dropping it kills it; [`RedisServer::stop`] lets it write first.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    stop: CancellationToken,
    gone: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// Finds `redis-server`, and installs it where that is possible without a question.
pub(crate) async fn program() -> anyhow::Result<PathBuf> {
    if let Some(program) = find_on_path("redis-server") {
        return Ok(program);
    }
    if find_on_path("apt-get").is_none() {
        bail!("redis-server is not installed; install it, or set REDIS_URL to use yours");
    }
    let before: &[&str] = if nix::unistd::geteuid().is_root() {
        &[]
    } else if sudo_asks_nothing().await {
        &["sudo", "-n"]
    } else {
        bail!("redis-server is not installed; run this, or set REDIS_URL to use yours:\n\n  {INSTALL}\n");
    };
    tracing::info!("redis-server is not installed, installing it with apt-get");
    // The lists of packages may be old or absent: then they are fetched, and it is tried again.
    if !apt_get(before, &["install", "-y", "redis-server"]).await {
        apt_get(before, &["update"]).await;
        apt_get(before, &["install", "-y", "redis-server"]).await;
    }
    find_on_path("redis-server").with_context(|| {
        format!(
            "redis-server could not be installed; run this, or set REDIS_URL to use yours:\n\n  {INSTALL}\n"
        )
    })
}

async fn apt_get(before: &[&str], arguments: &[&str]) -> bool {
    let words = [
        before,
        &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"],
        arguments,
    ]
    .concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

async fn sudo_asks_nothing() -> bool {
    let mut probe = Command::new("sudo");
    probe
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    probe.status().await.is_ok_and(|status| status.success())
}

impl RedisServer {
    /// Starts it with its data in `folder`, and returns when it answers.
    pub(crate) async fn start(
        program: &Path,
        children: &Children,
        folder: &Path,
        log: &Path,
        port: Option<u16>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
        let mut remembered = port;
        for _ in 0..PORTS_TRIED {
            // The listener is closed again at once: Redis opens its own.
            let port = listen(remembered.take()).await?.local_addr()?.port();
            let log = File::options().create(true).append(true).open(log)?;
            let mut child = spawn(program, children, folder, port).await?;
            let output = child.take_stdout().context("redis-server has no output")?;
            let mut output = Output {
                lines: BufReader::new(output).lines(),
                log,
                last: Vec::new(),
            };
            let ready = tokio::time::timeout(START_LIMIT, output.until_ready()).await;
            if let Ok(true) = ready {
                return Ok(Self::watch(port, child, output));
            }
            if !output
                .last
                .iter()
                .any(|line| line.contains("Address already in use"))
            {
                bail!("redis-server did not start:\n  {}", output.last.join("\n  "));
            }
        }
        bail!("redis-server found no free port in {PORTS_TRIED} tries")
    }

    fn watch(port: u16, mut child: Child, mut output: Output) -> Self {
        let (stop, gone) = (CancellationToken::new(), CancellationToken::new());
        let (stopping, ended) = (stop.clone(), gone.clone().drop_guard());
        let task = tokio::spawn(async move {
            let _ended = ended;
            let logging = async {
                while output.next().await.is_some() {}
                std::future::pending::<()>().await;
            };
            tokio::select! {
                _ = child.wait() => return,
                () = logging => return,
                () = stopping.cancelled() => child.terminate(),
            }
            if tokio::time::timeout(STOP_LIMIT, child.wait()).await.is_err() {
                child.kill();
                let _ = child.wait().await;
            }
        });
        Self {
            port,
            stop,
            gone,
            task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it has ended, by itself or because somebody else ended it.
    pub(crate) async fn ended(&self) {
        self.gone.cancelled().await;
    }

    /// Lets it write what it has, and end.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn spawn(program: &Path, children: &Children, folder: &Path, port: u16) -> anyhow::Result<Child> {
    let mut command = children.command(program);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
        .arg(folder);
    command.args([
        "--appendonly",
        "yes",
        "--save",
        "",
        "--maxmemory-policy",
        "noeviction",
        "--daemonize",
        "no",
    ]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    children
        .spawn(command)
        .await
        .with_context(|| format!("can't start {}", program.display()))
}

/// What Redis prints.
struct Output {
    lines: Lines<BufReader<ChildStdout>>,
    log: File,
    /// The last lines, for people whose Redis doesn't start.
    last: Vec<String>,
}

impl Output {
    async fn next(&mut self) -> Option<&str> {
        let line = self.lines.next_line().await.ok()??;
        // A log that can't be written is no reason to stop Redis.
        let _ = writeln!(self.log, "{line}");
        if self.last.len() == 5 {
            self.last.remove(0);
        }
        self.last.push(line);
        self.last.last().map(String::as_str)
    }

    /// Reads until Redis says that it accepts connections; `false` if it ends without.
    async fn until_ready(&mut self) -> bool {
        while let Some(line) = self.next().await {
            if line.contains("Ready to accept connections") {
                return true;
            }
        }
        false
    }
}
