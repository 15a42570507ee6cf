//! Bodies and paths whose faults are named by field, in the one envelope.

use axum::body::{Body as RawBody, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use crate::config::Limits;
use crate::error::ApiError;

/// A JSON object of moderate size: ids, settings, choices.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON object that carries texts.
pub(crate) struct LargeBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let limit = limits(&request).small_body_bytes;
        Ok(Self(read_json(request, limit).await?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for LargeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let limit = limits(&request).body_bytes;
        Ok(Self(read_json(request, limit).await?))
    }
}

/// A JSON body that carries texts and is passed on, so it is not taken apart here.
pub(crate) struct PassedBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for PassedBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let limit = limits(&request).body_bytes;
        let (parts, body) = request.into_parts();
        check_json(&parts.headers)?;
        Ok(Self(read_bytes(&parts.headers, body, limit).await?))
    }
}

fn limits(request: &Request) -> Limits {
    request.extensions().get().copied().unwrap_or_default()
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

async fn read_json<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    check_json(&parts.headers)?;
    parse(&read_bytes(&parts.headers, body, limit).await?)
}

fn check_json(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_json(headers) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "the body must be JSON, with the header content-type: application/json",
    ))
}

/// `application/json`, or what is built on it; a browser can't send these from a form.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    match kind.trim().to_ascii_lowercase().strip_prefix("application/") {
        Some(kind) => kind == "json" || kind.ends_with("+json"),
        None => false,
    }
}

/// The body, up to a limit. One that says beforehand that it is longer is not read at all.
async fn read_bytes(headers: &HeaderMap, body: RawBody, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {limit} bytes"),
        )
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(cause) = source {
            if cause.is::<LengthLimitError>() {
                return too_large();
            }
            source = cause.source();
        }
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "unreadable_body",
            "the body could not be read",
        )
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let not_json =
        |error: &serde_json::Error| ApiError::new(StatusCode::BAD_REQUEST, "not_json", error.to_string());
    // The parser would take an array as the fields in the order in which they stand in our code.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "the body must be a JSON object, not an array",
        ));
    }
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        if error.inner().is_data() {
            wrong_shape(&error.to_string())
        } else {
            not_json(error.inner())
        }
    })?;
    parser.end().map_err(|error| not_json(&error))?;
    Ok(parsed)
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
