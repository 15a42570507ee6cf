//! What a person wants of the scribe, said in the chat: carried out before the chat is asked, so that it can say so.

use std::time::Duration;

use scribe_core::catch_up::catch_up;
use scribe_core::chat::{Asked, Command, Commanded, News, default_title};
use scribe_core::style::StyleChoice;
use scribe_core::{ConversationKey, UserId};
use scribe_engine::conversations::Start;
use scribe_trigger::TurnRequest;
use tokio::task::JoinHandle;

use crate::ApiState;
use crate::background_doc::{StartError, check_title, record_earlier, turn_request};
use crate::error::chain;

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The scribe is on.
    Started,
    /// It is off.
    Stopped,
    /// There is none to be switched.
    NoScribe,
    /// It could not be done.
    Failed,
    /// It goes on after the time in which a request waits for it.
    Unfinished,
    /// It begins as a command does, and nothing was done.
    NotUnderstood,
}

impl Outcome {
    /// For programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::NoScribe => "no-scribe",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::NotUnderstood => "not-understood",
        }
    }

    /// For the model that answers. What it takes for no command is a question like any other.
    pub(crate) fn news(self) -> Option<News> {
        match self {
            Self::Started => Some(News::Started),
            Self::Stopped => Some(News::Stopped),
            Self::NoScribe => Some(News::Nothing),
            Self::Failed | Self::Unfinished => Some(News::Failed),
            Self::NotUnderstood => None,
        }
    }
}

/// Carries a command out. It goes on where it takes longer than a request waits, but then nobody is told of its end; the
/// turn waits for what is given back.
pub(crate) async fn carry_out(
    state: &ApiState,
    key: &ConversationKey,
    user: &UserId,
    asked: &Asked,
    commanded: &Commanded,
) -> (Outcome, Option<JoinHandle<()>>) {
    let task = {
        let (state, key, user, asked) = (state.clone(), key.clone(), user.clone(), asked.clone());
        let command = commanded.command.clone();
        async move {
            let done = match command {
                Command::Start { title } => {
                    let title = title.unwrap_or_else(|| default_title(&asked));
                    start(&state, &key, &user, title, &asked).await.map(|()| true)
                }
                Command::Stop => switch(&state, &key, false).await,
                Command::Resume => switch(&state, &key, true).await,
            };
            if let Err(error) = &done {
                let error = chain(error);
                tracing::error!(conversation.id = %key, "a command to the scribe of {key} failed: {error}");
            }
            done
        }
    };
    let (told, hears) = tokio::sync::oneshot::channel();
    let unfinished = tokio::spawn(async move {
        let done = task.await;
        // Nobody may be waiting any more.
        let _ = told.send(done);
    });
    let wait: Duration = state.chat.config().command_wait;
    match tokio::time::timeout(wait, hears).await {
        Ok(Ok(Ok(true))) if commanded.command == Command::Stop => (Outcome::Stopped, None),
        Ok(Ok(Ok(true))) => (Outcome::Started, None),
        Ok(Ok(Ok(false))) => (Outcome::NoScribe, None),
        Ok(_) => (Outcome::Failed, None),
        Err(_) => (Outcome::Unfinished, Some(unfinished)),
    }
}

async fn switch(state: &ApiState, key: &ConversationKey, enabled: bool) -> Result<bool, StartError> {
    Ok(state.conversations.toggle(key, enabled).await?.is_some())
}

/// Starts the scribe with what was said before. Where there is one it goes on.
pub(crate) async fn start(
    state: &ApiState,
    key: &ConversationKey,
    user: &UserId,
    title: String,
    asked: &Asked,
) -> Result<(), StartError> {
    let start = Start {
        key: key.clone(),
        user: user.clone(),
        title: check_title(&title).unwrap_or_else(|_| default_title(asked)),
        style: StyleChoice::Auto,
        instructions: None,
    };
    let mut earlier: Vec<TurnRequest> = catch_up(&asked.before)
        .into_iter()
        .map(|turn| turn_request(key, turn))
        .collect();
    earlier.retain(|turn| {
        let fits = turn.check();
        if let Err(error) = &fits {
            let id = &turn.message_id;
            tracing::warn!(
                turn.id = %id,
                conversation.id = %key,
                "{id} of {key} was said before the start and is left out: {error}"
            );
        }
        fits.is_ok()
    });
    let new_id = uuid::Uuid::new_v4().to_string().parse()?;
    let started = state.conversations.start(&start, new_id).await?;
    record_earlier(state, &started, earlier).await.map(drop)
}
