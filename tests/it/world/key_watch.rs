//! Watches what scripts do in a Redis: a script touches only keys that it declares, and all of those lie in one slot.
//!
//! A cluster finds out about an undeclared key only where it lies on another node, and a single server never does. So
//! the watch reads MONITOR. There a call of a script stands with its keys, and behind it, marked `lua`, each command
//! that it ran; nothing comes between, because Redis does one thing at a time. Which of a command's words are keys is
//! taken from the server's own table. A command that hides its keys from that table is refused as well.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use redis::Value;

/// How long Redis may take to show the watch what was asked of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is watched, also while it is away and after it came back.
pub(crate) struct KeyWatch {
    port: u16,
    noted: Arc<Mutex<Noted>>,
    reader: Option<Reader>,
    marks: usize,
}

/// What MONITOR of one life of the server is read by.
struct Reader {
    thread: JoinHandle<()>,
    /// Locked so that a test's tasks may share the server.
    marks: Mutex<Receiver<String>>,
}

#[derive(Default)]
struct Noted {
    /// Texts of the scripts that the server has, by hash.
    loaded: HashMap<String, String>,
    /// Texts of the scripts that it ran.
    ran: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl KeyWatch {
    pub(crate) fn start(port: u16) -> Self {
        let mut watch = Self {
            port,
            noted: Arc::default(),
            reader: None,
            marks: 0,
        };
        watch.attach();
        watch
    }

    /// Watches the server again, after it was started again. It has no scripts then.
    pub(crate) fn attach(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.thread.join().unwrap();
        }
        self.noted.lock().unwrap().loaded.clear();
        let table = key_table(self.port);
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        stream.get_mut().write_all(b"MONITOR\r\n").unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).unwrap();
        assert_eq!(answer, "+OK\r\n");
        let (send_mark, marks) = mpsc::channel();
        let noted = Arc::clone(&self.noted);
        let thread = std::thread::spawn(move || read(stream, table, &noted, &send_mark));
        self.reader = Some(Reader {
            thread,
            marks: Mutex::new(marks),
        });
    }

    /// The scripts that ran so far, by their texts.
    pub(crate) fn ran(&mut self) -> BTreeSet<String> {
        self.catch_up();
        self.noted.lock().unwrap().ran.clone()
    }

    /// What scripts did so far that they may not; it is forgotten.
    pub(crate) fn take_refused(&mut self) -> BTreeSet<String> {
        self.catch_up();
        std::mem::take(&mut self.noted.lock().unwrap().refused)
    }

    /// Waits until everything is noted that the server did up to now; one that is away does nothing any more.
    fn catch_up(&mut self) {
        let Some(reader) = &self.reader else { return };
        self.marks += 1;
        let mark = format!("key-watch-{}", self.marks);
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            write!(stream, "*2\r\n$4\r\nECHO\r\n${}\r\n{mark}\r\n", mark.len())?;
            Ok(stream)
        });
        // The connection stays until the server has shown the mark.
        let Ok(_asked) = asked else { return };
        loop {
            match reader.marks.lock().unwrap().recv_timeout(PATIENCE) {
                Ok(seen) if seen != mark => {}
                Ok(_) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let refused = "redis did not show what its scripts did";
                    self.noted.lock().unwrap().refused.insert(refused.into());
                    return;
                }
            }
        }
    }
}

/// Where a command has its keys.
#[derive(Clone, Copy)]
enum KeysAt {
    Nowhere,
    /// First, last (from the end if negative), step.
    Range(usize, i64, usize),
    /// The server's table does not say, or not for every form of the command.
    Hidden,
}

/// The server's own table of its commands.
fn key_table(port: u16) -> &'static HashMap<String, KeysAt> {
    static TABLE: OnceLock<HashMap<String, KeysAt>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let commands: Vec<Vec<Value>> = redis::cmd("COMMAND")
            .query(&mut client.get_connection().unwrap())
            .unwrap();
        commands.iter().map(|command| entry(command)).collect()
    })
}

/// An entry of the table: name, arity, flags, first key, last key, step, categories, tips, key specs, subcommands.
fn entry(command: &[Value]) -> (String, KeysAt) {
    let number = |at: usize| redis::from_redis_value_ref::<i64>(&command[at]).unwrap();
    let name: String = redis::from_redis_value_ref(&command[0]).unwrap();
    let flags: Vec<String> = redis::from_redis_value_ref(&command[2]).unwrap();
    let has_subcommands = matches!(&command[9], Value::Array(subcommands) if !subcommands.is_empty());
    let keys = match usize::try_from(number(3)).unwrap() {
        _ if has_subcommands || flags.iter().any(|flag| flag == "movablekeys") => KeysAt::Hidden,
        0 => KeysAt::Nowhere,
        first => KeysAt::Range(first, number(4), usize::try_from(number(5)).unwrap()),
    };
    (name.to_uppercase(), keys)
}

/// Reads MONITOR until the server ends.
fn read(
    mut stream: BufReader<TcpStream>,
    table: &HashMap<String, KeysAt>,
    noted: &Mutex<Noted>,
    marks: &Sender<String>,
) {
    // The script that runs, and the keys that it declared.
    let mut running = (String::new(), BTreeSet::new());
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if !matters(&line) {
            line.clear();
            continue;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        let (source, words) = parse(&text).unwrap_or_else(|| panic!("not a line of MONITOR: {text:?}"));
        let mut noted = noted.lock().unwrap();
        let name = words[0].to_uppercase();
        if source == "lua" {
            let (script, declared) = &running;
            for key in undeclared(&name, &words, declared, table) {
                let first_line = script.lines().find(|line| !line.is_empty()).unwrap_or_default();
                noted.refused.insert(format!(
                    "{name} touched {key}, which is not declared: {first_line:.80}"
                ));
            }
            continue;
        }
        match name.as_str() {
            "SCRIPT" if words[1].eq_ignore_ascii_case("load") => {
                let hash = redis::Script::new(&words[2]).get_hash().to_owned();
                noted.loaded.insert(hash, words[2].clone());
            }
            "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" => {
                let script = if name.starts_with("EVALSHA") {
                    noted.loaded.get(&words[1].to_lowercase()).cloned()
                } else {
                    Some(words[1].clone())
                };
                let count: usize = words[2].parse().unwrap_or_default();
                let declared: BTreeSet<String> = words[3..].iter().take(count).cloned().collect();
                let slots: BTreeSet<&str> = declared.iter().map(|key| hash_tag(key)).collect();
                if slots.len() > 1 {
                    noted
                        .refused
                        .insert(format!("keys of several slots are declared: {declared:?}"));
                }
                // The server does not know a script that it was not given: it says so and runs nothing.
                noted.ran.extend(script.clone());
                running = (script.unwrap_or_default(), declared);
            }
            "ECHO" => drop(marks.send(words[1].clone())),
            _ => {}
        }
    }
}

/// Whether a line is worth taking apart: a script's command, or one of those that the watch knows. A test may send a
/// hundred thousand others.
fn matters(line: &[u8]) -> bool {
    let Some(end) = line.iter().position(|&byte| byte == b']') else {
        return false;
    };
    let (source, command) = line.split_at(end);
    let begins = |name: &[u8]| {
        let begin = command.get(3..3 + name.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name))
    };
    source.ends_with(b" lua") || begins(b"EVAL") || begins(b"SCRIPT") || begins(b"ECHO")
}

/// The keys of a script's command that the script did not declare.
fn undeclared(
    name: &str,
    words: &[String],
    declared: &BTreeSet<String>,
    table: &HashMap<String, KeysAt>,
) -> Vec<String> {
    match table.get(name).copied().unwrap_or(KeysAt::Hidden) {
        KeysAt::Nowhere => Vec::new(),
        KeysAt::Hidden => vec!["a key that can't be seen".into()],
        KeysAt::Range(first, last, step) => {
            let last = match usize::try_from(last) {
                Ok(last) => last,
                Err(_) => words.len() - usize::try_from(-last).unwrap(),
            };
            let keys = words.iter().take(last + 1).skip(first).step_by(step);
            keys.filter(|key| !declared.contains(*key)).cloned().collect()
        }
    }
}

/// What a cluster hashes of a key.
fn hash_tag(key: &str) -> &str {
    key.split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or(key, |(tag, _)| if tag.is_empty() { key } else { tag })
}

/// Takes a line apart: `+1339518083.107412 [0 127.0.0.1:60866] "set" "key" "a \"value\""`, without the time.
fn parse(line: &str) -> Option<(&str, Vec<String>)> {
    let (source, rest) = line.split_once(" [")?.1.split_once("] ")?;
    let source = source.split_once(' ')?.1;
    let mut words = Vec::new();
    let mut rest = rest.chars();
    while rest.find(|&c| c == '"').is_some() {
        let mut word = Vec::new();
        loop {
            match rest.next()? {
                '"' => break,
                '\\' => match rest.next()? {
                    'n' => word.push(b'\n'),
                    'r' => word.push(b'\r'),
                    't' => word.push(b'\t'),
                    'a' => word.push(7),
                    'b' => word.push(8),
                    'x' => {
                        let digits = format!("{}{}", rest.next()?, rest.next()?);
                        word.push(u8::from_str_radix(&digits, 16).ok()?);
                    }
                    quoted => word.extend(quoted.to_string().bytes()),
                },
                plain => word.extend(plain.to_string().bytes()),
            }
        }
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Some((source, words)).filter(|(_, words)| !words.is_empty())
}
