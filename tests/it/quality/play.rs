//! Plays a conversation through the product, turn by turn: record, invoke, model, commit, and people who save.

use std::time::{Duration, Instant};

use scribe_core::blocks::{Block, Document, Kind, Manifest, plain_text};
use scribe_core::cost::Usage;
use scribe_core::turn::{ScribeTrigger, TriggerState};
use scribe_core::{ActiveScribeSession, ConversationKey};
use scribe_engine::Engine;
use scribe_engine::conversations::Start;
use scribe_trigger::TurnRequest;

use super::fixture::{Fixture, Save};
use super::score::Score;
use crate::world::{World, id, key, run};

/// How often a turn is tried: as Lambda does it, and once more for each attempt that a service took back.
const TRIES: usize = 6;

/// A conversation that was played.
pub(super) struct Played {
    pub(super) score: Score,
    /// Turns that did not reach the document, and why.
    pub(super) failed: Vec<String>,
    pub(super) seconds: f64,
    /// What the model was paid, as the scribe recorded it.
    pub(super) usage: Usage,
    /// The document at the end.
    pub(super) document: String,
}

pub(super) async fn play(world: &World, engine: &Engine, fixture: &Fixture) -> Played {
    let key = key(&fixture.name);
    let start = Start {
        key: key.clone(),
        user: id("default-user"),
        title: fixture.expected.title.clone(),
        style: fixture.expected.style,
        instructions: None,
    };
    let document = id(&uuid::Uuid::new_v4().to_string());
    let session = world
        .conversations()
        .start(&start, document)
        .await
        .unwrap()
        .session;
    let mut documents = vec![content(world, &session).await];
    let (mut failed, mut usage, began) = (Vec::new(), Usage::default(), Instant::now());
    for (said, n) in fixture.turns.iter().zip(1..) {
        let turn = TurnRequest::new(
            key.tenant.clone(),
            key.conversation.clone(),
            id(&said.message_id),
            said.user_message.clone(),
            said.assistant_response.clone(),
        );
        world.recorder().record(turn).await.unwrap();
        let trigger = weave(world, engine, &key, n).await;
        if trigger.state != TriggerState::Processed {
            let reason = trigger.reason.as_deref().unwrap_or("it still waits");
            failed.push(format!("turn {n} failed: {reason}"));
        }
        usage = usage.plus(trigger.usage.unwrap_or_default());
        for save in fixture.expected.people.iter().filter(|save| save.after == n) {
            world
                .person_writes(&session, |asset| asset.content = written(&asset.content, save))
                .await;
        }
        documents.push(content(world, &session).await);
    }
    Played {
        score: Score::of(fixture, &documents),
        failed,
        seconds: began.elapsed().as_secs_f64(),
        usage,
        document: documents.pop().unwrap_or_default(),
    }
}

/// Runs the turn's events as Lambda does: again where an attempt failed, after the pause that Redis knows.
async fn weave(world: &World, engine: &Engine, key: &ConversationKey, n: usize) -> ScribeTrigger {
    let event = world.lambda.take().unwrap();
    let mut tries = 1;
    loop {
        // An error is in the turn's reason, and it waits.
        let _ = run(engine, &event).await;
        world.pump(engine).await;
        let trigger = world.trigger(key, n).await.unwrap();
        if matches!(trigger.state, TriggerState::Processed | TriggerState::Failed) || tries == TRIES {
            return trigger;
        }
        tries += 1;
        let lease = format!("scribe:lease:{{{key}}}");
        let pause: i64 = world.redis.command(&["PTTL", &lease]).await;
        tokio::time::sleep(Duration::from_millis(u64::try_from(pause).unwrap_or(0))).await;
    }
}

async fn content(world: &World, session: &ActiveScribeSession) -> String {
    world.document(session).await.asset.content
}

/// A document with a person's words in it.
fn written(content: &str, save: &Save) -> String {
    let document = Document::read(content, &Manifest::default());
    let found = document.blocks().find(|block| {
        !matches!(block.kind(), Kind::Heading(_)) && save.is_instead_of(&plain_text(document.text(block)))
    });
    match found.map(Block::span) {
        Some(span) => format!("{}{}{}", &content[..span.start], save.text, &content[span.end..]),
        None => format!("{}\n\n{}\n", content.trim_end(), save.text),
    }
}
