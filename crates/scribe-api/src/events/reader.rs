//! One reader of a conversation: what it knows, and the event that comes next.
//!
//! It listens first and reads then, so nothing falls in between; what it is told and has read already is recognised by
//! its stamp. When it may have missed something it reads again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use scribe_core::turn::TriggerState;
use scribe_core::{AssetId, ConversationKey, MessageId};
use scribe_engine::Conversations;
use scribe_engine::conversations::{ConversationError, LiveView};
use scribe_trigger::LiveEvent;
use scribe_trigger::ledger::{Heard, Subscription};
use scribe_trigger::live::{News, TurnStanding};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::lookout::Lookout;
use super::position::Position;
use super::settings::Events;
use crate::conversations::Status;
use crate::error::chain;
use crate::turns::{TurnView, views};

/// A reader that is told more than it can take reads everything at most this often.
const BETWEEN_READS: Duration = Duration::from_secs(1);

/// A reader.
pub(super) struct Reader {
    conversations: Conversations,
    events: Events,
    key: ConversationKey,
    subscription: Subscription,
    asset: AssetId,
    known: Position,
    scribe_enabled: bool,
    /// The turn that is being written, as far as is known.
    processing: Option<MessageId>,
    outbox: VecDeque<Event>,
    /// Whether the subscription stands.
    connected: bool,
    /// While nobody tells what happens.
    alone: Option<Alone>,
    /// A turn of which the reader knew already that it is processed. The other half of that news is as old.
    known_as_processed: Option<MessageId>,
    read_at: Instant,
    ends_at: Option<Instant>,
    is_over: bool,
}

/// How the document is seen while Redis is away.
struct Alone {
    next_look: Instant,
    /// Held, so that all readers of the document have the same one.
    lookout: Arc<Lookout>,
}

#[derive(Serialize)]
struct StateData<'a> {
    session: &'a scribe_core::ActiveScribeSession,
    status: Status,
    etag: Option<&'a str>,
    turns: Vec<TurnView>,
    /// Whether these are all turns that are known.
    complete: bool,
}

impl Reader {
    /// Begins to read a conversation; none where it has no scribe. `known` is what the reader knew when it left.
    pub(super) async fn begin(
        conversations: Conversations,
        events: Events,
        key: ConversationKey,
        known: Option<Position>,
    ) -> Result<Option<Self>, ConversationError> {
        let mut subscription = conversations.listen(&key);
        let connected = matches!(subscription.next().await, Heard::Connected);
        let Some(live) = conversations.live_view(&key).await? else {
            return Ok(None);
        };
        let asset = live.view.session.text_asset_id.clone();
        if live.etag.is_none() {
            return Err(ConversationError::DocumentGone(asset));
        }
        let now = Instant::now();
        let ends_at = events.settings().limit.map(|limit| now + limit);
        let retry = events.settings().retry;
        let mut reader = Self {
            conversations,
            events,
            key,
            subscription,
            asset,
            known: Position::default(),
            scribe_enabled: true,
            processing: None,
            outbox: VecDeque::new(),
            connected,
            alone: None,
            known_as_processed: None,
            read_at: now,
            ends_at,
            is_over: false,
        };
        reader.say_state(live, known);
        if let Some(first) = reader.outbox.front_mut() {
            *first = std::mem::take(first).retry(retry);
        }
        Ok(Some(reader))
    }

    /// The next event; none when the stream is over.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.outbox.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                biased;
                () = self.events.stopping().stopped() => self.end("stopping"),
                () = until(self.ends_at) => self.end("limit"),
                heard = self.subscription.next() => self.hear(heard).await,
                () = until(self.alone.as_ref().map(|alone| alone.next_look)) => self.look().await,
            }
        }
    }

    async fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::News(event) => self.tell(&event),
            Heard::Connected => {
                self.connected = true;
                self.read_again().await;
            }
            Heard::Missed => {
                sleep_until(self.read_at + BETWEEN_READS).await;
                self.read_again().await;
            }
            Heard::Lost => {
                self.connected = false;
                self.degrade();
            }
        }
    }

    fn tell(&mut self, event: &LiveEvent) {
        match (&event.news, &event.message_id) {
            (News::Turn(standing), Some(message_id)) => self.tell_turn(message_id, standing),
            (News::Dismissed { changed }, Some(message_id)) if *changed > self.known.changed => {
                self.known.changed = *changed;
                self.say("dismissed", &json!({ "messageId": message_id }));
            }
            // A draft of a turn that is not being written is an old one.
            (News::Writing { .. } | News::Withdrawn { .. }, Some(_))
                if event.message_id == self.processing =>
            {
                let name = if matches!(event.news, News::Writing { .. }) {
                    "writing"
                } else {
                    "withdrawn"
                };
                self.say(name, event);
            }
            (News::Processed, Some(_)) if self.known_as_processed.take() == event.message_id => {}
            (News::Processed, Some(message_id)) => {
                let conversation = self.key.conversation.clone();
                let data =
                    json!({ "etag": event.etag, "messageId": message_id, "conversationId": conversation });
                self.say_version("version", event.etag.as_deref(), &data);
            }
            (News::Version { conversation_id }, Some(message_id)) => {
                let data =
                    json!({ "etag": event.etag, "messageId": message_id, "conversationId": conversation_id });
                self.say_version("version", event.etag.as_deref(), &data);
            }
            (News::Saved { user_id }, _) => {
                let data = json!({ "etag": event.etag, "userId": user_id });
                self.say_version("saved", event.etag.as_deref(), &data);
            }
            (News::Switched { scribe_enabled }, _) => {
                self.scribe_enabled = *scribe_enabled;
                self.say("switched", &json!({ "scribeEnabled": scribe_enabled }));
            }
            (News::Gone, _) => self.say_gone(),
            // What is left was told by `turn`, or is about no turn although it must be.
            _ => {}
        }
    }

    fn tell_turn(&mut self, message_id: &MessageId, standing: &TurnStanding) {
        if standing.changed <= self.known.changed {
            self.known_as_processed =
                Some(message_id.clone()).filter(|_| standing.state == TriggerState::Processed);
            return;
        }
        self.known.changed = standing.changed;
        if standing.state == TriggerState::Processing {
            self.processing = Some(message_id.clone());
        } else if self.processing.as_ref() == Some(message_id) {
            self.processing = None;
        }
        let turn = TurnView::told(message_id, standing, self.scribe_enabled);
        self.say("turn", &turn);
    }

    /// Reads how everything stands, and says so.
    async fn read_again(&mut self) {
        self.read_at = Instant::now();
        match self.conversations.live_view(&self.key).await {
            Ok(Some(live)) if live.etag.is_some() => {
                if live.stamps.is_none() && self.alone.is_some() {
                    // Redis tells of changes and does not answer: nothing is new.
                    self.look_later();
                } else {
                    let known = self.known.clone();
                    self.say_state(live, Some(known));
                }
            }
            Ok(_) => self.say_gone(),
            Err(error) => {
                tracing::warn!(conversation.id = %self.key, "readers of {} wait: {}", self.key, chain(&error));
                self.degrade();
            }
        }
    }

    /// Says how everything stands to a reader that knew that much.
    fn say_state(&mut self, live: LiveView, known: Option<Position>) {
        self.subscription.forget_drafts();
        let LiveView {
            mut view,
            etag,
            turns,
            stamps,
        } = live;
        self.scribe_enabled = view.session.scribe_enabled;
        // A document is read where documents are.
        view.session.current_content = None;
        let processing = turns.iter().find(|turn| turn.state == TriggerState::Processing);
        self.processing = processing.map(|turn| turn.message_id.clone());
        let known_changes = known.as_ref().map_or(0, |known| known.changed);
        // What was taken away since can't be said by saying what is there; nor what a Redis forgot that has lost all.
        let can_go_on = stamps.is_some_and(|stamps| {
            (stamps.last_forgotten..=stamps.last_change).contains(&known_changes) && known_changes > 0
        });
        let is_new =
            |changed: Option<u64>| !can_go_on || changed.is_none_or(|changed| changed > known_changes);
        let enabled = self.scribe_enabled;
        let data = StateData {
            status: Status::of(&view),
            session: &view.session,
            etag: etag.as_deref(),
            turns: views(turns, enabled, |turn| is_new(turn.changed)),
            // Without Redis only those are known that are owed.
            complete: !can_go_on && stamps.is_some(),
        };
        self.known.changed = stamps.map_or(known_changes, |stamps| stamps.last_change);
        self.known.etag = known.map_or_else(|| etag.clone(), |known| known.etag);
        self.say("state", &data);
        self.say_version("version", etag.as_deref(), &json!({ "etag": etag }));
        if stamps.is_some() && self.connected {
            self.alone = None;
        } else {
            self.degrade();
        }
    }

    /// Goes on with S3 alone, and says so once.
    fn degrade(&mut self) {
        if self.alone.is_none() {
            self.say("degraded", &json!({ "reason": "redis" }));
            self.alone = Some(Alone {
                next_look: Instant::now(),
                lookout: self.events.lookouts().of(&self.key.tenant, &self.asset),
            });
        }
        self.look_later();
    }

    fn look_later(&mut self) {
        if let Some(alone) = &mut self.alone {
            alone.next_look = Instant::now() + self.events.settings().look_every;
        }
    }

    /// Looks whether the document has changed while nobody tells.
    async fn look(&mut self) {
        self.look_later();
        if self.connected {
            self.read_again().await;
            return;
        }
        let Some(lookout) = self.alone.as_ref().map(|alone| Arc::clone(&alone.lookout)) else {
            return;
        };
        let document = (&self.key.tenant, &self.asset);
        let at_most = self.events.settings().look_every / 2;
        match lookout.etag(&self.conversations, document, at_most).await {
            Some(Some(etag)) => self.say_version("version", Some(&etag), &json!({ "etag": etag })),
            Some(None) => self.say_gone(),
            None => {}
        }
    }

    fn say_version(&mut self, name: &str, etag: Option<&str>, data: &impl Serialize) {
        if etag.is_none() || etag == self.known.etag.as_deref() {
            return;
        }
        self.known.etag = etag.map(str::to_owned);
        self.say(name, data);
    }

    fn say_gone(&mut self) {
        self.say("gone", &json!({ "id": self.asset }));
        self.is_over = true;
    }

    /// The one place where a stream that could go on ends.
    fn end(&mut self, reason: &str) {
        self.say("end", &json!({ "reason": reason }));
        self.is_over = true;
    }

    fn say(&mut self, name: &str, data: &impl Serialize) {
        // JSON has no line breaks of its own, and our values all are JSON's.
        let data = serde_json::to_string(data).unwrap_or_default();
        let event = Event::default().event(name).id(self.known.id()).data(data);
        self.outbox.push_back(event);
    }
}

/// Waits for a moment; for ever where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
