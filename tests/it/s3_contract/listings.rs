//! Listing.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use super::servers::Place;

/// A version or a delete marker of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) marker: bool,
    pub(super) latest: bool,
}

/// Every key under the place's prefix, as listed.
pub(super) async fn all_keys(place: &Place) -> Vec<String> {
    let list = place
        .client
        .list_objects_v2()
        .bucket(&place.bucket)
        .prefix(&place.prefix);
    keys(&list.send().await.unwrap())
}

fn keys(page: &ListObjectsV2Output) -> Vec<String> {
    page.contents()
        .iter()
        .map(|object| object.key().unwrap().to_owned())
        .collect()
}

/// Every version and delete marker under the place's prefix: by key, the latest first, then as listed. The wire
/// has versions and markers in two lists, so that their order among each other is lost but for the latest.
pub(super) async fn all_versions(place: &Place) -> Vec<Listed> {
    let list = place
        .client
        .list_object_versions()
        .bucket(&place.bucket)
        .prefix(&place.prefix);
    let page = list.send().await.unwrap();
    assert_eq!(page.is_truncated(), Some(false));
    let versions = page.versions().iter().map(|version| Listed {
        key: version.key().unwrap().to_owned(),
        id: version.version_id().unwrap().to_owned(),
        marker: false,
        latest: version.is_latest().unwrap(),
    });
    let markers = page.delete_markers().iter().map(|marker| Listed {
        key: marker.key().unwrap().to_owned(),
        id: marker.version_id().unwrap().to_owned(),
        marker: true,
        latest: marker.is_latest().unwrap(),
    });
    let mut listed: Vec<_> = versions.chain(markers).collect();
    listed.sort_by(|one, two| (&one.key, !one.latest).cmp(&(&two.key, !two.latest)));
    listed
}

pub(super) async fn a_prefix_is_listed_in_pages(place: Place) {
    // 25 keys, some neighbours that begin alike, and one that is deleted.
    let names: Vec<String> = (0..25).map(|at| format!("in/{at:03}")).collect();
    for name in names
        .iter()
        .map(String::as_str)
        .chain(["in", "in-", "in0", "io/1", "in/deleted"])
    {
        place.put(name, name).send().await.unwrap();
    }
    place
        .client
        .delete_object()
        .bucket(&place.bucket)
        .key(place.key("in/deleted"))
        .send()
        .await
        .unwrap();
    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let list = place
            .client
            .list_objects_v2()
            .bucket(&place.bucket)
            .prefix(place.key("in/"))
            .max_keys(10);
        let page = list.set_continuation_token(token).send().await.unwrap();
        assert_eq!(page.key_count(), Some(page.contents().len().try_into().unwrap()));
        assert_eq!(
            page.is_truncated(),
            Some(page.next_continuation_token().is_some())
        );
        pages.push(keys(&page));
        token = page.next_continuation_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(
        pages.concat(),
        names.iter().map(|name| place.key(name)).collect::<Vec<_>>()
    );
    let list = place
        .client
        .list_objects_v2()
        .bucket(&place.bucket)
        .prefix(place.key("in/000"));
    let page = list.send().await.unwrap();
    let object = &page.contents()[0];
    assert_eq!(object.size(), Some(6));
    assert!(object.last_modified().is_some());
    assert_eq!(
        object.e_tag(),
        place.put("in/000", "in/000").send().await.unwrap().e_tag()
    );
}

pub(super) async fn a_delimiter_makes_groups(place: Place) {
    for name in ["a", "b/1", "b/2", "b/c/3", "d/4", "e"] {
        place.put(name, name).send().await.unwrap();
    }
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let list = place
            .client
            .list_objects_v2()
            .bucket(&place.bucket)
            .prefix(&place.prefix);
        let list = list.delimiter("/").max_keys(1).set_continuation_token(token);
        let page = list.send().await.unwrap();
        seen.extend(keys(&page));
        seen.extend(
            page.common_prefixes()
                .iter()
                .map(|group| group.prefix().unwrap().to_owned()),
        );
        token = page.next_continuation_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b/", "d/", "e"].map(|name| place.key(name)));
}

pub(super) async fn a_listing_begins_behind_a_key(place: Place) {
    for name in ["a", "b", "c"] {
        place.put(name, name).send().await.unwrap();
    }
    for (after, expected) in [
        ("a", &["b", "c"][..]),
        ("ab", &["b", "c"]),
        ("", &["a", "b", "c"]),
        ("c", &[]),
    ] {
        let list = place
            .client
            .list_objects_v2()
            .bucket(&place.bucket)
            .prefix(&place.prefix);
        let page = list.start_after(place.key(after)).send().await.unwrap();
        let expected: Vec<_> = expected.iter().map(|name| place.key(name)).collect();
        assert_eq!(keys(&page), expected, "after {after:?}");
    }
}

pub(super) async fn versions_are_listed_in_pages(place: Place) {
    let mut expected = Vec::new();
    for name in ["a", "b", "c"] {
        let mut ids = Vec::new();
        for body in ["1", "2", "3"] {
            ids.push(place.put(name, body).send().await.unwrap().version_id.unwrap());
        }
        expected.extend(ids.into_iter().rev().map(|id| (place.key(name), id)));
    }
    let mut seen = Vec::new();
    let (mut key, mut id) = (None, None);
    loop {
        let list = place
            .client
            .list_object_versions()
            .bucket(&place.bucket)
            .prefix(&place.prefix)
            .max_keys(2);
        let page = list
            .set_key_marker(key)
            .set_version_id_marker(id)
            .send()
            .await
            .unwrap();
        assert!(page.versions().len() <= 2);
        seen.extend(page.versions().iter().map(|version| {
            (
                version.key().unwrap().to_owned(),
                version.version_id().unwrap().to_owned(),
            )
        }));
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(seen, expected);
}
