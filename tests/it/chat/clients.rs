//! The official clients, as people use them: `OpenAI`'s for Python and for Node through the drop-in, and the AI SDK
//! through agent-lore. `make test` installs them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::upstream::{Pieces, Scripted};
use super::{Bench, PATIENCE};
use crate::world::{key, listener, node_folder, said, woven};

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools")
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// What a client printed, line by line.
async fn lines(command: &mut Command) -> Vec<String> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE * 2, running)
        .await
        .expect("it does not end")
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.trim().to_owned())
        .collect()
}

/// The API on a port of its own.
async fn served(bench: &Bench) -> String {
    let server = listener().await;
    let address = server.local_addr().unwrap();
    let api = bench.api.clone();
    tokio::spawn(async move { axum::serve(server, api).await });
    format!("http://{address}")
}

/// The turns that the document tells of.
async fn written(bench: &Bench) -> Vec<usize> {
    bench.world.pump(&bench.world.engine()).await;
    let view = bench.world.conversations().view(&key("c1")).await.unwrap();
    woven(&bench.world.document(&view.unwrap().session).await.asset.content)
}

/// Scripts what an `OpenAI` client asks for: the models, a stream, and an answer at once.
fn script_openai(bench: &Bench) {
    let json = |body: Value| Scripted::new("application/json", Pieces::Whole(body.to_string().into()));
    let models = json!({ "object": "list", "data": [{ "id": "m", "object": "model", "created": 0, "owned_by": "t" }] });
    bench.chat.script(json(models));
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
        format!("data: {chunk}\n\n")
    };
    let answer = said(1);
    let words = answer
        .split_inclusive(' ')
        .map(|word| chunk(json!({ "content": word }), Value::Null));
    let end = [chunk(json!({}), json!("stop")), "data: [DONE]\n\n".to_owned()];
    bench
        .chat
        .script(Scripted::events(&words.chain(end).collect::<String>()));
    bench.chat.script(json(
        json!({ "id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": said(2), "refusal": null } }] }),
    ));
}

#[tokio::test]
async fn openais_client_for_python_is_scribed() {
    let bench = Bench::new().await;
    script_openai(&bench);
    let python = tools().join("openai/bin/python");
    assert!(
        python.is_file(),
        "{} is missing; `make test` installs it",
        python.display()
    );
    let url = format!("{}/v1", served(&bench).await);
    let script = scripts().join("openai_stream.py");
    let told = lines(
        Command::new(python)
            .arg(script)
            .args([&url, "c1", "What happened?"]),
    )
    .await;
    assert_eq!(told, [said(1), said(2)]);
    assert_eq!(written(&bench).await, [1, 2]);
}

#[tokio::test]
async fn openais_client_for_node_is_scribed() {
    let bench = Bench::new().await;
    script_openai(&bench);
    let folder = node_folder("clients");
    let url = format!("{}/v1", served(&bench).await);
    let mut client = Command::new("node");
    client
        .current_dir(&folder)
        .arg("openai_stream.mjs")
        .args([&url, "c1", "What happened?"]);
    assert_eq!(lines(&mut client).await, [said(1), said(2)]);
    assert_eq!(written(&bench).await, [1, 2]);
}

#[tokio::test]
async fn the_ai_sdk_is_scribed_through_a_chat_of_its_own() {
    let folder = node_folder("clients");
    let mut chat = Command::new("node")
        .current_dir(&folder)
        .arg("ai_sdk_chat.mjs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut told = BufReader::new(chat.stdout.take().unwrap()).lines();
    let url = tokio::time::timeout(PATIENCE, told.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let bench = Bench::built(|_| {}, |config, _| config.chat_url = Some(url.parse().unwrap())).await;
    let api = format!("{}/api/agent-lore", served(&bench).await);
    let questions = [1, 2].map(|n| format!("What happened? say: {}", said(n)));
    let mut page = Command::new("node");
    page.current_dir(&folder)
        .arg("ai_sdk.mjs")
        .args([&api, "c1"])
        .args(&questions);
    assert_eq!(lines(&mut page).await, [said(1), said(2)]);
    // The page names its messages, and so are the turns.
    assert_eq!(bench.turn("question-1").await.assistant_response.trim(), said(2));
    assert_eq!(written(&bench).await, [1, 2]);
}
