use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A stream of events, each with this data.
fn events(data: &[String]) -> String {
    data.iter().map(|data| format!("data: {data}\n\n")).collect()
}

fn chunk(delta: &serde_json::Value, finish: Option<&str>) -> String {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }).to_string()
}

fn said(text: &str) -> String {
    chunk(&json!({ "content": text }), None)
}

fn stop(reason: &str) -> String {
    chunk(&json!({}), Some(reason))
}

fn done() -> String {
    "[DONE]".into()
}

fn ui(part: &serde_json::Value) -> String {
    part.to_string()
}

fn read(form: Form, body: &str) -> Finding {
    let mut reader = AnswerReader::new(form, None);
    reader.push(body.as_bytes());
    reader.ended()
}

#[track_caller]
fn check(data: &[String], expected: &Finding) {
    assert_eq!(&read(Form::Events, &events(data)), expected, "{data:?}");
}

fn complete(text: &str) -> Finding {
    Finding::Complete(text.into())
}

use Incompletion::{BrokenOff, ClientLeft, Empty, Failed, Filtered, Stopped, TooLong, Unreadable};

#[test]
fn openai_streams_are_understood() {
    let role = chunk(&json!({ "role": "assistant", "content": "" }), None);
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 1 } }).to_string();
    check(
        &[
            role.clone(),
            said("Ma"),
            said("ren."),
            stop("stop"),
            usage,
            done(),
        ],
        &complete("Maren."),
    );
    // Some servers send no end mark, some no reason.
    check(&[said("Maren."), stop("stop")], &complete("Maren."));
    check(&[said("Maren."), done()], &complete("Maren."));
    check(&[said("Mar"), stop("length"), done()], &complete("Mar"));
    for none in ["", "null"] {
        let piece = chunk(&json!({ "content": "Mar" }), Some(none));
        check(std::slice::from_ref(&piece), &Finding::Incomplete(BrokenOff));
        check(&[piece, said("en."), stop("stop")], &complete("Maren."));
    }
    check(&[said("Mar")], &Finding::Incomplete(BrokenOff));
    check(std::slice::from_ref(&role), &Finding::Incomplete(BrokenOff));
    check(
        &[said("Mar"), stop("content_filter"), done()],
        &Finding::Incomplete(Filtered),
    );
    let error = json!({ "error": { "message": "overloaded", "type": "server_error" } }).to_string();
    check(
        &[said("Mar"), error.clone(), done()],
        &Finding::Incomplete(Failed),
    );
    check(&[error], &Finding::Incomplete(Failed));
    check(&[role, stop("stop"), done()], &Finding::Incomplete(Empty));
    let refused = chunk(&json!({ "refusal": "I can't help with that." }), None);
    check(
        &[refused, stop("stop"), done()],
        &complete("I can't help with that."),
    );
    let second =
        json!({ "choices": [{ "index": 1, "delta": { "content": "Voss." }, "finish_reason": "stop" }] });
    check(
        &[said("Ma"), second.to_string(), said("ren."), stop("stop"), done()],
        &complete("Maren."),
    );
    let parts = chunk(
        &json!({ "content": [{ "type": "text", "text": "Maren." }] }),
        Some("stop"),
    );
    check(&[parts], &complete("Maren."));
    let null =
        json!({ "choices": [{ "index": 0, "delta": { "content": null, "tool_calls": [] } }], "error": null });
    check(
        &[null.to_string(), said("Maren."), stop("stop")],
        &complete("Maren."),
    );
}

#[test]
fn an_answer_that_calls_tools_is_not_the_end() {
    let call = chunk(
        &json!({ "tool_calls": [{ "index": 0, "function": { "name": "look" } }] }),
        None,
    );
    check(&[call.clone(), stop("tool_calls"), done()], &Finding::CallsTools);
    check(
        &[said("Let me look."), call.clone(), stop("tool_calls"), done()],
        &Finding::CallsTools,
    );
    // Where a tool was demanded, the reason is another.
    check(&[call.clone(), stop("stop"), done()], &Finding::CallsTools);
    check(&[call], &Finding::Incomplete(BrokenOff));
    let whole = json!({ "choices": [{ "index": 0, "finish_reason": "tool_calls", "message":
        { "role": "assistant", "content": null, "tool_calls": [{ "id": "1" }] } }] });
    assert_eq!(read(Form::Json, &whole.to_string()), Finding::CallsTools);

    let start = ui(&json!({ "type": "start" }));
    let called =
        ui(&json!({ "type": "tool-input-available", "toolCallId": "1", "toolName": "look", "input": {} }));
    let found = ui(&json!({ "type": "tool-output-available", "toolCallId": "1", "output": "a lamp" }));
    let text = ui(&json!({ "type": "text-delta", "id": "t", "delta": "A lamp." }));
    let finish = |reason: &str| ui(&json!({ "type": "finish", "finishReason": reason }));
    check(
        &[start.clone(), called.clone(), finish("tool-calls"), done()],
        &Finding::CallsTools,
    );
    check(
        &[start.clone(), text.clone(), called.clone(), finish("other")],
        &Finding::CallsTools,
    );
    check(
        &[
            start.clone(),
            called.clone(),
            found.clone(),
            text.clone(),
            finish("stop"),
            done(),
        ],
        &complete("A lamp."),
    );
    // The server ran its tools itself and then ran out of steps.
    check(&[text, called, found, finish("tool-calls")], &complete("A lamp."));
}

#[test]
fn ui_message_streams_are_understood() {
    let part = |kind: &str| ui(&json!({ "type": kind, "id": "t" }));
    let delta = |text: &str| ui(&json!({ "type": "text-delta", "id": "t", "delta": text }));
    let thought = ui(&json!({ "type": "reasoning-delta", "id": "r", "delta": "Hm." }));
    let data = ui(&json!({ "type": "data-weather", "data": { "delta": "no text" } }));
    check(
        &[
            part("start"),
            part("start-step"),
            thought,
            part("text-start"),
            delta("Ma"),
            delta("ren."),
            part("text-end"),
            data,
            part("text-start"),
            delta("Of Voss."),
            part("text-end"),
            part("finish-step"),
            part("finish"),
            done(),
        ],
        &complete("Maren.\n\nOf Voss."),
    );
    check(
        &[part("text-start"), delta("Maren."), done()],
        &complete("Maren."),
    );
    check(
        &[delta("Mar"), part("finish-step")],
        &Finding::Incomplete(BrokenOff),
    );
    let error = ui(&json!({ "type": "error", "errorText": "no" }));
    check(
        &[delta("Mar"), error, part("finish"), done()],
        &Finding::Incomplete(Failed),
    );
    check(
        &[delta("Mar"), part("abort"), done()],
        &Finding::Incomplete(Stopped),
    );
    let filtered = ui(&json!({ "type": "finish", "finishReason": "content-filter" }));
    check(&[delta("Mar"), filtered, done()], &Finding::Incomplete(Filtered));
}

/// Lines of a data stream.
fn lines(lines: &[(&str, serde_json::Value)]) -> String {
    lines
        .iter()
        .map(|(kind, json)| format!("{kind}:{json}\n"))
        .collect()
}

#[test]
fn data_streams_are_understood() {
    let text = |text: &str| ("0", json!(text));
    let start = ("f", json!({ "messageId": "a1" }));
    let step = |reason: &str, continued: bool| {
        (
            "e",
            json!({ "finishReason": reason, "usage": { "promptTokens": 1 }, "isContinued": continued }),
        )
    };
    let finish = |reason: &str| {
        (
            "d",
            json!({ "finishReason": reason, "usage": { "promptTokens": 1 } }),
        )
    };
    let call = ("9", json!({ "toolCallId": "t1", "toolName": "look", "args": {} }));
    let found = ("a", json!({ "toolCallId": "t1", "result": "0:\"a lamp\"" }));
    let thought = ("g", json!("Hm."));
    let data = ("2", json!([{ "0": "no text" }]));
    let (stopped, called) = (step("stop", false), step("tool-calls", false));
    #[track_caller]
    fn check_lines(parts: &[(&str, serde_json::Value)], expected: &Finding) {
        assert_eq!(&read(Form::DataStream, &lines(parts)), expected, "{parts:?}");
    }
    check_lines(
        &[
            start.clone(),
            thought,
            text("Ma"),
            data,
            text("ren: \"0\"\n."),
            stopped.clone(),
            finish("stop"),
        ],
        &complete("Maren: \"0\"\n."),
    );
    check_lines(&[text("Mar"), finish("length")], &complete("Mar"));
    check_lines(
        &[
            text("Ma"),
            step("length", true),
            start.clone(),
            text("ren."),
            stopped.clone(),
            finish("stop"),
        ],
        &complete("Maren."),
    );
    // The server ran its tools itself.
    let round = [
        start.clone(),
        text("Let me look."),
        call.clone(),
        found,
        called.clone(),
    ];
    check_lines(
        &[
            &round[..],
            &[start, text("A lamp."), stopped.clone(), finish("stop")],
        ]
        .concat(),
        &complete("Let me look.\n\nA lamp."),
    );
    check_lines(
        &[text("Let me look."), call, called, finish("tool-calls")],
        &Finding::CallsTools,
    );
    check_lines(&[text("Mar"), stopped], &Finding::Incomplete(BrokenOff));
    check_lines(
        &[text("Mar"), ("3", json!("overloaded")), finish("error")],
        &Finding::Incomplete(Failed),
    );
    check_lines(
        &[text("Mar"), ("3", json!("overloaded"))],
        &Finding::Incomplete(Failed),
    );
    check_lines(
        &[text("Mar"), finish("content-filter")],
        &Finding::Incomplete(Filtered),
    );
    check_lines(&[finish("stop")], &Finding::Incomplete(Empty));
    let whole = "0:\"Maren.\"\nd:{\"finishReason\":\"stop\"}";
    assert_eq!(
        read(Form::DataStream, whole),
        complete("Maren."),
        "its last line may be without an end"
    );
    assert_eq!(
        read(Form::DataStream, &whole[..whole.len() - 1]),
        Finding::Incomplete(BrokenOff)
    );
    assert_eq!(
        read(Form::DataStream, &whole.replace('\n', "\r\n")),
        complete("Maren.")
    );
    let noise = format!("garbage\n:\n0:7\n9:{{}}\n\n{whole}");
    assert_eq!(read(Form::DataStream, &noise), complete("Maren."));
}

#[test]
fn other_forms_are_understood_or_said_not_to_be() {
    let message = |text: &str| {
        json!({ "choices": [{ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": text } }] })
        .to_string()
    };
    assert_eq!(read(Form::Json, &message("Maren.")), complete("Maren."));
    assert_eq!(
        read(Form::Json, &message("Maren.")[..40]),
        Finding::Incomplete(BrokenOff)
    );
    assert_eq!(read(Form::Json, "{\"error\":{}}"), Finding::Incomplete(Failed));
    assert_eq!(
        read(Form::Json, "{\"reply\":\"Maren.\"}"),
        Finding::Incomplete(Empty)
    );
    assert_eq!(
        read(Form::Text, "Maren, Wächterin."),
        complete("Maren, Wächterin.")
    );
    assert_eq!(read(Form::Text, ""), Finding::Incomplete(Empty));
    assert_eq!(
        read(Form::Unknown, "<p>Maren</p>"),
        Finding::Incomplete(Unreadable)
    );
    for (kind, form) in [
        (Some("text/event-stream"), Form::Events),
        (Some("Text/Event-Stream; charset=utf-8"), Form::Events),
        (Some("application/json"), Form::Json),
        (Some("text/plain;charset=UTF-8"), Form::Text),
        (Some("text/html"), Form::Unknown),
        (None, Form::Unknown),
    ] {
        assert_eq!(Form::of(kind, None), form, "{kind:?}");
    }
    assert_eq!(Form::of(Some("text/plain"), Some("v1")), Form::DataStream);
    assert_eq!(Form::of(Some("text/plain"), Some("v2")), Form::Unknown);
}

#[test]
fn who_leaves_behind_the_last_word_has_heard_it() {
    let left = |form: Form, length: Option<u64>, body: &str| {
        let mut reader = AnswerReader::new(form, length);
        reader.push(body.as_bytes());
        reader.cut(ClientLeft)
    };
    assert_eq!(
        left(Form::Events, None, &events(&[said("Maren."), stop("stop")])),
        complete("Maren.")
    );
    assert_eq!(
        left(Form::Events, None, &events(&[said("Maren.")])),
        Finding::Incomplete(ClientLeft)
    );
    assert_eq!(left(Form::Text, None, "Maren."), Finding::Incomplete(ClientLeft));
    assert_eq!(left(Form::Text, Some(6), "Maren."), complete("Maren."));
    assert_eq!(
        left(Form::Text, Some(7), "Maren."),
        Finding::Incomplete(ClientLeft)
    );
    let mut cut = AnswerReader::new(Form::Text, None);
    cut.push(b"Mar");
    assert_eq!(cut.cut(BrokenOff), Finding::Incomplete(BrokenOff));
}

#[test]
fn memory_is_bounded() {
    let piece = said(&"x".repeat(1000));
    let mut reader = AnswerReader::new(Form::Events, None);
    for _ in 0..300 {
        reader.push(events(std::slice::from_ref(&piece)).as_bytes());
    }
    assert!(reader.so_far.text.is_empty(), "what is no turn is not kept");
    reader.push(events(&[stop("stop"), done()]).as_bytes());
    assert_eq!(reader.ended(), Finding::Incomplete(TooLong));

    let mut reader = AnswerReader::new(Form::DataStream, None);
    reader.push(b"0:\"Maren.\"\n2:[\"");
    for _ in 0..3000 {
        reader.push(&[b'x'; 1000]);
    }
    reader.push(b"\"]\nd:{\"finishReason\":\"stop\"}\n");
    assert_eq!(
        reader.ended(),
        complete("Maren."),
        "what is passed over hides nothing"
    );

    let mut reader = AnswerReader::new(Form::Events, None);
    for n in 0..2_000 {
        let id = format!("{n}{}", "x".repeat(10_000));
        let call = ui(&json!({ "type": "tool-input-available", "toolCallId": id }));
        reader.push(events(&[call]).as_bytes());
    }
    let kept: usize = reader.so_far.open_calls().map(String::len).sum();
    assert!(kept <= 128 * 1_000, "{kept}");

    let mut reader = AnswerReader::new(Form::Json, None);
    for _ in 0..3000 {
        reader.push(&[b' '; 1000]);
    }
    assert!(reader.bytes.is_empty());
    assert_eq!(reader.ended(), Finding::Incomplete(TooLong));
}

#[test]
fn no_text_reaches_a_debug_print() {
    let mut reader = AnswerReader::new(Form::Text, None);
    reader.push(b"a secret");
    assert!(!format!("{reader:?} {:?}", complete("a secret")).contains("secret"));
}

proptest! {
    #[test]
    fn it_does_not_matter_how_an_answer_is_split(
        words in proptest::collection::vec("[a-zü🐉\\n\"]{1,6}", 1..8),
        cuts in proptest::collection::vec(1..9_usize, 1..40),
        form in proptest::sample::select(vec![Form::Events, Form::Json, Form::Text, Form::DataStream]),
        line_end in proptest::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let text = words.concat();
        let body = match form {
            Form::Json => json!({ "choices": [{ "finish_reason": "stop", "message": { "content": text } }] }).to_string(),
            Form::Text => text.clone(),
            Form::DataStream => {
                let said = words.iter().map(|word| ("0", json!(word)));
                lines(&said.chain([("d", json!({ "finishReason": "stop" }))]).collect::<Vec<_>>())
            }
            _ => {
                let pieces = words.iter().map(|word| said(word)).chain([stop("stop"), done()]);
                events(&pieces.collect::<Vec<_>>()).replace('\n', line_end)
            }
        };
        let mut reader = AnswerReader::new(form, None);
        let mut rest = body.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, others) = rest.split_at((*cut).min(rest.len()));
            reader.push(piece);
            rest = others;
        }
        let expected = if text.trim().is_empty() { Finding::Incomplete(Empty) } else { complete(&text) };
        prop_assert_eq!(reader.ended(), expected);
    }
}
