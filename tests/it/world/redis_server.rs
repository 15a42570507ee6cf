//! A redis-server of the test's own, stopped with it. What its scripts do is watched: a key that they touch without
//! declaring it fails the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::key_watch::KeyWatch;

pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
    watch: KeyWatch,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(Vec::new)
    }

    /// Starts one with arguments of its own; they may name further ports, so they are asked for again at each try.
    pub(super) fn start_with(arguments: impl Fn() -> Vec<String>) -> Self {
        // Another process may take the port between our look and redis' bind; then another one is tried.
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let (port, arguments) = (free_port(), arguments());
            if let Some(child) = spawn(port, &arguments, folder.path()) {
                let watch = KeyWatch::start(port);
                return Self {
                    child,
                    port,
                    arguments,
                    folder,
                    watch,
                };
            }
        }
        panic!("redis-server did not start on any of twenty ports");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The value of an argument it was started with.
    pub(super) fn argument(&self, name: &str) -> String {
        let at = self
            .arguments
            .iter()
            .position(|argument| argument == name)
            .unwrap();
        self.arguments[at + 1].clone()
    }

    /// Lets it stand still: it takes connections and answers nothing.
    pub(crate) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn watch(&mut self) -> &mut KeyWatch {
        &mut self.watch
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The server's process.
    pub(crate) fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Kills it as a power cut would; it keeps nothing on disk but what SAVE wrote.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Removes what SAVE wrote, so that the next restart begins empty.
    pub(crate) fn forget_snapshot(&self) {
        // There may be none.
        let _ = std::fs::remove_file(self.folder.path().join("dump.rdb"));
    }

    /// Starts it again on the same port: with what SAVE wrote last, else empty.
    pub(crate) fn restart(&mut self) {
        let back = spawn(self.port, &self.arguments, self.folder.path());
        self.child = back.expect("redis-server did not come back");
        self.watch.attach();
    }

    /// Runs a command and gives its answer.
    pub(crate) async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query_async(&mut connection).await.unwrap()
    }

    pub(crate) async fn flush(&self) {
        self.command::<()>(&["FLUSHALL"]).await;
    }
}

/// A port that nobody listens on now.
pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Starts redis-server and waits until it says that it is ready; none if it says that the port is taken, and ends.
fn spawn(port: u16, arguments: &[String], folder: &std::path::Path) -> Option<Child> {
    let mut child = Command::new("redis-server")
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
        ])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is not installed; `make test` installs it");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("Ready to accept connections"));
    if !ready {
        let _ = child.wait();
        return None;
    }
    // Its pipe must not fill up.
    std::thread::spawn(move || lines.for_each(drop));
    Some(child)
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let refused = self.watch.take_refused();
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A test that fails already has its own reason to tell.
        assert!(
            refused.is_empty() || std::thread::panicking(),
            "scripts did what they may not: {refused:#?}"
        );
    }
}
