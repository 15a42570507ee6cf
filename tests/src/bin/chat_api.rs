//! The API as a process of its own, which a test can kill and stop. It serves the listener that it gets as its standard
//! input, so that whoever starts it anew after a kill goes on with the same address, and it ends with its parent.

use std::os::fd::AsFd as _;
use std::time::Duration;

use scribe_api::ApiState;
use scribe_api::config::ApiConfig;
use scribe_engine::config::DocumentsConfig;
use scribe_engine::{ChatConfig, Conversations, Documents, Upstream};
use scribe_trigger::{Dispatcher, Ledger, Recorder, TriggerConfig};
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    tokio::spawn(end_with_parent(std::os::unix::process::parent_id()));
    let listener = std::net::TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    let router = scribe_api::router(state().await?, &ApiConfig::from_env()?);
    axum::serve(TcpListener::from_std(listener)?, router).await?;
    Ok(())
}

/// What a service of this kind has: everything from the environment.
async fn state() -> Result<ApiState, Error> {
    let trigger = TriggerConfig::from_env()?;
    let ledger = Ledger::connect(&trigger)?;
    let dispatcher = Dispatcher::from_env(&trigger).await;
    let documents = Documents::from_env(&DocumentsConfig::from_env()?).await;
    Ok(ApiState {
        open_chats: scribe_api::OpenChats::default(),
        chat: Upstream::new(ChatConfig::from_env()?)?,
        conversations: Conversations::new(ledger.clone(), documents, dispatcher.clone()),
        recorder: Recorder::new(ledger, dispatcher, &trigger),
        health_timeout: Duration::from_secs(2),
        events: scribe_api::Events::default(),
    })
}

/// A parent that was killed can't end its children.
async fn end_with_parent(parent: u32) {
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    std::process::exit(1);
}
