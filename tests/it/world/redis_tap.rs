//! A proxy in front of Redis that names what it sees and asks the gate before it lets a command or its answer pass.
//!
//! A connection goes in step: one command, its answer, the next command. That is the order in which Redis works on
//! them, so nothing changes but that a command that is held holds up those behind it. A connection that subscribes is
//! passed through from there on.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use redis::{Script, Value, ValueCodec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::Decoder;

use super::gate::{Gate, Moment, Step, Verdict, Wire};

/// What a tap asks before it lets a step pass.
pub(crate) trait Watch: Send + Sync + 'static {
    /// `client` is the other end of the connection.
    fn pass(&self, step: Step, client: SocketAddr) -> impl Future<Output = Verdict> + Send;
}

impl Watch for Gate {
    async fn pass(&self, step: Step, _: SocketAddr) -> Verdict {
        Self::pass(self, step).await
    }
}

pub(crate) struct RedisTap {
    address: SocketAddr,
}

impl RedisTap {
    /// A tap in front of the Redis at `upstream`, which may come and go.
    pub(crate) async fn start(upstream: SocketAddr, watch: Arc<impl Watch>) -> Self {
        let listener = super::listener().await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((client, address)) = listener.accept().await {
                let watch = Arc::clone(&watch);
                // An error is a connection that ended; its other end is closed with it.
                tokio::spawn(async move { serve(client, address, upstream, &*watch).await });
            }
        });
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}

async fn serve(
    mut client: TcpStream,
    address: SocketAddr,
    upstream: SocketAddr,
    watch: &impl Watch,
) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut commands, mut answers) = (Frames::default(), Frames::default());
    while let Some((raw, command)) = commands.next(&mut client).await? {
        let words = words(&command);
        let step = |moment| Step {
            wire: Wire::Redis,
            name: name(&words),
            moment,
            of: subject(&words),
        };
        // Greetings are the client library's, not the protocol's.
        let greeting = matches!(
            words.first().map(String::as_str),
            Some("CLIENT" | "HELLO" | "AUTH")
        );
        if !greeting && watch.pass(step(Moment::Before), address).await == Verdict::Cut {
            return Ok(());
        }
        server.write_all(&raw).await?;
        if words.first().is_some_and(|word| word.ends_with("SUBSCRIBE")) {
            server.write_all(&commands.rest()).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        let Some((raw, _)) = answers.next(&mut server).await? else {
            return Ok(());
        };
        if !greeting && watch.pass(step(Moment::After), address).await == Verdict::Cut {
            return Ok(());
        }
        client.write_all(&raw).await?;
    }
    Ok(())
}

/// Cuts a stream of bytes into values, as the client's own parser does.
#[derive(Default)]
struct Frames {
    codec: ValueCodec,
    unread: BytesMut,
    /// What the parser has taken of a value that is not whole yet.
    begun: BytesMut,
}

impl Frames {
    /// The next value with its bytes; none where the stream ends.
    async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<(Bytes, Value)>> {
        loop {
            let before = Bytes::copy_from_slice(&self.unread);
            let decoded = self
                .codec
                .decode(&mut self.unread)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.begun
                .extend_from_slice(&before[..before.len() - self.unread.len()]);
            if let Some(value) = decoded {
                return Ok(Some((self.begun.split().freeze(), value)));
            }
            if stream.read_buf(&mut self.unread).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn rest(&mut self) -> Bytes {
        self.unread.split().freeze()
    }
}

fn words(command: &Value) -> Vec<String> {
    let Value::Array(words) = command else {
        return Vec::new();
    };
    words
        .iter()
        .map(|word| match word {
            Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        })
        .collect()
}

/// The script's name, else the command.
fn name(words: &[String]) -> String {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "EVALSHA" => scripts()
            .get(word(1))
            .cloned()
            .unwrap_or_else(|| "EVALSHA".into()),
        "EVAL" => {
            let hash = Script::new(word(1)).get_hash().to_owned();
            scripts().get(&hash).cloned().unwrap_or_else(|| "EVAL".into())
        }
        "SCRIPT" => format!("SCRIPT {}", word(1)),
        command => command.into(),
    }
}

/// The first key.
fn subject(words: &[String]) -> String {
    let at = match words.first().map(String::as_str) {
        Some("EVALSHA" | "EVAL") => 3,
        Some("SCRIPT") => return String::new(),
        _ => 1,
    };
    words.get(at).cloned().unwrap_or_default()
}

/// The names of the scripts by their hashes.
fn scripts() -> &'static HashMap<String, String> {
    static SCRIPTS: OnceLock<HashMap<String, String>> = OnceLock::new();
    SCRIPTS.get_or_init(|| {
        let named = |(name, text): &(String, String)| (Script::new(text).get_hash().to_owned(), name.clone());
        texts().iter().map(named).collect()
    })
}

/// The scripts as Redis is sent them.
pub(crate) fn script_texts() -> impl Iterator<Item = &'static str> {
    texts().iter().map(|(_, text)| text.as_str())
}

/// Names and texts: with what stands in front of most scripts, and alone. They are read from the source tree, so a new
/// one is known at once.
fn texts() -> &'static [(String, String)] {
    static TEXTS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/scribe-trigger/src/ledger/scripts");
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let prologue = read(&folder.join("trigger.lua"));
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = read(&path);
            texts.push((name.clone(), format!("{prologue}{text}")));
            texts.push((name, text));
        }
        texts
    })
}
