//! A Lambda service with one function that asks the test what to do.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{BehaviorVersion, Region};
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use scribe_local::lambda::{FunctionConfig, LambdaService};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder, the place to which functions report, and a Lambda service that can be started again.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    reports: TcpListener,
}

/// A function that has begun and waits to be told what to do.
pub(crate) struct Call {
    pub(crate) said: Value,
    connection: BufReader<TcpStream>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            reports: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    /// Starts Lambda with one function, "probe", after `change` has been made to its configuration.
    pub(crate) async fn start(&self, change: impl FnOnce(&mut FunctionConfig)) -> (LambdaService, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let mut config = FunctionConfig::new("probe", env!("CARGO_BIN_EXE_probe-function"));
        config.environment = vec![
            (
                "PROBE_ADDRESS".into(),
                self.reports.local_addr().unwrap().to_string(),
            ),
            ("AWS_ENDPOINT_URL_LAMBDA".into(), endpoint.clone()),
        ];
        config.timeout = PATIENCE;
        config.retry_waits = vec![Duration::from_millis(10)];
        change(&mut config);
        let service = LambdaService::start(self.folder.path(), listener, vec![config])
            .await
            .unwrap();
        (service, client(&endpoint))
    }

    /// The next function that begins.
    pub(crate) async fn call(&self) -> Call {
        let (stream, _) = timeout(PATIENCE, self.reports.accept())
            .await
            .expect("no function began")
            .unwrap();
        let mut connection = BufReader::new(stream);
        let mut said = String::new();
        connection.read_line(&mut said).await.unwrap();
        Call {
            said: serde_json::from_str(&said).unwrap(),
            connection,
        }
    }
}

impl Call {
    pub(crate) fn said(&self, what: &str) -> &str {
        self.said[what].as_str().unwrap()
    }

    pub(crate) async fn answer(mut self, word: &str) -> Self {
        self.connection
            .write_all(format!("{word}\n").as_bytes())
            .await
            .unwrap();
        self
    }

    /// Waits until the process is gone.
    pub(crate) async fn process_ended(mut self) {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.connection.read_to_end(&mut rest)).await;
        // A killed process may reset the connection instead of closing it.
        let _ = end.expect("the process did not end");
    }
}

fn client(endpoint: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("key", "secret", None, None, "tests"))
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .build();
    Client::from_conf(config)
}

pub(crate) async fn invoke(lambda: &Client, kind: InvocationType, payload: &str) -> InvokeOutput {
    lambda
        .invoke()
        .function_name("probe")
        .invocation_type(kind)
        .payload(Blob::new(payload))
        .send()
        .await
        .unwrap()
}

pub(crate) async fn drained(service: &LambdaService) {
    timeout(PATIENCE, service.drained())
        .await
        .expect("events are left over");
}
