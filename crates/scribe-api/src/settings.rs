//! `POST /api/chat/background-doc/settings`: how a document is written.

use axum::Json;
use axum::extract::State;
use scribe_core::prompt::MAX_INSTRUCTIONS_CHARS;
use scribe_core::style::StyleChoice;
use scribe_core::{ConversationId, ConversationKey, Style};
use scribe_engine::conversations::SettingsChange;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::Body;
use crate::openapi::answers::{Conflict, Gone, NotFound, Unavailable};
use crate::openapi::{SCRIBE, schemas};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(change))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsRequest {
    #[schema(value_type = schemas::ConversationId)]
    conversation_id: String,
    /// One of the styles, or `auto`: as the conversation shows it.
    #[serde(default)]
    #[schema(value_type = Option<schemas::StyleChoice>)]
    style: Option<StyleChoice>,
    /// A sentence for the scribe; an empty one takes it away.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Instructions>)]
    instructions: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsAnswer {
    success: bool,
    /// What was chosen.
    #[schema(value_type = schemas::StyleChoice)]
    style: StyleChoice,
    /// What is written in now.
    #[schema(value_type = schemas::Style)]
    style_now: Style,
    instructions: Option<String>,
}

/// Change how a document is written, from the next turn on.
///
/// What the request does not name stays.
#[utoipa::path(
    post, path = "/api/chat/background-doc/settings", operation_id = "changeSettings", tag = SCRIBE,
    request_body = SettingsRequest,
    responses(
        (status = OK, description = "How it is written now.", body = SettingsAnswer),
        NotFound, Conflict, Gone, Unavailable,
    ),
)]
async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    Body(request): Body<SettingsRequest>,
) -> Result<Json<SettingsAnswer>, ApiError> {
    let conversation: ConversationId = request
        .conversation_id
        .parse()
        .map_err(ApiError::id("conversationId"))?;
    let change = SettingsChange {
        style: request.style,
        instructions: request
            .instructions
            .as_deref()
            .map(check_instructions)
            .transpose()?,
    };
    let key = ConversationKey::new(caller.tenant, conversation);
    let settings = state
        .conversations
        .change_settings(&key, &caller.user, &change)
        .await?
        .ok_or_else(ApiError::no_scribe)?;
    Ok(Json(SettingsAnswer {
        success: true,
        style: settings.choice,
        style_now: settings.style,
        instructions: settings.instructions,
    }))
}

/// A sentence of instructions, trimmed.
pub(crate) fn check_instructions(instructions: &str) -> Result<String, ApiError> {
    let instructions = instructions.trim();
    if instructions.chars().any(char::is_control) {
        return Err(ApiError::field(
            "instructions",
            "must be one line without control characters",
        ));
    }
    if instructions.chars().count() > MAX_INSTRUCTIONS_CHARS {
        return Err(ApiError::field(
            "instructions",
            format!("must have at most {MAX_INSTRUCTIONS_CHARS} characters"),
        ));
    }
    Ok(instructions.to_owned())
}
