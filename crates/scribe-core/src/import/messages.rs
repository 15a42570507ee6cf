//! OpenAI's `messages`: `[{role, content}]`.

use serde_json::Value;

use super::{Said, Who};

/// Reads a list of messages.
pub(super) fn read(list: &Value) -> Result<Vec<Said>, String> {
    let Value::Array(list) = list else {
        return Err("its messages are no list".to_owned());
    };
    let mut said = Vec::new();
    for (index, message) in list.iter().enumerate() {
        let number = index + 1;
        let role = message.get("role").and_then(Value::as_str);
        let who = match role {
            Some("user") => Who::Person,
            Some("assistant") => Who::Assistant,
            Some("tool" | "function") => Who::Tool,
            // What the application told the model is no part of the conversation.
            Some("system" | "developer") => continue,
            Some(_) => return Err(format!("message {number}: its role is not one of OpenAI's")),
            None => return Err(format!("message {number}: it has no role")),
        };
        let text = match message.get("content") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => {
                text_of(parts).map_err(|reason| format!("message {number}: {reason}"))?
            }
            Some(_) => {
                return Err(format!(
                    "message {number}: its content is no text and no list of parts"
                ));
            }
        };
        // A message with a call may speak to the person as well; the round goes on all the same.
        said.push(Said {
            who,
            text,
            id: message.get("id").and_then(Value::as_str).map(str::to_owned),
            at: None,
        });
    }
    if said.is_empty() {
        return Err("there is no message in it".to_owned());
    }
    Ok(said)
}

fn text_of(parts: &[Value]) -> Result<String, String> {
    let mut texts = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match (part, part.get("text")) {
            (Value::String(text), _) | (Value::Object(_), Some(Value::String(text))) => {
                texts.push(text.as_str());
            }
            // A picture, a sound or a file.
            (Value::Object(_), None | Some(Value::Null)) => {}
            _ => return Err(format!("part {} of its content is no text", index + 1)),
        }
    }
    Ok(texts.join("\n\n"))
}
