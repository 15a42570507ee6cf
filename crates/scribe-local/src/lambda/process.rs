//! A function's process: its environment, its log, its end.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::TcpListener;

use super::function::{FunctionConfig, REGION};
use super::runtime_api;
use super::sandbox::{End, Sandbox};
use crate::children::{Child, Children};

/// A log that has grown beyond this is set aside, once, when the function is set up.
const LARGE_LOG_BYTES: u64 = 16 * 1024 * 1024;

/// Starts processes of one function.
#[derive(Debug)]
pub(super) struct Program {
    config: Arc<FunctionConfig>,
    children: Children,
    log: Arc<File>,
    log_path: PathBuf,
}

impl Program {
    pub(super) fn new(config: Arc<FunctionConfig>, children: Children, logs: &Path) -> anyhow::Result<Self> {
        let log_path = logs.join(format!("{}.log", config.name));
        let open = || {
            std::fs::create_dir_all(logs)?;
            if log_path.metadata().is_ok_and(|log| log.len() > LARGE_LOG_BYTES) {
                std::fs::rename(&log_path, log_path.with_extension("log.1"))?;
            }
            File::options().create(true).append(true).open(&log_path)
        };
        let log = open().with_context(|| format!("can't open the log {}", log_path.display()))?;
        Ok(Self {
            config,
            children,
            log: Arc::new(log),
            log_path,
        })
    }

    /// Where the processes' output goes.
    pub(super) fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// Runs a process for a sandbox until it ends, by itself or because the sandbox asks for it.
    pub(super) async fn run(&self, sandbox: &Arc<Sandbox>) -> End {
        let mut child = match self.start(sandbox).await {
            Ok(child) => child,
            Err(error) => return End::NotStarted(format!("{error:#}")),
        };
        let prefix = child.pid();
        if let Some(output) = child.take_stdout() {
            tokio::spawn(copy_lines(output, prefix, Arc::clone(&self.log)));
        }
        if let Some(output) = child.take_stderr() {
            tokio::spawn(copy_lines(output, prefix, Arc::clone(&self.log)));
        }
        let ended = tokio::select! {
            ended = child.wait() => ended,
            () = sandbox.kill.cancelled() => {
                child.kill();
                child.wait().await
            }
        };
        ended.map_or_else(|error| End::NotStarted(error.to_string()), End::Exited)
    }

    async fn start(&self, sandbox: &Arc<Sandbox>) -> anyhow::Result<Child> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no port for the runtime API")?;
        let address = listener.local_addr()?;
        let api = axum::serve(listener, runtime_api::router(Arc::clone(sandbox)))
            .with_graceful_shutdown(sandbox.gone.clone().cancelled_owned());
        tokio::spawn(api.into_future());
        let mut command = self.children.command(&self.config.binary);
        command.env_clear().envs(self.environment(&address.to_string()));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = self.children.spawn(command).await;
        child.with_context(|| format!("can't start {}", self.config.binary.display()))
    }

    fn environment(&self, runtime_api: &str) -> Vec<(String, String)> {
        let config = &self.config;
        let inherited = ["PATH", "HOME"]
            .into_iter()
            .filter_map(|name| Some((name, std::env::var(name).ok()?)));
        let folder = config
            .binary
            .parent()
            .unwrap_or(Path::new("/"))
            .display()
            .to_string();
        let log_stream = format!(
            "{}/[$LATEST]{}",
            jiff::Timestamp::now().strftime("%Y/%m/%d"),
            uuid::Uuid::new_v4().simple()
        );
        let managed = config.in_process_concurrency > 1;
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", config.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory_mb.to_string()),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                format!("/aws/lambda/{}", config.name),
            ),
            ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
            (
                "AWS_LAMBDA_INITIALIZATION_TYPE",
                if managed {
                    "lambda-managed-instances"
                } else {
                    "on-demand"
                }
                .into(),
            ),
            ("AWS_REGION", REGION.into()),
            ("AWS_DEFAULT_REGION", REGION.into()),
            ("_HANDLER", "bootstrap".into()),
            ("LAMBDA_TASK_ROOT", folder),
            ("LANG", "en_US.UTF-8".into()),
            ("TZ", ":UTC".into()),
        ];
        let concurrency = managed.then(|| {
            (
                "AWS_LAMBDA_MAX_CONCURRENCY",
                config.in_process_concurrency.to_string(),
            )
        });
        let mut environment: Vec<_> = inherited
            .chain(lambda)
            .chain(concurrency)
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        environment.extend(config.environment.iter().cloned());
        environment
    }
}

/// Copies lines into the log, each with the process's id in front. Lines of several processes don't mix: the file
/// is open for appending, and each line is one write.
async fn copy_lines(output: impl AsyncRead + Unpin, pid: i32, log: Arc<File>) {
    let mut output = BufReader::new(output);
    let prefix = format!("[{pid}] ");
    let mut line = Vec::new();
    loop {
        line.clear();
        line.extend_from_slice(prefix.as_bytes());
        match output.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        // A log that can't be written is no reason to stop the function.
        let _ = (&*log).write_all(&line);
    }
}
