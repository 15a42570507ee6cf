//! `POST /api/media-assets/{id}/conversations`: an existing document, continued in another conversation.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use scribe_core::{AssetId, ConversationId, ConversationKey};
use scribe_engine::conversations::ContinueError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::no_document;
use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Body, PathId};
use crate::openapi::answers::{Conflict, NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(begin))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContinueRequest {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContinueAnswer {
    success: bool,
    #[schema(value_type = schemas::Id)]
    text_asset_id: AssetId,
    slug: String,
    title: String,
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: ConversationId,
}

impl From<ContinueError> for ApiError {
    fn from(error: ContinueError) -> Self {
        match error {
            ContinueError::Conversation(error) => error.into(),
            ContinueError::NoDocument(_) => no_document(),
            ContinueError::Taken(_) => Self::new(
                StatusCode::CONFLICT,
                "conversation_taken",
                "this conversation writes to another document; continue in a new one",
            )
            .about(Some("conversationId")),
        }
    }
}

/// Continue a document in another conversation.
///
/// The turns of that conversation are written into it from now on. Each conversation has its own turns; the document
/// takes them as they come.
#[utoipa::path(
    post, path = "/api/media-assets/{id}/conversations", operation_id = "continueMediaAsset", tag = MEDIA_ASSETS,
    params(("id" = schemas::Id, Path)),
    request_body = ContinueRequest,
    responses(
        (status = CREATED, description = "The conversation writes to the document.", body = ContinueAnswer),
        (status = OK, description = "It wrote to it already, and is on.", body = ContinueAnswer),
        NotFound, Conflict, Unavailable,
    ),
)]
async fn begin(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    Body(request): Body<ContinueRequest>,
) -> Result<(StatusCode, Json<ContinueAnswer>), ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let conversation: ConversationId = request
        .conversation_id
        .parse()
        .map_err(ApiError::id("conversationId"))?;
    let key = ConversationKey::new(caller.tenant, conversation);
    let continued = state
        .conversations
        .continue_document(&key, &id, &caller.user)
        .await?;
    let status = if continued.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let session = continued.session;
    Ok((
        status,
        Json(ContinueAnswer {
            success: true,
            text_asset_id: session.text_asset_id,
            slug: session.slug,
            title: session.title,
            conversation_id: session.conversation_id,
        }),
    ))
}
