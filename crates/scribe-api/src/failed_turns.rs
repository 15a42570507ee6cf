//! Failed turns: `POST /api/chat/background-doc/{conversationId}/turns/{messageId}/replay`, the same for all failed
//! turns of a conversation without the message's id, and `…/dismiss`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use scribe_core::turn::Seq;
use scribe_core::{ConversationId, ConversationKey, MessageId};
use scribe_engine::conversations::ReplayedTurn;
use scribe_trigger::Delivery;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{Conflict, Gone, NotFound, Unavailable};
use crate::openapi::{TURNS, schemas};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(replay))
        .routes(routes!(replay_all))
        .routes(routes!(dismiss))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayAnswer {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: ConversationId,
    #[schema(value_type = schemas::Id)]
    message_id: MessageId,
    #[schema(value_type = schemas::Seq)]
    seq: Seq,
    #[schema(value_type = schemas::Delivery)]
    delivery: Delivery,
}

impl ReplayAnswer {
    fn of(key: &ConversationKey, turn: ReplayedTurn) -> Self {
        Self {
            conversation_id: key.conversation.clone(),
            message_id: turn.message_id,
            seq: turn.seq,
            delivery: turn.delivery,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayList {
    turns: Vec<ReplayAnswer>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DismissAnswer {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: ConversationId,
    #[schema(value_type = schemas::Id)]
    message_id: MessageId,
}

/// Let a failed turn wait again.
#[utoipa::path(
    post, path = "/api/chat/background-doc/{conversationId}/turns/{messageId}/replay",
    operation_id = "replayTurn", tag = TURNS,
    params(("conversationId" = schemas::ConversationId, Path), ("messageId" = schemas::Id, Path)),
    responses(
        (status = ACCEPTED, description = "The turn waits again.", body = ReplayAnswer),
        NotFound, Conflict, Gone, Unavailable,
    ),
)]
async fn replay(
    State(state): State<ApiState>,
    caller: Caller,
    PathId((conversation_id, message_id)): PathId<(String, String)>,
) -> Result<(StatusCode, Json<ReplayAnswer>), ApiError> {
    let (key, message_id) = ids(&caller, &conversation_id, &message_id)?;
    let turn = state.conversations.replay(&key, &message_id).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayAnswer::of(&key, turn))))
}

/// Let all failed turns of a conversation wait again.
#[utoipa::path(
    post, path = "/api/chat/background-doc/{conversationId}/turns/replay",
    operation_id = "replayFailedTurns", tag = TURNS,
    params(("conversationId" = schemas::ConversationId, Path)),
    responses(
        (status = ACCEPTED, description = "These wait again; none where none has failed.", body = ReplayList),
        NotFound, Conflict, Gone, Unavailable,
    ),
)]
async fn replay_all(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(conversation_id): PathId,
) -> Result<(StatusCode, Json<ReplayList>), ApiError> {
    let conversation: ConversationId = conversation_id.parse().map_err(ApiError::id("conversationId"))?;
    let key = ConversationKey::new(caller.tenant, conversation);
    let turns = state.conversations.replay_all(&key).await?;
    let turns = turns
        .into_iter()
        .map(|turn| ReplayAnswer::of(&key, turn))
        .collect();
    Ok((StatusCode::ACCEPTED, Json(ReplayList { turns })))
}

/// Forget a failed turn: it will never be woven.
#[utoipa::path(
    post, path = "/api/chat/background-doc/{conversationId}/turns/{messageId}/dismiss",
    operation_id = "dismissTurn", tag = TURNS,
    params(("conversationId" = schemas::ConversationId, Path), ("messageId" = schemas::Id, Path)),
    responses(
        (status = OK, description = "The turn is forgotten.", body = DismissAnswer),
        NotFound, Conflict, Gone, Unavailable,
    ),
)]
async fn dismiss(
    State(state): State<ApiState>,
    caller: Caller,
    PathId((conversation_id, message_id)): PathId<(String, String)>,
) -> Result<Json<DismissAnswer>, ApiError> {
    let (key, message_id) = ids(&caller, &conversation_id, &message_id)?;
    state
        .conversations
        .dismiss(&key, &message_id, &caller.user)
        .await?;
    Ok(Json(DismissAnswer {
        conversation_id: key.conversation,
        message_id,
    }))
}

fn ids(
    caller: &Caller,
    conversation_id: &str,
    message_id: &str,
) -> Result<(ConversationKey, MessageId), ApiError> {
    let conversation: ConversationId = conversation_id.parse().map_err(ApiError::id("conversationId"))?;
    let message_id = message_id.parse().map_err(ApiError::id("messageId"))?;
    Ok((
        ConversationKey::new(caller.tenant.clone(), conversation),
        message_id,
    ))
}
