//! Documents: `GET /api/media-assets/{id}` here, the other routes in files of their own.

mod blocks;
mod continuing;
mod deleting;
mod download;
mod restoring;
mod shelf;
mod versions;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use scribe_core::{AssetId, MediaAsset};
use scribe_engine::documents::{Fetched, StoredAsset};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

/// Where readers find what a document's turns have cost. It is theirs to read only.
const USAGE: &str = "scribe_usage";

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .merge(blocks::routes())
        .merge(shelf::routes())
        .merge(deleting::routes())
        .merge(versions::routes())
        .merge(restoring::routes())
        .merge(download::routes())
        .merge(continuing::routes())
}

#[derive(Serialize, ToSchema)]
struct AssetAnswer {
    #[schema(value_type = schemas::MediaAsset)]
    asset: MediaAsset,
}

/// Read a document.
#[utoipa::path(
    get, path = "/api/media-assets/{id}", operation_id = "readMediaAsset", tag = MEDIA_ASSETS,
    params(
        ("id" = schemas::Id, Path),
        ("if-none-match" = Option<String>, Header, description = "The ETag of the document that the caller holds."),
    ),
    responses(
        (status = OK, description = "The document.", body = AssetAnswer, headers(("etag" = String))),
        (status = NOT_MODIFIED, description = "The caller holds it already.", headers(("etag" = String))),
        NotFound, Unavailable,
    ),
)]
async fn read(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    match read_unless_held(&state, &caller, &id, &headers).await? {
        Read::Found(stored) => {
            let asset = shown(stored.asset);
            let mut response = Json(AssetAnswer { asset }).into_response();
            tag(&mut response, &stored.etag);
            Ok(response)
        }
        Read::NotModified(response) => Ok(response),
        Read::Absent => Err(no_document()),
    }
}

/// A document that is read on condition.
enum Read {
    Found(Box<StoredAsset>),
    /// The answer.
    NotModified(Response),
    Absent,
}

/// Reads a document, unless the caller holds the present one.
async fn read_unless_held(
    state: &ApiState,
    caller: &Caller,
    id: &AssetId,
    headers: &HeaderMap,
) -> Result<Read, ApiError> {
    let held = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // One plain tag goes on to S3, which then sends no document; lists, weak tags and `*` are compared here.
    let single = Some(held).filter(|held| held.starts_with('"') && !held.contains(','));
    match state.conversations.document(&caller.tenant, id, single).await? {
        Fetched::Found(stored) if holds(held, &stored.etag) => {
            Ok(Read::NotModified(not_modified(&stored.etag)))
        }
        Fetched::Found(stored) => Ok(Read::Found(stored)),
        Fetched::NotModified => Ok(Read::NotModified(not_modified(held))),
        Fetched::Absent => Ok(Read::Absent),
    }
}

/// The document as readers see it. What the scribe knows of a document is not part of it; they are told what it has
/// cost. Whatever stands there under this name came back from a reader.
pub(crate) fn shown(mut asset: MediaAsset) -> MediaAsset {
    let cost = asset.scribe.take().map(|state| state.cost).unwrap_or_default();
    asset.metadata.other.insert(USAGE.into(), json!(cost));
    asset
}

pub(crate) fn no_document() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no_document",
        "there is no document with this id",
    )
}

/// Whether `If-None-Match` names the tag. The comparison is the weak one, as for every GET.
fn holds(if_none_match: &str, etag: &str) -> bool {
    let mut tags = if_none_match.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn not_modified(etag: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    tag(&mut response, etag);
    response
}

pub(crate) fn tag(response: &mut Response, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}
