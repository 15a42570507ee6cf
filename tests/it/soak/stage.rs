//! What schedules run on: redis-server, the embedded S3 and Lambda's front end with real function processes, each
//! behind the machine's taps. It stays up from schedule to schedule.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::config::timeout::TimeoutConfig;
use scribe_core::style::StyleChoice;
use scribe_core::{ActiveScribeSession, ConversationKey};
use scribe_engine::conversations::Start;
use scribe_engine::documents::{Fetched, StoredAsset};
use scribe_engine::{Conversations, Documents};
use scribe_local::lambda::{FunctionConfig, LambdaService, RecursiveLoop};
use scribe_local::s3::{Credentials, EmbeddedS3};
use scribe_trigger::{Dispatcher, Ledger, Recorder, TriggerConfig};

use super::api::Api;
use super::machine::{Machine, RedisWatch};
use super::model;
use super::plan::Who;
use super::redis_hands::RedisHands;
use super::taps::{InvokeTap, s3};
use super::upstream::{self, Scripts};
use crate::world::{
    ACCESS_KEY, BUCKET, RedisServer, RedisTap, SECRET_KEY, id, lambda_client, listener, s3_client,
};

const SUMMARIZER: &str = "summarizer";
const SWEEPER: &str = "sweeper";
/// How soon a sweeper that has ended or was killed is invoked again, and failed records are delivered again.
const SOON: Duration = Duration::from_millis(300);

/// How this stage differs from the usual one.
#[derive(Clone)]
pub(super) struct Settings {
    /// How many processes of the function run at once.
    pub(super) functions: usize,
    /// How many of the API.
    pub(super) apis: usize,
    /// How long the model thinks.
    pub(super) thinking: Duration,
    /// Every event is delivered twice at the same moment.
    pub(super) duplicates: bool,
    /// How long Lambda waits before its retries.
    pub(super) retry_waits: Vec<Duration>,
    /// How long the recorder waits for Redis.
    pub(super) redis_timeout: Duration,
    /// Variables of the functions, beside and before the usual ones.
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            functions: 8,
            apis: 0,
            thinking: Duration::from_millis(20),
            duplicates: false,
            retry_waits: vec![Duration::from_millis(150), Duration::from_millis(300)],
            redis_timeout: Duration::from_millis(250),
            environment: Vec::new(),
        }
    }
}

/// The product's settings, scaled down so that a schedule takes seconds.
const SCALED: [(&str, &str); 14] = [
    ("SCRIBE_LEASE_MS", "2000"),
    ("SCRIBE_PAUSES_MS", "20,60,200"),
    ("SCRIBE_LONGEST_PAUSE_MS", "400"),
    ("SCRIBE_SWEEP_EVERY_MS", "400"),
    ("SCRIBE_SWEEP_AFTER_MS", "500"),
    ("SCRIBE_WAITING_AGE_MS", "1000"),
    ("SCRIBE_MAX_CHAIN", "16"),
    ("SCRIBE_MODEL_CONNECT_TIMEOUT_MS", "1000"),
    ("SCRIBE_MODEL_FIRST_TOKEN_TIMEOUT_MS", "4000"),
    ("SCRIBE_MODEL_BETWEEN_TOKENS_TIMEOUT_MS", "1500"),
    ("SCRIBE_MODEL_TURN_TIMEOUT_MS", "8000"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("NO_PROXY", "127.0.0.1"),
    ("NO_COLOR", "1"),
];

/// The API's, beside those. Its answers end when their turns are recorded, or it has been told why not.
const CHATTING: [(&str, &str); 3] = [
    ("CHAT_RECORD_WAIT_MS", "10000"),
    ("SCRIBE_RATE_PER_S", "100000"),
    ("SCRIBE_RATE_BURST", "100000"),
];

/// See above.
pub(super) struct Stage {
    pub(super) machine: Arc<Machine>,
    pub(super) invokes: Arc<InvokeTap>,
    pub(super) lambda: LambdaService,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) documents: Documents,
    pub(super) ledger: Ledger,
    pub(super) conversations: Conversations,
    pub(super) recorder: Recorder,
    pub(super) api: Api,
    pub(super) scripts: Arc<Scripts>,
    folder: tempfile::TempDir,
    _embedded: EmbeddedS3,
}

/// A binary of the workspace, as `make test` builds it.
pub(super) fn built(name: &str) -> PathBuf {
    let built = std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .join(name);
    assert!(
        built.exists(),
        "{} is not built; run `cargo build --workspace --bins`, as `make test` does",
        built.display()
    );
    built
}

impl Stage {
    pub(super) async fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = RedisServer::start();
        let redis = server.address();
        let redis_url = server.url();
        let machine = Arc::new(Machine::new(RedisHands::new(server)));
        let credentials = Credentials {
            access_key: ACCESS_KEY.into(),
            secret_key: SECRET_KEY.into(),
        };
        let embedded = EmbeddedS3::start(&folder.path().join("s3"), listener().await, credentials)
            .await
            .unwrap();
        let lambda_listener = listener().await;
        let invokes = InvokeTap::new(Arc::clone(&machine), lambda_listener.local_addr().unwrap());
        let redis_of = async |who| {
            let watch = RedisWatch {
                who,
                machine: Arc::clone(&machine),
            };
            RedisTap::start(redis, Arc::new(watch)).await.url()
        };
        let model = model::start(Arc::clone(&machine), settings.thinking).await;

        let endpoints = async |who, redis_url: String| {
            let s3 = s3(Arc::clone(&machine), who, embedded.address()).await;
            vec![
                ("REDIS_URL", redis_url),
                ("AWS_ENDPOINT_URL_S3", format!("http://{s3}")),
                (
                    "AWS_ENDPOINT_URL_LAMBDA",
                    format!("http://{}", invokes.open(who).await),
                ),
                ("OPENAI_BASE_URL", format!("http://{model}/v1")),
                ("SCRIBE_MODEL", "scripted".into()),
                ("SCRIBE_BUCKET", BUCKET.into()),
                ("SCRIBE_FUNCTION", SUMMARIZER.into()),
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
            ]
        };
        let mut functions = Vec::new();
        for (who, name, processes) in [
            (Who::Summarizer, SUMMARIZER, settings.functions),
            (Who::Sweeper, SWEEPER, 2),
        ] {
            let endpoints = endpoints(who, redis_of(who).await).await;
            let environment = environment(&settings, endpoints);
            functions.push(FunctionConfig {
                environment,
                timeout: Duration::from_secs(20),
                memory_mb: 512,
                reserved_concurrency: processes,
                retry_waits: settings.retry_waits.clone(),
                recursive_loop: RecursiveLoop::Allow,
                duplicate_delivery: settings.duplicates,
                ..FunctionConfig::new(name, built(name))
            });
        }
        let lambda = LambdaService::start(&folder.path().join("lambda"), lambda_listener, functions)
            .await
            .unwrap();
        lambda.schedule(SWEEPER, SOON).unwrap();
        lambda.deliver_failures(SWEEPER, SOON).unwrap();

        let s3 = s3_client(&format!("http://{}", embedded.address()));
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        let documents = Documents::new(s3.clone(), BUCKET.into());
        let mut direct = TriggerConfig::new(redis_url.into(), SUMMARIZER.into());
        direct.redis_timeout = Duration::from_secs(5);
        let mut tapped = TriggerConfig::new(redis_of(Who::Recorder).await.into(), SUMMARIZER.into());
        tapped.redis_timeout = settings.redis_timeout;
        let dispatcher = dispatcher(&format!("http://{}", invokes.open(Who::Recorder).await), &tapped);
        let ledger = Ledger::connect(&direct).unwrap();
        let recorder = Recorder::new(Ledger::connect(&tapped).unwrap(), dispatcher.clone(), &tapped);
        let conversations = Conversations::new(ledger.clone(), documents.clone(), dispatcher);
        let scripts = Arc::<Scripts>::default();
        let chat = upstream::start(Arc::clone(&scripts)).await;
        let mut of_api = vec![
            ("CHAT_URL", format!("http://{chat}/api/chat")),
            ("OPENAI_BASE_URL", format!("http://{chat}/v1")),
            ("AWS_REGION", "us-east-1".into()),
        ];
        of_api.extend(CHATTING.map(|(name, value)| (name, value.to_owned())));
        of_api.extend(endpoints(Who::Recorder, redis_of(Who::Recorder).await).await);
        let api = Api::start(folder.path(), &environment(&settings, of_api), settings.apis);
        Self {
            machine,
            invokes,
            lambda,
            s3,
            documents,
            ledger,
            conversations,
            recorder,
            api,
            scripts,
            folder,
            _embedded: embedded,
        }
    }

    /// Starts a scribe; its document has this title.
    pub(super) async fn start(&self, key: &ConversationKey, title: String) -> ActiveScribeSession {
        let start = Start {
            key: key.clone(),
            user: id("default-user"),
            title,
            style: StyleChoice::Auto,
            instructions: None,
        };
        let new = id(&uuid::Uuid::new_v4().to_string());
        self.conversations.start(&start, new).await.unwrap().session
    }

    pub(super) async fn document(&self, session: &ActiveScribeSession) -> StoredAsset {
        let read = self
            .documents
            .asset(&session.tenant_id, &session.text_asset_id, None)
            .await;
        match read.unwrap() {
            Fetched::Found(stored) => *stored,
            other => panic!("no document: {other:?}"),
        }
    }

    /// The last lines that a function's processes printed.
    pub(super) fn log(&self, function: &str, lines: usize) -> String {
        let log = self
            .folder
            .path()
            .join("lambda/logs")
            .join(format!("{function}.log"));
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let all: Vec<_> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    pub(super) async fn stop(self) {
        self.lambda.stop().await;
    }
}

/// What a process is told; of two values for a variable the first.
fn environment(settings: &Settings, own: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    let scaled = SCALED.map(|(name, value)| (name, value.to_owned()));
    let mut environment: Vec<(String, String)> = Vec::new();
    for (name, value) in settings.environment.iter().cloned().chain(own).chain(scaled) {
        if !environment.iter().any(|(other, _)| other == name) {
            environment.push((name.into(), value));
        }
    }
    environment
}

/// As the API's own: an invoke that takes too long has failed.
fn dispatcher(endpoint: &str, config: &TriggerConfig) -> Dispatcher {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(config.invoke_timeout)
        .build();
    let settings = lambda_client(endpoint)
        .config()
        .to_builder()
        .timeout_config(timeouts)
        .build();
    Dispatcher::new(aws_sdk_lambda::Client::from_conf(settings), config)
}
