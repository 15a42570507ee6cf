//! The stack of `make run`, with the real function binary in processes of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scribe_local::stack::{Stack, StackConfig, YourModel, YourS3};
use serde_json::{Value, json};

use crate::world::{BUCKET, World, http_client, key, said, woven};

/// Long enough for a loaded machine, short enough for a hang to be seen.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where `cargo build --workspace --bins` puts the functions, as `make test` does.
fn binaries() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(2).unwrap().to_owned()
}

/// A stack of its own: Redis, S3 and the stand-in model included.
async fn own_stack(data: &Path) -> Stack {
    let config = StackConfig::new("127.0.0.1:0".parse().unwrap(), data, binaries());
    Stack::start(config).await.unwrap()
}

/// A stack over a test's world, so that the test can stop it at any request.
async fn stack_over(world: &World, data: &Path, environment: &[(&str, &str)]) -> Stack {
    let config = StackConfig {
        redis: Some(world.redis.url().into()),
        s3: Some(YourS3 {
            endpoint: world.tap.url(),
            region: "us-east-1".into(),
            access_key: "test".into(),
            secret_key: "test-secret".to_owned().into(),
            session_token: None,
        }),
        model: Some(YourModel {
            base_url: Some(world.model.url()),
            api_key: None,
        }),
        bucket: BUCKET.into(),
        retry_waits: vec![Duration::from_millis(1500), Duration::from_secs(3)],
        environment: environment
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect(),
        ..StackConfig::new("127.0.0.1:0".parse().unwrap(), data, binaries())
    };
    Stack::start(config).await.unwrap()
}

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn of(stack: &Stack) -> Self {
        let http = http_client();
        Self {
            http,
            base: format!("http://{}", stack.address()),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self
            .http
            .post(format!("{}{path}", self.base))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn start(&self, conversation: &str) -> String {
        let body = json!({ "conversationId": conversation, "title": "The Amber Road" });
        let started = self.post("/api/chat/background-doc/start", body).await;
        started["textAssetId"].as_str().unwrap().to_owned()
    }

    async fn say(&self, conversation: &str, n: usize) {
        let body = json!({ "conversationId": conversation, "messageId": format!("m{n}"),
                           "userMessage": format!("What happened at milestone {n}?"), "assistantResponse": said(n) });
        self.post("/api/chat/background-doc/turns", body).await;
    }

    async fn content(&self, asset: &str) -> String {
        let read = self.get(&format!("/api/media-assets/{asset}")).await;
        read["asset"]["content"].as_str().unwrap().to_owned()
    }

    async fn states(&self, conversation: &str) -> Vec<String> {
        let listed = self
            .get(&format!("/api/chat/background-doc/{conversation}/turns"))
            .await;
        let turns = listed["turns"].as_array().unwrap();
        turns
            .iter()
            .map(|turn| turn["state"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn drained(stack: &Stack) {
    tokio::time::timeout(PATIENCE, stack.lambda().drained())
        .await
        .expect("lambda's queue did not drain");
}

/// Kills the function's processes as a crash would.
fn kill_functions() -> usize {
    let binary = binaries().join("summarizer");
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name stands in brackets and may hold blanks; the parent is the second field behind it.
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        let executable = std::fs::read_link(entry.path().join("exe"));
        if parent == Some(std::process::id()) && executable.is_ok_and(|executable| executable == binary) {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            killed += 1;
        }
    }
    killed
}

#[tokio::test]
async fn turns_posted_at_once_become_a_document_that_a_second_start_finds() {
    let folder = tempfile::tempdir().unwrap();
    let asset;
    let content;
    {
        let stack = own_stack(folder.path()).await;
        let client = Client::of(&stack);
        asset = client.start("c1").await;
        for n in 0..20 {
            client.say("c1", n).await;
        }
        drained(&stack).await;
        assert_eq!(client.states("c1").await, vec!["processed"; 20]);
        content = client.content(&asset).await;
        assert!(content.starts_with("# The Amber Road\n"), "{content}");
        let status = client.get("/api/chat/background-doc/c1").await["status"].clone();
        assert_eq!(
            (&status["messageCount"], &status["waiting"]),
            (&json!(20), &json!(0))
        );
        stack.stop().await;
    }
    let stack = own_stack(folder.path()).await;
    let client = Client::of(&stack);
    assert_eq!(client.content(&asset).await, content);
    assert_eq!(client.states("c1").await, vec!["processed"; 20]);
    client.say("c1", 20).await;
    drained(&stack).await;
    assert_eq!(client.states("c1").await, vec!["processed"; 21]);
    stack.stop().await;
}

#[tokio::test]
async fn a_process_killed_between_put_and_complete_applies_its_turn_once() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let stack = stack_over(&world, folder.path(), &[("SCRIBE_LEASE_MS", "1000")]).await;
    let client = Client::of(&stack);
    let asset = client.start("c1").await;
    let put = world.tap.hold_after(Method::PUT, "/media-assets/");
    client.say("c1", 1).await;
    tokio::time::timeout(PATIENCE, put.reached()).await.unwrap();
    assert_eq!(kill_functions(), 1);
    put.go();
    drained(&stack).await;
    client.say("c1", 2).await;
    drained(&stack).await;
    assert_eq!(woven(&client.content(&asset).await), [1, 2]);
    assert_eq!(client.states("c1").await, ["processed", "processed"]);
    assert_eq!(
        world.model.calls(),
        2,
        "the first turn's model call was paid once"
    );
    assert_eq!(world.keys("waiting/").await, Vec::<String>::new());
    stack.stop().await;
}

#[tokio::test]
async fn a_process_killed_while_the_model_thinks_loses_nothing() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let stack = stack_over(&world, folder.path(), &[("SCRIBE_LEASE_MS", "1000")]).await;
    let client = Client::of(&stack);
    let asset = client.start("c1").await;
    let (reached, _never) = world.model.hold();
    client.say("c1", 1).await;
    tokio::time::timeout(PATIENCE, reached.notified()).await.unwrap();
    assert_eq!(kill_functions(), 1);
    drained(&stack).await;
    client.say("c1", 2).await;
    drained(&stack).await;
    assert_eq!(woven(&client.content(&asset).await), [1, 2]);
    let attempts = world.trigger(&key("c1"), 1).await.unwrap().attempts;
    assert_eq!(attempts, 2, "the attempt that killed its process counts");
    stack.stop().await;
}

#[tokio::test]
async fn several_turns_in_one_process_are_right_too() {
    let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
    let stack = stack_over(&world, folder.path(), &[("AWS_LAMBDA_MAX_CONCURRENCY", "4")]).await;
    let client = Client::of(&stack);
    let mut assets = Vec::new();
    for conversation in ["c1", "c2", "c3"] {
        assets.push(client.start(conversation).await);
    }
    for n in 0..6 {
        for conversation in ["c1", "c2", "c3"] {
            client.say(conversation, n).await;
        }
    }
    drained(&stack).await;
    for (conversation, asset) in ["c1", "c2", "c3"].into_iter().zip(&assets) {
        assert_eq!(
            woven(&client.content(asset).await),
            (0..6).collect::<Vec<_>>(),
            "{conversation}"
        );
    }
    stack.stop().await;
}
