use serde_json::json;

use super::*;

fn asked(body: &Value) -> Option<Asked> {
    let body = body.to_string();
    ChatRequest::read(body.as_bytes()).unwrap().asked()
}

fn earlier(role: Speaker, content: &str) -> Earlier {
    Earlier {
        role,
        content: content.into(),
    }
}

#[test]
fn both_shapes_say_the_same() {
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } });
    let openai = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": "Who keeps the lamp?" },
        { "role": "assistant", "content": [{ "type": "text", "text": "Maren." }] },
        { "role": "user", "content": [{ "type": "text", "text": "Since" }, picture, { "type": "text", "text": "when?" }] },
    ]);
    let ai_sdk = json!([
        { "id": "1", "role": "user", "parts": [{ "type": "text", "text": "Who keeps the lamp?" }] },
        { "id": "2", "role": "assistant", "parts": [
            { "type": "step-start" }, { "type": "reasoning", "text": "Hm." }, { "type": "text", "text": "Maren." } ] },
        { "id": "3", "role": "user", "parts": [
            { "type": "text", "text": "Since" }, { "type": "file", "mediaType": "image/png", "url": "data:" },
            { "type": "text", "text": "when?" } ] },
    ]);
    let before = vec![
        earlier(Speaker::User, "Who keeps the lamp?"),
        earlier(Speaker::Assistant, "Maren."),
    ];
    for (messages, client_id) in [(openai, None), (ai_sdk, Some("3".to_owned()))] {
        let found = asked(&json!({ "messages": messages })).unwrap();
        let expected = Asked {
            user_message: "Since\n\nwhen?".into(),
            client_id,
            user_messages: 2,
            is_last: true,
            begun: String::new(),
            before: before.clone(),
        };
        assert!(found == expected, "{found:?}");
    }
    let older = json!([{ "id": "m7", "role": "user", "content": "Who?", "createdAt": "now" }]);
    let found = asked(&json!({ "messages": older })).unwrap();
    assert_eq!(
        (found.client_id.as_deref(), found.user_message.as_str()),
        (Some("m7"), "Who?")
    );
}

#[test]
fn a_round_of_tools_belongs_to_the_turn_that_ends_it() {
    let messages = json!([
        { "role": "user", "content": "Look." },
        { "role": "assistant", "content": "Let me see.", "tool_calls": [{ "id": "1" }] },
        { "role": "tool", "tool_call_id": "1", "content": "a lamp" },
    ]);
    let found = asked(&json!({ "messages": messages })).unwrap();
    assert_eq!((found.user_message.as_str(), found.user_messages), ("Look.", 1));
    assert!(!found.is_last);
    assert_eq!(found.answered("A lamp."), "Let me see.\n\nA lamp.");
    assert_eq!(
        asked(&json!({ "messages": [{ "role": "system", "content": "x" }] })),
        None
    );
}

#[test]
fn what_is_not_understood_is_no_reason_to_stop() {
    let messages = json!([7, null, { "role": "user" }, { "role": "user", "content": 7 }, { "role": "user", "content": [7, "x"] }]);
    let found = asked(&json!({ "messages": messages })).unwrap();
    assert_eq!((found.user_message.as_str(), found.user_messages), ("", 3));
    for (body, error) in [
        ("[]", RequestError::NotAnObject),
        ("{", RequestError::NotAnObject),
        ("{}", RequestError::NoMessages),
        ("{\"messages\": 7}", RequestError::NoMessages),
    ] {
        assert_eq!(ChatRequest::read(body.as_bytes()).err(), Some(error), "{body}");
    }
    assert_eq!(ChatRequest::read(b"\xff").err(), Some(RequestError::NotAnObject));
}

#[test]
fn conversations_are_named_in_many_ways() {
    let own = |body: &Value| {
        let body = body.to_string();
        let named = ChatRequest::read(body.as_bytes()).unwrap().conversation();
        named.map(|id| id.map(|id| id.to_string()))
    };
    assert_eq!(
        own(&json!({ "messages": [], "id": "a", "conversationId": "b" })),
        Ok(Some("b".into()))
    );
    assert_eq!(own(&json!({ "messages": [], "id": "a" })), Ok(Some("a".into())));
    assert_eq!(own(&json!({ "messages": [], "conversationId": null })), Ok(None));
    assert!(own(&json!({ "messages": [], "id": "a/b" })).is_err());
    assert_eq!(
        own(&json!({ "messages": [], "conversationId": 42 })),
        Ok(Some("42".into()))
    );
    for odd in [json!(4.2), json!(true), json!(["c"]), json!({})] {
        assert_eq!(
            own(&json!({ "messages": [], "id": "a", "conversationId": odd })),
            Err(IdError::NotText)
        );
    }

    let client = |body: &Value| {
        let body = body.to_string();
        let named = ChatRequest::read(body.as_bytes())
            .unwrap()
            .conversation_of_client();
        named.map(|id| id.to_string())
    };
    let named = json!({ "messages": [], "user": "u", "metadata": { "conversation_id": "c" } });
    assert_eq!(client(&named).as_deref(), Some("c"));
    let counted = json!({ "messages": [], "metadata": { "conversationId": 42 } });
    assert_eq!(client(&counted).as_deref(), Some("42"));
    assert_eq!(
        client(&json!({ "messages": [], "user": "u" })).as_deref(),
        Some("u")
    );
    assert_eq!(client(&json!({ "messages": [] })), None);
    let foreign = client(&json!({ "messages": [], "user": "me@example.com" })).unwrap();
    assert!(foreign.starts_with("named-"), "{foreign}");
}

#[test]
fn only_what_the_server_would_refuse_is_taken_out() {
    let without = |body: &str| ChatRequest::read(body.as_bytes()).unwrap().without_conversation();
    assert_eq!(without(r#"{"messages": [], "user": "u"}"#), None);
    assert_eq!(without(r#"{"messages": [], "metadata": {"k": "v"}}"#), None);
    assert_eq!(
        without(r#"{"messages": [], "store": true, "metadata": {"conversationId": "c"}}"#),
        None
    );
    assert_eq!(
        without(r#"{"z": 1.50, "metadata": {"conversationId": "c"}, "messages": [ ]}"#).as_deref(),
        Some(r#"{"z":1.50,"messages":[ ]}"#)
    );
    assert_eq!(
        without(r#"{"metadata": {"conversation_id": "c", "k": "v"}, "messages": [ ]}"#).as_deref(),
        Some(r#"{"metadata":{"k":"v"},"messages":[ ]}"#)
    );
}

#[test]
fn a_message_is_put_in_front_and_the_others_stay_as_they_are() {
    let with = |body: &str| ChatRequest::read(body.as_bytes()).unwrap().for_chat(Some("DOC"));
    assert_eq!(
        with(r#"{"k": 1.0, "messages": [ {"role":"user",  "content":"Who?"} ]}"#).as_deref(),
        Some(
            r#"{"k":1.0,"messages":[{"content":"DOC","role":"system"},{"role":"user",  "content":"Who?"}]}"#
        )
    );
    assert_eq!(
        with(r#"{"messages": [{"role":"system","content":"Brief.","name":"x"}, {"role":"user", "content":"Who?"}]}"#).as_deref(),
        Some(r#"{"messages":[{"role":"system","content":"Brief.\n\nDOC","name":"x"},{"role":"user", "content":"Who?"}]}"#)
    );
    let ai_sdk =
        with(r#"{"messages": [{"id":"1","role":"user","parts":[{"type":"text","text":"Who?"}]}]}"#).unwrap();
    let ai_sdk: Value = serde_json::from_str(&ai_sdk).unwrap();
    assert_eq!(ai_sdk["messages"][0]["parts"][0]["text"], "DOC");
    assert_eq!(ai_sdk["messages"][1]["id"], "1");
    let plain = br#"{"messages": []}"#;
    assert_eq!(ChatRequest::read(plain).unwrap().for_chat(None), None);
}

#[test]
fn a_body_for_a_chat_of_ones_own_becomes_one_for_openai() {
    let body = json!({
        "id": "c1", "trigger": "submit-message", "temperature": 0.5, "model": null,
        "messages": [
            { "id": "1", "role": "user", "parts": [{ "type": "text", "text": "Who?" }] },
            { "id": "2", "role": "assistant", "parts": [{ "type": "tool-look", "state": "output-available" }] },
            { "id": "3", "role": "user", "content": "When?", "createdAt": "now" },
        ],
    });
    let body = body.to_string();
    let request = ChatRequest::read(body.as_bytes()).unwrap();
    let sent: Value = serde_json::from_str(&request.for_openai("small", Some("DOC"))).unwrap();
    let user = |text: &str| json!({ "role": "user", "content": text });
    assert_eq!(
        sent["messages"],
        json!([{ "role": "system", "content": "DOC" }, user("Who?"), user("When?")])
    );
    let rest =
        json!({ "model": sent["model"], "stream": sent["stream"], "temperature": sent["temperature"] });
    assert_eq!(
        rest,
        json!({ "model": "small", "stream": true, "temperature": 0.5 })
    );
    assert_eq!(sent.as_object().unwrap().len(), 4, "{sent}");
    let plain: Value = serde_json::from_str(&request.for_openai("small", None)).unwrap();
    assert_eq!(plain["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn no_text_reaches_a_debug_print() {
    let found = asked(&json!({ "messages": [
        { "role": "user", "content": "a secret" }, { "role": "assistant", "content": "a secret" },
        { "role": "user", "content": "a secret" } ] }));
    assert!(!format!("{found:?}").contains("secret"));
}
