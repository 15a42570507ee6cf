//! `GET /api/chat/background-doc/{conversationId}`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use scribe_core::turn::{ScribeTrigger, Seq};
use scribe_core::{ActiveScribeSession, ConversationId, ConversationKey, MessageId};
use scribe_engine::conversations::ConversationView;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::conditions;
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{Gone, NotFound, Unavailable};
use crate::openapi::{SCRIBE, schemas};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversationAnswer {
    #[schema(value_type = schemas::Session)]
    session: ActiveScribeSession,
    status: Status,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    scribe_enabled: bool,
    /// How many turns wait, the one that is being written included; null while Redis can't be reached.
    waiting: Option<u64>,
    /// For how long the oldest one has waited, in milliseconds.
    waiting_for_ms: Option<u64>,
    writing: Option<Writing>,
    #[schema(value_type = schemas::Time)]
    last_update_at: String,
    message_count: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Writing {
    #[schema(value_type = schemas::Id)]
    message_id: MessageId,
    #[schema(value_type = schemas::Seq)]
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

impl Status {
    pub(crate) fn of(view: &ConversationView) -> Self {
        let now = scribe_trigger::record::unix_ms(Timestamp::now());
        let oldest = view.queue.as_ref().and_then(|queue| queue.oldest);
        Self {
            scribe_enabled: view.session.scribe_enabled,
            waiting: view.queue.as_ref().map(|queue| queue.waiting),
            waiting_for_ms: oldest.map(|seq| now.saturating_sub(seq.as_millis())),
            writing: view.writing.clone().map(Writing::from),
            last_update_at: view.session.last_update_at.clone(),
            message_count: view.session.message_count,
        }
    }
}

/// Read a conversation's session, and how its turns stand.
#[utoipa::path(
    get, path = "/api/chat/background-doc/{conversationId}", operation_id = "readConversation", tag = SCRIBE,
    params(
        ("conversationId" = schemas::ConversationId, Path),
        ("if-none-match" = Option<String>, Header, description = "The ETag of the answer that the caller holds."),
    ),
    responses(
        (status = OK, description = "The session, and how its turns stand.", body = ConversationAnswer, headers(("etag" = String))),
        (status = NOT_MODIFIED, description = "Nothing has changed but for how long turns have waited.", headers(("etag" = String))),
        NotFound, Gone, Unavailable,
    ),
)]
async fn read(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(conversation_id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let conversation: ConversationId = conversation_id.parse().map_err(ApiError::id("conversationId"))?;
    let key = ConversationKey::new(caller.tenant, conversation);
    let view = state
        .conversations
        .view(&key)
        .await?
        .ok_or_else(ApiError::no_scribe)?;
    let status = Status::of(&view);
    let mut answer = ConversationAnswer {
        session: view.session,
        status,
    };
    // Time passes also where nothing happens.
    let waiting_for_ms = answer.status.waiting_for_ms.take();
    let tag = conditions::tag_of(&answer)?;
    answer.status.waiting_for_ms = waiting_for_ms;
    Ok(conditions::unless_held(&headers, &tag, &answer))
}
