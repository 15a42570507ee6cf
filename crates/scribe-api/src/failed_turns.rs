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

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayAnswer {
    conversation_id: ConversationId,
    message_id: MessageId,
    seq: Seq,
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

#[derive(Serialize)]
pub(crate) struct ReplayList {
    turns: Vec<ReplayAnswer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DismissAnswer {
    conversation_id: ConversationId,
    message_id: MessageId,
}

/// 202: the turn waits again.
pub(crate) async fn replay(
    State(state): State<ApiState>,
    caller: Caller,
    PathId((conversation_id, message_id)): PathId<(String, String)>,
) -> Result<(StatusCode, Json<ReplayAnswer>), ApiError> {
    let (key, message_id) = ids(&caller, &conversation_id, &message_id)?;
    let turn = state.conversations.replay(&key, &message_id).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayAnswer::of(&key, turn))))
}

/// 202: these turns wait again; none where none has failed.
pub(crate) async fn replay_all(
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

/// The turn is forgotten and will never be woven.
pub(crate) async fn dismiss(
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
