//! What can go wrong with a turn, and what follows from it: the one place that tells retryable from permanent.

use std::time::Duration;

use scribe_core::MessageId;

use crate::documents::DocumentsError;
use crate::narrator::NarratorError;

/// Why an attempt at a turn failed.
#[derive(Debug)]
pub(super) enum AttemptError {
    /// A service did: the attempt does not count, and the turn waits for the service.
    Service {
        /// Which one.
        service: Service,
        /// What it said, without texts.
        reason: String,
        /// How long it asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The attempt counts: another one may succeed.
    Counted {
        /// Why.
        reason: String,
    },
    /// No attempt can succeed: the turn is parked at once.
    Permanent {
        /// Why.
        reason: String,
    },
    /// The document was removed for good while the turn was being written: nothing of it is kept, nor of the turn.
    Erased,
}

impl AttemptError {
    /// The record's floor is above the turn, and its id is not there.
    pub(super) fn unknowable() -> Self {
        Self::Permanent {
            reason: crate::UNKNOWABLE.into(),
        }
    }
}

/// A service that a turn needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The language model.
    Model,
    /// S3.
    Storage,
}

impl From<DocumentsError> for AttemptError {
    fn from(error: DocumentsError) -> Self {
        match error {
            DocumentsError::Unavailable { .. } => Self::Service {
                service: Service::Storage,
                reason: error.to_string(),
                retry_after: None,
            },
            DocumentsError::Malformed { .. } | DocumentsError::Newer { .. } => Self::Permanent {
                reason: error.to_string(),
            },
        }
    }
}

impl From<NarratorError> for AttemptError {
    fn from(error: NarratorError) -> Self {
        let reason = error.to_string();
        match error {
            NarratorError::Unavailable { retry_after, .. } => Self::Service {
                service: Service::Model,
                reason,
                retry_after,
            },
            NarratorError::Refused { .. } => Self::Permanent { reason },
            NarratorError::Cut | NarratorError::Filtered | NarratorError::Malformed { .. } => {
                Self::Counted { reason }
            }
        }
    }
}

/// Why an invocation failed. Lambda keeps its event and tries it again.
///
/// Messages name the turn, the stage and the next step, never a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnFailure {
    /// The model could not be used; the turn waits, the attempt does not count.
    #[error("turn {message_id} waits {pause_s} s for the model: {reason}")]
    ModelUnavailable {
        /// Which turn.
        message_id: MessageId,
        /// For how long nobody claims, in seconds.
        pause_s: u64,
        /// What the client says of it.
        reason: String,
    },
    /// S3 could not be used; the turn waits, the attempt does not count.
    #[error("turn {message_id} waits {pause_s} s for s3: {reason}")]
    StorageUnavailable {
        /// Which turn.
        message_id: MessageId,
        /// For how long nobody claims, in seconds.
        pause_s: u64,
        /// What the client says of it.
        reason: String,
    },
    /// A counted attempt failed.
    #[error("turn {message_id} failed at attempt {attempt} and waits {pause_s} s for the next: {reason}")]
    AttemptFailed {
        /// Which turn.
        message_id: MessageId,
        /// Which attempt, from 1.
        attempt: u32,
        /// For how long nobody claims, in seconds.
        pause_s: u64,
        /// Why.
        reason: String,
    },
    /// The event's own turn stands in Lambda's queue alone, so the event must stay there.
    #[error("turn {message_id} could not be put under waiting/ and stays in lambda's queue: {reason}")]
    NotSettled {
        /// Which turn.
        message_id: MessageId,
        /// Why.
        reason: String,
    },
    /// What S3 knows of the conversation could not be read.
    #[error(
        "the conversation of turn {message_id} could not be looked up, the turn stays in lambda's queue: {reason}"
    )]
    NotLookedUp {
        /// The event's own turn.
        message_id: MessageId,
        /// Why.
        reason: String,
    },
}

impl TurnFailure {
    /// The name that Lambda reports as the error's type.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::ModelUnavailable { .. } => "Scribe.ModelUnavailable",
            Self::StorageUnavailable { .. } => "Scribe.StorageUnavailable",
            Self::AttemptFailed { .. } => "Scribe.AttemptFailed",
            Self::NotSettled { .. } => "Scribe.NotSettled",
            Self::NotLookedUp { .. } => "Scribe.NotLookedUp",
        }
    }
}
