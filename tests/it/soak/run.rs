//! One schedule, from its first turn to the verdict.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scribe_core::{ActiveScribeSession, ConversationKey, MessageId};
use scribe_engine::conversations::Save;
use scribe_engine::documents::{WaitingState, WaitingTurn};
use scribe_trigger::{Delivery, Recorded};

use super::chatter::Chatter;
use super::found_out::{listed, resolve};
use super::plan::{Act, Schedule, Talk};
use super::stage::Stage;
use super::verdict::{self, Broken};
use crate::world::{id, key, turn};

/// How long everything may take once nothing goes wrong any more. It is for machines that do other things as well:
/// what is stuck is stuck for ever.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How long the machine waits for its last points to be reached, when all has been said.
const LULL: Duration = Duration::from_secs(4);
/// How often a refused turn is sent again.
pub(super) const REPEATS: usize = 40;

/// What became of a turn at the recorder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged(Recorded),
    /// The scribe was off, so nothing was recorded.
    Off,
    /// Nobody took it in time, and it was not sent again.
    Dropped,
    /// A chat's answer came to its end, so it was recorded, or the API has told why not.
    Heard,
    /// No answer of a chat came to its end, though the chat sent it whole: the turn may be there or not.
    Unsure,
    /// No answer of a chat was ever whole.
    Half,
}

impl Fate {
    pub(super) fn chatted(heard: bool) -> Self {
        if heard { Self::Heard } else { Self::Unsure }
    }
}

/// A turn that was said.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) number: usize,
    pub(super) id: MessageId,
    pub(super) began: Instant,
    pub(super) fate: Fate,
    /// The turn that it was said instead of.
    pub(super) replaces: Option<usize>,
    /// The id by which it named that one.
    pub(super) replaced_id: Option<MessageId>,
    /// Another id that it may have: that of the turn before, if nobody took that one.
    pub(super) stead: Option<MessageId>,
    /// The name that it shares with other answers to the same question.
    pub(super) name: Option<MessageId>,
    /// Whether it was sent while Redis could not be asked.
    pub(super) direct: bool,
    /// Whether the scribe was on.
    pub(super) on: bool,
    /// Whether it had been off before.
    pub(super) was_off: bool,
}

impl Said {
    fn recorded(number: usize, began: Instant, fate: Fate, replaces: Option<usize>) -> Self {
        Self {
            number,
            id: message(number),
            began,
            fate,
            replaces,
            replaced_id: None,
            stead: None,
            name: None,
            direct: false,
            was_off: false,
            on: true,
        }
    }

    pub(super) fn chatted(number: usize, id: MessageId, began: Instant, fate: Fate, on: bool) -> Self {
        Self {
            number,
            id,
            began,
            fate,
            replaces: None,
            replaced_id: None,
            stead: None,
            name: None,
            direct: false,
            was_off: false,
            on,
        }
    }

    /// It stands beside another turn under this id, or has that one's id where nobody took that one.
    pub(super) fn beside(&mut self, id: MessageId, stead: MessageId) {
        self.id = id;
        self.name = Some(stead.clone());
        self.stead = Some(stead);
    }
}

/// A conversation after all was said in it.
pub(super) struct Told {
    pub(super) key: ConversationKey,
    pub(super) session: ActiveScribeSession,
    pub(super) said: Vec<Said>,
    /// Words that people typed, and how often somebody saved.
    pub(super) typed: Vec<String>,
    /// Bytes of the chat that were changed on their way.
    pub(super) changed: Vec<String>,
}

/// What a schedule that held shows.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) turns: usize,
    pub(super) parked: usize,
    /// Turns that came late, as the second promise allows.
    pub(super) late: usize,
    /// Turns that were lost because Redis lost them while nobody else had them yet.
    pub(super) excused: usize,
    pub(super) saves: usize,
    /// Turns of chats that never became whole.
    pub(super) halves: usize,
    /// Answers of one name that nobody could tell apart, because Redis was away between them.
    pub(super) muddled: usize,
    /// Turns in whose place others stand.
    pub(super) replaced: usize,
    pub(super) paid: usize,
    /// From the end of the faults until nothing was owed.
    pub(super) drained: Duration,
}

/// Numbers of turns are unlike in all conversations of a schedule.
pub(super) fn number(talk: usize, nth: usize) -> usize {
    talk * 100 + nth
}

pub(super) async fn run(stage: &Arc<Stage>, schedule: &Schedule) -> Result<Held, Broken> {
    let mut talking = Vec::new();
    let mut beginnings = Vec::new();
    for at in 0..schedule.talks.len() {
        let key = key(&format!("s{}x{}c{at}", schedule.seed, schedule.number));
        let session = stage.start(&key, format!("Chronicle {at}")).await;
        beginnings.push((key, session));
    }
    let poisoned = schedule.talks.iter().enumerate();
    let poisoned = poisoned.flat_map(|(at, talk)| talk.poisoned.iter().map(move |&nth| number(at, nth)));
    let poisoned: Vec<_> = poisoned.collect();
    stage.machine.arm(&schedule.faults, poisoned.clone());
    for ((at, talk), (key, session)) in schedule.talks.iter().enumerate().zip(beginnings) {
        let (stage, talk) = (Arc::clone(stage), talk.clone());
        talking.push(tokio::spawn(async move {
            tell(&stage, at, &talk, key, session).await
        }));
    }
    let mut told = Vec::new();
    for talk in talking {
        told.push(talk.await.map_err(|error| error.to_string())?);
    }
    lull(stage, &told).await;
    stage.machine.disarm();
    let mended = Instant::now();
    for talk in &told {
        until_done(|| stage.conversations.toggle(&talk.key, true)).await;
    }
    drain(stage, &told, mended).await?;
    for talk in &mut told {
        resolve(stage, talk).await;
    }
    listed(stage, &told).await?;
    let drained = mended.elapsed();
    let held = verdict::judge(stage, &told, &poisoned, &[]).await?;
    if held.parked > 0 {
        replay(stage, &told, &poisoned)
            .await
            .map_err(|broken| broken.after("after the replay"))?;
    }
    Ok(Held { drained, ..held })
}

/// The causes are gone, so every parked turn is woven when it is replayed.
pub(super) async fn replay(stage: &Stage, told: &[Told], poisoned: &[usize]) -> Result<(), Broken> {
    let mut replayed = Vec::new();
    for talk in told {
        let turns = stage
            .conversations
            .replay_all(&talk.key)
            .await
            .map_err(|error| error.to_string())?;
        replayed.extend(turns.into_iter().map(|turn| (talk.key.clone(), turn.message_id)));
    }
    drain(stage, told, Instant::now()).await?;
    let held = verdict::judge(stage, told, poisoned, &replayed).await?;
    match held.parked {
        0 => Ok(()),
        // Only what has no text, which the verdict has excused.
        parked if parked <= held.excused => Ok(()),
        parked => Err(format!("{parked} turns are still parked").into()),
    }
}

/// Repeats what a struck service refuses.
pub(super) async fn until_done<T, E, Doing: Future<Output = Result<T, E>>>(doing: impl Fn() -> Doing) -> T {
    loop {
        match doing().await {
            Ok(done) => return done,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Waits for a condition.
pub(super) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn tell(
    stage: &Stage,
    at: usize,
    talk: &Talk,
    key: ConversationKey,
    session: ActiveScribeSession,
) -> Told {
    let mut told = Told {
        key,
        session,
        said: Vec::new(),
        typed: Vec::new(),
        changed: Vec::new(),
    };
    let mut editor: Option<Editor> = None;
    let mut chatter = Chatter::new(told.key.clone());
    let (mut on, mut was_off) = (true, false);
    for (pause, act) in &talk.acts {
        tokio::time::sleep(*pause).await;
        let nth = told.said.len();
        was_off |= !on;
        match act {
            Act::Say => {
                let said = say(stage, &told.key, number(at, nth), talk.repeats).await;
                told.said.push(said);
            }
            Act::SayInstead(which) => {
                let replaced = told.stands(*which).cloned();
                let said = say_instead(stage, &told.key, number(at, nth), replaced, talk.repeats).await;
                told.said.push(said);
            }
            Act::Chat(asking) => {
                let turns = chatter.chat(stage, at, nth, asking, on).await;
                told.said
                    .extend(turns.into_iter().map(|turn| Said { was_off, ..turn }));
            }
            Act::Wish(wished) => {
                chatter.wish(stage, *wished).await;
                on = *wished;
            }
            &(Act::TypeParagraph(place) | Act::TypeInto(place)) => {
                let word = format!("typed-{}-{at}-{}", told.key.conversation, told.typed.len());
                let into = matches!(act, Act::TypeInto(_));
                // Two of three are typed into what the editor has held since the last save.
                let held = match editor.take().filter(|_| place % 3 > 0) {
                    Some(held) => held,
                    None => {
                        let stored = stage.document(&told.session).await;
                        Editor {
                            etag: stored.etag,
                            content: stored.asset.content,
                        }
                    }
                };
                editor = Some(type_words(stage, &told.session, held, &word, place, into).await);
                told.typed.push(word);
            }
            Act::Off | Act::On => {
                on = *act == Act::On;
                until_done(|| stage.conversations.toggle(&told.key, on)).await;
            }
        }
    }
    told.changed = chatter.changed;
    told
}

impl Told {
    /// A turn to be said anew: mostly one that stands there now.
    fn stands(&self, which: u32) -> Option<&Said> {
        let replaced: BTreeSet<usize> = self.said.iter().filter_map(|said| said.replaces).collect();
        let all = self.said.iter();
        let standing: Vec<&Said> = if which.is_multiple_of(4) {
            all.collect()
        } else {
            all.filter(|said| !replaced.contains(&said.number)).collect()
        };
        let at = usize::try_from(which / 4).unwrap().checked_rem(standing.len())?;
        Some(standing[at])
    }
}

pub(super) async fn say(stage: &Stage, key: &ConversationKey, number: usize, repeats: bool) -> Said {
    say_instead(stage, key, number, None, repeats).await
}

async fn say_instead(
    stage: &Stage,
    key: &ConversationKey,
    number: usize,
    replaced: Option<Said>,
    repeats: bool,
) -> Said {
    let began = Instant::now();
    let mut fate = Fate::Dropped;
    let replaces = replaced.as_ref().map(|said| said.number);
    let replaced_id = replaced.as_ref().map(|said| said.id.clone());
    let turn = match replaced {
        Some(replaced) => turn(key, number).replacing(replaced.id),
        None => turn(key, number),
    };
    for _ in 0..if repeats { REPEATS } else { 1 } {
        if let Ok(recorded) = stage.recorder.record(turn.clone()).await {
            fate = match recorded.delivery {
                Delivery::Off => Fate::Off,
                _ => Fate::Acknowledged(recorded),
            };
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Said {
        replaced_id,
        ..Said::recorded(number, began, fate, replaces)
    }
}

/// What a person's editor holds.
struct Editor {
    etag: String,
    content: String,
}

/// A person's save, as an editor does it: of what it holds, which others may have changed since, and again until it is
/// answered.
async fn type_words(
    stage: &Stage,
    session: &ActiveScribeSession,
    held: Editor,
    word: &str,
    place: u32,
    into: bool,
) -> Editor {
    let mut blocks: Vec<_> = held.content.trim_end().split("\n\n").map(str::to_owned).collect();
    // The title stays first.
    let at = 1 + usize::try_from(place).unwrap() % blocks.len();
    match blocks.get_mut(at).filter(|_| into) {
        Some(block) => *block = format!("{block} And {word}."),
        None => blocks.insert(at, format!("Somebody wrote {word} here.")),
    }
    let save = Save {
        base_etag: held.etag,
        content: Some(blocks.join("\n\n") + "\n"),
        title: None,
        status: None,
        categories: None,
        may_merge: true,
    };
    let (tenant, asset, user) = (&session.tenant_id, &session.text_asset_id, &session.user_id);
    let saved = until_done(|| stage.conversations.save(tenant, asset, user, &save)).await;
    Editor {
        etag: saved.etag,
        content: saved.asset.content,
    }
}

/// Waits until all that is armed has struck, or nothing happens any more that it could strike.
async fn lull(stage: &Stage, told: &[Told]) {
    let until = Instant::now() + LULL;
    while Instant::now() < until && !stage.machine.is_spent() {
        if owed(stage, told).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn drain(stage: &Stage, told: &[Told], since: Instant) -> Result<(), String> {
    loop {
        let owed = owed(stage, told).await;
        if owed.is_empty() {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("stuck: {}", owed.join("; ")));
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// All turns of a conversation under `waiting/`; none where S3 is being asked in vain.
pub(super) async fn waiting(stage: &Stage, key: &ConversationKey) -> Vec<WaitingTurn> {
    until_done(|| stage.documents.waiting_turns(key)).await
}

/// What is still to be done, in words.
async fn owed(stage: &Stage, told: &[Told]) -> Vec<String> {
    use futures_util::FutureExt as _;
    let mut owed = Vec::new();
    if stage.invokes.held_back() > 0 {
        owed.push(format!("{} events held back", stage.invokes.held_back()));
    }
    if stage.lambda.drained().now_or_never().is_none() {
        owed.push("lambda has events".into());
    }
    match stage.lambda.on_failure().list() {
        Ok(records) if records.is_empty() => {}
        Ok(records) => owed.push(format!("{} events at the on-failure destination", records.len())),
        Err(error) => owed.push(error.to_string()),
    }
    for talk in told {
        match stage.ledger.queue_status(&talk.key).await {
            Ok(queue) if queue.waiting == 0 => {}
            Ok(queue) => owed.push(format!("{}: {} turns wait in redis", talk.key, queue.waiting)),
            Err(error) => owed.push(format!("{}: {error}", talk.key)),
        }
        let waiting = waiting(stage, &talk.key).await;
        let (waits, parked): (Vec<_>, Vec<_>) = waiting
            .iter()
            .partition(|turn| turn.state == WaitingState::Waiting);
        if !waits.is_empty() {
            owed.push(format!("{}: {} turns wait in s3", talk.key, waits.len()));
        }
        // One that was replaced while it was parked is removed by whoever writes the other one, or by the sweeper.
        if !parked.is_empty() {
            let document = stage.document(&talk.session).await;
            let record = document.asset.scribe.unwrap_or_default().record;
            let has = |turn: &&&WaitingTurn| record.has(&talk.key.conversation, &turn.event.message_id);
            for turn in parked.iter().filter(has) {
                owed.push(format!(
                    "{}: parked {} is in the record",
                    talk.key, turn.event.message_id
                ));
            }
        }
    }
    owed
}

/// The message id of a turn.
pub(super) fn message(number: usize) -> MessageId {
    id(&format!("m{number}"))
}
