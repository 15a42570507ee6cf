//! A function's configuration, in the words of Lambda's own.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;

/// The region in which functions believe themselves to be.
pub const REGION: &str = "us-east-1";
/// The account in which functions believe themselves to be.
pub const ACCOUNT: &str = "000000000000";

/// A function: its binary, and how Lambda runs it. [`FunctionConfig::new`] has Lambda's defaults.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    /// The name by which it is invoked: 1 to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The `bootstrap`: a binary that asks the Runtime API for events.
    pub binary: PathBuf,
    /// Its environment beside what Lambda sets. Nothing is inherited but `PATH` and `HOME`.
    pub environment: Vec<(String, String)>,
    /// After this long an invocation has failed and its process is killed.
    pub timeout: Duration,
    /// What the function is told that it has; nothing is enforced.
    pub memory_mb: u32,
    /// How many processes run at once at most. What comes asynchronously waits, what comes synchronously is
    /// refused with 429.
    pub reserved_concurrency: usize,
    /// How many invocations one process runs at once (`AWS_LAMBDA_MAX_CONCURRENCY`), as on managed instances.
    pub in_process_concurrency: usize,
    /// How often an asynchronous invocation that failed is tried again.
    pub maximum_retry_attempts: u32,
    /// How long to wait before each retry; the last one counts for all later ones. Lambda waits 1 and 2 minutes.
    pub retry_waits: Vec<Duration>,
    /// How old an asynchronous event may get before it is given up.
    pub maximum_event_age: Duration,
    /// What happens to chains of invocations.
    pub recursive_loop: RecursiveLoop,
    /// How long a process is kept that has nothing to do.
    pub idle_time: Duration,
    /// Every asynchronous event is delivered twice at the same moment, as Lambda may do now and then.
    pub duplicate_delivery: bool,
}

/// What happens when a function is invoked for the 17th time within one chain of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecursiveLoop {
    /// It is not invoked.
    Terminate,
    /// It is invoked.
    Allow,
}

impl FunctionConfig {
    /// A function with Lambda's defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, binary: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            binary: binary.into(),
            environment: Vec::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            reserved_concurrency: 10,
            in_process_concurrency: 1,
            maximum_retry_attempts: 2,
            retry_waits: vec![Duration::from_mins(1), Duration::from_mins(2)],
            maximum_event_age: Duration::from_hours(6),
            recursive_loop: RecursiveLoop::Terminate,
            idle_time: Duration::from_mins(5),
            duplicate_delivery: false,
        }
    }

    /// Its ARN, without a version.
    #[must_use]
    pub fn arn(&self) -> String {
        arn(&self.name)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name = &self.name;
        ensure!(
            (1..=64).contains(&name.len()) && name.chars().all(taken),
            "{name:?} is not a function name"
        );
        ensure!(
            self.binary.is_file(),
            "function {name}: there is no binary at {}",
            self.binary.display()
        );
        ensure!(
            self.reserved_concurrency > 0,
            "function {name}: reserved concurrency 0 would run nothing"
        );
        ensure!(
            self.in_process_concurrency > 0,
            "function {name}: in-process concurrency must be at least 1"
        );
        Ok(())
    }

    /// How long to wait before the next try, after `failures` failures.
    pub(super) fn retry_wait(&self, failures: u32) -> Duration {
        let wanted = usize::try_from(failures).unwrap_or(usize::MAX).saturating_sub(1);
        self.retry_waits
            .get(wanted)
            .or(self.retry_waits.last())
            .copied()
            .unwrap_or_default()
    }
}

/// The ARN of a function of this name.
pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}
