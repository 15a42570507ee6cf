//! `scribe-local run`: the stack, from start to Ctrl-C.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use scribe_api::config::ApiConfig;
use scribe_engine::EngineConfig;
use scribe_engine::NarratorConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::stack::{
    DEFAULT_BUCKET, LOCAL_KEY, LOCAL_REGION, Stack, StackConfig, YourModel, YourS3, parse_address,
};

/// Further variables that the function's clients and its log read.
const PASSED_ON: [&str; 12] = [
    "RUST_LOG",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Where to listen and what to use. Every other `SCRIBE_…` variable is passed on to the function.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Where the API listens: on loopback, unless authentication is configured.
    #[arg(long, env = "SCRIBE_ADDR", default_value = "127.0.0.1:3000", value_parser = parse_address)]
    addr: SocketAddr,
    /// The folder for documents, queues and logs.
    #[arg(long, env = "SCRIBE_DATA", default_value = ".scribe")]
    data: PathBuf,
    /// A Redis of yours, instead of one that is started.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// The bucket.
    #[arg(long, env = "SCRIBE_BUCKET", default_value = DEFAULT_BUCKET)]
    bucket: String,
    /// An S3 of yours, instead of the embedded one.
    #[arg(long, env = "AWS_ENDPOINT_URL_S3", value_name = "URL")]
    s3_endpoint: Option<String>,
    /// The region of your S3.
    #[arg(long, env = "AWS_REGION")]
    region: Option<String>,
    /// The key of your S3.
    #[arg(long, env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    access_key_id: Option<String>,
    /// Its secret half; better given as a variable.
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret_access_key: Option<String>,
    /// The session token of your S3's key; better given as a variable.
    #[arg(long, env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    session_token: Option<String>,
    /// An OpenAI-compatible server, instead of the stand-in model.
    #[arg(long, env = "OPENAI_BASE_URL", value_name = "URL")]
    openai_base_url: Option<String>,
    /// A key for OpenAI, or for that server; better given as a variable.
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true)]
    openai_api_key: Option<String>,
}

impl RunArgs {
    /// The stack that is asked for. Empty variables count as not set.
    fn config(self) -> anyhow::Result<StackConfig> {
        EngineConfig::check_env()?;
        let set = |value: Option<String>| value.filter(|value| !value.is_empty());
        let executable = std::env::current_exe().context("can't tell where this program is")?;
        let binaries = executable.parent().context("this program is in no folder")?;
        let (base_url, api_key) = (set(self.openai_base_url), set(self.openai_api_key));
        let model = (base_url.is_some() || api_key.is_some()).then(|| YourModel {
            base_url,
            api_key: api_key.map(Into::into),
        });
        if model.is_some() {
            // The function reads the same variables; here a wrong one is seen before anything is started.
            NarratorConfig::from_env()?;
        }
        let s3 = set(self.s3_endpoint).map(|endpoint| YourS3 {
            endpoint,
            region: set(self.region).unwrap_or_else(|| LOCAL_REGION.to_owned()),
            access_key: set(self.access_key_id).unwrap_or_else(|| LOCAL_KEY.to_owned()),
            secret_key: set(self.secret_access_key)
                .unwrap_or_else(|| LOCAL_KEY.to_owned())
                .into(),
            session_token: set(self.session_token).map(Into::into),
        });
        Ok(StackConfig {
            redis: set(self.redis_url).map(Into::into),
            s3,
            model,
            bucket: self.bucket,
            environment: passed_on(std::env::vars()),
            api: ApiConfig::from_env()?,
            ..StackConfig::new(self.addr, self.data, binaries)
        })
    }
}

/// What the function gets of our own environment.
fn passed_on(variables: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut passed_on = Vec::new();
    for (name, value) in variables {
        match name.as_str() {
            "SCRIBE_ADDR" | "SCRIBE_DATA" | "SCRIBE_TOKEN" => {}
            // Two of these are secrets, and no function reads any.
            ours if scribe_api::config::VARIABLES.contains(&ours) => {}
            "NO_PROXY" | "no_proxy" => passed_on.push(("NO_PROXY".to_owned(), value)),
            other if other.starts_with("SCRIBE_") || PASSED_ON.contains(&other) => {
                passed_on.push((name, value));
            }
            _ => {}
        }
    }
    if !passed_on.iter().any(|(name, _)| name == "RUST_LOG") {
        passed_on.push(("RUST_LOG".to_owned(), "info".to_owned()));
    }
    passed_on
}

/// Runs the stack until Ctrl-C or SIGTERM, or until a part of it fails.
///
/// The exit code is 0 after a signal, 130 after a second one, 1 after a failure.
///
/// # Errors
/// If it can't be started.
pub async fn run(arguments: RunArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let config = arguments.config()?;
    let stack = tokio::select! {
        started = Stack::start(config) => started?,
        () = signals.next() => return Ok(ExitCode::from(130)),
    };
    say(&banner(&stack));
    let failure = tokio::select! {
        () = signals.next() => None,
        failure = stack.failure() => Some(failure),
    };
    if let Some(failure) = &failure {
        say(&format!("\nerror: {failure:#}"));
    }
    say("Stopping. Once more to stop at once.");
    tokio::select! {
        () = stack.stop() => {}
        () = signals.next() => return Ok(ExitCode::from(130)),
    }
    say("Stopped.");
    Ok(if failure.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What asks us to stop.
struct Signals {
    each: [Signal; 3],
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("can't listen for signals");
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [interrupt, terminate, hangup] = kinds.map(listen);
        Ok(Self {
            each: [interrupt?, terminate?, hangup?],
        })
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.each;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

fn banner(stack: &Stack) -> String {
    let places = stack.places();
    let width = places
        .iter()
        .map(|place| place.address.len())
        .max()
        .unwrap_or_default();
    let mut text = "\nBackground Scribe is running. Ctrl-C stops it.\n\n".to_owned();
    for place in &places {
        let line = format!(
            "  {:<7} {:<width$}  {}",
            place.service, place.address, place.remark
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if stack.has_stand_in_model() {
        text += "\nNo OPENAI_API_KEY or OPENAI_BASE_URL is set: a stand-in model writes plain extracts.\n";
    }
    if !stack.has_authentication() {
        text += "\nNo SCRIBE_JWT_SECRET or SCRIBE_API_KEYS is set: this machine alone is served, and everybody on it is \
                 `default-user` of the tenant `default`.\n";
    }
    if let Some(address) = stack.container_address() {
        let _ = writeln!(
            text,
            "\nContainers reach the services at {address} (for `make invoke`)."
        );
    }
    text += &how_to_try(&format!("http://{}", stack.address()), stack.has_authentication());
    text
}

/// The first things to do, to be copied as they are.
fn how_to_try(api: &str, has_authentication: bool) -> String {
    let (first, token) = if has_authentication {
        (
            "export SCRIBE_TOKEN='…'    # a token or a key that this API takes\n\n  ",
            " \\\n       -H \"authorization: Bearer $SCRIBE_TOKEN\"",
        )
    } else {
        ("", "")
    };
    let base = format!("{api}/api/chat/background-doc");
    let json = format!("{token} -H 'content-type: application/json'");
    format!(
        "\nOpen {api} in a browser. Or try it in another terminal:\n\n  {first}\
         make import FILE=transcript.jsonl TITLE=\"The title\"\n\n  \
         curl {base}/start{json} \\\n       \
         -d '{{\"conversationId\": \"hello\", \"title\": \"Hello\"}}'\n  \
         curl {base}/turns{json} \\\n       \
         -d '{{\"conversationId\": \"hello\", \"messageId\": \"m1\", \"userMessage\": \"Who built the lighthouse?\", \
         \"assistantResponse\": \"Maren of Voss, in the year 412.\"}}'\n  \
         curl {base}/hello/turns{token}\n"
    )
}

/// Prints for people. Nobody may be reading any more; that is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_tried_shows_a_token_where_one_is_wanted() {
        let api = "http://127.0.0.1:3000";
        let commands = |text: &str| text.matches("curl http://127.0.0.1:3000/api/").count();
        let open = how_to_try(api, false);
        assert_eq!((commands(&open), open.matches("TOKEN").count()), (3, 0), "{open}");
        let closed = how_to_try(api, true);
        assert_eq!(
            (commands(&closed), closed.matches("Bearer $SCRIBE_TOKEN").count()),
            (3, 3),
            "{closed}"
        );
    }

    #[test]
    fn the_function_gets_what_concerns_it() {
        let variables = [
            ("SCRIBE_MODEL", "small"),
            ("SCRIBE_ADDR", "127.0.0.1:3000"),
            ("SCRIBE_JWT_SECRET", "secret"),
            ("SCRIBE_API_KEYS", "secret"),
            ("HTTPS_PROXY", "http://proxy"),
            ("no_proxy", "intranet"),
            ("GITHUB_TOKEN", "secret"),
        ];
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let names: Vec<_> = passed_on(variables).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["SCRIBE_MODEL", "HTTPS_PROXY", "NO_PROXY", "RUST_LOG"]);
    }
}
