//! `GET /api/media-assets/{id}/suggestions`, and `POST …/{suggestionId}/accept` and `…/dismiss`: what stands beside a
//! document until a person decides on it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use scribe_core::edits::SuggestedAction;
use scribe_core::save::AcceptError;
use scribe_core::{AssetId, MediaAsset};
use scribe_engine::conversations::{Decision, SuggestionError, SuggestionView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::{Body, PathId};
use crate::media_assets::{no_document, shown, tag};
use crate::openapi::answers::{Conflict, NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(accept))
        .routes(routes!(dismiss))
}

#[derive(Serialize, ToSchema)]
struct SuggestionList {
    /// Oldest first.
    suggestions: Vec<SuggestionAnswer>,
}

#[derive(Serialize, ToSchema)]
struct SuggestionAnswer {
    id: String,
    #[schema(value_type = schemas::SuggestedAction)]
    action: SuggestedAction,
    /// The block that it is for; for an insert the one that it goes behind, empty for the top.
    block: String,
    /// What is suggested; empty for a delete.
    markdown: String,
    /// The turn that wrote it, as `conversationId/messageId`.
    turn: Option<String>,
    /// The person who wrote it, where that is known. Who took a block out that another one was changing is not.
    person: Option<String>,
    /// The block as it is now; null where it was removed, and for an insert.
    current: Option<CurrentBlock>,
    /// Whether the block has changed since this was suggested. To accept it all the same, send the block's hash.
    stale: bool,
}

#[derive(Serialize, ToSchema)]
struct CurrentBlock {
    markdown: String,
    hash: String,
}

impl From<SuggestionView> for SuggestionAnswer {
    fn from(view: SuggestionView) -> Self {
        let SuggestionView { suggestion, block } = view;
        let stale = match (&block, suggestion.action) {
            (_, SuggestedAction::Insert) => false,
            (Some((_, hash)), _) => *hash != suggestion.hash,
            (None, _) => true,
        };
        Self {
            id: suggestion.id,
            action: suggestion.action,
            block: suggestion.block,
            markdown: suggestion.markdown,
            turn: suggestion.turn,
            person: suggestion.person,
            current: block.map(|(markdown, hash)| CurrentBlock { markdown, hash }),
            stale,
        }
    }
}

/// List what is suggested for a document.
#[utoipa::path(
    get, path = "/api/media-assets/{id}/suggestions", operation_id = "listSuggestions", tag = MEDIA_ASSETS,
    params(("id" = schemas::Id, Path)),
    responses(
        (status = OK, description = "The suggestions.", body = SuggestionList, headers(("etag" = String))),
        NotFound, Unavailable,
    ),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let found = state.conversations.suggestions(&caller.tenant, &id).await?;
    let (suggestions, etag) = found.ok_or_else(no_document)?;
    let suggestions = suggestions.into_iter().map(SuggestionAnswer::from).collect();
    let mut response = Json(SuggestionList { suggestions }).into_response();
    tag(&mut response, &etag);
    Ok(response)
}

#[derive(Deserialize, ToSchema)]
struct AcceptRequest {
    /// The hash of the block that the person looked at, where the suggestion is stale.
    #[serde(default)]
    hash: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct DecisionAnswer {
    /// The document as it is now.
    #[schema(value_type = schemas::MediaAsset)]
    asset: MediaAsset,
}

/// Take a suggestion over into the document.
#[utoipa::path(
    post, path = "/api/media-assets/{id}/suggestions/{suggestionId}/accept",
    operation_id = "acceptSuggestion", tag = MEDIA_ASSETS,
    params(("id" = schemas::Id, Path), ("suggestionId" = schemas::Id, Path)),
    request_body = AcceptRequest,
    responses(
        (status = OK, description = "It is in the document.", body = DecisionAnswer, headers(("etag" = String))),
        NotFound, Conflict, Unavailable,
    ),
)]
async fn accept(
    State(state): State<ApiState>,
    caller: Caller,
    PathId((id, suggestion)): PathId<(String, String)>,
    Body(request): Body<AcceptRequest>,
) -> Result<Response, ApiError> {
    let decision = Decision::Accept { seen: request.hash };
    decide(&state, &caller, &id, &suggestion, &decision).await
}

/// Dismiss a suggestion.
#[utoipa::path(
    post, path = "/api/media-assets/{id}/suggestions/{suggestionId}/dismiss",
    operation_id = "dismissSuggestion", tag = MEDIA_ASSETS,
    params(("id" = schemas::Id, Path), ("suggestionId" = schemas::Id, Path)),
    responses(
        (status = OK, description = "It is gone.", body = DecisionAnswer, headers(("etag" = String))),
        NotFound, Conflict, Unavailable,
    ),
)]
async fn dismiss(
    State(state): State<ApiState>,
    caller: Caller,
    PathId((id, suggestion)): PathId<(String, String)>,
) -> Result<Response, ApiError> {
    decide(&state, &caller, &id, &suggestion, &Decision::Dismiss).await
}

async fn decide(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    suggestion: &str,
    decision: &Decision,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let decided = state
        .conversations
        .decide(&caller.tenant, &id, &caller.user, suggestion, decision)
        .await?;
    let asset = shown(decided.asset);
    let mut response = Json(DecisionAnswer { asset }).into_response();
    tag(&mut response, &decided.etag);
    Ok(response)
}

impl From<SuggestionError> for ApiError {
    fn from(error: SuggestionError) -> Self {
        let refused = |code, message| Self::new(StatusCode::CONFLICT, code, message);
        match error {
            SuggestionError::Conversation(error) => error.into(),
            SuggestionError::NoDocument(_) => no_document(),
            SuggestionError::NoSuggestion(_) => Self::new(
                StatusCode::NOT_FOUND,
                "no_suggestion",
                "there is no such suggestion; somebody may have decided on it",
            ),
            SuggestionError::Accept(AcceptError::BlockGone) => refused(
                "block_gone",
                "the block was removed; take over by hand what you want of the suggestion, then dismiss it",
            ),
            SuggestionError::Accept(AcceptError::BlockChanged) => refused(
                "block_changed",
                "the block has changed since; look at it, and send its hash to accept the suggestion all the same",
            ),
            SuggestionError::Accept(AcceptError::Disturbs) => refused(
                "would_disturb",
                "the text would change other blocks, by an open fence for instance; take it over by hand",
            ),
        }
    }
}
