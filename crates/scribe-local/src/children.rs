//! Child processes that must not outlive this one: redis-server and the functions.
//!
//! A child is killed when its handle is dropped, which covers every orderly end. For `kill -9` of the parent
//! there are two more:
//!
//! - Where util-linux' `setpriv` is found, each child is started through `setpriv --pdeathsig KILL`, so that the
//!   kernel kills it with its parent. The kernel means the *thread* that started the child, so one thread starts
//!   them all and lives until the last handle is gone.
//! - Each child is noted in a folder: process id, start time and boot, which together name one process for ever.
//!   The next start kills what is still there. This covers machines without `setpriv`, and the moment between
//!   a child's start and its request to be killed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, mpsc};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::oneshot;

/// Starts children. Cheap to clone; children die when the last clone and the last [`Child`] are gone.
#[derive(Debug, Clone)]
pub struct Children {
    orders: mpsc::Sender<Order>,
    setpriv: Option<Arc<Path>>,
    notes: Arc<Path>,
}

#[derive(Debug)]
struct Order {
    command: Command,
    reply: oneshot::Sender<io::Result<tokio::process::Child>>,
}

/// What is noted of a running child.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    pid: i32,
    /// In clock ticks since the boot.
    started: u64,
    boot: String,
}

impl Children {
    /// Kills what an earlier start noted in `notes` and left behind, and gets ready to start children.
    ///
    /// # Errors
    /// If the folder can't be made or read, or no thread can be started.
    pub async fn new(notes: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(notes)
            .with_context(|| format!("can't make the folder {}", notes.display()))?;
        end_left_behind(notes).with_context(|| format!("can't read the folder {}", notes.display()))?;
        let (orders, incoming) = mpsc::channel::<Order>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("children".into())
            .spawn(move || {
                let _context = runtime.enter();
                for mut order in incoming {
                    // A caller that has gone away drops the child, which kills it.
                    let _ = order.reply.send(order.command.spawn());
                }
            })
            .context("can't start the thread that starts children")?;
        Ok(Self {
            orders,
            setpriv: working_setpriv().await.map(Arc::from),
            notes: Arc::from(notes),
        })
    }

    /// A command for `program`, to be completed and given to [`Self::spawn`].
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = match &self.setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv.as_ref());
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        // A group of its own: a Ctrl-C in the terminal is for the parent, which stops its children in order.
        command.kill_on_drop(true).process_group(0);
        command
    }

    /// Starts what [`Self::command`] began.
    ///
    /// # Errors
    /// If the program can't be started.
    pub async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, started) = oneshot::channel();
        self.orders
            .send(Order { command, reply })
            .map_err(|_| io::Error::other("the thread that starts children has ended"))?;
        let process = started
            .await
            .map_err(|_| io::Error::other("the child was not started"))??;
        let pid = process
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .unwrap_or_default();
        // Without a note the child is still killed on drop and by the kernel.
        let note = note(pid).and_then(|note| {
            let path = self.notes.join(format!("{pid}.json"));
            std::fs::write(&path, serde_json::to_vec(&note).ok()?).ok()?;
            Some(path)
        });
        Ok(Child {
            process,
            pid,
            note,
            _starter: self.clone(),
        })
    }
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    pid: i32,
    note: Option<PathBuf>,
    /// Keeps the starting thread, and with it the child, alive.
    _starter: Children,
}

impl Child {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If the operating system can't tell.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await?;
        if let Some(note) = self.note.take() {
            let _ = std::fs::remove_file(note);
        }
        Ok(status)
    }

    /// Asks it to end (SIGTERM). Nothing happens if it has ended.
    pub fn terminate(&self) {
        if self.process.id().is_some() {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGTERM);
        }
    }

    /// Kills it (SIGKILL). Nothing happens if it has ended.
    pub fn kill(&mut self) {
        let _ = self.process.start_kill();
    }

    /// What it writes to standard output, if the command piped it. Once.
    pub fn take_stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.process.stdout.take()
    }

    /// What it writes to standard error, if the command piped it. Once.
    pub fn take_stderr(&mut self) -> Option<tokio::process::ChildStderr> {
        self.process.stderr.take()
    }
}

/// The first executable file of this name on `PATH`.
#[must_use]
pub fn find_on_path(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|candidate| {
            candidate
                .metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

/// `setpriv`, if it is there and knows `--pdeathsig` (that of busybox does not).
async fn working_setpriv() -> Option<PathBuf> {
    let setpriv = find_on_path("setpriv")?;
    let probe = Command::new(&setpriv)
        .args(["--pdeathsig", "KILL", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    probe
        .await
        .is_ok_and(|status| status.success())
        .then_some(setpriv)
}

fn end_left_behind(notes: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(notes)? {
        let path = entry?.path();
        let left: Option<Note> = std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(left) = left
            && note(left.pid).as_ref() == Some(&left)
        {
            let _ = kill(Pid::from_raw(left.pid), Signal::SIGKILL);
        }
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

/// What identifies a running process; `None` where there is no such process, or no `/proc`.
fn note(pid: i32) -> Option<Note> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold spaces and brackets itself; the start
    // time is the 22nd field, so the 20th behind it.
    let started = stat
        .rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()?
        .trim()
        .to_owned();
    (pid > 0).then_some(Note { pid, started, boot })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_start_kills_what_is_left_behind_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        // Not one of ours: started without a handle that would kill it.
        let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(sleeper.id()).unwrap();
        let mut other = note(pid).unwrap();
        other.started += 1;
        std::fs::write(
            folder.path().join("other.json"),
            serde_json::to_vec(&other).unwrap(),
        )
        .unwrap();
        Children::new(folder.path()).await.unwrap();
        assert!(
            sleeper.try_wait().unwrap().is_none(),
            "another process of the same id was killed"
        );

        let left = serde_json::to_vec(&note(pid).unwrap()).unwrap();
        std::fs::write(folder.path().join("left.json"), left).unwrap();
        Children::new(folder.path()).await.unwrap();
        let status = sleeper.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_child_ends_with_its_handle() {
        let folder = tempfile::tempdir().unwrap();
        let children = Children::new(folder.path()).await.unwrap();
        let mut command = children.command(Path::new("sleep"));
        command.arg("600").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = children.spawn(command).await.unwrap();
        let mut output = child.take_stdout().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(child);
        // The pipe ends when the process does.
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut output, &mut rest)
            .await
            .unwrap();
        assert!(rest.is_empty());
    }
}
