//! One notion of a step for everything that the code under test talks to.
//!
//! The handler touches the world through four wires only: Redis, S3, the model, and Lambda's front end. A step is one
//! request on one of them, just before the server sees it or just after the server has done it. All taps ask one gate
//! before they let a step pass, so a test can count the steps, stop the world at one of them, or have one fail.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use tokio::sync::{Notify, oneshot};

/// A server that the code under test talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    Redis,
    S3,
    Model,
    Lambda,
}

/// Whether the server has seen the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// It has not: if the wire is cut now, nothing was done.
    Before,
    /// It has done it, and its answer is not on the way yet: if the wire is cut now, the answer is lost.
    After,
}

/// One request at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) wire: Wire,
    /// What is asked, without ids: `claim`, `PUT media-assets`, `chat`, `invoke`.
    pub(crate) name: String,
    pub(crate) moment: Moment,
    /// Of what it is asked: a key, a path, a message id.
    pub(crate) of: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {:?}", self.wire, self.name, self.moment)
    }
}

/// What becomes of a step.
pub(crate) enum Action {
    Pass,
    /// The client's connection is cut: before the server has seen the request, or with its answer lost.
    Cut,
    Delay(Duration),
    /// It stays where it is until the other end of [`hold`] says how it goes on.
    Hold(Hold),
}

/// How a step goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    Cut,
}

/// The end of a hold that the gate has.
pub(crate) struct Hold {
    reached: Arc<Notify>,
    verdict: oneshot::Receiver<Verdict>,
}

/// The end of a hold that the test has. Dropping it cuts the wire.
pub(crate) struct Held {
    reached: Arc<Notify>,
    verdict: oneshot::Sender<Verdict>,
}

impl Held {
    /// Waits until the step is there.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(crate) fn end(self, verdict: Verdict) {
        // Whoever was held may be gone.
        let _ = self.verdict.send(verdict);
    }
}

/// A hold: the first end for the gate's rule, the second for the test.
pub(crate) fn hold() -> (Hold, Held) {
    let reached = Arc::new(Notify::new());
    let (sender, receiver) = oneshot::channel();
    let hold = Hold {
        reached: Arc::clone(&reached),
        verdict: receiver,
    };
    let held = Held {
        reached,
        verdict: sender,
    };
    (hold, held)
}

type Rule = Box<dyn FnMut(&Step) -> Action + Send>;

/// What all taps of a world ask. Without a rule everything passes.
#[derive(Default)]
pub(crate) struct Gate {
    rule: Mutex<Option<Rule>>,
}

impl Gate {
    /// From now on this rule decides on every step.
    pub(crate) fn set(&self, rule: impl FnMut(&Step) -> Action + Send + 'static) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// From now on everything passes; what is held stays held.
    pub(crate) fn open(&self) {
        *self.rule.lock().unwrap() = None;
    }

    pub(crate) async fn pass(&self, step: Step) -> Verdict {
        let action = match self.rule.lock().unwrap().as_mut() {
            Some(rule) => rule(&step),
            None => Action::Pass,
        };
        match action {
            Action::Pass => Verdict::Go,
            Action::Cut => Verdict::Cut,
            Action::Delay(duration) => {
                tokio::time::sleep(duration).await;
                Verdict::Go
            }
            Action::Hold(hold) => {
                hold.reached.notify_one();
                hold.verdict.await.unwrap_or(Verdict::Cut)
            }
        }
    }
}

/// An answer that never arrives: its body fails before a byte was sent, so hyper closes the connection.
pub(crate) fn cut() -> Response {
    let broken =
        futures_util::stream::once(async { Err::<&[u8], _>(std::io::Error::other("cut by a test")) });
    Response::new(Body::from_stream(broken))
}
