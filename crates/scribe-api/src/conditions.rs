//! Conditions on an ETag: `If-Match`, a change on condition that nobody else has changed the same, and `If-None-Match`,
//! an answer that is not sent again to a caller who holds it.
//!
//! An answer that has no ETag of its own gets one made of itself. That saves what travels, not what it costs to make the
//! answer; who wants to wait for something follows the events.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// The ETag that a change is based on; none where any will do.
///
/// What stands between may have made a weak tag of a strong one. A list of tags names more versions than one change
/// can be based on.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut given = headers.get_all(IF_MATCH).iter();
    let (tag, more) = (given.next(), given.next());
    let Some(tag) = tag else { return Ok(None) };
    let tag = tag.to_str().unwrap_or_default().trim();
    if tag == "*" && more.is_none() {
        return Ok(None);
    }
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    if more.is_none() && inner.is_some_and(|inner| !inner.contains('"')) {
        return Ok(Some(tag.to_owned()));
    }
    Err(ApiError::field(
        "if-match",
        "must be one ETag as GET gives it, in double quotes",
    ))
}

/// 412, with the ETag of what is there now.
pub(crate) fn changed(message: &'static str, etag: Option<&str>) -> Response {
    let error = ApiError::new(StatusCode::PRECONDITION_FAILED, "changed", message);
    let mut response = error.into_response();
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// The tag of an answer. It is a weak one: the same answer may be written in other bytes.
pub(crate) fn tag_of(answer: &impl Serialize) -> Result<String, ApiError> {
    let bytes = serde_json::to_vec(answer).map_err(|_| ApiError::internal())?;
    let digest = Sha256::digest(&bytes);
    let half: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("W/\"{half}\""))
}

/// The answer, or that the caller holds it.
pub(crate) fn unless_held(headers: &HeaderMap, tag: &str, answer: &impl Serialize) -> Response {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[&str], expected: Result<Option<&str>, ()>) {
        let mut headers = HeaderMap::new();
        for tag in given {
            headers.append(IF_MATCH, tag.parse().unwrap());
        }
        let found = if_match(&headers).map_err(drop);
        assert_eq!(
            found.as_ref().map(Option::as_deref),
            expected.as_ref().copied(),
            "{given:?}"
        );
    }

    #[test]
    fn one_tag_or_any() {
        check(&[], Ok(None));
        check(&["*"], Ok(None));
        check(&["\"abc\""], Ok(Some("\"abc\"")));
        check(&["\"\""], Ok(Some("\"\"")));
        check(&["W/\"abc\""], Ok(Some("\"abc\"")));
        for wrong in [
            &["abc"][..],
            &["\"a\", \"b\""],
            &["\"a\"", "\"b\""],
            &[""],
            &["\""],
        ] {
            check(wrong, Err(()));
        }
    }
}
