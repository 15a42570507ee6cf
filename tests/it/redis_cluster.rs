//! The ledger on a Redis Cluster of three masters: every script on each of them, and masters that go away, come back
//! and hand a slot over.

mod every_script;

use std::time::Duration;

use scribe_core::ConversationKey;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_trigger::ledger::{ClaimRequest, Claimed, RecordOutcome, Registration};
use scribe_trigger::{Delivery, Ledger, LedgerError, TriggerConfig};

use crate::ledger::{session, trigger};
use crate::world::{RedisCluster, RedisServer, World, id, key, woven};

fn config() -> TriggerConfig {
    let mut config = TriggerConfig::new(String::new().into(), "summarizer".into());
    config.redis_timeout = Duration::from_secs(5);
    config.lease = Duration::from_secs(20);
    config
}

fn ledger(cluster: &RedisCluster) -> Ledger {
    let mut config = config();
    cluster.configure(&mut config);
    Ledger::connect(&config).unwrap()
}

/// What an error says, with its causes.
fn said(error: &LedgerError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

async fn record(ledger: &Ledger, key: &ConversationKey, message: &str) -> ScribeTrigger {
    let recorded = ledger.record(key, &trigger(key, message, 0)).await.unwrap();
    assert!(
        matches!(recorded, RecordOutcome::Recorded { .. }),
        "{key}: {recorded:?}"
    );
    ledger.trigger(key, &id(message)).await.unwrap().unwrap()
}

/// Claims, once no pause is in the way.
async fn claim(ledger: &Ledger, key: &ConversationKey, own: &ScribeTrigger, token: &str) -> ScribeTrigger {
    loop {
        let request = ClaimRequest {
            own,
            token,
            held_etag: None,
        };
        match ledger.claim(key, &request).await.unwrap().claimed {
            Claimed::Turn { trigger, .. } => return *trigger.unwrap(),
            Claimed::Busy { pause: true, .. } => tokio::task::yield_now().await,
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn turns_are_woven_on_a_cluster() {
    let cluster = RedisCluster::start().await;
    let world = World::with(|config| cluster.configure(&mut config.trigger)).await;
    let engine = world.engine();
    for key in cluster.conversations().await {
        let session = world.start(&key).await.session;
        for n in 1..=3 {
            assert_eq!(world.say(&key, n).await.delivery, Delivery::Invoked);
        }
        world.pump(&engine).await;
        assert_eq!(woven(&world.document(&session).await.asset.content), [1, 2, 3]);
        for n in 1..=3 {
            assert_eq!(
                world.state(&key, n).await,
                Some(TriggerState::Processed),
                "{key} m{n}"
            );
        }
    }
    assert_eq!(world.keys("waiting/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_cluster_that_is_down_stops_no_start_and_is_used_when_it_is_back() {
    let mut cluster = RedisCluster::start().await;
    let key = key("c1");
    for master in &mut cluster.masters {
        master.kill();
    }
    let mut config = config();
    config.redis_timeout = Duration::from_millis(250);
    cluster.configure(&mut config);
    let down = Ledger::connect(&config).unwrap();
    for _ in 0..3 {
        let begin = std::time::Instant::now();
        let error = down.record(&key, &trigger(&key, "m1", 0)).await.unwrap_err();
        assert!(
            begin.elapsed() < Duration::from_millis(600),
            "{:?}",
            begin.elapsed()
        );
        assert!(
            said(&error).contains("no node of the cluster can be reached"),
            "{}",
            said(&error)
        );
    }
    let unused = ledger(&cluster);
    for master in &mut cluster.masters {
        master.restart();
    }
    cluster.ready().await;
    // Neither who saw it down nor who did not needs a second try.
    record(&down, &key, "m1").await;
    record(&unused, &key, "m2").await;
    assert_eq!(down.triggers(&key).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_master_that_is_away_holds_up_no_other_and_gets_its_scripts_again() {
    let mut cluster = RedisCluster::start().await;
    let ledger = ledger(&cluster);
    let conversations = cluster.conversations().await;
    for key in &conversations {
        record(&ledger, key, "m1").await;
    }
    cluster.masters[1].kill();
    ledger
        .record(&conversations[1], &trigger(&key("x"), "m2", 0))
        .await
        .unwrap_err();
    record(&ledger, &conversations[0], "m2").await;
    record(&ledger, &conversations[2], "m2").await;
    // It comes back empty, scripts included.
    cluster.masters[1].restart();
    cluster.ready().await;
    record(&ledger, &conversations[1], "m2").await;
    assert_eq!(ledger.triggers(&conversations[1]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_slot_that_has_moved_is_followed() {
    let cluster = RedisCluster::start().await;
    let ledger = ledger(&cluster);
    let [key, ..] = cluster.conversations().await;
    ledger.ping().await.unwrap();
    let slot = cluster.slot_of(&key).await.to_string();
    let new_home: String = cluster.masters[1].command(&["CLUSTER", "MYID"]).await;
    for master in [1, 0, 2] {
        cluster.masters[master]
            .command::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &new_home])
            .await;
    }
    record(&ledger, &key, "m1").await;
    let names: Vec<String> = cluster.masters[1].command(&["KEYS", "scribe:trigger:*"]).await;
    assert_eq!(names, [format!("scribe:trigger:{{{key}}}")]);
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_abandoned_behind_it() {
    let cluster = RedisCluster::start().await;
    let mut config = config();
    config.redis_timeout = Duration::from_millis(250);
    cluster.configure(&mut config);
    let ledger = Ledger::connect(&config).unwrap();
    let [key, ..] = cluster.conversations().await;
    let session = session(&key);
    let registration = Registration {
        session: &session,
        asset: None,
        turns: &[],
        replace: true,
    };
    ledger.register(registration).await.unwrap();
    let own = record(&ledger, &key, "m1").await;
    // The script is known to the node, so that the claim is one message.
    claim(&ledger, &key, &own, "before").await;
    assert!(ledger.unclaim(&key, "before").await.unwrap());
    let undone = ledger.trigger(&key, &own.message_id).await.unwrap().unwrap();
    assert_eq!((undone.state, undone.attempts), (TriggerState::Pending, 0));

    let master = &cluster.masters[0];
    master.stop();
    let request = ClaimRequest {
        own: &own,
        token: "lost",
        held_etag: None,
    };
    ledger.claim(&key, &request).await.unwrap_err();
    ledger.unclaim(&key, "lost").await.unwrap_err();
    master.go_on();
    // Commands of another connection may come before those two, so it is asked until both were done: the claim has its
    // time, and nothing else is left of it.
    let lease = format!("scribe:lease:{{{key}}}");
    let claimed_at = |trigger: &ScribeTrigger| trigger.times.claimed;
    let unclaimed = async {
        loop {
            let stored = ledger.trigger(&key, &own.message_id).await.ok().flatten();
            let held = master.command::<Option<String>>(&["GET", &lease]).await;
            if let Some(stored) = stored
                && claimed_at(&stored) > claimed_at(&undone)
                && held.is_none()
            {
                return stored;
            }
            tokio::task::yield_now().await;
        }
    };
    let stored = tokio::time::timeout(Duration::from_secs(5), unclaimed)
        .await
        .expect("the lease must be given back long before it ends by itself");
    assert_eq!((stored.state, stored.attempts), (TriggerState::Pending, 0));
}

#[tokio::test]
async fn a_setting_that_does_not_fit_is_named() {
    let cluster = RedisCluster::start().await;
    let mut config = config();
    cluster.configure(&mut config);
    config.redis_cluster = false;
    let ledger = Ledger::connect(&config).unwrap();
    let [_, elsewhere, _] = cluster.conversations().await;
    let error = ledger
        .record(&elsewhere, &trigger(&elsewhere, "m1", 0))
        .await
        .unwrap_err();
    assert!(
        said(&error).contains("set SCRIBE_REDIS_CLUSTER=true"),
        "{}",
        said(&error)
    );
    let error = ledger.queue_status(&elsewhere).await.unwrap_err();
    assert!(
        said(&error).contains("set SCRIBE_REDIS_CLUSTER=true"),
        "{}",
        said(&error)
    );

    let alone = RedisServer::start();
    config.redis_cluster = true;
    config.redis_url = alone.url().into();
    let error = Ledger::connect(&config).unwrap().ping().await.unwrap_err();
    assert!(said(&error).contains("SCRIBE_REDIS_CLUSTER"), "{}", said(&error));

    for url in ["redis://127.0.0.1/1", "unix:///run/redis.sock"] {
        config.redis_url = url.to_owned().into();
        let error = Ledger::connect(&config).unwrap_err();
        assert!(matches!(error, LedgerError::Url(_)), "{url}: {error}");
    }
}
