//! Asks a language model: any server that speaks OpenAI's chat completions.
//!
//! One question is one streamed request. Streaming is not for show: it is what tells a model that writes slowly from
//! one that has died, and so what lets a turn fail in seconds and not in a minute. There are four limits: to
//! connect, to the first token, between tokens, for the whole; each has its own name in the error.
//!
//! No text of a prompt or an answer is ever logged, and none is in an error.

mod clock;
mod config;
mod dialect;
mod error;
mod reply;
mod response;
mod retry_after;

use std::sync::{Mutex, PoisonError};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode, redirect};
use scribe_core::prompt::Prompt;
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};
use url::Url;

pub(crate) use config::{ApiKey, BaseUrl, server_url};
pub use config::{DEFAULT_BASE_URL, DEFAULT_MODEL, NarratorConfig, known_effort};
pub use error::{NarratorError, Outage, Stage};
pub use reply::{Call, Completion, Listener, Usage};

use clock::Clock;
use dialect::Dialect;
use error::ServerError;
use reply::Reply;
use response::{completion, error_body};
use retry_after::retry_after;

/// How often a question is put in another dialect before it is given up.
const DIALECTS: usize = 6;

/// A model's client. It keeps its connections; one for a process.
#[derive(Debug)]
pub struct Narrator {
    client: reqwest::Client,
    url: Url,
    config: NarratorConfig,
    /// What the server is known to take.
    dialect: Mutex<Dialect>,
}

/// What became of one request.
enum Asked {
    /// There is an answer, and this is its beginning.
    Answering(Response),
    /// The server does not take something that can be left out.
    Refusing(ServerError, NarratorError),
}

impl Narrator {
    /// Sets up the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`NarratorError::Unavailable`] if the client cannot be set up.
    pub fn new(config: NarratorConfig) -> Result<Self, NarratorError> {
        // Fails where the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(key) = &config.api_key {
            let bearer = format!("Bearer {}", key.expose_secret());
            let mut bearer = HeaderValue::from_str(&bearer).map_err(|error| client_error(&error))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("background-scribe/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(config.connect_timeout)
            // A redirect of a POST loses its body or takes the conversation to another host.
            .redirect(redirect::Policy::none());
        if config.base_url.scheme() == "http" {
            // The system's root certificates take a while to read, and nobody will look at them.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| client_error(&error))?;
        let mut url = config.base_url.clone();
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self {
            client,
            url,
            config,
            dialect: Mutex::default(),
        })
    }

    /// Asks, and waits for the whole answer: at most until the deadline, and at most as long as the configuration
    /// allows.
    ///
    /// # Errors
    /// [`NarratorError`]; the deadline counts as a service that is too slow.
    pub async fn ask(&self, prompt: &Prompt, deadline: Instant) -> Result<Completion, NarratorError> {
        self.ask_aloud(prompt, deadline, &mut ()).await
    }

    /// The same, with somebody who is told of the answer while it comes in, and of what it cost.
    ///
    /// # Errors
    /// [`NarratorError`]; the deadline counts as a service that is too slow.
    pub async fn ask_aloud(
        &self,
        prompt: &Prompt,
        deadline: Instant,
        listener: &mut dyn Listener,
    ) -> Result<Completion, NarratorError> {
        let mut clock = Clock::start(&self.config, deadline);
        let known = *self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dialect = known;
        for _ in 0..DIALECTS {
            match self.send(prompt, dialect, &clock).await? {
                Asked::Answering(response) => {
                    if dialect != known {
                        *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = dialect;
                        tracing::info!(
                            "the model's server does not take {}, it is left out from now on",
                            dialect.left_out()
                        );
                    }
                    let mut reply = Reply::default();
                    let answer = completion(response, &mut clock, &mut reply, listener).await;
                    listener.ended(reply.call(clock.asked_for()));
                    return answer;
                }
                Asked::Refusing(server, error) => {
                    dialect = dialect.after(&server, &self.config).ok_or(error)?;
                    clock.restart();
                }
            }
        }
        Err(NarratorError::Refused {
            status: 400,
            code: None,
        })
    }

    async fn send(&self, prompt: &Prompt, dialect: Dialect, clock: &Clock) -> Result<Asked, NarratorError> {
        let body = dialect.request(&self.config, prompt);
        let request = || self.client.post(self.url.clone()).json(&body).send();
        let (limit, slow) = clock.limit();
        let sent = timeout_at(limit, async {
            match request().await {
                // A connection that was kept from an earlier turn may have died since: a frozen process does not
                // notice. The request did not arrive, so it is sent once more.
                Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
                    request().await
                }
                result => result,
            }
        });
        let response = match sent.await {
            Err(_) => return Err(unavailable(slow)),
            Ok(Err(error)) if error.is_timeout() => {
                let limit = self.config.connect_timeout;
                return Err(unavailable(Outage::TooSlow {
                    stage: Stage::Connect,
                    limit,
                }));
            }
            Ok(Err(_)) => return Err(unavailable(Outage::Unreachable)),
            Ok(Ok(response)) => response,
        };
        let status = response.status();
        if status.is_success() {
            return Ok(Asked::Answering(response));
        }
        let retry_after = retry_after(response.headers());
        let server = ServerError::read(&error_body(response, clock).await);
        let code = server.code.clone();
        match status {
            _ if server.is_filter() => Err(NarratorError::Filtered),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                let error = NarratorError::Refused {
                    status: status.as_u16(),
                    code,
                };
                Ok(Asked::Refusing(server, error))
            }
            StatusCode::PAYLOAD_TOO_LARGE => Err(NarratorError::Refused {
                status: status.as_u16(),
                code,
            }),
            // Everything else is the service's state or ours, never the turn's: an unknown key or model, a wrong
            // path, a limit, an outage.
            _ => {
                let reason = Outage::Status {
                    status: status.as_u16(),
                    code,
                };
                Err(NarratorError::Unavailable { reason, retry_after })
            }
        }
    }
}

fn unavailable(reason: Outage) -> NarratorError {
    NarratorError::Unavailable {
        reason,
        retry_after: None,
    }
}

fn client_error(error: &dyn std::error::Error) -> NarratorError {
    unavailable(Outage::Client {
        reason: error.to_string(),
    })
}
