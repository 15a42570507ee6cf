//! The asynchronous queue on disk: one file for each event that was accepted and is not done.
//!
//! A file is there, whole and forced to disk, before the caller is told 202, and goes when the function has
//! succeeded or the event stands in the on-failure destination. What is found at start is delivered again, so an
//! event is delivered at least once. Payloads stay on disk until their turn comes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::durable_file;

/// The queue's folder.
#[derive(Debug, Clone)]
pub(super) struct EventQueue {
    folder: PathBuf,
}

/// An accepted event without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueuedEvent {
    pub(super) request_id: String,
    /// The function's name.
    pub(super) function: String,
    pub(super) accepted_at: Timestamp,
    /// How often the function has failed on it.
    pub(super) attempts: u32,
    /// The trace header that the function receives.
    pub(super) trace: String,
}

/// A file of the queue.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    request_id: String,
    function: String,
    accepted_at: String,
    attempts: u32,
    trace: String,
    payload: Box<RawValue>,
}

impl EventQueue {
    pub(super) fn open(folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// What is not done, oldest first.
    pub(super) fn unfinished(&self) -> anyhow::Result<Vec<QueuedEvent>> {
        let read = |name: &String| {
            let path = self.folder.join(name);
            let read = read(&path).and_then(|stored| {
                Ok(QueuedEvent {
                    request_id: stored.request_id,
                    function: stored.function,
                    accepted_at: stored.accepted_at.parse()?,
                    attempts: stored.attempts,
                    trace: stored.trace,
                })
            });
            read.with_context(|| {
                format!(
                    "can't read the event {}; remove the file to do without",
                    path.display()
                )
            })
        };
        durable_file::names(&self.folder)?.iter().map(read).collect()
    }

    /// Stores an event, or what has become of it. It is on disk when this returns.
    pub(super) async fn store(&self, event: &QueuedEvent, payload: Box<RawValue>) -> anyhow::Result<()> {
        let path = self.path(event);
        let stored = Stored {
            request_id: event.request_id.clone(),
            function: event.function.clone(),
            accepted_at: event.accepted_at.to_string(),
            attempts: event.attempts,
            trace: event.trace.clone(),
            payload,
        };
        let write = move || anyhow::Ok(durable_file::replace(&path, &serde_json::to_vec(&stored)?)?);
        tokio::task::spawn_blocking(write)
            .await?
            .with_context(|| format!("can't store event {}", event.request_id))
    }

    /// The event's payload.
    pub(super) async fn payload(&self, event: &QueuedEvent) -> anyhow::Result<Box<RawValue>> {
        let path = self.path(event);
        Ok(tokio::task::spawn_blocking(move || read(&path)).await??.payload)
    }

    /// Forgets an event that is done.
    pub(super) async fn remove(&self, event: &QueuedEvent) -> anyhow::Result<()> {
        tokio::fs::remove_file(self.path(event))
            .await
            .with_context(|| format!("can't remove event {}", event.request_id))
    }

    /// Sorts by age, so that a restart delivers the oldest first.
    fn path(&self, event: &QueuedEvent) -> PathBuf {
        self.folder.join(format!(
            "{:020}-{}.json",
            event.accepted_at.as_microsecond(),
            event.request_id
        ))
    }
}

fn read(path: &Path) -> anyhow::Result<Stored> {
    let content = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_slice(&content).with_context(|| format!("{} is not an event", path.display()))
}

/// A payload's bytes, as the function receives them.
pub(super) fn bytes(payload: &RawValue) -> Bytes {
    Bytes::copy_from_slice(payload.get().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_stored_is_found_again_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let queue = EventQueue::open(folder.path().join("queue")).unwrap();
        let event = |id: &str, second: i64| QueuedEvent {
            request_id: id.into(),
            function: "f".into(),
            accepted_at: Timestamp::from_second(second).unwrap(),
            attempts: 0,
            trace: "Root=1-a-b".into(),
        };
        let payload = || RawValue::from_string(r#"{"a": 1}"#.into()).unwrap();
        let (mut young, old) = (event("a-young", 2_000_000_000), event("b-old", 1_000_000_000));
        queue.store(&young, payload()).await.unwrap();
        queue.store(&old, payload()).await.unwrap();
        young.attempts = 1;
        queue.store(&young, payload()).await.unwrap();
        let again = EventQueue::open(folder.path().join("queue")).unwrap();
        assert_eq!(again.unfinished().unwrap(), [old.clone(), young.clone()]);
        assert_eq!(again.payload(&young).await.unwrap().get(), r#"{"a": 1}"#);
        again.remove(&old).await.unwrap();
        assert_eq!(again.unfinished().unwrap(), [young]);
    }
}
