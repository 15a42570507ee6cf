//! `DELETE /api/media-assets/{id}`.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use scribe_core::{AssetId, ConversationId, MessageId};
use scribe_engine::conversations::{DeleteError, Deleted, Erased};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::no_document;
use crate::ApiState;
use crate::caller::Caller;
use crate::conditions::{changed, if_match};
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{Changed, Conflict, NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(remove))
}

#[derive(Deserialize)]
struct Asked {
    forever: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeleteAnswer {
    #[schema(value_type = schemas::Id)]
    id: AssetId,
    /// Whether it was deleted before this request.
    already: bool,
    /// The conversations that do not write to it any more.
    #[schema(value_type = Vec<schemas::ConversationId>)]
    conversations: Vec<ConversationId>,
    /// Turns that will not be written: they stand among the failed ones of their conversations.
    failed_turns: Vec<FailedTurn>,
    /// What was removed for good, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    removed: Option<Removed>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FailedTurn {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: ConversationId,
    #[schema(value_type = schemas::Id)]
    message_id: MessageId,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Removed {
    /// Versions of the document.
    versions: u64,
    /// Turns of the transcript.
    turns: u64,
    /// Turns that waited or had failed, all their versions.
    waiting: u64,
    /// The conversations of which nothing is left.
    #[schema(value_type = Vec<schemas::ConversationId>)]
    conversations: Vec<ConversationId>,
    /// Conversations that also write, or wrote, to other documents: only their turns in this one are removed.
    #[schema(value_type = Vec<schemas::ConversationId>)]
    kept_conversations: Vec<ConversationId>,
    /// Whether there was a search entry.
    search_entry: bool,
}

impl DeleteAnswer {
    fn of(id: AssetId, deleted: Deleted) -> Self {
        let failed = |(conversation_id, message_id)| FailedTurn {
            conversation_id,
            message_id,
        };
        Self {
            id,
            already: deleted.already,
            conversations: deleted.conversations,
            failed_turns: deleted.parked.into_iter().map(failed).collect(),
            removed: None,
        }
    }
}

impl From<Erased> for Removed {
    fn from(erased: Erased) -> Self {
        Self {
            versions: erased.versions,
            turns: erased.turns,
            waiting: erased.waiting,
            conversations: erased.conversations,
            kept_conversations: erased.kept,
            search_entry: erased.search_entry,
        }
    }
}

/// Delete a document, or remove it for good.
///
/// Its conversations end first. A deleted document can be restored from its versions; with `forever=true` they are
/// removed, and with them the turns that were written into it, and the conversations that wrote to nothing else. Either
/// may be repeated.
#[utoipa::path(
    delete, path = "/api/media-assets/{id}", operation_id = "deleteMediaAsset", tag = MEDIA_ASSETS,
    params(
        ("id" = schemas::Id, Path),
        ("forever" = Option<bool>, Query, description = "Whether nothing of it is to be kept."),
        ("if-match" = Option<String>, Header, description = "The ETag of the document that is to be deleted."),
    ),
    responses(
        (status = OK, description = "It is deleted.", body = DeleteAnswer),
        NotFound, Conflict, Changed, Unavailable,
    ),
)]
async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let Query(asked) = asked.map_err(|_| ApiError::field("forever", "may be given once"))?;
    let forever = match asked.forever.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(ApiError::field("forever", "must be true or false")),
    };
    let expected = if_match(&headers)?;
    let (tenant, user) = (&caller.tenant, &caller.user);
    let done = if forever {
        let erased = state
            .conversations
            .erase_document(tenant, &id, user, expected.as_deref())
            .await;
        erased.map(|(deleted, erased)| DeleteAnswer {
            removed: Some(erased.into()),
            failed_turns: Vec::new(),
            ..DeleteAnswer::of(id, deleted)
        })
    } else {
        let deleted = state
            .conversations
            .delete_document(tenant, &id, user, expected.as_deref())
            .await;
        deleted.map(|deleted| DeleteAnswer::of(id, deleted))
    };
    match done {
        Ok(answer) => Ok(Json(answer).into_response()),
        Err(DeleteError::Changed { etag, .. }) => Ok(changed(
            "the document has changed since; read it again, and look whether it is still to be deleted",
            Some(&etag),
        )),
        Err(DeleteError::NoDocument(_)) => Err(no_document()),
        Err(DeleteError::Conversation(error)) => Err(error.into()),
    }
}
