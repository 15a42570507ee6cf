//! Writing and deleting.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures_util::future::join_all;

use super::listings::{all_keys, all_versions};
use super::servers::{Place, refusal};

const WRITERS: usize = 50;

/// What a writer that lost a race may be told: the condition failed, or try again.
fn assert_lost(refused: &(u16, String)) {
    match refused.0 {
        412 => assert_eq!(refused.1, "PreconditionFailed"),
        409 => assert_eq!(refused.1, "ConditionalRequestConflict"),
        _ => panic!("a writer that lost was told {refused:?}"),
    }
}

pub(super) async fn of_racing_writers_one_wins(place: Place) {
    let mut etag = place.put("key", "start").send().await.unwrap().e_tag.unwrap();
    for round in 0..3 {
        let writers = (0..WRITERS).map(|writer| {
            let put = place
                .put("key", format!("{round}/{writer}"))
                .if_match(&etag)
                .send();
            tokio::spawn(async move { (writer, put.await) })
        });
        let mut winners = Vec::new();
        for result in join_all(writers).await {
            match result.unwrap() {
                (writer, Ok(written)) => winners.push((writer, written.e_tag.unwrap())),
                (_, refused) => assert_lost(&refusal(refused)),
            }
        }
        assert_eq!(winners.len(), 1, "winners of round {round}: {winners:?}");
        let (writer, new_etag) = winners.pop().unwrap();
        assert_eq!(place.read("key").await, format!("{round}/{writer}").into_bytes());
        etag = new_etag;
    }
    assert_eq!(all_versions(&place).await.len(), 4, "the losers left no version");
}

pub(super) async fn of_racing_creators_one_wins(place: Place) {
    let writers = (0..WRITERS).map(|writer| {
        let put = place.put("key", writer.to_string()).if_none_match("*").send();
        tokio::spawn(async move { (writer, put.await) })
    });
    let mut winners = Vec::new();
    for result in join_all(writers).await {
        match result.unwrap() {
            (writer, Ok(_)) => winners.push(writer),
            (_, refused) => assert_lost(&refusal(refused)),
        }
    }
    assert_eq!(winners.len(), 1, "winners: {winners:?}");
    assert_eq!(place.read("key").await, winners[0].to_string().into_bytes());
    assert_eq!(all_versions(&place).await.len(), 1);
}

pub(super) async fn create_only_refuses_what_is_there(place: Place) {
    place.put("key", "one").if_none_match("*").send().await.unwrap();
    let refused = refusal(place.put("key", "two").if_none_match("*").send().await);
    assert_eq!(refused, (412, "PreconditionFailed".to_owned()));
    assert_eq!(place.read("key").await, b"one");
}

pub(super) async fn if_match_takes_the_current_etag_only(place: Place) {
    let one = place.put("key", "one").send().await.unwrap().e_tag.unwrap();
    let two = place
        .put("key", "two")
        .if_match(&one)
        .send()
        .await
        .unwrap()
        .e_tag
        .unwrap();
    assert_ne!(one, two);
    let refused = refusal(place.put("key", "three").if_match(&one).send().await);
    assert_eq!(refused, (412, "PreconditionFailed".to_owned()));
    assert_eq!(place.read("key").await, b"two");
    // The same bytes have the same ETag again: a document that went there and back is the document.
    let back = place
        .put("key", "one")
        .if_match(&two)
        .send()
        .await
        .unwrap()
        .e_tag
        .unwrap();
    assert_eq!(back, one);
}

pub(super) async fn if_match_on_an_absent_key_is_refused(place: Place) {
    let absent = refusal(place.put("absent", "x").if_match("\"0\"").send().await);
    let etag = place.put("deleted", "x").send().await.unwrap().e_tag.unwrap();
    place
        .client
        .delete_object()
        .bucket(&place.bucket)
        .key(place.key("deleted"))
        .send()
        .await
        .unwrap();
    let deleted = refusal(place.put("deleted", "y").if_match(etag).send().await);
    let (status, code) = place.server.answers().absent_if_match;
    let expected = (status, code.to_owned());
    assert_eq!((absent, deleted), (expected.clone(), expected));
    assert!(all_keys(&place).await.is_empty());
}

pub(super) async fn every_write_is_a_version(place: Place) {
    let mut ids = Vec::new();
    for body in ["one", "two", "one"] {
        ids.push(place.put("key", body).send().await.unwrap().version_id.unwrap());
    }
    let versions = all_versions(&place).await;
    let newest_first: Vec<_> = ids.iter().rev().cloned().collect();
    assert_eq!(
        versions
            .iter()
            .map(|version| version.id.clone())
            .collect::<Vec<_>>(),
        newest_first
    );
    assert_eq!(
        versions.iter().map(|version| version.latest).collect::<Vec<_>>(),
        [true, false, false]
    );
    for (id, body) in ids.iter().zip(["one", "two", "one"]) {
        let got = place
            .client
            .get_object()
            .bucket(&place.bucket)
            .key(place.key("key"))
            .version_id(id);
        let got = got.send().await.unwrap();
        assert_eq!(got.version_id.as_ref(), Some(id));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body.as_bytes());
    }
}

pub(super) async fn a_delete_marker_hides_and_frees_the_key(place: Place) {
    place.put("key", "one").send().await.unwrap();
    let delete = place
        .client
        .delete_object()
        .bucket(&place.bucket)
        .key(place.key("key"));
    let marker = delete.send().await.unwrap();
    assert_eq!(marker.delete_marker, Some(true));
    let get = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(place.key("key"));
    assert_eq!(refusal(get.clone().send().await), (404, "NoSuchKey".to_owned()));
    let asked = refusal(get.version_id(marker.version_id.as_ref().unwrap()).send().await);
    let (status, code) = place.server.answers().marker_read;
    assert_eq!(asked, (status, code.to_owned()));
    assert!(all_keys(&place).await.is_empty());
    let versions = all_versions(&place).await;
    let seen: Vec<_> = versions
        .iter()
        .map(|version| (version.marker, version.latest))
        .collect();
    assert_eq!(seen, [(true, true), (false, false)]);
    place.put("key", "two").if_none_match("*").send().await.unwrap();
    assert_eq!(place.read("key").await, b"two");
}

pub(super) async fn a_removed_marker_gives_the_object_back(place: Place) {
    let first = place.put("key", "one").send().await.unwrap().version_id.unwrap();
    let delete = || {
        place
            .client
            .delete_object()
            .bucket(&place.bucket)
            .key(place.key("key"))
    };
    let marker = delete().send().await.unwrap().version_id.unwrap();
    let removed = delete().version_id(&marker).send().await.unwrap();
    assert_eq!(
        (removed.delete_marker, removed.version_id),
        (place.server.answers().marker_removal, Some(marker))
    );
    assert_eq!(place.read("key").await, b"one");
    delete().version_id(&first).send().await.unwrap();
    assert!(all_versions(&place).await.is_empty());
}

pub(super) async fn a_conditional_delete_spares_what_changed(place: Place) {
    let one = place.put("key", "one").send().await.unwrap().e_tag.unwrap();
    let two = place.put("key", "two").send().await.unwrap().e_tag.unwrap();
    let delete = || {
        place
            .client
            .delete_object()
            .bucket(&place.bucket)
            .key(place.key("key"))
    };
    let refused = refusal(delete().if_match(one).send().await);
    assert_eq!(refused, (412, "PreconditionFailed".to_owned()));
    assert_eq!(place.read("key").await, b"two");
    delete().if_match(two).send().await.unwrap();
    assert!(all_keys(&place).await.is_empty());
}

pub(super) async fn many_are_deleted_at_once(place: Place) {
    let mut named = Delete::builder();
    for name in ["a", "b", "c d"] {
        place.put(name, name).send().await.unwrap();
        named = named.objects(ObjectIdentifier::builder().key(place.key(name)).build().unwrap());
    }
    place.put("kept", "kept").send().await.unwrap();
    let delete = place
        .client
        .delete_objects()
        .bucket(&place.bucket)
        .delete(named.build().unwrap());
    let deleted = delete.send().await.unwrap();
    assert_eq!(deleted.errors().len(), 0);
    let mut keys: Vec<_> = deleted
        .deleted()
        .iter()
        .map(|object| object.key().unwrap().to_owned())
        .collect();
    keys.sort();
    assert_eq!(keys, [place.key("a"), place.key("b"), place.key("c d")]);
    assert_eq!(all_keys(&place).await, [place.key("kept")]);
}

/// Versions and markers by their ids, as many at once as one request takes: nothing is left of the key.
pub(super) async fn versions_are_removed_for_good(place: Place) {
    for body in ["one", "two"] {
        place.put("key", body).send().await.unwrap();
        let delete = place.client.delete_object().bucket(&place.bucket);
        delete.key(place.key("key")).send().await.unwrap();
    }
    place.put("kept", "kept").send().await.unwrap();
    for markers in [false, true] {
        let mut named = Delete::builder().quiet(true);
        let listed = all_versions(&place).await;
        for version in listed
            .iter()
            .filter(|version| version.key == place.key("key") && version.marker == markers)
        {
            let object = ObjectIdentifier::builder()
                .key(&version.key)
                .version_id(&version.id);
            named = named.objects(object.build().unwrap());
        }
        let delete = place
            .client
            .delete_objects()
            .bucket(&place.bucket)
            .delete(named.build().unwrap());
        let deleted = delete.send().await.unwrap();
        assert_eq!(deleted.errors().len(), 0);
        // As long as a marker is there, the key is absent.
        assert_eq!(all_keys(&place).await, [place.key("kept")]);
    }
    let left: Vec<_> = all_versions(&place)
        .await
        .into_iter()
        .map(|version| version.key)
        .collect();
    assert_eq!(left, [place.key("kept")]);
}

pub(super) async fn metadata_comes_back(place: Place) {
    let put = place.put("key", "body").content_type("application/json");
    put.metadata("author", "turn c2e001-00007")
        .metadata("note", "")
        .send()
        .await
        .unwrap();
    let head = place
        .client
        .head_object()
        .bucket(&place.bucket)
        .key(place.key("key"))
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_type(), Some("application/json"));
    assert_eq!(head.content_length(), Some(4));
    assert_eq!(head.metadata().unwrap()["author"], "turn c2e001-00007");
    let note = head.metadata().unwrap().get("note").map(String::as_str);
    assert_eq!(note, place.server.answers().keeps_empty_metadata.then_some(""));
    let got = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(place.key("key"))
        .send()
        .await
        .unwrap();
    assert_eq!(got.metadata(), head.metadata());
    assert_eq!(got.content_type(), head.content_type());
    // Metadata belongs to the version: the next write has none.
    place.put("key", "body").send().await.unwrap();
    let head = place
        .client
        .head_object()
        .bucket(&place.bucket)
        .key(place.key("key"))
        .send()
        .await
        .unwrap();
    assert!(head.metadata().is_none_or(std::collections::HashMap::is_empty));
}

pub(super) async fn bodies_come_back_whole(place: Place) {
    let long: Vec<u8> = (0..251).cycle().take(300 * 1024).collect();
    let md5 = [
        (vec![], "\"d41d8cd98f00b204e9800998ecf8427e\""),
        (b"hello".to_vec(), "\"5d41402abc4b2a76b9719d911017c592\""),
        (long, "\"b79ea70797fef4f144daad8687c5a2fd\""),
    ];
    for (body, etag) in md5 {
        let written = place.put("key", body.clone()).send().await.unwrap();
        assert_eq!(written.e_tag(), Some(etag), "{} bytes", body.len());
        assert_eq!(place.read("key").await, body);
    }
}

/// A body whose length is known and whose sum is not: it travels in chunks, the sum behind it.
pub(super) async fn a_streamed_body_comes_back_whole(place: Place) {
    let body: Vec<u8> = (0..251).cycle().take(300 * 1024).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &body).unwrap();
    let streamed = ByteStream::from_path(file.path()).await.unwrap();
    let written = place.put("key", "").body(streamed).send().await.unwrap();
    assert_eq!(written.e_tag(), Some("\"b79ea70797fef4f144daad8687c5a2fd\""));
    assert!(
        written.checksum_crc32().is_some(),
        "the sum was sent and confirmed"
    );
    assert_eq!(place.read("key").await, body);
}

pub(super) async fn odd_keys_stay_apart(place: Place) {
    // In the order of their bytes.
    let names = [
        " leading and trailing ",
        "%2F",
        "+a b",
        "A",
        "a",
        "a/b",
        "a/b/",
        "a=b&c?d#e",
        "a@b",
        "a~b",
        "über/日本/🦀",
    ];
    for name in names {
        place.put(name, name).if_none_match("*").send().await.unwrap();
    }
    for name in names {
        let kept = !name.ends_with('/') || place.server.answers().keeps_folder_bodies;
        assert_eq!(
            place.read(name).await,
            if kept { name } else { "" }.as_bytes(),
            "{name:?}"
        );
    }
    assert_eq!(all_keys(&place).await, names.map(|name| place.key(name)));
}

pub(super) async fn a_body_without_its_sum_is_refused(place: Place) {
    // The MD5 of "hello".
    let put = |body: &'static str| {
        place
            .put("key", body)
            .content_md5("XUFAKrxLKna5cZ2REBfFkg==")
            .send()
    };
    put("hello").await.unwrap();
    let wrong = put("hullo").await;
    match place.server.answers().wrong_md5 {
        Some((status, code)) => {
            assert_eq!(refusal(wrong), (status, code.to_owned()));
            assert_eq!(place.read("key").await, b"hello");
        }
        None => drop(wrong.unwrap()),
    }
}
