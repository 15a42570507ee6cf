//! The engine's own documents on each server: what differs between servers must come to the same here.

use scribe_core::{AssetId, MediaAsset, TenantId};
use scribe_engine::Documents;
use scribe_engine::documents::{Author, Fetched, Written};
use serde_json::json;

use super::servers::Place;
use crate::world::id;

fn asset(content: &str) -> MediaAsset {
    let asset = json!({
        "id": "a1", "media_type": "text", "title": "The Amber Road", "content": content,
        "created_at": "2026-11-22T15:40:00.000Z", "updated_at": "2026-11-22T15:40:00.000Z",
    });
    serde_json::from_value(asset).unwrap()
}

/// Deleted, a document is gone for whoever replaces it: the server says so, or it tells of a conflict and has nothing
/// when the document is read again, as after any conflict.
pub(super) async fn a_deleted_document_can_not_be_replaced(place: Place) {
    let documents = Documents::new(place.client.clone(), place.bucket.clone());
    // The keys of documents have no prefix, but tenants are apart.
    let (tenant, asset_id): (TenantId, AssetId) = (id("deleted"), id("a1"));
    let author = Author::Person(id("default-user"));
    let created = documents
        .create_asset(&tenant, &asset("one"), &author)
        .await
        .unwrap();
    let Written::Done { etag } = created else {
        panic!("{created:?}")
    };
    let again = documents
        .create_asset(&tenant, &asset("two"), &author)
        .await
        .unwrap();
    assert_eq!(again, Written::Conflict);
    let (replaced, _) = documents
        .replace_asset(&tenant, &asset("two"), &etag, &author)
        .await
        .unwrap();
    let Written::Done { etag: newer } = replaced else {
        panic!("{replaced:?}")
    };
    let (stale, _) = documents
        .replace_asset(&tenant, &asset("three"), &etag, &author)
        .await
        .unwrap();
    assert_eq!(stale, Written::Conflict);
    place
        .client
        .delete_object()
        .bucket(&place.bucket)
        .key("tenants/deleted/media-assets/a1.json")
        .send()
        .await
        .unwrap();
    let (deleted, _) = documents
        .replace_asset(&tenant, &asset("four"), &newer, &author)
        .await
        .unwrap();
    let expected = match place.server.answers().absent_if_match.0 {
        404 => Written::Gone,
        _ => Written::Conflict,
    };
    assert_eq!(deleted, expected);
    let read = documents.asset(&tenant, &asset_id, None).await.unwrap();
    assert!(matches!(read, Fetched::Absent), "{read:?}");
}
