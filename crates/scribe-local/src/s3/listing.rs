//! `ListObjectsV2` and `ListObjectVersions`: their parameters and answers.
//!
//! A continuation token is the name that a page ended with, in hexadecimal: it needs no memory here, and goes on
//! after a restart.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ETag, EncodingType, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass, ObjectVersion,
    ObjectVersionStorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::api::version_id;
use super::download::{wire_size, wire_time};
use super::index::{Kind, Listed, Page, Query, Start};
use super::version_file::Header;

/// S3's own bound for a page, and for a list of objects to delete.
pub(super) const MAX_KEYS: usize = 1000;

/// What `encoding-type=url` leaves as it is.
const URL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

type HeaderPage = Page<(Listed, Arc<Header>)>;

fn invalid(message: &'static str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message)
}

fn limit(max_keys: Option<i32>) -> S3Result<usize> {
    match max_keys {
        None => Ok(MAX_KEYS),
        Some(wanted) => match usize::try_from(wanted) {
            Ok(wanted) => Ok(wanted.min(MAX_KEYS)),
            Err(_) => Err(invalid("max-keys must not be negative")),
        },
    }
}

fn name_of_token(token: &str) -> S3Result<String> {
    let name = hex::decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| invalid("the continuation token is not one of ours"))
}

/// Names in an answer: as they are, or percent-encoded for clients that asked for it.
struct Names {
    url: bool,
}

impl Names {
    fn of(encoding: Option<&EncodingType>) -> Self {
        Self {
            url: encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL),
        }
    }

    fn write(&self, name: &str) -> String {
        if self.url {
            utf8_percent_encode(name, URL).to_string()
        } else {
            name.to_owned()
        }
    }

    fn write_optional(&self, name: Option<String>) -> Option<String> {
        name.map(|name| self.write(&name))
    }

    fn groups(&self, names: &[String]) -> Option<Vec<CommonPrefix>> {
        let groups = names.iter().map(|name| CommonPrefix {
            prefix: Some(self.write(name)),
        });
        (!names.is_empty()).then(|| groups.collect())
    }
}

pub(super) fn objects_query(input: &ListObjectsV2Input) -> S3Result<Query> {
    let start = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Start::AfterEntry(name_of_token(token)?),
        (None, Some(key)) => Start::AfterKey(key.clone()),
        (None, None) => Start::First,
    };
    Ok(Query {
        kind: Kind::Objects,
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        start,
        limit: limit(input.max_keys)?,
    })
}

pub(super) fn objects_answer(input: ListObjectsV2Input, page: &HeaderPage) -> ListObjectsV2Output {
    let names = Names::of(input.encoding_type.as_ref());
    let objects = page.entries.iter().map(|(entry, header)| Object {
        key: Some(names.write(entry.key.as_str())),
        e_tag: Some(ETag::Strong(header.etag.clone())),
        last_modified: Some(wire_time(header.last_modified)),
        size: Some(wire_size(header.size)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    });
    let count = page.entries.len() + page.common_prefixes.len();
    ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        delimiter: names.write_optional(input.delimiter),
        start_after: names.write_optional(input.start_after),
        encoding_type: input.encoding_type,
        max_keys: Some(input.max_keys.unwrap_or(1000)),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.more_after.is_some()),
        next_continuation_token: page.more_after.as_ref().map(|(name, _)| hex::encode(name)),
        contents: Some(objects.collect()),
        common_prefixes: names.groups(&page.common_prefixes),
        ..Default::default()
    }
}

pub(super) fn versions_query(input: &ListObjectVersionsInput) -> S3Result<Query> {
    let start = match (&input.key_marker, version_id(input.version_id_marker.as_deref())?) {
        (Some(key), Some(id)) => Start::AfterVersion(key.clone(), id),
        (Some(key), None) => Start::AfterEntry(key.clone()),
        (None, None) => Start::First,
        (None, Some(_)) => return Err(invalid("a version id marker needs a key marker")),
    };
    Ok(Query {
        kind: Kind::Versions,
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        start,
        limit: limit(input.max_keys)?,
    })
}

pub(super) fn versions_answer(input: ListObjectVersionsInput, page: &HeaderPage) -> ListObjectVersionsOutput {
    let names = Names::of(input.encoding_type.as_ref());
    let mut versions = Vec::new();
    let mut delete_markers = Vec::new();
    for (entry, header) in &page.entries {
        let key = Some(names.write(entry.key.as_str()));
        let version_id = Some(entry.version.name.id.simple().to_string());
        let is_latest = Some(entry.latest);
        let last_modified = Some(wire_time(header.last_modified));
        if entry.version.name.deleted {
            let marker = DeleteMarkerEntry {
                key,
                version_id,
                is_latest,
                last_modified,
                owner: None,
            };
            delete_markers.push(marker);
        } else {
            versions.push(ObjectVersion {
                key,
                version_id,
                is_latest,
                last_modified,
                e_tag: Some(ETag::Strong(header.etag.clone())),
                size: Some(wire_size(header.size)),
                storage_class: Some(ObjectVersionStorageClass::from_static(
                    ObjectVersionStorageClass::STANDARD,
                )),
                ..ObjectVersion::default()
            });
        }
    }
    let (next_key, next_version) = page.more_after.clone().unzip();
    ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        delimiter: names.write_optional(input.delimiter),
        key_marker: Some(names.write(&input.key_marker.unwrap_or_default())),
        version_id_marker: input.version_id_marker,
        encoding_type: input.encoding_type,
        max_keys: Some(input.max_keys.unwrap_or(1000)),
        is_truncated: Some(page.more_after.is_some()),
        next_key_marker: names.write_optional(next_key),
        next_version_id_marker: next_version.flatten().map(|id| id.simple().to_string()),
        versions: Some(versions),
        delete_markers: Some(delete_markers),
        common_prefixes: names.groups(&page.common_prefixes),
        ..Default::default()
    }
}
