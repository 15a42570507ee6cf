//! The whole system on one machine: Redis, S3, Lambda, a model and the API with the page, started and stopped in order.
//!
//! Each of the first four can be yours instead. Everything listens on 127.0.0.1 and keeps its data in one folder:
//!
//! | | |
//! |---|---|
//! | `redis/`, `s3/`, `lambda/` | what must be there again after a restart |
//! | `redis.log`, `lambda/logs/` | what Redis and the function print |
//! | `ports.json` | where the services listened last; they take the same ports again if they can |
//! | `sam-env.json` | the function's environment for `sam local invoke` |
//! | `lock` | who uses the folder |
//!
//! What can go wrong: the folder or the API's port is taken, Redis can't be installed, the summarizer is not
//! built. Each stops the start with a sentence that says what to do. Later, Redis may end; [`Stack::failure`]
//! tells.

mod address;
mod api;
mod bridge;
mod bucket;
mod config;
mod data_folder;
mod endpoints;
mod function;
mod redis_server;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};

use crate::children::Children;
use crate::lambda::LambdaService;
use crate::model::StandInModel;
use crate::s3::{Credentials, EmbeddedS3};
use api::Api;
use bridge::Bridge;
use data_folder::{DataFolder, Ports, listen};
use endpoints::Endpoints;
use redis_server::RedisServer;

pub use address::parse_address;
pub use config::{DEFAULT_BUCKET, Secret, StackConfig, YourModel, YourS3};
pub use endpoints::{LOCAL_KEY, LOCAL_REGION};

/// How long Redis may take to answer for the first time.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// How long a record of the on-failure destination waits that the sweeper could not take.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(20);

/// The running system. Dropping it kills it; [`Stack::stop`] stops it in order.
#[derive(Debug)]
pub struct Stack {
    // In the order in which they are dropped: who uses comes before who is used.
    api: Api,
    bridge: Bridge,
    lambda: LambdaService,
    model: Option<StandInModel>,
    s3: Option<EmbeddedS3>,
    redis: Option<RedisServer>,
    address: SocketAddr,
    endpoints: Endpoints,
    container_address: Option<Ipv4Addr>,
    has_authentication: bool,
    data: DataFolder,
}

/// One line about a service, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The service.
    pub service: &'static str,
    /// Where it answers; without passwords.
    pub address: String,
    /// Where its data is, and what else there is to know.
    pub remark: String,
}

impl Stack {
    /// Starts everything, and returns when all of it answers.
    ///
    /// # Errors
    /// If something can't be started; what was started before is stopped.
    pub async fn start(config: StackConfig) -> anyhow::Result<Self> {
        config.api.check_address("SCRIBE_ADDR", config.address)?;
        for binary in [&config.summarizer, &config.sweeper] {
            ensure!(
                binary.is_file(),
                "there is no function at {}; build it with `cargo build -p scribe-lambda --bins`",
                binary.display()
            );
        }
        let data = DataFolder::take(&config.data, config.address)?;
        let api_listener = address::listen_for_people(config.address).await?;
        let address = api_listener.local_addr()?;
        let remembered = data.ports();
        let mut ports = Ports::default();

        let children = Children::new(&data.path().join("processes")).await?;
        let redis = match &config.redis {
            Some(_) => None,
            None => {
                let program = redis_server::program().await?;
                let (folder, log) = (data.path().join("redis"), data.path().join("redis.log"));
                Some(RedisServer::start(&program, &children, &folder, &log, remembered.redis).await?)
            }
        };
        ports.redis = redis.as_ref().map(RedisServer::port);
        let s3 = match &config.s3 {
            Some(_) => None,
            None => Some(start_s3(&data, remembered.s3).await?),
        };
        ports.s3 = s3.as_ref().map(|s3| s3.address().port());
        let model = match &config.model {
            Some(_) => None,
            None => Some(StandInModel::start(listen(remembered.model).await?).await?),
        };
        ports.model = model.as_ref().map(|model| model.address().port());
        let lambda_listener = listen(remembered.lambda).await?;
        let lambda_port = lambda_listener.local_addr()?.port();
        ports.lambda = Some(lambda_port);

        let host = Ipv4Addr::LOCALHOST;
        let endpoints = Endpoints::new(&config, ports, host);
        bucket::make(&bucket::client(&endpoints.s3), &endpoints.s3, &config.bucket).await?;
        let functions = vec![
            function::summarizer(&config, &endpoints)?,
            function::sweeper(&config, &endpoints),
        ];
        let lambda = LambdaService::start(&data.path().join("lambda"), lambda_listener, functions).await?;

        let (bridge, container_address) = bridge_to_containers(ports).await;
        let seen_by_containers = Endpoints::new(&config, ports, container_address.unwrap_or(host));
        let for_sam = function::environment(&config, &seen_by_containers);
        function::write_for_sam(&data.path().join("sam-env.json"), &for_sam)?;

        let (streams, stopping) = scribe_api::stopping();
        let state = api::state(&config, &endpoints, stopping)?;
        let answered = tokio::time::timeout(FIRST_ANSWER, state.conversations.health()).await;
        let answered = answered.map_err(|_| anyhow!("no answer within {FIRST_ANSWER:?}"));
        answered.and_then(|health| Ok(health?)).with_context(|| {
            format!(
                "can't use the Redis at {} and the bucket {}",
                endpoints.redis_for_people(),
                config.bucket
            )
        })?;
        data.remember(ports)?;
        lambda.schedule(function::SWEEPER_NAME, config.sweep_schedule)?;
        lambda.deliver_failures(function::SWEEPER_NAME, VISIBILITY_TIMEOUT)?;
        let has_authentication = config.api.has_authentication();
        let chats = state.open_chats.clone();
        let router = scribe_api::router_beside(scribe_web::router(), state, &config.api);
        let api = Api::serve(api_listener, router, streams, chats);
        Ok(Self {
            api,
            bridge,
            lambda,
            model,
            s3,
            redis,
            address,
            endpoints,
            container_address,
            has_authentication,
            data,
        })
    }

    /// Where the API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lambda's stand-in.
    #[must_use]
    pub fn lambda(&self) -> &LambdaService {
        &self.lambda
    }

    /// Where S3 answers, and its keys.
    #[must_use]
    pub fn s3(&self) -> &YourS3 {
        &self.endpoints.s3
    }

    /// Where Redis answers.
    #[must_use]
    pub fn redis_url(&self) -> &Secret {
        &self.endpoints.redis
    }

    /// Whether callers must show who they are.
    #[must_use]
    pub fn has_authentication(&self) -> bool {
        self.has_authentication
    }

    /// Whether the stand-in model is in use.
    #[must_use]
    pub fn has_stand_in_model(&self) -> bool {
        self.model.is_some()
    }

    /// The address at which containers reach the services, if Docker has a bridge here.
    #[must_use]
    pub fn container_address(&self) -> Option<Ipv4Addr> {
        self.container_address
    }

    /// What runs where.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let folder = |name: &str| self.data.path().join(name).display().to_string();
        let own = |own: bool, name: &str| if own { folder(name) } else { "yours".to_owned() };
        let model = self
            .endpoints
            .model
            .base_url
            .clone()
            .unwrap_or_else(|| "OpenAI".to_owned());
        vec![
            Place {
                service: "Page",
                address: format!("http://{}", self.address),
                remark: if scribe_web::IS_PLACEHOLDER {
                    "not built; `make run` builds it".to_owned()
                } else {
                    String::new()
                },
            },
            Place {
                service: "API",
                address: format!("http://{}", self.address),
                remark: String::new(),
            },
            Place {
                service: "Redis",
                address: self.endpoints.redis_for_people(),
                remark: own(self.redis.is_some(), "redis"),
            },
            Place {
                service: "S3",
                address: self.endpoints.s3.endpoint.clone(),
                remark: own(self.s3.is_some(), "s3"),
            },
            Place {
                service: "Lambda",
                address: self.endpoints.lambda.clone(),
                remark: folder("lambda"),
            },
            Place {
                service: "Model",
                address: model,
                remark: if self.model.is_some() { "stand-in" } else { "yours" }.to_owned(),
            },
        ]
    }

    /// Waits until a part has ended that should not have, and says which.
    pub async fn failure(&self) -> anyhow::Error {
        match &self.redis {
            Some(redis) => {
                redis.ended().await;
                anyhow!(
                    "redis-server has ended; its last words are in {}",
                    self.data.path().join("redis.log").display()
                )
            }
            None => std::future::pending().await,
        }
    }

    /// Stops everything in order: the API accepts nothing more, running functions get a moment, then the model, S3
    /// and at last Redis, which writes what it has.
    pub async fn stop(self) {
        self.api.stop().await;
        drop(self.bridge);
        self.lambda.stop().await;
        if let Some(model) = self.model {
            model.stop().await;
        }
        if let Some(s3) = self.s3 {
            s3.stop().await;
        }
        if let Some(redis) = self.redis {
            redis.stop().await;
        }
    }
}

async fn start_s3(data: &DataFolder, port: Option<u16>) -> anyhow::Result<EmbeddedS3> {
    let credentials = Credentials {
        access_key: LOCAL_KEY.to_owned(),
        secret_key: LOCAL_KEY.to_owned(),
    };
    EmbeddedS3::start(&data.path().join("s3"), listen(port).await?, credentials).await
}

/// Forwards every service's port from Docker's bridge, if there is one. Nothing here depends on it.
async fn bridge_to_containers(ports: Ports) -> (Bridge, Option<Ipv4Addr>) {
    let mut bridge = Bridge::default();
    let Some(address) = bridge::address() else {
        return (bridge, None);
    };
    for port in [ports.redis, ports.s3, ports.lambda, ports.model]
        .into_iter()
        .flatten()
    {
        if let Err(error) = bridge.forward(address, port).await {
            tracing::warn!("containers can't reach every service: {error:#}");
        }
    }
    (bridge, Some(address))
}
