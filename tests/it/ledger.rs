//! Sessions and turns in Redis: shapes, keys and lives, as a reader in another language finds them.

mod incomplete;

use scribe_core::turn::{ScribeTrigger, Seq, TriggerState, Turn};
use scribe_core::{ActiveScribeSession, ConversationKey};
use scribe_trigger::ledger::{
    CachedAsset, Claim, ClaimRequest, Claimed, Completion, Parked, RecordOutcome, Registration, Release,
    Replayed, SessionUpdate, Toggled,
};
use scribe_trigger::{Ledger, TriggerConfig};
use serde_json::Value;

use crate::world::{RedisServer, id, key};

struct Bench {
    redis: RedisServer,
    ledger: Ledger,
}

fn bench() -> Bench {
    bench_with(|_| {})
}

fn bench_with(change: impl FnOnce(&mut TriggerConfig)) -> Bench {
    let redis = RedisServer::start();
    let mut config = TriggerConfig::new(redis.url().into(), "summarizer".into());
    config.redis_timeout = std::time::Duration::from_secs(5);
    config.lease = std::time::Duration::from_secs(20);
    change(&mut config);
    let ledger = Ledger::connect(&config).unwrap();
    Bench { redis, ledger }
}

pub(crate) fn session(key: &ConversationKey) -> ActiveScribeSession {
    ActiveScribeSession {
        conversation_id: key.conversation.clone(),
        text_asset_id: id("asset-1"),
        slug: "the-amber-road".into(),
        title: "The \"Amber\" Road / Straße 🜂".into(),
        scribe_enabled: true,
        last_update_at: "2026-11-22T15:40:00.000Z".into(),
        user_id: id("default-user"),
        tenant_id: key.tenant.clone(),
        created_at: "2026-11-22T15:40:00.000Z".into(),
        message_count: 0,
        current_content: None,
    }
}

pub(crate) fn trigger(key: &ConversationKey, message: &str, seq: u64) -> ScribeTrigger {
    ScribeTrigger::pending(&Turn {
        conversation: key.clone(),
        message_id: id(message),
        seq: Seq(seq),
        earlier: vec![],
        replaces: None,
        user_message: "quote \" slash / backslash \\ nul \0 tab \t \u{2028} é 🜂".into(),
        assistant_response: format!("answer of {message}"),
        timestamp: "2026-11-22T15:40:00.000Z".into(),
    })
}

impl Bench {
    async fn register(&self, key: &ConversationKey) {
        let session = session(key);
        let registration = Registration {
            session: &session,
            asset: None,
            turns: &[],
            replace: true,
        };
        assert!(self.ledger.register(registration).await.unwrap());
    }

    async fn record(&self, key: &ConversationKey, message: &str) -> Seq {
        match self.ledger.record(key, &trigger(key, message, 0)).await.unwrap() {
            RecordOutcome::Recorded { seq, .. } => seq,
            other => panic!("{other:?}"),
        }
    }

    async fn claim(&self, key: &ConversationKey, own: &ScribeTrigger, token: &str) -> Claim {
        self.ledger
            .claim(
                key,
                &ClaimRequest {
                    own,
                    token,
                    held_etag: None,
                },
            )
            .await
            .unwrap()
    }

    async fn ttl(&self, name: &str) -> i64 {
        self.redis.command(&["TTL", name]).await
    }
}

#[tokio::test]
async fn a_session_has_the_fields_of_the_spec() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    let json: String = bench
        .redis
        .command(&["HGET", "scribe:active:{default/c1}", "session"])
        .await;
    let fields: Value = serde_json::from_str(&json).unwrap();
    for (field, expected) in [
        ("conversationId", Value::from("c1")),
        ("textAssetId", "asset-1".into()),
        ("slug", "the-amber-road".into()),
        ("title", "The \"Amber\" Road / Straße 🜂".into()),
        ("scribeEnabled", true.into()),
        ("lastUpdateAt", "2026-11-22T15:40:00.000Z".into()),
        ("userId", "default-user".into()),
        ("tenantId", "default".into()),
        ("createdAt", "2026-11-22T15:40:00.000Z".into()),
        ("messageCount", 0.into()),
    ] {
        assert_eq!(fields[field], expected, "{field}");
    }
    assert_eq!(bench.ledger.session(&key).await.unwrap(), Some(session(&key)));
    assert!((86_000..=86_400).contains(&bench.ttl("scribe:active:{default/c1}").await));
}

#[tokio::test]
async fn sessions_are_listed_updated_and_switched() {
    let bench = bench();
    let (one, two) = (key("c1"), key("c2"));
    bench.register(&one).await;
    bench.register(&two).await;
    let mut listed: Vec<_> = bench
        .ledger
        .active_sessions()
        .await
        .unwrap()
        .into_iter()
        .map(|session| session.key())
        .collect();
    listed.sort();
    assert_eq!(listed, [one.clone(), two.clone()]);

    let update = SessionUpdate {
        title: Some("Salt / Ice".into()),
        ..SessionUpdate::default()
    };
    let updated = bench.ledger.update_session(&one, &update).await.unwrap().unwrap();
    assert_eq!(
        updated,
        ActiveScribeSession {
            title: "Salt / Ice".into(),
            ..session(&one)
        }
    );
    assert_eq!(bench.ledger.session(&one).await.unwrap(), Some(updated));
    assert_eq!(
        bench.ledger.update_session(&key("c9"), &update).await.unwrap(),
        None
    );

    for enabled in [false, false, true] {
        let toggled = if enabled {
            bench.ledger.enable(&one).await
        } else {
            bench.ledger.disable(&one).await
        };
        match toggled.unwrap() {
            Toggled::Switched { session, next } => {
                assert_eq!(session.scribe_enabled, enabled);
                assert!(next.is_none());
            }
            Toggled::Unknown => panic!("unknown"),
        }
    }
    assert_eq!(bench.ledger.enable(&key("c9")).await.unwrap(), Toggled::Unknown);

    // A session that has gone is not listed any more, and its hint goes with it.
    bench
        .redis
        .command::<()>(&["DEL", "scribe:active:{default/c2}"])
        .await;
    assert_eq!(bench.ledger.active_sessions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_summarizer_never_overwrites_a_session() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    bench.ledger.disable(&key).await.unwrap();
    let stale = session(&key);
    let registration = Registration {
        session: &stale,
        asset: None,
        turns: &[],
        replace: false,
    };
    assert!(!bench.ledger.register(registration).await.unwrap());
    assert!(!bench.ledger.session(&key).await.unwrap().unwrap().scribe_enabled);
    assert!(!bench.ledger.mark_none(&key).await.unwrap());
}

#[tokio::test]
async fn a_trigger_survives_the_scripts_byte_for_byte() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    let seq = bench.record(&key, "m1").await;
    assert!(seq.0 > 1_700_000_000_000_000, "{seq}");
    let mut expected = trigger(&key, "m1", seq.0);
    let stored = bench.ledger.trigger(&key, &id("m1")).await.unwrap().unwrap();
    (expected.times, expected.changed) = (stored.times, stored.changed);
    assert_eq!(stored, expected);
    assert!(stored.times.recorded.is_some() && stored.changed >= stored.times.recorded);

    let claim = bench.claim(&key, &stored, "token-a").await;
    assert_eq!(claim.own, Some(TriggerState::Processing));
    let Claimed::Turn {
        trigger: Some(claimed),
        ..
    } = claim.claimed
    else {
        panic!("{claim:?}")
    };
    assert_eq!((claimed.attempts, claimed.seq), (1, seq));
    assert!(claimed.changed > stored.changed, "each change has a later stamp");
    assert_eq!(claimed.user_message, expected.user_message);

    let json: String = bench
        .redis
        .command(&["HGET", "scribe:trigger:{default/c1}", "m1"])
        .await;
    let fields: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(fields["seq"], seq.0);
    assert_eq!(fields["processed"], false);
    assert_eq!(fields["userMessage"], expected.user_message);
    for name in ["scribe:trigger:{default/c1}", "scribe:queue:{default/c1}"] {
        assert!((604_000..=604_800).contains(&bench.ttl(name).await), "{name}");
    }
}

#[tokio::test]
async fn sequences_rise_whatever_the_clock_does() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    // A turn from the future: an event whose recorder's clock is ahead.
    let ahead = trigger(&key, "m0", 4_000_000_000_000_000);
    bench.claim(&key, &ahead, "token-a").await;
    let first = bench.record(&key, "m1").await;
    let second = bench.record(&key, "m2").await;
    assert_eq!(
        (first.0, second.0),
        (4_000_000_000_000_001, 4_000_000_000_000_002)
    );
}

#[tokio::test]
async fn unprocessed_turns_are_listed_and_marked() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    for message in ["m1", "m2"] {
        let seq = bench.record(&key, message).await;
        bench.ledger.note_backlog(&key, seq.as_millis()).await.unwrap();
    }
    let ids = |listed: &[(ConversationKey, ScribeTrigger)]| -> Vec<String> {
        listed
            .iter()
            .map(|(_, trigger)| trigger.message_id.to_string())
            .collect()
    };
    let listed = bench.ledger.unprocessed().await.unwrap();
    assert_eq!(ids(&listed), ["m1", "m2"]);
    let completed = bench.ledger.mark_processed(&key, &listed[0].1).await.unwrap();
    assert!(!completed.held_lease && completed.next.is_none());
    assert_eq!(ids(&bench.ledger.unprocessed().await.unwrap()), ["m2"]);
    assert!(
        bench
            .ledger
            .trigger(&key, &id("m1"))
            .await
            .unwrap()
            .unwrap()
            .processed
    );
    assert_eq!(bench.ledger.queue_status(&key).await.unwrap().waiting, 1);
}

#[tokio::test]
async fn an_asset_that_is_too_large_for_redis_leaves_its_etag_there() {
    let bench = bench_with(|config| config.cache_bytes = 100);
    let key = key("c1");
    bench.register(&key).await;
    let fields = || async {
        bench
            .redis
            .command::<Vec<Option<String>>>(&["HMGET", "scribe:active:{default/c1}", "asset", "etag"])
            .await
    };
    for (bytes, cached) in [(100, true), (101, false), (50, true)] {
        bench.record(&key, &format!("m{bytes}")).await;
        let own = trigger(&key, &format!("m{bytes}"), 1);
        let Claimed::Turn { trigger, .. } = bench.claim(&key, &own, "token").await.claimed else {
            panic!()
        };
        let asset = CachedAsset {
            json: "x".repeat(bytes),
            etag: format!("\"e{bytes}\""),
        };
        let completion = Completion {
            trigger: &trigger.unwrap(),
            token: "token",
            last_update_at: "2026-11-22T15:41:00.000Z",
            message_count: 1,
            late: false,
            asset: Some(&asset),
        };
        assert!(bench.ledger.complete(&key, &completion).await.unwrap().held_lease);
        let expected = [cached.then_some(asset.json), Some(asset.etag)];
        assert_eq!(fields().await, expected, "{bytes}");
    }
}

#[tokio::test]
async fn an_asset_comes_along_only_if_the_process_does_not_hold_it() {
    let bench = bench();
    let key = key("c1");
    let session = session(&key);
    let asset = CachedAsset {
        json: "{}".into(),
        etag: "\"e1\"".into(),
    };
    let registration = Registration {
        session: &session,
        asset: Some(asset),
        turns: &[],
        replace: true,
    };
    bench.ledger.register(registration).await.unwrap();
    for (held, comes) in [(Some("\"e1\""), false), (Some("\"e0\""), true), (None, true)] {
        let own = trigger(&key, "m1", 7);
        let request = ClaimRequest {
            own: &own,
            token: "token",
            held_etag: held,
        };
        let Claimed::Turn { asset, etag, .. } = bench.ledger.claim(&key, &request).await.unwrap().claimed
        else {
            panic!("{held:?}")
        };
        assert_eq!(etag.as_deref(), Some("\"e1\""));
        assert_eq!(asset.is_some(), comes, "{held:?}");
        bench
            .redis
            .command::<()>(&["DEL", "scribe:lease:{default/c1}"])
            .await;
    }
}

#[tokio::test]
async fn only_the_holder_renews_releases_and_parks() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    bench.record(&key, "m1").await;
    let own = trigger(&key, "m1", 1);
    let Claimed::Turn { trigger, .. } = bench.claim(&key, &own, "holder").await.claimed else {
        panic!()
    };
    let trigger = *trigger.unwrap();

    assert!(bench.ledger.renew(&key, "holder").await.unwrap());
    assert!(!bench.ledger.renew(&key, "other").await.unwrap());
    let message_id = trigger.message_id.clone();
    let release = |token: &'static str| Release {
        message_id: &message_id,
        token,
        pause: std::time::Duration::from_secs(30),
        service_failure: true,
        reason: "the model is away",
        usage: None,
    };
    assert!(!bench.ledger.release(&key, &release("other")).await.unwrap());
    assert!(matches!(
        bench.ledger.park(&key, &trigger, "other", "why").await.unwrap(),
        Parked::Refused
    ));
    assert!(bench.ledger.release(&key, &release("holder")).await.unwrap());

    let released = bench.ledger.trigger(&key, &id("m1")).await.unwrap().unwrap();
    assert_eq!(
        (released.state, released.attempts, released.service_failures),
        (TriggerState::Pending, 0, 1)
    );
    assert!(released.failing_since.is_some());
    let claim = bench.claim(&key, &own, "next").await;
    assert!(
        matches!(claim.claimed, Claimed::Busy { pause: true, .. }),
        "{claim:?}"
    );
    assert!(!bench.ledger.queue_status(&key).await.unwrap().writing);
}

#[tokio::test]
async fn parking_a_turn_without_its_text_yields_to_the_text() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    bench.record(&key, "m1").await;
    let seq = bench.record(&key, "m2").await;
    bench
        .redis
        .command::<()>(&["DEL", "scribe:trigger:{default/c1}"])
        .await;
    let second = trigger(&key, "m2", seq.0);
    let Claimed::Turn {
        trigger: None, seq, ..
    } = bench.claim(&key, &second, "holder").await.claimed
    else {
        panic!()
    };
    // While the holder looks for the text in S3, the turn's own event comes.
    let first = trigger(&key, "m1", seq.0);
    let other = bench.claim(&key, &first, "other").await;
    assert!(matches!(other.claimed, Claimed::Busy { .. }), "{other:?}");

    let stub = ScribeTrigger {
        text_lost: true,
        earlier: vec![],
        replaces: None,
        user_message: String::new(),
        assistant_response: String::new(),
        ..first.clone()
    };
    let parked = bench.ledger.park(&key, &stub, "holder", "why").await.unwrap();
    let Parked::Parked { next: Some(next) } = parked else {
        panic!("{parked:?}")
    };
    assert_eq!(next.message_id, id("m1"));
    assert_eq!(next.assistant_response, first.assistant_response);
    let found = bench.ledger.trigger(&key, &id("m1")).await.unwrap().unwrap();
    assert_eq!(found.state, TriggerState::Pending);
    assert!(found.waiting, "the object without texts is to be removed");
    assert!(!bench.ledger.queue_status(&key).await.unwrap().writing);
}

#[tokio::test]
async fn complete_is_a_fact_even_for_a_parked_turn() {
    let bench = bench();
    let key = key("c1");
    bench.register(&key).await;
    bench.record(&key, "m1").await;
    let own = trigger(&key, "m1", 1);
    let Claimed::Turn { trigger, .. } = bench.claim(&key, &own, "holder").await.claimed else {
        panic!()
    };
    let trigger = *trigger.unwrap();
    let parked = bench.ledger.park(&key, &trigger, "holder", "why").await.unwrap();
    assert!(matches!(parked, Parked::Parked { next: None }), "{parked:?}");
    let failed = bench.ledger.trigger(&key, &id("m1")).await.unwrap().unwrap();
    assert_eq!(
        (failed.state, failed.reason.as_deref()),
        (TriggerState::Failed, Some("why"))
    );

    let completed = bench.ledger.mark_processed(&key, &trigger).await.unwrap();
    assert!(completed.waiting, "its copy under waiting/ is to be removed");
    let processed = bench.ledger.trigger(&key, &id("m1")).await.unwrap().unwrap();
    assert_eq!(
        (processed.state, processed.reason.as_deref()),
        (TriggerState::Processed, None)
    );
    let replayed = bench.ledger.replay(&key, &processed).await.unwrap();
    assert!(
        matches!(replayed, Replayed::NotFailed(TriggerState::Processed)),
        "{replayed:?}"
    );
}

#[tokio::test]
async fn a_url_that_can_not_be_used_is_not_repeated() {
    let config = TriggerConfig::new("nonsense://user:hunter2@host".to_owned().into(), "f".into());
    let error = Ledger::connect(&config).unwrap_err().to_string();
    assert!(
        error.contains("REDIS_URL") && !error.contains("hunter2"),
        "{error}"
    );
}
