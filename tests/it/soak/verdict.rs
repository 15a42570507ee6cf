//! What must hold when a schedule is over: the promises, one by one.

use std::collections::BTreeMap;

use scribe_core::blocks::PLACEHOLDER;
use scribe_core::turn::ScribeTrigger;
use scribe_core::{ConversationKey, MessageId};
use scribe_engine::documents::{StoredAsset, WaitingTurn};
use scribe_trigger::Delivery;

use super::machine::Book;
use super::plan::{Deed, Nonsense};
use super::run::{Fate, Held, Said, Told, message, waiting};
use super::stage::Stage;
use crate::world::{BUCKET, marker, said};

/// Judges all conversations of a schedule. An error says which promise was broken, and by which turn.
///
/// `poisoned` turns may be parked whatever else happened; `replayed` ones are woven when they are replayed.
pub(super) async fn judge(
    stage: &Stage,
    told: &[Told],
    poisoned: &[usize],
    replayed: &[(ConversationKey, MessageId)],
) -> Result<Held, Broken> {
    let book = stage.machine.book();
    let mut held = Held {
        paid: book.paid.len(),
        ..Held::default()
    };
    let mut broken = Broken::default();
    for talk in told {
        let mut broken_here = Broken::default();
        let view = View {
            document: stage.document(&talk.session).await,
            parked: waiting(stage, &talk.key).await,
            triggers: stage
                .ledger
                .triggers(&talk.key)
                .await
                .map_err(|error| error.to_string())?,
            versions: versions(stage, talk).await,
            talk,
            book: &book,
            replayed,
        };
        held.turns += talk
            .said
            .iter()
            .filter(|said| matches!(said.fate, Fate::Acknowledged(_)))
            .count();
        held.saves += talk.typed.len();
        view.once(&mut held, &mut broken_here);
        view.order(&mut held, &mut broken_here);
        view.typed(&mut broken_here);
        view.nothing_else(&mut broken_here);
        view.parked(poisoned, &mut held, &mut broken_here);
        broken.take(&talk.key, broken_here);
    }
    let allowed = paid_at_most(told, &book);
    if book.paid.len() > allowed {
        broken.push(format!(
            "model: paid {} times, {allowed} at most is right",
            book.paid.len()
        ));
    }
    if broken.what.is_empty() {
        Ok(held)
    } else {
        Err(broken)
    }
}

/// Promises that were broken.
#[derive(Debug, Default)]
pub(super) struct Broken {
    pub(super) lost: usize,
    pub(super) doubled: usize,
    pub(super) out_of_order: usize,
    what: Vec<String>,
}

impl Broken {
    fn push(&mut self, what: String) {
        self.what.push(what);
    }

    fn take(&mut self, key: &ConversationKey, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
        self.what
            .extend(other.what.into_iter().map(|what| format!("{key}: {what}")));
    }

    pub(super) fn after(mut self, when: &str) -> Self {
        self.what.insert(0, format!("{when}:"));
        self
    }
}

impl From<String> for Broken {
    fn from(what: String) -> Self {
        Self {
            what: vec![what],
            ..Self::default()
        }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what.join("\n  "))
    }
}

/// Whether a parked turn could be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    There,
    Lost,
}

/// A conversation when all is over.
struct View<'a> {
    document: StoredAsset,
    parked: Vec<WaitingTurn>,
    /// What Redis knows.
    triggers: Vec<ScribeTrigger>,
    /// Contents with their authors, oldest first.
    versions: Vec<(Option<String>, String)>,
    talk: &'a Told,
    book: &'a Book,
    replayed: &'a [(ConversationKey, MessageId)],
}

impl View<'_> {
    /// The turns of the record, in the order in which they were woven.
    fn record(&self) -> Vec<(String, u64)> {
        let Some(state) = &self.document.asset.scribe else {
            return Vec::new();
        };
        let record = serde_json::to_value(&state.record).unwrap();
        let ids = record[self.talk.key.conversation.as_str()]["ids"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        ids.iter()
            .map(|entry| (entry[0].as_str().unwrap().to_owned(), entry[1].as_u64().unwrap()))
            .collect()
    }

    fn is_parked(&self, turn: &Said) -> Option<Text> {
        let id = message(turn.number);
        let mut copies = self.parked.iter().filter(|parked| parked.event.message_id == id);
        let has_text = |copy: &WaitingTurn| copy.event.assistant_response == said(turn.number);
        let first = copies.next()?;
        Some(if has_text(first) || copies.any(has_text) {
            Text::There
        } else {
            Text::Lost
        })
    }

    /// Promises 1 and 3: once in the record and once in the text, or parked.
    fn once(&self, held: &mut Held, broken: &mut Broken) {
        let record = self.record();
        for turn in &self.talk.said {
            let id = message(turn.number);
            let recorded = record.iter().filter(|(other, _)| *other == id.as_str()).count();
            let shown = self.document.asset.content.matches(&marker(turn.number)).count();
            let parked = self.is_parked(turn);
            match (turn.fate, recorded, shown) {
                (_, 1, 1) if parked.is_none() && turn.fate != Fate::Off => {}
                (_, 0, 0) if parked == Some(Text::There) => {}
                (Fate::Off | Fate::Dropped, 0, 0) => {}
                (Fate::Acknowledged(_), 0, 0) if self.stood_once_when_it_was_lost(turn) => held.excused += 1,
                (Fate::Acknowledged(_), 0, 0) => {
                    broken.lost += 1;
                    broken.push(format!(
                        "turn {id} is lost, its text is {parked:?}, {:?}",
                        turn.fate
                    ));
                }
                _ => {
                    broken.doubled += usize::from(recorded > 1 || shown > 1);
                    broken.push(format!(
                        "turn {id} is {recorded} times in the record and {shown} times in the text, parked {parked:?}, {:?}",
                        turn.fate
                    ));
                }
            }
        }
    }

    /// The one exception to promise 3: Lambda failed at record, so the turn stood in Redis alone, and Redis lost
    /// something before any event carried the turn.
    fn stood_once_when_it_was_lost(&self, turn: &Said) -> bool {
        let Fate::Acknowledged(recorded) = turn.fate else {
            return false;
        };
        let carried = self.book.accepted.iter().find(|event| {
            event.conversation == self.talk.key.conversation.as_str()
                && event.message == message(turn.number).as_str()
                && event.when >= turn.began
        });
        recorded.delivery == Delivery::Deferred
            && self.book.losses.iter().any(|(begun, ended)| {
                *ended >= turn.began && carried.is_none_or(|event| event.when >= *begun)
            })
    }

    /// Promise 2. A turn is excused that Redis did not get, or lost before it was woven.
    fn order(&self, held: &mut Held, broken: &mut Broken) {
        let record = self.record();
        for (at, (id, seq)) in record.iter().enumerate() {
            let is_late = record[..at].iter().any(|(_, other)| other > seq);
            let known = self
                .triggers
                .iter()
                .find(|trigger| trigger.message_id.as_str() == id);
            if is_late && known.is_some_and(|trigger| trigger.processed && !trigger.late) {
                broken.push(format!("turn {id} does not show as late"));
            }
        }
        let said = &self.talk.said;
        // Places in the order in which they were recorded.
        let mut woven: Vec<usize> = Vec::new();
        for (id, _) in &record {
            let Some(place) = said.iter().position(|turn| message(turn.number).as_str() == id) else {
                broken.push(format!("turn {id} was never said"));
                continue;
            };
            let turn = &said[place];
            let overtook = woven.iter().find(|&&other| other > place);
            if let Some(&other) = overtook {
                let other = &said[other];
                if self.may_be_late(turn) {
                    held.late += 1;
                } else {
                    let (late, early) = (message(turn.number), message(other.number));
                    broken.out_of_order += 1;
                    broken.push(format!("turn {late} was overtaken by {early}"));
                }
            }
            woven.push(place);
        }
    }

    fn may_be_late(&self, turn: &Said) -> bool {
        let id = message(turn.number);
        if self
            .replayed
            .iter()
            .any(|(key, other)| *key == self.talk.key && *other == id)
        {
            return true;
        }
        let direct = match turn.fate {
            Fate::Acknowledged(recorded) => recorded.delivery == Delivery::Direct,
            Fate::Dropped => true,
            Fate::Off => false,
        };
        let woven = self.book.commits.iter().find(|commit| {
            commit.conversation == self.talk.key.conversation.as_str()
                && commit.message == message(turn.number).as_str()
        });
        let forgotten =
            self.book.losses.iter().any(|(begun, ended)| {
                *ended >= turn.began && woven.is_none_or(|commit| commit.when >= *begun)
            });
        direct || forgotten
    }

    /// Promise 4.
    fn typed(&self, broken: &mut Broken) {
        for word in &self.talk.typed {
            if self.document.asset.content.matches(word.as_str()).count() != 1 {
                broken.push(format!("what a person typed is not there once: {word}"));
            }
        }
    }

    /// Promise 5: each version of a turn adds the turn's paragraph and leaves all else as it was, byte by byte; and
    /// there is one version for each commit.
    fn nothing_else(&self, broken: &mut Broken) {
        let expected = 1 + self.record().len() + self.talk.typed.len();
        if self.versions.len() != expected {
            broken.push(format!("{} versions for {expected} commits", self.versions.len()));
        }
        for pair in self.versions.windows(2) {
            let (author, after) = &pair[1];
            let Some(author) = author else { continue };
            let number = author
                .rsplit_once("/m")
                .and_then(|(_, number)| number.parse().ok())
                .unwrap_or_default();
            let (mut before, after) = (blocks(&pair[0].1), blocks(after));
            // The first turn takes the place of the line that says that turns will come.
            before.retain(|block| block != PLACEHOLDER || after.contains(block));
            let said = said(number);
            let at = after.iter().position(|block| *block == said);
            let mut rest = after.clone();
            let added = at.map(|at| rest.remove(at)).is_some();
            if !added || rest != before {
                broken.push(format!(
                    "the version of turn m{number} changed more than its paragraph"
                ));
            }
        }
    }

    /// Who is parked, and why.
    fn parked(&self, poisoned: &[usize], held: &mut Held, broken: &mut Broken) {
        let mut counted: usize = self
            .book
            .struck
            .iter()
            .map(|(_, fault)| attempts_lost(&fault.deed))
            .sum();
        for parked in &self.parked {
            held.parked += 1;
            let (id, reason) = (
                &parked.event.message_id,
                parked.reason.as_deref().unwrap_or_default(),
            );
            let said = self.talk.said.iter().find(|turn| message(turn.number) == *id);
            let Some(turn) = said else {
                broken.push(format!("turn {id} is parked and was never said"));
                continue;
            };
            // One without its text counts as lost or excused.
            if poisoned.contains(&turn.number) || parked.event.text_lost() {
                continue;
            }
            // Three counted attempts, each of which something must have ended.
            if counted < 3 {
                broken.push(format!("turn {id} is parked without a cause ({reason})"));
            }
            counted = counted.saturating_sub(3);
        }
    }
}

/// How many counted attempts a fault may cost a turn.
fn attempts_lost(deed: &Deed) -> usize {
    match deed {
        Deed::Kill | Deed::Freeze(_) | Deed::Cut | Deed::Say(Nonsense::Garbage | Nonsense::Empty) => 1,
        Deed::Say(Nonsense::Cut) => 1,
        // Claims that are done although their answers are not heard count, one for each process.
        Deed::FreezeRedis(_) | Deed::Restore | Deed::Halve(_) | Deed::Flush => 3,
        Deed::Status {
            status: 412 | 409,
            times,
        } => usize::try_from(*times).unwrap_or_default() / 8,
        _ => 0,
    }
}

/// How many answers of the model may be paid: one for each turn, and what faults have wasted.
fn paid_at_most(told: &[Told], book: &Book) -> usize {
    let turns: usize = told.iter().map(|talk| talk.said.len()).sum();
    let talks = told.len();
    let wasted: usize = book
        .struck
        .iter()
        .map(|(_, fault)| match fault.deed {
            Deed::Twice(_) | Deed::Late(_) | Deed::Save | Deed::Slow(_) | Deed::Say(_) => 1,
            Deed::Kill | Deed::Freeze(_) | Deed::Cut => 1,
            Deed::Status { times, .. } => usize::try_from(times).unwrap_or_default(),
            // Each conversation may lose a lease, and the answer that was under way with it.
            Deed::Outage(_) | Deed::Flush | Deed::Halve(_) | Deed::Restore | Deed::FreezeRedis(_) => {
                2 * talks
            }
        })
        .sum();
    // On a machine that does other things as well a lease may end because its holder was not given the time to renew
    // it; that costs an answer, and nothing else.
    let slow_machine = talks;
    turns + wasted + book.poisonings + slow_machine
}

fn blocks(content: &str) -> Vec<String> {
    content.trim_end().split("\n\n").map(str::to_owned).collect()
}

/// All versions of a document with the turn that made each, oldest first.
async fn versions(stage: &Stage, talk: &Told) -> Vec<(Option<String>, String)> {
    let key = format!(
        "tenants/{}/media-assets/{}.json",
        talk.session.tenant_id, talk.session.text_asset_id
    );
    let listed = stage
        .s3
        .list_object_versions()
        .bucket(BUCKET)
        .prefix(&key)
        .send()
        .await
        .unwrap();
    let mut versions = Vec::new();
    for version in listed.versions.unwrap_or_default() {
        let get = stage
            .s3
            .get_object()
            .bucket(BUCKET)
            .key(&key)
            .set_version_id(version.version_id);
        let object = get.send().await.unwrap();
        let author = object
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.get("scribe-turn").cloned());
        let body = object.body.collect().await.unwrap().to_vec();
        let asset: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&body).unwrap();
        versions.push((author, asset["content"].as_str().unwrap().to_owned()));
    }
    versions.reverse();
    versions
}
