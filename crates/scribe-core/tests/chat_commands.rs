//! What people write in a chat, and whether it is a command to the scribe: see `chat_commands/examples.txt`.

use std::collections::BTreeMap;

use scribe_core::chat::{Command, Commanded, command};

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
