//! What turns cost: it stands with the version, with the document, and with the turn, and nothing is counted twice.
//! Each answer of the scripted model costs 10 tokens, 4 of them cached, and 5 for the answer.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::Method;
use scribe_core::turn::TriggerState;
use scribe_core::{ActiveScribeSession, ConversationKey, Cost, Tokens, Usage};
use scribe_engine::{Outcome, TurnFailure};
use tower::ServiceExt as _;

use crate::world::{BUCKET, Dictated, Reply, World, append, id, key, run, said};

fn tokens(calls: u64) -> Tokens {
    Tokens {
        prompt: 10 * calls,
        cached: 4 * calls,
        output: 5 * calls,
    }
}

/// What so many calls cost, of which the tokens of so many are known.
fn usage(calls: u32, metered: u32) -> Option<Usage> {
    Some(Usage {
        calls,
        metered,
        tokens: (metered > 0).then(|| tokens(metered.into())),
    })
}

fn cost(turns: u64, calls: u64, metered: u64) -> Cost {
    Cost {
        turns,
        calls,
        metered,
        tokens: tokens(metered),
    }
}

struct Bench {
    world: World,
    key: ConversationKey,
    session: ActiveScribeSession,
}

impl Bench {
    async fn new() -> Self {
        let world = World::new().await;
        let key = key("c1");
        let session = world.start(&key).await.session;
        Self { world, key, session }
    }

    async fn turn(&self, n: usize) -> Option<Usage> {
        self.world.trigger(&self.key, n).await.unwrap().usage
    }

    async fn document(&self) -> Cost {
        self.world
            .document(&self.session)
            .await
            .asset
            .scribe
            .unwrap()
            .cost
    }

    /// What stands with the present version, without author and turn.
    async fn version(&self) -> Vec<(String, String)> {
        let name = format!("tenants/default/media-assets/{}.json", self.session.text_asset_id);
        let head = self
            .world
            .s3
            .head_object()
            .bucket(BUCKET)
            .key(name)
            .send()
            .await
            .unwrap();
        let mut metadata: Vec<_> = head.metadata.unwrap().into_iter().collect();
        metadata
            .retain(|(name, _)| !["scribe-author", "scribe-turn", "scribe-edits"].contains(&name.as_str()));
        metadata.sort();
        metadata
    }

    /// Runs the turn's event until it does not wait any more.
    async fn settle(&self, event: &scribe_trigger::TurnEvent) {
        let engine = self.world.engine();
        while self.world.ledger().queue_status(&self.key).await.unwrap().waiting > 0 {
            // Failures are what the test asked for; a pause is over in a moment.
            let _ = run(&engine, event).await;
        }
    }

    async fn get(&self, path: &str) -> serde_json::Value {
        let request = http::Request::builder()
            .uri(path)
            .body(axum::body::Body::empty())
            .unwrap();
        let response = self.world.api().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

fn entries(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    let entry = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    entries.iter().map(entry).collect()
}

#[tokio::test]
async fn it_stands_with_the_version_the_document_and_the_turn() {
    let bench = Bench::new().await;
    let path = format!("/api/media-assets/{}", bench.session.text_asset_id);
    let nothing = serde_json::json!(Cost::default());
    assert_eq!(
        bench.get(&path).await["asset"]["metadata"]["scribe_usage"],
        nothing
    );
    for n in 1..=3 {
        bench.world.say(&bench.key, n).await;
        bench.world.pump(&bench.world.engine()).await;
        assert_eq!(bench.turn(n).await, usage(1, 1));
    }
    assert_eq!(bench.document().await, cost(3, 3, 3));
    let expected = entries(&[
        ("scribe-cached-tokens", "4"),
        ("scribe-metered-calls", "1"),
        ("scribe-model", "scripted"),
        ("scribe-model-calls", "1"),
        ("scribe-output-tokens", "5"),
        ("scribe-prompt-tokens", "10"),
    ]);
    assert_eq!(bench.version().await, expected);

    let turns = bench.get("/api/chat/background-doc/c1/turns").await;
    let one =
        serde_json::json!({ "calls": 1, "metered": 1, "tokens": { "prompt": 10, "cached": 4, "output": 5 } });
    assert_eq!(turns["turns"][2]["usage"], one);
    let all = serde_json::json!({ "turns": 3, "calls": 3, "metered": 3,
        "tokens": { "prompt": 30, "cached": 12, "output": 15 } });
    assert_eq!(bench.get(&path).await["asset"]["metadata"]["scribe_usage"], all);
    // A person who saves what the API gave does not change what it says.
    let change = |asset: &mut scribe_core::MediaAsset| {
        asset
            .metadata
            .other
            .insert("scribe_usage".into(), serde_json::json!("forged"));
    };
    bench.world.person_writes(&bench.session, change).await;
    assert_eq!(bench.get(&path).await["asset"]["metadata"]["scribe_usage"], all);
}

#[tokio::test]
async fn what_failed_attempts_cost_is_paid_by_the_turn() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    let say = |text: &str, finish_reason| Reply::Say {
        text: text.into(),
        finish_reason,
    };
    // Cut, and unusable. A server that refuses has begun nothing.
    let refusing = Reply::Status {
        status: 503,
        headers: vec![],
    };
    bench
        .world
        .model
        .script([say("{", "length"), refusing, say("no", "stop")]);
    bench.settle(&bench.world.lambda.take().unwrap()).await;
    assert_eq!(bench.world.model.calls(), 4);
    assert_eq!(bench.turn(1).await, usage(3, 3));
    assert_eq!(bench.document().await, cost(1, 3, 3));
    let version = bench.version().await;
    assert!(
        version.contains(&("scribe-model-calls".into(), "3".into())),
        "{version:?}"
    );
}

#[tokio::test]
async fn a_second_call_that_mends_the_first_is_paid_too() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    // It replaces what is not there; asked again, it appends.
    let replace = serde_json::json!({ "edits": [{ "action": "replace", "block": "gone", "hash": "00000000",
        "markdown": said(1) }], "reason": null });
    bench.world.model.script([
        Reply::Say {
            text: replace.to_string(),
            finish_reason: "stop",
        },
        Reply::Follow,
    ]);
    bench.world.pump(&bench.world.engine()).await;
    assert_eq!(bench.world.model.calls(), 2);
    assert_eq!(
        (bench.turn(1).await, bench.document().await),
        (usage(2, 2), cost(1, 2, 2))
    );
}

#[tokio::test]
async fn a_parked_turn_has_its_cost_and_brings_it_along_when_it_is_replayed() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    let no = || Reply::Say {
        text: "no".into(),
        finish_reason: "stop",
    };
    bench.world.model.script([no(), no(), no()]);
    bench.settle(&bench.world.lambda.take().unwrap()).await;
    assert_eq!(bench.world.state(&bench.key, 1).await, Some(TriggerState::Failed));
    assert_eq!(bench.turn(1).await, usage(3, 3));
    assert_eq!(bench.document().await, Cost::default());
    bench
        .world
        .conversations()
        .replay(&bench.key, &id("m1"))
        .await
        .unwrap();
    bench.settle(&bench.world.lambda.take().unwrap()).await;
    assert_eq!(bench.turn(1).await, usage(4, 4));
    assert_eq!(bench.document().await, cost(1, 4, 4));
}

#[tokio::test]
async fn what_the_server_does_not_tell_stays_unknown() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    // The first answer breaks off, so nobody knows; the second one ends well, and its server does not say.
    bench.world.model.dictate().then(Dictated::Fail);
    let second = bench.world.model.dictate();
    second.say(&append(&said(1)));
    second.then(Dictated::StopUnmetered);
    bench.settle(&bench.world.lambda.take().unwrap()).await;
    assert_eq!(bench.turn(1).await, usage(2, 0));
    assert_eq!(bench.document().await, cost(0, 2, 0));
    let expected = entries(&[
        ("scribe-metered-calls", "0"),
        ("scribe-model", "scripted"),
        ("scribe-model-calls", "2"),
    ]);
    assert_eq!(bench.version().await, expected);
}

#[tokio::test]
async fn a_conflict_does_not_count_an_answer_twice() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    let event = bench.world.lambda.take().unwrap();
    let engine = bench.world.engine();
    let put = bench.world.tap.hold_before(Method::PUT, "media-assets");
    let turn = tokio::spawn(async move { run(&engine, &event).await });
    put.reached().await;
    let change = |asset: &mut scribe_core::MediaAsset| asset.content.push_str("\nA person typed this.\n");
    bench.world.person_writes(&bench.session, change).await;
    put.go();
    assert!(matches!(turn.await.unwrap(), Ok(Outcome::Written { .. })));
    assert_eq!(
        (bench.turn(1).await, bench.document().await),
        (usage(1, 1), cost(1, 1, 1))
    );
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_does_not_count_it_twice_either() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    let event = bench.world.lambda.take().unwrap();
    // The version is written, and nobody learns of it: the attempt fails and the next one finds the turn there.
    bench.world.gate.set(|step| {
        let put = step.name == "PUT media-assets" && step.moment == crate::world::Moment::After;
        if put {
            crate::world::Action::Cut
        } else {
            crate::world::Action::Pass
        }
    });
    let failed = run(&bench.world.engine(), &event).await;
    assert!(
        matches!(failed, Err(TurnFailure::StorageUnavailable { .. })),
        "{failed:?}"
    );
    bench.world.gate.open();
    bench.settle(&event).await;
    assert_eq!(bench.world.model.calls(), 1);
    assert_eq!(
        (bench.turn(1).await, bench.document().await),
        (usage(1, 1), cost(1, 1, 1))
    );
}

#[tokio::test]
async fn another_program_that_writes_the_document_does_not_make_it_cheaper() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    bench.world.pump(&bench.world.engine()).await;
    bench
        .world
        .person_writes(&bench.session, |asset| asset.scribe = None)
        .await;
    bench.world.say(&bench.key, 2).await;
    bench.world.pump(&bench.world.engine()).await;
    assert_eq!(bench.document().await, cost(2, 2, 2));
}

/// Where a test's log goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_one_event_for_each_attempt_and_no_text() {
    let bench = Bench::new().await;
    bench.world.say(&bench.key, 1).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    // All that the test starts runs on its own thread.
    let logging = tracing::subscriber::set_default(subscriber);
    bench.world.pump(&bench.world.engine()).await;
    drop(logging);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let events: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut calls = events
        .iter()
        .filter(|event| event["fields"].get("model.calls").is_some());
    let fields = &calls.next().unwrap()["fields"];
    assert!(calls.next().is_none(), "{log}");
    assert_eq!(
        (&fields["turn.id"], &fields["conversation.id"]),
        (&"m1".into(), &"default/c1".into())
    );
    assert_eq!(
        (&fields["model.calls"], &fields["tokens.prompt"]),
        (&1.into(), &10.into())
    );
    assert_eq!(
        (&fields["tokens.cached"], &fields["tokens.output"]),
        (&4.into(), &5.into())
    );
    assert!(fields["model.ms"].is_u64());
    assert!(!log.contains("Milestone"), "{log}");
}
