//! What people write in a chat, and whether it is a command to the scribe: see `chat_commands/examples.txt`.

use std::collections::BTreeMap;

use scribe_core::chat::{Command, Commanded, command, is_misunderstood};

#[test]
fn a_wish_is_told_from_what_only_sounds_like_one() {
    let examples = include_str!("chat_commands/examples.txt");
    let (mut counts, mut wrong) = (BTreeMap::<&str, u32>::new(), Vec::new());
    for line in examples
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let mut fields = line.splitn(3, '|').map(str::trim);
        let (kind, title) = (fields.next().unwrap(), fields.next().unwrap());
        let message = fields
            .next()
            .unwrap_or_else(|| panic!("{line}"))
            .replace("\\n", "\n");
        let (alone, word) = match kind.strip_prefix("more ") {
            Some(word) => (false, word),
            None => (true, kind),
        };
        let wanted = match word {
            "start" => Some(Command::Start {
                title: (!title.is_empty()).then(|| title.to_owned()),
            }),
            "stop" => Some(Command::Stop),
            "resume" => Some(Command::Resume),
            "none" => None,
            other => panic!("{other}"),
        };
        let expected = wanted.map(|command| Commanded { command, alone });
        *counts.entry(word).or_default() += 1;
        assert!(expected.is_none() || !is_misunderstood(&message), "{message:?}");
        let found = command(&message);
        if found != expected {
            wrong.push(format!("{message:?}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        counts["start"] >= 40 && counts["stop"] >= 15 && counts["resume"] >= 5 && counts["none"] >= 50,
        "{counts:?}"
    );
}

#[test]
fn a_long_message_is_no_command_whatever_stands_in_it() {
    let long = format!("{} Start the scribe.", "The king slept. ".repeat(40));
    assert_eq!(command(&long), None);
    assert_eq!(command(""), None);
}

#[test]
fn what_begins_as_a_command_and_is_none_is_misunderstood() {
    let long_title = format!("start the scribe, call it {}", "long ".repeat(60));
    for message in [
        "start the scribe tomorrow",
        "Stop the scribe when we reach the gate, please.",
        "Could you start the scribe when we reach the gate?",
        "Scribe, stop writing about the king. He is dead.",
        "start the scribe and stop the scribe",
        &long_title,
    ] {
        assert!(is_misunderstood(message), "{message:?}");
    }
    for message in [
        "",
        "start the scribe",
        "start the scribe?",
        "stop the scribe before dawn?",
        "How do I stop the scribe?",
        "don't start the scribe yet",
        "start the scribe's lamp",
        "The scribe starts to write.",
        "He told me: stop the scribe tomorrow",
        "Who keeps the lamp?",
    ] {
        assert!(!is_misunderstood(message), "{message:?}");
    }
}
