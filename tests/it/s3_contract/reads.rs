//! Reading.

use aws_sdk_s3::types::BucketVersioningStatus;

use super::servers::{Place, refusal};

pub(super) async fn what_is_absent_is_not_found(place: Place) {
    let get = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(place.key("absent"));
    assert_eq!(refusal(get.send().await), (404, "NoSuchKey".to_owned()));
    let head = place
        .client
        .head_object()
        .bucket(&place.bucket)
        .key(place.key("absent"));
    assert_eq!(refusal(head.send().await).0, 404);
    let get = place.client.get_object().bucket("no-such-bucket").key("absent");
    assert_eq!(refusal(get.send().await), (404, "NoSuchBucket".to_owned()));
    let put = place.client.put_object().bucket("no-such-bucket").key("absent");
    assert_eq!(refusal(put.send().await), (404, "NoSuchBucket".to_owned()));
}

pub(super) async fn what_is_unchanged_is_not_sent(place: Place) {
    let etag = place.put("key", "one").send().await.unwrap().e_tag.unwrap();
    let get = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(place.key("key"))
        .if_none_match(&etag);
    let unchanged = get.clone().send().await.expect_err("the object has not changed");
    let answer = unchanged.raw_response().unwrap();
    assert_eq!(answer.status().as_u16(), 304);
    assert_eq!(answer.headers().get("etag"), Some(&*etag));
    assert_eq!(answer.body().bytes(), Some(&b""[..]));
    place.put("key", "two").send().await.unwrap();
    let changed = get.send().await.unwrap();
    assert_eq!(changed.body.collect().await.unwrap().to_vec(), b"two");
}

pub(super) async fn a_condition_that_fails_is_said(place: Place) {
    let etag = place.put("key", "one").send().await.unwrap().e_tag.unwrap();
    let get = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(place.key("key"))
        .if_match(etag);
    get.clone().send().await.unwrap();
    place.put("key", "two").send().await.unwrap();
    assert_eq!(refusal(get.send().await), (412, "PreconditionFailed".to_owned()));
}

pub(super) async fn a_range_is_a_part(place: Place) {
    place.put("key", "0123456789").send().await.unwrap();
    for (range, part, content_range) in [
        ("bytes=2-5", "2345", "bytes 2-5/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-4", "6789", "bytes 6-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let get = place
            .client
            .get_object()
            .bucket(&place.bucket)
            .key(place.key("key"))
            .range(range);
        let got = get.send().await.unwrap();
        assert_eq!(got.content_range(), Some(content_range));
        assert_eq!(got.content_length(), Some(part.len().try_into().unwrap()));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), part.as_bytes());
    }
    let beyond = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(place.key("key"))
        .range("bytes=10-");
    assert_eq!(refusal(beyond.send().await), (416, "InvalidRange".to_owned()));
}

pub(super) async fn a_bucket_says_that_it_is_versioned(place: Place) {
    let versioning = place
        .client
        .get_bucket_versioning()
        .bucket(&place.bucket)
        .send()
        .await;
    if place.server.answers().versioning_is_readable {
        assert_eq!(
            versioning.unwrap().status(),
            Some(&BucketVersioningStatus::Enabled)
        );
    } else {
        let error = format!("{:?}", versioning.unwrap_err());
        assert!(error.contains("<Status>Enabled</Status>"), "{error}");
    }
    place
        .client
        .head_bucket()
        .bucket(&place.bucket)
        .send()
        .await
        .unwrap();
    let head = place.client.head_bucket().bucket("no-such-bucket").send().await;
    assert_eq!(refusal(head).0, 404);
    let buckets = place.client.list_buckets().send().await.unwrap();
    let names: Vec<_> = buckets
        .buckets()
        .iter()
        .filter_map(|bucket| bucket.name())
        .collect();
    assert_eq!(names, [place.bucket]);
}
