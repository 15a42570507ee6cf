//! What only the embedded S3 has to do: last, guard its folder, notice damage, and refuse what it does not offer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use super::listings::all_versions;
use super::servers::{self, Embedded, Place, Server, refusal};

fn place(client: Client, bucket: &str) -> Place {
    Place {
        client,
        bucket: bucket.to_owned(),
        prefix: String::new(),
        server: Server::Embedded,
    }
}

/// Every file below a folder, without the store's own.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = Embedded::start(folder.path()).await;
    let before = place(
        s3.client(),
        &servers::versioned_bucket(&s3.client(), "kept").await,
    );
    let names = [
        "a/b",
        "a",
        "..",
        "a//b",
        "Ü",
        &"long/".repeat(200),
        &"x".repeat(1000),
    ];
    for name in names {
        before.put(name, "old").send().await.unwrap();
        before
            .put(name, name)
            .metadata("author", "a person")
            .send()
            .await
            .unwrap();
    }
    before
        .client
        .delete_object()
        .bucket("kept")
        .key("a")
        .send()
        .await
        .unwrap();
    let versions = all_versions(&before).await;
    assert_eq!(versions.len(), 2 * names.len() + 1);
    s3.stop().await;

    let s3 = Embedded::start(folder.path()).await;
    let after = place(s3.client(), "kept");
    assert_eq!(all_versions(&after).await, versions);
    for name in names.iter().filter(|name| **name != "a") {
        assert_eq!(after.read(name).await, name.as_bytes());
        let head = after
            .client
            .head_object()
            .bucket("kept")
            .key(*name)
            .send()
            .await
            .unwrap();
        assert_eq!(head.metadata().unwrap()["author"], "a person");
    }
    // What is written now is newer than what was there.
    let newest = after.put("a//b", "new").send().await.unwrap().version_id.unwrap();
    let latest: Vec<_> = all_versions(&after)
        .await
        .into_iter()
        .filter(|version| version.latest)
        .collect();
    assert!(
        latest
            .iter()
            .any(|version| version.key == "a//b" && version.id == newest)
    );
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_finds_the_document_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = Embedded::start(folder.path()).await;
    let place = place(
        s3.client(),
        &servers::versioned_bucket(&s3.client(), "scribe").await,
    );
    let id = place
        .put("tenants/default/media-assets/x.json", "{\"a\":1}")
        .send()
        .await
        .unwrap()
        .version_id
        .unwrap();
    let key_folder = folder
        .path()
        .join("scribe/objects/tenants/default/media-assets/x.json");
    let files = files_below(&key_folder);
    assert_eq!(files, [key_folder.join(format!("@0000000000000001-{id}"))]);
    let content = fs::read_to_string(&files[0]).unwrap();
    let (header, body) = content.split_once('\n').unwrap();
    assert_eq!(body, "{\"a\":1}");
    let header: serde_json::Value = serde_json::from_str(header).unwrap();
    assert_eq!(header["key"], "tenants/default/media-assets/x.json");
    assert_eq!(header["size"], 7);
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_an_error_and_not_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = Embedded::start(folder.path()).await;
    let before = place(
        s3.client(),
        &servers::versioned_bucket(&s3.client(), "damaged").await,
    );
    before.put("key", "the older version").send().await.unwrap();
    let torn = before.put("key", "the newer version").send().await.unwrap();
    before.put("other", "untouched").send().await.unwrap();
    s3.stop().await;

    // What a kill may leave, what it can't, and what somebody else put there.
    let objects = folder.path().join("damaged/objects");
    let newest = files_below(&objects.join("key")).pop().unwrap();
    let whole = fs::read(&newest).unwrap();
    fs::write(&newest, &whole[..whole.len() - 5]).unwrap();
    fs::write(
        folder.path().join(".drafts/@0000000000000009-torn"),
        "half a head",
    )
    .unwrap();
    fs::write(objects.join("key/.@0000000000000002.swp"), "an editor's").unwrap();
    fs::create_dir(folder.path().join("not-a-bucket")).unwrap();

    let s3 = Embedded::start(folder.path()).await;
    let after = place(s3.client(), "damaged");
    assert_eq!(files_below(&folder.path().join(".drafts")), Vec::<PathBuf>::new());
    let get = after.client.get_object().bucket("damaged").key("key");
    assert_eq!(
        refusal(get.clone().send().await),
        (500, "InternalError".to_owned())
    );
    // Nobody overwrites on the word of a version that can't be read.
    let put = after.put("key", "x").if_match(torn.e_tag.unwrap());
    assert_eq!(refusal(put.send().await), (500, "InternalError".to_owned()));
    assert_eq!(after.read("other").await, b"untouched");
    // The way out: the damaged version is removed, and the one before it is the latest again.
    let delete = after.client.delete_object().bucket("damaged").key("key");
    delete.version_id(torn.version_id.unwrap()).send().await.unwrap();
    assert_eq!(after.read("key").await, b"the older version");
    let buckets = after.client.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 1);
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = Embedded::start(folder.path()).await;
    let ours = s3.client();
    ours.create_bucket().bucket("ours").send().await.unwrap();
    let wrong = servers::client_with(s3.address(), "another-secret");
    let refused = refusal(wrong.get_object().bucket("ours").key("key").send().await);
    assert_eq!(refused, (403, "SignatureDoesNotMatch".to_owned()));
    let mut unsigned = TcpStream::connect(s3.address()).unwrap();
    write!(
        unsigned,
        "GET /ours/key HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        s3.address()
    )
    .unwrap();
    let mut answer = String::new();
    unsigned.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = Embedded::start(folder.path()).await;
    let bucket = servers::versioned_bucket(&s3.client(), "plain").await;
    let place = place(s3.client(), &bucket);
    let client = &place.client;
    let not_implemented = (501, "NotImplemented".to_owned());

    let suspended = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Suspended)
        .build();
    let suspend = client
        .put_bucket_versioning()
        .bucket(&bucket)
        .versioning_configuration(suspended);
    let error = suspend.send().await.expect_err("versioning can't be suspended");
    assert!(format!("{error:?}").contains("always versioned"), "{error:?}");

    let copy = client
        .copy_object()
        .bucket(&bucket)
        .key("copy")
        .copy_source("plain/key");
    assert_eq!(refusal(copy.send().await), not_implemented);
    let upload = client.create_multipart_upload().bucket(&bucket).key("parts");
    assert_eq!(refusal(upload.send().await), not_implemented);
    assert_eq!(
        refusal(place.put("key", "x").tagging("a=b").send().await),
        not_implemented
    );
    assert_eq!(
        refusal(place.put("key", "x").if_none_match("\"0\"").send().await),
        not_implemented
    );

    let again = refusal(client.create_bucket().bucket(&bucket).send().await);
    assert_eq!(again, (409, "BucketAlreadyOwnedByYou".to_owned()));
    let long = refusal(
        place
            .put("key", "x")
            .metadata("note", "x".repeat(2048))
            .send()
            .await,
    );
    assert_eq!(long, (400, "MetadataTooLarge".to_owned()));
    let version = client
        .get_object()
        .bucket(&bucket)
        .key("key")
        .version_id("../../x");
    assert_eq!(refusal(version.send().await), (400, "InvalidArgument".to_owned()));
    assert!(all_versions(&place).await.is_empty());
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_climbs_stays_within_its_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    let s3 = Embedded::start(&inner).await;
    let place = place(
        s3.client(),
        &servers::versioned_bucket(&s3.client(), "inside").await,
    );
    for name in [
        "../../../outside",
        "..",
        "/etc/passwd",
        "a/../../../outside",
        "./x",
    ] {
        place.put(name, name).send().await.unwrap();
        assert_eq!(place.read(name).await, name.as_bytes(), "{name}");
    }
    let outside: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(outside, ["inner"]);
    assert_eq!(files_below(&inner.join("inside/objects")).len(), 5);
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_a_thousand_versions_comes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = Embedded::start(folder.path()).await;
    let place = place(
        s3.client(),
        &servers::versioned_bucket(&s3.client(), "many").await,
    );
    // Written behind the store's back: a thousand synced writes take long, and the store reads names only.
    let id = place
        .put("key", "version 1")
        .send()
        .await
        .unwrap()
        .version_id
        .unwrap();
    s3.stop().await;
    let first = folder
        .path()
        .join(format!("many/objects/key/@0000000000000001-{id}"));
    for counter in 2..=1000_u128 {
        fs::copy(
            &first,
            first.with_file_name(format!("@{counter:016}-{counter:032x}")),
        )
        .unwrap();
    }

    let s3 = Embedded::start(folder.path()).await;
    let place = Place {
        client: s3.client(),
        ..place
    };
    let head = place
        .client
        .head_object()
        .bucket("many")
        .key("key")
        .send()
        .await
        .unwrap();
    assert_eq!(head.version_id(), Some(&*format!("{:032x}", 1000)));
    let versions = all_versions(&place).await;
    assert_eq!(versions.len(), 1000);
    assert_eq!(versions.last().unwrap().id, id);
    let oldest = place
        .client
        .get_object()
        .bucket("many")
        .key("key")
        .version_id(id)
        .send()
        .await
        .unwrap();
    assert_eq!(oldest.body.collect().await.unwrap().to_vec(), b"version 1");
    // Its counter is above the copies', or it would not be the latest.
    place
        .client
        .put_object()
        .bucket("many")
        .key("key")
        .body(ByteStream::from_static(b"new"))
        .send()
        .await
        .unwrap();
    assert_eq!(place.read("key").await, b"new");
    s3.stop().await;
}
