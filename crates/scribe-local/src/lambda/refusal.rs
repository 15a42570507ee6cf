//! How Lambda's invoke API says no: a status, `x-amzn-ErrorType`, and a small JSON body.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

/// The most bytes of an event that is invoked asynchronously.
pub(super) const MAX_EVENT_BYTES: usize = 1024 * 1024;
/// The most bytes of an event that somebody waits for, and of any response.
pub(super) const MAX_SYNCHRONOUS_BYTES: usize = 6 * 1024 * 1024;

/// Why an invoke call is refused. The messages are worded as Lambda words them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Missing Authentication Token")]
    NotSigned,
    #[error("Function not found: {0}")]
    UnknownFunction(String),
    #[error("Could not parse request body into json: {0}")]
    NotJson(String),
    #[error(
        "{bytes} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
    )]
    TooLarge {
        bytes: usize,
        invocation_type: &'static str,
        limit: usize,
    },
    #[error(
        "1 validation error detected: Value '{0}' at 'invocationType' failed to satisfy constraint: Member must \
         satisfy enum value set: [Event, RequestResponse, DryRun]"
    )]
    InvocationType(String),
    #[error(
        "The invoked function is not enabled with tenancy configuration. Remove the tenant ID and try again"
    )]
    TenantId,
    #[error("Rate Exceeded.")]
    TooManyRequests,
    #[error("Lambda has detected {0} being invoked in a recursive loop and stopped its invocation")]
    RecursiveLoop(String),
    #[error("{0}")]
    Service(String),
}

impl Refusal {
    fn status_and_type(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotSigned => (StatusCode::FORBIDDEN, "MissingAuthenticationTokenException"),
            Self::UnknownFunction(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
            Self::NotJson(_) => (StatusCode::BAD_REQUEST, "InvalidRequestContentException"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException"),
            Self::InvocationType(_) => (StatusCode::BAD_REQUEST, "ValidationException"),
            Self::TenantId => (StatusCode::BAD_REQUEST, "InvalidParameterValueException"),
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            Self::RecursiveLoop(_) => (StatusCode::BAD_REQUEST, "RecursiveInvocationException"),
            Self::Service(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind) = self.status_and_type();
        let message = self.to_string();
        let body = match self {
            // These three shapes spell the field with a capital letter, the others do not.
            Self::UnknownFunction(_) | Self::RecursiveLoop(_) => json!({"Type": "User", "Message": message}),
            Self::Service(_) => json!({"Type": "Service", "Message": message}),
            Self::TooManyRequests => json!({
                "Type": "User",
                "message": message,
                "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            }),
            Self::NotSigned
            | Self::NotJson(_)
            | Self::TooLarge { .. }
            | Self::InvocationType(_)
            | Self::TenantId => json!({"Type": "User", "message": message}),
        };
        (status, [("x-amzn-ErrorType", kind)], Json(body)).into_response()
    }
}
