//! Where the services answer.

use std::net::Ipv4Addr;

use super::config::{Secret, StackConfig, YourModel, YourS3};
use super::data_folder::Ports;

/// The region where none is named.
pub const LOCAL_REGION: &str = "us-east-1";
/// Both halves of the embedded S3's key. No secret: it keeps out what can't sign, such as a page in a browser.
pub const LOCAL_KEY: &str = "scribe-local";

/// The services' addresses, as seen from one side: from this machine, or from a container on it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) redis: Secret,
    pub(crate) s3: YourS3,
    pub(crate) lambda: String,
    pub(crate) model: YourModel,
}

impl Endpoints {
    /// The addresses where `host` is the way to this machine. What is yours stays as you named it.
    pub(crate) fn new(config: &StackConfig, ports: Ports, host: Ipv4Addr) -> Self {
        let http = |port: Option<u16>| format!("http://{host}:{}", port.unwrap_or_default());
        let stand_in = || YourModel {
            base_url: Some(format!("{}/v1", http(ports.model))),
            api_key: Some(LOCAL_KEY.to_owned().into()),
        };
        let embedded = || YourS3 {
            endpoint: http(ports.s3),
            region: LOCAL_REGION.to_owned(),
            access_key: LOCAL_KEY.to_owned(),
            secret_key: LOCAL_KEY.to_owned().into(),
            session_token: None,
        };
        let redis = || format!("redis://{host}:{}", ports.redis.unwrap_or_default()).into();
        Self {
            redis: config.redis.clone().unwrap_or_else(redis),
            s3: config.s3.clone().unwrap_or_else(embedded),
            lambda: http(ports.lambda),
            model: config.model.clone().unwrap_or_else(stand_in),
        }
    }

    /// Redis' address without user and password.
    pub(crate) fn redis_for_people(&self) -> String {
        without_password(self.redis.expose())
    }
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let shown = without_password("rediss://me:p@ss@example.com:6379/1");
        assert_eq!(shown, "rediss://example.com:6379/1");
        assert_eq!(
            without_password("redis://127.0.0.1:6379"),
            "redis://127.0.0.1:6379"
        );
    }
}
