//! The API against its own description: schemathesis asks the running system everything that the `OpenAPI` document
//! allows, and much that it does not. Nothing may be answered that the document does not name, and no 5xx.
//!
//! Two minutes in `make test`; `make api-fuzz MINUTES=10` goes on for longer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::local_run::Running;

const KEY: &str = "sk-of-the-fuzzer-0123456789abcdef";

/// What stands behind the gate so that the limits are not what is tested.
const SETTINGS: [(&str, &str); 3] = [
    ("SCRIBE_API_KEYS", "acme/ann:sk-of-the-fuzzer-0123456789abcdef"),
    ("SCRIBE_RATE_PER_S", "100000"),
    ("SCRIBE_RATE_BURST", "100000"),
];

fn schemathesis() -> PathBuf {
    let program = match std::env::var_os("SCRIBE_SCHEMATHESIS") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/schemathesis/bin/schemathesis"),
    };
    assert!(
        program.exists(),
        "schemathesis is not at {}: `make test` installs it, SCRIBE_SCHEMATHESIS may name another",
        program.display()
    );
    program
}

#[tokio::test]
async fn the_api_answers_as_its_description_says() {
    let minutes: u64 = std::env::var("API_FUZZ_MINUTES").map_or(2, |minutes| minutes.parse().unwrap());
    let program = schemathesis();
    let data = tempfile::tempdir().unwrap();
    let running = Running::start_with(data.path(), &SETTINGS).await;
    let api = running.place("API").to_owned();

    // Something to find.
    let http = crate::world::http_client();
    let mut answers = Vec::new();
    for (path, body) in [
        ("start", json!({ "conversationId": "c1", "title": "Emon" })),
        (
            "turns",
            json!({ "conversationId": "c1", "messageId": "m1", "userMessage": "Who?", "assistantResponse": "Maren of Voss." }),
        ),
    ] {
        let request = http
            .post(format!("{api}/api/chat/background-doc/{path}"))
            .header("x-api-key", KEY);
        let answer = request.json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answers.push(answer.json::<Value>().await.unwrap());
    }
    let asset = answers[0]["textAssetId"].as_str().unwrap();

    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/api_fuzz/schemathesis.toml");
    let time = Duration::from_secs(minutes * 60);
    let mut fuzzing = Command::new(program);
    fuzzing
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(format!("{api}/openapi.json"))
        .args(["--max-time", &time.as_secs().to_string()])
        .env("API_FUZZ_KEY", KEY)
        .env("API_FUZZ_ASSET", asset)
        .current_dir(data.path())
        .kill_on_drop(true);
    // What it finds is shrunk and said after its time, too.
    let output = timeout(time * 3, fuzzing.output())
        .await
        .expect("it does not end")
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{said}");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end().await.0, Some(0));
}
