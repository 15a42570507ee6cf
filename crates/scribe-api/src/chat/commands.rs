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
pub(crate) struct Carried {
    /// For the model that answers.
    pub(crate) news: News,
    /// For programs: `started` or `stopped`.
    pub(crate) done: Option<&'static str>,
    /// What goes on after the time in which a request waits for it.
    pub(crate) unfinished: Option<JoinHandle<()>>,
}

/// Carries a command out. It goes on where it takes longer than a request waits, but then nobody is told of its end.
pub(crate) async fn carry_out(
    state: &ApiState,
    key: &ConversationKey,
    user: &UserId,
    asked: &Asked,
    commanded: &Commanded,
) -> Carried {
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
    let carried = |news, done, unfinished| Carried {
        news,
        done,
        unfinished,
    };
    match tokio::time::timeout(wait, hears).await {
        Ok(Ok(Ok(true))) if commanded.command == Command::Stop => {
            carried(News::Stopped, Some("stopped"), None)
        }
        Ok(Ok(Ok(true))) => carried(News::Started, Some("started"), None),
        Ok(Ok(Ok(false))) => carried(News::Nothing, None, None),
        Ok(_) => carried(News::Failed, None, None),
        Err(_) => carried(News::Failed, None, Some(unfinished)),
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
