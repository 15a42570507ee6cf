//! A request to a chat, as far as the scribe is concerned: which conversation, which turn, and what is to be done before
//! it is passed on.

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use scribe_core::chat::{
    Asked, ChatRequest, Command, Commanded, command, default_title, is_misunderstood, turn_id, was_stopped,
};
use scribe_core::{ConversationId, ConversationKey, UserId};
use tokio::task::JoinHandle;

use super::commands::{self, Outcome};
use super::following::Following;
use crate::ApiState;
use crate::caller::Caller;

/// Names the conversation, in requests and answers.
pub(crate) const CONVERSATION: HeaderName = HeaderName::from_static("x-scribe-conversation-id");
/// Names the turn, in requests and answers.
pub(crate) const MESSAGE: HeaderName = HeaderName::from_static("x-scribe-message-id");
/// Starts a scribe with this title, where the conversation has none.
pub(crate) const TITLE: HeaderName = HeaderName::from_static("x-scribe-title");
/// Tells what a command has done.
pub(crate) const COMMAND: HeaderName = HeaderName::from_static("x-scribe-command");

/// A header's text, in whatever letters.
pub(crate) fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = std::str::from_utf8(headers.get(name)?.as_bytes()).ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A title as it was meant. A header holds few letters, so the others are percent-encoded in it; where that gives no
/// text, it was not.
fn title(headers: &HeaderMap) -> Option<String> {
    let title = header(headers, &TITLE)?;
    let decoded = percent_decode_str(&title).decode_utf8().ok().map(Into::into);
    Some(decoded.unwrap_or(title))
}

/// What a request is to the scribe.
pub(crate) struct Asking {
    /// The turn that begins with it, if any.
    pub(crate) following: Following,
    /// What became of a command in it.
    pub(crate) outcome: Option<Outcome>,
}

impl Asking {
    /// A request that is none of the scribe's concern.
    pub(crate) const NOTHING: Self = Self {
        following: Following::NOTHING,
        outcome: None,
    };

    /// What becomes of a request: nothing where it names no conversation, or nobody asks anything.
    ///
    /// A command is carried out, within a bounded time. A scribe that is to be started by itself is started beside the
    /// chat, which does not wait for it.
    pub(crate) async fn begin(
        state: &ApiState,
        caller: &Caller,
        conversation: Option<ConversationId>,
        request: &ChatRequest<'_>,
        headers: &HeaderMap,
    ) -> Self {
        let Some(asked) = request.asked() else {
            return Self::NOTHING;
        };
        // A round of tools brings the person's words once more; what they wished was done the first time.
        let commanded = command(&asked.user_message).filter(|_| asked.is_last);
        let mut outcome =
            (asked.is_last && is_misunderstood(&asked.user_message)).then_some(Outcome::NotUnderstood);
        let conversation = match (conversation, &commanded) {
            (Some(conversation), _) => conversation,
            // Whoever starts a scribe and names no conversation gets one, and is told its name.
            (
                None,
                Some(Commanded {
                    command: Command::Start { .. },
                    ..
                }),
            ) => ConversationId::from_foreign(&uuid::Uuid::new_v4().to_string()),
            (None, _) => {
                return Self {
                    outcome,
                    ..Self::NOTHING
                };
            }
        };
        let named = header(headers, &MESSAGE);
        let is_named = named.is_some() || asked.client_id.as_ref().is_some_and(|id| !id.is_empty());
        let message_id = turn_id(&conversation, &asked, named.as_deref());
        let key = ConversationKey::new(caller.tenant.clone(), conversation);
        let mut following = Following::new(state, key.clone(), message_id, is_named, asked);
        match &commanded {
            Some(commanded) => {
                let (carried, unfinished) =
                    commands::carry_out(state, &key, &caller.user, following.asked(), commanded).await;
                outcome = Some(carried);
                following.after(unfinished);
                if commanded.alone {
                    following.ignore();
                }
            }
            None => {
                let title = title(headers);
                let wanted = title.is_some() || state.chat.config().auto_start;
                following
                    .after(wanted.then(|| start_beside(state, &key, &caller.user, following.asked(), title)));
            }
        }
        Self { following, outcome }
    }
}

/// Starts a scribe where there is none, and nobody said that there be none, beside the chat.
fn start_beside(
    state: &ApiState,
    key: &ConversationKey,
    user: &UserId,
    asked: &Asked,
    title: Option<String>,
) -> JoinHandle<()> {
    let (state, key, user, asked) = (state.clone(), key.clone(), user.clone(), asked.clone());
    tokio::spawn(async move {
        let title = title.unwrap_or_else(|| default_title(&asked));
        let started = match state.conversations.has_scribe(&key).await {
            Ok(true) => return,
            Ok(false) if was_stopped(&asked) => return,
            Ok(false) => commands::start(&state, &key, &user, title, &asked).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = started {
            tracing::warn!(conversation.id = %key, "no scribe was started in {key}: {error}");
        }
    })
}
