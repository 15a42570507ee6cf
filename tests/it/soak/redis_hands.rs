//! What the machine does to redis-server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use super::process;
use crate::world::RedisServer;

#[derive(Clone)]
pub(super) struct RedisHands {
    server: Arc<Mutex<RedisServer>>,
    url: String,
}

impl RedisHands {
    pub(super) fn new(server: RedisServer) -> Self {
        let url = server.url();
        Self {
            server: Arc::new(Mutex::new(server)),
            url,
        }
    }

    pub(super) async fn flush(&self) {
        self.ask::<()>(redis::cmd("FLUSHALL")).await;
    }

    /// Deletes each key with a chance of one half, all at once.
    pub(super) async fn halve(&self, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut keys: Vec<String> = self
            .ask(redis::cmd("KEYS").arg("*").clone())
            .await
            .unwrap_or_default();
        keys.sort();
        keys.retain(|_| rng.random());
        if !keys.is_empty() {
            self.ask::<()>(redis::cmd("DEL").arg(keys).clone()).await;
        }
    }

    pub(super) async fn save(&self) {
        self.ask::<()>(redis::cmd("SAVE")).await;
    }

    /// Kills it and starts it with its last snapshot, if there is one.
    pub(super) async fn restore(&self) {
        let server = Arc::clone(&self.server);
        let restart = move || {
            let mut server = server.lock().unwrap();
            server.kill();
            server.restart();
            server.forget_snapshot();
        };
        tokio::task::spawn_blocking(restart).await.unwrap();
    }

    pub(super) fn freeze(&self, how_long: Duration) {
        process::freeze(self.server.lock().unwrap().process(), how_long);
    }

    /// What a Redis that stands still or is restarted does not do is not done.
    async fn ask<T: redis::FromRedisValue>(&self, command: redis::Cmd) -> Option<T> {
        let client = redis::Client::open(&*self.url).unwrap();
        let asked = async {
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            command.query_async(&mut connection).await.ok()
        };
        tokio::time::timeout(Duration::from_secs(5), asked).await.ok()?
    }
}
