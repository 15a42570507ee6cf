//! Bodies and paths whose faults are named by field, in the one envelope.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(explain(&rejection)),
        }
    }
}

/// The id in a route's path, or a tuple of them.
pub(crate) struct PathId<T = String>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_path",
                "an id in the path is not UTF-8; only letters, digits, '.', '_' and '-' are taken",
            )),
        }
    }
}

fn explain(rejection: &JsonRejection) -> ApiError {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the body must be JSON, with the header content-type: application/json",
        ),
        JsonRejection::BytesRejection(BytesRejection::FailedToBufferBody(_))
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE =>
        {
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("the body is larger than {} bytes", crate::MAX_BODY_BYTES),
            )
        }
        JsonRejection::JsonDataError(error) => wrong_shape(&source_text(error)),
        JsonRejection::JsonSyntaxError(error) => {
            ApiError::new(StatusCode::BAD_REQUEST, "not_json", source_text(error))
        }
        _ => ApiError::new(
            StatusCode::BAD_REQUEST,
            "unreadable_body",
            "the body could not be read",
        ),
    }
}

fn source_text(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// Names the field that is missing or wrong. The parser puts the path before a wrong value's fault, and the field's
/// name into a missing one's; values in its words are the caller's own.
fn wrong_shape(fault: &str) -> ApiError {
    let what = fault.rsplit_once(" at line ").map_or(fault, |(what, _)| what);
    let missing = what
        .split_once("missing field `")
        .and_then(|(_, rest)| rest.split_once('`'));
    let (field, message) = match (missing, what.split_once(": ")) {
        (Some((field, _)), _) => (Some(field), format!("{field} is missing")),
        (None, Some((field, fault))) if !field.contains(' ') => {
            (Some(field), format!("{field} is wrong: {fault}"))
        }
        _ => (
            None,
            "the body must be a JSON object with the fields of this route".to_owned(),
        ),
    };
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message).about(field)
}
