//! The API's client: what an import needs of it.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::transcript::Turn;

/// How often a request is tried that fails for reasons of the server's.
const TRIES: u32 = 6;
/// How long to wait after the first failure; each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The API.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
}

/// How the API takes a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    Accepted,
    /// It never will, and why.
    Refused(String),
}

/// How a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) scribe_enabled: bool,
    /// How many turns wait; unknown while Redis can't be reached.
    pub(super) waiting: Option<u64>,
}

/// How a turn stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TurnState {
    pub(super) message_id: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

impl Client {
    pub(super) fn new(base: &str, token: Option<&str>) -> anyhow::Result<Self> {
        // reqwest asks for a provider also where nothing is encrypted. One that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .default_headers(crate::token::shown(token)?)
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Whether anybody answers.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        match self.http.get(format!("{}/healthz", self.base)).send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => {
                let status = response.status();
                bail!(
                    "the API at {} is not well: {}",
                    self.base,
                    refusal(status, &read(response).await)
                )
            }
            Err(error) if error.is_connect() => {
                bail!("nothing answers at {}; start it with `make run`", self.base)
            }
            Err(error) => Err(error).with_context(|| format!("the API at {} can't be asked", self.base)),
        }
    }

    /// Starts the scribe of a conversation; one that has a scribe keeps it.
    pub(super) async fn start(&self, conversation: &str, title: &str) -> anyhow::Result<Sent> {
        let body = json!({ "conversationId": conversation, "title": title });
        let request = self.request(Method::POST, "start").json(&body);
        let (status, answer) = self.send(request).await?;
        if status == StatusCode::UNAUTHORIZED {
            bail!("the API does not let us in: {}", refusal(status, &answer));
        }
        Ok(if status.is_success() {
            Sent::Accepted
        } else {
            Sent::Refused(refusal(status, &answer))
        })
    }

    /// Sends a turn.
    pub(super) async fn record(&self, turn: &Turn) -> anyhow::Result<Sent> {
        let (status, answer) = self.send(self.request(Method::POST, "turns").json(turn)).await?;
        match (status, answer["delivery"].as_str()) {
            (StatusCode::ACCEPTED, _) => Ok(Sent::Accepted),
            (_, Some("off")) => Ok(Sent::Refused(
                "the scribe of this conversation is switched off".to_owned(),
            )),
            (_, Some("none")) => Ok(Sent::Refused("this conversation has no scribe".to_owned())),
            _ => Ok(Sent::Refused(refusal(status, &answer))),
        }
    }

    /// How a conversation stands.
    pub(super) async fn status(&self, conversation: &str) -> anyhow::Result<Status> {
        #[derive(Deserialize)]
        struct Answer {
            status: Status,
        }
        Ok(self.read::<Answer>(conversation).await?.status)
    }

    /// The turns that the API knows of.
    pub(super) async fn turns(&self, conversation: &str) -> anyhow::Result<Vec<TurnState>> {
        #[derive(Deserialize)]
        struct Answer {
            turns: Vec<TurnState>,
        }
        Ok(self.read::<Answer>(&format!("{conversation}/turns")).await?.turns)
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, answer) = self.send(self.request(Method::GET, path)).await?;
        if !status.is_success() {
            bail!("the API refuses to show {path}: {}", refusal(status, &answer));
        }
        serde_json::from_value(answer)
            .with_context(|| format!("the API's answer about {path} has another shape"))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/api/chat/background-doc/{path}", self.base))
    }

    /// Sends a request, again and again for a while where the server is at fault. Every request that an import
    /// makes may be repeated.
    async fn send(&self, request: RequestBuilder) -> anyhow::Result<(StatusCode, Value)> {
        let mut wait = FIRST_WAIT;
        let mut last = anyhow!("it was not asked");
        for attempt in 1..=TRIES {
            let request = request.try_clone().context("a request can't be repeated")?;
            match request.send().await {
                Ok(response) if !is_passing(response.status()) => {
                    return Ok((response.status(), read(response).await));
                }
                Ok(response) => {
                    let status = response.status();
                    if let Some(asked) = retry_after(&response) {
                        wait = wait.max(asked);
                    }
                    last = anyhow!("{}", refusal(status, &read(response).await));
                }
                Err(error) => last = anyhow::Error::new(error),
            }
            if attempt < TRIES {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
        Err(last.context(format!(
            "the API at {} fails; run the same import again to go on",
            self.base
        )))
    }
}

/// Whether the same request may succeed later.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get("retry-after")?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(Duration::from_secs(30)))
}

async fn read(response: Response) -> Value {
    response.json().await.unwrap_or_default()
}

/// The reason that the API gives in its envelope.
fn refusal(status: StatusCode, answer: &Value) -> String {
    let error = &answer["error"];
    match (error["message"].as_str(), error["field"].as_str()) {
        (Some(message), Some(field)) if !message.contains(field) => format!("{field}: {message}"),
        (Some(message), _) => message.to_owned(),
        (None, _) => format!("status {status}"),
    }
}
