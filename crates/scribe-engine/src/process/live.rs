//! What the readers of a conversation see while the model writes.
//!
//! One task for an attempt publishes snapshots of the unfinished answer, see [`LiveEvent`]. It is beside the path and
//! never on it: whoever reads the model's stream only leaves the text here, and nobody waits for Redis. There is no
//! queue; while Redis is slow, snapshots are skipped, and the next one has it all.
//!
//! What can go wrong costs readers the text and the turn nothing. That no snapshot comes after the last word on a turn
//! rests on two things: the task is stopped before that word is sent, and both go over one connection.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use scribe_core::live::{LiveEdit, PartialAnswer};
use scribe_core::turn::ScribeTrigger;
use scribe_core::{ConversationKey, MessageId};
use scribe_trigger::live::Place;
use scribe_trigger::record::unix_ms;
use scribe_trigger::{Ledger, LiveEvent};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a withdrawal may take. Readers who miss it let the text lapse.
const WITHDRAWAL: Duration = Duration::from_millis(250);

/// The text of an attempt, as readers are told of it.
pub(super) struct Live {
    channel: Arc<Channel>,
    /// Zero where nothing is published.
    every: Duration,
    publisher: Mutex<Option<JoinHandle<()>>>,
}

struct Channel {
    ledger: Ledger,
    key: ConversationKey,
    message_id: MessageId,
    attempt: u32,
    claimed: u64,
    /// How many messages were sent, whether they arrived or not.
    sent: AtomicU32,
    heard: Mutex<Heard>,
    /// There is something new, or the answer is over.
    news: Notify,
    over: Notify,
}

#[derive(Default)]
struct Heard {
    answer: PartialAnswer,
    etag: Option<String>,
    changed: bool,
    over: bool,
}

impl Live {
    /// Nothing is published before [`Live::listen`], and nothing at all where `every` is zero.
    pub(super) fn new(
        ledger: &Ledger,
        key: &ConversationKey,
        trigger: &ScribeTrigger,
        every: Duration,
    ) -> Self {
        let channel = Channel {
            ledger: ledger.clone(),
            key: key.clone(),
            message_id: trigger.message_id.clone(),
            attempt: trigger.attempts,
            claimed: trigger.times.claimed.unwrap_or_else(|| unix_ms(Timestamp::now())),
            sent: AtomicU32::new(0),
            heard: Mutex::default(),
            news: Notify::new(),
            over: Notify::new(),
        };
        Self {
            channel: Arc::new(channel),
            every,
            publisher: Mutex::new(None),
        }
    }

    /// From now on what is heard is published, as an answer to the document with this ETag.
    pub(super) fn listen(&self, etag: &str) {
        if self.every.is_zero() {
            return;
        }
        self.channel.heard().etag = Some(etag.into());
        let publisher = tokio::spawn(publish(Arc::clone(&self.channel), self.every));
        if let Some(earlier) = self.publisher().replace(publisher) {
            earlier.abort();
        }
    }

    /// The next piece of the answer came.
    pub(super) fn hear(&self, piece: &str) {
        if self.every.is_zero() {
            return;
        }
        let mut heard = self.channel.heard();
        if heard.answer.push(piece) {
            heard.changed = true;
            self.channel.news.notify_one();
        }
    }

    /// The answer is whole. What is new since the last snapshot is published at once.
    pub(super) fn over(&self) {
        self.channel.heard().over = true;
        self.channel.news.notify_one();
        self.channel.over.notify_one();
    }

    /// Nothing more is published. What is under way was sent, or never will be.
    pub(super) async fn stop(&self) {
        let publisher = self.publisher().take();
        if let Some(publisher) = publisher {
            publisher.abort();
            // Aborted or done, both are what was asked for.
            let _ = publisher.await;
        }
    }

    /// Tells readers that what they saw will not be in the document, if they saw anything. To be called when stopped.
    pub(super) async fn withdraw(&self) {
        if self.channel.sent.load(Ordering::Relaxed) == 0 {
            return;
        }
        let etag = self.channel.heard().etag.clone();
        let event = LiveEvent::withdrawn(
            &self.channel.message_id,
            etag.as_deref(),
            self.channel.next_place(),
        );
        if !matches!(timeout(WITHDRAWAL, self.channel.send(&event)).await, Ok(true)) {
            tracing::info!(
                turn.id = %self.channel.message_id,
                conversation.id = %self.channel.key,
                "readers were not told that the text of turn {} is withdrawn, they let it lapse",
                self.channel.message_id
            );
        }
    }

    fn publisher(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(publisher) = self.publisher().take() {
            publisher.abort();
        }
    }
}

impl Channel {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_place(&self) -> Place {
        Place {
            attempt: self.attempt,
            claimed: self.claimed,
            number: self.sent.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// What Redis says to a failure is not repeated: it may hold a part of the text.
    async fn send(&self, event: &LiveEvent) -> bool {
        self.ledger.publish(&self.key, event).await.is_ok()
    }

    /// What is new, if anything is, and whether it is all.
    fn snapshot(&self) -> (Option<LiveEvent>, bool) {
        let mut heard = self.heard();
        let edits: Vec<LiveEdit> = if std::mem::take(&mut heard.changed) {
            heard.answer.edits()
        } else {
            Vec::new()
        };
        let event = (!edits.is_empty()).then(|| {
            let (etag, cut) = (heard.etag.as_deref(), heard.answer.is_cut());
            LiveEvent::writing(&self.message_id, etag, self.next_place(), edits, cut)
        });
        (event, heard.over)
    }
}

/// Publishes what is new, at most so often, until the answer is over.
async fn publish(channel: Arc<Channel>, every: Duration) {
    loop {
        channel.news.notified().await;
        let (event, over) = channel.snapshot();
        if let Some(event) = event {
            let next = Instant::now() + every;
            channel.send(&event).await;
            tokio::select! {
                () = sleep_until(next) => {}
                () = channel.over.notified() => {}
            }
        }
        if over {
            return;
        }
    }
}
