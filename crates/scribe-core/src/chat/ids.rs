//! What a turn is called: the same for a client that asks again, and another for another answer.

use super::Asked;
use crate::ids::{ConversationId, MessageId};

/// The turn's id: what the request says outright, else what the client calls the person's last message, else a hash of
/// conversation, number of the person's messages, and the last one. A name that is no id of ours becomes one.
#[must_use]
pub fn turn_id(conversation: &ConversationId, asked: &Asked, named: Option<&str>) -> MessageId {
    let named = named
        .or(asked.client_id.as_deref())
        .filter(|name| !name.is_empty());
    match named {
        Some(name) => name
            .parse()
            .unwrap_or_else(|_| MessageId::hashed("chat", &["named", conversation.as_str(), name])),
        None => {
            let number = asked.user_messages.to_string();
            let parts = ["said", conversation.as_str(), &number, &asked.user_message];
            MessageId::hashed("chat", &parts)
        }
    }
}

/// The id of a turn that was answered once more, and otherwise: by a client that regenerates, or by one that asked again
/// although the first answer was taken. The same answer gives the same id, so it too may come twice.
///
/// Whether it takes the place of the first one is for whoever records it to say.
#[must_use]
pub fn other_answer_id(id: &MessageId, user_message: &str, answer: &str) -> MessageId {
    let answer = MessageId::hashed("again", &[user_message, answer]);
    // Where the id is nearly as long as it may be, there is no room for another's behind it.
    format!("{id}-{answer}")
        .parse()
        .unwrap_or_else(|_| MessageId::hashed("again", &[id.as_str(), answer.as_str()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MAX_ID_BYTES;

    fn asked(user_message: &str, client_id: Option<&str>, user_messages: usize) -> Asked {
        Asked {
            user_message: user_message.into(),
            client_id: client_id.map(str::to_owned),
            user_messages,
            is_last: true,
            begun: String::new(),
            before: Vec::new(),
        }
    }

    #[test]
    fn the_same_question_is_the_same_turn() {
        let conversation = |name: &str| name.parse::<ConversationId>().unwrap();
        let id = |name: &str, asked: &Asked, named| turn_id(&conversation(name), asked, named).to_string();
        let plain = id("c1", &asked("Who?", None, 2), None);
        assert_eq!(plain, id("c1", &asked("Who?", None, 2), None));
        let others = [
            id("c2", &asked("Who?", None, 2), None),
            id("c1", &asked("Who?", None, 3), None),
            id("c1", &asked("Who", None, 2), None),
        ];
        assert!(!others.contains(&plain));

        let named = asked("Who?", Some("aB3"), 2);
        assert_eq!(id("c1", &named, None), "aB3");
        assert_eq!(id("c1", &named, Some("mine")), "mine");
        assert_eq!(id("c1", &asked("Who?", Some(""), 2), None), plain);
        let foreign = asked("Who?", Some("msg:1/ü"), 2);
        assert_eq!(id("c1", &foreign, None), id("c1", &foreign, None));
        assert!(id("c1", &foreign, None).starts_with("chat-"));
    }

    #[test]
    fn another_answer_is_another_turn() {
        let id: MessageId = "aB3".parse().unwrap();
        let one = other_answer_id(&id, "Who?", "She.");
        assert_eq!(one, other_answer_id(&id, "Who?", "She."));
        assert_ne!(one, other_answer_id(&id, "Who?", "He."));
        assert!(one.as_str().starts_with("aB3-again-"));
        let long: MessageId = "x".repeat(MAX_ID_BYTES).parse().unwrap();
        assert_ne!(
            other_answer_id(&long, "Who?", "She."),
            other_answer_id(&long, "Who?", "He.")
        );
    }
}
