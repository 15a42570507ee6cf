//! A Lambda function that does what a test tells it: it connects to `PROBE_ADDRESS`, says in one line which
//! invocation it is, and reads one word: `ok`, `fail`, `panic`, `exit`, `hang`, or `invoke`, which first invokes
//! the function itself again with the same payload, asynchronously.
//!
//! The connection stays open until the process ends, so the test sees its end.

use std::sync::Mutex;

use aws_credential_types::Credentials;
use aws_sdk_lambda::config::{BehaviorVersion, Region};
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

static CONNECTIONS: Mutex<Vec<BufReader<TcpStream>>> = Mutex::new(Vec::new());

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::run_concurrent(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    eprintln!("probe runs request {}", context.request_id);
    let mut connection = BufReader::new(TcpStream::connect(std::env::var("PROBE_ADDRESS")?).await?);
    let call = json!({
        "requestId": context.request_id,
        "payload": payload,
        "pid": std::process::id(),
        "deadline": context.deadline,
        "arn": context.invoked_function_arn,
        "trace": context.xray_trace_id,
        "environment": std::env::vars().map(|(name, _)| name).collect::<Vec<_>>(),
    });
    connection.write_all(format!("{call}\n").as_bytes()).await?;
    let mut word = String::new();
    connection.read_line(&mut word).await?;
    CONNECTIONS.lock().map_err(|_| "poisoned")?.push(connection);
    match word.trim() {
        "ok" => Ok(payload),
        "fail" => Err("told to fail".into()),
        "exit" => std::process::exit(3),
        "hang" => std::future::pending().await,
        "invoke" => {
            invoke_again(context.env_config.function_name.as_str(), &payload).await?;
            Ok(payload)
        }
        #[expect(clippy::panic, reason = "told to panic")]
        "panic" => panic!("told to panic"),
        other => Err(format!("{other:?} is not a word that this function knows").into()),
    }
}

async fn invoke_again(function: &str, payload: &Value) -> Result<(), Error> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(std::env::var("AWS_REGION")?))
        .endpoint_url(std::env::var("AWS_ENDPOINT_URL_LAMBDA")?)
        .credentials_provider(Credentials::new("probe", "probe", None, None, "probe"))
        .http_client(http)
        .build();
    aws_sdk_lambda::Client::from_conf(config)
        .invoke()
        .function_name(function)
        .invocation_type(InvocationType::Event)
        .payload(aws_sdk_lambda::primitives::Blob::new(payload.to_string()))
        .send()
        .await?;
    Ok(())
}
