//! Every script on every master.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use scribe_core::turn::TriggerState;
use scribe_core::{ActiveScribeSession, ConversationKey};
use scribe_trigger::ledger::{
    BacklogEntry, CachedAsset, Completion, Ended, Known, Noted, Parked, Registration, Release, Replayed,
    SessionUpdate, Sweep, SweepPace, Toggled,
};
use scribe_trigger::{Ledger, LiveEvent};

use super::{claim, ledger, record};
use crate::ledger::session;
use crate::world::{RedisCluster, id, key};

#[tokio::test]
async fn every_script_runs_on_every_master() {
    let mut cluster = RedisCluster::start().await;
    let ledger = ledger(&cluster);
    let conversations = cluster.conversations().await;
    for conversation in &conversations {
        everything(&ledger, conversation).await;
    }
    let mut listed: Vec<_> = ledger.active_sessions().await.unwrap();
    listed.sort_by_key(ActiveScribeSession::key);
    let mut expected = conversations.clone();
    expected.sort();
    assert_eq!(
        listed.iter().map(ActiveScribeSession::key).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(ledger.unprocessed().await.unwrap().len(), 3);
    for conversation in &conversations {
        ending(&ledger, conversation).await;
    }
    assert!(ledger.unprocessed().await.unwrap().is_empty());
    // The backlog lies in slots of its own: enough conversations for one on each master.
    for number in 0..48 {
        let entry = BacklogEntry {
            key: key(&format!("backlog-{number}")),
            noted_ms: 1_795_000_000_000 + number,
        };
        ledger.note_backlog(&entry.key, entry.noted_ms).await.unwrap();
        assert!(ledger.forget_backlog(&entry).await.unwrap());
    }

    let scripts = scripts();
    assert!(scripts.len() >= 12, "{:?}", scripts.keys());
    for (at, master) in cluster.masters.iter_mut().enumerate() {
        let ran = master.watch().ran();
        let missing: Vec<_> = scripts
            .iter()
            .filter(|(_, text)| !ran.iter().any(|ran| ran.ends_with(*text)))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            missing,
            Vec::<&String>::new(),
            "not run on master {at}: add them to `everything`"
        );
    }
}

/// Every operation that the ledger has, on one conversation.
async fn everything(ledger: &Ledger, key: &ConversationKey) {
    ledger.ping().await.unwrap();
    let told = LiveEvent::failed(&id("m0"));
    ledger.publish(key, &told).await.unwrap();
    assert!(ledger.mark_none(key).await.unwrap());
    let session = session(key);
    let registration = Registration {
        session: &session,
        asset: None,
        turns: &[],
        replace: true,
    };
    assert!(ledger.register(registration).await.unwrap());

    let [first, second, third] = [
        record(ledger, key, "m1").await,
        record(ledger, key, "m2").await,
        record(ledger, key, "m3").await,
    ];
    ledger.note_backlog(key, first.seq.as_millis()).await.unwrap();
    let noted = ledger.note_waiting(key, &first.message_id).await.unwrap();
    assert_eq!(noted, Some(TriggerState::Pending));

    assert_eq!(claim(ledger, key, &first, "a").await.message_id, first.message_id);
    assert!(ledger.renew(key, "a").await.unwrap());
    let release = Release {
        message_id: &first.message_id,
        token: "a",
        pause: Duration::from_millis(1),
        service_failure: true,
        reason: "the model is away",
        usage: None,
    };
    assert!(ledger.release(key, &release).await.unwrap());
    let claimed = claim(ledger, key, &first, "b").await;
    assert_eq!(
        ledger.writing(key).await.unwrap().unwrap().message_id,
        first.message_id
    );
    let completion = Completion {
        trigger: &claimed,
        token: "b",
        last_update_at: "2026-11-22T15:41:00.000Z",
        message_count: 1,
        late: false,
        asset: Some(&CachedAsset {
            json: "{}".into(),
            etag: "\"e\"".into(),
        }),
    };
    let completed = ledger.complete(key, &completion).await.unwrap();
    assert!(completed.held_lease && completed.waiting);
    assert_eq!(completed.next.unwrap().message_id, second.message_id);
    ledger.drop_asset(key).await.unwrap();

    let claimed = claim(ledger, key, &second, "c").await;
    match ledger.park(key, &claimed, "c", "why").await.unwrap() {
        Parked::Parked { next: Some(next) } => assert_eq!(next.message_id, third.message_id),
        other => panic!("{other:?}"),
    }
    let replayed = ledger.replay(key, &claimed).await.unwrap();
    assert!(matches!(replayed, Replayed::Queued(_)), "{replayed:?}");
    claim(ledger, key, &third, "d").await;
    assert!(ledger.unclaim(key, "d").await.unwrap());
    claim(ledger, key, &third, "d").await;
    assert!(ledger.abandon(key, "d").await.unwrap());

    let pace = SweepPace {
        after: Duration::ZERO,
        pauses: &[Duration::from_secs(1)],
        longest_pause: Duration::from_secs(1),
    };
    let swept = ledger.sweep(key, third.seq.as_millis() + 1, pace).await.unwrap();
    assert!(matches!(swept, Sweep::Due { .. }), "{swept:?}");
    let claimed = claim(ledger, key, &third, "e").await;
    ledger.park(key, &claimed, "e", "why").await.unwrap();
    let dismissed = ledger.dismiss(key, &claimed.message_id).await.unwrap();
    assert_eq!(dismissed, Some(TriggerState::Failed));
    let alone = ledger
        .uncopied(key, third.seq.as_millis() + 1, Duration::ZERO, 8)
        .await
        .unwrap();
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert!(!ledger.park_lost(key, &third).await.unwrap(), "its text is there");
    let ids = [first, second, third].map(|turn| turn.message_id);
    let standings = ledger.standings(key, &ids).await.unwrap();
    assert_eq!(standings, [Known::Processed, Known::No, Known::Waiting]);

    let broken = id("broken-off");
    let noted = ledger
        .note_incomplete(key, &broken, "2026-11-22T15:41:00.000Z", "why")
        .await;
    assert_eq!(noted.unwrap(), Noted::Noted);

    let update = SessionUpdate {
        title: Some("Salt".into()),
        ..SessionUpdate::default()
    };
    assert_eq!(
        ledger.update_session(key, &update).await.unwrap().unwrap().title,
        "Salt"
    );
    let off = ledger.disable(key).await.unwrap();
    assert!(matches!(off, Toggled::Switched { next: None, .. }), "{off:?}");
    let on = ledger.enable(key).await.unwrap();
    assert!(matches!(on, Toggled::Switched { next: Some(_), .. }), "{on:?}");

    assert_eq!(ledger.session(key).await.unwrap().unwrap().title, "Salt");
    assert_eq!(ledger.triggers(key).await.unwrap().len(), 3);
    assert_eq!(ledger.forget_turns(key, &ids).await.unwrap(), 1);
    assert_eq!(ledger.triggers(key).await.unwrap().len(), 2);
    assert_eq!(ledger.queue_status(key).await.unwrap().waiting, 1);
}

/// The end of the conversation that `everything` has left.
async fn ending(ledger: &Ledger, key: &ConversationKey) {
    let asset = session(key).text_asset_id;
    let waiting = ledger.end(key, &asset, &[], "deleted").await.unwrap();
    let Ended::Waiting(rest) = waiting else {
        panic!("{waiting:?}")
    };
    let other = ledger.end(key, &id("another"), &[], "deleted").await.unwrap();
    assert_eq!(other, Ended::Other);
    let parked: Vec<_> = rest.into_iter().map(|(message_id, _)| message_id).collect();
    assert_eq!(parked, [id("m3")]);
    assert_eq!(
        ledger.end(key, &asset, &parked, "deleted").await.unwrap(),
        Ended::Ended
    );
    let ended = ledger.trigger(key, &id("m3")).await.unwrap().unwrap();
    assert_eq!(
        (ended.state, ended.reason.as_deref()),
        (TriggerState::Failed, Some("deleted"))
    );
    assert_eq!(ledger.queue_status(key).await.unwrap().waiting, 0);
    ledger.forget(key).await.unwrap();
    assert!(ledger.triggers(key).await.unwrap().is_empty());
}

/// The ledger's scripts, by name; `trigger.lua` stands in front of the others.
fn scripts() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/scribe-trigger/src/ledger/scripts");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| !path.ends_with("trigger.lua"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}
