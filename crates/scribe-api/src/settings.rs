//! `POST /api/chat/background-doc/settings`: how a document is written.

use axum::Json;
use axum::extract::State;
use scribe_core::prompt::MAX_INSTRUCTIONS_CHARS;
use scribe_core::style::StyleChoice;
use scribe_core::{ConversationId, ConversationKey, Style};
use scribe_engine::conversations::SettingsChange;
use serde::{Deserialize, Serialize};

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::Body;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsRequest {
    conversation_id: String,
    /// One of the styles, or `auto`: as the conversation shows it.
    #[serde(default)]
    style: Option<StyleChoice>,
    /// A sentence for the scribe; an empty one takes it away.
    #[serde(default)]
    instructions: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsAnswer {
    success: bool,
    /// What was chosen.
    style: StyleChoice,
    /// What is written in now.
    style_now: Style,
    instructions: Option<String>,
}

/// Changes what the request names, from the next turn on.
pub(crate) async fn change(
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
