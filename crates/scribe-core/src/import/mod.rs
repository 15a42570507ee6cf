//! Conversations that another program has kept: what they are, told by their content, and the turns in them.
//!
//! Read are OpenAI's `messages` (one array, an object with one, or a list or JSON lines of such objects, as for
//! fine-tuning and batches), and an export of `ChatGPT` (`conversations.json`, or one conversation of it). Whatever can't be
//! read is named with its place, and the rest is kept. The same file gives the same ids, so an import that is repeated
//! changes nothing.
//!
//! A turn is what a person said and all that was answered to it. What tools were asked and answered is in between: such
//! rounds belong to the turn that ends them, and only what was said to the person is taken.

mod chatgpt;
mod messages;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use crate::ids::{ConversationId, MessageId};

/// A conversation of another program.
#[derive(Clone, PartialEq, Eq)]
pub struct Imported {
    /// Where it stands in the file.
    pub place: String,
    /// Its id: its own, if it has one, else made of its first turn.
    pub conversation_id: ConversationId,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// Its turns, in order.
    pub turns: Vec<ImportedTurn>,
    /// How many of the person's messages nobody answered. They are no turns.
    pub unanswered: usize,
}

/// A turn of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedTurn {
    /// Its id.
    pub message_id: MessageId,
    /// What the person said.
    pub user_message: String,
    /// What the assistant answered.
    pub assistant_response: String,
    /// When the person said it, in milliseconds since 1970, where that is known.
    pub said_at: Option<i64>,
}

impl fmt::Debug for Imported {
    /// Leaves title and texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Imported({}, {}, {} turns)",
            self.place,
            self.conversation_id,
            self.turns.len()
        )
    }
}

impl fmt::Debug for ImportedTurn {
    /// Leaves the texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImportedTurn({})", self.message_id)
    }
}

/// What can't be read, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ImportError {
    /// Where.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// JSON lines of turns, in the scribe's own words.
    Turns,
    /// Conversations of another program, and what could not be read.
    Conversations(Vec<Imported>, Vec<ImportError>),
}

/// One message, whatever program kept it.
struct Said {
    who: Who,
    text: String,
    id: Option<String>,
    at: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Person,
    Assistant,
    /// Asked or answered by a tool: it separates, and says nothing to the person.
    Tool,
}

/// What one conversation is made of.
struct Kept {
    id: Option<String>,
    title: Option<String>,
    said: Vec<Said>,
}

/// Reads a file's content.
///
/// # Errors
/// [`ImportError`] if it is nothing that is known here. What is wrong with one of several conversations is among the
/// contents.
pub fn read(content: &[u8]) -> Result<Contents, ImportError> {
    let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
    if content.trim_ascii().is_empty() {
        return Err(error("the file", "it is empty"));
    }
    let values = match serde_json::from_slice::<Value>(content) {
        Ok(Value::Array(values)) if !is_message_list(&values) => {
            if values.is_empty() {
                return Err(error("the file", "there is no conversation in its list"));
            }
            let name = |index| format!("conversation {}", index + 1);
            values
                .into_iter()
                .enumerate()
                .map(|(index, value)| (name(index), Ok(value)))
                .collect()
        }
        Ok(value) => vec![("the conversation".to_owned(), Ok(value))],
        Err(whole) => match lines(content) {
            Some(lines) => lines,
            None => {
                let place = format!("line {} column {}", whole.line(), whole.column());
                return Err(error(&place, not_json(&whole)));
            }
        },
    };
    // The scribe's own lines have their own reader, which names what is wrong with each.
    if values
        .iter()
        .find_map(|(_, value)| value.as_ref().ok())
        .is_some_and(is_turn)
    {
        return Ok(Contents::Turns);
    }
    let mut ids = HashMap::new();
    let (mut conversations, mut errors) = (Vec::new(), Vec::new());
    for (place, value) in values {
        match value.and_then(|value| kept(&value)) {
            Ok(kept) => conversations.push(imported(place, kept, &mut ids)),
            Err(reason) => errors.push(ImportError { place, reason }),
        }
    }
    match (conversations.is_empty(), errors.first()) {
        (true, Some(first)) => Err(first.clone()),
        _ => Ok(Contents::Conversations(conversations, errors)),
    }
}

fn error(place: &str, reason: &str) -> ImportError {
    ImportError {
        place: place.to_owned(),
        reason: reason.to_owned(),
    }
}

type Placed = (String, Result<Value, String>);

/// JSON lines; none where no line is JSON.
fn lines(content: &[u8]) -> Option<Vec<Placed>> {
    let lines = content
        .split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty());
    let values: Vec<Placed> = lines
        .map(|(number, line)| {
            let value = serde_json::from_slice(line);
            let value = value.map_err(|error: serde_json::Error| {
                format!("{} from column {} on", not_json(&error), error.column())
            });
            (format!("line {number}"), value)
        })
        .collect();
    let is_json = |(_, value): &Placed| matches!(value, Ok(Value::Object(_) | Value::Array(_)));
    values.iter().any(is_json).then_some(values)
}

fn is_message_list(values: &[Value]) -> bool {
    values.first().is_some_and(|first| first.get("role").is_some())
}

fn is_turn(value: &Value) -> bool {
    ["conversationId", "messageId", "userMessage", "assistantResponse"]
        .iter()
        .any(|field| value.get(field).is_some())
}

fn kept(value: &Value) -> Result<Kept, String> {
    if value.get("mapping").is_some() {
        return chatgpt::read(value);
    }
    // A line of a batch has its request inside.
    let inner = value.get("body").filter(|body| body.get("messages").is_some());
    let list = match value {
        Value::Array(_) => Some(value),
        _ => inner.unwrap_or(value).get("messages"),
    };
    let list = list.ok_or("it has neither messages nor the mapping of a ChatGPT export")?;
    let mut id = None;
    for field in ["conversation_id", "custom_id", "id"] {
        id = id.or(name_in(value, field)?);
    }
    Ok(Kept {
        id,
        title: name_in(value, "title")?,
        said: messages::read(list)?,
    })
}

/// What an id or a title says; some programs count their conversations.
fn name_in(value: &Value, field: &str) -> Result<Option<String>, String> {
    match value.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("its {field} is no text")),
    }
}

/// What the parser says, without repeating a text.
fn not_json(error: &serde_json::Error) -> &'static str {
    if error.to_string().starts_with("recursion limit") {
        "it is nested too deeply"
    } else {
        "it is not JSON"
    }
}

/// Makes turns of what was said. `ids` are those that other conversations of the file have.
fn imported(place: String, kept: Kept, ids: &mut HashMap<ConversationId, usize>) -> Imported {
    let (pairs, unanswered) = pairs(kept.said);
    let first = pairs
        .first()
        .map_or(["", ""], |pair| [pair.asked.as_str(), pair.answered.as_str()]);
    let own = kept.id.filter(|id| !id.is_empty());
    let id = own.map_or_else(
        || ConversationId::hashed("import", &first),
        |id| ConversationId::from_foreign(&id),
    );
    let times = ids.entry(id.clone()).or_default();
    *times += 1;
    let conversation_id = match *times {
        1 => id,
        times => ConversationId::hashed("import", &[id.as_str(), &times.to_string()]),
    };
    let mut taken: HashMap<MessageId, usize> = HashMap::new();
    let turns = pairs
        .into_iter()
        .map(|pair| {
            let own = pair.id.and_then(|id| id.parse::<MessageId>().ok());
            let id = own
                .filter(|id| !taken.contains_key(id))
                // As a chat names the turns of a client that does not: a conversation that goes on there goes on.
                .unwrap_or_else(|| {
                    let number = pair.number.to_string();
                    let parts = ["said", conversation_id.as_str(), &number, &pair.asked];
                    MessageId::hashed("chat", &parts)
                });
            taken.insert(id.clone(), pair.number);
            ImportedTurn {
                message_id: id,
                user_message: pair.asked,
                assistant_response: pair.answered,
                said_at: pair.at,
            }
        })
        .collect();
    Imported {
        place,
        conversation_id,
        title: kept.title.filter(|title| !title.trim().is_empty()),
        turns,
        unanswered,
    }
}

/// What was asked and answered.
#[derive(Default)]
struct Pair {
    id: Option<String>,
    at: Option<i64>,
    asked: String,
    answered: String,
    /// How many messages the person had sent by then.
    number: usize,
    /// Whether anything came after the person's message.
    is_over: bool,
}

/// Pairs what was asked with what was answered, and counts what was not.
fn pairs(said: Vec<Said>) -> (Vec<Pair>, usize) {
    let (mut pairs, mut unanswered) = (Vec::new(), 0);
    let mut now = Pair::default();
    let mut number = 0;
    let mut end = |pair: Pair| {
        if !pair.answered.is_empty() {
            pairs.push(pair);
        } else if !pair.asked.is_empty() {
            unanswered += 1;
        }
    };
    for message in said {
        let text = message.text.trim();
        match message.who {
            Who::Tool => now.is_over = true,
            Who::Assistant if text.is_empty() => now.is_over = true,
            Who::Person => {
                number += 1;
                if now.is_over {
                    end(std::mem::take(&mut now));
                }
                if now.asked.is_empty() {
                    (now.id, now.at) = (message.id, message.at);
                }
                now.number = number;
                add(&mut now.asked, text);
            }
            Who::Assistant => {
                if now.asked.is_empty() && now.answered.is_empty() {
                    (now.id, now.at) = (message.id, message.at);
                }
                now.is_over = true;
                add(&mut now.answered, text);
            }
        }
    }
    end(now);
    (pairs, unanswered)
}

fn add(to: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    if !to.is_empty() {
        to.push_str("\n\n");
    }
    to.push_str(text);
}
