//! The data folder: who holds it, and the ports of the last start.
//!
//! `lock` is held for as long as the process lives and names it, so that a second start can say who is in the way.
//! `ports.json` is a convenience: addresses stay the same from start to start while nobody else takes them.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::durable_file;

/// The folder, held until this is dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// On which ports of 127.0.0.1 the services listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ports {
    pub(crate) redis: Option<u16>,
    pub(crate) s3: Option<u16>,
    pub(crate) lambda: Option<u16>,
    pub(crate) model: Option<u16>,
}

impl DataFolder {
    /// Makes the folder if need be, and takes it for a process that serves `api`.
    pub(crate) fn take(path: &Path, api: SocketAddr) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path)
            .with_context(|| format!("can't make the data folder {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock_path = path.join("lock");
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock_path)
            .with_context(|| format!("can't open {}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                lock.read_to_string(&mut holder)?;
                bail!(
                    "the data folder {} is in use by {}; stop that one, or choose another folder with SCRIBE_DATA",
                    path.display(),
                    holder.trim_end()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("can't lock {}", lock_path.display()));
            }
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "process {}, which serves http://{api}", std::process::id())?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder's absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The ports of the last start; none where they can't be read.
    pub(crate) fn ports(&self) -> Ports {
        let text = std::fs::read(self.path.join("ports.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Remembers the ports for the next start.
    pub(crate) fn remember(&self, ports: Ports) -> anyhow::Result<()> {
        let path = self.path.join("ports.json");
        durable_file::replace(&path, &serde_json::to_vec_pretty(&ports)?)
            .with_context(|| format!("can't write {}", path.display()))
    }
}

/// Listens on a port of 127.0.0.1: the remembered one if it is free, else any.
pub(crate) async fn listen(remembered: Option<u16>) -> anyhow::Result<TcpListener> {
    if let Some(port) = remembered
        && let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("no port of 127.0.0.1 is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let api = "127.0.0.1:3000".parse().unwrap();
        let held = DataFolder::take(folder.path(), api).unwrap();
        let refusal = DataFolder::take(folder.path(), api).unwrap_err().to_string();
        let holder = format!(
            "process {}, which serves http://127.0.0.1:3000",
            std::process::id()
        );
        assert!(
            refusal.contains(&holder) && refusal.contains("SCRIBE_DATA"),
            "{refusal}"
        );
        drop(held);
        DataFolder::take(folder.path(), api).unwrap();
    }

    #[tokio::test]
    async fn ports_are_kept_while_they_are_free() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataFolder::take(folder.path(), "127.0.0.1:3000".parse().unwrap()).unwrap();
        assert_eq!(held.ports(), Ports::default());
        let first = listen(held.ports().s3).await.unwrap();
        let port = first.local_addr().unwrap().port();
        held.remember(Ports {
            s3: Some(port),
            ..Ports::default()
        })
        .unwrap();
        let elsewhere = listen(held.ports().s3).await.unwrap();
        assert_ne!(elsewhere.local_addr().unwrap().port(), port, "the port is taken");
        drop(first);
        let again = listen(held.ports().s3).await.unwrap();
        assert_eq!(again.local_addr().unwrap().port(), port);
    }
}
