//! The stand-in behind the real client and before the real checks.

use std::fmt::Write as _;

use scribe_core::blocks::{Document, Kind};
use scribe_core::edits::{Answer, Bounds, answer_schema, weave};
use scribe_core::ids::AssetId;
use scribe_core::prompt::{Mode, Prompt, PromptBudget, PromptInput, prompt};
use scribe_core::{MediaAsset, Seq, Style, Turn};
use scribe_engine::{Narrator, NarratorConfig};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;

async fn started() -> StandInModel {
    StandInModel::start(TcpListener::bind("127.0.0.1:0").await.unwrap())
        .await
        .unwrap()
}

fn narrator(model: &StandInModel) -> Narrator {
    let url = format!("http://{}/v1", model.address()).parse().unwrap();
    Narrator::new(NarratorConfig::new(url, "any".into())).unwrap()
}

fn turn(number: usize, user: String, assistant: String) -> Turn {
    Turn {
        conversation: "default/c1".parse().unwrap(),
        message_id: format!("m{number}").parse().unwrap(),
        seq: Seq(number as u64 + 1),
        earlier: vec![],
        replaces: None,
        user_message: user,
        assistant_response: assistant,
        timestamp: String::new(),
    }
}

fn new_document() -> Document {
    let asset = MediaAsset::started(scribe_core::asset::NewDocument {
        id: AssetId::try_from("a1".to_owned()).unwrap(),
        title: "The Siege of Emon".into(),
        conversation_id: "c1".parse().unwrap(),
        style: scribe_core::style::StyleChoice::Auto,
        instructions: None,
        now: String::new(),
    });
    Document::read(&asset.content, &asset.scribe.unwrap().blocks)
}

fn prompted(document: &Document, turn: &Turn) -> Prompt {
    let budget = PromptBudget::default();
    prompt(&PromptInput {
        title: "The Siege of Emon",
        style: Style::Default,
        universe: "Emon",
        instructions: None,
        mode: Mode::Edits,
        document,
        turn,
        budget,
    })
}

/// Some of a conversation in which people talk as they do: names, laughter, marks of Markdown, other scripts.
fn said(number: usize) -> (String, String) {
    let who = ["Laura", "Sam", "Travis", "Marisha"][number % 4];
    let whom = ["Jester", "Fjord", "Nott", "Beau", "Caleb", "Yasha"][(number / 7) % 6];
    let place = [
        "harbour", "market", "temple", "sewer", "tower", "library", "garrison",
    ][(number * 5) % 7];
    let user = match number % 9 {
        0 => format!("{who}: (laughter)\nTravis: lol"),
        1 => format!(
            "{who}: What does {whom} see in the {place}?\nSam: I roll *{number}* with [advantage](x)."
        ),
        2 => format!("{who}: I take the {place} map -- the _old_ one -- and follow {whom} to room {number}."),
        3 => "Wait, what?".to_owned(),
        4 => format!(
            "The rest of the document remains the same, but {whom} wants {number} gold from the {place}."
        ),
        _ => format!("{who}: {whom} and I go back to the {place} before the {number}th bell rings."),
    };
    let assistant = match number % 11 {
        0 => "Okay.".to_owned(),
        1 => format!(
            "{number}. The keeper of the {place} bows before {whom}.\n- <b>Three</b> doors open; 14:{:02} strikes.",
            number % 60
        ),
        2 => format!("「{place}の鍵は{number}番の箱にある。{whom}はそれを知らない。」"),
        3 => format!(
            "```\nThe wall of the {place} says {number}\n{whom} cannot read it, and nobody else in the city can"
        ),
        _ => format!(
            "You find {whom} near the {place}, where guard number {number} of the Crownsguard asks for papers. [...] What do you do?"
        ),
    };
    (user, assistant)
}

#[tokio::test]
async fn four_hundred_turns_become_a_document_and_no_edit_is_refused() {
    let model = started().await;
    let narrator = narrator(&model);
    let mut document = new_document();
    let mut quiet = 0;
    for number in 0..400 {
        let (user, assistant) = said(number);
        let turn = turn(number, user, assistant);
        let prompt = prompted(&document, &turn);
        let completion = narrator
            .ask(&prompt, Instant::now() + Duration::from_secs(30))
            .await
            .unwrap();
        assert_eq!(completion.finish_reason, "stop");
        assert!(completion.usage.is_some_and(|usage| usage.completion_tokens > 0));
        let answer = Answer::parse(&completion.text).unwrap();
        quiet += usize::from(answer.edits.is_empty());
        let woven = weave(&document, &answer, &turn, &Bounds::default()).unwrap();
        assert!(
            woven
                .outcomes
                .iter()
                .all(scribe_core::edits::EditOutcome::is_woven),
            "turn {number}: {woven:?}"
        );
        document = woven.document;
    }
    assert!((1..100).contains(&quiet), "{quiet} turns changed nothing");
    let headings = document
        .blocks()
        .filter(|block| matches!(block.kind(), Kind::Heading(2)))
        .count();
    assert!((8..20).contains(&headings), "{headings} sections");
    let others = document
        .blocks()
        .filter(|block| !matches!(block.kind(), Kind::Heading(_) | Kind::Paragraph))
        .count();
    assert_eq!(others, 0, "an extract is nothing but paragraphs");
    model.stop().await;
}

#[tokio::test]
async fn the_same_prompt_gets_the_same_answer() {
    let (first, second) = (started().await, started().await);
    let (user, assistant) = said(5);
    let prompt = prompted(&new_document(), &turn(5, user, assistant));
    let deadline = Instant::now() + Duration::from_secs(30);
    let one = narrator(&first).ask(&prompt, deadline).await.unwrap();
    assert_eq!(narrator(&second).ask(&prompt, deadline).await.unwrap(), one);
}

/// A plain client.
fn client() -> reqwest::Client {
    // Fails where another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn get(model: &StandInModel, path: &str) -> (u16, Value) {
    let response = client()
        .get(format!("http://{}{path}", model.address()))
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn post(model: &StandInModel, body: &Value) -> (u16, Value) {
    let url = format!("http://{}/v1/chat/completions", model.address());
    let response = client().post(url).json(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn request(changes: &[(&str, Value)]) -> Value {
    let schema = json!({ "name": "edits", "strict": true, "schema": answer_schema() });
    let mut request = json!({
        "model": "any",
        "messages": [{ "role": "user", "content": "Hello." }],
        "response_format": { "type": "json_schema", "json_schema": schema },
    });
    for (name, value) in changes {
        request[*name] = value.clone();
    }
    request
}

#[tokio::test]
async fn requests_that_openai_refuses_are_refused() {
    let model = started().await;
    let other =
        json!({ "type": "json_schema", "json_schema": { "name": "x", "strict": true, "schema": {} } });
    for (name, value, param) in [
        ("model", Value::Null, "model"),
        ("messages", json!([]), "messages"),
        (
            "messages",
            json!([{ "role": "wizard", "content": "x" }]),
            "messages",
        ),
        ("stream", json!("yes"), "stream"),
        (
            "stream_options",
            json!({ "include_usage": true }),
            "stream_options",
        ),
        ("temperature", json!(3), "temperature"),
        ("n", json!(2), "n"),
        ("max_tokens", json!(0), "max_completion_tokens"),
        (
            "response_format",
            json!({ "type": "yaml" }),
            "response_format.type",
        ),
        ("response_format", other, "response_format.json_schema.schema"),
    ] {
        let (status, body) = post(&model, &request(&[(name, value)])).await;
        assert_eq!((status, &body["error"]["param"]), (400, &json!(param)), "{body}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }
    let both = request(&[("max_tokens", json!(5)), ("max_completion_tokens", json!(5))]);
    assert_eq!(post(&model, &both).await.0, 400);
    let (status, body) = get(&model, "/v2").await;
    assert!(status == 404 && body["error"]["code"].is_string(), "{body}");
    let (status, body) = get(&model, "/v1/chat/completions").await;
    assert!(status == 405 && body["error"]["code"].is_string(), "{body}");
}

#[tokio::test]
async fn in_a_chat_it_says_what_it_is_and_none_of_it_is_written_down() {
    let model = started().await;
    let messages =
        json!([{ "role": "user", "content": [{ "type": "text", "text": "Who keeps the lamp?" }] }]);
    let asked = json!({ "model": "any", "messages": messages });
    let (status, body) = post(&model, &asked).await;
    let said = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!((status, said), (200, protocol::CHAT_ANSWER));

    let turn = turn(
        1,
        "Maren of Voss has kept the northern lighthouse since 412.".into(),
        said.to_owned(),
    );
    let prompt = prompted(&new_document(), &turn);
    let completion = narrator(&model)
        .ask(&prompt, Instant::now() + Duration::from_secs(30))
        .await;
    let written = completion.unwrap().text;
    assert!(
        written.contains("lighthouse") && !written.contains("stand-in"),
        "{written}"
    );
}

#[tokio::test]
async fn an_answer_at_once_is_the_same_as_a_stream() {
    let model = started().await;
    let (status, body) = post(&model, &request(&[])).await;
    assert_eq!((status, &body["object"]), (200, &json!("chat.completion")));
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(Answer::parse(text).unwrap().edits.is_empty());
    assert_eq!(
        body["usage"]["completion_tokens"],
        text.chars().count().div_ceil(4)
    );

    let (_, cut) = post(&model, &request(&[("max_completion_tokens", json!(3))])).await;
    assert_eq!(
        (
            &cut["choices"][0]["finish_reason"],
            &cut["usage"]["completion_tokens"]
        ),
        (&json!("length"), &json!(3))
    );

    let url = format!("http://{}/v1/chat/completions", model.address());
    let streamed = request(&[
        ("stream", json!(true)),
        ("stream_options", json!({ "include_usage": true })),
    ]);
    let stream = client()
        .post(url)
        .json(&streamed)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let data: Vec<&str> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(data.last(), Some(&"[DONE]"));
    let mut together = String::new();
    let mut usage = Value::Null;
    for piece in &data[..data.len() - 1] {
        let chunk: Value = serde_json::from_str(piece).unwrap();
        write!(
            together,
            "{}",
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or_default()
        )
        .unwrap();
        usage = chunk["usage"].clone();
    }
    assert_eq!((together.as_str(), &usage), (text, &body["usage"]));
    assert_eq!(get(&model, "/v1/models").await.1["data"][0]["id"], "stand-in");
}

#[tokio::test]
async fn it_can_be_as_slow_as_a_model() {
    let pace = Pace {
        first_token: Duration::from_millis(40),
        tokens_per_second: Some(500),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let model = StandInModel::start_paced(listener, pace).await.unwrap();
    let begun = Instant::now();
    let (_, body) = post(&model, &request(&[])).await;
    let tokens = u32::try_from(body["usage"]["completion_tokens"].as_u64().unwrap()).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(40) + Duration::from_millis(2) * tokens);
}
