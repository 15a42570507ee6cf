//! `POST /api/agent-lore`: the chat with the scribe in it.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use scribe_core::chat::{ChatRequest, context};
use scribe_core::{ConversationId, ConversationKey};
use scribe_engine::conversations::ChatDocument;
use serde_json::Value;
use utoipa::ToSchema;

use super::answering::answer;
use super::asking::{Asking, CONVERSATION, header};
use super::commands::Outcome;
use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PassedBody;
use crate::openapi::answers::Unavailable;
use crate::openapi::{CHAT, schemas};
use crate::streams::StreamPlace;

/// A request to a chat. What else it holds goes on to the chat.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is described, and read in another way")]
struct AgentLoreRequest {
    /// The whole conversation, oldest message first: `{role, content}`, or the AI SDK's `{id, role, parts}`.
    messages: Vec<Value>,
    #[schema(nullable = false)]
    conversation_id: Option<schemas::ConversationId>,
    /// The same, by the AI SDK's name.
    #[schema(nullable = false)]
    id: Option<schemas::ConversationId>,
}

/// Ask the chat.
///
/// The answer streams through as the chat gives it: `OpenAI`'s events, the AI SDK's UI message stream, or plain text.
/// Where the conversation has a scribe, the chat is shown the document, and the turn is recorded when the answer is
/// whole. "Start the scribe, call it …" and "stop the scribe" do what they say.
#[utoipa::path(
    post, path = "/api/agent-lore", operation_id = "askAgentLore", tag = CHAT,
    params(
        ("x-scribe-conversation-id" = Option<schemas::ConversationId>, Header, description = "The conversation, instead of the body's."),
        ("x-scribe-message-id" = Option<String>, Header, description = "The turn's id; a retry has the same one."),
        ("x-scribe-title" = Option<String>, Header, description = "Starts a scribe with this title where there is none. Percent-encoded, as UTF-8."),
    ),
    request_body = AgentLoreRequest,
    responses(
        (status = OK, description = "The chat's answer, as it gives it.", body = String, content_type = "text/event-stream", headers(
            ("x-scribe-conversation-id" = String, description = "Which conversation it is."),
            ("x-scribe-message-id" = String, description = "Which turn it is."),
            ("x-scribe-command" = String, description = "What became of a command: `started`, `stopped`, `no-scribe`, `failed`, `unfinished` or `not-understood`."),
        )),
        (status = BAD_GATEWAY, description = "The chat could not be reached, or only redirects.", body = crate::ErrorEnvelope),
        (status = GATEWAY_TIMEOUT, description = "The chat did not answer in time.", body = crate::ErrorEnvelope),
        (status = "default", description = "Whatever else the chat answers."),
        Unavailable,
    ),
)]
pub(crate) async fn ask(
    State(state): State<ApiState>,
    caller: Caller,
    place: StreamPlace,
    headers: HeaderMap,
    PassedBody(body): PassedBody,
) -> Result<Response, ApiError> {
    let request = ChatRequest::read(&body)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", error.to_string()))?;
    let conversation: Option<ConversationId> = match header(&headers, &CONVERSATION) {
        Some(named) => Some(named.parse().map_err(ApiError::id("x-scribe-conversation-id"))?),
        None => request.conversation().map_err(ApiError::id("conversationId"))?,
    };
    let asking = Asking::begin(&state, &caller, conversation, &request, &headers).await;
    let document = match asking.following.key() {
        Some(key) => document(&state, key).await,
        None => None,
    };
    let shown = document
        .as_ref()
        .map(|document| (document.title.as_str(), document.content.as_str()));
    let news = asking.outcome.and_then(Outcome::news);
    let config = state.chat.config();
    let context = context(shown, news, config.context_bytes);
    let context = context.as_deref();
    let answered = async {
        match &config.chat_url {
            Some(url) => {
                let sent = request
                    .for_chat(context)
                    .map_or_else(|| body.clone(), Bytes::from);
                state.chat.ask_chat(url, sent, &headers).await
            }
            None => {
                let sent = Bytes::from(request.for_openai(&config.model, context));
                let path = "chat/completions";
                state.chat.ask_openai(path, Some(sent), &headers).await
            }
        }
    };
    Ok(answer::<ApiError>(answered, asking, &state.open_chats, place).await)
}

/// The conversation's document, if it comes in time.
async fn document(state: &ApiState, key: &ConversationKey) -> Option<ChatDocument> {
    let config = state.chat.config();
    if config.context_bytes == 0 {
        return None;
    }
    match tokio::time::timeout(config.context_wait, state.conversations.document_of(key)).await {
        Ok(Ok(document)) => document,
        Ok(Err(error)) => {
            tracing::warn!(conversation.id = %key, "the chat of {key} goes on without its document: {error}");
            None
        }
        Err(_) => {
            tracing::warn!(conversation.id = %key, "the chat of {key} goes on without its document: it did not come in time");
            None
        }
    }
}
