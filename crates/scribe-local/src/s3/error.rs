//! What can go wrong in the store, and what a client is told.
//!
//! A variant per answer that S3 has; everything that is the disk's fault is an internal error to the client and
//! one line in the log, with the file's path.

use std::io;
use std::path::{Path, PathBuf};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode};

use super::index::Found;
use super::key::KeyError;

const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");
const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("bucket {0} does not exist")]
    NoSuchBucket(String),
    #[error("bucket {0} exists already")]
    BucketExists(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("key {0} does not exist")]
    NoSuchKey(String),
    /// The key's latest version is a delete marker: absent, but the answer says why.
    #[error("key {} is deleted", .0.key.as_str())]
    Deleted(Box<Found>),
    /// A delete marker was asked for by its version id: there is nothing to read.
    #[error("version {} is a delete marker", .0.version.name.id.simple())]
    MarkerAsked(Box<Found>),
    #[error("version {0} does not exist")]
    NoSuchVersion(String),
    #[error("at least one of the preconditions did not hold")]
    PreconditionFailed,
    #[error("the file {path} is damaged: {why}", path = .path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("could not {action} {path}", path = .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The write stands, and may or may not survive a power cut.
    #[error("could not sync the folder of {path}", path = .path.display())]
    Unsynced { path: PathBuf, source: io::Error },
    #[error("the work on the disk was stopped")]
    Stopped,
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

impl From<StoreError> for S3Error {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoSuchBucket(_) => S3ErrorCode::NoSuchBucket,
            StoreError::BucketExists(_) => S3ErrorCode::BucketAlreadyOwnedByYou,
            StoreError::Key(KeyError::Empty) => S3ErrorCode::UserKeyMustBeSpecified,
            StoreError::Key(KeyError::TooLong) => S3ErrorCode::KeyTooLongError,
            StoreError::NoSuchKey(_) | StoreError::Deleted(_) => S3ErrorCode::NoSuchKey,
            StoreError::MarkerAsked(_) => S3ErrorCode::MethodNotAllowed,
            StoreError::NoSuchVersion(_) => S3ErrorCode::NoSuchVersion,
            StoreError::PreconditionFailed => S3ErrorCode::PreconditionFailed,
            StoreError::Damaged { .. }
            | StoreError::Io { .. }
            | StoreError::Unsynced { .. }
            | StoreError::Stopped => S3ErrorCode::InternalError,
        };
        if code == S3ErrorCode::InternalError {
            tracing::error!(error = &error as &dyn std::error::Error, "the embedded s3 failed");
        }
        let mut answer = Self::with_message(code, error.to_string());
        if let StoreError::Deleted(found) | StoreError::MarkerAsked(found) = &error {
            answer.set_headers(marker_headers(found));
        }
        answer
    }
}

/// What the answer says of the delete marker that was found instead of an object.
fn marker_headers(found: &Found) -> HeaderMap {
    // Given headers replace the answer's own, so that its content type stands here too.
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/xml")),
        (DELETE_MARKER, HeaderValue::from_static("true")),
    ]);
    let version_id = found.version.name.id.simple().to_string();
    let mut last_modified = Vec::new();
    let time = Timestamp::from(std::time::SystemTime::from(found.header.last_modified));
    if time.format(TimestampFormat::HttpDate, &mut last_modified).is_ok()
        && let Ok(last_modified) = HeaderValue::from_bytes(&last_modified)
    {
        headers.insert(LAST_MODIFIED, last_modified);
    }
    if let Ok(version_id) = HeaderValue::from_str(&version_id) {
        headers.insert(VERSION_ID, version_id);
    }
    headers
}
