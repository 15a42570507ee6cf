//! `PUT /api/media-assets/{id}`: a person's save, merged with what others wrote since the version it is based on.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use scribe_core::edits::Suggestion;
use scribe_core::{AssetId, MediaAsset};
use scribe_engine::conversations::{Merge, Save, SaveError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::background_doc::check_title;
use crate::caller::Caller;
use crate::conditions::if_match;
use crate::error::ApiError;
use crate::json::{LargeBody, PathId};
use crate::media_assets::{no_document, shown, tag};
use crate::openapi::answers::{BaseMissing, BaseUnknown, Conflict, NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

/// The largest text of a document that a person may save, in bytes.
pub(crate) const MAX_CONTENT_BYTES: usize = 1024 * 1024;

/// The most categories of a document, and the longest word that names one, or a status, in characters.
const MAX_CATEGORIES: usize = 20;
const MAX_WORD_CHARS: usize = 100;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(save))
}

/// What is to change; the rest stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = SaveRequest)]
struct SaveRequest {
    /// The document: Markdown.
    #[serde(default)]
    #[schema(max_length = 1_048_576)]
    content: Option<String>,
    #[serde(default)]
    #[schema(max_length = 200)]
    title: Option<String>,
    /// `draft`, or what its owner calls it.
    #[serde(default)]
    #[schema(max_length = 100)]
    status: Option<String>,
    #[serde(default)]
    #[schema(max_items = 20)]
    categories: Option<Vec<String>>,
    /// What happens where others changed the text since the version that this one is based on: both are merged, or
    /// (`false`) nothing is saved, and the answer is 412 with `others_wrote`.
    #[serde(default = "yes")]
    merge: bool,
}

fn yes() -> bool {
    true
}

#[derive(Serialize, ToSchema)]
struct SaveAnswer {
    /// The document as it is now.
    #[schema(value_type = schemas::MediaAsset)]
    asset: MediaAsset,
    merge: MergeView,
}

/// What the save was merged with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MergeView {
    /// Whether others had written since the version that it is based on. If not, the text is what was sent. A save that
    /// is sent again is no other to itself.
    others_wrote: bool,
    /// The ids of blocks that others changed or added since, as they stand in the document now.
    others: Vec<String>,
    /// The ids of blocks that have the words of both.
    merged: Vec<String>,
    /// What others wrote and is not in the document: it stands beside it, for a person to decide.
    suggestions: Vec<SuggestionMade>,
}

/// A suggestion that a save made of somebody else's words.
#[derive(Serialize, ToSchema)]
struct SuggestionMade {
    id: String,
    /// The block that it is for; empty for an insert at the top.
    block: String,
    #[schema(value_type = schemas::SuggestedAction)]
    action: scribe_core::edits::SuggestedAction,
    markdown: String,
    /// The turn that wrote it, as `conversationId/messageId`.
    turn: Option<String>,
    /// The person who wrote it, where that is known. Who took a block out that another one was changing is not.
    person: Option<String>,
}

impl From<Suggestion> for SuggestionMade {
    fn from(suggestion: Suggestion) -> Self {
        Self {
            id: suggestion.id,
            block: suggestion.block,
            action: suggestion.action,
            markdown: suggestion.markdown,
            turn: suggestion.turn,
            person: suggestion.person,
        }
    }
}

impl From<Merge> for MergeView {
    fn from(merge: Merge) -> Self {
        Self {
            others_wrote: merge.others_wrote,
            others: merge.others,
            merged: merge.merged,
            suggestions: merge.suggestions.into_iter().map(SuggestionMade::from).collect(),
        }
    }
}

/// Save a document.
///
/// `If-Match` names the version that the text is based on. Whatever others wrote since is merged in; where both changed
/// the same words, the person's stand, and the others' become a suggestion. With `"merge": false` it is refused instead.
/// The same save twice counts once.
#[utoipa::path(
    put, path = "/api/media-assets/{id}", operation_id = "saveMediaAsset", tag = MEDIA_ASSETS,
    params(
        ("id" = schemas::Id, Path),
        ("if-match" = String, Header, description = "The ETag of the version that the save is based on."),
    ),
    request_body = SaveRequest,
    responses(
        (status = OK, description = "It is saved.", body = SaveAnswer, headers(("etag" = String))),
        NotFound, Conflict, BaseUnknown, BaseMissing, Unavailable,
    ),
)]
async fn save(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    headers: HeaderMap,
    LargeBody(request): LargeBody<SaveRequest>,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let save = Save {
        base_etag: base_etag(&headers)?,
        content: request.content.map(check_content).transpose()?,
        title: request.title.as_deref().map(check_title).transpose()?,
        status: request
            .status
            .map(|status| check_word("status", &status))
            .transpose()?,
        categories: request.categories.as_deref().map(check_categories).transpose()?,
        may_merge: request.merge,
    };
    check_anything(&save)?;
    let saved = state
        .conversations
        .save(&caller.tenant, &id, &caller.user, &save)
        .await?;
    let mut response = Json(SaveAnswer {
        asset: shown(saved.asset),
        merge: saved.merge.into(),
    })
    .into_response();
    tag(&mut response, &saved.etag);
    Ok(response)
}

/// A save that changes nothing was meant otherwise, such as one that sends the answer of a GET back as it is. To say
/// that it is saved would lose the words in it.
fn check_anything(save: &Save) -> Result<(), ApiError> {
    if save.content.is_some() || save.title.is_some() || save.status.is_some() || save.categories.is_some() {
        return Ok(());
    }
    let message = "nothing is to be saved; send content, title, status or categories at the top of the body";
    Err(ApiError::new(StatusCode::BAD_REQUEST, "nothing_to_save", message))
}

/// The one version that `If-Match` names. "Any" is none: it would overwrite what others wrote.
fn base_etag(headers: &HeaderMap) -> Result<String, ApiError> {
    let missing = "a save needs the header If-Match with the ETag of the version that it is based on";
    if_match(headers)?.ok_or_else(|| {
        ApiError::new(StatusCode::PRECONDITION_REQUIRED, "base_missing", missing).about(Some("if-match"))
    })
}

/// A document's text.
pub(crate) fn check_content(content: String) -> Result<String, ApiError> {
    if content.len() > MAX_CONTENT_BYTES {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "document_too_large",
            format!("content has more than {MAX_CONTENT_BYTES} bytes; split the document"),
        )
        .about(Some("content")));
    }
    Ok(content)
}

/// A status or a category.
pub(crate) fn check_word(field: &'static str, word: &str) -> Result<String, ApiError> {
    let word = word.trim();
    if word.is_empty() || word.chars().count() > MAX_WORD_CHARS || word.chars().any(char::is_control) {
        return Err(ApiError::field(
            field,
            format!("must have 1 to {MAX_WORD_CHARS} characters and be one line"),
        ));
    }
    Ok(word.to_owned())
}

/// The categories of a document.
pub(crate) fn check_categories(categories: &[String]) -> Result<Vec<String>, ApiError> {
    if categories.len() > MAX_CATEGORIES {
        return Err(ApiError::field(
            "categories",
            format!("must be at most {MAX_CATEGORIES}"),
        ));
    }
    let categories = categories.iter().map(|word| check_word("categories", word));
    categories.collect()
}

impl From<SaveError> for ApiError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Conversation(error) => error.into(),
            SaveError::Absent(_) => no_document(),
            SaveError::UnknownBase(_) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "base_unknown",
                "no version of this document has the ETag in If-Match; read the document, take your changes over, and \
                 save with the ETag of what you read",
            )
            .about(Some("if-match")),
            SaveError::OthersWrote(_) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "others_wrote",
                "others changed the text since the version in If-Match, and the save is not to be merged; read the \
                 document, put your changes into it, and save with the ETag of what you read",
            )
            .about(Some("if-match")),
        }
    }
}
