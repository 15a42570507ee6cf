//! What a client sends with `PutObject`, checked and read.
//!
//! A body is read whole before anything is written: it is checked against every sum the client sent, in the
//! headers or behind the body, and bounded. Headers that would promise something the store does not do are refused
//! rather than ignored.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, ETag, ETagCondition, PutObjectInput, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};

use super::store::{Condition, NewObject};

/// The longest body that is taken, in bytes. Bodies are held in memory; documents are far smaller.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// S3's own bound for names and values of user metadata, together, in bytes.
const MAX_METADATA_BYTES: usize = 2048;

/// An upload that was read and found right.
pub(super) struct Upload {
    pub(super) condition: Condition,
    pub(super) object: NewObject,
    /// The sums that the client sent, to be confirmed in the answer.
    pub(super) checksum: Checksum,
}

/// Checks and reads an upload. Takes the body out of the input.
pub(super) async fn receive(
    input: &mut PutObjectInput,
    trailers: Option<TrailingHeaders>,
) -> S3Result<Upload> {
    refuse_unknown(input)?;
    let condition = condition(input)?;
    let metadata: BTreeMap<_, _> = input.metadata.take().unwrap_or_default().into_iter().collect();
    if metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>()
        > MAX_METADATA_BYTES
    {
        return Err(refusal(
            S3ErrorCode::MetadataTooLarge,
            format!("user metadata has at most {MAX_METADATA_BYTES} bytes"),
        ));
    }
    let body = match input.body.take() {
        Some(body) => read(body).await?,
        None => Bytes::new(),
    };
    let checksum = check(input, trailers, &body)?;
    Ok(Upload {
        condition,
        object: NewObject {
            headers: headers(input),
            metadata,
            body,
        },
        checksum,
    })
}

fn refusal(code: S3ErrorCode, message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(code, message)
}

fn refuse_unknown(input: &PutObjectInput) -> S3Result<()> {
    let refused = [
        (input.tagging.is_some(), "x-amz-tagging"),
        (input.object_lock_mode.is_some(), "x-amz-object-lock-mode"),
        (
            input.object_lock_legal_hold_status.is_some(),
            "x-amz-object-lock-legal-hold",
        ),
        (
            input.object_lock_retain_until_date.is_some(),
            "x-amz-object-lock-retain-until-date",
        ),
        (
            input.sse_customer_algorithm.is_some(),
            "x-amz-server-side-encryption-customer-algorithm",
        ),
        (
            input.website_redirect_location.is_some(),
            "x-amz-website-redirect-location",
        ),
        (input.write_offset_bytes.is_some(), "x-amz-write-offset-bytes"),
    ];
    match refused.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(refusal(
            S3ErrorCode::NotImplemented,
            format!("the embedded s3 does not take {name}"),
        )),
        None => Ok(()),
    }
}

fn condition(input: &PutObjectInput) -> S3Result<Condition> {
    match (&input.if_match, &input.if_none_match) {
        (None, None) => Ok(Condition::None),
        (Some(condition), None) => Ok(match_condition(condition)),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        // S3 answers the same.
        (None, Some(ETagCondition::ETag(_))) => Err(refusal(
            S3ErrorCode::NotImplemented,
            "if-none-match takes only * when an object is written",
        )),
        (Some(_), Some(_)) => Err(refusal(
            S3ErrorCode::NotImplemented,
            "if-match and if-none-match exclude each other",
        )),
    }
}

/// An `If-Match` as a condition. A weak ETag matches nothing: S3 gives out strong ones only.
pub(super) fn match_condition(condition: &ETagCondition) -> Condition {
    match condition {
        ETagCondition::Any => Condition::Present,
        ETagCondition::ETag(ETag::Strong(value)) => Condition::Etag(value.clone()),
        ETagCondition::ETag(ETag::Weak(value)) => Condition::Etag(format!("W/{value}")),
    }
}

fn headers(input: &mut PutObjectInput) -> BTreeMap<String, String> {
    let given = [
        ("content-type", input.content_type.take()),
        ("cache-control", input.cache_control.take()),
        ("content-disposition", input.content_disposition.take()),
        ("content-encoding", input.content_encoding.take()),
        ("content-language", input.content_language.take()),
    ];
    given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

async fn read(mut body: StreamingBlob) -> S3Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        // A broken connection, or a payload that is not the one that was signed.
        let chunk = chunk.map_err(|error| {
            refusal(
                S3ErrorCode::IncompleteBody,
                format!("the body could not be read: {error}"),
            )
        })?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(refusal(
                S3ErrorCode::EntityTooLarge,
                format!("the embedded s3 takes at most {MAX_BODY_BYTES} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Compares the body with every sum the client sent, and answers with those.
fn check(input: &PutObjectInput, trailers: Option<TrailingHeaders>, body: &[u8]) -> S3Result<Checksum> {
    if let Some(expected) = &input.content_md5
        && *expected != BASE64_STANDARD.encode(Md5::checksum(body))
    {
        return Err(refusal(
            S3ErrorCode::BadDigest,
            "the body does not have its content-md5",
        ));
    }
    let trailers = trailers.and_then(|trailers| trailers.take()).unwrap_or_default();
    let expected = |header: &Option<String>, name: &str| {
        let trailer = || Some(trailers.get(name)?.to_str().ok()?.to_owned());
        header.clone().or_else(trailer)
    };
    let expected = Checksum {
        checksum_crc32: expected(&input.checksum_crc32, "x-amz-checksum-crc32"),
        checksum_crc32c: expected(&input.checksum_crc32c, "x-amz-checksum-crc32c"),
        checksum_crc64nvme: expected(&input.checksum_crc64nvme, "x-amz-checksum-crc64nvme"),
        checksum_sha1: expected(&input.checksum_sha1, "x-amz-checksum-sha1"),
        checksum_sha256: expected(&input.checksum_sha256, "x-amz-checksum-sha256"),
        checksum_type: None,
    };
    let mut hasher = ChecksumHasher {
        crc32: expected.checksum_crc32.as_ref().map(|_| Crc32::new()),
        crc32c: expected.checksum_crc32c.as_ref().map(|_| Crc32c::new()),
        crc64nvme: expected.checksum_crc64nvme.as_ref().map(|_| Crc64Nvme::new()),
        sha1: expected.checksum_sha1.as_ref().map(|_| Sha1::new()),
        sha256: expected.checksum_sha256.as_ref().map(|_| Sha256::new()),
    };
    hasher.update(body);
    if hasher.finalize() == expected {
        Ok(expected)
    } else {
        Err(refusal(
            S3ErrorCode::BadDigest,
            "the body does not have its x-amz-checksum",
        ))
    }
}
