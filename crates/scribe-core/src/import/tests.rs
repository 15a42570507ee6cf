use serde_json::json;

use super::*;

fn conversations(content: &str) -> (Vec<Imported>, Vec<ImportError>) {
    match read(content.as_bytes()) {
        Ok(Contents::Conversations(conversations, errors)) => (conversations, errors),
        other => panic!("{other:?}"),
    }
}

fn texts(conversation: &Imported) -> Vec<(&str, &str)> {
    let turns = conversation.turns.iter();
    turns
        .map(|turn| (turn.user_message.as_str(), turn.assistant_response.as_str()))
        .collect()
}

/// A talk with all that may stand in one.
fn talk() -> Value {
    json!([
        { "role": "system", "content": "You are a pilot." },
        { "role": "user", "content": "Where is the ferry?" },
        { "role": "assistant", "content": null, "tool_calls": [{ "id": "c1" }] },
        { "role": "tool", "tool_call_id": "c1", "content": "{\"pier\": 4}" },
        { "role": "assistant", "content": "At the fourth pier." },
        { "role": "user", "content": [
            { "type": "text", "text": "And this boat?" },
            { "type": "image_url", "image_url": { "url": "data:," } },
        ] },
        { "role": "user", "content": "The blue one." },
        { "role": "assistant", "content": [{ "type": "text", "text": "A trawler." }] },
        { "role": "user", "content": "Who owns it?" },
        { "role": "assistant", "content": null, "tool_calls": [{ "id": "c2" }] },
        { "role": "user", "content": "Never mind." },
    ])
}

const TALK: [(&str, &str); 2] = [
    ("Where is the ferry?", "At the fourth pier."),
    ("And this boat?\n\nThe blue one.", "A trawler."),
];

#[test]
fn messages_are_read_in_every_wrapping() {
    let talk = talk();
    let object = json!({ "messages": talk });
    let batch = json!({ "custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions",
        "body": { "model": "m", "messages": talk } });
    for content in [
        talk.to_string(),
        serde_json::to_string_pretty(&talk).unwrap(),
        object.to_string(),
        format!("\u{feff}\n{object}\r\n\n"),
        json!([object]).to_string(),
        batch.to_string(),
    ] {
        let (found, errors) = conversations(&content);
        assert_eq!((found.len(), errors.len()), (1, 0), "{content}");
        assert_eq!(texts(&found[0]), TALK, "{content}");
        assert_eq!(found[0].unanswered, 2, "{content}");
    }
    let (found, _) = conversations(&format!("{batch}\n{batch}"));
    assert_eq!(found[0].conversation_id.as_str(), "request-1");
    assert_ne!(found[0].conversation_id, found[1].conversation_id);
}

#[test]
fn the_same_file_gives_the_same_ids_also_when_it_has_grown() {
    let mut messages = talk().as_array().unwrap().clone();
    let ids = |messages: &[Value]| {
        let (found, _) = conversations(&json!(messages).to_string());
        let turns = found[0].turns.iter().map(|turn| turn.message_id.clone());
        (found[0].conversation_id.clone(), turns.collect::<Vec<_>>())
    };
    let first = ids(&messages);
    assert_eq!(first, ids(&messages));
    // The same words again are another turn.
    for _ in 0..2 {
        messages.extend([
            json!({ "role": "user", "content": "And now?" }),
            json!({ "role": "assistant", "content": "Still there." }),
        ]);
    }
    let grown = ids(&messages);
    assert_eq!(grown.0, first.0);
    assert_eq!(grown.1[..2], first.1);
    assert_eq!(grown.1.len(), 4);
    assert_ne!(grown.1[2], grown.1[3]);
}

#[test]
fn one_bad_line_does_not_spoil_the_others() {
    let good = json!({ "messages": talk() });
    let lines = [
        good.to_string(),
        r#"{"messages": [{"role": "user""#.to_owned(),
        r#"{"messages": [{"role": "user", "content": "u"}, {"content": "a"}]}"#.to_owned(),
        r#"{"messages": [{"role": "narrator", "content": "u"}]}"#.to_owned(),
        r#"{"messages": [{"role": "user", "content": 7}]}"#.to_owned(),
        r#"{"messages": [{"role": "user", "content": ["u", {"text": ["u"]}]}]}"#.to_owned(),
        r#"{"messages": [["user", "u"]]}"#.to_owned(),
        r#"{"title": {}, "messages": [{"role": "user", "content": "u"}]}"#.to_owned(),
        format!(r#"{{"messages": {}1{}}}"#, "[".repeat(5000), "]".repeat(5000)),
        r#"{"messages": []}"#.to_owned(),
        r#"{"prompt": "u"}"#.to_owned(),
    ];
    let (found, errors) = conversations(&lines.join("\n"));
    assert_eq!(found.len(), 1);
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "line 2: it is not JSON from column 29 on",
            "line 3: message 2: it has no role",
            "line 4: message 1: its role is not one of OpenAI's",
            "line 5: message 1: its content is no text and no list of parts",
            "line 6: message 1: part 2 of its content is no text",
            "line 7: message 1: it has no role",
            "line 8: its title is no text",
            "line 9: it is nested too deeply from column 140 on",
            "line 10: there is no message in it",
            "line 11: it has neither messages nor the mapping of a ChatGPT export",
        ]
    );
}

#[test]
fn what_is_nothing_that_is_known_says_where() {
    let check = |content: &str, expected: &str| {
        let error = read(content.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    check(" \n", "the file: it is empty");
    check("[]", "the file: there is no conversation in its list");
    check("Dear diary", "line 1 column 1: it is not JSON");
    check(
        "{\"messages\": [\n  {\"role\":",
        "line 2 column 10: it is not JSON",
    );
    check(
        "7",
        "the conversation: it has neither messages nor the mapping of a ChatGPT export",
    );
    check(r#"{"messages": 7}"#, "the conversation: its messages are no list");
    check(
        r#"{"mapping": {}}"#,
        "the conversation: its current_node is missing",
    );
    let turn = r#"{"conversationId":"c","messageId":"m","userMessage":"u","assistantResponse":"a"}"#;
    assert_eq!(read(turn.as_bytes()), Ok(Contents::Turns));
    assert_eq!(read(format!("{turn}\nnonsense").as_bytes()), Ok(Contents::Turns));
}

#[expect(clippy::needless_pass_by_value, reason = "each message is made for its node")]
fn node(id: &str, parent: Option<&str>, message: Value) -> (String, Value) {
    let node = json!({ "id": id, "parent": parent, "children": [], "message": message });
    (id.to_owned(), node)
}

fn message(role: &str, kind: &str, text: &str) -> Value {
    json!({ "author": { "role": role }, "create_time": 1_763_826_000.5, "recipient": "all",
        "content": { "content_type": kind, "parts": [text] }, "metadata": {} })
}

fn export(current: &str) -> Value {
    let mut hidden = message("user", "text", "hidden");
    hidden["metadata"]["is_visually_hidden_from_conversation"] = true.into();
    let mut call = message("assistant", "code", "search('harbour')");
    call["recipient"] = "browser".into();
    let mut picture = message("user", "multimodal_text", "Is it this one?");
    picture["content"]["parts"] =
        json!([{ "content_type": "image_asset_pointer", "asset_pointer": "file-1" }, "Is it this one?"]);
    let nodes = [
        node("root", None, Value::Null),
        node("s", Some("root"), message("system", "text", "")),
        node("h", Some("s"), hidden),
        node(
            "u1",
            Some("h"),
            message("user", "text", "Tell me of the harbour."),
        ),
        node("t1", Some("u1"), message("assistant", "thoughts", "a thought")),
        node("t2", Some("t1"), call),
        node(
            "t3",
            Some("t2"),
            message("tool", "tether_browsing_display", "a page"),
        ),
        node(
            "a1",
            Some("t3"),
            message("assistant", "text", "It was built in 1412."),
        ),
        // What was regenerated is another branch.
        node(
            "a1-old",
            Some("t3"),
            message("assistant", "text", "I do not know."),
        ),
        node("u2", Some("a1"), picture),
        node("a2", Some("u2"), message("assistant", "text", "Yes.")),
        node("u3", Some("a2"), message("user", "text", "Thanks.")),
    ];
    json!({ "title": "The harbour", "conversation_id": "6920-aa", "current_node": current,
        "mapping": nodes.into_iter().collect::<serde_json::Map<_, _>>() })
}

#[test]
fn of_an_export_the_branch_that_is_seen_is_taken() {
    let (found, errors) = conversations(&json!([export("u3"), export("a1-old")]).to_string());
    assert_eq!(errors, []);
    let [seen, old] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(seen.title.as_deref(), Some("The harbour"));
    assert_eq!(
        (seen.conversation_id.as_str(), seen.place.as_str()),
        ("6920-aa", "conversation 1")
    );
    assert_eq!(
        texts(seen),
        [
            ("Tell me of the harbour.", "It was built in 1412."),
            ("Is it this one?", "Yes.")
        ]
    );
    assert_eq!(seen.unanswered, 1);
    assert_eq!(seen.turns[0].message_id.as_str(), "u1");
    assert_eq!(seen.turns[0].said_at, Some(1_763_826_000_500));
    assert_eq!(texts(old), [("Tell me of the harbour.", "I do not know.")]);
    assert_ne!(old.conversation_id, seen.conversation_id);
    // One conversation alone, as people cut it out.
    let (alone, _) = conversations(&export("a2").to_string());
    assert_eq!((texts(&alone[0]), alone[0].unanswered), (texts(seen), 0));
}

#[test]
fn a_broken_tree_is_named() {
    let check = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut broken = export("a2");
        change(&mut broken);
        let (found, errors) = conversations(&json!([export("a2"), broken]).to_string());
        assert_eq!(found.len(), 1);
        assert_eq!(errors[0].to_string(), expected);
    };
    check(
        &|export| export["mapping"]["u1"]["parent"] = "a1".into(),
        "conversation 2: its mapping goes in a circle",
    );
    check(
        &|export| export["mapping"]["u1"]["parent"] = "nobody".into(),
        "conversation 2: a parent is not in its mapping",
    );
    check(
        &|export| export["current_node"] = "nobody".into(),
        "conversation 2: current_node is not in its mapping",
    );
    check(
        &|export| export["mapping"] = 7.into(),
        "conversation 2: its mapping is no object",
    );
    check(
        &|export| export["mapping"]["u1"]["parent"] = json!(["h"]),
        "conversation 2: node \"u1\": its parent is no text",
    );
    check(
        &|export| export["mapping"]["u1"] = "u1".into(),
        "conversation 2: node \"u1\": it is no object",
    );
    check(
        &|export| export["mapping"]["u1"]["message"] = "Tell me.".into(),
        "conversation 2: node \"u1\": its message is no object",
    );
    check(
        &|export| export["mapping"]["u1"]["message"]["author"] = "user".into(),
        "conversation 2: node \"u1\": its message has no author.role",
    );
    check(
        &|export| export["mapping"]["u1"]["message"]["content"]["parts"] = "Tell me.".into(),
        "conversation 2: node \"u1\": its content.parts are no list",
    );
    check(
        &|export| export["mapping"]["a1"]["message"]["content"]["parts"] = json!(["In", 1412]),
        "conversation 2: node \"a1\": one of its content.parts is no text",
    );
    check(
        &|export| export["title"] = json!(["The harbour"]),
        "conversation 2: its title is no text",
    );
}

#[test]
fn no_text_reaches_a_debug_print() {
    let (found, _) = conversations(&json!([export("u3")]).to_string());
    let printed = format!("{found:?} {:?}", found[0].turns);
    assert!(
        !printed.contains("harbour") && !printed.contains("1412"),
        "{printed}"
    );
}
