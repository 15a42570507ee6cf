//! `If-Match`: a change on condition that nobody else has changed the same.

use axum::response::{IntoResponse, Response};
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

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
