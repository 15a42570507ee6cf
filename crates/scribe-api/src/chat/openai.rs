//! `POST /v1/chat/completions` and `GET /v1/models`: what any client of `OpenAI`'s can be pointed at. Requests go on as
//! they came, answers come back as they are, errors included; our own errors are in that server's shape.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use scribe_core::chat::ChatRequest;
use scribe_engine::chat::UpstreamError;
use serde_json::json;

use super::answering::{answer, pass_on, status_of};
use super::asking::{Asking, CONVERSATION, header};
use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PassedBody;
use crate::openapi::{CHAT, schemas};
use crate::streams::StreamPlace;

/// An error in `OpenAI`'s shape, which its clients turn into the exceptions that their programs know.
pub(crate) struct OpenAiError {
    status: StatusCode,
    code: &'static str,
    param: Option<&'static str>,
    message: String,
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let kind = if self.status.is_server_error() {
            "server_error"
        } else {
            "invalid_request_error"
        };
        let error = json!({ "message": self.message, "type": kind, "param": self.param, "code": self.code });
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}

impl From<UpstreamError> for OpenAiError {
    fn from(error: UpstreamError) -> Self {
        let (status, code) = status_of(error);
        Self {
            status,
            code,
            param: None,
            message: error.to_string(),
        }
    }
}

impl From<ApiError> for OpenAiError {
    fn from(error: ApiError) -> Self {
        let (status, body) = error.into_parts();
        Self {
            status,
            code: body.code,
            param: None,
            message: body.message,
        }
    }
}

/// Complete a chat, as `OpenAI` does.
///
/// The request goes on to the configured server, with that server's key, and the answer comes back as it is. Where the
/// request names a conversation that has a scribe, the turn is recorded: by the header `x-scribe-conversation-id`, by
/// `metadata.conversation_id`, or as `user`. The header `x-scribe-title` starts one where there is none.
#[utoipa::path(
    post, path = "/v1/chat/completions", operation_id = "createChatCompletion", tag = CHAT,
    params(
        ("x-scribe-conversation-id" = Option<schemas::ConversationId>, Header, description = "The conversation."),
        ("x-scribe-message-id" = Option<String>, Header, description = "The turn's id; a retry has the same one."),
        ("x-scribe-title" = Option<String>, Header, description = "Starts a scribe with this title where there is none. Percent-encoded, as UTF-8."),
    ),
    request_body(content = serde_json::Value, description = "As for `OpenAI`."),
    responses(
        (status = OK, description = "The server's answer, as it gives it.", headers(
            ("x-scribe-conversation-id" = String, description = "Which conversation it is."),
            ("x-scribe-message-id" = String, description = "Which turn it is."),
            ("x-scribe-command" = String, description = "What became of a command: `started`, `stopped`, `no-scribe`, `failed`, `unfinished` or `not-understood`."),
        )),
        (status = "default", description = "The server's errors, and ours in its shape."),
    ),
)]
pub(crate) async fn complete(
    State(state): State<ApiState>,
    caller: Caller,
    place: StreamPlace,
    headers: HeaderMap,
    body: Result<PassedBody, ApiError>,
) -> Result<Response, OpenAiError> {
    let PassedBody(body) = body?;
    let named = match header(&headers, &CONVERSATION) {
        Some(named) => Some(named.parse().map_err(|error| OpenAiError {
            status: StatusCode::BAD_REQUEST,
            code: "invalid_conversation_id",
            param: Some("x-scribe-conversation-id"),
            message: format!("x-scribe-conversation-id {error}"),
        })?),
        None => None,
    };
    // What is no request is the server's to refuse.
    let request = ChatRequest::read(&body).ok();
    let conversation = named.or_else(|| request.as_ref()?.conversation_of_client());
    let asking = match (&request, conversation) {
        (Some(request), Some(conversation)) => {
            Asking::begin(&state, &caller, Some(conversation), request, &headers).await
        }
        _ => Asking::NOTHING,
    };
    let without = request.as_ref().and_then(ChatRequest::without_conversation);
    let sent = without.map_or_else(|| body.clone(), Bytes::from);
    let answered = state.chat.ask_openai("chat/completions", Some(sent), &headers);
    Ok(answer::<OpenAiError>(answered, asking, &state.open_chats, place).await)
}

/// List the models of the configured server.
#[utoipa::path(
    get, path = "/v1/models", operation_id = "listModels", tag = CHAT,
    responses(
        (status = OK, description = "The server's answer, as it gives it.", body = serde_json::Value),
        (status = "default", description = "The server's errors, and ours in its shape."),
    ),
)]
pub(crate) async fn models(
    State(state): State<ApiState>,
    _caller: Caller,
    place: StreamPlace,
    headers: HeaderMap,
) -> Result<Response, OpenAiError> {
    let answer = state.chat.ask_openai("models", None, &headers).await?;
    Ok(pass_on(answer, &state.open_chats, place))
}
