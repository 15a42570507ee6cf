//! A conversation of an export of `ChatGPT`: a tree of messages, because people edit and regenerate. The branch that ends at
//! `current_node` is the one that is seen; the others are left out.

use std::collections::HashSet;

use serde_json::Value;

use super::{Kept, Said, Who, name_in};

/// Reads a conversation.
pub(super) fn read(conversation: &Value) -> Result<Kept, String> {
    let Some(Value::Object(mapping)) = conversation.get("mapping") else {
        return Err("its mapping is no object".to_owned());
    };
    let Some(current) = conversation.get("current_node").and_then(Value::as_str) else {
        return Err("its current_node is missing".to_owned());
    };
    let mut branch = Vec::new();
    let mut visited = HashSet::new();
    let mut next = Some(current);
    while let Some(id) = next {
        if !visited.insert(id) {
            return Err("its mapping goes in a circle".to_owned());
        }
        let Some(node) = mapping.get(id) else {
            let what = if branch.is_empty() {
                "current_node"
            } else {
                "a parent"
            };
            return Err(format!("{what} is not in its mapping"));
        };
        next = match node.get("parent") {
            None | Some(Value::Null) => None,
            Some(Value::String(parent)) => Some(parent),
            Some(_) => return Err(format!("{}: its parent is no text", named(id))),
        };
        branch.push((id, node));
    }
    let mut said = Vec::new();
    for (id, node) in branch.into_iter().rev() {
        said.extend(said_in(id, node).map_err(|reason| format!("{}: {reason}", named(id)))?);
    }
    let id = match name_in(conversation, "conversation_id")? {
        None => name_in(conversation, "id")?,
        id => id,
    };
    Ok(Kept {
        id,
        title: name_in(conversation, "title")?,
        said,
    })
}

/// A node, for people. Ids come from the file and may be anything.
fn named(id: &str) -> String {
    let beginning: String = id.chars().take(40).collect();
    format!("node {beginning:?}")
}

/// What was said at a node, if it is a message that people see.
fn said_in(id: &str, node: &Value) -> Result<Option<Said>, &'static str> {
    let message = match node {
        Value::Object(node) => node.get("message").unwrap_or(&Value::Null),
        _ => return Err("it is no object"),
    };
    match message {
        // The root has none.
        Value::Null => return Ok(None),
        Value::Object(_) => {}
        _ => return Err("its message is no object"),
    }
    let role = message.pointer("/author/role").and_then(Value::as_str);
    let role = role.ok_or("its message has no author.role")?;
    let hidden = message.pointer("/metadata/is_visually_hidden_from_conversation");
    if hidden.and_then(Value::as_bool) == Some(true) {
        return Ok(None);
    }
    let is_for_all = message
        .get("recipient")
        .and_then(Value::as_str)
        .is_none_or(|recipient| recipient == "all");
    let kind = message.pointer("/content/content_type").and_then(Value::as_str);
    let is_text = matches!(kind, None | Some("text" | "multimodal_text"));
    let who = match role {
        "user" => Who::Person,
        "assistant" if is_for_all && is_text => Who::Assistant,
        // A call of a tool, or what a model thinks.
        "assistant" | "tool" => Who::Tool,
        _ => return Ok(None),
    };
    if who == Who::Person && !is_text {
        // What ChatGPT tells the model of its user.
        return Ok(None);
    }
    // What tools say is not taken, whatever it is.
    let text = if who == Who::Tool {
        String::new()
    } else {
        text_of(message)?
    };
    let id = message.get("id").and_then(Value::as_str).unwrap_or(id);
    Ok(Some(Said {
        who,
        text,
        id: Some(id.to_owned()),
        at: message
            .get("create_time")
            .and_then(Value::as_f64)
            .and_then(millis),
    }))
}

fn text_of(message: &Value) -> Result<String, &'static str> {
    let parts = match message.pointer("/content/parts") {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::Array(parts)) => parts,
        Some(_) => return Err("its content.parts are no list"),
    };
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Value::String(text) => texts.push(text.as_str()),
            // A picture or a file.
            Value::Object(_) | Value::Null => {}
            _ => return Err("one of its content.parts is no text"),
        }
    }
    Ok(texts.join("\n\n"))
}

/// Seconds since 1970, as a whole number of milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and parts of a millisecond are dropped"
)]
fn millis(seconds: f64) -> Option<i64> {
    (0.0..1e11)
        .contains(&seconds)
        .then_some((seconds * 1000.0) as i64)
}
