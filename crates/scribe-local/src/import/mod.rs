//! `scribe-local import`: sends a transcript through a running API, turn by turn, and waits until all of it is
//! written.
//!
//! What the file holds is told by its content (`foreign.rs`).
//! Turns are sent in the order of the file, one after the other, with at most sixteen of them waiting. A
//! second run skips what is done and goes on with the rest: a turn that is sent again under its id is the same
//! turn. What can go wrong with a line, a turn or one conversation of several is named and does not stop the rest; an
//! API that fails for longer than some seconds does.

mod client;
mod foreign;
mod progress;
mod summary;
mod transcript;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use client::{Client, Sent, TurnState};
use progress::{Progress, say};
use summary::Summary;
use transcript::{Line, Transcript};

/// How many turns may wait at once.
const MOST_WAITING: u64 = 16;
/// How often the API is asked how far it is.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// After this long without progress people are told where to look.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a turn may be unknown to the API after everything else is done.
const UNKNOWN_LIMIT: Duration = Duration::from_secs(30);

/// A transcript and where it goes.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The transcript: JSON lines with conversationId, messageId, userMessage, assistantResponse and, if known,
    /// timestamp; or OpenAI's `messages`; or `ChatGPT`'s export.
    #[arg(required_unless_present = "file_option")]
    file: Option<PathBuf>,
    /// The same, with a name.
    #[arg(long = "file", value_name = "FILE", hide = true, conflicts_with = "file")]
    file_option: Option<PathBuf>,
    /// The document's title; the file's name where there is none.
    #[arg(long)]
    title: Option<String>,
    /// Of several conversations only this one: its number or its title.
    #[arg(long, value_name = "NUMBER OR TITLE")]
    only: Option<String>,
    /// Only list the conversations of the file.
    #[arg(long)]
    list: bool,
    /// The API; that of `make run` where there is none.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// A token or an API key, where the API wants one; better given as a variable.
    #[arg(long, env = "SCRIBE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where `make run` serves.
    #[arg(long, env = "SCRIBE_ADDR", default_value = "127.0.0.1:3000", hide = true)]
    addr: String,
}

/// Sends a transcript, and returns when all of it is written, or at Ctrl-C.
///
/// The exit code is 0 if every line is a turn and every turn is in its document, 1 if not, 130 after Ctrl-C.
///
/// # Errors
/// If the file can't be read, or the API is not there or fails for long.
pub async fn import(arguments: ImportArgs) -> anyhow::Result<ExitCode> {
    let file = arguments
        .file
        .or(arguments.file_option)
        .context("no transcript is named")?;
    let contents = foreign::open(&file)?;
    if arguments.list {
        say(&contents.list());
        return Ok(ExitCode::SUCCESS);
    }
    let transcript = contents.transcript(arguments.only.as_deref())?;
    for skipped in &transcript.skipped {
        say(&format!("{}: skipped, {}", skipped.place, skipped.reason));
    }
    ensure!(
        !transcript.lines.is_empty(),
        "there is no turn in {}",
        file.display()
    );
    // With a title of its own a conversation needs no other, unless one is given.
    let own = match transcript.conversations().as_slice() {
        [only] => transcript.titles.get(*only),
        _ => None,
    };
    let title = match arguments.title.as_ref().or(own) {
        Some(title) => title.clone(),
        None => {
            let stem = file.file_stem().context("the transcript's file has no name")?;
            stem.to_string_lossy().into_owned()
        }
    };
    let api = arguments
        .api
        .unwrap_or_else(|| format!("http://{}", arguments.addr));
    let client = Client::new(&api, arguments.token.as_deref())?;
    client.check().await?;

    let mut run = Run::begin(client, &transcript, &title).await?;
    let ended = tokio::select! {
        ended = run.send_all(&transcript) => Some(ended),
        pressed = tokio::signal::ctrl_c() => {
            pressed.context("can't listen for Ctrl-C")?;
            None
        }
    };
    let interrupted = ended.is_none();
    if let Some(Err(error)) = ended {
        run.progress.end();
        return Err(error);
    }
    let summary = tokio::select! {
        summary = run.finish(&transcript, interrupted) => summary?,
        _ = tokio::signal::ctrl_c() => return Ok(ExitCode::from(130)),
    };
    say(&summary.text());
    Ok(match (interrupted, summary.is_complete()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

/// A turn's conversation and message id.
type Id = (String, String);

struct Run {
    client: Client,
    progress: Progress,
    /// What was done before this run began.
    done_before: BTreeSet<Id>,
    /// Sent in this run, by conversation.
    sent: BTreeMap<String, u64>,
    /// How many of a conversation's turns waited when the API was asked last, and were sent since.
    waiting: BTreeMap<String, u64>,
    /// Where it stands, and why: a turn, or a conversation with all that are left of it.
    refused: Vec<(String, String)>,
    refused_ids: BTreeSet<Id>,
    refused_conversations: BTreeSet<String>,
}

impl Run {
    /// Starts the conversations and looks what is done already.
    async fn begin(client: Client, transcript: &Transcript, title: &str) -> anyhow::Result<Self> {
        let conversations = transcript.conversations();
        let (mut done_before, mut refused_ids) = (BTreeSet::new(), BTreeSet::new());
        let (mut refused, mut refused_conversations) = (Vec::new(), BTreeSet::new());
        for conversation in &conversations {
            let own = transcript.titles.get(*conversation);
            let title = match (conversations.len(), own) {
                (1, _) => title.to_owned(),
                (_, Some(own)) => own.clone(),
                (_, None) => foreign::one_line(&format!("{title} ({conversation})")),
            };
            if let Sent::Refused(reason) = client.start(conversation, &title).await? {
                ensure!(
                    conversations.len() > 1,
                    "the conversation {conversation} can't be started: {reason}"
                );
                let place = format!("conversation {conversation}");
                say(&format!("{place}: refused, {reason}"));
                let of_it = |line: &&Line| line.turn.conversation_id == *conversation;
                refused_ids.extend(transcript.lines.iter().filter(of_it).map(id));
                refused.push((place, reason));
                refused_conversations.insert((*conversation).to_owned());
                continue;
            }
            let settled = client.turns(conversation).await?.into_iter().filter(is_settled);
            done_before.extend(settled.map(|turn| ((*conversation).to_owned(), turn.message_id)));
        }
        let lines = &transcript.lines;
        let before = lines
            .iter()
            .filter(|line| done_before.contains(&id(line)))
            .count();
        if before > 0 {
            say(&format!("{before} of {} turns are done already", lines.len()));
        }
        let progress = Progress::new(count(lines.len()), count(before));
        let (sent, waiting) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self {
            client,
            progress,
            done_before,
            sent,
            waiting,
            refused,
            refused_ids,
            refused_conversations,
        })
    }

    /// Sends what is not done, and waits until nothing waits.
    async fn send_all(&mut self, transcript: &Transcript) -> anyhow::Result<()> {
        for line in &transcript.lines {
            if self.done_before.contains(&id(line)) || self.refused_ids.contains(&id(line)) {
                continue;
            }
            self.until_waiting_at_most(MOST_WAITING - 1).await?;
            match self.client.record(&line.turn).await? {
                Sent::Accepted => {
                    let conversation = &line.turn.conversation_id;
                    *self.sent.entry(conversation.clone()).or_default() += 1;
                    *self.waiting.entry(conversation.clone()).or_default() += 1;
                }
                Sent::Refused(reason) => {
                    self.progress.say(&format!("{}: refused, {reason}", line.place));
                    self.refused.push((line.place.clone(), reason));
                    self.refused_ids.insert(id(line));
                }
            }
        }
        self.until_waiting_at_most(0).await
    }

    /// Waits until few enough turns wait.
    async fn until_waiting_at_most(&mut self, most: u64) -> anyhow::Result<()> {
        let mut last_progress = Instant::now();
        let mut told = false;
        while self.waiting.values().sum::<u64>() > most {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let before = self.waiting.clone();
            self.look().await?;
            if self.waiting != before {
                last_progress = Instant::now();
                told = false;
            } else if last_progress.elapsed() > PATIENCE && !told {
                told = true;
                self.progress.say(
                    "nothing was done for a minute; lambda/logs/ in the data folder may say why. If it stays so, stop \
                     this import and start it again",
                );
            }
        }
        Ok(())
    }

    /// Asks the API how many turns wait.
    async fn look(&mut self) -> anyhow::Result<()> {
        for (conversation, waiting) in &mut self.waiting {
            let status = self.client.status(conversation).await?;
            ensure!(
                status.scribe_enabled,
                "the scribe of {conversation} was switched off; run the same import again to switch it on and go on"
            );
            if let Some(now) = status.waiting {
                *waiting = now;
            }
        }
        let left: u64 = self
            .sent
            .iter()
            .map(|(id, sent)| self.waiting.get(id).map_or(0, |left| *left.min(sent)))
            .sum();
        let done =
            count(self.done_before.len()) + count(self.refused_ids.len()) + self.sent.values().sum::<u64>()
                - left;
        self.progress.show(done);
        Ok(())
    }

    /// Looks how every turn ended. Without an interruption, waits for those that reach their queue late.
    async fn finish(mut self, transcript: &Transcript, interrupted: bool) -> anyhow::Result<Summary> {
        let mut last_change = Instant::now();
        let mut last_open = usize::MAX;
        loop {
            let mut states = BTreeMap::new();
            let is_there = |name: &&str| !self.refused_conversations.contains(*name);
            for conversation in transcript.conversations().into_iter().filter(is_there) {
                let turns = self.client.turns(conversation).await?;
                states.extend(
                    turns
                        .into_iter()
                        .map(|turn| ((conversation.to_owned(), turn.message_id.clone()), turn)),
                );
            }
            let mut summary = Summary::new(&transcript.skipped, transcript.unanswered, &self.refused);
            summary.refused_turns = self.refused_ids.len();
            for line in transcript
                .lines
                .iter()
                .filter(|line| !self.refused_ids.contains(&id(line)))
            {
                summary.add(&line.turn.message_id, states.get(&id(line)));
            }
            self.progress.show(count(summary.settled()));
            if summary.open() != last_open {
                last_open = summary.open();
                last_change = Instant::now();
            }
            let given_up = summary.pending == 0 && last_change.elapsed() > UNKNOWN_LIMIT;
            if interrupted || summary.open() == 0 || given_up {
                summary.interrupted = interrupted;
                summary.took = self.progress.end();
                return Ok(summary);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

fn is_settled(turn: &TurnState) -> bool {
    matches!(turn.state.as_str(), "processed" | "failed")
}

fn id(line: &Line) -> Id {
    (line.turn.conversation_id.clone(), line.turn.message_id.clone())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
