//! Answers as bad as models write them, and good ones that were spoiled: none of them may touch what it did not
//! address, or a person's text, or leave nothing. See `tests/bad_answers/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use scribe_core::Turn;
use scribe_core::blocks::{Document, Manifest};
use scribe_core::edits::Answer;
use serde_json::{Value, json};

use crate::case::{answer_of, check_answer, document, turn};

const KINDS: [&str; 9] = [
    "cut",
    "deletes_everything",
    "duplicates",
    "elided",
    "injected_instructions",
    "junk",
    "stale_hashes",
    "unbalanced_fences",
    "wrong_ids",
];

/// How often something became of an edit.
type Table = BTreeMap<String, usize>;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Weaves what a model wrote, holds it against the oracle, and counts what became of each edit.
fn weave_text(document: &Document, text: &str, turn: &Turn, table: &mut Table) {
    let answer = match serde_json::from_str::<Value>(text) {
        Ok(json) if text.contains("\"now\"") => answer_of(document, json),
        _ => Answer::parse(text),
    };
    match answer {
        Ok(answer) if answer.edits.is_empty() => *table.entry("no edits".into()).or_default() += 1,
        Ok(answer) => {
            for outcome in check_answer(document, document, &answer, turn) {
                *table.entry(outcome.fate.label()).or_default() += 1;
            }
        }
        Err(_) => *table.entry("no answer".into()).or_default() += 1,
    }
}

fn print(title: &str, table: &Table) {
    println!("{title}");
    for (outcome, count) in table {
        println!("  {count:6} {outcome}");
    }
}

#[test]
fn no_bad_answer_does_harm() {
    let folder = folder("bad_answers");
    let content = fs::read_to_string(folder.join("document.md")).unwrap();
    let told: Value = serde_json::from_str(&fs::read_to_string(folder.join("turn.json")).unwrap()).unwrap();
    let document = document(&content, told["whose"].as_str().unwrap());
    let turn = Turn {
        assistant_response: told["assistant"].as_str().unwrap().to_owned(),
        ..turn(told["user"].as_str().unwrap())
    };
    for kind in KINDS {
        let mut table = Table::new();
        let files = files(&folder.join(kind));
        assert!(files.len() >= 5, "{kind} has {} answers", files.len());
        for file in files {
            println!("{}", file.display());
            let text = fs::read_to_string(file).unwrap();
            weave_text(&document, &text, &turn, &mut table);
            // The same text where the whole document was asked for.
            if let Ok(rewrite) = Answer::of_rewrite(&text, &document) {
                check_answer(&document, &document, &rewrite, &turn);
            }
        }
        print(kind, &table);
        if kind == "deletes_everything" {
            let deleted = table.get("woven").copied().unwrap_or_default();
            assert_eq!(deleted, 0, "the turn asks for nothing to go");
        }
    }
}

/// A good answer with the document and the turn that it belongs to, from the scenarios.
struct Good {
    document: Document,
    turn: Turn,
    answer: String,
}

fn good_answers() -> Vec<Good> {
    let good = |scenario: PathBuf| {
        let text = |file: &str| fs::read_to_string(scenario.join(file)).ok();
        let content = text("before.md")?;
        let answer: Value = serde_json::from_str(&text("answer.json")?).ok()?;
        let said: Value = serde_json::from_str(&text("turn.json")?).ok()?;
        let whose = ["", "sh", "shs", "ssl", "tst"][content.len() % 5];
        let document = document(&content, whose);
        let mut answer = answer;
        for edit in answer["edits"].as_array_mut().into_iter().flatten() {
            let block = document.blocks().find(|block| edit["block"] == block.id());
            if let (true, Some(block)) = (edit["hash"] == "now", block) {
                edit["hash"] = json!(block.entry().hash);
            }
        }
        let turn = Turn {
            assistant_response: said["assistant"].as_str()?.to_owned(),
            ..turn(said["user"].as_str()?)
        };
        Some(Good {
            document,
            turn,
            answer: answer.to_string(),
        })
    };
    files(&folder("scenarios")).into_iter().filter_map(good).collect()
}

/// What is put into an answer to spoil it.
const POISON: [&str; 20] = [
    "\\n```\\n",
    "\\n\\n~~~\\n",
    "<!--",
    "<script>",
    "</div>",
    "[x](javascript:alert(1))",
    "![x](https://evil.example)",
    "\\n\\n[a]: https://evil.example\\n\\n",
    "[rest unchanged]",
    "\\u0000",
    "\\u202e",
    "\\ud83d",
    "👩‍👩‍👧",
    "\\n# ",
    "\\n- ",
    "\\n    ",
    "\\n---\\n",
    "\\r",
    "null",
    "\"",
];

fn pick<'a, T>(random: &mut ChaCha8Rng, from: &'a [T]) -> &'a T {
    &from[random.random_range(0..from.len())]
}

/// A place in a text where a character begins.
fn place(random: &mut ChaCha8Rng, text: &str) -> usize {
    let at = random.random_range(0..=text.len());
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// One way to spoil an answer, and its name.
fn spoil(random: &mut ChaCha8Rng, answer: &str, other: &str, ids: &[String]) -> (&'static str, String) {
    let mut json: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
    let edits = json["edits"].as_array_mut().filter(|edits| !edits.is_empty());
    let way = random.random_range(0..12_u8);
    if let (0..=5, Some(edits)) = (way, edits) {
        let at = random.random_range(0..edits.len());
        let copy = edits[at].clone();
        let edit = &mut edits[at];
        let name = match way {
            0 => {
                edit["block"] = json!(pick(random, ids));
                "other ids"
            }
            1 => {
                let hash = format!("{:016x}", random.random::<u64>());
                edit["hash"] = json!(pick(random, &["now".to_owned(), hash, String::new()]));
                "other hashes"
            }
            2 => {
                let actions = [
                    "append",
                    "insert_after",
                    "replace",
                    "delete",
                    "new_section",
                    "rewrite",
                ];
                edit["action"] = json!(pick(random, &actions));
                "other operations"
            }
            3 => {
                let fields = ["action", "block", "hash", "markdown"];
                let (one, two) = (*pick(random, &fields), *pick(random, &fields));
                let (first, second) = (edit[one].clone(), edit[two].clone());
                edit[one] = second;
                edit[two] = first;
                "swapped fields"
            }
            4 => {
                let markdown = edit["markdown"].as_str().unwrap_or_default().to_owned();
                let kept = place(random, &markdown);
                edit["markdown"] = json!(markdown[..kept]);
                "shorter texts"
            }
            _ => {
                edits.push(copy);
                "doubled edits"
            }
        };
        return (name, json.to_string());
    }
    let at = place(random, answer);
    match way {
        6 => ("cut anywhere", answer[..at].to_owned()),
        7 => {
            let from = place(random, other);
            ("spliced", format!("{}{}", &answer[..at], &other[from..]))
        }
        8 => {
            let key = *pick(random, &["\"markdown\"", "\"block\"", "\"action\"", "\"edits\""]);
            (
                "doubled keys",
                answer.replacen(key, &format!("{key}:null,{key}"), 1),
            )
        }
        9 => {
            let noise: char = random.random();
            ("noise", format!("{}{noise}{}", &answer[..at], &answer[at..]))
        }
        _ => {
            let text = answer.find("\"markdown\":\"").map_or(at, |found| found + 12);
            let end = answer[text..].find("\"}").map_or(answer.len(), |end| text + end);
            let within = text + place(random, &answer[text..end]);
            let poison = *pick(random, &POISON);
            (
                "poisoned texts",
                format!("{}{poison}{}", &answer[..within], &answer[within..]),
            )
        }
    }
}

#[test]
fn ten_thousand_spoiled_answers_do_no_harm() {
    let good = good_answers();
    assert!(good.len() >= 40, "only {} good answers were found", good.len());
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut tables: BTreeMap<&str, Table> = BTreeMap::new();
    for _ in 0..10_000 {
        let (one, other) = (pick(&mut random, &good), pick(&mut random, &good));
        let mut ids: Vec<String> = one.document.blocks().map(|block| block.id().to_owned()).collect();
        ids.extend(["b99".to_owned(), String::new(), "p123456".to_owned()]);
        let (mut name, mut text) = spoil(&mut random, &one.answer, &other.answer, &ids);
        // One in three is spoiled twice.
        if random.random_range(0..3_u8) == 0 {
            (name, text) = spoil(&mut random, &text, &other.answer, &ids);
        }
        weave_text(&one.document, &text, &one.turn, tables.entry(name).or_default());
    }
    for (name, table) in &tables {
        print(name, table);
    }
    let count = |outcome: &str| {
        tables
            .values()
            .filter_map(|table| table.get(outcome))
            .sum::<usize>()
    };
    assert!(
        count("woven") > 1_000 && count("no answer") > 1_000,
        "they are not spoiled as they should be"
    );
}

#[test]
fn what_a_rewrite_of_everything_leaves_out_stays() {
    for good in good_answers() {
        let content = good.document.content();
        for kept in [content.len() / 2, content.len() / 4] {
            let kept = (0..=kept)
                .rev()
                .find(|&at| content.is_char_boundary(at))
                .unwrap_or(0);
            if let Ok(rewrite) = Answer::of_rewrite(&content[..kept], &good.document) {
                check_answer(&good.document, &good.document, &rewrite, &good.turn);
            }
        }
        let another = Document::read("# Another\n\nDocument.\n", &Manifest::default());
        if let Ok(rewrite) = Answer::of_rewrite(another.content(), &good.document) {
            check_answer(&good.document, &good.document, &rewrite, &good.turn);
        }
    }
}
