//! What happens in a conversation, as a page follows it: over HTTP, with a reader of server-sent events.

mod cluster;
mod ending;
mod following;
mod losing_redis;
mod resuming;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use eventsource_stream::Eventsource as _;
use futures_util::{Stream, StreamExt as _};
use scribe_api::{EventSettings, Events, Stop};
use scribe_core::ConversationKey;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::world::{World, http_client, listener};

/// Long enough for a loaded machine, short enough for a hang to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// The API of a world on a port of its own.
struct Served {
    address: String,
    stop: Stop,
    server: JoinHandle<()>,
    finish: Arc<tokio::sync::Notify>,
}

impl Served {
    async fn new(world: &World) -> Self {
        Self::with(world, |_| {}).await
    }

    async fn with(world: &World, change: impl FnOnce(&mut EventSettings)) -> Self {
        let mut settings = EventSettings {
            look_every: Duration::from_millis(20),
            ..EventSettings::default()
        };
        change(&mut settings);
        let (stop, stopping) = scribe_api::stopping();
        let router = world.api_telling(
            Events::new(settings, stopping),
            &scribe_api::config::ApiConfig::default(),
        );
        let listener = listener().await;
        let address = format!("http://{}", listener.local_addr().unwrap());
        let finish = Arc::new(tokio::sync::Notify::new());
        let finished = Arc::clone(&finish);
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { finished.notified().await })
                .await
                .unwrap();
        });
        Self {
            address,
            stop,
            server,
            finish,
        }
    }

    fn path(&self, key: &ConversationKey) -> String {
        format!(
            "{}/api/chat/background-doc/{}/events",
            self.address, key.conversation
        )
    }

    /// Follows a conversation from the beginning.
    async fn follow(&self, key: &ConversationKey) -> Reader {
        Reader::open(http_client().get(self.path(key))).await
    }

    /// Comes back with the id of the last event.
    async fn resume(&self, key: &ConversationKey, last: &str) -> Reader {
        Reader::open(http_client().get(self.path(key)).header("last-event-id", last)).await
    }
}

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    name: String,
    id: String,
    data: Value,
}

/// A reader of a stream.
struct Reader {
    events: Pin<Box<dyn Stream<Item = Seen> + Send>>,
}

impl Reader {
    async fn open(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        // A connection that is cut is an end like any other.
        let bytes = response
            .bytes_stream()
            .take_while(|bytes| std::future::ready(bytes.is_ok()));
        let events = bytes.eventsource().map(|event| {
            let event = event.unwrap();
            Seen {
                data: serde_json::from_str(&event.data).unwrap(),
                name: event.event,
                id: event.id,
            }
        });
        Self {
            events: Box::pin(events),
        }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Seen> {
        tokio::time::timeout(PATIENCE, self.events.next())
            .await
            .expect("no event came")
    }

    async fn expect(&mut self, name: &str) -> Seen {
        let seen = self.next().await.expect("the stream ended");
        assert_eq!(seen.name, name, "{seen:?}");
        seen
    }

    /// Reads until an event that fits has come, and gives all with it.
    async fn until(&mut self, fits: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let mut all = Vec::new();
        loop {
            let seen = self.next().await.expect("the stream ended");
            let is_last = fits(&seen);
            all.push(seen);
            if is_last {
                return all;
            }
        }
    }
}

fn is_turn(seen: &Seen, n: usize, state: &str) -> bool {
    seen.name == "turn" && seen.data["messageId"] == format!("m{n}") && seen.data["state"] == state
}

/// Waits until so many conversations have readers that listen.
async fn listened(world: &World, channels: usize) {
    let wait = async {
        while world
            .redis
            .command::<Vec<String>>(&["PUBSUB", "CHANNELS"])
            .await
            .len()
            != channels
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("readers must come and go");
}
