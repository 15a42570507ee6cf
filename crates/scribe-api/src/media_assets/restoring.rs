//! `POST /api/media-assets/{id}/restore`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use scribe_core::{AssetId, MediaAsset, VersionId};
use scribe_engine::conversations::RestoreError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{shown, tag};
use crate::ApiState;
use crate::caller::Caller;
use crate::conditions::{changed, if_match};
use crate::error::ApiError;
use crate::json::{Body, PathId};
use crate::openapi::answers::{Changed, Conflict, NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(restore))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RestoreRequest {
    /// The version whose text is wanted.
    #[schema(value_type = schemas::Id)]
    version_id: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RestoreAnswer {
    #[schema(value_type = schemas::MediaAsset)]
    asset: MediaAsset,
    /// Whether the document was deleted before. Its conversations have ended; they may be continued.
    was_deleted: bool,
}

/// Restore the text of an older version.
///
/// The title comes with it; what the document knows of its turns stays, so none is written twice. A deleted document
/// comes back.
#[utoipa::path(
    post, path = "/api/media-assets/{id}/restore", operation_id = "restoreVersion", tag = MEDIA_ASSETS,
    params(
        ("id" = schemas::Id, Path),
        ("if-match" = Option<String>, Header, description = "The ETag of the document that is to be changed."),
    ),
    request_body = RestoreRequest,
    responses(
        (status = OK, description = "The document.", body = RestoreAnswer, headers(("etag" = String))),
        NotFound, Conflict, Changed, Unavailable,
    ),
)]
async fn restore(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    headers: HeaderMap,
    Body(request): Body<RestoreRequest>,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let version: VersionId = request.version_id.parse().map_err(ApiError::id("versionId"))?;
    let expected = if_match(&headers)?;
    let restored = state
        .conversations
        .restore(&caller.tenant, &id, &caller.user, &version, expected.as_deref())
        .await;
    let restored = match restored {
        Ok(restored) => restored,
        Err(RestoreError::Changed { etag, .. }) => {
            return Ok(changed(
                "the document has changed since; read it again, and look whether it is still to be restored",
                etag.as_deref(),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let answer = RestoreAnswer {
        asset: shown(restored.asset),
        was_deleted: restored.was_deleted,
    };
    let mut response = Json(answer).into_response();
    tag(&mut response, &restored.etag);
    Ok(response)
}
