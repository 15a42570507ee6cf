//! `scribe-local invoke` and `scribe-local invoke-bare`: one event through the function as it is deployed, outside of
//! our own stand-in for Lambda, against the stack of `make run`.
//!
//! `invoke` hands the event to `sam local invoke`, which runs the function in Lambda's container and needs Docker.
//! `invoke-bare` runs the same bootstrap under AWS' runtime interface emulator, which comes with SAM and needs none.
//! Both read the function's variables from `sam-env.json`, which a running stack keeps in its data folder.

mod bare;
mod sam;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::StatusCode;
use scribe_trigger::TurnEvent;
use serde::Deserialize;
use serde_json::{Value, json};

pub use bare::{BareArgs, invoke_bare};
pub use sam::{InvokeArgs, invoke};

/// The longest that the API may take for an answer.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the running stack is.
#[derive(Debug, clap::Args)]
pub struct RunningArgs {
    /// The stack's data folder.
    #[arg(long, env = "SCRIBE_DATA", default_value = ".scribe")]
    data: PathBuf,
    /// The stack's API; that of `make run` where there is none.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// A token or an API key, where the API wants one; better given as a variable.
    #[arg(long, env = "SCRIBE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where `make run` serves.
    #[arg(long, env = "SCRIBE_ADDR", default_value = "127.0.0.1:3000", hide = true)]
    addr: String,
}

/// A running stack.
struct Running {
    http: reqwest::Client,
    api: String,
    variables_file: PathBuf,
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct VariablesFile {
    #[serde(rename = "Parameters")]
    parameters: BTreeMap<String, String>,
}

impl Running {
    /// Finds the stack and makes sure that it answers.
    async fn find(arguments: &RunningArgs) -> anyhow::Result<Self> {
        // An error says that this process has named its TLS provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .default_headers(crate::token::shown(arguments.token.as_deref())?)
            .timeout(API_TIMEOUT)
            .build()?;
        let api = arguments
            .api
            .clone()
            .unwrap_or_else(|| format!("http://{}", arguments.addr));
        let api = api.trim_end_matches('/').to_owned();
        let healthy = http.get(format!("{api}/healthz")).send().await;
        if !healthy.is_ok_and(|answer| answer.status().is_success()) {
            bail!("nothing answers at {api}; start it with `make run`, and leave it running");
        }
        let variables_file = arguments.data.join("sam-env.json");
        let text = std::fs::read_to_string(&variables_file).with_context(|| {
            format!(
                "can't read {}; is `make run` using another data folder?",
                variables_file.display()
            )
        })?;
        let VariablesFile { parameters } = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what `make run` writes", variables_file.display()))?;
        Ok(Self {
            http,
            api,
            variables_file,
            variables: parameters,
        })
    }

    /// Starts the scribe in the event's conversation, so that there is a document to write.
    async fn start_scribe(&self, event: &TurnEvent) -> anyhow::Result<()> {
        // The function finds nothing where the token is another tenant's, so the API is told whose event it is.
        let body = json!({
            "conversationId": event.conversation_id, "tenantId": event.tenant_id, "title": "A sample conversation",
        });
        let url = format!("{}/api/chat/background-doc/start", self.api);
        let answer = self.http.post(url).json(&body).send().await?;
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "the API at {} wants another token; SCRIBE_TOKEN may give one",
                self.api
            );
        }
        if status.is_success() {
            return Ok(());
        }
        let answer = answer.text().await?;
        let refused: Value = serde_json::from_str(&answer).unwrap_or_default();
        if refused["error"]["field"] == "tenantId" {
            bail!(
                "the event is of the tenant {}, and whoever asks here of another; SCRIBE_TOKEN says who asks",
                event.tenant_id
            );
        }
        bail!(
            "the scribe can't be started in {}: {status} {answer}",
            event.conversation_id
        )
    }

    /// Where the event's turn stands now, and where its document is.
    async fn report(&self, event: &TurnEvent) -> anyhow::Result<String> {
        let conversation = format!("{}/api/chat/background-doc/{}", self.api, event.conversation_id);
        let listed: Value = self
            .http
            .get(format!("{conversation}/turns"))
            .send()
            .await?
            .json()
            .await?;
        let turns = listed["turns"].as_array().map(Vec::as_slice).unwrap_or_default();
        let state = turns
            .iter()
            .find(|turn| turn["messageId"] == event.message_id.as_str())
            .and_then(|turn| turn["state"].as_str())
            .unwrap_or("unknown");
        let session: Value = self.http.get(conversation).send().await?.json().await?;
        let asset = session["session"]["textAssetId"].as_str().unwrap_or_default();
        Ok(format!(
            "turn {} is {state}: {}/api/media-assets/{asset}",
            event.message_id, self.api
        ))
    }
}

fn read_event(path: &Path) -> anyhow::Result<(String, TurnEvent)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let event = TurnEvent::parse(&text).with_context(|| format!("{} can't be used", path.display()))?;
    Ok((text, event))
}
