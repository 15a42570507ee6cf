//! Conversations that other programs kept, through `make import`: read from their file, sent over HTTP, woven, and in
//! the turn list. And files that are made to do harm.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;
use zip::write::SimpleFileOptions;

use crate::local_run::{Running, program};
use crate::world::http_client;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn zipped<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// What was said in the conversations below, pair by pair. Each has a name that nothing else has.
const SAID: [(&str, &str, &str); 3] = [
    (
        "Where is the ferry?",
        "The ferry of Anselm lies at the fourth pier of Lowmere.",
        "Anselm",
    ),
    (
        "Who owns the blue trawler?",
        "Captain Ottilie Brandt bought the trawler in 1987.",
        "Ottilie",
    ),
    (
        "Which beacon is the oldest?",
        "The Quillon beacon was lit for the first time in 1412.",
        "Quillon",
    ),
];

/// OpenAI's messages, with a round of tools and a question that nobody answered.
fn messages() -> Value {
    let mut list = vec![json!({ "role": "system", "content": "You are a pilot." })];
    for (number, (asked, answered, _)) in SAID.iter().enumerate() {
        list.push(json!({ "role": "user", "content": [{ "type": "text", "text": asked }] }));
        if number == 0 {
            list.push(json!({ "role": "assistant", "content": null, "tool_calls": [{ "id": "t1" }] }));
            list.push(json!({ "role": "tool", "tool_call_id": "t1", "content": "{\"pier\": 4}" }));
        }
        list.push(json!({ "role": "assistant", "content": answered }));
    }
    list.push(json!({ "role": "user", "content": "And what of Perpetua?" }));
    Value::Array(list)
}

fn node(parent: Option<&str>, role: &str, text: &str) -> Value {
    json!({ "parent": parent, "children": [], "message": {
        "author": { "role": role }, "create_time": 1_763_826_000.5, "recipient": "all", "metadata": {},
        "content": { "content_type": "text", "parts": [text] },
    } })
}

/// A conversation of `ChatGPT`'s export, with an answer that was regenerated and a question that was edited.
fn conversation(id: &str) -> Value {
    let [one, two, three] = SAID;
    let nodes = [
        (
            "root",
            json!({ "parent": null, "children": ["u1"], "message": null }),
        ),
        ("u1", node(Some("root"), "user", one.0)),
        ("a1", node(Some("u1"), "assistant", one.1)),
        (
            "a1-old",
            node(Some("u1"), "assistant", "The ferry of Barnabas sank in 1950."),
        ),
        ("u2-old", node(Some("a1"), "user", "Who is Crispina?")),
        (
            "a2-old",
            node(
                Some("u2-old"),
                "assistant",
                "Crispina Vale is the harbour master.",
            ),
        ),
        ("u2", node(Some("a1"), "user", two.0)),
        ("a2", node(Some("u2"), "assistant", two.1)),
        ("u3", node(Some("a2"), "user", three.0)),
        ("a3", node(Some("u3"), "assistant", three.1)),
    ];
    let mapping: Map<_, _> = nodes
        .into_iter()
        .map(|(id, node)| (id.to_owned(), node))
        .collect();
    json!({ "title": format!("The harbour of {id}"), "conversation_id": id, "current_node": "a3", "mapping": mapping })
}

async fn get(running: &Running, path: &str) -> Value {
    let answer = http_client()
        .get(format!("{}{path}", running.place("API")))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

/// What an imported conversation became: its title, its document, and the ids of its turns.
async fn became(running: &Running, conversation: &str) -> (String, String, Vec<String>) {
    let state = get(running, &format!("/api/chat/background-doc/{conversation}")).await;
    let asset = state["session"]["textAssetId"].as_str().unwrap();
    let asset = get(running, &format!("/api/media-assets/{asset}")).await["asset"].clone();
    let listed = get(running, &format!("/api/chat/background-doc/{conversation}/turns")).await;
    let turns = listed["turns"].as_array().unwrap().iter().map(|turn| {
        assert_eq!(turn["state"], "processed", "{turn}");
        assert_eq!(turn["late"], false, "{turn}");
        turn["messageId"].as_str().unwrap().to_owned()
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&asset["title"]), text(&asset["content"]), turns.collect())
}

/// The conversations that have a document.
async fn conversations(running: &Running) -> Vec<String> {
    let listed = get(running, "/api/media-assets").await;
    let documents = listed["assets"].as_array().unwrap().iter();
    documents
        .map(|document| document["conversation_id"].as_str().unwrap().to_owned())
        .collect()
}

fn check_document(content: &str, never: &[&str]) {
    for (_, _, name) in SAID {
        assert!(content.contains(name), "{name} is missing:\n{content}");
    }
    for name in never {
        assert!(
            !content.contains(name),
            "{name} was never to be in it:\n{content}"
        );
    }
}

#[tokio::test]
async fn messages_of_openai_become_documents() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data")).await;

    let array = file(&folder, "pilot.json", messages().to_string());
    let (code, text) = running.import_with(&array, &[]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("3 processed, 0 failed;"), "{text}");
    assert!(
        text.contains("one message without an answer, which makes no turn"),
        "{text}"
    );
    let known = conversations(&running).await;
    let [id] = known.as_slice() else {
        panic!("{known:?}")
    };
    let (title, content, turns) = became(&running, id).await;
    assert_eq!((title.as_str(), turns.len()), ("pilot", 3));
    check_document(&content, &["Perpetua"]);

    // As it is kept line by line, with lines that can't be read: they are named, and the others are woven.
    let line =
        |id: &str| json!({ "custom_id": id, "body": { "model": "m", "messages": messages() } }).to_string();
    let lines = [
        line("first"),
        r#"{"messages": [{"role": "user", "content": "#.to_owned(),
        json!({ "messages": [{ "role": "user", "content": 7 }] }).to_string(),
        json!({ "messages": [["user", "Where?"]] }).to_string(),
        format!("{{\"messages\": {}{}}}", "[".repeat(50_000), "]".repeat(50_000)),
        line("second"),
    ];
    let lines = file(&folder, "lines.jsonl", lines.join("\n"));
    let (code, text) = running.import_with(&lines, &["--title", "Lines"]).await;
    assert_eq!(code, Some(1), "{text}");
    for expected in [
        "line 2: skipped, it is not JSON from column",
        "line 3: skipped, message 1: its content is no text and no list of parts",
        "line 4: skipped, message 1: it has no role",
        "line 5: skipped, it is nested too deeply",
        "6 processed, 0 failed, 4 skipped;",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    }
    for id in ["first", "second"] {
        let (title, content, turns) = became(&running, id).await;
        assert_eq!((title, turns.len()), (format!("Lines ({id})"), 3));
        check_document(&content, &["Perpetua"]);
    }
    assert_eq!(conversations(&running).await.len(), 3);
}

/// An API that lets nobody start one conversation, and writes every turn of the others at once.
async fn api_that_refuses(conversation: &'static str) -> String {
    use axum::extract::Path;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use http::StatusCode;

    type Ids = Arc<Mutex<Vec<(String, String)>>>;
    let sent = Ids::default();
    let text = |body: &Value, field: &str| body[field].as_str().unwrap().to_owned();
    let start = move |Json(body): Json<Value>| async move {
        if text(&body, "conversationId") == conversation {
            let error = json!({ "error": { "code": "full", "message": "there is no room for it" } });
            (StatusCode::CONFLICT, Json(error))
        } else {
            (StatusCode::CREATED, Json(json!({})))
        }
    };
    let (taken, listed) = (Ids::clone(&sent), sent);
    let record = move |Json(body): Json<Value>| async move {
        let id = (text(&body, "conversationId"), text(&body, "messageId"));
        taken.lock().unwrap().push(id);
        (StatusCode::ACCEPTED, Json(json!({ "delivery": "invoked" })))
    };
    let turns = move |Path(name): Path<String>| async move {
        let sent = listed.lock().unwrap();
        let own = sent.iter().filter(|(conversation, _)| *conversation == name);
        let turns: Vec<Value> = own
            .map(|(_, id)| json!({ "messageId": id, "state": "processed" }))
            .collect();
        Json(json!({ "turns": turns }))
    };
    let status = || async { Json(json!({ "status": { "scribeEnabled": true, "waiting": 0 } })) };
    let base = "/api/chat/background-doc";
    let router = Router::new()
        .route("/healthz", get(|| async { "" }))
        .route(&format!("{base}/start"), post(start))
        .route(&format!("{base}/turns"), post(record))
        .route(&format!("{base}/{{id}}/turns"), get(turns))
        .route(&format!("{base}/{{id}}"), get(status));
    let listener = crate::world::listener().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_conversation_that_is_refused_is_named_once_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let api = api_that_refuses("second").await;
    let turn = |conversation: &str, at: usize| {
        let (asked, answered, _) = SAID[at];
        json!({ "conversationId": conversation, "messageId": format!("m{at}"), "userMessage": asked,
            "assistantResponse": answered })
        .to_string()
    };
    let all = [
        turn("first", 0),
        turn("second", 0),
        turn("second", 1),
        turn("third", 0),
        turn("first", 1),
    ];
    let all = file(&folder, "all.jsonl", all.join("\n"));
    let (code, text) = import_to(&api, &all).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("3 processed, 0 failed, 2 refused;"), "{text}");
    assert_eq!(text.matches("there is no room for it").count(), 2, "{text}");
    let alone = file(&folder, "alone.jsonl", turn("second", 0));
    let (code, text) = import_to(&api, &alone).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("the conversation second can't be started: ")
            && text.contains("there is no room for it"),
        "{text}"
    );
}

/// Imports to an API; gives the exit code and what was said.
async fn import_to(api: &str, path: &Path) -> (Option<i32>, String) {
    imported(Command::new(program()), api, path).await
}

async fn imported(mut command: Command, api: &str, path: &Path) -> (Option<i32>, String) {
    command
        .args(["import", "--api", api, "--file"])
        .arg(path)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("it does not end")
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn an_export_of_chatgpt_becomes_documents_whatever_else_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("data")).await;

    let mut circle = conversation("circle");
    circle["mapping"]["u1"]["parent"] = "a3".into();
    let mut orphan = conversation("orphan");
    orphan["mapping"]["u2"]["parent"] = "nobody".into();
    let mut number = conversation("number");
    number["mapping"]["u2"]["parent"] = 7.into();
    let mut parts = conversation("parts");
    parts["mapping"]["a2"]["message"]["content"]["parts"] = json!({ "0": "Captain" });
    let mut large = conversation("large");
    large["mapping"]["a2"]["message"]["content"]["parts"] = json!(["Captain Ottilie. ".repeat(20_000)]);
    let all = json!([
        conversation("good"),
        circle,
        orphan,
        number,
        parts,
        7,
        [],
        {},
        large
    ]);
    let mut all = all;
    // What shows nothing is no title.
    all[0]["title"] = "\u{200b}\u{2060}".into();
    let plain = file(&folder, "conversations.json", all.to_string());
    let (code, text) = running.import_with(&plain, &[]).await;
    assert_eq!(code, Some(1), "{text}");
    for expected in [
        "conversation 2: skipped, its mapping goes in a circle",
        "conversation 3: skipped, a parent is not in its mapping",
        "conversation 4: skipped, node \"u2\": its parent is no text",
        "conversation 5: skipped, node \"a2\": its content.parts are no list",
        "conversation 6: skipped, it has neither messages nor the mapping",
        "conversation 7: skipped, there is no message in it",
        "conversation 8: skipped, it has neither messages nor the mapping",
        "conversation 9, turn 2: refused, ",
        "5 processed, 0 failed, 1 refused, 7 skipped;",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    }
    let (title, content, turns) = became(&running, "good").await;
    assert_eq!(title, "conversations (good)");
    assert_eq!(turns, ["u1", "u2", "u3"]);
    check_document(&content, &["Barnabas", "Crispina"]);
    let (_, content, turns) = became(&running, "large").await;
    assert_eq!(turns, ["u1", "u3"]);
    assert!(
        content.contains("Anselm") && content.contains("Quillon"),
        "{content}"
    );

    // The same in its ZIP changes nothing. What stands beside it is not read, however large, and no name is a path.
    let export = json!([conversation("good")]).to_string();
    let picture = vec![0xa5; 100 << 20];
    let outside = folder.path().join("outside.json");
    let evil = format!("../../../../../../../..{}", outside.display());
    let members = [
        ("user.json", b"{}".as_slice()),
        (evil.as_str(), b"{}"),
        ("pictures/large.png", &picture),
        ("../../conversations.json", export.as_bytes()),
    ];
    let zip = file(&folder, "export.zip", zipped(members));
    let (code, text) = running.import_with(&zip, &[]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("3 of 3 turns are done already"), "{text}");
    let (_, content, turns) = became(&running, "good").await;
    assert_eq!(turns.len(), 3);
    check_document(&content, &["Barnabas"]);
    assert!(!outside.exists());
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["conversations.json", "data", "export.zip"]);
    assert_eq!(conversations(&running).await.len(), 2);
}

/// Imports with at most so many KiB of memory; gives the exit code and what was said. Nobody is asked: what a file does
/// that can't be read it does before that.
async fn import_within(kib: u32, path: &Path) -> (Option<i32>, String) {
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("ulimit -v {kib} && exec \"$@\""), "import"])
        .arg(program());
    imported(command, "http://127.0.0.1:1", path).await
}

#[tokio::test]
async fn files_that_are_made_to_do_harm_are_refused_in_little_memory() {
    const KIB: u32 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let blanks = vec![b' '; 300 << 20];
    let bomb = zipped([("conversations.json", blanks.as_slice())]);
    assert!(bomb.len() < 1 << 20, "it is packed");
    let deep = |open: &str| open.repeat(1 << 20);
    let mut cut = zipped([("conversations.json", b"[]".as_slice())]);
    cut.truncate(40);
    for (name, content, expected) in [
        ("bomb.zip", bomb, "more than 100 times as large as in the ZIP"),
        ("cut.zip", cut, "it is no whole ZIP"),
        (
            "none.zip",
            zipped([("../conversations.json.txt", b"[]".as_slice())]),
            "there is no conversations.json in it",
        ),
        (
            "lists.json",
            deep("[").into(),
            "line 1 column 128: it is nested too deeply",
        ),
        ("objects.json", deep(r#"{"a":"#).into(), "it is nested too deeply"),
        (
            "mapping.json",
            br#"{"mapping": [], "current_node": "a"}"#.to_vec(),
            "its mapping is no object",
        ),
        (
            "current.json",
            br#"{"mapping": {}, "current_node": 7}"#.to_vec(),
            "its current_node is missing",
        ),
        (
            "messages.json",
            br#"{"messages": {"role": "user"}}"#.to_vec(),
            "its messages are no list",
        ),
        (
            "number.json",
            b"12".to_vec(),
            "it has neither messages nor the mapping",
        ),
        (
            "latin.json",
            b"[{\"role\": \"user\", \"content\": \"\xe4\"}]".to_vec(),
            "line 1 column",
        ),
        ("nothing.json", Vec::new(), "it is empty"),
    ] {
        let path = file(&folder, name, content);
        let (code, text) = import_within(KIB, &path).await;
        assert_eq!(code, Some(1), "{name}: {text}");
        assert!(text.contains(expected), "{name}: {text}");
        assert!(text.len() < 1000, "{name}: {text}");
    }
    // What can be read gets as far as the API within the same bounds.
    let good = file(&folder, "good.json", json!([conversation("good")]).to_string());
    let (code, text) = import_within(KIB, &good).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("nothing answers at http://127.0.0.1:1"), "{text}");
}
