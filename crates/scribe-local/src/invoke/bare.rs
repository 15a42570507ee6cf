//! `scribe-local invoke-bare`: under AWS' runtime interface emulator, without a container.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::{Running, RunningArgs, read_event};

/// The longest that the emulator may take to listen.
const EMULATOR_START: Duration = Duration::from_secs(10);
/// The longest that an invocation may take; the emulator is told the same.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Which function, which event, and where the stack is.
#[derive(Debug, clap::Args)]
pub struct BareArgs {
    /// The event.
    #[arg(long, default_value = "events/turn.json")]
    event: PathBuf,
    /// The function as it is deployed.
    #[arg(long, default_value = "target/lambda/summarizer/bootstrap")]
    bootstrap: PathBuf,
    /// The folder of Python tools that SAM is installed in; it brings the emulator.
    #[arg(long, default_value = ".tools/sam")]
    sam: PathBuf,
    #[command(flatten)]
    running: RunningArgs,
}

/// Invokes the function under the emulator.
///
/// # Errors
/// If the emulator, the function or the stack is missing.
pub async fn invoke_bare(arguments: BareArgs) -> anyhow::Result<ExitCode> {
    let running = Running::find(&arguments.running).await?;
    let (payload, event) = read_event(&arguments.event)?;
    let bootstrap = arguments.bootstrap.canonicalize().with_context(|| {
        format!(
            "there is no function at {}; `make function` builds it",
            arguments.bootstrap.display()
        )
    })?;
    let emulator = find_emulator(&arguments.sam)?;
    running.start_scribe(&event).await?;

    let (front, runtime_api) = (free_address().await?, free_address().await?);
    let mut child = Command::new(&emulator)
        .arg("--runtime-interface-emulator-address")
        .arg(front.to_string())
        .arg("--runtime-api-address")
        .arg(runtime_api.to_string())
        .args(["--log-level", "error"])
        .arg(&bootstrap)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(&running.variables)
        .env("AWS_LAMBDA_FUNCTION_NAME", "background-scribe-summarizer")
        .env(
            "AWS_LAMBDA_FUNCTION_TIMEOUT",
            FUNCTION_TIMEOUT.as_secs().to_string(),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("can't start {}", emulator.display()))?;
    let shown = Arc::new(AtomicBool::new(true));
    show(child.stdout.take(), &shown);
    show(child.stderr.take(), &shown);
    wait_for(front, &mut child).await?;

    let url = format!("http://{front}/2015-03-31/functions/function/invocations");
    let sent = running
        .http
        .post(url)
        .timeout(FUNCTION_TIMEOUT + EMULATOR_START)
        .body(payload)
        .send()
        .await;
    let answer = sent.context("the emulator did not answer")?.text().await?;
    // A function that outlives its emulator by a moment complains of it; that is no news.
    shown.store(false, Ordering::Relaxed);
    child.kill().await.context("the emulator can't be stopped")?;
    eprintln!("\nthe function answered: {answer}");
    eprintln!("{}", running.report(&event).await?);
    let failed =
        serde_json::from_str::<Value>(&answer).map_or(true, |answer| answer.get("errorType").is_some());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Passes on what the emulator and the function print, as long as it is wanted.
fn show(output: Option<impl AsyncRead + Unpin + Send + 'static>, wanted: &Arc<AtomicBool>) {
    let Some(output) = output else { return };
    let wanted = Arc::clone(wanted);
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if wanted.load(Ordering::Relaxed) {
                eprintln!("{line}");
            }
        }
    });
}

/// The emulator lies among SAM's Python files, whose folder names Python's version.
fn find_emulator(sam: &Path) -> anyhow::Result<PathBuf> {
    let name = match std::env::consts::ARCH {
        "x86_64" => "aws-lambda-rie-x86_64",
        "aarch64" => "aws-lambda-rie-arm64",
        other => bail!("AWS has no emulator for {other}"),
    };
    let libraries = std::fs::read_dir(sam.join("lib"));
    let found = libraries.into_iter().flatten().flatten().find_map(|python| {
        let emulator = python.path().join("site-packages/samcli/local/rapid").join(name);
        emulator.is_file().then_some(emulator)
    });
    let emulator = found.ok_or_else(|| {
        anyhow!(
            "there is no {name} below {}; `make invoke-bare` installs SAM",
            sam.display()
        )
    })?;
    make_executable(&emulator)?;
    Ok(emulator)
}

/// pip unpacks the emulator without its permission to run.
fn make_executable(file: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = std::fs::metadata(file)?.permissions();
    if permissions.mode() & 0o111 == 0 {
        permissions.set_mode(permissions.mode() | 0o755);
        std::fs::set_permissions(file, permissions)
            .with_context(|| format!("can't make {} run", file.display()))?;
    }
    Ok(())
}

async fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}

/// Waits until the emulator listens. It says nothing when it does, so there is only the port to ask.
async fn wait_for(address: SocketAddr, child: &mut Child) -> anyhow::Result<()> {
    let mut timer = tokio::time::interval(Duration::from_millis(20));
    let listening = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            timer.tick().await;
        }
    };
    tokio::select! {
        () = listening => Ok(()),
        ended = child.wait() => bail!("the emulator ended at once: {}", ended?),
        () = tokio::time::sleep(EMULATOR_START) => bail!("the emulator does not listen at {address}"),
    }
}
