//! What readers of a conversation see while the model writes. They subscribe as any reader does; the model's answer is
//! dictated piece by piece, so each test knows what can have been seen.

mod beside;
mod withdrawn;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use scribe_core::ConversationKey;
use scribe_core::live::{LiveAction, LiveEdit};
use scribe_engine::{Engine, Outcome, TurnFailure};
use scribe_trigger::live::{News, Place};
use scribe_trigger::{LiveEvent, TurnEvent};
use tokio::task::JoinHandle;

use crate::world::{Dictated, Reply, World, append, id, key, marker, run, said};

/// Long enough for a loaded machine, short enough for a hang to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says that nothing comes any more: a channel is in order.
const LAST: &str = "that was all";

/// A reader of a conversation's channel.
struct Reader {
    channel: String,
    messages: Pin<Box<dyn Stream<Item = redis::Msg> + Send>>,
}

impl Reader {
    async fn of(world: &World, key: &ConversationKey) -> Self {
        let channel = format!("scribe:events:{{{key}}}");
        let client = redis::Client::open(world.redis.url()).unwrap();
        let mut subscription = client.get_async_pubsub().await.unwrap();
        subscription.subscribe(&channel).await.unwrap();
        Self {
            channel,
            messages: Box::pin(subscription.into_on_message()),
        }
    }

    async fn message(&mut self) -> String {
        let message = tokio::time::timeout(PATIENCE, self.messages.next()).await;
        message.expect("no message came").unwrap().get_payload().unwrap()
    }

    /// The next message that is about texts. Where turns stand is told as well, and tested elsewhere.
    async fn next(&mut self) -> LiveEvent {
        loop {
            let message = self.message().await;
            let event = LiveEvent::read(&message).unwrap_or_else(|| panic!("{message}"));
            if !matches!(event.news, News::Turn(_)) {
                return event;
            }
        }
    }

    /// The next snapshot.
    async fn writing(&mut self) -> (Place, Vec<LiveEdit>) {
        match self.next().await.news {
            News::Writing {
                place,
                edits,
                cut: false,
            } => (place, edits),
            other => panic!("{other:?}"),
        }
    }

    /// All that has come and was not read yet.
    async fn rest(&mut self, world: &World) -> Vec<LiveEvent> {
        let _: u64 = world.redis.command(&["PUBLISH", &self.channel, LAST]).await;
        let mut rest = Vec::new();
        loop {
            let message = self.message().await;
            if message == LAST {
                return rest;
            }
            let event = LiveEvent::read(&message).unwrap_or_else(|| panic!("{message}"));
            if !matches!(event.news, News::Turn(_)) {
                rest.push(event);
            }
        }
    }
}

fn begin(engine: &Arc<Engine>, event: &TurnEvent) -> JoinHandle<Result<Outcome, TurnFailure>> {
    let (engine, event) = (Arc::clone(engine), event.clone());
    tokio::spawn(async move { run(&engine, &event).await })
}

fn written(n: usize) -> Outcome {
    Outcome::Written {
        message_id: id(&format!("m{n}")),
        late: false,
    }
}

fn appended(markdown: &str) -> Vec<LiveEdit> {
    vec![LiveEdit {
        action: LiveAction::Append,
        block: None,
        markdown: markdown.into(),
    }]
}

#[tokio::test]
async fn text_is_seen_while_it_is_written_and_then_stands_in_the_document() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    let before = world.document(&session).await.etag;
    world.say(&key, 1).await;
    let mut reader = Reader::of(&world, &key).await;
    let dictation = world.model.dictate();
    let turn = begin(&engine, &world.lambda.take().unwrap());

    // What stands before the text, and half of its first escape.
    dictation.say(r#"{"edits":[{"action":"append","block":null,"hash":null,"markdown":"\ud83d"#);
    let (first, edits) = reader.writing().await;
    assert_eq!((first.attempt, first.number, edits), (1, 1, appended("")));
    let mut shown = String::new();
    let text = format!("\u{1f409} {}", said(1));
    let pieces = [
        r"\udc09 ".to_owned(),
        marker(1),
        said(1)[marker(1).len()..].to_owned(),
    ];
    for (number, piece) in (2..).zip(&pieces) {
        dictation.say(piece);
        shown += &piece.replace(r"\udc09", "\u{1f409}");
        let event = reader.next().await;
        assert_eq!(
            (event.message_id, event.etag.as_ref()),
            (Some(id("m1")), Some(&before))
        );
        let expected = News::Writing {
            place: Place { number, ..first },
            edits: appended(&shown),
            cut: false,
        };
        assert_eq!(event.news, expected);
    }
    assert_eq!(shown, text);
    dictation.say(r#""}],"reason":null}"#);
    dictation.then(Dictated::Stop("stop"));
    assert_eq!(turn.await.unwrap(), Ok(written(1)));

    let stored = world.document(&session).await;
    assert!(stored.asset.content.contains(&text), "{}", stored.asset.content);
    let processed = LiveEvent::processed(&id("m1"), Some(&stored.etag));
    assert_eq!(reader.rest(&world).await, [processed]);
}

#[tokio::test]
async fn what_comes_at_once_is_seen_whole_before_it_is_in_the_document() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    let mut reader = Reader::of(&world, &key).await;
    for n in 1..=5 {
        world.say(&key, n).await;
        world.pump(&engine).await;
        let mut events = reader.rest(&world).await;
        assert!(matches!(events.pop().unwrap().news, News::Processed));
        let last = events.pop().unwrap();
        assert_eq!(last.message_id, Some(id(&format!("m{n}"))));
        assert!(
            matches!(&last.news, News::Writing { edits, cut: false, .. } if *edits == appended(&said(n))),
            "{last:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_edit_is_not_shown() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    let mut reader = Reader::of(&world, &key).await;
    let nothing = serde_json::json!({ "edits": [], "reason": "small talk" }).to_string();
    let thought = format!("<think>{}</think>{}", append("not meant"), nothing);
    for (n, text) in [(1, nothing), (2, thought)] {
        world.say(&key, n).await;
        world.model.script([Reply::Say {
            text,
            finish_reason: "stop",
        }]);
        world.pump(&engine).await;
        let rest = reader.rest(&world).await;
        check_only_processed(&rest);
    }
}

#[tokio::test]
async fn a_switch_leaves_it_out() {
    let world = World::with(|config| config.live_every = Duration::ZERO).await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    let mut reader = Reader::of(&world, &key).await;
    world.say(&key, 1).await;
    world.pump(&engine).await;
    let rest = reader.rest(&world).await;
    check_only_processed(&rest);
}

/// Nothing but the last word of a turn that is in its document.
#[track_caller]
fn check_only_processed(news: &[LiveEvent]) {
    let only = matches!(
        news,
        [LiveEvent {
            news: News::Processed,
            ..
        }]
    );
    assert!(only, "{news:?}");
}
