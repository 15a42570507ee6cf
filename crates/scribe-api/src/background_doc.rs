//! `POST /api/chat/background-doc/start` and `…/toggle`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use scribe_core::catch_up::{CatchUp, Earlier, catch_up};
use scribe_core::chat::is_invisible;
use scribe_core::style::StyleChoice;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_core::{AssetId, ConversationId, ConversationKey, IdError};
use scribe_engine::conversations::{ConversationError, Start, Started};
use scribe_trigger::{RecordError, TurnRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Body, LargeBody, Object};
use crate::openapi::answers::{Conflict, Gone, NotFound, Unavailable};
use crate::openapi::{SCRIBE, schemas};
use crate::settings::check_instructions;

/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 200;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(toggle))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartRequest {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: String,
    /// One line without control or invisible characters.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[serde(default)]
    #[schema(value_type = schemas::StyleChoice)]
    style: StyleChoice,
    /// A sentence for the scribe.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Instructions>)]
    instructions: Option<String>,
    /// What was said before the scribe was started, oldest first.
    #[serde(default)]
    #[schema(value_type = Vec<schemas::Message>)]
    messages: Vec<Object<Earlier>>,
    /// The caller, if anybody.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Id>)]
    user_id: Option<String>,
    /// The caller's tenant, if any.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Id>)]
    tenant_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartAnswer {
    success: bool,
    #[schema(value_type = schemas::Id)]
    text_asset_id: AssetId,
    slug: String,
    title: String,
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: ConversationId,
    /// How many turns the earlier messages became.
    catch_up_turns: usize,
}

/// Start the scribe of a conversation.
///
/// The same start again answers with the document that is there. What was said before becomes the first turns.
#[utoipa::path(
    post, path = "/api/chat/background-doc/start", operation_id = "startScribe", tag = SCRIBE,
    request_body = StartRequest,
    responses(
        (status = CREATED, description = "There is a new document.", body = StartAnswer),
        (status = OK, description = "The conversation has one.", body = StartAnswer),
        Conflict, Gone, Unavailable,
    ),
)]
async fn start(
    State(state): State<ApiState>,
    caller: Caller,
    LargeBody(request): LargeBody<StartRequest>,
) -> Result<(StatusCode, Json<StartAnswer>), ApiError> {
    caller.check_claim(request.tenant_id.as_deref(), request.user_id.as_deref())?;
    let conversation: ConversationId = request
        .conversation_id
        .parse()
        .map_err(ApiError::id("conversationId"))?;
    let title = check_title(&request.title)?;
    let new_id = uuid::Uuid::new_v4()
        .to_string()
        .parse()
        .map_err(ApiError::id("id"))?;
    let start = Start {
        key: ConversationKey::new(caller.tenant, conversation),
        user: caller.user,
        title,
        style: request.style,
        instructions: request
            .instructions
            .as_deref()
            .map(check_instructions)
            .transpose()?
            .filter(|instructions| !instructions.is_empty()),
    };
    // Before anything is written: a start that is refused leaves nothing behind.
    let messages: Vec<Earlier> = request
        .messages
        .into_iter()
        .map(|Object(message)| message)
        .collect();
    let earlier: Vec<TurnRequest> = catch_up(&messages)
        .into_iter()
        .map(|turn| turn_request(&start.key, turn))
        .collect();
    earlier.iter().try_for_each(TurnRequest::check)?;
    let started = state.conversations.start(&start, new_id).await?;
    let status = if started.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let catch_up_turns = record_earlier(&state, &started, earlier).await?;
    let session = started.session;
    Ok((
        status,
        Json(StartAnswer {
            success: true,
            text_asset_id: session.text_asset_id,
            slug: session.slug,
            title: session.title,
            conversation_id: session.conversation_id,
            catch_up_turns,
        }),
    ))
}

/// Why a scribe was not started, or what was said before it was not recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    #[error(transparent)]
    Earlier(#[from] RecordError),
    #[error("a new id can't be used")]
    Id(#[from] IdError),
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Conversation(error) => error.into(),
            StartError::Earlier(error) => error.into(),
            StartError::Id(error) => Self::field("id", error),
        }
    }
}

/// Records what was said before the start, and tells how many turns it became.
///
/// A document that has other turns already is past its beginning: what was said before them is in it, or was never
/// meant to be.
pub(crate) async fn record_earlier(
    state: &ApiState,
    started: &Started,
    turns: Vec<TurnRequest>,
) -> Result<usize, StartError> {
    let key = started.session.key();
    // What was said while it was off was not for the document, and nobody can tell it from the rest.
    if turns.is_empty() || started.was_off {
        return Ok(0);
    }
    if !started.created {
        let known = state.conversations.turns(&key).await?;
        let is_ours = |turn: &ScribeTrigger| turns.iter().any(|ours| ours.message_id == turn.message_id);
        // What never became whole is in no document.
        let mut whole = known.iter().filter(|turn| turn.state != TriggerState::Incomplete);
        if !whole.all(is_ours) || (known.is_empty() && started.session.message_count > 0) {
            return Ok(0);
        }
    }
    let count = turns.len();
    for turn in turns {
        state.recorder.record(turn).await?;
    }
    Ok(count)
}

pub(crate) fn turn_request(key: &ConversationKey, turn: CatchUp) -> TurnRequest {
    let (tenant, conversation) = (key.tenant.clone(), key.conversation.clone());
    TurnRequest::new(
        tenant,
        conversation,
        turn.message_id,
        turn.user_message,
        turn.assistant_response,
    )
    .after(turn.earlier)
}

pub(crate) fn check_title(title: &str) -> Result<String, ApiError> {
    let title = title.trim();
    if title.is_empty() {
        return Err(ApiError::field("title", "must not be empty"));
    }
    if title
        .chars()
        .any(|character| character.is_control() || is_invisible(character))
    {
        return Err(ApiError::field(
            "title",
            "must be one line without control or invisible characters",
        ));
    }
    if title.chars().count() > MAX_TITLE_CHARS {
        return Err(ApiError::field(
            "title",
            format!("must have at most {MAX_TITLE_CHARS} characters"),
        ));
    }
    Ok(title.to_owned())
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToggleRequest {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: String,
    scribe_enabled: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToggleAnswer {
    success: bool,
    scribe_enabled: bool,
}

/// Switch the scribe on or off.
///
/// Off keeps what waits and finishes the turn that is being written.
#[utoipa::path(
    post, path = "/api/chat/background-doc/toggle", operation_id = "toggleScribe", tag = SCRIBE,
    request_body = ToggleRequest,
    responses(
        (status = OK, description = "Switched.", body = ToggleAnswer),
        NotFound, Conflict, Gone, Unavailable,
    ),
)]
async fn toggle(
    State(state): State<ApiState>,
    caller: Caller,
    Body(request): Body<ToggleRequest>,
) -> Result<Json<ToggleAnswer>, ApiError> {
    let conversation: ConversationId = request
        .conversation_id
        .parse()
        .map_err(ApiError::id("conversationId"))?;
    let key = ConversationKey::new(caller.tenant, conversation);
    let session = state
        .conversations
        .toggle(&key, request.scribe_enabled)
        .await?
        .ok_or_else(ApiError::no_scribe)?;
    Ok(Json(ToggleAnswer {
        success: true,
        scribe_enabled: session.scribe_enabled,
    }))
}
