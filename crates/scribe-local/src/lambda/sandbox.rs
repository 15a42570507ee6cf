//! A sandbox: one process of a function, with a Runtime API of its own.
//!
//! Invocations wait in the sandbox until the process asks for one, and are then *taken* until it answers. Every
//! invocation gets exactly one answer: the process's own, or, when the process has ended or is killed because
//! time is up, an error that says so. An answer that reports the end of the process is given only when the
//! process is really gone, so whoever counts processes by answers never has one too many.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// How long a process may take from its start, or from its last answer, until it asks for the next event, beyond
/// the function's own timeout. Lambda gives ten seconds and then tries once more within the timeout.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// What a function is invoked with.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    /// The trace header.
    pub(super) trace: String,
}

/// A function's error: JSON with `errorType` and `errorMessage`, by the function itself or about its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FunctionError(pub(super) Bytes);

impl FunctionError {
    pub(super) fn new(error_type: &str, message: &str) -> Self {
        Self(
            json!({"errorType": error_type, "errorMessage": message})
                .to_string()
                .into(),
        )
    }

    /// The error as JSON; what a function sent as something else becomes a JSON string.
    pub(super) fn payload(&self) -> anyhow::Result<Box<RawValue>> {
        let text = String::from_utf8_lossy(&self.0);
        Ok(match serde_json::from_str(&text) {
            Ok(json) => json,
            Err(_) => RawValue::from_string(serde_json::to_string(&text)?)?,
        })
    }
}

/// How an invocation ended.
pub(super) type Outcome = Result<Bytes, FunctionError>;

/// One process, from outside.
#[derive(Debug)]
pub(super) struct Sandbox {
    function_arn: String,
    timeout: Duration,
    state: Mutex<State>,
    arrived: Notify,
    /// Asks for the process to be killed.
    pub(super) kill: CancellationToken,
    /// The process is gone.
    pub(super) gone: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    taken: Vec<Taken>,
    init_error: Option<Bytes>,
    end: Option<End>,
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    delivered: oneshot::Sender<()>,
    reply: oneshot::Sender<Outcome>,
}

#[derive(Debug)]
struct Taken {
    invocation_id: String,
    request_id: String,
    reply: oneshot::Sender<Outcome>,
}

/// How a sandbox ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The process could not be started.
    NotStarted(String),
    /// The process ended.
    Exited(ExitStatus),
    /// The process reported that it can't begin, and ended.
    InitError(Bytes),
}

impl End {
    fn error(&self, request_id: &str) -> FunctionError {
        match self {
            Self::NotStarted(reason) => FunctionError::new("Runtime.InvalidEntrypoint", reason),
            Self::Exited(status) => {
                let message = match describe(*status) {
                    Some(how) => format!("RequestId: {request_id} Error: Runtime exited with error: {how}"),
                    None => {
                        format!("RequestId: {request_id} Error: Runtime exited without providing a reason")
                    }
                };
                FunctionError::new("Runtime.ExitError", &message)
            }
            Self::InitError(error) => FunctionError(error.clone()),
        }
    }
}

/// In Lambda's words; `None` for an exit that claims success.
fn describe(status: ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit status {code}")),
        (None, Some(9)) => Some("signal: killed".into()),
        (None, signal) => Some(format!("signal: {}", signal.unwrap_or_default())),
    }
}

/// An event on its way to the process.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) request: Request,
    /// Names this delivery. A request id does not: the same one may run twice at once.
    pub(super) invocation_id: String,
    pub(super) function_arn: String,
    pub(super) deadline_ms: u64,
}

impl Sandbox {
    pub(super) fn new(function_arn: String, timeout: Duration, kill: CancellationToken) -> Self {
        let gone = CancellationToken::new();
        Self {
            function_arn,
            timeout,
            state: Mutex::default(),
            arrived: Notify::new(),
            kill,
            gone,
        }
    }

    /// Has the process run the function once, and kills it if that takes too long.
    pub(super) async fn invoke(&self, request: Request) -> Outcome {
        let request_id = request.request_id.clone();
        let (delivered, was_delivered) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.state();
            if let Some(end) = &state.end {
                return Err(end.error(&request_id));
            }
            state.waiting.push_back(Waiting {
                request,
                delivered,
                reply,
            });
        }
        self.arrived.notify_one();
        // An error here means that the sandbox ended first; the answer says how.
        let limit = match tokio::time::timeout(INIT_LIMIT + self.timeout, was_delivered).await {
            Ok(_) => tokio::time::timeout(self.timeout, answer)
                .await
                .map_err(|_| self.timeout),
            Err(_) => Err(INIT_LIMIT + self.timeout),
        };
        match limit {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(FunctionError::new(
                "Sandbox.Failure",
                "the sandbox has gone without an answer",
            )),
            Err(limit) => {
                self.kill.cancel();
                self.gone.cancelled().await;
                let seconds = limit.as_secs_f64();
                let message =
                    format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
                Err(FunctionError::new("Sandbox.Timedout", &message))
            }
        }
    }

    /// The process asks for an event. Waits for one; may be cancelled while waiting.
    pub(super) async fn next(&self) -> Delivery {
        loop {
            if let Some(delivery) = self.take() {
                return delivery;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<Delivery> {
        let mut state = self.state();
        let Waiting {
            request,
            delivered,
            reply,
        } = state.waiting.pop_front()?;
        let invocation_id = uuid::Uuid::new_v4().to_string();
        state.taken.push(Taken {
            invocation_id: invocation_id.clone(),
            request_id: request.request_id.clone(),
            reply,
        });
        let _ = delivered.send(());
        let deadline = SystemTime::now() + self.timeout;
        let deadline = deadline
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        Some(Delivery {
            request,
            invocation_id,
            function_arn: self.function_arn.clone(),
            deadline_ms: u64::try_from(deadline).unwrap_or(u64::MAX),
        })
    }

    /// The process answers. `false` if nobody waits for this answer.
    pub(super) fn answer(&self, request_id: &str, invocation_id: Option<&str>, outcome: Outcome) -> bool {
        let mut state = self.state();
        // Runtimes older than the invocation id don't send it back.
        let is_it = |taken: &Taken| {
            taken.request_id == request_id && invocation_id.is_none_or(|id| taken.invocation_id == id)
        };
        let Some(position) = state.taken.iter().position(is_it) else {
            return false;
        };
        let taken = state.taken.swap_remove(position);
        drop(state);
        taken.reply.send(outcome).is_ok()
    }

    /// The process says that it can't begin; it ends next.
    pub(super) fn report_init_error(&self, error: Bytes) {
        self.state().init_error = Some(error);
    }

    /// The process is gone: whatever waits or was taken fails. Returns how many invocations that were.
    pub(super) fn end(&self, end: End) -> usize {
        let (waiting, taken, end) = {
            let mut state = self.state();
            let end = state.init_error.take().map_or(end, End::InitError);
            state.end = Some(end.clone());
            (
                std::mem::take(&mut state.waiting),
                std::mem::take(&mut state.taken),
                end,
            )
        };
        self.gone.cancel();
        let failed = waiting.len() + taken.len();
        for waiting in waiting {
            let _ = waiting.reply.send(Err(end.error(&waiting.request.request_id)));
        }
        for taken in taken {
            let _ = taken.reply.send(Err(end.error(&taken.request_id)));
        }
        failed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
