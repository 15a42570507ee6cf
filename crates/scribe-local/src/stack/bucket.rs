//! The bucket: made with versions where it is absent, and refused where it has none.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::config::YourS3;

/// The keys of an S3.
pub(crate) fn credentials(s3: &YourS3) -> Credentials {
    let token = s3.session_token.as_ref().map(|token| token.expose().to_owned());
    Credentials::new(
        &s3.access_key,
        s3.secret_key.expose(),
        token,
        None,
        "scribe-local",
    )
}

/// A client, with the settings that the scribe's own has.
pub(crate) fn client(s3: &YourS3) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(12))
        .build();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .region(Region::new(s3.region.clone()))
        .endpoint_url(&s3.endpoint)
        .credentials_provider(credentials(s3))
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    Client::from_conf(config)
}

/// Sees to it that the bucket is there and keeps versions.
pub(crate) async fn make(client: &Client, s3: &YourS3, bucket: &str) -> anyhow::Result<()> {
    let failed = |what: &str| format!("can't {what} the bucket {bucket} at {}", s3.endpoint);
    let absent = match client.head_bucket().bucket(bucket).send().await {
        Ok(_) => false,
        Err(error)
            if error
                .raw_response()
                .is_some_and(|response| response.status().as_u16() == 404) =>
        {
            true
        }
        Err(error) => return Err(error).with_context(|| failed("reach")),
    };
    if absent {
        client
            .create_bucket()
            .bucket(bucket)
            .send()
            .await
            .with_context(|| failed("make"))?;
        let enabled = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let versioned = client
            .put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(enabled)
            .send()
            .await;
        versioned.with_context(|| failed("version"))?;
        return Ok(());
    }
    let versioned = match client.get_bucket_versioning().bucket(bucket).send().await {
        Ok(versioning) => versioning.status() == Some(&BucketVersioningStatus::Enabled),
        // Of a bucket without versions some servers say it in words that the SDK does not understand.
        Err(error)
            if error
                .raw_response()
                .is_some_and(|response| response.status().is_success()) =>
        {
            false
        }
        Err(error) => return Err(error).with_context(|| failed("look at")),
    };
    if !versioned {
        bail!(
            "the bucket {bucket} at {} keeps no versions; enable them, or choose another SCRIBE_BUCKET",
            s3.endpoint
        );
    }
    Ok(())
}
