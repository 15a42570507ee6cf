//! `GET /api/chat/background-doc/{conversationId}`.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use scribe_core::turn::{ScribeTrigger, Seq};
use scribe_core::{ActiveScribeSession, ConversationId, ConversationKey, MessageId};
use serde::Serialize;

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversationAnswer {
    session: ActiveScribeSession,
    status: Status,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    scribe_enabled: bool,
    /// How many turns wait, the one that is being written included; null while Redis can't be reached.
    waiting: Option<u64>,
    /// For how long the oldest one has waited, in milliseconds.
    waiting_for_ms: Option<u64>,
    writing: Option<Writing>,
    last_update_at: String,
    message_count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Writing {
    message_id: MessageId,
    seq: Seq,
    /// Milliseconds since 1970.
    since: Option<u64>,
    attempts: u32,
}

impl From<ScribeTrigger> for Writing {
    fn from(trigger: ScribeTrigger) -> Self {
        Self {
            message_id: trigger.message_id,
            seq: trigger.seq,
            since: trigger.times.claimed,
            attempts: trigger.attempts,
        }
    }
}

/// The session, and how its turns stand.
pub(crate) async fn read(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(conversation_id): PathId,
) -> Result<Json<ConversationAnswer>, ApiError> {
    let conversation: ConversationId = conversation_id.parse().map_err(ApiError::id("conversationId"))?;
    let key = ConversationKey::new(caller.tenant, conversation);
    let view = state
        .conversations
        .view(&key)
        .await?
        .ok_or_else(ApiError::no_scribe)?;
    let now = scribe_trigger::record::unix_ms(Timestamp::now());
    let oldest = view.queue.as_ref().and_then(|queue| queue.oldest);
    let status = Status {
        scribe_enabled: view.session.scribe_enabled,
        waiting: view.queue.as_ref().map(|queue| queue.waiting),
        waiting_for_ms: oldest.map(|seq| now.saturating_sub(seq.as_millis())),
        writing: view.writing.map(Writing::from),
        last_update_at: view.session.last_update_at.clone(),
        message_count: view.session.message_count,
    };
    Ok(Json(ConversationAnswer {
        session: view.session,
        status,
    }))
}
