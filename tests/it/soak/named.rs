//! Runs that are named: the situations for which people ask first, over the same stage as the random schedules.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Request;
use scribe_api::ApiState;
use scribe_api::config::ApiConfig;
use scribe_core::ConversationKey;
use scribe_engine::{ChatConfig, Upstream};
use serde_json::Value;
use tower::ServiceExt as _;

use super::plan::{Deed, Fault, Point, Who};
use super::run::{self, Fate, Told, number, say};
use super::stage::{Settings, Stage};
use super::verdict;
use crate::world::{Moment, Wire, key, woven};

/// A stage whose leases do not end by themselves on a machine that is busy with other things: where every call of the
/// model is counted, none may be wasted for a reason that the run is not about.
fn patient() -> Settings {
    Settings {
        environment: vec![
            ("SCRIBE_LEASE_MS", "20000".into()),
            ("SCRIBE_REDIS_TIMEOUT_MS", "2000".into()),
            ("SCRIBE_WAITING_AGE_MS", "8000".into()),
        ],
        redis_timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

async fn begin(stage: &Stage, name: &str, conversations: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for at in 0..conversations {
        let key = key(&format!("{name}{at}"));
        let session = stage.start(&key, format!("Chronicle {at}")).await;
        told.push(Told {
            key,
            session,
            said: Vec::new(),
            typed: Vec::new(),
            changed: Vec::new(),
        });
    }
    told
}

/// Says these turns of each conversation, all at once or each after the one before.
async fn post(stage: &Stage, told: &mut [Told], turns: usize, at_once: bool) {
    let posting = told.iter_mut().enumerate().map(|(at, talk)| async move {
        let numbers = (0..turns).map(|nth| number(at, nth));
        if at_once {
            let key = &talk.key;
            talk.said = join_all(numbers.map(|number| say(stage, key, number, true))).await;
            // They are numbered as they were recorded.
            talk.said.sort_by_key(|said| match said.fate {
                Fate::Acknowledged(recorded) => recorded.seq,
                _ => None,
            });
        } else {
            for number in numbers {
                let said = say(stage, &talk.key, number, true).await;
                talk.said.push(said);
            }
        }
    });
    join_all(posting).await;
}

/// Waits until nothing is owed, and judges. Gives how often the model was paid.
async fn check(stage: &Stage, told: &[Told], name: &str) -> usize {
    let since = Instant::now();
    run::drain(stage, told, since).await.unwrap();
    let held = verdict::judge(stage, told, &[], &[])
        .await
        .unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!((held.parked, held.excused), (0, 0));
    println!(
        "{name}: {held:?}, drained in {:.1} s",
        since.elapsed().as_secs_f64()
    );
    held.paid
}

/// The n-th time that a summarizer is here.
fn summarizer(wire: Wire, name: &'static str, moment: Moment, nth: u32) -> Point {
    Point {
        who: Who::Summarizer,
        wire,
        name,
        moment,
        nth,
    }
}

async fn fifty_turns_at_once(settings: Settings, name: &str) {
    let stage = Stage::new(settings).await;
    stage.machine.arm(&[], Vec::new());
    let mut told = begin(&stage, name, 1).await;
    post(&stage, &mut told, 50, true).await;
    assert_eq!(
        check(&stage, &told, name).await,
        50,
        "the model is paid once for each turn"
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_turns_posted_at_once_are_woven_once_and_in_order() {
    fifty_turns_at_once(patient(), "fifty").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_turns_whose_events_all_come_twice_are_woven_once_and_in_order() {
    fifty_turns_at_once(
        Settings {
            duplicates: true,
            ..patient()
        },
        "twice",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_between_put_and_complete_cost_no_call_of_the_model() {
    // A killed process leaves its lease behind, so leases are short here.
    let stage = Stage::new(Settings {
        environment: Vec::new(),
        ..patient()
    })
    .await;
    let kills: Vec<_> = (1..=10)
        .map(|nth| Fault {
            at: summarizer(Wire::S3, "PUT media-assets", Moment::After, nth),
            deed: Deed::Kill,
        })
        .collect();
    stage.machine.arm(&kills, Vec::new());
    let mut told = begin(&stage, "killed", 1).await;
    post(&stage, &mut told, 10, true).await;
    assert_eq!(
        check(&stage, &told, "ten kills").await,
        10,
        "the model is paid once for each turn"
    );
    assert_eq!(stage.machine.book().struck.len(), 10, "every kill has struck");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_emptied_in_the_middle_of_two_hundred_turns_loses_none() {
    let stage = Stage::new(Settings::default()).await;
    let flush = Fault {
        at: summarizer(Wire::Redis, "complete", Moment::After, 100),
        deed: Deed::Flush,
    };
    stage.machine.arm(&[flush], Vec::new());
    let mut told = begin(&stage, "emptied", 20).await;
    post(&stage, &mut told, 10, false).await;
    check(&stage, &told, "redis emptied").await;
    assert_eq!(stage.machine.book().losses.len(), 1);
    stage.stop().await;
}

/// Ten minutes, scaled by this, and so are the pauses. What a busy machine takes for the turns themselves is not, so a
/// larger scale would measure the machine.
const SCALE: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_down_for_long_parks_nothing() {
    let scaled = |ms: u64| (ms / SCALE).to_string();
    let settings = Settings {
        environment: vec![
            (
                "SCRIBE_PAUSES_MS",
                format!("{},{},{}", 2_000 / SCALE, 10_000 / SCALE, 60_000 / SCALE),
            ),
            ("SCRIBE_LONGEST_PAUSE_MS", scaled(300_000)),
            ("SCRIBE_SWEEP_EVERY_MS", scaled(20_000)),
            ("SCRIBE_SWEEP_AFTER_MS", scaled(20_000)),
            ("SCRIBE_WAITING_AGE_MS", scaled(60_000)),
        ],
        retry_waits: vec![
            Duration::from_millis(60_000 / SCALE),
            Duration::from_millis(120_000 / SCALE),
        ],
        ..Settings::default()
    };
    let stage = Stage::new(settings).await;
    let outage = Duration::from_millis(600_000 / SCALE);
    let down = Fault {
        at: summarizer(Wire::Model, "chat", Moment::Before, 1),
        deed: Deed::Outage(outage),
    };
    stage.machine.arm(&[down], Vec::new());
    let mut told = begin(&stage, "down", 20).await;
    post(&stage, &mut told, 3, false).await;
    run::until(|| stage.machine.is_spent()).await;
    let back = Instant::now();
    assert_eq!(
        check(&stage, &told, "model down").await,
        60,
        "a model that is down is not paid"
    );
    let last = stage
        .machine
        .book()
        .commits
        .iter()
        .map(|commit| commit.when)
        .max()
        .unwrap();
    let minutes =
        last.saturating_duration_since(back).as_secs_f64() * f64::from(u32::try_from(SCALE).unwrap()) / 60.0;
    println!("model down: the last turn was written {minutes:.1} scaled minutes after its return");
    assert!(minutes <= 2.0, "{minutes}");
    stage.stop().await;
}

/// Asks the API how a conversation stands.
async fn status(stage: &Stage, key: &ConversationKey) -> Value {
    let state = ApiState {
        conversations: stage.conversations.clone(),
        recorder: stage.recorder.clone(),
        chat: Upstream::new(ChatConfig::new(
            "http://127.0.0.1:1".parse().unwrap(),
            "none".into(),
        ))
        .unwrap(),
        open_chats: scribe_api::OpenChats::default(),
        health_timeout: Duration::from_secs(5),
        events: scribe_api::Events::default(),
    };
    let api = scribe_api::router(state, &ApiConfig::default());
    let request = Request::get(format!("/api/chat/background-doc/{}", key.conversation));
    let answer = api
        .oneshot(request.body(axum::body::Body::empty()).unwrap())
        .await
        .unwrap();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    answer["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_faster_than_the_model_sees_how_many_turns_wait() {
    // A turn every 2 s and a model that takes 5 s, both ten times as fast.
    let stage = Stage::new(Settings {
        thinking: Duration::from_millis(500),
        ..patient()
    })
    .await;
    stage.machine.arm(&[], Vec::new());
    let mut told = begin(&stage, "fast", 1).await;
    let mut every = tokio::time::interval(Duration::from_millis(200));
    for nth in 0..15 {
        every.tick().await;
        let said = say(&stage, &told[0].key, number(0, nth), true).await;
        told[0].said.push(said);
    }
    let before = status(&stage, &told[0].key).await;
    println!("faster than the model: after the last turn {before}");
    let (waiting, for_ms) = (
        before["waiting"].as_u64().unwrap(),
        before["waitingForMs"].as_u64().unwrap(),
    );
    // 15 turns were said in 3 s, in which the model can have written six at most.
    assert!((8..=15).contains(&waiting), "{before}");
    assert!(for_ms >= 400, "{before}");
    assert_eq!(check(&stage, &told, "faster than the model").await, 15);
    let after = status(&stage, &told[0].key).await;
    assert_eq!(
        (&after["waiting"], &after["messageCount"]),
        (&0.into(), &15.into())
    );
    assert_eq!(
        woven(&stage.document(&told[0].session).await.asset.content),
        (0..15).collect::<Vec<_>>()
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_turn_holds_up_the_others_for_its_attempts_only_and_a_replay_heals_it() {
    let stage = Stage::new(patient()).await;
    let poisoned = number(0, 1);
    stage.machine.arm(&[], vec![poisoned]);
    let mut told = begin(&stage, "poisoned", 1).await;
    post(&stage, &mut told, 6, false).await;
    run::drain(&stage, &told, Instant::now()).await.unwrap();
    let book = stage.machine.book();
    let calls = |number: usize| book.paid.iter().filter(|&&paid| paid == number).count();
    assert_eq!(calls(poisoned), 3, "it was tried three times");
    for nth in [0, 2, 3, 4, 5] {
        assert_eq!(calls(number(0, nth)), 1, "turn {nth}");
    }
    // The others were written in their order, while it was parked.
    let held = verdict::judge(&stage, &told, &[poisoned], &[])
        .await
        .unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(held.parked, 1);
    let content = stage.document(&told[0].session).await.asset.content;
    assert_eq!(woven(&content), [0, 2, 3, 4, 5]);
    stage.machine.disarm();
    run::replay(&stage, &told, &[poisoned])
        .await
        .unwrap_or_else(|broken| panic!("{broken}"));
    let content = stage.document(&told[0].session).await.asset.content;
    assert_eq!(woven(&content), [0, 2, 3, 4, 5, 1]);
    let state = stage
        .ledger
        .trigger(&told[0].key, &run::message(poisoned))
        .await
        .unwrap()
        .unwrap();
    assert!(state.late, "it shows as late");
    stage.stop().await;
}
