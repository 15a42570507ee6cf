//! The second and last question of a turn: only the edits that were refused, with the reason for each.

use serde_json::{Value, json};

use crate::edits::ToMend;

use super::lines::clipped;
use super::{Message, Prompt, Role};

/// Asks the model to mend edits. The first question stands in front unchanged, so the provider's cache serves it.
///
/// Servers that do not keep to the asked-for length send far more than was asked for: the model is reminded of no more
/// than an answer of that length, four bytes a token.
#[must_use]
pub fn repair(prompt: &Prompt, refused: &[ToMend<'_>]) -> Prompt {
    let room = prompt.max_output_tokens as usize * 4 / refused.len().max(1);
    let edits: Vec<Value> = refused.iter().map(|to_mend| reminder(to_mend, room)).collect();
    let answered = json!({ "edits": edits, "reason": null });
    let mut told = String::from("These edits were refused, and nothing of them is in the document:\n");
    for (number, to_mend) in (1..).zip(refused) {
        let (refusal, remedy) = (to_mend.refusal, to_mend.refusal.remedy());
        told.push_str(&format!("{number}. {refusal}: {remedy}.\n"));
    }
    told.push_str(
        "Answer with these edits alone, in this order, mended. The other edits of your answer hold; do not repeat \
         them. If none of these is needed after all, answer without edits and say why.",
    );
    let mut messages = prompt.messages.clone();
    messages.push(Message {
        role: Role::Assistant,
        content: answered.to_string(),
    });
    messages.push(Message {
        role: Role::User,
        content: told,
    });
    Prompt {
        messages,
        ..prompt.clone()
    }
}

/// An edit in so many bytes.
fn reminder(to_mend: &ToMend<'_>, room: usize) -> Value {
    let mut edit = to_mend.edit.to_json();
    // 160: the keys, and room for the mark.
    for (key, room) in [("block", 80), ("hash", 80), ("markdown", room.max(160))] {
        if let Value::String(text) = &mut edit[key] {
            *text = clipped(text, room);
        }
    }
    edit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::{Edit, Refusal};

    #[test]
    fn the_model_is_not_reminded_of_more_than_it_may_answer() {
        let asked = Prompt {
            messages: vec![],
            schema: None,
            max_output_tokens: 1_000,
        };
        let edit = |n: usize| Edit::InsertAfter {
            block: format!("b{}", "9".repeat(n * 10_000)),
            markdown: "word ".repeat(n * 10_000),
        };
        let edits = [edit(0), edit(1), edit(2)];
        let refused = edits.iter().map(|edit| ToMend {
            edit,
            refusal: Refusal::TooLong,
        });
        let again = repair(&asked, &refused.collect::<Vec<_>>());
        let reminder = &again.messages[0].content;
        assert!(reminder.len() < 5_000, "{}", reminder.len());
        assert!(reminder.contains("characters left out⟫"));
    }

    #[test]
    fn only_what_was_refused_is_asked_again() {
        let asked = Prompt {
            messages: vec![Message {
                role: Role::System,
                content: "rules".into(),
            }],
            schema: Some(json!({})),
            max_output_tokens: 64,
        };
        let edit = Edit::Replace {
            block: "b2".into(),
            hash: "00".into(),
            markdown: "x".into(),
        };
        let to_mend = ToMend {
            edit: &edit,
            refusal: Refusal::StaleHash,
        };
        let again = repair(&asked, &[to_mend]);
        assert_eq!(again.messages[0], asked.messages[0]);
        let roles: Vec<_> = again
            .messages
            .iter()
            .map(|message| message.role.as_str())
            .collect();
        assert_eq!(roles, ["system", "assistant", "user"]);
        assert!(again.messages[1].content.contains(r#""block":"b2""#));
        assert!(again.messages[2].content.contains("1. stale hash: copy the hash"));
    }
}
