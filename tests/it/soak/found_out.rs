//! What became of the turns of chats, whose clients are told nothing: what the API has told, where a turn is known, and
//! whether one that never became whole is in the list.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use scribe_core::turn::TriggerState;
use scribe_core::{ConversationKey, MessageId};
use scribe_trigger::{Delivery, Recorded};

use super::api::Report;
use super::run::{Fate, PATIENCE, Said, Told, message, until_done, waiting};
use super::stage::Stage;
use crate::world::said;

/// Finds out what became of the turns of chats, whose clients are told nothing: by what the API has told, and under
/// which of its possible ids a turn is known.
pub(super) async fn resolve(stage: &Stage, talk: &mut Told) {
    for at in 0..talk.said.len() {
        let Some(stead) = talk.said[at].stead.take() else {
            continue;
        };
        let turn = &talk.said[at];
        let document = stage.document(&talk.session).await;
        let record = document.asset.scribe.unwrap_or_default().record;
        if record.has(&talk.key.conversation, &turn.id)
            || is_known(stage, &talk.key, &turn.id, None).await
            || !is_known(stage, &talk.key, &stead, Some(turn.number)).await
        {
            continue;
        }
        // Nobody took the turn before, so this one has its name.
        talk.said[at].id = stead.clone();
        talk.said[at].replaces = None;
        for other in talk.said[..at].iter_mut().filter(|other| other.id == stead) {
            other.id = message(other.number + UNKNOWN);
            other.fate = Fate::Unsure;
        }
    }
    // Who named a turn by its id means the one that has that id after all, if any has.
    let said = talk.said.iter();
    let ids: BTreeMap<MessageId, usize> = said.map(|turn| (turn.id.clone(), turn.number)).collect();
    for turn in &mut talk.said {
        if let Some(named) = &turn.replaced_id {
            turn.replaces = ids.get(named).copied();
        }
    }
    for turn in &mut talk.said {
        let mut names = turn.name.iter().chain([&turn.id]);
        turn.direct = names.any(|name| stage.api.reports(&talk.key, name).contains(&Report::Direct));
        if turn.fate != Fate::Heard {
            continue;
        }
        let reports = stage.api.reports(&talk.key, &turn.id);
        let delivery = match reports.last() {
            Some(Report::Deferred) => Delivery::Deferred,
            Some(Report::Direct) => Delivery::Direct,
            Some(Report::NotRecorded) => {
                turn.fate = Fate::Dropped;
                continue;
            }
            Some(Report::NotListed) | None => Delivery::Invoked,
        };
        turn.fate = if turn.on {
            Fate::Acknowledged(Recorded {
                seq: None,
                delivery,
                certain: true,
            })
        } else {
            Fate::Off
        };
    }
}

/// Added to the number of a turn that has no id.
const UNKNOWN: usize = 100_000;

/// Whether anybody knows of a turn of this id, with this turn's text where one is given.
async fn is_known(stage: &Stage, key: &ConversationKey, id: &MessageId, number: Option<usize>) -> bool {
    let triggers = until_done(|| stage.ledger.triggers(key)).await;
    let is_it = |text: &str| number.is_none_or(|number| text == said(number));
    let in_redis = triggers
        .iter()
        .any(|turn| turn.message_id == *id && is_it(&turn.assistant_response));
    let in_s3 = waiting(stage, key)
        .await
        .iter()
        .any(|turn| turn.event.message_id == *id && is_it(&turn.event.assistant_response));
    let by_event = number.is_none()
        && stage
            .machine
            .book()
            .accepted
            .iter()
            .any(|event| event.conversation == key.conversation.as_str() && event.message == id.as_str());
    in_redis || in_s3 || by_event
}

/// Waits until each turn that never became whole is in the list of turns. It may be missing where Redis was not there
/// or has forgotten, or where the process was killed that wanted to tell it.
pub(super) async fn listed(stage: &Stage, told: &[Told]) -> Result<(), String> {
    let since = Instant::now();
    for talk in told {
        for turn in talk.said.iter().filter(|turn| turn.fate == Fate::Half && turn.on) {
            loop {
                let book = stage.machine.book();
                // A Redis that came back with what it had before may take the scribe for off, and lists nothing.
                let is_off_again = turn.was_off && book.came_back();
                let excused = is_off_again
                    || book.forgot_since(turn.began)
                    || book.struck_api_since(turn.began)
                    || stage
                        .api
                        .reports(&talk.key, &turn.id)
                        .contains(&Report::NotListed);
                let trigger = until_done(|| stage.ledger.trigger(&talk.key, &turn.id)).await;
                let is_listed = trigger.is_some_and(|trigger| {
                    trigger.state == TriggerState::Incomplete && trigger.assistant_response.is_empty()
                });
                if excused || is_listed || is_replaced(talk, turn) {
                    break;
                }
                if since.elapsed() > PATIENCE {
                    return Err(format!("{}: half turn {} is not listed", talk.key, turn.id));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    Ok(())
}

/// Whether another turn was said instead of it.
fn is_replaced(talk: &Told, turn: &Said) -> bool {
    talk.said.iter().any(|other| other.replaces == Some(turn.number))
}
