//! What a client is given with `GetObject` and `HeadObject`: conditions, ranges, headers.

use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};
use jiff::Timestamp;
use s3s::dto::{ETag, ETagCondition, Range, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::index::Found;

/// The conditions of a read.
pub(super) struct ReadConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<s3s::dto::Timestamp>,
    pub(super) if_unmodified_since: Option<s3s::dto::Timestamp>,
}

impl ReadConditions {
    /// Lets the read go on, or answers 412 or 304. An ETag outweighs a time, as S3 and RFC 9110 have it.
    pub(super) fn check(&self, found: &Found) -> S3Result<()> {
        let is = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(ETag::Strong(value) | ETag::Weak(value)) => *value == found.header.etag,
        };
        // HTTP's times have whole seconds; a version is not newer than its own Last-Modified.
        let modified = Timestamp::from_second(found.header.last_modified.as_second());
        let modified = wire_time(modified.unwrap_or(Timestamp::UNIX_EPOCH));
        let holds = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => is(condition),
            (None, Some(since)) => modified <= *since,
            (None, None) => true,
        };
        if !holds {
            return Err(S3Error::with_message(
                S3ErrorCode::PreconditionFailed,
                "at least one of the preconditions did not hold",
            ));
        }
        let fresh = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => is(condition),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if fresh { Err(not_modified(found)) } else { Ok(()) }
    }
}

fn not_modified(found: &Found) -> S3Error {
    let mut answer = S3Error::new(S3ErrorCode::NotModified);
    let mut last_modified = Vec::new();
    // A time that can't be written is left out; it never happens for a time that was stored.
    drop(wire_time(found.header.last_modified).format(TimestampFormat::HttpDate, &mut last_modified));
    let id = found.version.name.id.simple().to_string();
    let headers = [
        (ETAG, HeaderValue::from_str(&format!("\"{}\"", found.header.etag))),
        (LAST_MODIFIED, HeaderValue::from_bytes(&last_modified)),
        (
            HeaderName::from_static("x-amz-version-id"),
            HeaderValue::from_str(&id),
        ),
    ];
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.ok()?)));
    answer.set_headers(HeaderMap::from_iter(headers));
    answer
}

/// Which bytes of the body are wanted: a range that lies in it, with its `Content-Range`, or nothing for all.
pub(super) fn range_of(
    range: Option<Range>,
    size: u64,
) -> S3Result<Option<(std::ops::Range<usize>, String)>> {
    let Some(range) = range else { return Ok(None) };
    let range = range.check(size)?;
    let content_range = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    let too_long = |_| S3Error::new(S3ErrorCode::InvalidRange);
    let start = usize::try_from(range.start).map_err(too_long)?;
    let end = usize::try_from(range.end).map_err(too_long)?;
    Ok(Some((start..end, content_range)))
}

/// A time as the wire's types have it.
pub(super) fn wire_time(time: Timestamp) -> s3s::dto::Timestamp {
    std::time::SystemTime::from(time).into()
}

/// A length as the wire's types have it.
pub(super) fn wire_size(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
