//! What a test lives in: a Redis, an S3, a model and Lambda's front end of its own, each on a port of its own.

mod gate;
mod key_watch;
mod lambda;
mod model;
mod node;
mod redis_cluster;
mod redis_server;
mod redis_tap;
mod tap;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use scribe_api::ApiState;
use scribe_api::config::ApiConfig;
use scribe_core::prompt::{DEFAULT_UNIVERSE, Mode};
use scribe_core::style::StyleChoice;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_core::{ActiveScribeSession, ConversationKey, MediaAsset};
use scribe_engine::config::{DEFAULT_LIVE_EVERY, DocumentsConfig, EngineConfig, Patience};
use scribe_engine::conversations::{Start, Started};
use scribe_engine::documents::{Fetched, StoredAsset};
use scribe_engine::{
    ChatConfig, Conversations, Documents, Engine, Narrator, NarratorConfig, Outcome, TurnFailure, Upstream,
};
use scribe_local::s3::EmbeddedS3;
use scribe_trigger::{
    Dispatcher, Ledger, RecordError, Recorded, Recorder, TriggerConfig, TurnEvent, TurnRequest,
};
use tokio::net::TcpListener;
use tokio::time::Instant;

pub(crate) use gate::{Action, Gate, Held, Moment, Step, Verdict, Wire, hold};
pub(crate) use lambda::ScriptedLambda;
pub(crate) use model::{Dictated, Dictation, Reply, ScriptedModel, append};
pub(crate) use node::node_folder;
pub(crate) use redis_cluster::RedisCluster;
pub(crate) use redis_server::RedisServer;
pub(crate) use redis_tap::{RedisTap, Watch, script_texts};
pub(crate) use tap::S3Tap;

pub(crate) const BUCKET: &str = "documents";
pub(crate) const ACCESS_KEY: &str = "test";
pub(crate) const SECRET_KEY: &str = "test-secret";

/// A loopback listener on a port that the system chooses.
pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A plain HTTP client. It is built with the TLS stack that ships, which wants its provider named.
pub(crate) fn http_client() -> reqwest::Client {
    // An error says that another one in this process has named it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) fn s3_client(endpoint: &str) -> aws_sdk_s3::Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .retry_config(
            aws_sdk_s3::config::retry::RetryConfig::standard().with_initial_backoff(Duration::from_millis(5)),
        )
        .http_client(http)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

pub(crate) fn lambda_client(endpoint: &str) -> aws_sdk_lambda::Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .endpoint_url(endpoint)
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .timeout_config(
            aws_sdk_lambda::config::timeout::TimeoutConfig::builder()
                .operation_timeout(Duration::from_secs(1))
                .build(),
        )
        .http_client(http)
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

/// Everything around the code under test.
pub(crate) struct World {
    pub(crate) redis: RedisServer,
    /// What the taps of S3, the model and Lambda ask; Redis' too in [`World::tapped`].
    pub(crate) gate: Arc<Gate>,
    pub s3: aws_sdk_s3::Client,
    pub(crate) tap: S3Tap,
    pub(crate) model: ScriptedModel,
    pub(crate) lambda: ScriptedLambda,
    pub(crate) config: EngineConfig,
    /// The chat that the API stands in front of: the model, unless a test has one of its own.
    pub(crate) chat: ChatConfig,
    pub(crate) embedded: EmbeddedS3,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world with settings of its own.
    pub(crate) async fn with(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let redis = RedisServer::start();
        let credentials = scribe_local::s3::Credentials {
            access_key: ACCESS_KEY.into(),
            secret_key: SECRET_KEY.into(),
        };
        let embedded = EmbeddedS3::start(folder.path(), listener().await, credentials)
            .await
            .unwrap();
        let gate = Arc::new(Gate::default());
        let tap = S3Tap::start(embedded.address(), Arc::clone(&gate)).await;
        let model = ScriptedModel::start(Arc::clone(&gate)).await;
        let lambda = ScriptedLambda::start(Arc::clone(&gate)).await;
        let s3 = s3_client(&tap.url());
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();

        let mut trigger = TriggerConfig::new(redis.url().into(), "summarizer".into());
        trigger.redis_timeout = Duration::from_secs(5);
        trigger.lease = Duration::from_secs(20);
        let mut config = EngineConfig {
            trigger,
            documents: DocumentsConfig {
                bucket: BUCKET.into(),
                path_style: true,
            },
            narrator: NarratorConfig::new(model.url().parse().unwrap(), "scripted".into()),
            universe: DEFAULT_UNIVERSE.into(),
            mode: Mode::Edits,
            function_timeout: Duration::from_secs(60),
            max_chain: 64,
            patience: Patience {
                pauses: [Duration::from_millis(1); 3],
                ..Patience::default()
            },
            live_every: DEFAULT_LIVE_EVERY,
        };
        change(&mut config);
        let chat = ChatConfig::new(model.url().parse().unwrap(), "scripted".into());
        Self {
            chat,
            redis,
            gate,
            s3,
            tap,
            model,
            lambda,
            config,
            embedded,
            _folder: folder,
        }
    }

    /// A world whose Redis stands behind a tap too.
    pub(crate) async fn tapped(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut world = Self::with(change).await;
        let tap = RedisTap::start(world.redis.address(), Arc::clone(&world.gate)).await;
        world.config.trigger.redis_url = tap.url().into();
        world
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::connect(&self.config.trigger).unwrap()
    }

    pub(crate) fn documents(&self) -> Documents {
        Documents::new(self.s3.clone(), BUCKET.into())
    }

    pub(crate) fn lambda_client(&self) -> aws_sdk_lambda::Client {
        lambda_client(&self.lambda.url())
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher {
        Dispatcher::new(self.lambda_client(), &self.config.trigger)
    }

    pub(crate) fn recorder(&self) -> Recorder {
        Recorder::new(self.ledger(), self.dispatcher(), &self.config.trigger)
    }

    pub(crate) fn conversations(&self) -> Conversations {
        Conversations::new(self.ledger(), self.documents(), self.dispatcher())
    }

    pub(crate) fn api(&self) -> axum::Router {
        // Tests ask as fast as they can.
        let mut config = ApiConfig::default();
        config.limits.rate_per_second = NonZeroU32::MIN.saturating_add(99_999);
        config.limits.rate_burst = config.limits.rate_per_second;
        self.api_with(&config)
    }

    pub(crate) fn api_with(&self, config: &ApiConfig) -> axum::Router {
        self.api_telling(scribe_api::Events::default(), config)
    }

    /// The API with streams of events that a test has settings for.
    pub(crate) fn api_telling(&self, events: scribe_api::Events, config: &ApiConfig) -> axum::Router {
        let state = ApiState {
            conversations: self.conversations(),
            recorder: self.recorder(),
            chat: Upstream::new(self.chat.clone()).unwrap(),
            open_chats: scribe_api::OpenChats::default(),
            health_timeout: Duration::from_secs(5),
            events,
        };
        scribe_api::router(state, config)
    }

    /// A process that runs the function: nothing is shared with another one.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        let narrator = Narrator::new(self.config.narrator.clone()).unwrap();
        let engine = Engine::new(
            self.ledger(),
            self.dispatcher(),
            self.documents(),
            narrator,
            self.config.clone(),
        );
        Arc::new(engine)
    }

    /// Starts the scribe in a conversation.
    pub(crate) async fn start(&self, key: &ConversationKey) -> Started {
        let start = Start {
            key: key.clone(),
            user: id("default-user"),
            title: "The Amber Road".into(),
            style: StyleChoice::Auto,
            instructions: None,
        };
        self.conversations()
            .start(&start, id(&uuid::Uuid::new_v4().to_string()))
            .await
            .unwrap()
    }

    /// Records the nth turn of a conversation.
    pub(crate) async fn say(&self, key: &ConversationKey, n: usize) -> Recorded {
        self.try_say(key, n).await.unwrap()
    }

    pub(crate) async fn try_say(&self, key: &ConversationKey, n: usize) -> Result<Recorded, RecordError> {
        self.recorder().record(turn(key, n)).await
    }

    /// Records the nth turn of a conversation instead of another one.
    pub(crate) async fn say_instead(&self, key: &ConversationKey, n: usize, replaced: usize) -> Recorded {
        let turn = turn(key, n).replacing(id(&format!("m{replaced}")));
        self.recorder().record(turn).await.unwrap()
    }

    /// Runs the events that Lambda has, and those that they cause, one after the other, until none is left.
    pub(crate) async fn pump(&self, engine: &Engine) -> Vec<Result<Outcome, TurnFailure>> {
        let mut outcomes = Vec::new();
        while let Some(event) = self.lambda.take() {
            outcomes.push(run(engine, &event).await);
        }
        outcomes
    }

    /// The document of a session.
    pub(crate) async fn document(&self, session: &ActiveScribeSession) -> StoredAsset {
        match self
            .documents()
            .asset(&session.tenant_id, &session.text_asset_id, None)
            .await
            .unwrap()
        {
            Fetched::Found(stored) => *stored,
            other => panic!("no document: {other:?}"),
        }
    }

    /// Where a turn stands in Redis.
    pub(crate) async fn trigger(&self, key: &ConversationKey, n: usize) -> Option<ScribeTrigger> {
        self.ledger().trigger(key, &id(&format!("m{n}"))).await.unwrap()
    }

    pub(crate) async fn state(&self, key: &ConversationKey, n: usize) -> Option<TriggerState> {
        self.trigger(key, n).await.map(|trigger| trigger.state)
    }

    /// Keys in the bucket below a prefix.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self
            .s3
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix(prefix)
            .send()
            .await
            .unwrap();
        listed
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| object.key)
            .collect()
    }

    /// A person's save behind the scribe's back.
    pub(crate) async fn person_writes(
        &self,
        session: &ActiveScribeSession,
        change: impl FnOnce(&mut MediaAsset),
    ) {
        let stored = self.document(session).await;
        let mut asset = stored.asset;
        change(&mut asset);
        let author = scribe_engine::documents::Author::Person(id("default-user"));
        self.documents()
            .replace_asset(&session.tenant_id, &asset, &stored.etag, &author)
            .await
            .unwrap();
    }
}

pub(crate) async fn run(engine: &Engine, event: &TurnEvent) -> Result<Outcome, TurnFailure> {
    engine
        .process_turn(event, Instant::now() + Duration::from_secs(60))
        .await
}

pub(crate) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn key(conversation: &str) -> ConversationKey {
    id(&format!("default/{conversation}"))
}

/// The nth turn: its marker appears in nothing else, and no two turns are alike.
pub(crate) fn turn(key: &ConversationKey, n: usize) -> TurnRequest {
    TurnRequest::new(
        key.tenant.clone(),
        key.conversation.clone(),
        id(&format!("m{n}")),
        format!("What happened at milestone {n}?"),
        said(n),
    )
}

/// What the assistant says in the nth turn.
pub(crate) fn said(n: usize) -> String {
    const WHO: [&str; 7] = [
        "a courier",
        "the ferryman",
        "two smiths",
        "an envoy",
        "the archivist",
        "a widow",
        "the choir",
    ];
    const DID: [&str; 5] = [
        "buried a lantern",
        "counted swans",
        "mended the northern gate",
        "sang until dawn",
        "sold maps of salt",
    ];
    const WHERE: [&str; 3] = [
        "under Marrow Hill",
        "beside the frozen quay",
        "inside the glass tower",
    ];
    format!(
        "{} {} {} {}.",
        marker(n),
        WHO[n % 7],
        DID[(n / 7) % 5],
        WHERE[(n / 35) % 3]
    )
}

/// The mark by which the nth turn is found in a document.
pub(crate) fn marker(n: usize) -> String {
    format!("Milestone-{n:04}:")
}

/// The turns whose marks stand in a text, in their order of appearance.
pub(crate) fn woven(content: &str) -> Vec<usize> {
    content
        .match_indices("Milestone-")
        .filter_map(|(at, found)| content[at + found.len()..].get(..4)?.parse().ok())
        .collect()
}
