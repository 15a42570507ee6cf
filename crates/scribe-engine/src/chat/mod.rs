//! The chat that is stood in front of: a route of one's own, or an `OpenAI`-compatible server. Requests go to it and its
//! answers come back as they are, piece by piece; nothing of them is understood here.
//!
//! What can go wrong is an [`UpstreamError`]: no chat, none in time, or one that broke off.

mod config;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    HeaderMap, HeaderName, HeaderValue,
};
use reqwest::{Method, StatusCode, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, Sleep, timeout};
use url::Url;

pub use config::ChatConfig;

/// Headers of a request that go to every chat: what it may answer, and how its operator finds the request again.
const PASSED_ON: [&str; 7] = [
    "accept",
    "accept-language",
    "idempotency-key",
    "openai-beta",
    "traceparent",
    "x-client-request-id",
    "x-request-id",
];

/// Headers of an answer that end here: those of one connection, those that our own server writes, and those that say
/// something of our account or to our callers' browsers in our name.
const ENDS_HERE: [&str; 23] = [
    "alt-svc",
    "clear-site-data",
    "connection",
    "date",
    "keep-alive",
    "location",
    "nel",
    "openai-organization",
    "openai-project",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "server",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Why a chat did not answer, or not to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No key for the server, so there is nobody to ask.
    #[error("no chat is configured: set CHAT_URL, or OPENAI_API_KEY, or OPENAI_BASE_URL")]
    NotConfigured,
    /// No connection.
    #[error("the chat could not be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the chat did not answer within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The answer stood still.
    #[error("the chat's answer stood still for {} s", .0.as_secs())]
    StoodStill(Duration),
    /// The connection ended in the middle of the answer.
    #[error("the chat's answer broke off")]
    BrokenOff,
    /// It sends whoever asks to another address.
    #[error(
        "the chat answers with a redirect, which is not followed: set {setting} to the address to which it leads"
    )]
    Redirects {
        /// What says where the chat is.
        setting: &'static str,
    },
    /// We have stopped.
    #[error("the service was stopped before the answer was whole")]
    Stopped,
    /// The client can't be set up.
    #[error("the chat's client could not be set up")]
    Client,
}

/// A chat's client. It keeps its connections; cloning shares them.
#[derive(Debug, Clone)]
pub struct Upstream {
    client: reqwest::Client,
    config: Arc<ChatConfig>,
}

/// The head of an answer, and the rest of it.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, without those that end here.
    pub headers: HeaderMap,
    /// Its length, where it told.
    pub content_length: Option<u64>,
    /// Its bytes, as they come.
    pub body: AnswerBody,
}

impl Answer {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether its bytes can be read: nobody asked for an answer in another encoding.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.headers
            .get(CONTENT_ENCODING)
            .is_none_or(|encoding| encoding == "identity")
    }
}

impl Upstream {
    /// Sets up the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`UpstreamError::Client`].
    pub fn new(config: ChatConfig) -> Result<Self, UpstreamError> {
        // Fails where the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("background-scribe/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .tcp_nodelay(true)
            // A redirect of a POST loses its body or takes the conversation to another host.
            .redirect(redirect::Policy::none());
        let is_plain = |url: &Url| url.scheme() == "http";
        if is_plain(&config.base_url) && config.chat_url.as_ref().is_none_or(is_plain) {
            // The system's root certificates take a while to read, and nobody will look at them.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            tracing::error!("the chat's client could not be set up: {error}");
            UpstreamError::Client
        })?;
        Ok(Self {
            client,
            config: Arc::new(config),
        })
    }

    /// How it was set up.
    #[must_use]
    pub fn config(&self) -> &ChatConfig {
        &self.config
    }

    /// Asks the route of one's own.
    ///
    /// # Errors
    /// [`UpstreamError`]. Whatever that route answers is no error, but a redirect.
    pub async fn ask_chat(
        &self,
        url: &Url,
        body: Bytes,
        headers: &HeaderMap,
    ) -> Result<Answer, UpstreamError> {
        let mut sent = HeaderMap::new();
        for name in &self.config.forwarded {
            for value in headers.get_all(name) {
                sent.append(name, value.clone());
            }
        }
        if let Some(key) = &self.config.chat_key {
            sent.insert(AUTHORIZATION, bearer(key)?);
        }
        let answer = self.send(Method::POST, url.clone(), Some(body), headers, sent);
        refuse_redirect(answer.await?, "CHAT_URL")
    }

    /// Asks the `OpenAI`-compatible server at a path below its base, with a body or without.
    ///
    /// # Errors
    /// [`UpstreamError`]. Whatever the server answers is no error, but a redirect.
    pub async fn ask_openai(
        &self,
        path: &str,
        body: Option<Bytes>,
        headers: &HeaderMap,
    ) -> Result<Answer, UpstreamError> {
        let mut url = self.config.base_url.clone();
        let mut sent = HeaderMap::new();
        match &self.config.api_key {
            Some(key) => {
                sent.insert(AUTHORIZATION, bearer(key)?);
            }
            None if url.host_str() == Some("api.openai.com") => return Err(UpstreamError::NotConfigured),
            None => {}
        }
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let answer = self.send(method, url, body, headers, sent);
        refuse_redirect(answer.await?, "OPENAI_BASE_URL")
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<Bytes>,
        headers: &HeaderMap,
        mut sent: HeaderMap,
    ) -> Result<Answer, UpstreamError> {
        for name in PASSED_ON.map(HeaderName::from_static) {
            if let Some(value) = headers.get(&name) {
                sent.insert(name, value.clone());
            }
        }
        sent.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        // What is compressed can't be read along.
        sent.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut request = self.client.request(method, url).headers(sent);
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body);
        }
        let limit = self.config.first_byte_timeout;
        let response = match timeout(limit, request.send()).await {
            Err(_) => return Err(UpstreamError::TooSlow(limit)),
            Ok(Err(error)) if error.is_timeout() => {
                return Err(UpstreamError::TooSlow(self.config.connect_timeout));
            }
            Ok(Err(_)) => return Err(UpstreamError::Unreachable),
            Ok(Ok(response)) => response,
        };
        let content_length = response
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(Answer {
            status: response.status(),
            headers: passed_back(response.headers()),
            content_length,
            body: AnswerBody {
                chunks: Box::pin(response.bytes_stream()),
                idle: self.config.idle_timeout,
                timer: Box::pin(tokio::time::sleep(self.config.idle_timeout)),
            },
        })
    }
}

/// Neither followed, because the key would go along, nor passed on, because our callers know us and not the chat.
fn refuse_redirect(answer: Answer, setting: &'static str) -> Result<Answer, UpstreamError> {
    if answer.status.is_redirection() {
        return Err(UpstreamError::Redirects { setting });
    }
    Ok(answer)
}

fn bearer(key: &SecretString) -> Result<HeaderValue, UpstreamError> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
        .map_err(|_| UpstreamError::Client)?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

/// The headers of an answer that go on.
fn passed_back(headers: &HeaderMap) -> HeaderMap {
    let named = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect::<Vec<_>>();
    let ends_here = |name: &str| {
        // Whose pages may read our answers is ours to say.
        ENDS_HERE.contains(&name)
            || name.starts_with("access-control-")
            // Which conversation it is, too.
            || name.starts_with("x-scribe-")
            || named.iter().any(|one| one == name)
    };
    headers
        .iter()
        .filter(|(name, _)| !ends_here(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// An answer's bytes, as they come. It fails where the connection breaks off or stands still.
pub struct AnswerBody {
    chunks: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Stream for AnswerBody {
    type Item = Result<Bytes, UpstreamError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match this.chunks.as_mut().poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                this.timer.as_mut().reset(Instant::now() + this.idle);
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(UpstreamError::BrokenOff))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if this.timer.as_mut().poll(context).is_ready() => {
                Poll::Ready(Some(Err(UpstreamError::StoodStill(this.idle))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_one_connection_or_of_our_account_does_not_go_on() {
        let headers = [
            ("content-type", "text/event-stream"),
            ("x-vercel-ai-ui-message-stream", "v1"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("openai-organization", "ours"),
            ("clear-site-data", "\"*\""),
            ("location", "http://elsewhere"),
            ("x-scribe-conversation-id", "another"),
            ("x-request-id", "r"),
        ];
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let passed = passed_back(&headers);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["content-type", "x-request-id", "x-vercel-ai-ui-message-stream"]
        );
    }
}
