//! What `make run` is told: where to listen, where the data is, and which services are yours.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scribe_api::config::ApiConfig;

/// The bucket where none is named.
pub const DEFAULT_BUCKET: &str = "background-scribe";

/// Where the stack runs and what it uses instead of its own.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Whom the API lets in, and how much they may ask.
    pub api: ApiConfig,
    /// Where the API listens: on loopback, if everybody is let in.
    pub address: SocketAddr,
    /// The folder for everything that must be there again after a restart.
    pub data: PathBuf,
    /// The summarizer's binary.
    pub summarizer: PathBuf,
    /// The sweeper's binary.
    pub sweeper: PathBuf,
    /// How often the sweeper is invoked. EventBridge's shortest schedule is a minute, in which it looks three times.
    pub sweep_schedule: Duration,
    /// A Redis to use instead of starting one: `redis://…` or `rediss://…`.
    pub redis: Option<Secret>,
    /// An S3 to use instead of the embedded one.
    pub s3: Option<YourS3>,
    /// A model to use instead of the stand-in.
    pub model: Option<YourModel>,
    /// The bucket. One that is not there is made, with versions.
    pub bucket: String,
    /// More environment for the function: `SCRIBE_…` and what its clients and its log need. With
    /// `AWS_LAMBDA_MAX_CONCURRENCY` each of its processes gets as many invocations at once.
    pub environment: Vec<(String, String)>,
    /// How long Lambda waits before each retry of a failed invocation. In the cloud it is one minute and two, too
    /// long to watch. Best longer than the lease (10 s) and the pauses after failures (2 s, 10 s): a retry that meets
    /// the lease of its dead predecessor, or the pause, ends as "busy", and then the turn waits for the sweeper.
    pub retry_waits: Vec<Duration>,
}

impl StackConfig {
    /// A stack with services of its own only, and the functions' binaries in the folder `binaries`.
    #[must_use]
    pub fn new(address: SocketAddr, data: impl Into<PathBuf>, binaries: impl AsRef<Path>) -> Self {
        Self {
            api: ApiConfig::default(),
            address,
            data: data.into(),
            summarizer: binaries.as_ref().join("summarizer"),
            sweeper: binaries.as_ref().join("sweeper"),
            sweep_schedule: Duration::from_mins(1),
            redis: None,
            s3: None,
            model: None,
            bucket: DEFAULT_BUCKET.to_owned(),
            environment: Vec::new(),
            retry_waits: vec![Duration::from_secs(12), Duration::from_secs(15)],
        }
    }
}

/// An S3 that is yours.
#[derive(Debug, Clone)]
pub struct YourS3 {
    /// `AWS_ENDPOINT_URL_S3`.
    pub endpoint: String,
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: Secret,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<Secret>,
}

/// A model that is yours.
#[derive(Debug, Clone)]
pub struct YourModel {
    /// `OPENAI_BASE_URL`; OpenAI's own where there is none.
    pub base_url: Option<String>,
    /// `OPENAI_API_KEY`.
    pub api_key: Option<Secret>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
