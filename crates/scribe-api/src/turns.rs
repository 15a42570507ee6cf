//! `POST /api/chat/background-doc/turns` and `GET /api/chat/background-doc/{conversationId}/turns`.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use scribe_core::turn::{ScribeTrigger, Seq, TriggerState, TurnTimes};
use scribe_core::{ConversationId, ConversationKey, MessageId, Usage};
use scribe_trigger::live::TurnStanding;
use scribe_trigger::{Delivery, TurnRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::conditions;
use crate::error::ApiError;
use crate::json::{LargeBody, PathId};
use crate::openapi::answers::{Conflict, Gone, NotFound, Unavailable};
use crate::openapi::{TURNS, schemas};

/// How long a caller waits to hear whether a conversation that Redis does not know has a scribe: no longer than for
/// Lambda. Without an answer it is told that its turn is on its way, and the summarizer finds out.
const LOOKING: Duration = Duration::from_secs(1);

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(record)).routes(routes!(list))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordRequest {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: String,
    #[schema(value_type = schemas::Id)]
    message_id: String,
    user_message: String,
    assistant_response: String,
    #[serde(default)]
    #[schema(value_type = Option<schemas::Time>)]
    timestamp: Option<String>,
    /// The turn that it is said instead of: a regenerated answer, or an edited message.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Id>)]
    replaces: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordAnswer {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: ConversationId,
    #[schema(value_type = schemas::Id)]
    message_id: MessageId,
    #[schema(value_type = Option<schemas::Seq>)]
    seq: Option<Seq>,
    #[schema(value_type = schemas::Delivery)]
    delivery: Delivery,
}

/// Record a turn.
///
/// The same message id with the same texts counts once. A turn that `replaces` another one is written in its place: what
/// that one wrote is taken back as far as nobody built on it, and it is not written any more if it was not yet.
#[utoipa::path(
    post, path = "/api/chat/background-doc/turns", operation_id = "recordTurn", tag = TURNS,
    request_body = RecordRequest,
    responses(
        (status = ACCEPTED, description = "It will be written.", body = RecordAnswer),
        (status = OK, description = "Nothing is recorded: the scribe is off, or there is none.", body = RecordAnswer),
        Conflict, Unavailable,
    ),
)]
async fn record(
    State(state): State<ApiState>,
    caller: Caller,
    LargeBody(request): LargeBody<RecordRequest>,
) -> Result<(StatusCode, Json<RecordAnswer>), ApiError> {
    let conversation_id: ConversationId = request
        .conversation_id
        .parse()
        .map_err(ApiError::id("conversationId"))?;
    let message_id: MessageId = request.message_id.parse().map_err(ApiError::id("messageId"))?;
    let mut turn = TurnRequest::new(
        caller.tenant,
        conversation_id.clone(),
        message_id.clone(),
        request.user_message,
        request.assistant_response,
    );
    if let Some(timestamp) = request.timestamp {
        let parsed: Timestamp = timestamp.parse().map_err(|_| {
            ApiError::field(
                "timestamp",
                "must be ISO 8601 with a time zone, such as 2026-11-22T15:40:00.000Z",
            )
        })?;
        turn.timestamp = scribe_trigger::record::iso(parsed);
    }
    if let Some(replaces) = request.replaces {
        turn = turn.replacing(replaces.parse().map_err(ApiError::id("replaces"))?);
    }
    let key = turn.conversation.clone();
    let has_scribe = async {
        let asked = tokio::time::timeout(LOOKING, state.conversations.has_scribe(&key));
        asked.await.ok()?.ok()
    };
    let recorded = state.recorder.record_asking(turn, has_scribe).await?;
    let status = match recorded.delivery {
        Delivery::Invoked | Delivery::Deferred | Delivery::Direct => StatusCode::ACCEPTED,
        Delivery::Off | Delivery::None => StatusCode::OK,
    };
    Ok((
        status,
        Json(RecordAnswer {
            conversation_id,
            message_id,
            seq: recorded.seq,
            delivery: recorded.delivery,
        }),
    ))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TurnList {
    turns: Vec<TurnView>,
}

/// A turn's states, as people see them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StateView {
    Pending,
    Processing,
    Processed,
    Failed,
    Paused,
    /// The chat broke off before the answer was whole.
    Incomplete,
}

impl StateView {
    fn of(state: TriggerState, scribe_enabled: bool) -> Self {
        match state {
            TriggerState::Pending if !scribe_enabled => Self::Paused,
            TriggerState::Pending => Self::Pending,
            TriggerState::Processing => Self::Processing,
            TriggerState::Processed => Self::Processed,
            TriggerState::Failed => Self::Failed,
            TriggerState::Incomplete => Self::Incomplete,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TurnView {
    #[schema(value_type = schemas::Id)]
    message_id: MessageId,
    #[schema(value_type = schemas::Seq)]
    seq: Seq,
    state: StateView,
    attempts: u32,
    reason: Option<String>,
    late: bool,
    /// The turn that it was said instead of.
    #[schema(value_type = Option<schemas::Id>)]
    replaces: Option<MessageId>,
    /// The turn that was said instead of it. What it had written is taken back as far as nobody built on it.
    #[schema(value_type = Option<schemas::Id>)]
    replaced_by: Option<MessageId>,
    /// What it has cost so far, where that is known.
    #[schema(value_type = Option<schemas::Usage>)]
    usage: Option<Usage>,
    #[schema(value_type = schemas::TurnTimes)]
    times: TurnTimes,
}

impl TurnView {
    /// A turn as readers are told of it.
    pub(crate) fn told(message_id: &MessageId, standing: &TurnStanding, scribe_enabled: bool) -> Self {
        Self {
            message_id: message_id.clone(),
            seq: standing.seq,
            state: StateView::of(standing.state, scribe_enabled),
            attempts: standing.attempts,
            reason: standing.reason.clone(),
            late: standing.late,
            replaces: standing.replaces.clone(),
            replaced_by: standing.replaced_by.clone(),
            usage: standing.usage,
            times: standing.times,
        }
    }

    fn of(trigger: ScribeTrigger, replaced_by: Option<MessageId>, scribe_enabled: bool) -> Self {
        Self {
            message_id: trigger.message_id,
            seq: trigger.seq,
            state: StateView::of(trigger.state, scribe_enabled),
            attempts: trigger.attempts,
            reason: trigger.reason,
            late: trigger.late,
            replaces: trigger.replaces,
            replaced_by,
            usage: trigger.usage,
            times: trigger.times,
        }
    }
}

/// Those of a conversation's turns that are asked for, as people see them.
pub(crate) fn views(
    turns: Vec<ScribeTrigger>,
    scribe_enabled: bool,
    wanted: impl Fn(&ScribeTrigger) -> bool,
) -> Vec<TurnView> {
    // By sequence, so the last one that replaces a turn stays.
    let replaced: HashMap<MessageId, MessageId> = turns
        .iter()
        .filter_map(|turn| Some((turn.replaces.clone()?, turn.message_id.clone())))
        .collect();
    let view = |turn: ScribeTrigger| {
        let by = replaced.get(&turn.message_id).or(turn.replaced_by.as_ref());
        let by = by.cloned();
        TurnView::of(turn, by, scribe_enabled)
    };
    turns.into_iter().filter(wanted).map(view).collect()
}

/// List the turns that are known: those of the last days, and whatever is owed.
#[utoipa::path(
    get, path = "/api/chat/background-doc/{conversationId}/turns", operation_id = "listTurns", tag = TURNS,
    params(
        ("conversationId" = schemas::ConversationId, Path),
        ("if-none-match" = Option<String>, Header, description = "The ETag of the list that the caller holds."),
    ),
    responses(
        (status = OK, description = "The turns, oldest first.", body = TurnList, headers(("etag" = String))),
        (status = NOT_MODIFIED, description = "No turn has changed.", headers(("etag" = String))),
        NotFound, Gone, Unavailable,
    ),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(conversation_id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let conversation: ConversationId = conversation_id.parse().map_err(ApiError::id("conversationId"))?;
    let key = ConversationKey::new(caller.tenant, conversation);
    let view = state.conversations.view(&key).await?;
    let turns = state.conversations.turns(&key).await?;
    // What a deleted document still owed is told, also where the conversation has ended with it.
    if view.is_none() && turns.is_empty() {
        return Err(ApiError::no_scribe());
    }
    let enabled = view.is_none_or(|view| view.session.scribe_enabled);
    let answer = TurnList {
        turns: views(turns, enabled, |_| true),
    };
    Ok(conditions::unless_held(
        &headers,
        &conditions::tag_of(&answer)?,
        &answer,
    ))
}
