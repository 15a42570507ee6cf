//! S3: where the truth is.
//!
//! | key | what | written |
//! |---|---|---|
//! | `tenants/{tenant}/media-assets/{id}.json` | the document with its record | created once, then `If-Match` |
//! | `tenants/{tenant}/conversations/{conversation}.json` | which document, on or off | created once, then `If-Match` |
//! | `tenants/{tenant}/turns/{conversation}/{seq}-{message}.json` | the turn | created once |
//! | `waiting/{tenant}/{conversation}/{seq}-{message}.json` | a turn that is owed | created once, then `If-Match` |
//!
//! Documents and conversations are deleted by a delete marker, on condition of the ETag; their versions stay until they
//! are removed for good.
//!
//! Every write has a condition; the bucket's policy demands it. The traps: 412 is a conflict, 409 means try again,
//! 404 on `If-Match` means deleted, and a PUT whose answer was lost looks like a conflict when the SDK repeats it.
//! So after any conflict the caller reads again and looks into the record before it does anything else.

mod assets;
mod bases;
mod conversation_objects;
mod purging;
mod shelf;
mod turn_objects;
mod turn_versions;
mod versions;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use scribe_trigger::aws;
use std::time::Duration;

use crate::config::DocumentsConfig;

pub use assets::{Author, Fetched, Replacing, StoredAsset};
pub use bases::Base;
pub use conversation_objects::Conversation;
pub use shelf::ShelvedAsset;
pub use turn_objects::{Owed, WaitingState, WaitingTurn};
pub use turn_versions::TurnVersions;
pub use versions::{Maker, StoredVersion, Version, VersionContent, VersionPage};

/// An S3 operation failed.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// S3 could not be reached, or refused.
    #[error("s3 {operation} of {key}: {reason}")]
    Unavailable {
        /// Which operation.
        operation: &'static str,
        /// Which key or prefix.
        key: String,
        /// What went wrong.
        reason: String,
    },
    /// An object holds what this version can't read.
    #[error("{key} holds what can't be read: {reason}")]
    Malformed {
        /// Which object.
        key: String,
        /// Why, without its text.
        reason: String,
    },
    /// An object was written by a newer version.
    #[error("{key} has schema {schema}, this version reads up to {known}: deploy the newer version")]
    Newer {
        /// Which object.
        key: String,
        /// Its schema.
        schema: u32,
        /// The newest one that is known here.
        known: u32,
    },
}

impl DocumentsError {
    fn malformed(key: &str, error: &serde_json::Error) -> Self {
        // serde_json repeats values in its messages; a value here may be somebody's text.
        let reason = format!(
            "{:?} error at line {} column {}",
            error.classify(),
            error.line(),
            error.column()
        );
        Self::Malformed {
            key: key.into(),
            reason,
        }
    }
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Written; the object has this ETag now.
    Done {
        /// The new ETag.
        etag: String,
    },
    /// The condition did not hold: somebody else wrote, or this very write came twice.
    Conflict,
    /// There is no such object any more.
    Gone,
}

/// The condition of a write.
enum Condition<'a> {
    Absent,
    Matches(&'a str),
}

/// An object as it was read.
struct Object {
    bytes: Vec<u8>,
    etag: String,
}

enum Got {
    Found(Object),
    NotModified,
    Absent,
}

/// The bucket. Cloning shares the client.
#[derive(Debug, Clone)]
pub struct Documents {
    client: Client,
    bucket: String,
}

impl Documents {
    /// The bucket, with the environment's credentials, region and endpoint (`AWS_ENDPOINT_URL_S3`).
    pub async fn from_env(config: &DocumentsConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(12))
            .build();
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws::https_client())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .load()
            .await;
        let settings = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(config.path_style)
            // Without it every PUT is sent in signed chunks with a trailer, which some S3 servers can't read.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .build();
        Self::new(Client::from_conf(settings), config.bucket.clone())
    }

    /// A bucket behind a client of the caller's.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// Asks S3 whether the bucket is there.
    ///
    /// # Errors
    /// [`DocumentsError::Unavailable`] if it is not.
    pub async fn ping(&self) -> Result<(), DocumentsError> {
        self.client
            .head_bucket()
            .bucket(&self.bucket)
            .send()
            .await
            .map(drop)
            .map_err(|error| DocumentsError::Unavailable {
                operation: "HEAD",
                key: self.bucket.clone(),
                reason: aws::describe(&error),
            })
    }

    async fn get(&self, key: &str, held_etag: Option<&str>) -> Result<Got, DocumentsError> {
        let unavailable = |reason| DocumentsError::Unavailable {
            operation: "GET",
            key: key.into(),
            reason,
        };
        let sent = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_if_none_match(held_etag.map(str::to_owned))
            .send()
            .await;
        let output = match sent {
            Ok(output) => output,
            Err(error) => {
                return match (status(&error), error.code()) {
                    (Some(304), _) => Ok(Got::NotModified),
                    // A bucket that is not there says nothing of what belongs into it.
                    (Some(404), code) if code != Some("NoSuchBucket") => Ok(Got::Absent),
                    _ => Err(unavailable(aws::describe(&error))),
                };
            }
        };
        let etag = output.e_tag.unwrap_or_default();
        let body = output
            .body
            .collect()
            .await
            .map_err(|_| unavailable("the answer broke off".into()))?;
        Ok(Got::Found(Object {
            bytes: body.to_vec(),
            etag,
        }))
    }

    async fn put(
        &self,
        key: &str,
        body: String,
        condition: Condition<'_>,
        author: Option<&Author>,
    ) -> Result<Written, DocumentsError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .set_metadata(author.map(Author::metadata))
            .body(ByteStream::from(body.into_bytes()));
        let request = match condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Matches(etag) => request.if_match(etag),
        };
        match request.send().await {
            Ok(output) => Ok(Written::Done {
                etag: output.e_tag.unwrap_or_default(),
            }),
            Err(error) => match status(&error) {
                // 409: a write of the same key was under way. To read again is right for both.
                Some(409 | 412) => Ok(Written::Conflict),
                Some(404) if error.code() == Some("NoSuchKey") => Ok(Written::Gone),
                _ => Err(DocumentsError::Unavailable {
                    operation: "PUT",
                    key: key.into(),
                    reason: aws::describe(&error),
                }),
            },
        }
    }

    async fn delete(&self, key: &str) -> Result<(), DocumentsError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .map(drop)
            .map_err(|error| DocumentsError::Unavailable {
                operation: "DELETE",
                key: key.into(),
                reason: aws::describe(&error),
            })
    }

    /// Hides an object behind a delete marker, on condition that it still has the ETag.
    async fn delete_if(&self, key: &str, etag: &str) -> Result<Written, DocumentsError> {
        let sent = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .if_match(etag)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Written::Done { etag: String::new() }),
            Err(error) => match status(&error) {
                Some(409 | 412) => Ok(Written::Conflict),
                Some(404) if error.code() != Some("NoSuchBucket") => Ok(Written::Gone),
                _ => Err(DocumentsError::Unavailable {
                    operation: "DELETE",
                    key: key.into(),
                    reason: aws::describe(&error),
                }),
            },
        }
    }

    /// All objects below a prefix.
    async fn list(&self, prefix: &str) -> Result<Vec<aws_sdk_s3::types::Object>, DocumentsError> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| DocumentsError::Unavailable {
                operation: "LIST",
                key: prefix.into(),
                reason: aws::describe(&error),
            })?;
            objects.extend(page.contents.unwrap_or_default());
        }
        Ok(objects)
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn parse<T: serde::de::DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, DocumentsError> {
    serde_json::from_slice(bytes).map_err(|error| DocumentsError::malformed(key, &error))
}

fn encode<T: serde::Serialize>(key: &str, value: &T) -> Result<String, DocumentsError> {
    serde_json::to_string(value).map_err(|error| DocumentsError::malformed(key, &error))
}
