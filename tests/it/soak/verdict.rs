//! What must hold when a schedule is over: the promises, one by one.

use std::collections::{BTreeMap, BTreeSet};

use scribe_core::blocks::PLACEHOLDER;
use scribe_core::turn::ScribeTrigger;
use scribe_core::{ConversationKey, MessageId};
use scribe_engine::documents::{StoredAsset, WaitingTurn};
use scribe_trigger::Delivery;

use super::machine::Book;
use super::plan::{Deed, Nonsense};
use super::run::{Fate, Held, Said, Told, waiting};
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
        held.halves += talk.said.iter().filter(|said| said.fate == Fate::Half).count();
        held.replaced += talk.said.iter().filter(|said| view.is_superseded(said)).count();
        broken_here.what.extend(talk.changed.iter().cloned());
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
    /// The conversations and turns that it befell, by their ids.
    pub(super) names: BTreeSet<String>,
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
        if !other.what.is_empty() {
            self.names.insert(key.conversation.to_string());
        }
        let words = other.what.iter().flat_map(|what| what.split(' '));
        let is_turn = |word: &&str| {
            let number = word.strip_prefix('m').unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        self.names.extend(words.filter(is_turn).map(str::to_owned));
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
pub(super) struct View<'a> {
    pub(super) document: StoredAsset,
    pub(super) parked: Vec<WaitingTurn>,
    /// What Redis knows.
    pub(super) triggers: Vec<ScribeTrigger>,
    /// Contents with their authors, oldest first.
    pub(super) versions: Vec<(Option<String>, String)>,
    pub(super) talk: &'a Told,
    pub(super) book: &'a Book,
    pub(super) replayed: &'a [(ConversationKey, MessageId)],
}

impl View<'_> {
    /// The turns of the record, in the order in which they were woven.
    pub(super) fn record(&self) -> Vec<(String, u64)> {
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
        let mut copies = self
            .parked
            .iter()
            .filter(|parked| parked.event.message_id == turn.id);
        let has_text = |copy: &WaitingTurn| copy.event.assistant_response == said(turn.number);
        let first = copies.next()?;
        Some(if has_text(first) || copies.any(has_text) {
            Text::There
        } else {
            Text::Lost
        })
    }

    /// Promises 1 and 3: once in the record and once in the text, or parked. What was replaced is in the record alone,
    /// but for what a person made of it; what never became whole is nowhere.
    fn once(&self, held: &mut Held, broken: &mut Broken) {
        for turn in &self.talk.said {
            let id = &turn.id;
            let recorded = self.recorded(turn);
            let shown = self.document.asset.content.matches(&marker(turn.number)).count();
            let parked = self.is_parked(turn);
            if turn.fate == Fate::Half {
                self.half(turn, broken);
            }
            let superseded = self.is_superseded(turn);
            match (turn.fate, recorded, shown) {
                _ if self.is_muddled(turn) && turn.fate != Fate::Half => held.muddled += 1,
                (_, 1, 0) if superseded && parked.is_none() => {}
                (_, 1, 1) if superseded && parked.is_none() && self.is_built_upon(turn) => {}
                (_, 1, 1) if superseded && !self.chain_may_be_torn(turn) => {
                    broken.push(format!("turn {id} was replaced and is still there"));
                }
                (_, 1, 1) if parked.is_none() && !matches!(turn.fate, Fate::Off | Fate::Half) => {}
                // The session that says that it is off may be forgotten; then the turn is kept until it is on.
                (Fate::Off, 1, 1) if turn.direct || !self.book.losses.is_empty() => {}
                (_, 0, 0) if parked == Some(Text::There) && turn.fate != Fate::Half => {}
                (Fate::Off | Fate::Dropped | Fate::Unsure | Fate::Half, 0, 0) if parked.is_none() => {}
                (Fate::Dropped | Fate::Unsure, 0, 0) => {}
                // A Redis that came back with what it had before may take the scribe for off, and a chat is not told.
                (Fate::Acknowledged(_), 0, 0) if turn.was_off && self.redis_came_back() => held.excused += 1,
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
                        "turn {id} ({}) is {recorded} times in the record and {shown} times in the text, parked {parked:?}, {:?}",
                        turn.number, turn.fate
                    ));
                }
            }
        }
    }

    /// Nobody was ever invoked for what never became whole, and nobody wrote it.
    fn half(&self, turn: &Said, broken: &mut Broken) {
        let is_it = |conversation: &str, message: &str| {
            conversation == self.talk.key.conversation.as_str() && message == turn.id.as_str()
        };
        let mut events = self.book.accepted.iter();
        if events.any(|event| is_it(&event.conversation, &event.message)) {
            broken.push(format!("half turn {} was invoked for", turn.id));
        }
        let mut commits = self.book.commits.iter();
        if commits.any(|commit| is_it(&commit.conversation, &commit.message)) {
            broken.push(format!("half turn {} was written", turn.id));
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
                && event.message == turn.id.as_str()
                && event.when >= turn.began
        });
        recorded.delivery == Delivery::Deferred
            && self.book.losses.iter().any(|(begun, ended)| {
                *ended >= turn.began && carried.is_none_or(|event| event.when >= *begun)
            })
    }

    /// Promise 2. A turn is excused that Redis did not get, or lost before it was woven. Of one that was replaced
    /// nothing is left that could be out of order.
    fn order(&self, held: &mut Held, broken: &mut Broken) {
        let record = self.record();
        let said = &self.talk.said;
        // Places in the order in which they were recorded.
        let mut woven: Vec<usize> = Vec::new();
        for (at, (id, seq)) in record.iter().enumerate() {
            let Some(place) = said.iter().position(|turn| turn.id.as_str() == id) else {
                broken.push(format!("turn {id} was never said"));
                continue;
            };
            let turn = &said[place];
            if self.is_superseded(turn) || self.is_muddled(turn) {
                continue;
            }
            let is_late = record[..at].iter().any(|(_, other)| other > seq);
            let known = self.triggers.iter().find(|trigger| trigger.message_id == turn.id);
            if is_late && known.is_some_and(|trigger| trigger.processed && !trigger.late) {
                broken.push(format!("turn {id} does not show as late"));
            }
            let overtook = woven.iter().find(|&&other| other > place);
            if let Some(&other) = overtook {
                if self.may_be_late(turn) {
                    held.late += 1;
                } else {
                    broken.out_of_order += 1;
                    broken.push(format!("turn {id} was overtaken by {}", said[other].id));
                }
            }
            woven.push(place);
        }
    }

    pub(super) fn may_be_late(&self, turn: &Said) -> bool {
        if self
            .replayed
            .iter()
            .any(|(key, other)| *key == self.talk.key && *other == turn.id)
        {
            return true;
        }
        // It waited for the one that was to replace it, and in vain.
        if self.instead(turn).next().is_some() {
            return true;
        }
        let direct = match turn.fate {
            Fate::Acknowledged(recorded) => recorded.delivery == Delivery::Direct,
            Fate::Dropped | Fate::Unsure | Fate::Heard => true,
            Fate::Off | Fate::Half => false,
        };
        let woven = self.book.commits.iter().find(|commit| {
            commit.conversation == self.talk.key.conversation.as_str() && commit.message == turn.id.as_str()
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

    /// Promise 5: each version of a turn adds the turn's paragraph, takes those away that it replaces, and leaves all
    /// else as it was, byte by byte; and there is one version for each commit.
    fn nothing_else(&self, broken: &mut Broken) {
        let authors = self
            .versions
            .iter()
            .filter(|(author, _)| author.is_some())
            .count();
        let (record, typed) = (self.record(), self.talk.typed.len());
        if self.versions.len() != 1 + authors + typed {
            broken.push(format!(
                "{} versions for {authors} turns and {typed} saves",
                self.versions.len()
            ));
        }
        for turn in self.talk.said.iter().filter(|turn| self.recorded(turn) > 0) {
            let own = |(author, _): &&(Option<String>, String)| self.names(author.as_deref(), turn);
            let versions = self.versions.iter().filter(own).count();
            if versions != 1 && !(versions == 0 && (self.is_superseded(turn) || self.is_muddled(turn))) {
                broken.push(format!("turn {} has written {versions} versions", turn.id));
            }
        }
        for pair in self.versions.windows(2) {
            let (author, after) = &pair[1];
            if author.is_none() {
                continue;
            }
            let turn = self
                .talk
                .said
                .iter()
                .find(|turn| self.names(author.as_deref(), turn));
            let Some(turn) = turn.filter(|turn| record.iter().any(|(id, _)| *id == turn.id.as_str())) else {
                broken.push(format!("a version is by {author:?}, who is not in the record"));
                continue;
            };
            let (mut before, after) = (blocks(&pair[0].1), blocks(after));
            // The first turn takes the place of the line that says that turns will come.
            before.retain(|block| block != PLACEHOLDER || after.contains(block));
            let own = said(turn.number);
            let at = after.iter().position(|block| *block == own);
            let mut rest = after.clone();
            let added = at.map(|at| rest.remove(at)).is_some();
            let replaced: Vec<String> = self.replaced_by(turn).into_iter().map(said).collect();
            let mut torn = before.clone();
            before.retain(|block| !replaced.contains(block));
            torn.retain(|block| !replaced.contains(block) || rest.contains(block));
            let is_torn = rest == torn && self.may_be_torn_by(turn);
            if self.is_muddled(turn) {
                continue;
            }
            if !added || (rest != before && !is_torn) {
                broken.push(format!(
                    "the version of turn {} ({}) changed more or less than its paragraph and {replaced:?}:\n{}\n---\n{}",
                    turn.id, turn.number, pair[0].1, pair[1].1
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
            let said = self.talk.said.iter().find(|turn| turn.id == *id);
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

pub(super) fn blocks(content: &str) -> Vec<String> {
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
