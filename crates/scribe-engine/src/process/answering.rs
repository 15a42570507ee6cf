//! From the model's answer to the edits that are to be committed: the host's checks, and at most one more call in
//! which the model mends what they refused.

use std::time::Duration;

use scribe_core::blocks::Document;
use scribe_core::edits::{Answer, Bounds, EditOutcome, Resort, Weaving, Woven, mended, to_mend};
use scribe_core::prompt::{Prompt, repair};
use scribe_core::turn::Turn;
use tokio::time::Instant;

use super::Engine;
use super::spent::Spent;

/// With less time than this until the model's deadline nothing is mended any more.
const LEAST_TIME: Duration = Duration::from_secs(2);

/// What the model gave for a turn.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) bounds: Bounds,
    /// Edits of the first answer that the second one left out.
    pub(super) taken_back: Vec<EditOutcome>,
    /// The document that the model saw with the answer in it, where nothing was left to mend.
    pub(super) woven: Option<Woven>,
}

/// What asking once more takes. Readers do not see that answer while it is written: they see the first one until the
/// turn is in the document.
pub(super) struct Again<'a> {
    /// The first question.
    pub(super) question: &'a Prompt,
    /// The model's deadline.
    pub(super) until: Instant,
    /// Where the call is added to.
    pub(super) spent: &'a Spent,
}

impl Answered {
    /// A rewritten document. Nobody is asked to mend it: that would cost the whole document once more.
    pub(super) fn rewritten(answer: Answer) -> Self {
        Self {
            answer,
            bounds: Bounds::of_rewrite(),
            taken_back: Vec::new(),
            woven: None,
        }
    }
}

impl Engine {
    /// Checks an answer against the document that the model saw, and lets the model mend what does not hold.
    ///
    /// Whatever becomes of that second call, the turn goes on: what it does not mend is woven as a last resort.
    pub(super) async fn mend(
        &self,
        answer: Answer,
        document: &Document,
        turn: &Turn,
        again: Again<'_>,
    ) -> Answered {
        let Again {
            question,
            until,
            mut spent,
        } = again;
        let bounds = Bounds::default();
        let weaving = Weaving {
            document,
            seen: document,
            turn,
            bounds: &bounds,
            resort: Resort::Refuse,
        };
        let (outcomes, woven) = match weaving.weave(&answer) {
            Ok(woven) => (woven.outcomes.clone(), Some(woven)),
            Err(error) => (error.outcomes, None),
        };
        let refused = to_mend(&outcomes);
        if refused.is_empty() {
            return Answered {
                answer,
                bounds,
                taken_back: Vec::new(),
                woven,
            };
        }
        let not_mended = |reason: &str| {
            tracing::info!(
                turn.id = %turn.message_id,
                conversation.id = %turn.conversation,
                "{} edits for turn {} were refused ({}) and not mended ({reason}), their text comes as a last resort",
                refused.len(),
                turn.message_id,
                refused[0].refusal
            );
        };
        let second = if until.saturating_duration_since(Instant::now()) < LEAST_TIME {
            Err("no time is left".to_owned())
        } else {
            let question = repair(question, &refused);
            match self.narrator.ask_aloud(&question, until, &mut spent).await {
                Ok(completion) => Answer::parse(&completion.text).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        };
        match second {
            Ok(second) => {
                let (answer, taken_back) = mended(&outcomes, &second);
                Answered {
                    answer,
                    bounds,
                    taken_back,
                    woven: None,
                }
            }
            Err(reason) => {
                not_mended(&reason);
                Answered {
                    answer,
                    bounds,
                    taken_back: Vec::new(),
                    woven: None,
                }
            }
        }
    }
}
