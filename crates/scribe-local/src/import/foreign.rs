//! What a file holds: turns in the scribe's own words, or conversations that another program has kept, in a ZIP or not.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use scribe_core::chat::is_invisible;
use scribe_core::import::{self, Contents, Imported};

use super::transcript::{Line, Skipped, Transcript, Turn};

/// The most that is read, in bytes, also of what a ZIP holds.
const MOST_BYTES: u64 = 1 << 30;
/// How many times larger than in its ZIP a file may be. Conversations are five to ten times as large, a file that is
/// made to fill a memory a thousand times.
const MOST_TIMES: u64 = 100;
/// What every ZIP begins with.
const ZIP: &[u8] = b"PK\x03\x04";
/// The longest title that the API takes, in characters.
const TITLE_CHARS: usize = 200;

/// What a file holds.
pub(super) struct Found {
    contents: Contents,
    bytes: Vec<u8>,
}

/// Reads a file.
pub(super) fn open(path: &Path) -> anyhow::Result<Found> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("can't read {shown}"))?;
    let mut bytes = Vec::new();
    let read = (&file).take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("can't read {shown}"))?;
    check_size(&bytes)?;
    if bytes.starts_with(ZIP) {
        bytes = unzip(file).with_context(|| format!("can't read the export {shown}"))?;
    }
    let contents = import::read(&bytes).with_context(|| format!("can't read {shown}"))?;
    Ok(Found { contents, bytes })
}

fn check_size(bytes: &[u8]) -> anyhow::Result<()> {
    let is_small = u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST_BYTES);
    ensure!(is_small, "it is larger than {MOST_BYTES} bytes");
    Ok(())
}

/// The conversations of `ChatGPT`'s export.
fn unzip(file: File) -> anyhow::Result<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(file).context("it is no whole ZIP")?;
    let name = archive
        .file_names()
        .flatten()
        .find(|name| name.rsplit('/').next() == Some("conversations.json"))
        .map(std::borrow::Cow::into_owned)
        .context("there is no conversations.json in it")?;
    let member = archive.by_name(&name)?;
    let size = member.size();
    ensure!(
        size <= member.compressed_size().saturating_mul(MOST_TIMES),
        "its conversations.json is more than {MOST_TIMES} times as large as in the ZIP, which no conversation is"
    );
    let mut bytes = Vec::new();
    // What it says of its size may be wrong.
    let most = size.min(MOST_BYTES);
    member.take(most + 1).read_to_end(&mut bytes)?;
    check_size(&bytes)?;
    ensure!(
        u64::try_from(bytes.len())? <= most,
        "its conversations.json is larger than it says"
    );
    Ok(bytes)
}

impl Found {
    /// The conversations, for people.
    pub(super) fn list(&self) -> String {
        match &self.contents {
            Contents::Turns => {
                let transcript = Transcript::parse(&self.bytes);
                let conversations = transcript.conversations().into_iter().map(one_line);
                conversations.collect::<Vec<_>>().join("\n")
            }
            Contents::Conversations(conversations, errors) => {
                let mut text = String::new();
                for (index, conversation) in conversations.iter().enumerate() {
                    let title = one_line(conversation.title.as_deref().unwrap_or("(no title)"));
                    let turns = conversation.turns.len();
                    let _ = writeln!(text, "{:>4}  {title} ({turns} turns)", index + 1);
                }
                for error in errors {
                    let _ = writeln!(text, "can't be read: {error}");
                }
                text.truncate(text.trim_end().len());
                text
            }
        }
    }

    /// The turns of all conversations, or of one.
    pub(super) fn transcript(self, only: Option<&str>) -> anyhow::Result<Transcript> {
        let (conversations, errors) = match self.contents {
            Contents::Turns if only.is_some() => {
                bail!("--only is for exports; in a transcript leave the other lines out")
            }
            Contents::Turns => return Ok(Transcript::parse(&self.bytes)),
            Contents::Conversations(conversations, errors) => (conversations, errors),
        };
        let chosen = match only {
            Some(only) => vec![choose(conversations, only)?],
            None => conversations,
        };
        let mut transcript = Transcript::default();
        // What was not asked for needs no reading.
        let errors = errors.into_iter().filter(|_| only.is_none());
        transcript.skipped.extend(errors.map(|error| Skipped {
            place: error.place,
            reason: error.reason,
        }));
        for conversation in chosen {
            add(&mut transcript, conversation);
        }
        Ok(transcript)
    }
}

/// A conversation by its number in the list or by its title.
fn choose(conversations: Vec<Imported>, only: &str) -> anyhow::Result<Imported> {
    let count = conversations.len();
    let number: Option<usize> = only.parse().ok();
    let has_title = |conversation: &Imported| {
        let title = conversation.title.as_deref().unwrap_or_default();
        title.trim().to_lowercase() == only.trim().to_lowercase()
    };
    let titled: Vec<usize> = (0..count).filter(|&at| has_title(&conversations[at])).collect();
    let at = match (titled.as_slice(), number) {
        ([at], _) => *at,
        ([], Some(number)) if (1..=count).contains(&number) => number - 1,
        ([], _) => bail!("there is no conversation {only:?} among {count}; --list shows them"),
        _ => bail!(
            "{} conversations are called {only:?}; take one by its number",
            titled.len()
        ),
    };
    conversations.into_iter().nth(at).context("it is not there")
}

fn add(transcript: &mut Transcript, conversation: Imported) {
    let id = conversation.conversation_id.to_string();
    transcript.unanswered += conversation.unanswered;
    // Without a turn there is nothing to start a document for.
    let title = conversation.title.filter(|_| !conversation.turns.is_empty());
    if let Some(title) = title
        .map(|title| one_line(&title))
        .filter(|title| !title.is_empty())
    {
        transcript.titles.insert(id.clone(), title);
    }
    for (index, turn) in conversation.turns.into_iter().enumerate() {
        let said_at = turn.said_at.and_then(|at| Timestamp::from_millisecond(at).ok());
        transcript.lines.push(Line {
            place: format!("{}, turn {}", conversation.place, index + 1),
            turn: Turn {
                conversation_id: id.clone(),
                message_id: turn.message_id.to_string(),
                user_message: turn.user_message,
                assistant_response: turn.assistant_response,
                timestamp: said_at.map(|at| at.to_string()),
            },
        });
    }
}

/// A title as the API takes it, and as a terminal may show it.
pub(super) fn one_line(title: &str) -> String {
    let words: Vec<&str> = title
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let joined = words.join(" ");
    let shown = joined.trim().chars().filter(|c| !is_invisible(*c));
    shown.take(TITLE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::{Value, json};

    use super::*;

    fn conversation(title: &str, said: &str) -> Value {
        let message = |role: &str, text: &str| {
            json!({ "author": { "role": role }, "recipient": "all",
                "content": { "content_type": "text", "parts": [text] }, "create_time": 1_763_826_000.5 })
        };
        json!({ "title": title, "conversation_id": format!("id-{said}"), "current_node": "a", "mapping": {
            "u": { "message": message("user", said), "parent": null },
            "a": { "message": message("assistant", "I see."), "parent": "u" },
        } })
    }

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn zipped(name: &str, text: &str) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file("user.json", options).unwrap();
        archive.write_all(b"{}").unwrap();
        archive.start_file(name, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
        archive.finish().unwrap().into_inner()
    }

    fn export() -> String {
        json!([
            conversation("The harbour", "one"),
            conversation("Bread", "two"),
            conversation("bread ", "three"),
        ])
        .to_string()
    }

    fn chosen(file: &tempfile::NamedTempFile, only: Option<&str>) -> Result<Vec<String>, String> {
        let transcript = open(file.path()).and_then(|found| found.transcript(only));
        let transcript = transcript.map_err(|error| format!("{error:#}"))?;
        Ok(transcript
            .lines
            .iter()
            .map(|line| line.turn.user_message.clone())
            .collect())
    }

    #[test]
    fn an_export_is_read_in_its_zip_or_out_of_it() {
        let plain = written(export().as_bytes());
        let zip = written(&zipped("export/conversations.json", &export()));
        for file in [plain, zip] {
            assert_eq!(chosen(&file, None).unwrap(), ["one", "two", "three"]);
            assert_eq!(chosen(&file, Some("THE HARBOUR")).unwrap(), ["one"]);
            assert_eq!(chosen(&file, Some("3")).unwrap(), ["three"]);
            let twice = chosen(&file, Some("bread")).unwrap_err();
            assert!(twice.contains("2 conversations are called"), "{twice}");
            let absent = chosen(&file, Some("4")).unwrap_err();
            assert!(absent.contains("--list"), "{absent}");
            let found = open(file.path()).unwrap();
            assert!(
                found
                    .list()
                    .starts_with("   1  The harbour (1 turns)\n   2  Bread")
            );
            let transcript = found.transcript(None).unwrap();
            assert_eq!(transcript.titles["id-one"], "The harbour");
            let first = &transcript.lines[0];
            assert_eq!(first.turn.timestamp.as_deref(), Some("2025-11-22T15:40:00.5Z"));
            assert_eq!(first.place, "conversation 1, turn 1");
        }
    }

    #[test]
    fn a_file_that_is_none_says_why() {
        let other = written(&zipped("notes.json", "[]"));
        let error = chosen(&other, None).unwrap_err();
        assert!(error.ends_with("there is no conversations.json in it"), "{error}");
        let cut = written(&zipped("conversations.json", &export())[..100]);
        assert!(chosen(&cut, None).unwrap_err().contains("it is no whole ZIP"));
        let diary = written(b"Dear diary");
        assert!(
            chosen(&diary, None)
                .unwrap_err()
                .ends_with("line 1 column 1: it is not JSON")
        );
    }
}
