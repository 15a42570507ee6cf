//! `GET /api/media-assets/{id}/versions`, one version, and `GET /api/media-assets/{id}/diff`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use scribe_core::blocks::Kind;
use scribe_core::diff::{BlockChange, Change, Counts, Difference, WordChange};
use scribe_core::{AssetId, MediaAsset, VersionId};
use scribe_engine::conversations::{Compared, RestoreError, Side};
use scribe_engine::documents::{Maker, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{no_document, shown, tag};
use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};
use crate::paging::{Listing, Page};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(compare))
}

impl From<RestoreError> for ApiError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Conversation(error) => error.into(),
            RestoreError::NoDocument(_) => no_document(),
            RestoreError::NoVersion(_) => Self::new(
                StatusCode::NOT_FOUND,
                "no_version",
                "the document has no such version; GET …/versions lists those that it has",
            ),
            RestoreError::Changed { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "changed",
                "the document has changed since; read it again",
            ),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct VersionList {
    versions: Vec<VersionView>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VersionView {
    #[schema(value_type = schemas::Id)]
    version_id: VersionId,
    /// Whether it is the present one.
    latest: bool,
    /// Whether it is a deletion.
    deleted: bool,
    /// When it was written, in whole seconds.
    #[schema(value_type = schemas::Time)]
    written: String,
    /// None of a deletion.
    etag: Option<String>,
    /// The size of its object, in bytes; none of a deletion.
    size: Option<u64>,
    /// Who made it; null for a deletion, and where another program did.
    author: Option<AuthorView>,
}

#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
enum AuthorView {
    Person {
        user: String,
    },
    #[serde(rename_all = "camelCase")]
    Turn {
        conversation_id: String,
        message_id: String,
        /// What became of its edits, by operation and outcome.
        edits: Option<String>,
        /// Which model answered, where one was asked.
        model: Option<String>,
        /// Tokens of its prompts, where the server told.
        prompt_tokens: Option<u64>,
        /// Tokens of its answers, where the server told.
        output_tokens: Option<u64>,
    },
}

impl From<Maker> for AuthorView {
    fn from(maker: Maker) -> Self {
        match maker {
            Maker::Person { user } => Self::Person { user },
            Maker::Turn {
                conversation_id,
                message_id,
                edits,
                model,
                prompt_tokens,
                output_tokens,
            } => Self::Turn {
                conversation_id,
                message_id,
                edits,
                model,
                prompt_tokens,
                output_tokens,
            },
        }
    }
}

impl From<Version> for VersionView {
    fn from(version: Version) -> Self {
        let (etag, size, maker) = match version.content {
            Some(content) => (Some(content.etag), Some(content.size), content.maker),
            None => (None, None, None),
        };
        Self {
            version_id: version.id,
            latest: version.latest,
            deleted: etag.is_none(),
            written: version.written,
            etag,
            size,
            author: maker.map(AuthorView::from),
        }
    }
}

/// List the versions of a document, the newest first.
///
/// Those of a deleted document are there, behind its deletion.
#[utoipa::path(
    get, path = "/api/media-assets/{id}/versions", operation_id = "listVersions", tag = MEDIA_ASSETS,
    params(
        ("id" = schemas::Id, Path),
        ("limit" = Option<u16>, Query, description = "How many, 20 if it is left out.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses((status = OK, description = "A page of versions.", body = VersionList), NotFound, Unavailable),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    page: Page,
) -> Result<Json<VersionList>, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let of = format!("media-assets/{id}/versions");
    let listing = Listing {
        of: &of,
        tenant: &caller.tenant,
    };
    let after: Option<VersionId> = page.after(&listing, |place| place.parse().ok())?;
    let found = state
        .conversations
        .versions(&caller.tenant, &id, after.as_ref(), page.limit)
        .await?;
    Ok(Json(VersionList {
        versions: found.versions.into_iter().map(VersionView::from).collect(),
        next: found.more_after.map(|place| listing.cursor(place.as_str())),
    }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VersionAnswer {
    #[schema(value_type = schemas::MediaAsset)]
    asset: MediaAsset,
    #[schema(value_type = schemas::Id)]
    version_id: VersionId,
    /// When it was written, in whole seconds.
    #[schema(value_type = schemas::Time)]
    written: String,
    /// Who made it; null where another program did.
    author: Option<AuthorView>,
}

/// Read one version of a document.
#[utoipa::path(
    get, path = "/api/media-assets/{id}/versions/{versionId}", operation_id = "readVersion", tag = MEDIA_ASSETS,
    params(("id" = schemas::Id, Path), ("versionId" = schemas::Id, Path)),
    responses(
        (status = OK, description = "The document as it was.", body = VersionAnswer, headers(("etag" = String))),
        NotFound, Unavailable,
    ),
)]
async fn read(
    State(state): State<ApiState>,
    caller: Caller,
    PathId((id, version)): PathId<(String, String)>,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let version: VersionId = version.parse().map_err(ApiError::id("versionId"))?;
    let found = state.conversations.version(&caller.tenant, &id, &version).await?;
    let answer = VersionAnswer {
        asset: shown(found.stored.asset),
        version_id: found.id,
        written: found.written,
        author: found.maker.map(AuthorView::from),
    };
    let mut response = Json(answer).into_response();
    tag(&mut response, &found.stored.etag);
    Ok(response)
}

#[derive(Deserialize)]
struct Asked {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct DiffAnswer {
    from: SideView,
    to: SideView,
    counts: CountsView,
    /// The blocks of the newer version in their order, and where they stood those that were removed.
    blocks: Vec<BlockView>,
    /// The blank space at the end of the newer version.
    end: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SideView {
    #[schema(value_type = schemas::Id)]
    version_id: VersionId,
    etag: String,
    title: String,
}

/// How many blocks there are of each sort; one that was moved and changed is a moved one.
#[derive(Serialize, ToSchema)]
struct CountsView {
    kept: usize,
    added: usize,
    removed: usize,
    changed: usize,
    moved: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChangeView {
    Kept,
    Added,
    Removed,
    Changed,
    Moved,
}

#[derive(Serialize, ToSchema)]
struct BlockView {
    change: ChangeView,
    /// `heading`, `paragraph`, `list`, `quote`, `code`, `table`, `html`, `rule`, `footnote`, `definition` or
    /// `front_matter`.
    kind: &'static str,
    /// Its place among the blocks of the older version, from 0; null where it is new.
    from: Option<usize>,
    /// Its place among the blocks of the newer version, from 0; null where it was removed.
    to: Option<usize>,
    /// The blank space in front of it in the newer version; null for one blank line, and for none in front of the
    /// first.
    before: Option<String>,
    /// Its text; null where `words` say what it was and is.
    text: Option<String>,
    /// Its words, where they are not the same in both.
    words: Vec<WordView>,
}

#[derive(Serialize, ToSchema)]
struct WordView {
    /// `kept`, `added` or `removed`.
    change: ChangeView,
    text: String,
}

impl From<Side> for SideView {
    fn from(side: Side) -> Self {
        Self {
            version_id: side.version,
            etag: side.etag,
            title: side.title,
        }
    }
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        Self {
            kept: counts.kept,
            added: counts.added,
            removed: counts.removed,
            changed: counts.changed,
            moved: counts.moved,
        }
    }
}

impl From<BlockChange> for BlockView {
    fn from(block: BlockChange) -> Self {
        Self {
            change: match block.change {
                Change::Kept => ChangeView::Kept,
                Change::Added => ChangeView::Added,
                Change::Removed => ChangeView::Removed,
                Change::Changed => ChangeView::Changed,
                Change::Moved => ChangeView::Moved,
            },
            kind: match block.kind {
                Kind::FrontMatter => "front_matter",
                Kind::Heading(_) => "heading",
                Kind::Paragraph => "paragraph",
                Kind::List => "list",
                Kind::Quote => "quote",
                Kind::Code => "code",
                Kind::Table => "table",
                Kind::Html => "html",
                Kind::Rule => "rule",
                Kind::Footnote => "footnote",
                Kind::Definition => "definition",
            },
            from: block.from,
            to: block.to,
            before: block.before,
            text: block.text,
            words: block.words.into_iter().map(WordView::from).collect(),
        }
    }
}

impl From<WordChange> for WordView {
    fn from(word: WordChange) -> Self {
        let (change, text) = match word {
            WordChange::Kept(text) => (ChangeView::Kept, text),
            WordChange::Removed(text) => (ChangeView::Removed, text),
            WordChange::Added(text) => (ChangeView::Added, text),
        };
        Self { change, text }
    }
}

impl From<Compared> for DiffAnswer {
    fn from(compared: Compared) -> Self {
        let Difference { blocks, end, counts } = compared.difference;
        Self {
            from: compared.from.into(),
            to: compared.to.into(),
            counts: counts.into(),
            blocks: blocks.into_iter().map(BlockView::from).collect(),
            end,
        }
    }
}

/// Compare two versions of a document.
///
/// By blocks, and word by word inside a block that was changed. Applied to the older text, it gives the newer one.
#[utoipa::path(
    get, path = "/api/media-assets/{id}/diff", operation_id = "compareVersions", tag = MEDIA_ASSETS,
    params(
        ("id" = schemas::Id, Path),
        ("from" = schemas::Id, Query, description = "The older version."),
        ("to" = Option<schemas::Id>, Query, description = "The newer version; the present one if it is left out."),
    ),
    responses((status = OK, description = "What differs.", body = DiffAnswer), NotFound, Unavailable),
)]
async fn compare(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<DiffAnswer>, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let Query(asked) = asked.map_err(|_| ApiError::field("from", "and to may each be given once"))?;
    let from = asked
        .from
        .ok_or_else(|| ApiError::field("from", "is missing; it is the id of a version"))?;
    let from: VersionId = from.parse().map_err(ApiError::id("from"))?;
    let to: Option<VersionId> = asked
        .to
        .map(|to| to.parse())
        .transpose()
        .map_err(ApiError::id("to"))?;
    let compared = state
        .conversations
        .compare(&caller.tenant, &id, &from, to.as_ref())
        .await?;
    Ok(Json(compared.into()))
}
