//! Streams of every form, split and cut at every byte.

use scribe_core::turn::TriggerState;
use serde_json::json;

use super::upstream::{Pieces, Scripted};
use super::{Bench, LORE, asks, ends, named, says};

/// A small answer with a character of several bytes, and how many of its bytes make it whole.
fn small() -> (String, usize) {
    let whole = format!("{}{}{}", says("Mä"), says("ren."), ends());
    let needed = whole.find("\n\ndata: [DONE]").unwrap();
    (whole, needed)
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_one_whole_turn_or_none() {
    let bench = Bench::new().await;
    let (stream, needed) = small();
    for cut in 1..stream.len() {
        let name = format!("cut-{cut}");
        let bytes = &stream.as_bytes()[..cut];
        let dictation = bench.chat.dictate();
        let mut answering = bench.ask(LORE, &asks("Who?"), &named(&name)).await;
        dictation.say(bytes);
        assert_eq!(
            answering.piece().await.unwrap().unwrap(),
            bytes,
            "{cut}: bytes are changed"
        );
        dictation.cut();
        assert_eq!(
            answering.rest().await,
            (vec![], false),
            "{cut}: the client sees that it broke off"
        );
        let turn = bench.turn(&name).await;
        let complete = turn.state != TriggerState::Incomplete;
        assert_eq!(complete, cut >= needed, "{cut}: {turn:?}");
        let expected = if complete { "Mären." } else { "" };
        assert_eq!(turn.assistant_response, expected, "{cut}");
    }
    let turns = bench.turns().await;
    assert_eq!(turns.len(), stream.len() - 1);
    let recorded = turns
        .iter()
        .filter(|turn| turn.state == TriggerState::Pending)
        .count();
    assert_eq!(
        bench.world.lambda.taken(),
        recorded,
        "only whole turns are invoked for"
    );
}

#[tokio::test]
async fn an_answer_split_at_any_byte_comes_through_piece_by_piece() {
    let bench = Bench::new().await;
    let (stream, _) = small();
    for split in 1..stream.len() {
        let name = format!("split-{split}");
        let (first, second) = stream.as_bytes().split_at(split);
        let dictation = bench.chat.dictate();
        let mut answering = bench.ask(LORE, &asks("Who?"), &named(&name)).await;
        dictation.say(first);
        // The second piece is not said before the first is here.
        assert_eq!(answering.piece().await.unwrap().unwrap(), first);
        dictation.say(second);
        assert_eq!(answering.piece().await.unwrap().unwrap(), second);
        drop(dictation);
        assert!(answering.piece().await.is_none());
        let turn = bench.turn(&name).await;
        assert_eq!(
            (turn.state, turn.assistant_response.as_str()),
            (TriggerState::Pending, "Mären.")
        );
        assert_eq!(turn.user_message, "Who?");
    }
}

/// Or the next question of a client that does not wait for the end of the bytes could be recorded before this one.
#[tokio::test]
async fn a_turn_is_recorded_when_its_answer_says_that_it_is_done() {
    let bench = Bench::new().await;
    let dictation = bench.chat.dictate();
    let mut answering = bench.ask(LORE, &asks("Who?"), &named("done")).await;
    let (stream, _) = small();
    dictation.say(&stream);
    assert_eq!(answering.piece().await.unwrap().unwrap(), stream.as_bytes());
    assert_eq!(bench.turn("done").await.state, TriggerState::Pending);
    // What comes all the same comes through, and changes nothing.
    dictation.say(": bye\n\n");
    assert_eq!(answering.piece().await.unwrap().unwrap(), ": bye\n\n".as_bytes());
    dictation.cut();
    assert_eq!(answering.rest().await, (vec![], false));
    assert_eq!(bench.turn("done").await.state, TriggerState::Pending);
}

#[tokio::test]
async fn every_form_comes_through_unchanged_and_is_understood() {
    let bench = Bench::new().await;
    let event = |data: &serde_json::Value| format!("data: {data}\n\n");
    let ui: String = [
        json!({ "type": "start", "messageId": "a1" }),
        json!({ "type": "text-start", "id": "t" }),
        json!({ "type": "text-delta", "id": "t", "delta": "Mären." }),
        json!({ "type": "text-end", "id": "t" }),
        json!({ "type": "finish" }),
    ]
    .iter()
    .map(event)
    .collect();
    let ui = format!("{ui}data: [DONE]\n\n");
    let whole = json!({ "choices": [{ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": "Mären." } }] });
    for (name, kind, body) in [
        ("openai", "text/event-stream", small().0.clone()),
        (
            "windows",
            "text/event-stream; charset=utf-8",
            small().0.replace('\n', "\r\n"),
        ),
        ("ui", "text/event-stream", ui),
        ("plain", "text/plain; charset=utf-8", "Mären.".to_owned()),
        ("json", "application/json", whole.to_string()),
    ] {
        let mut answer = Scripted::new(kind, Pieces::Whole(body.clone().into()));
        answer
            .headers
            .push(("x-vercel-ai-ui-message-stream", "v1".into()));
        answer.headers.push(("set-cookie", "a=b".into()));
        bench.chat.script(answer);
        let answering = bench.ask(LORE, &asks("Who?"), &named(name)).await;
        assert_eq!(answering.status, 200);
        assert_eq!(answering.headers["content-type"], kind);
        assert_eq!(answering.headers["x-vercel-ai-ui-message-stream"], "v1");
        assert_eq!(answering.headers["x-scribe-conversation-id"], "c1");
        assert_eq!(answering.headers["x-scribe-message-id"], name);
        assert!(!answering.headers.contains_key("set-cookie"));
        assert_eq!(answering.text().await, body, "{name}");
        let turn = bench.turn(name).await;
        assert_eq!(
            (turn.state, turn.assistant_response.as_str()),
            (TriggerState::Pending, "Mären."),
            "{name}"
        );
    }
}

/// A data stream of the AI SDK's version 4, and how many of its bytes make it whole.
fn lines() -> (String, usize) {
    let end = json!({ "finishReason": "stop", "usage": { "promptTokens": 3, "completionTokens": 2 } });
    let lines = format!("f:{{\"messageId\":\"a1\"}}\n0:\"Mä\"\n0:\"ren.\"\ne:{end}\nd:{end}\n");
    let needed = lines.len() - 1;
    (lines, needed)
}

fn data_stream(body: Pieces) -> Scripted {
    let mut answer = Scripted::new("text/plain; charset=utf-8", body);
    answer.headers.push(("x-vercel-ai-data-stream", "v1".into()));
    answer
}

#[tokio::test]
async fn a_data_stream_cut_at_any_byte_is_one_whole_turn_or_none() {
    let bench = Bench::new().await;
    let (stream, needed) = lines();
    for cut in 1..=stream.len() {
        let name = format!("cut-{cut}");
        let bytes = &stream.as_bytes()[..cut];
        bench.chat.script(data_stream(Pieces::Whole(bytes.to_vec())));
        let mut answering = bench.ask(LORE, &asks("Who?"), &named(&name)).await;
        assert_eq!(answering.headers["x-vercel-ai-data-stream"], "v1");
        assert_eq!(
            answering.rest().await,
            (bytes.to_vec(), true),
            "{cut}: bytes are changed"
        );
        let turn = bench.turn(&name).await;
        let complete = turn.state != TriggerState::Incomplete;
        assert_eq!(complete, cut >= needed, "{cut}: {turn:?}");
        let expected = if complete { "Mären." } else { "" };
        assert_eq!(turn.assistant_response, expected, "{cut}");
    }
    let failed = "0:\"Mä\"\n3:\"overloaded\"\n";
    bench.chat.script(data_stream(Pieces::Whole(failed.into())));
    let answering = bench.ask(LORE, &asks("Who?"), &named("failed")).await;
    assert_eq!(answering.text().await, failed);
    let turn = bench.turn("failed").await;
    assert_eq!(
        turn.reason.as_deref(),
        Some("the chat told an error in the middle of its answer")
    );
}

#[tokio::test]
async fn what_is_not_understood_comes_through_and_is_said_not_to_be() {
    let bench = Bench::new().await;
    let mut old = Scripted::new("text/plain", Pieces::Whole("0:\"Maren.\"\n".into()));
    old.headers.push(("x-vercel-ai-data-stream", "v0".into()));
    let mut packed = Scripted::events("packed");
    packed.headers.push(("content-encoding", "br".into()));
    let page = Scripted::new("text/html", Pieces::Whole("<p>Maren.</p>".into()));
    for (name, answer, body) in [
        ("old", old, "0:\"Maren.\"\n"),
        ("packed", packed, "packed"),
        ("page", page, "<p>Maren.</p>"),
    ] {
        bench.chat.script(answer);
        let answering = bench.ask(LORE, &asks("Who?"), &named(name)).await;
        assert_eq!(answering.text().await, body);
        bench
            .check_incomplete(name, "the answer came in a form that is not understood")
            .await;
    }
    let long = says(&"x".repeat(100_000)).repeat(3) + &ends();
    bench.chat.script(Scripted::events(&long));
    let answering = bench.ask(LORE, &asks("Who?"), &named("long")).await;
    assert_eq!(answering.text().await.len(), long.len());
    bench
        .check_incomplete("long", "the answer is longer than a turn may be")
        .await;
}
