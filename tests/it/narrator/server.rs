//! A server that sends exactly the bytes that it is given, and keeps every request.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scribe_core::edits::answer_schema;
use scribe_engine::narrator::{Narrator, NarratorConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The key that goes along; it must not be anywhere but in its header.
pub(super) const KEY: &str = "sk-the-key-itself";

/// One thing that the server does.
#[derive(Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    /// Sends this again and again, a little apart, until the client is gone.
    Repeat(&'static str),
    /// Does nothing until the client is gone.
    Stall,
}

/// What the server does with one request; then it closes the connection, or keeps it for the next request.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) steps: Vec<Step>,
    pub(super) keep: bool,
}

impl Reply {
    pub(super) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            steps: vec![Step::Send(bytes.into())],
            keep: false,
        }
    }

    /// An error with a JSON body.
    pub(super) fn error(status: u16, headers: &str, body: &Value) -> Self {
        let body = body.to_string();
        Self::bytes(format!(
            "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// The head of a stream that ends with the connection, and some of it.
    pub(super) fn stream(body: &str) -> Self {
        Self::bytes(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{body}"
        ))
    }

    /// A stream in chunks, ended as the protocol wants it, each byte a chunk of its own.
    pub(super) fn bytewise(body: &str) -> Self {
        let mut bytes = chunked_head();
        for byte in body.bytes() {
            bytes.extend_from_slice(b"1\r\n");
            bytes.push(byte);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        Self {
            steps: vec![Step::Send(bytes)],
            keep: true,
        }
    }

    pub(super) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

pub(super) fn chunked_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// A request as it came.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) head: String,
    pub(super) body: Value,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let replies: Arc<Mutex<VecDeque<Reply>>> = Arc::new(Mutex::new(replies.into_iter().collect()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&replies), Arc::clone(&kept)));
            }
        });
        Self { address, requests }
    }

    pub(super) fn config(&self) -> NarratorConfig {
        let url = format!("http://{}/v1", self.address).parse().unwrap();
        NarratorConfig {
            api_key: Some(KEY.into()),
            ..NarratorConfig::new(url, "a-model".into())
        }
    }

    pub(super) fn narrator(&self) -> Narrator {
        Narrator::new(self.config()).unwrap()
    }

    /// The requests so far. Whatever a test is about, each of them must be a proper one.
    pub(super) fn requests(&self) -> Vec<Request> {
        let requests = self.requests.lock().unwrap().clone();
        for Request { head, body } in &requests {
            let lower = head.to_lowercase();
            assert!(
                head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
                "{head}"
            );
            assert!(lower.contains("content-type: application/json"), "{head}");
            assert!(
                head.contains(&format!("Bearer {KEY}")) && !body.to_string().contains(KEY),
                "{head}"
            );
            assert_eq!(
                (&body["stream"], &body["model"]),
                (&json!(true), &json!("a-model"))
            );
            let roles: Vec<&Value> = body["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|message| &message["role"])
                .collect();
            assert_eq!(roles, ["system", "user"]);
            let format = &body["response_format"];
            let schema_in_words = body["messages"][0]["content"]
                .as_str()
                .unwrap()
                .contains(&answer_schema().to_string());
            if format["type"] == "json_schema" {
                assert_eq!(format["json_schema"]["strict"], true);
                assert_eq!(format["json_schema"]["schema"], answer_schema());
            }
            assert_ne!(
                format["type"] == "json_schema",
                schema_in_words,
                "the schema goes along exactly once"
            );
            let lengths = ["max_completion_tokens", "max_tokens"].map(|name| body.get(name).is_some());
            assert_eq!(lengths.into_iter().filter(|&there| there).count(), 1);
        }
        requests
    }
}

async fn serve(
    mut stream: TcpStream,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    requests: Arc<Mutex<Vec<Request>>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().unwrap().push(request);
        let Some(reply) = replies.lock().unwrap().pop_front() else {
            return;
        };
        for step in reply.steps {
            match step {
                Step::Send(bytes) => drop(stream.write_all(&bytes).await),
                Step::Repeat(text) => {
                    let mut pace = tokio::time::interval(Duration::from_millis(5));
                    while stream.write_all(text.as_bytes()).await.is_ok() {
                        pace.tick().await;
                    }
                }
                Step::Stall => while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {},
            }
        }
        if !reply.keep {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end + 4].to_vec()).unwrap();
            let length = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)?
                .split("\r\n")
                .next()?
                .parse()
                .ok()?;
            if bytes.len() - end - 4 >= length {
                return Some(Request {
                    head,
                    body: serde_json::from_slice(&bytes[end + 4..]).unwrap(),
                });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
