//! "Start the scribe, call it …", said in the chat.

use serde_json::{Value, json};

use super::upstream::Scripted;
use super::{Bench, COMPLETIONS, LORE, ends, says};
use crate::world::{World, key};

fn answers(text: &str) -> Scripted {
    Scripted::events(&(says(text) + &ends()))
}

fn conversation(id: &str, said: &[(&str, &str)]) -> Value {
    let messages: Vec<Value> = said
        .iter()
        .map(|(role, content)| json!({ "role": role, "content": content }))
        .collect();
    json!({ "conversationId": id, "messages": messages })
}

async fn view(world: &World, id: &str) -> Value {
    crate::api::get(world, &format!("/api/chat/background-doc/{id}"))
        .await
        .body
}

#[tokio::test]
async fn a_scribe_is_started_with_what_was_said_before_and_stopped_again() {
    let bench = Bench::new().await;
    let mut said = vec![
        ("user", "Who keeps the lamp?"),
        ("assistant", "Milestone-0001: Maren keeps the lamp."),
        ("user", "Please start the scribe, call it The Lamp."),
    ];
    bench.chat.script(answers("The scribe is on."));
    let answering = bench.ask(LORE, &conversation("c2", &said), &[]).await;
    assert_eq!(answering.headers["x-scribe-command"], "started");
    assert_eq!(answering.headers["x-scribe-conversation-id"], "c2");
    answering.text().await;
    let system = bench.chat.asked().json()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        system.contains("it is on") && system.contains("The Lamp"),
        "{system}"
    );
    let session = view(&bench.world, "c2").await["session"].clone();
    assert_eq!(
        (&session["title"], &session["scribeEnabled"]),
        (&json!("The Lamp"), &json!(true))
    );
    let turns = bench.world.ledger().triggers(&key("c2")).await.unwrap();
    assert_eq!(turns.len(), 1, "what was said before, and not the command");
    assert!(turns[0].message_id.as_str().starts_with("earlier-"));

    said.extend([("assistant", "The scribe is on."), ("user", "Stop the scribe.")]);
    bench.chat.script(answers("It is off."));
    let answering = bench.ask(LORE, &conversation("c2", &said), &[]).await;
    assert_eq!(answering.headers["x-scribe-command"], "stopped");
    answering.text().await;
    assert_eq!(view(&bench.world, "c2").await["session"]["scribeEnabled"], false);

    said.extend([("assistant", "It is off."), ("user", "resume the scribe")]);
    bench.chat.script(answers("It is on."));
    let answering = bench.ask(LORE, &conversation("c2", &said), &[]).await;
    assert_eq!(answering.headers["x-scribe-command"], "started");
    answering.text().await;
    assert_eq!(view(&bench.world, "c2").await["session"]["scribeEnabled"], true);
    assert_eq!(bench.world.ledger().triggers(&key("c2")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_said_while_it_was_off_stays_outside() {
    let bench = Bench::new().await;
    let mut said = Vec::new();
    // It is stopped before it has written anything, so no turn tells that it had begun.
    for (wish, answer) in [
        ("Stop the scribe.", "It is off."),
        ("Who keeps the lamp?", "Milestone-0001: Maren keeps the lamp."),
        ("Start the scribe.", "It is on."),
        // Said once more, because nobody heard the answer.
        ("Start the scribe.", "It is on."),
    ] {
        said.push(("user", wish));
        bench.chat.script(answers(answer));
        bench
            .ask(LORE, &conversation("c1", &said), &[])
            .await
            .text()
            .await;
        said.push(("assistant", answer));
    }
    assert_eq!(view(&bench.world, "c1").await["session"]["scribeEnabled"], true);
    assert_eq!(bench.turns().await, []);
}

#[tokio::test]
async fn a_start_needs_neither_a_title_nor_a_conversation() {
    let bench = Bench::new().await;
    bench.chat.script(answers("The scribe is on."));
    let body = json!({ "messages": [
        { "role": "user", "content": "Who keeps the lamp of Voss? I forgot." },
        { "role": "assistant", "content": "Maren." },
        { "role": "user", "content": "start the scribe" },
    ] });
    let answering = bench.ask(LORE, &body, &[]).await;
    let id = answering.headers["x-scribe-conversation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    answering.text().await;
    assert_eq!(
        view(&bench.world, &id).await["session"]["title"],
        "Who keeps the lamp of Voss"
    );
}

#[tokio::test]
async fn what_only_sounds_like_a_command_is_a_turn_like_any_other() {
    let bench = Bench::new().await;
    bench.chat.script(answers("You write: stop the scribe."));
    let answering = bench
        .ask(
            LORE,
            &conversation("c1", &[("user", "How do I stop the scribe?")]),
            &[],
        )
        .await;
    assert!(!answering.headers.contains_key("x-scribe-command"));
    answering.text().await;
    assert_eq!(view(&bench.world, "c1").await["session"]["scribeEnabled"], true);
    assert_eq!(bench.turns().await.len(), 1);

    // One that is not understood is a turn too, and its caller is told; also where there is no conversation.
    for id in [Some("c1"), None] {
        bench.chat.script(answers("Later."));
        let mut body = conversation("c1", &[("user", "Start the scribe when we reach the gate.")]);
        if id.is_none() {
            body.as_object_mut().unwrap().remove("conversationId");
        }
        let answering = bench.ask(LORE, &body, &[]).await;
        assert_eq!(answering.headers["x-scribe-command"], "not-understood");
        assert_eq!(
            answering.headers.contains_key("x-scribe-message-id"),
            id.is_some()
        );
        answering.text().await;
    }
    assert_eq!(bench.turns().await.len(), 2);

    // There is nothing to stop, and the chat can say so.
    bench.chat.script(answers("There is none."));
    let answering = bench
        .ask(LORE, &conversation("c3", &[("user", "stop the scribe")]), &[])
        .await;
    assert_eq!(answering.headers["x-scribe-command"], "no-scribe");
    answering.text().await;
    let system = bench.chat.asked().json()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(system.contains("has none"), "{system}");
}

#[tokio::test]
async fn a_command_that_fails_does_not_stop_the_chat() {
    let mut bench = Bench::built(
        |config| config.trigger.redis_timeout = std::time::Duration::from_millis(250),
        |chat, _| chat.context_wait = std::time::Duration::from_millis(150),
    )
    .await;
    bench.world.redis.kill();
    bench.chat.script(answers("I am not certain."));
    let answering = bench
        .ask(LORE, &conversation("c1", &[("user", "stop the scribe")]), &[])
        .await;
    assert_eq!(answering.headers["x-scribe-command"], "failed");
    assert_eq!(answering.text().await, says("I am not certain.") + &ends());
    let system = bench.chat.asked().json()["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(system.contains("could not be reached"), "{system}");
}

#[tokio::test]
async fn a_header_or_a_setting_starts_a_scribe_by_itself_and_switches_none_on() {
    let bench = Bench::new().await;
    let mut body = conversation("c4", &[("user", "Who keeps the lamp?")]);
    body["user"] = json!("c4");
    for path in [LORE, COMPLETIONS] {
        bench.chat.script(answers("Maren."));
        bench
            .ask(path, &body, &[("x-scribe-title", "The Lamp")])
            .await
            .text()
            .await;
    }
    let turns = bench.world.ledger().triggers(&key("c4")).await.unwrap();
    assert_eq!(turns.len(), 1, "the same turn twice");
    assert_eq!(view(&bench.world, "c4").await["session"]["title"], "The Lamp");
    bench
        .world
        .conversations()
        .toggle(&key("c4"), false)
        .await
        .unwrap();
    bench.chat.script(answers("Voss."));
    bench
        .ask(LORE, &body, &[("x-scribe-title", "The Lamp")])
        .await
        .text()
        .await;
    assert_eq!(view(&bench.world, "c4").await["session"]["scribeEnabled"], false);

    for (id, title, meant) in [
        ("c5", "L%C3%A4mpchen%20%26%20more", "Lämpchen & more"),
        ("c7", "100% of Voss", "100% of Voss"),
        ("c8", "%FF", "%FF"),
    ] {
        bench.chat.script(answers("Maren."));
        let body = conversation(id, &[("user", "Who keeps the lamp?")]);
        bench
            .ask(LORE, &body, &[("x-scribe-title", title)])
            .await
            .text()
            .await;
        assert_eq!(view(&bench.world, id).await["session"]["title"], meant);
    }

    let bench = Bench::built(|_| {}, |chat, _| chat.auto_start = true).await;
    let body = json!({ "model": "m", "user": "me@example.com", "messages": [{ "role": "user", "content": "Who keeps the lamp?" }] });
    bench.chat.script(answers("Maren."));
    let answering = bench.ask(COMPLETIONS, &body, &[]).await;
    let id = answering.headers["x-scribe-conversation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    answering.text().await;
    assert_eq!(
        view(&bench.world, &id).await["session"]["title"],
        "Who keeps the lamp"
    );
    assert_eq!(bench.world.ledger().triggers(&key(&id)).await.unwrap().len(), 1);

    // Whoever wants none has none, until they want one.
    let mut said = vec![("user", "Stop the scribe."), ("assistant", "There is none.")];
    for (wish, has_one) in [
        ("What does the ferry cost?", false),
        ("Start the scribe.", true),
        ("Who is the captain?", true),
    ] {
        said.push(("user", wish));
        bench.chat.script(answers("Voss."));
        let answering = bench.ask(LORE, &conversation("c9", &said), &[]).await;
        answering.text().await;
        said.push(("assistant", "Voss."));
        let found = crate::api::get(&bench.world, "/api/chat/background-doc/c9").await;
        assert_eq!(found.status == 200, has_one, "{wish}: {}", found.body);
    }
}
