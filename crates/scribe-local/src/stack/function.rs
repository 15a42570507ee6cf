//! The functions as this stack runs them: as in the cloud's template, with the endpoints of this stack.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use super::config::{Secret, StackConfig};
use super::endpoints::Endpoints;
use crate::durable_file;
use crate::lambda::{FunctionConfig, RecursiveLoop};

/// The summarizer's name.
pub(crate) const FUNCTION_NAME: &str = "background-scribe-summarizer";

/// The sweeper's name.
pub(crate) const SWEEPER_NAME: &str = "background-scribe-sweeper";

/// The sweeper: one run for the schedule and one for the queue, at most.
pub(crate) fn sweeper(config: &StackConfig, endpoints: &Endpoints) -> FunctionConfig {
    let mut environment = environment(config, endpoints);
    // It asks no model.
    environment.retain(|(name, _)| !name.starts_with("OPENAI_"));
    FunctionConfig {
        environment,
        timeout: Duration::from_mins(1),
        memory_mb: 256,
        reserved_concurrency: 2,
        idle_time: Duration::from_mins(2),
        ..FunctionConfig::new(SWEEPER_NAME, &config.sweeper)
    }
}

/// The summarizer.
pub(crate) fn summarizer(config: &StackConfig, endpoints: &Endpoints) -> anyhow::Result<FunctionConfig> {
    let concurrency = config
        .environment
        .iter()
        .find(|(name, _)| name == "AWS_LAMBDA_MAX_CONCURRENCY");
    let concurrency = concurrency.map_or(Ok(1), |(_, value)| value.parse());
    Ok(FunctionConfig {
        environment: environment(config, endpoints),
        timeout: Duration::from_mins(1),
        memory_mb: 512,
        reserved_concurrency: 8,
        in_process_concurrency: concurrency.context("AWS_LAMBDA_MAX_CONCURRENCY is not a number")?,
        retry_waits: config.retry_waits.clone(),
        // Handing on is a chain by design.
        recursive_loop: RecursiveLoop::Allow,
        idle_time: Duration::from_mins(1),
        ..FunctionConfig::new(FUNCTION_NAME, &config.summarizer)
    })
}

/// The function's variables. What the configuration passes on comes first: it may not replace an endpoint.
pub(crate) fn environment(config: &StackConfig, endpoints: &Endpoints) -> Vec<(String, String)> {
    let Endpoints {
        redis,
        s3,
        lambda,
        model,
    } = endpoints;
    // A proxy for the way out must not be asked for what runs here.
    let passed_on = config.environment.iter().find(|(name, _)| name == "NO_PROXY");
    let no_proxy = passed_on
        .map(|(_, hosts)| format!("{hosts},"))
        .unwrap_or_default()
        + "127.0.0.1,localhost";
    let fixed = [
        ("REDIS_URL", Some(redis.expose())),
        ("SCRIBE_BUCKET", Some(&*config.bucket)),
        ("SCRIBE_FUNCTION", Some(FUNCTION_NAME)),
        ("AWS_ENDPOINT_URL_S3", Some(&*s3.endpoint)),
        ("AWS_ENDPOINT_URL_LAMBDA", Some(lambda)),
        ("AWS_REGION", Some(&*s3.region)),
        ("AWS_DEFAULT_REGION", Some(&*s3.region)),
        ("AWS_ACCESS_KEY_ID", Some(&*s3.access_key)),
        ("AWS_SECRET_ACCESS_KEY", Some(s3.secret_key.expose())),
        ("AWS_SESSION_TOKEN", s3.session_token.as_ref().map(Secret::expose)),
        // There is no machine to ask for credentials.
        ("AWS_EC2_METADATA_DISABLED", Some("true")),
        ("OPENAI_BASE_URL", model.base_url.as_deref()),
        ("OPENAI_API_KEY", model.api_key.as_ref().map(Secret::expose)),
        ("NO_PROXY", Some(&*no_proxy)),
        // What it prints goes to a file.
        ("NO_COLOR", Some("1")),
    ];
    let mut environment: Vec<(String, String)> = config.environment.clone();
    for (name, value) in fixed {
        environment.retain(|(other, _)| other != name);
        environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
    environment
}

/// Writes the variables for `sam local invoke --env-vars`, which applies `Parameters` to every function.
pub(crate) fn write_for_sam(path: &Path, environment: &[(String, String)]) -> anyhow::Result<()> {
    let variables: serde_json::Map<String, serde_json::Value> = environment
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let content = serde_json::to_vec_pretty(&json!({ "Parameters": variables }))?;
    durable_file::replace(path, &content).with_context(|| format!("can't write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::data_folder::Ports;
    use super::*;
    use crate::stack::YourModel;

    #[test]
    fn what_is_passed_on_replaces_no_endpoint() {
        let mut config = StackConfig::new("127.0.0.1:0".parse().unwrap(), "d", "b");
        config.environment = vec![
            ("SCRIBE_MODEL".into(), "small".into()),
            ("SCRIBE_FUNCTION".into(), "another".into()),
            ("NO_PROXY".into(), "intranet".into()),
            ("OPENAI_BASE_URL".into(), "http://elsewhere".into()),
        ];
        config.model = Some(YourModel {
            base_url: None,
            api_key: Some("k".to_owned().into()),
        });
        let ports = Ports {
            redis: Some(1),
            s3: Some(2),
            lambda: Some(3),
            model: None,
        };
        let endpoints = Endpoints::new(&config, ports, Ipv4Addr::new(172, 17, 0, 1));
        let environment = environment(&config, &endpoints);
        let value = |name: &str| {
            let values: Vec<_> = environment.iter().filter(|(other, _)| other == name).collect();
            assert!(values.len() <= 1, "{name} is there twice");
            values.first().map(|(_, value)| value.as_str())
        };
        assert_eq!(value("SCRIBE_MODEL"), Some("small"));
        assert_eq!(value("SCRIBE_FUNCTION"), Some(FUNCTION_NAME));
        assert_eq!(value("REDIS_URL"), Some("redis://172.17.0.1:1"));
        assert_eq!(value("AWS_ENDPOINT_URL_LAMBDA"), Some("http://172.17.0.1:3"));
        assert_eq!(value("NO_PROXY"), Some("intranet,127.0.0.1,localhost"));
        assert_eq!(value("OPENAI_BASE_URL"), None);
        assert_eq!(value("OPENAI_API_KEY"), Some("k"));
    }
}
