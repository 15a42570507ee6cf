//! `scribe-local invoke`: through `sam local invoke`, in Lambda's container.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::{Running, RunningArgs, read_event};

/// The function's logical id in `template.yaml`.
const FUNCTION: &str = "SummarizerFunction";

/// Which event, and where the stack is.
#[derive(Debug, clap::Args)]
pub struct InvokeArgs {
    /// The event.
    #[arg(long, default_value = "events/turn.json")]
    event: PathBuf,
    /// Only tell whether it could be done.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    running: RunningArgs,
}

/// Invokes the function in Lambda's container.
///
/// # Errors
/// If Docker or the stack is missing, or SAM fails.
pub async fn invoke(arguments: InvokeArgs) -> anyhow::Result<ExitCode> {
    check_docker().await?;
    let running = Running::find(&arguments.running).await?;
    if running
        .variables
        .get("AWS_ENDPOINT_URL_S3")
        .is_some_and(|url| url.contains("127.0.0.1"))
    {
        bail!(
            "the running stack listens on loopback only, where no container reaches it: \
             it was started before Docker; stop it and start it again with `make run`"
        );
    }
    let (_, event) = read_event(&arguments.event)?;
    if arguments.check {
        return Ok(ExitCode::SUCCESS);
    }
    running.start_scribe(&event).await?;
    // SAM gives the function its caller's credentials, whatever the variables say.
    let credentials = running
        .variables
        .iter()
        .filter(|(name, _)| name.starts_with("AWS_") && !name.contains("ENDPOINT"));
    let status = Command::new("sam")
        .envs(credentials)
        .args(["local", "invoke", FUNCTION, "--event"])
        .arg(&arguments.event)
        .arg("--env-vars")
        .arg(&running.variables_file)
        .status()
        .await
        .context("can't start `sam`; `make invoke` puts it on the PATH")?;
    if !status.success() {
        bail!("`sam local invoke` ended with {status}");
    }
    eprintln!("\n{}", running.report(&event).await?);
    Ok(ExitCode::SUCCESS)
}

async fn check_docker() -> anyhow::Result<()> {
    const INSTEAD: &str = "`make invoke-bare` does without it";
    let asked = Command::new("docker")
        .args(["info", "--format", "{{.ServerVersion}}"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    match asked {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => {
            bail!("Docker does not run, or not for this user; start it, then `make run` again; {INSTEAD}")
        }
        Err(_) => bail!("Docker is not installed, and SAM runs the function in a container; {INSTEAD}"),
    }
}
