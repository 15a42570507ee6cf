//! The on-failure destination: a folder with one record for each event that Lambda gave up, in the shape in which
//! Lambda sends it to a queue.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::event_queue::QueuedEvent;
use super::sandbox::FunctionError;
use crate::durable_file;

/// The destination. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OnFailure {
    folder: PathBuf,
    written: Arc<Notify>,
}

/// What Lambda says of an event that it gave up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureRecord {
    /// The version of this shape, "1.0".
    pub version: String,
    /// When it was given up, ISO 8601 in UTC with milliseconds.
    pub timestamp: String,
    /// Which invocation it was and why it ended.
    pub request_context: RequestContext,
    /// The event, as it was invoked.
    pub request_payload: Box<RawValue>,
    /// How the function's last run ended, if it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_context: Option<ResponseContext>,
    /// The function's last error, if it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_payload: Option<Box<RawValue>>,
}

/// Which invocation a [`FailureRecord`] is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The invocation's request id.
    pub request_id: String,
    /// The function, with its version.
    pub function_arn: String,
    /// Why Lambda gave up.
    pub condition: Condition,
    /// How often the function was invoked with it.
    pub approximate_invoke_count: u32,
}

/// How a function's last run ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseContext {
    /// 200: Lambda reached the function.
    pub status_code: u16,
    /// `$LATEST`.
    pub executed_version: String,
    /// `Unhandled`, as Lambda calls every error today.
    pub function_error: String,
}

/// Why Lambda gave an event up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The function failed once more than it may be retried; or the event was part of a recursive loop, for which
    /// Lambda documents no condition of its own: then the function was not invoked.
    RetriesExhausted,
    /// It waited too long.
    EventAgeExceeded,
}

impl OnFailure {
    pub(super) fn open(folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
        durable_file::names(&folder).with_context(|| format!("can't read {}", folder.display()))?;
        Ok(Self {
            folder,
            written: Arc::default(),
        })
    }

    /// Waits until a record is written. One that was written since the last wait ends the next at once.
    pub(super) async fn written(&self) {
        self.written.notified().await;
    }

    /// All records, oldest first.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn list(&self) -> anyhow::Result<Vec<FailureRecord>> {
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            // Others are being written this moment.
            if path.extension().is_some_and(|extension| extension == "json") {
                records.push(read(&path)?);
            }
        }
        records.sort_by(|one: &FailureRecord, other| one.timestamp.cmp(&other.timestamp));
        Ok(records)
    }

    /// Removes a record that has been dealt with; one that is gone already is no error.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove(&self, request_id: &str) -> anyhow::Result<()> {
        match std::fs::remove_file(self.path(request_id)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("can't remove the record of request {request_id}"))
            }
            _ => Ok(()),
        }
    }

    /// Writes down that an event is given up. It is on disk when this returns.
    pub(super) async fn give_up(
        &self,
        event: &QueuedEvent,
        function_arn: &str,
        condition: Condition,
        payload: Box<RawValue>,
        last_error: Option<&FunctionError>,
    ) -> anyhow::Result<()> {
        let record = FailureRecord {
            version: "1.0".into(),
            timestamp: format!("{:.3}", Timestamp::now()),
            request_context: RequestContext {
                request_id: event.request_id.clone(),
                function_arn: format!("{function_arn}:$LATEST"),
                condition,
                approximate_invoke_count: event.attempts,
            },
            request_payload: payload,
            response_context: last_error.map(|_| ResponseContext {
                status_code: 200,
                executed_version: "$LATEST".into(),
                function_error: "Unhandled".into(),
            }),
            response_payload: last_error.map(FunctionError::payload).transpose()?,
        };
        let path = self.path(&event.request_id);
        let write = move || {
            anyhow::Ok(durable_file::replace(
                &path,
                &serde_json::to_vec_pretty(&record)?,
            )?)
        };
        tokio::task::spawn_blocking(write)
            .await?
            .with_context(|| format!("can't write the on-failure record of event {}", event.request_id))?;
        self.written.notify_one();
        Ok(())
    }

    fn path(&self, request_id: &str) -> PathBuf {
        self.folder.join(format!("{request_id}.json"))
    }
}

fn read(path: &Path) -> anyhow::Result<FailureRecord> {
    let content = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_slice(&content)
        .with_context(|| format!("{} is not an on-failure record", path.display()))
}
