//! A service that stops while chats are being answered: the program itself, as people stop it.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::upstream::{Dictation, ScriptedChat};
use super::{COMPLETIONS, LORE, PATIENCE, asks, ends, says};
use crate::local_run::Running;
use crate::world::{http_client, listener};

/// An answer of which this much has come.
async fn begun(chat: &ScriptedChat, api: &str, name: &str, piece: &str) -> (Dictation, reqwest::Response) {
    let dictation = chat.dictate();
    let request = http_client().post(format!("{api}{LORE}")).json(&asks("Who?"));
    let mut answer = request.header("x-scribe-message-id", name).send().await.unwrap();
    dictation.say(piece);
    let came = tokio::time::timeout(PATIENCE, answer.chunk()).await.unwrap();
    assert_eq!(came.unwrap().unwrap(), piece);
    (dictation, answer)
}

#[tokio::test]
async fn a_service_that_stops_notes_the_answers_that_it_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let chat = ScriptedChat::start().await;
    // It takes requests, and never answers.
    let silent = listener().await;
    let silent_url = format!("http://{}/v1", silent.local_addr().unwrap());
    let chat_url = format!("{}/api/chat", chat.url());
    let variables = [
        ("CHAT_URL", chat_url.as_str()),
        ("OPENAI_BASE_URL", silent_url.as_str()),
    ];
    let first = Running::start_with(folder.path(), &variables).await;
    let api = first.place("API").to_owned();
    let start = http_client().post(format!("{api}/api/chat/background-doc/start"));
    let started = start.json(&json!({ "conversationId": "c1", "title": "The Amber Road" }));
    assert_eq!(started.send().await.unwrap().status(), 201);

    let (_half, mut half_answer) = begun(&chat, &api, "half", &says("Ma")).await;
    let whole = says("Maren.") + &ends();
    let (_whole, mut whole_answer) = begun(&chat, &api, "whole", &whole).await;
    let mut body = asks("Who?");
    body["user"] = json!("c1");
    let waiting = http_client().post(format!("{api}{COMPLETIONS}")).json(&body);
    let waiting = tokio::spawn(waiting.header("x-scribe-message-id", "waiting").send());
    let (_asked, _) = silent.accept().await.unwrap();

    first.signal(Signal::SIGTERM);
    let refused = tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(refused.status(), 503);
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["error"]["code"], "stopping");
    for answer in [&mut half_answer, &mut whole_answer] {
        let rest = tokio::time::timeout(PATIENCE, answer.chunk()).await.unwrap();
        assert!(rest.is_err(), "nobody takes a part for the whole");
    }
    assert_eq!(first.end().await, (Some(0), "Stopped.".to_owned()));

    let second = Running::start_with(folder.path(), &variables).await;
    let list = format!("{}/api/chat/background-doc/c1/turns", second.place("API"));
    let listed: Value = http_client()
        .get(list)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let turns = listed["turns"].as_array().unwrap();
    let turn = |name: &str| turns.iter().find(|turn| turn["messageId"] == name);
    let cut = json!("the service was stopped before the answer was whole");
    for name in ["half", "waiting"] {
        let turn = turn(name).unwrap_or_else(|| panic!("{name} is not noted: {listed}"));
        assert_eq!(
            (&turn["state"], &turn["reason"]),
            (&json!("incomplete"), &cut),
            "{name}"
        );
    }
    let whole = turn("whole").unwrap_or_else(|| panic!("a whole answer is lost: {listed}"));
    assert_ne!(whole["state"], "incomplete");
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().await.0, Some(0));
}
