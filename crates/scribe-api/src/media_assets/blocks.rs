//! `GET /api/media-assets/{id}/blocks`: what a document consists of, and whose it is.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use scribe_core::AssetId;
use scribe_core::blocks::{Author, Block, Document};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{no_document, tag};
use crate::ApiState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::json::PathId;
use crate::openapi::answers::{NotFound, Unavailable};
use crate::openapi::{MEDIA_ASSETS, schemas};

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Serialize, ToSchema)]
struct BlockList {
    /// In the order of the text.
    blocks: Vec<BlockView>,
}

/// A heading, a paragraph, a list, a table: what stands between blank lines.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BlockView {
    /// Stays the same while the block does; suggestions and drafts name it.
    id: String,
    /// Its first line in the text; the first line of all is 1. A line ends with LF, CR or CRLF.
    first_line: usize,
    /// Its last line.
    last_line: usize,
    hash: String,
    #[schema(value_type = schemas::BlockAuthor)]
    author: Author,
    /// The person who wrote it last, where that is known.
    person: Option<String>,
    /// The turns that went into it, oldest first, as `conversationId/messageId`.
    turns: Vec<String>,
}

/// List a document's blocks.
///
/// The lines are those of the version that the ETag names.
#[utoipa::path(
    get, path = "/api/media-assets/{id}/blocks", operation_id = "listBlocks", tag = MEDIA_ASSETS,
    params(("id" = schemas::Id, Path)),
    responses(
        (status = OK, description = "The blocks.", body = BlockList, headers(("etag" = String))),
        NotFound, Unavailable,
    ),
)]
async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let id: AssetId = id.parse().map_err(ApiError::id("id"))?;
    let (document, etag) = state
        .conversations
        .blocks(&caller.tenant, &id)
        .await?
        .ok_or_else(no_document)?;
    let blocks = views(&document);
    let mut response = Json(BlockList { blocks }).into_response();
    tag(&mut response, &etag);
    Ok(response)
}

fn views(document: &Document) -> Vec<BlockView> {
    let mut counted = 0;
    let mut line = 1;
    let mut line_at = |offset: usize| {
        let between = document.content().get(counted..offset).unwrap_or_default();
        line += breaks(between);
        counted = offset;
        line
    };
    let view = |block: &Block| {
        let text = document.text(block).trim_end_matches(['\n', '\r']);
        let start = block.span().start;
        let entry = block.entry();
        BlockView {
            id: entry.id.clone(),
            first_line: line_at(start),
            last_line: line_at(start + text.len()),
            hash: entry.hash.clone(),
            author: entry.author,
            person: entry.person.clone(),
            turns: entry.turns.clone(),
        }
    };
    document.blocks().map(view).collect()
}

/// How many lines end in a text that is not cut within CRLF.
fn breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends =
        |(at, byte): (usize, &u8)| *byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r') || *byte == b'\r';
    bytes.iter().enumerate().filter(|each| ends(*each)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scribe_core::blocks::Manifest;

    fn check(content: &str, expected: &[(usize, usize)]) {
        let document = Document::read(content, &Manifest::default());
        let lines: Vec<_> = views(&document)
            .iter()
            .map(|block| (block.first_line, block.last_line))
            .collect();
        assert_eq!(lines, expected, "{content:?}");
    }

    #[test]
    fn blocks_are_found_by_their_lines() {
        check(
            "# One\n\ntwo\nthree\n\n- four\n- five\n",
            &[(1, 1), (3, 4), (6, 7)],
        );
        check("\n\n# One\n\n\n\ntwo", &[(3, 3), (7, 7)]);
        check("# One\r\n\r\ntwo\r\nthree\r\n", &[(1, 1), (3, 4)]);
        check("Größe 🦀\n\n```\n\ncode\n```\n", &[(1, 1), (3, 6)]);
        check("", &[]);
    }
}
