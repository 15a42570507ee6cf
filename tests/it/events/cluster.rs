//! Readers of conversations that lie on different masters of a cluster.

use scribe_trigger::ledger::Heard;
use scribe_trigger::{Ledger, LiveEvent, TriggerConfig};

use super::*;
use crate::world::{RedisCluster, id};

fn connect(cluster: &RedisCluster) -> Ledger {
    let mut config = TriggerConfig::new(String::new().into(), "summarizer".into());
    config.redis_timeout = Duration::from_secs(5);
    cluster.configure(&mut config);
    Ledger::connect(&config).unwrap()
}

async fn hears(subscription: &mut scribe_trigger::ledger::Subscription) -> Heard {
    tokio::time::timeout(PATIENCE, subscription.next())
        .await
        .expect("nothing is heard")
}

#[tokio::test]
async fn one_connection_hears_all_masters_and_moves_when_its_own_is_gone() {
    let mut cluster = RedisCluster::start().await;
    let ledger = connect(&cluster);
    let conversations = cluster.conversations().await;
    let mut subscriptions = Vec::new();
    for key in &conversations {
        let mut subscription = ledger.subscribe(key);
        let heard = hears(&mut subscription).await;
        assert!(matches!(heard, Heard::Connected), "{heard:?}");
        subscriptions.push(subscription);
    }
    let event = LiveEvent::failed(&id("m1"));
    for (key, subscription) in conversations.iter().zip(&mut subscriptions) {
        ledger.publish(key, &event).await.unwrap();
        match hears(subscription).await {
            Heard::News(heard) => assert_eq!(*heard, event),
            other => panic!("{other:?}"),
        }
    }
    // The node that was listened to, and that the URL names.
    cluster.masters[0].kill();
    for subscription in &mut subscriptions {
        // A new connection that stands before the loss of the old one was read makes that void.
        let mut heard = hears(subscription).await;
        if matches!(heard, Heard::Lost) {
            heard = hears(subscription).await;
        }
        assert!(matches!(heard, Heard::Connected), "{heard:?}");
    }
    // Those on the other masters are told as before.
    for (key, subscription) in conversations.iter().zip(&mut subscriptions).skip(1) {
        ledger.publish(key, &event).await.unwrap();
        assert!(matches!(hears(subscription).await, Heard::News(_)));
    }
    // The cluster's end is watched; the one that is gone had nothing wrong.
    cluster.masters[0].restart();
}
