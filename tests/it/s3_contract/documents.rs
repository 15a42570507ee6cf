//! The engine's own documents on each server: what differs between servers must come to the same here.

use scribe_core::{AssetId, MediaAsset, TenantId};
use scribe_engine::Documents;
use scribe_engine::documents::{Author, Fetched, Maker, Written};
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

/// Deleting is conditional, hides the versions and keeps them; a create-only write brings the document back.
pub(super) async fn a_document_is_deleted_restored_and_removed_for_good(place: Place) {
    let documents = Documents::new(place.client.clone(), place.bucket.clone());
    let (tenant, asset_id): (TenantId, AssetId) = (id("restored"), id("a1"));
    let author = Author::Person(id("default-user"));
    let never = documents.newest_version(&tenant, &asset_id).await.unwrap();
    assert!(never.is_none() && !documents.has_versions(&tenant, &asset_id).await.unwrap());
    let created = documents
        .create_asset(&tenant, &asset("one"), &author)
        .await
        .unwrap();
    let Written::Done { etag: one } = created else {
        panic!("{created:?}")
    };
    let (replaced, _) = documents
        .replace_asset(&tenant, &asset("two"), &one, &author)
        .await
        .unwrap();
    let Written::Done { etag: two } = replaced else {
        panic!("{replaced:?}")
    };
    let stale = documents.delete_asset(&tenant, &asset_id, &one).await.unwrap();
    assert_eq!(stale, Written::Conflict);
    let deleted = documents.delete_asset(&tenant, &asset_id, &two).await.unwrap();
    assert!(matches!(deleted, Written::Done { .. }), "{deleted:?}");
    assert!(matches!(
        documents.asset(&tenant, &asset_id, None).await.unwrap(),
        Fetched::Absent
    ));

    let newest = documents
        .newest_version(&tenant, &asset_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(newest.stored.asset.content, "two");
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = documents
            .versions(&tenant, &asset_id, after.as_ref(), 2)
            .await
            .unwrap();
        let page = page.unwrap();
        assert!(page.versions.len() <= 2);
        pages.extend(page.versions);
        after = page.more_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages.len(), 3);
    assert_eq!(
        pages.iter().filter(|version| version.content.is_none()).count(),
        1
    );
    for version in &pages {
        let read = documents.version(&tenant, &asset_id, &version.id).await.unwrap();
        assert_eq!(read.is_some(), version.content.is_some());
        let maker = version.content.as_ref().map(|content| content.maker.clone());
        let person = Maker::Person {
            user: "default-user".into(),
        };
        assert!(maker.is_none_or(|maker| maker == Some(person)));
    }
    let unknown = documents
        .version(&tenant, &asset_id, &id("not-a-version"))
        .await
        .unwrap();
    assert!(unknown.is_none());

    let back = documents
        .create_asset(&tenant, &asset("three"), &author)
        .await
        .unwrap();
    assert!(matches!(back, Written::Done { .. }), "{back:?}");
    assert_eq!(documents.purge_asset(&tenant, &asset_id).await.unwrap(), 3);
    assert!(!documents.has_versions(&tenant, &asset_id).await.unwrap());
    assert_eq!(documents.purge_asset(&tenant, &asset_id).await.unwrap(), 0);
}
