//! `GET /api/media-assets` and `POST /api/media-assets`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use scribe_core::asset::slugify;
use scribe_core::blocks::escape_inline;
use scribe_core::{AssetId, ConversationId, Style};
use scribe_engine::conversations::{Created, ListedAsset, NewAsset, PageStart};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{AssetAnswer, shown, tag};
use crate::ApiState;
use crate::background_doc::check_title;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::LargeBody;
use crate::openapi::answers::{Conflict, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};
use crate::paging::{Listing, Page};
use crate::saves::{check_categories, check_content, check_word};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create))
}

#[derive(Serialize, ToSchema)]
struct AssetList {
    assets: Vec<ListedView>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// A document without its text.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ListedView {
    Readable(SummaryView),
    Unreadable(UnreadableView),
}

/// A document whose object can't be read.
#[derive(Serialize, ToSchema)]
struct UnreadableView {
    #[schema(value_type = schemas::Id)]
    id: AssetId,
    /// `unreadable`.
    error: &'static str,
}

#[derive(Serialize, ToSchema)]
struct SummaryView {
    #[schema(value_type = schemas::Id)]
    id: AssetId,
    title: String,
    slug: String,
    #[schema(value_type = schemas::Style)]
    style: Style,
    status: String,
    categories: Vec<String>,
    /// The conversation that it was started in.
    #[schema(value_type = Option<schemas::ConversationId>)]
    conversation_id: Option<ConversationId>,
    #[schema(value_type = schemas::Time)]
    created_at: String,
    #[schema(value_type = schemas::Time)]
    updated_at: String,
    etag: String,
    /// The size of its text, in bytes.
    size: usize,
}

impl From<ListedAsset> for ListedView {
    fn from(listed: ListedAsset) -> Self {
        let Some(summary) = listed.summary else {
            return Self::Unreadable(UnreadableView {
                id: listed.id,
                error: "unreadable",
            });
        };
        Self::Readable(SummaryView {
            id: listed.id,
            title: summary.title,
            slug: summary.slug,
            style: summary.style,
            status: summary.status,
            categories: summary.categories,
            conversation_id: summary.conversation_id,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            etag: summary.etag,
            size: summary.size,
        })
    }
}

/// List documents, the newest changed first.
///
/// One that is changed between two pages comes to the front, where the next look finds it.
#[utoipa::path(
    get, path = "/api/media-assets", operation_id = "listMediaAssets", tag = MEDIA_ASSETS,
    params(
        ("limit" = Option<u16>, Query, description = "How many, 20 if it is left out.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses((status = OK, description = "A page of documents, without their texts.", body = AssetList), Unavailable),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    page: Page,
) -> Result<Json<AssetList>, ApiError> {
    let listing = Listing {
        of: "media-assets",
        tenant: &caller.tenant,
    };
    let after = page.after(&listing, |place| {
        let (written, id) = place.split_once(' ')?;
        Some(PageStart {
            written: written.parse().ok()?,
            id: id.parse().ok()?,
        })
    })?;
    let found = state
        .conversations
        .shelf(&caller.tenant, after.as_ref(), page.limit.into())
        .await?;
    let next = found
        .more_after
        .map(|place| listing.cursor(&format!("{} {}", place.written, place.id)));
    Ok(Json(AssetList {
        assets: found.assets.into_iter().map(ListedView::from).collect(),
        next,
    }))
}

#[derive(Deserialize, ToSchema)]
struct CreateRequest {
    /// The document's id; one is made if it is left out. With an id the request may be repeated.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Id>)]
    id: Option<String>,
    #[schema(max_length = 200, min_length = 1)]
    title: String,
    /// Markdown; the title as a heading if it is left out.
    #[serde(default)]
    #[schema(max_length = 1_048_576)]
    content: Option<String>,
    #[serde(default)]
    #[schema(max_items = 20)]
    categories: Vec<String>,
    /// `draft` if it is left out.
    #[serde(default)]
    #[schema(max_length = 100)]
    status: Option<String>,
}

/// Create a document, without a conversation.
#[utoipa::path(
    post, path = "/api/media-assets", operation_id = "createMediaAsset", tag = MEDIA_ASSETS,
    request_body = CreateRequest,
    responses(
        (status = CREATED, description = "The document.", body = AssetAnswer,
            headers(("etag" = String), ("location" = String))),
        (status = OK, description = "The same request has created it before.", body = AssetAnswer,
            headers(("etag" = String), ("location" = String))),
        Conflict, Unavailable,
    ),
)]
async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    LargeBody(request): LargeBody<CreateRequest>,
) -> Result<Response, ApiError> {
    let new = checked(request)?;
    let created = state
        .conversations
        .create_document(&caller.tenant, &caller.user, &new)
        .await?;
    let (status, stored) = match created {
        Created::New(stored) => (StatusCode::CREATED, stored),
        Created::Same(stored) => (StatusCode::OK, stored),
        Created::Taken => {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "id_taken",
                "there is another document with this id",
            )
            .about(Some("id")));
        }
        Created::Deleted => {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "deleted",
                "the document with this id was deleted; restore one of its versions, or choose another id",
            )
            .about(Some("id")));
        }
    };
    let location = format!("/api/media-assets/{}", new.id);
    let asset = shown(stored.asset);
    let mut response = (status, Json(AssetAnswer { asset })).into_response();
    tag(&mut response, &stored.etag);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn checked(request: CreateRequest) -> Result<NewAsset, ApiError> {
    let title = check_title(&request.title)?;
    let id_was_given = request.id.is_some();
    let id = request.id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let content = request
        .content
        .unwrap_or_else(|| format!("# {}\n", escape_inline(&title)));
    let status = request.status.as_deref().unwrap_or("draft");
    Ok(NewAsset {
        id: id.parse().map_err(ApiError::id("id"))?,
        id_was_given,
        categories: check_categories(&request.categories)?,
        status: check_word("status", status)?,
        content: check_content(content)?,
        title,
    })
}

/// A document's name for a file, in ASCII.
pub(super) fn file_stem(title: &str, slug: &str) -> String {
    // Another program may have put anything there.
    let slug = slugify(slug);
    if slug == "untitled" { slugify(title) } else { slug }
}
