//! A conversation of an export of `ChatGPT`: a tree of messages, because people edit and regenerate. The branch that ends at
//! `current_node` is the one that is seen; the others are left out.

use std::collections::HashSet;

use serde_json::Value;

use super::{Kept, Said, Who};

/// Reads a conversation.
pub(super) fn read(conversation: &Value) -> Result<Kept, String> {
    let text = |field| conversation.get(field).and_then(Value::as_str);
    let Some(Value::Object(mapping)) = conversation.get("mapping") else {
        return Err("its mapping is no object".to_owned());
    };
    let Some(current) = text("current_node") else {
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
        branch.push((id, node));
        next = node.get("parent").and_then(Value::as_str);
    }
    let said = branch
        .into_iter()
        .rev()
        .filter_map(|(id, node)| said(id, node.get("message")?))
        .collect();
    Ok(Kept {
        id: text("conversation_id").or_else(|| text("id")).map(str::to_owned),
        title: text("title").map(str::to_owned),
        said,
    })
}

/// A message, if it is one that people see.
fn said(id: &str, message: &Value) -> Option<Said> {
    let role = message.pointer("/author/role").and_then(Value::as_str)?;
    let hidden = message.pointer("/metadata/is_visually_hidden_from_conversation");
    if hidden.and_then(Value::as_bool) == Some(true) {
        return None;
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
        _ => return None,
    };
    if who == Who::Person && !is_text {
        // What ChatGPT tells the model of its user.
        return None;
    }
    let parts = message.pointer("/content/parts").and_then(Value::as_array);
    let text = parts
        .into_iter()
        .flatten()
        // A picture or a file is an object.
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join("\n\n");
    let id = message.get("id").and_then(Value::as_str).unwrap_or(id);
    Some(Said {
        who,
        text,
        id: Some(id.to_owned()),
        at: message
            .get("create_time")
            .and_then(Value::as_f64)
            .and_then(millis),
    })
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
