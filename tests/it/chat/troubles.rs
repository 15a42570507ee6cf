//! Clients that leave, chats that fail, and services of the scribe that are away: the chat goes on, and no half turn is
//! recorded.

use std::time::Duration;

use scribe_core::turn::TriggerState;
use serde_json::{Value, json};

use super::upstream::{Pieces, Scripted};
use super::{Bench, COMPLETIONS, LORE, asks, ends, named, says};
use crate::world::{Action, Moment, Verdict, Wire, hold};

#[tokio::test]
async fn a_client_that_leaves_takes_no_turn_with_it_unless_it_has_heard_the_end() {
    let bench = Bench::new().await;
    let end = ends();
    let (finish, done) = end.split_once("\n\n").unwrap();
    let pieces = [says("Ma"), says("ren."), format!("{finish}\n\n"), done.to_owned()];
    for heard in 0..=pieces.len() {
        let name = format!("heard-{heard}");
        let dictation = bench.chat.dictate();
        let mut answering = bench.ask(LORE, &asks("Who?"), &named(&name)).await;
        for piece in &pieces[..heard] {
            dictation.say(piece);
            assert_eq!(answering.piece().await.unwrap().unwrap(), piece.as_bytes());
        }
        drop(answering);
        dictation.nobody_listens().await;
        if heard < 3 {
            bench
                .check_incomplete(&name, "the client left before the answer was whole")
                .await;
        } else {
            let turn = bench.turn(&name).await;
            assert_eq!(
                (turn.state, turn.assistant_response.as_str()),
                (TriggerState::Pending, "Maren.")
            );
        }
    }
    let listed = crate::api::get(&bench.world, "/api/chat/background-doc/c1/turns")
        .await
        .body;
    let states: Vec<&Value> = listed["turns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| &turn["state"])
        .collect();
    assert_eq!(
        states,
        ["incomplete", "incomplete", "incomplete", "pending", "pending"]
    );
    assert!(
        listed["turns"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("client left")
    );
}

#[tokio::test]
async fn a_chat_that_fails_is_passed_on_as_it_fails() {
    let bench = Bench::new().await;
    let dictation = bench.chat.dictate();
    let mut answering = bench.ask(LORE, &asks("Who?"), &named("cut")).await;
    dictation.say(says("Ma"));
    assert_eq!(answering.piece().await.unwrap().unwrap(), says("Ma").as_bytes());
    dictation.cut();
    assert_eq!(answering.rest().await, (vec![], false));
    bench
        .check_incomplete("cut", "the answer broke off before its end")
        .await;

    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    bench.chat.script(Scripted::events(&(says("Ma") + error)));
    let answering = bench.ask(LORE, &asks("Who?"), &named("error")).await;
    assert_eq!(answering.text().await, says("Ma") + error);
    bench
        .check_incomplete("error", "the chat told an error in the middle of its answer")
        .await;

    bench.chat.script(Scripted::events(&says("Ma")));
    bench
        .ask(LORE, &asks("Who?"), &named("no-end"))
        .await
        .text()
        .await;
    bench
        .check_incomplete("no-end", "the answer broke off before its end")
        .await;

    for (status, name) in [(503, "status-503"), (429, "status-429"), (400, "status-400")] {
        let mut answer = Scripted::new("application/json", Pieces::Whole("{\"no\":1}".into()));
        answer.status = status;
        answer.headers.push(("retry-after", "7".into()));
        bench.chat.script(answer);
        let answering = bench.ask(LORE, &asks("Who?"), &named(name)).await;
        assert_eq!(
            (
                answering.status.as_u16(),
                answering.headers["retry-after"].to_str().unwrap()
            ),
            (status, "7")
        );
        assert_eq!(answering.text().await, "{\"no\":1}");
    }
    bench
        .check_incomplete("status-503", "the chat answered 503")
        .await;
    bench
        .check_incomplete("status-429", "the chat answered 429")
        .await;
    let names: Vec<String> = bench
        .turns()
        .await
        .into_iter()
        .map(|turn| turn.message_id.into())
        .collect();
    assert!(
        !names.contains(&"status-400".to_owned()),
        "what the chat refuses is no turn: {names:?}"
    );
}

#[tokio::test]
async fn a_redirect_is_neither_followed_nor_passed_on() {
    let bench = Bench::new().await;
    let elsewhere = format!("{}/elsewhere", bench.chat.url());
    for (path, setting, asked_path) in [
        (LORE, "CHAT_URL", "/api/chat"),
        (COMPLETIONS, "OPENAI_BASE_URL", "/v1/chat/completions"),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let mut answer = Scripted::new("text/html", Pieces::Whole("<a>moved</a>".into()));
            answer.status = status;
            answer.headers.push(("location", elsewhere.clone()));
            bench.chat.script(answer);
            let mut body = asks("Who?");
            body["user"] = json!("c1");
            let name = format!("{setting}-{status}");
            let answering = bench.ask(path, &body, &named(&name)).await;
            assert_eq!(answering.status, 502, "{name}");
            assert!(!answering.headers.contains_key("location"));
            let error = answering.json().await["error"].clone();
            assert_eq!(error["code"], "chat_redirects");
            let reason = error["message"].as_str().unwrap();
            assert!(
                reason.contains(&format!("set {setting} to the address")),
                "{reason}"
            );
            assert!(!reason.contains("elsewhere"));
            bench.check_incomplete(&name, reason).await;
            assert_eq!(bench.chat.asked().path, asked_path, "it is not followed");
        }
    }
}

#[tokio::test]
async fn no_chat_or_a_slow_one_is_told_in_the_routes_own_shape() {
    let bench = Bench::built(
        |_| {},
        |chat, _| {
            chat.first_byte_timeout = Duration::from_millis(300);
            chat.connect_timeout = Duration::from_millis(300);
            chat.idle_timeout = Duration::from_millis(300);
        },
    )
    .await;
    // An answer that stands still is cut, and is no turn.
    let dictation = bench.chat.dictate();
    let mut answering = bench.ask(LORE, &asks("Who?"), &named("still")).await;
    dictation.say(says("Ma"));
    assert_eq!(answering.rest().await, (says("Ma").into_bytes(), false));
    bench
        .check_incomplete(
            "still",
            "the answer stood still for longer than CHAT_IDLE_TIMEOUT_MS",
        )
        .await;

    // Taken, and given back: nobody listens there.
    let free = crate::world::listener().await.local_addr().unwrap();
    let gone = Bench::built(
        |_| {},
        |chat, _| {
            chat.chat_url = None;
            chat.base_url = format!("http://{free}/v1").parse().unwrap();
        },
    )
    .await;
    let answering = gone.ask(LORE, &asks("Who?"), &named("gone")).await;
    assert_eq!(answering.status, 502);
    assert_eq!(answering.headers["x-scribe-conversation-id"], "c1");
    assert_eq!(answering.headers["x-scribe-message-id"], "gone");
    assert_eq!(answering.json().await["error"]["code"], "chat_unreachable");
    gone.check_incomplete("gone", "the chat could not be reached")
        .await;
    let answering = gone
        .ask(COMPLETIONS, &json!({ "model": "m", "messages": [] }), &[])
        .await;
    assert_eq!(answering.status, 502);
    let error = answering.json().await["error"].clone();
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("server_error"), &json!("chat_unreachable"))
    );
    assert!(error["message"].is_string() && error["param"].is_null());
}

/// Nothing of the one that broke off is a text that the whole one could differ from.
#[tokio::test]
async fn a_half_answer_and_the_whole_one_are_one_turn_though_redis_is_not_there() {
    let bench = Bench::tapped().await;
    let dictation = bench.chat.dictate();
    let mut answering = bench.ask(LORE, &asks("Who?"), &named("m1")).await;
    dictation.say(says("Ma"));
    answering.piece().await.unwrap().unwrap();
    drop(answering);
    bench
        .check_incomplete("m1", "the client left before the answer was whole")
        .await;

    bench
        .world
        .gate
        .set(|step| match (step.wire, step.name.as_str()) {
            (Wire::Redis, "record") => Action::Cut,
            _ => Action::Pass,
        });
    bench.chat.script(Scripted::events(&(says("Maren.") + &ends())));
    let answering = bench.ask(LORE, &asks("Who?"), &named("m1")).await;
    answering.text().await;
    let event = bench.world.lambda.take().unwrap();
    assert_eq!(
        (event.message_id.as_str(), event.assistant_response.as_str()),
        ("m1", "Maren.")
    );
    assert_eq!(bench.world.lambda.taken(), 1, "it is said once");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_cut_and_says_by_which_setting() {
    let mut bench = Bench::new().await;
    let mut config = scribe_api::config::ApiConfig::default();
    config.limits.stream_max = Duration::from_millis(300);
    bench.api = bench.world.api_with(&config);
    let dictation = bench.chat.dictate();
    let mut answering = bench.ask(LORE, &asks("Who?"), &named("long")).await;
    dictation.say(says("Ma"));
    assert_eq!(answering.rest().await, (says("Ma").into_bytes(), false));
    bench
        .check_incomplete("long", "the answer took longer than SCRIBE_STREAM_MAX_S")
        .await;
}

#[tokio::test]
async fn the_chat_goes_on_without_redis_and_without_lambda() {
    let mut bench = Bench::built(
        |config| config.trigger.redis_timeout = Duration::from_millis(250),
        |chat, _| {
            chat.context_wait = Duration::from_millis(150);
            chat.record_wait = Duration::from_millis(300);
        },
    )
    .await;
    for lambda_too in [false, true] {
        bench.world.redis.kill();
        bench.world.lambda.refuse(lambda_too);
        let taken = bench.world.lambda.taken();
        for path in [LORE, COMPLETIONS] {
            let dictation = bench.chat.dictate();
            let mut body = asks("Who?");
            body["user"] = json!("c1");
            let mut answering = bench.ask(path, &body, &named("m1")).await;
            // Each piece is here before the next one is said.
            for piece in [says("Ma"), says("ren."), ends()] {
                dictation.say(&piece);
                assert_eq!(answering.piece().await.unwrap().unwrap(), piece.as_bytes());
            }
            drop(dictation);
            assert!(answering.piece().await.is_none(), "the body comes to its end");
        }
        if !lambda_too {
            let event = bench.world.lambda.take();
            assert_eq!(
                event.unwrap().assistant_response,
                "Maren.",
                "the event alone carries it"
            );
        }
        assert!(bench.world.lambda.taken() > taken || lambda_too);
        bench.world.redis.restart();
    }
}

#[tokio::test]
async fn bytes_do_not_wait_for_a_redis_that_stands_still() {
    let bench = Bench::tapped().await;
    // The context is not asked for by the drop-in, so nothing is asked of Redis before the turn is recorded.
    let (hold, held) = hold();
    let mut hold = Some(hold);
    bench.world.gate.set(move |step| {
        let is_record = step.wire == Wire::Redis && step.moment == Moment::Before && step.name == "record";
        match hold.take_if(|_| is_record) {
            Some(hold) => Action::Hold(hold),
            None => Action::Pass,
        }
    });
    let dictation = bench.chat.dictate();
    let mut body = asks("Who?");
    body["user"] = json!("c1");
    let mut answering = bench.ask(COMPLETIONS, &body, &named("m1")).await;
    for piece in [says("Ma"), says("ren."), ends()] {
        dictation.say(&piece);
        assert_eq!(answering.piece().await.unwrap().unwrap(), piece.as_bytes());
    }
    drop(dictation);
    // Only the end of the body waits.
    let let_go = async {
        held.reached().await;
        held.end(Verdict::Go);
    };
    let (end, ()) = tokio::join!(answering.piece(), let_go);
    assert!(end.is_none());
    assert_eq!(bench.turn("m1").await.state, TriggerState::Pending);
}
