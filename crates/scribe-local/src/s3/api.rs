//! The S3 operations that the store offers; everything else answers `NotImplemented`.
//!
//! Translation only: from the wire's types to the store's and back.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use uuid::Uuid;

use super::download::{ReadConditions, range_of, wire_size, wire_time};
use super::error::StoreError;
use super::index::Found;
use super::key::ObjectKey;
use super::listing;
use super::store::{Condition, Deleted, Store, Target};
use super::upload;

/// Where the store says it is: clients sign for some region, and this one is taken for granted by all.
const REGION: &str = "us-east-1";

/// The store behind S3's operations.
pub(super) struct Api {
    pub(super) store: Arc<Store>,
}

fn target(bucket: String, key: &str) -> S3Result<Target> {
    Ok(Target {
        bucket,
        key: ObjectKey::parse(key).map_err(StoreError::from)?,
    })
}

/// A version id of a client: one that is not of our making is refused as S3 refuses it.
pub(super) fn version_id(text: Option<&str>) -> S3Result<Option<Uuid>> {
    let Some(text) = text else { return Ok(None) };
    match Uuid::try_parse(text) {
        Ok(id) if id.simple().to_string() == text => Ok(Some(id)),
        _ => Err(S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "invalid version id specified",
        )),
    }
}

fn header_of(found: &Found, name: &str) -> Option<String> {
    found.header.headers.get(name).cloned()
}

fn metadata_of(found: &Found) -> Option<Metadata> {
    let metadata = &found.header.metadata;
    (!metadata.is_empty()).then(|| {
        metadata
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    })
}

fn version_id_of(found: &Found) -> String {
    found.version.name.id.simple().to_string()
}

impl Api {
    async fn delete(&self, target: Target, version: Option<&str>, condition: Condition) -> S3Result<Deleted> {
        Ok(self.store.delete(target, version_id(version)?, condition).await?)
    }
}

#[async_trait::async_trait]
impl S3 for Api {
    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self
            .store
            .list_buckets()
            .into_iter()
            .map(|(name, created)| Bucket {
                name: Some(name),
                creation_date: Some(wire_time(created)),
                ..Bucket::default()
            });
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            ..Default::default()
        }))
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let name = request.input.bucket;
        self.store.create_bucket(name.clone()).await?;
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(format!("/{name}")),
        }))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.store.check_bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(REGION.to_owned()),
            ..Default::default()
        }))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.store.check_bucket(&request.input.bucket)?;
        let status = Some(BucketVersioningStatus::from_static(
            BucketVersioningStatus::ENABLED,
        ));
        Ok(S3Response::new(GetBucketVersioningOutput {
            status,
            ..Default::default()
        }))
    }

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        self.store.check_bucket(&request.input.bucket)?;
        let wanted = request.input.versioning_configuration;
        let enabled = wanted.status.as_ref().map(BucketVersioningStatus::as_str)
            == Some(BucketVersioningStatus::ENABLED);
        let mfa = wanted
            .mfa_delete
            .is_some_and(|mfa| mfa.as_str() != MFADelete::DISABLED);
        if enabled && !mfa {
            return Ok(S3Response::new(PutBucketVersioningOutput::default()));
        }
        Err(S3Error::with_message(
            S3ErrorCode::NotImplemented,
            "buckets of the embedded s3 are always versioned, without mfa delete: versioning can't be suspended",
        ))
    }

    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let target = target(std::mem::take(&mut request.input.bucket), &request.input.key)?;
        self.store.check_bucket(&target.bucket)?;
        let upload = upload::receive(&mut request.input, request.trailing_headers).await?;
        let written = self.store.put(target, upload.condition, upload.object).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(written.header.etag.clone())),
            version_id: Some(version_id_of(&written)),
            checksum_crc32: upload.checksum.checksum_crc32,
            checksum_crc32c: upload.checksum.checksum_crc32c,
            checksum_crc64nvme: upload.checksum.checksum_crc64nvme,
            checksum_sha1: upload.checksum.checksum_sha1,
            checksum_sha256: upload.checksum.checksum_sha256,
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let target = target(input.bucket, &input.key)?;
        let found = self
            .store
            .find(target.clone(), version_id(input.version_id.as_deref())?)
            .await?;
        ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        }
        .check(&found)?;
        let range = range_of(input.range, found.header.size)?;
        let mut body = self.store.body(target, &found).await?;
        let mut content_range = None;
        if let Some((range, text)) = range {
            body = body.slice(range);
            content_range = Some(text);
        }
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(wire_size(body.len() as u64)),
            content_range,
            body: Some(s3s::Body::from(body).into()),
            e_tag: Some(ETag::Strong(found.header.etag.clone())),
            last_modified: Some(wire_time(found.header.last_modified)),
            version_id: Some(version_id_of(&found)),
            metadata: metadata_of(&found),
            content_type: header_of(&found, "content-type"),
            cache_control: header_of(&found, "cache-control"),
            content_disposition: header_of(&found, "content-disposition"),
            content_encoding: header_of(&found, "content-encoding"),
            content_language: header_of(&found, "content-language"),
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let target = target(input.bucket, &input.key)?;
        let found = self
            .store
            .find(target, version_id(input.version_id.as_deref())?)
            .await?;
        ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        }
        .check(&found)?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(wire_size(found.header.size)),
            e_tag: Some(ETag::Strong(found.header.etag.clone())),
            last_modified: Some(wire_time(found.header.last_modified)),
            version_id: Some(version_id_of(&found)),
            metadata: metadata_of(&found),
            content_type: header_of(&found, "content-type"),
            cache_control: header_of(&found, "cache-control"),
            content_disposition: header_of(&found, "content-disposition"),
            content_encoding: header_of(&found, "content-encoding"),
            content_language: header_of(&found, "content-language"),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let condition = input
            .if_match
            .as_ref()
            .map_or(Condition::None, upload::match_condition);
        let target = target(input.bucket, &input.key)?;
        let deleted = self
            .delete(target, input.version_id.as_deref(), condition)
            .await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.delete_marker.then_some(true),
            version_id: Some(deleted.version_id.simple().to_string()),
            ..Default::default()
        }))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        self.store.check_bucket(&bucket)?;
        if delete.objects.len() > listing::MAX_KEYS {
            return Err(S3Error::new(S3ErrorCode::MalformedXML));
        }
        let mut output = DeleteObjectsOutput::default();
        for object in delete.objects {
            let condition = object.e_tag.map_or(Condition::None, |etag| {
                upload::match_condition(&ETagCondition::ETag(etag))
            });
            let deleted = match target(bucket.clone(), &object.key) {
                Ok(target) => self.delete(target, object.version_id.as_deref(), condition).await,
                Err(error) => Err(error),
            };
            match deleted {
                Ok(deleted) if delete.quiet != Some(true) => {
                    let marker = deleted
                        .delete_marker
                        .then(|| deleted.version_id.simple().to_string());
                    output.deleted.get_or_insert_default().push(DeletedObject {
                        key: Some(object.key),
                        version_id: object.version_id,
                        delete_marker: marker.is_some().then_some(true),
                        delete_marker_version_id: marker,
                    });
                }
                Ok(_) => {}
                Err(error) => output.errors.get_or_insert_default().push(Error {
                    key: Some(object.key),
                    version_id: object.version_id,
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                }),
            }
        }
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let query = listing::objects_query(&input)?;
        let page = self.store.list(input.bucket.clone(), query).await?;
        Ok(S3Response::new(listing::objects_answer(input, &page)))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let query = listing::versions_query(&input)?;
        let page = self.store.list(input.bucket.clone(), query).await?;
        Ok(S3Response::new(listing::versions_answer(input, &page)))
    }
}
