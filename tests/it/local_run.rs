//! `make run` and `make import`, as people use them: the programs themselves, with the summarizer, a Redis and the
//! stand-in model behind them. They lie beside this test's own binary; `make test` builds them first.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, as `make test` builds it.
pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("scribe-local");
    assert!(
        program.is_file(),
        "{} is not built; `make test` builds it",
        program.display()
    );
    program
}

fn scribe_local() -> Command {
    let mut command = Command::new(program());
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .kill_on_drop(true);
    command
}

/// A running `scribe-local run`.
pub(crate) struct Running {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    /// What runs where, by service.
    places: Vec<(String, String)>,
}

impl Running {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_with(data, &[]).await
    }

    /// With these variables beside its own.
    pub(crate) async fn start_with(data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = scribe_local();
        command
            .arg("run")
            .env("SCRIBE_ADDR", "127.0.0.1:0")
            .env("SCRIBE_DATA", data)
            .envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Self {
            child,
            output,
            places: Vec::new(),
        };
        while running.places.len() < 6 {
            let line = running.line().await.expect("it ended before it ran");
            let mut words = line.split_whitespace().map(str::to_owned);
            if let (Some(service), Some(address)) = (words.next(), words.next())
                && address.contains("://127.0.0.1:")
            {
                running.places.push((service, address));
            }
        }
        running
    }

    async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.output.next_line())
            .await
            .expect("it says nothing")
            .unwrap()
    }

    pub(crate) fn place(&self, service: &str) -> &str {
        &self.places.iter().find(|(name, _)| name == service).unwrap().1
    }

    /// A connection that ends when Redis does.
    async fn redis(&self) -> TcpStream {
        TcpStream::connect(self.place("Redis").strip_prefix("redis://").unwrap())
            .await
            .unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(
            Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()),
            signal,
        )
        .unwrap();
    }

    /// Waits for its end; gives the exit code and the last line.
    pub(crate) async fn end(mut self) -> (Option<i32>, String) {
        let mut last = String::new();
        while let Some(line) = self.line().await {
            last = line;
        }
        (
            timeout(PATIENCE, self.child.wait())
                .await
                .unwrap()
                .unwrap()
                .code(),
            last,
        )
    }

    async fn import(&self, file: &Path) -> (Option<i32>, String) {
        self.import_with(file, &["--title", "The Amber Road"]).await
    }

    /// Imports a file; gives the exit code and what was said.
    pub(crate) async fn import_with(&self, file: &Path, more: &[&str]) -> (Option<i32>, String) {
        let mut command = scribe_local();
        command
            .arg("import")
            .args(["--api", self.place("API"), "--file"])
            .arg(file)
            .args(more);
        let Output { status, stderr, .. } = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    }
}

async fn ended(mut connection: TcpStream) {
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, connection.read_to_end(&mut rest)).await;
    // A killed process may reset the connection instead of closing it.
    let _ = end.expect("redis is still there");
}

fn turn(n: usize) -> Value {
    json!({
        "conversationId": "amber",
        "messageId": format!("m{n}"),
        "userMessage": format!("Who keeps the {n}th lighthouse on the coast of Voss?"),
        "assistantResponse": format!("Maren the {n}th has kept it since the year {}.", 400 + n),
    })
}

/// Ten turns, and two lines that are none.
fn transcript(folder: &TempDir) -> PathBuf {
    let mut lines: Vec<String> = (1..=10).map(|n| turn(n).to_string()).collect();
    lines.insert(2, "{\"conversationId\": \"amber\"".into());
    lines.insert(
        5,
        json!({"conversationId": "amber", "messageId": "m99", "userMessage": "?"}).to_string(),
    );
    let path = folder.path().join("amber.jsonl");
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

#[tokio::test]
async fn a_transcript_becomes_a_document_and_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = transcript(&folder);
    let first = Running::start(&data).await;
    let (code, text) = first.import(&file).await;
    assert_eq!(code, Some(1), "two lines are no turns: {text}");
    for expected in [
        "line 3: skipped, not JSON",
        "line 6: skipped, not a turn: missing field `assistantResponse`",
        "10 processed, 0 failed, 2 skipped;",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    }
    let redis = first.redis().await;
    first.signal(Signal::SIGKILL);
    first.end().await;
    ended(redis).await;

    let second = Running::start(&data).await;
    let (_, text) = second.import(&file).await;
    assert!(text.contains("10 of 10 turns are done already"), "{text}");
    assert!(text.contains("10 processed, 0 failed, 2 skipped;"), "{text}");
    let redis = second.redis().await;
    second.signal(Signal::SIGINT);
    assert_eq!(second.end().await, (Some(0), "Stopped.".to_owned()));
    ended(redis).await;
}

#[tokio::test]
async fn a_second_one_in_the_same_folder_is_refused_and_a_dead_redis_ends_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(folder.path()).await;
    let mut second = scribe_local();
    second
        .arg("run")
        .env("SCRIBE_ADDR", "127.0.0.1:0")
        .env("SCRIBE_DATA", folder.path());
    let Output { status, stderr, .. } = timeout(PATIENCE, second.output()).await.unwrap().unwrap();
    let (status, stderr) = (status.code(), String::from_utf8(stderr).unwrap());
    let holder = format!("process {}, which serves", first.child.id().unwrap());
    assert!(status == Some(1) && stderr.contains(&holder), "{stderr}");

    let notes: Vec<_> = std::fs::read_dir(folder.path().join("processes"))
        .unwrap()
        .collect();
    assert_eq!(notes.len(), 1, "only redis runs yet");
    let note: Value =
        serde_json::from_slice(&std::fs::read(notes[0].as_ref().unwrap().path()).unwrap()).unwrap();
    kill(
        Pid::from_raw(i32::try_from(note["pid"].as_i64().unwrap()).unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
    assert_eq!(first.end().await, (Some(1), "Stopped.".to_owned()));
}

#[tokio::test]
async fn an_import_without_an_api_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = transcript(&folder);
    // A port that nobody listens on: taken, and given back.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = scribe_local();
    command
        .arg("import")
        .arg("--api")
        .arg(format!("http://{free}"))
        .arg("--file")
        .arg(file);
    let Output { status, stderr, .. } = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(
        String::from_utf8(stderr)
            .unwrap()
            .contains("start it with `make run`")
    );
}
