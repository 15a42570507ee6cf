//! `GET /api/media-assets/{id}/download`: the document as a Markdown file.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};
use scribe_core::AssetId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shelf::file_stem;
use super::{Read, no_document, read_unless_held, tag};
use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

/// The longest name that is sent, in characters; file systems take 255 bytes.
const MAX_NAME_CHARS: usize = 60;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(download))
}

/// Download a document as Markdown.
#[utoipa::path(
    get, path = "/api/media-assets/{id}/download", operation_id = "downloadMediaAsset", tag = MEDIA_ASSETS,
    params(
        ("id" = schemas::Id, Path),
        ("if-none-match" = Option<String>, Header, description = "The ETag of the document that the caller holds."),
    ),
    responses(
        (status = OK, description = "The document's text.", body = String, content_type = "text/markdown",
            headers(("etag" = String), ("content-disposition" = String))),
        (status = NOT_MODIFIED, description = "The caller holds it already.", headers(("etag" = String))),
        NotFound, Unavailable,
    ),
)]
async fn download(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let stored = match read_unless_held(&state, &caller, &id, &headers).await? {
        Read::Found(stored) => *stored,
        Read::NotModified(response) => return Ok(response),
        Read::Absent => return Err(no_document()),
    };
    let stem = file_stem(&stored.asset.title, &stored.asset.metadata.slug);
    let disposition = disposition(&stem, &stored.asset.title);
    let mut response = stored.asset.content.into_response();
    tag(&mut response, &stored.etag);
    let headers = response.headers_mut();
    let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
    headers.insert(CONTENT_TYPE, markdown);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// `Content-Disposition`: a name that every client understands, and the title for those that know RFC 5987.
fn disposition(stem: &str, title: &str) -> String {
    let name: String = title
        .chars()
        .map(|c| if is_for_paths(c) { '-' } else { c })
        .take(MAX_NAME_CHARS)
        .collect();
    let name = name.trim_matches(['.', ' ', '-']);
    let name = if name.is_empty() { stem } else { name };
    let encoded: String = format!("{name}.md").bytes().map(encode).collect();
    format!("attachment; filename=\"{stem}.md\"; filename*=UTF-8''{encoded}")
}

/// Characters that mean something in a path of some system, or that nobody sees.
fn is_for_paths(c: char) -> bool {
    c.is_control()
        || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A byte as RFC 5987 writes it.
fn encode(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(title: &str, expected: &str) {
        let stem = file_stem(title, "");
        let found = disposition(&stem, title);
        assert_eq!(found, format!("attachment; {expected}"), "{title:?}");
        assert!(HeaderValue::from_str(&found).is_ok());
    }

    #[test]
    fn a_title_becomes_a_name_of_a_file() {
        check(
            "The Amber Road",
            "filename=\"the-amber-road.md\"; filename*=UTF-8''The%20Amber%20Road.md",
        );
        check(
            "../../etc/passwd",
            "filename=\"etc-passwd.md\"; filename*=UTF-8''etc-passwd.md",
        );
        check(
            "a\"; filename=\"b.exe",
            "filename=\"a-filename-b-exe.md\"; filename*=UTF-8''a-%3B%20filename%3D-b.exe.md",
        );
        check("…", "filename=\"untitled.md\"; filename*=UTF-8''%E2%80%A6.md");
        check("\r\nx: y", "filename=\"x-y.md\"; filename*=UTF-8''x-%20y.md");
        check("///", "filename=\"untitled.md\"; filename*=UTF-8''untitled.md");
        check("Öl", "filename=\"ol.md\"; filename*=UTF-8''%C3%96l.md");
    }
}
