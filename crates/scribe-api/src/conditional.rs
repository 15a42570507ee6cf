//! Answers that are not sent again to a caller who holds them: an ETag made of the answer itself. That saves what
//! travels, not what it costs to make the answer; who wants to wait for something follows the events.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// The tag of an answer. It is a weak one: the same answer may be written in other bytes.
pub(crate) fn tag(answer: &impl Serialize) -> Result<String, ApiError> {
    let bytes = serde_json::to_vec(answer).map_err(|_| ApiError::internal())?;
    let digest = Sha256::digest(&bytes);
    let half: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("W/\"{half}\""))
}

/// The answer, or that the caller holds it.
pub(crate) fn answer(headers: &HeaderMap, tag: &str, answer: &impl Serialize) -> Response {
    let held = headers.get_all(IF_NONE_MATCH).iter();
    let mut held = held
        .filter_map(|value| value.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(str::trim);
    // The weak comparison, as for every GET.
    let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
    let mut response = if held.any(|held| held == "*" || opaque(held) == opaque(tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(answer).into_response()
    };
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}
