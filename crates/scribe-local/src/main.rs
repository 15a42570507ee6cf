//! `scribe-local`: Background Scribe on one machine. the Makefile's recipes call it.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use scribe_local::import::{self, ImportArgs};
use scribe_local::invoke::{self, BareArgs, InvokeArgs};
use scribe_local::run::{self, RunArgs};
use tracing_subscriber::EnvFilter;

/// Background Scribe on one machine.
#[derive(Debug, Parser)]
#[command(name = "scribe-local", version)]
enum Command {
    /// Start everything, until Ctrl-C.
    Run(RunArgs),
    /// Send a transcript through a running stack.
    Import(ImportArgs),
    /// Send one event through the built function in Lambda's container; needs Docker.
    Invoke(InvokeArgs),
    /// The same without Docker, under AWS' runtime interface emulator.
    InvokeBare(BareArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,scribe_local=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let ended = match Command::parse() {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Import(arguments) => import::import(arguments).await,
        Command::Invoke(arguments) => invoke::invoke(arguments).await,
        Command::InvokeBare(arguments) => invoke::invoke_bare(arguments).await,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
