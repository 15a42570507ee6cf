//! A Redis Cluster of three masters, stopped with the test.

use std::time::Duration;

use redis::InfoDict;
use scribe_core::ConversationKey;
use scribe_trigger::TriggerConfig;

use super::redis_server::{RedisServer, free_port};

const SLOTS: u16 = 16_384;

pub(crate) struct RedisCluster {
    pub(crate) masters: [RedisServer; 3],
}

impl RedisCluster {
    pub(crate) async fn start() -> Self {
        let masters = [(); 3].map(|()| {
            RedisServer::start_with(|| {
                let words = format!(
                    "--cluster-enabled yes --cluster-port {} --cluster-node-timeout 2000 \
                     --cluster-require-full-coverage no",
                    free_port()
                );
                words.split(' ').map(str::to_owned).collect()
            })
        });
        let cluster = Self { masters };
        for (at, master) in cluster.masters.iter().enumerate() {
            let first = slots_before(at);
            let last = slots_before(at + 1) - 1;
            master
                .command::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])
                .await;
            let epoch = (at + 1).to_string();
            master
                .command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch])
                .await;
        }
        for master in &cluster.masters[1..] {
            let bus = &master.argument("--cluster-port");
            let port = &master.port().to_string();
            cluster.masters[0]
                .command::<()>(&["CLUSTER", "MEET", "127.0.0.1", port, bus])
                .await;
        }
        cluster.ready().await;
        cluster
    }

    /// Waits until every master serves all slots together with the others.
    pub(crate) async fn ready(&self) {
        for master in &self.masters {
            let ready = async {
                loop {
                    let info: InfoDict = master.command(&["CLUSTER", "INFO"]).await;
                    let state: Option<String> = info.get("cluster_state");
                    let (known, slots): (Option<u16>, Option<u16>) =
                        (info.get("cluster_known_nodes"), info.get("cluster_slots_ok"));
                    if (state.as_deref(), known, slots) == (Some("ok"), Some(3), Some(SLOTS)) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), ready)
                .await
                .expect("the masters must find each other");
        }
    }

    /// Lets a configuration use the cluster; it is told of one master and finds the others.
    pub(crate) fn configure(&self, config: &mut TriggerConfig) {
        config.redis_url = self.masters[0].url().into();
        config.redis_cluster = true;
    }

    pub(crate) async fn slot_of(&self, key: &ConversationKey) -> u16 {
        self.masters[0]
            .command(&["CLUSTER", "KEYSLOT", &format!("{{{key}}}")])
            .await
    }

    /// Which master has a conversation.
    pub(crate) async fn master_of(&self, key: &ConversationKey) -> usize {
        let slot = self.slot_of(key).await;
        (1..3).find(|&at| slot < slots_before(at)).unwrap_or(3) - 1
    }

    /// A conversation on each master.
    pub(crate) async fn conversations(&self) -> [ConversationKey; 3] {
        let mut found: [Option<ConversationKey>; 3] = [const { None }; 3];
        for number in 0.. {
            let key = super::key(&format!("c{number}"));
            let at = self.master_of(&key).await;
            found[at].get_or_insert(key);
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        found.map(Option::unwrap)
    }
}

/// How many slots the masters before this one have.
fn slots_before(master: usize) -> u16 {
    [0, 5_461, 10_923, SLOTS][master]
}
