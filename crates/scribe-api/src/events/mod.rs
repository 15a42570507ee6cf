//! `GET /api/chat/background-doc/{conversationId}/events`: what happens in a conversation, as server-sent events.
//!
//! The first event is `state`: the session, the document's ETag and where the turns stand. What follows is what
//! changes. Every event has an id that says what its reader knows then, and whoever comes back with it (header
//! `Last-Event-ID`, or `?lastEventId=`) gets a `state` with what has changed since. A reader can't be wrong for long:
//! where the stream may have missed something, because Redis was away or the reader was slow, it says `state` again.
//!
//! | event | data |
//! |---|---|
//! | `state` | `session`, `status`, `etag`, `turns`, `complete`: whether these are all turns that are known, or those that differ from what the reader knows. Drafts that are shown are taken away |
//! | `turn` | a turn, as `…/turns` lists it |
//! | `dismissed` | `messageId` of a turn that was forgotten: dismissed, or removed for good with its document |
//! | `writing`, `withdrawn` | a draft, by the rules of [`scribe_trigger::live`]; it goes at `withdrawn`, and when the turn is processed, pending or failed |
//! | `version` | the document has a new version: `etag`, and `messageId` and `conversationId` where a turn made it |
//! | `saved` | a person has changed the document: `etag`, `userId` |
//! | `switched` | `scribeEnabled`; while it is off, pending turns are paused |
//! | `degraded` | Redis is away: only new versions of the document are told, some seconds late, until a `state` |
//! | `gone` | the document was deleted; the stream ends, and there is nothing to come back for |
//! | `end` | the stream ends, come back with the last id: `reason` is `limit` or `stopping` |
//!
//! An ETag here says that it is time to read the document with `If-None-Match`, no more: two that are told at the same
//! moment may come in either order.
//!
//! A browser's `EventSource` can't send an `Authorization` header, and a token in the address would stand in logs. So
//! pages read the stream with `fetch`, which can; without authentication `EventSource` does as well.
//!
//! What can go wrong: a proxy that holds answers back (`x-accel-buffering` asks it not to); a connection that dies
//! without a word, which the heartbeats, comments, let both sides notice.

mod lookout;
mod position;
mod reader;
mod settings;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use scribe_core::{ConversationId, ConversationKey};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{Gone, NotFound, Unavailable};
use crate::openapi::{SCRIBE, schemas};
use crate::streams::{ReaderPlace, WhenOver};
use position::Position;
use reader::Reader;

pub use settings::{EventSettings, Events, Stop, Stopping, stopping};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    last_event_id: Option<String>,
}

/// An event of the stream; comments between them are heartbeats.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described, never made")]
struct ServerSentEvent {
    /// What the reader knows then: to come back with.
    id: String,
    /// `state`, `turn`, `dismissed`, `writing`, `withdrawn`, `version`, `saved`, `switched`, `degraded`, `gone`, `end`.
    event: String,
    /// A JSON object.
    data: String,
}

/// Follow a conversation.
///
/// Server-sent events: first `state`, then what changes. A reader that comes back with the id of the last event that it
/// saw gets what it has missed.
#[utoipa::path(
    get, path = "/api/chat/background-doc/{conversationId}/events", operation_id = "followConversation", tag = SCRIBE,
    params(
        ("conversationId" = schemas::ConversationId, Path),
        ("lastEventId" = Option<String>, Query, description = "The id of the last event that the reader saw, where it can't send the header."),
        ("last-event-id" = Option<String>, Header, description = "The id of the last event that the reader saw."),
    ),
    responses(
        (status = OK, description = "The events.", body = ServerSentEvent, content_type = "text/event-stream"),
        NotFound, Gone, Unavailable,
    ),
)]
async fn read(
    State(state): State<ApiState>,
    caller: Caller,
    ReaderPlace(place): ReaderPlace,
    PathId(conversation_id): PathId,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let conversation: ConversationId = conversation_id.parse().map_err(ApiError::id("conversationId"))?;
    let Query(asked) = query.map_err(|_| ApiError::field("lastEventId", "may be given once"))?;
    let key = ConversationKey::new(caller.tenant, conversation);
    let sent = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    // An id that is none of ours says nothing of what the reader knows, so it gets everything.
    let known = sent.or(asked.last_event_id.as_deref()).and_then(Position::parse);
    let heartbeat = state.events.settings().heartbeat;
    let reader = Reader::begin(state.conversations, state.events, key, known)
        .await?
        .ok_or_else(ApiError::no_scribe)?;
    let events = stream::unfold(reader, async |mut reader| {
        let event = reader.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), reader))
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(heartbeat))
        .into_response()
        .map(|events| place.body(events, WhenOver::End));
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}
