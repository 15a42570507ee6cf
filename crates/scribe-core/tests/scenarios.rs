//! Answers woven into documents, as folders: see `scenarios/README.md`. A new case is a new folder.

#![expect(
    clippy::disallowed_methods,
    reason = "scenarios are files; the crate itself reads none"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read its scenario has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use scribe_core::blocks::{Document, Manifest};
use scribe_core::edits::{Answer, Bounds, Fate, Resort, Suggestion, Weaving, mended};
use scribe_core::{Seq, Turn};
use serde_json::{Value, json};

#[test]
fn every_scenario_comes_out_as_its_folder_says() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut folders: Vec<PathBuf> = fs::read_dir(folders)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 20, "only {} scenarios were found", folders.len());
    let failures: Vec<String> = folders.iter().filter_map(|folder| run(folder).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn run(folder: &Path) -> Result<(), String> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let data = |file: &str| {
        let text = text(file)?;
        Some(serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{name}/{file}: {error}")))
    };
    let before = text("before.md").unwrap_or_else(|| panic!("{name} has no before.md"));
    let manifest = manifest(&before, &data("manifest.json").unwrap_or_else(|| json!([])));
    let seen = Document::read(&before, &manifest);
    let newer = text("newer.md").unwrap_or(before);
    let manifest = data("newer_manifest.json").map_or(manifest, |changes| self::manifest(&newer, &changes));
    let document = Document::read(&newer, &manifest);
    let bounds = if text("rewrite.md").is_some() {
        Bounds::of_rewrite()
    } else {
        Bounds::default()
    };
    let answer = match text("rewrite.md") {
        Some(rewrite) => Answer::of_rewrite(&rewrite, &seen).unwrap(),
        None => read_answer(
            data("answer.json").unwrap_or_else(|| panic!("{name} has no answer.json")),
            &seen,
        ),
    };
    let turn = turn(&data("turn.json").unwrap_or_else(|| panic!("{name} has no turn.json")));

    let weaving = |document, resort| Weaving {
        document,
        seen: &seen,
        turn: &turn,
        bounds: &bounds,
        resort,
    };
    // As the engine does it: the host's checks first; then the model's second answer, if there is one, and the last
    // resort.
    let repair = text("repair.json");
    let first = weaving(&seen, Resort::Refuse).weave(&answer);
    let outcomes = match &first {
        Ok(woven) => &woven.outcomes,
        Err(error) => &error.outcomes,
    };
    let result = match repair.as_deref().map(str::trim) {
        None if text("newer.md").is_none() => first,
        None | Some("null") => weaving(&document, Resort::Append).weave(&answer),
        Some(repair) => {
            let (answer, _) = mended(
                outcomes,
                &read_answer(serde_json::from_str(repair).unwrap(), &seen),
            );
            weaving(&document, Resort::Append).weave(&answer)
        }
    };
    let (found, outcomes) = match &result {
        Ok(woven) => (woven.document.content(), &woven.outcomes),
        Err(error) => (document.content(), &error.outcomes),
    };
    let told: Value = outcomes.iter().map(|outcome| outcome.fate.label()).collect();
    let expected = match (text("after.md"), data("refused.json")) {
        (Some(after), None) => after,
        (None, Some(refused)) => {
            let reasons = refused.as_array().unwrap().iter();
            let reasons: Value = reasons
                .map(|reason| format!("refused: {}", reason.as_str().unwrap()))
                .collect();
            if result.is_ok() || told != reasons {
                return Err(format!("{name}: expected {reasons}, found {told}"));
            }
            document.content().to_owned()
        }
        _ => panic!("{name} needs either after.md or refused.json"),
    };
    if found != expected {
        return Err(format!(
            "{name}: {told}\nexpected {expected:?}\nfound    {found:?}"
        ));
    }
    if let Some(outcomes) = data("outcomes.json").filter(|outcomes| *outcomes != told) {
        return Err(format!("{name}: expected {outcomes}, found {told}"));
    }
    let suggested: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| match &outcome.fate {
            Fate::Suggested { suggestion, .. } => Some(tell(suggestion)),
            _ => None,
        })
        .collect();
    let expected: Vec<String> = data("suggestions.json")
        .map(|suggestions| serde_json::from_value(suggestions).unwrap())
        .unwrap_or_default();
    if suggested != expected {
        return Err(format!(
            "{name}: expected suggestions {expected:?}, found {suggested:?}"
        ));
    }
    if let Ok(woven) = result {
        let again = Document::read(woven.document.content(), &woven.document.manifest());
        assert_eq!(
            again.manifest(),
            woven.document.manifest(),
            "{name}: the manifest does not fit its own text"
        );
    }
    Ok(())
}

/// Every block is the scribe's, but for what the file says of some.
fn manifest(before: &str, changes: &Value) -> Manifest {
    let mut manifest = serde_json::to_value(Manifest::of_scribe(before)).unwrap();
    let entries = manifest["blocks"].as_array_mut().unwrap();
    for change in changes.as_array().unwrap() {
        let entry = entries.iter_mut().find(|entry| entry["id"] == change["id"]);
        let entry = entry.unwrap_or_else(|| panic!("no block {}", change["id"]));
        entry
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
    }
    serde_json::from_value(manifest).unwrap()
}

/// The answer as a model writes it; `"hash": "now"` stands for the hash of that block in before.md.
fn read_answer(mut answer: Value, seen: &Document) -> Answer {
    for edit in answer["edits"].as_array_mut().unwrap() {
        if edit["hash"] == "now" {
            let block = seen.blocks().find(|block| edit["block"] == block.id()).unwrap();
            edit["hash"] = json!(block.entry().hash);
        }
    }
    Answer::parse(&answer.to_string()).unwrap()
}

fn turn(turn: &Value) -> Turn {
    Turn {
        conversation: "default/c1".parse().unwrap(),
        message_id: "m1".parse().unwrap(),
        seq: Seq(1),
        earlier: vec![],
        replaces: None,
        user_message: turn["user"].as_str().unwrap().to_owned(),
        assistant_response: turn["assistant"].as_str().unwrap().to_owned(),
        timestamp: String::new(),
    }
}

/// A suggestion in one line: what it does, to which block, and its text.
fn tell(suggestion: &Suggestion) -> String {
    let action = serde_json::to_value(suggestion.action).unwrap();
    let line = format!(
        "{} {}: {}",
        action.as_str().unwrap(),
        suggestion.block,
        suggestion.markdown
    );
    line.trim_end().trim_end_matches(':').to_owned()
}
