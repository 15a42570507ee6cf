//! Processes by their connections: a tap sees a port, a kill wants a process id.

use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::{FDTarget, Process, all_processes};

/// The function's process whose end of a connection has this address; none where it is gone.
pub(super) fn at(address: SocketAddr) -> Option<Pid> {
    let inode = procfs::net::tcp()
        .ok()?
        .into_iter()
        .find(|entry| entry.local_address == address)?
        .inode;
    let own = i32::try_from(std::process::id()).ok()?;
    let holds = |process: &Process| {
        process.stat().is_ok_and(|stat| stat.ppid == own)
            && process
                .fd()
                .is_ok_and(|mut open| open.any(|fd| fd.is_ok_and(|fd| fd.target == FDTarget::Socket(inode))))
    };
    let found = all_processes().ok()?.flatten().find(holds)?;
    Some(Pid::from_raw(found.pid))
}

/// Kills it, as a crash would.
pub(super) fn end(process: Pid) {
    // It may have ended by itself.
    let _ = kill(process, Signal::SIGKILL);
}

/// Stops it, and lets it go on after a while.
pub(super) fn freeze(process: Pid, how_long: Duration) {
    if kill(process, Signal::SIGSTOP).is_err() {
        return;
    }
    tokio::spawn(async move {
        tokio::time::sleep(how_long).await;
        let _ = kill(process, Signal::SIGCONT);
    });
}
