//! The servers under test, and a client for them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_smithy_http_client::tls;
use scribe_local::s3::{self, EmbeddedS3};

pub(super) const ACCESS_KEY: &str = "test-access-key";
pub(super) const SECRET_KEY: &str = "test-secret-key";

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

/// Which server a case runs against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Embedded,
    Moto,
    SeaweedFs,
}

/// Where servers differ. The cases assert what stands here, so that a difference that goes away is noticed.
pub(super) struct Answers {
    /// A PUT with `If-Match` where nothing is, or where a delete marker is.
    pub(super) absent_if_match: (u16, &'static str),
    /// A read of a delete marker by its version id.
    pub(super) marker_read: (u16, &'static str),
    /// Whether the removal of a delete marker says that it was one.
    pub(super) marker_removal: Option<bool>,
    /// A body that does not have its Content-MD5; nothing where it is stored all the same.
    pub(super) wrong_md5: Option<(u16, &'static str)>,
    /// Whether metadata with an empty value is kept.
    pub(super) keeps_empty_metadata: bool,
    /// Whether the body of an object whose key ends in a slash is kept.
    pub(super) keeps_folder_bodies: bool,
    /// Whether the bucket's versioning is told in a form that AWS' own client reads.
    pub(super) versioning_is_readable: bool,
}

impl Server {
    pub(super) fn answers(self) -> Answers {
        match self {
            // As AWS documents them.
            Self::Embedded => Answers {
                absent_if_match: (404, "NoSuchKey"),
                marker_read: (405, "MethodNotAllowed"),
                marker_removal: Some(true),
                wrong_md5: Some((400, "BadDigest")),
                keeps_empty_metadata: true,
                keeps_folder_bodies: true,
                versioning_is_readable: true,
            },
            // moto 5.2.
            Self::Moto => Answers {
                absent_if_match: (404, "NoSuchKey"),
                marker_read: (404, "NoSuchVersion"),
                marker_removal: None,
                wrong_md5: None,
                keeps_empty_metadata: true,
                keeps_folder_bodies: true,
                versioning_is_readable: false,
            },
            // SeaweedFS 4.48.
            Self::SeaweedFs => Answers {
                absent_if_match: (412, "PreconditionFailed"),
                marker_read: (404, "NoSuchKey"),
                marker_removal: Some(true),
                wrong_md5: Some((400, "BadDigest")),
                keeps_empty_metadata: false,
                keeps_folder_bodies: false,
                versioning_is_readable: true,
            },
        }
    }
}

/// Where a case may write: under the prefix, in the bucket.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) server: Server,
}

impl Place {
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn put(&self, name: &str, body: impl Into<Vec<u8>>) -> PutObjectFluentBuilder {
        let put = self.client.put_object().bucket(&self.bucket).key(self.key(name));
        put.body(ByteStream::from(body.into()))
    }

    /// The body of the latest version.
    pub(super) async fn read(&self, name: &str) -> Vec<u8> {
        let got = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(name))
            .send()
            .await
            .unwrap();
        got.body.collect().await.unwrap().to_vec()
    }
}

/// The status and code of a request that must have been refused.
pub(super) fn refusal<T: std::fmt::Debug, E>(result: Result<T, SdkError<E>>) -> (u16, String)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = result.expect_err("the request must be refused");
    let status = error
        .raw_response()
        .unwrap_or_else(|| panic!("no answer: {error:?}"))
        .status()
        .as_u16();
    (status, error.code().unwrap_or_default().to_owned())
}

/// A client that sends every request once: a retry would hide who won.
pub(super) fn client_with(address: SocketAddr, secret_key: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .force_path_style(true)
        .credentials_provider(Credentials::new(ACCESS_KEY, secret_key, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        // A busy machine is slow; what counts is the answer.
        .timeout_config(TimeoutConfig::builder().connect_timeout(START).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// Creates a versioned bucket and gives back its name.
pub(super) async fn versioned_bucket(client: &Client, name: &str) -> String {
    client.create_bucket().bucket(name).send().await.unwrap();
    let enabled = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    client
        .put_bucket_versioning()
        .bucket(name)
        .versioning_configuration(enabled)
        .send()
        .await
        .unwrap();
    name.to_owned()
}

pub(super) fn credentials() -> s3::Credentials {
    s3::Credentials {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
    }
}

/// The embedded S3 in this process.
pub(super) struct Embedded(EmbeddedS3);

impl Embedded {
    pub(super) async fn start(folder: &Path) -> Self {
        Self::try_start(folder).await.unwrap()
    }

    pub(super) async fn try_start(folder: &Path) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self(EmbeddedS3::start(folder, listener, credentials()).await?))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub(super) fn client(&self) -> Client {
        client_with(self.address(), SECRET_KEY)
    }

    pub(super) async fn stop(self) {
        self.0.stop().await;
    }
}

/// A process of the test's own, killed with it.
pub(super) struct Process(pub(super) Child);

impl Process {
    /// `kill -9`, and the proof that it is gone.
    pub(super) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits for the line that `find` recognises, and keeps reading so that the writer never has to wait.
pub(super) fn wait_for_line<T: Send + 'static>(
    output: impl std::io::Read + Send + 'static,
    mut find: impl FnMut(&str) -> Option<T> + Send + 'static,
) -> Option<T> {
    let (found, wait) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(value) = find(&line) {
                found.send(value).ok();
            }
        }
    });
    wait.recv_timeout(START).ok()
}

/// moto's server, in memory, on a port that it chose, answering one request at a time.
pub(super) struct Moto {
    address: SocketAddr,
    _process: Process,
}

impl Moto {
    pub(super) fn start() -> Self {
        let program = moto_server();
        assert!(
            program.exists(),
            "moto_server is not at {}: `make test` installs it, SCRIBE_MOTO_SERVER may name another",
            program.display()
        );
        // The Python beside it is the one that has moto.
        let mut child = Command::new(program.with_file_name("python3"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("it/s3_contract/serve_moto.py"))
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = child.stderr.take().unwrap();
        let process = Process(child);
        let running = |line: &str| line.split_once("Running on http://")?.1.trim().parse().ok();
        let address = wait_for_line(log, running).expect("moto_server must say where it listens");
        Self {
            address,
            _process: process,
        }
    }

    pub(super) fn client(&self) -> Client {
        client_with(self.address, SECRET_KEY)
    }
}

fn moto_server() -> PathBuf {
    match std::env::var_os("SCRIBE_MOTO_SERVER") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/moto/bin/moto_server"),
    }
}
