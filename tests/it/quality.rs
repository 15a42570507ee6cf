//! How good the documents are: conversations with what must survive and what must not appear, played through the
//! product and judged by rules. The folders are `tests/quality/`, the least that is good enough is in `table.rs`.
//!
//! By itself it plays scripted answers, some of them careless: what the host catches shows as a good document. With
//! `QUALITY=1` a real model answers, the one that the scribe's own variables name (`OPENAI_BASE_URL`,
//! `OPENAI_API_KEY`, `SCRIBE_MODEL`). A key alone is not enough: tests do not spend what they find in the environment.
//! `QUALITY_ONLY=name` plays one conversation, `QUALITY_SHOW=1` prints the documents.

mod answers;
mod controls;
mod fixture;
mod play;
mod score;
mod table;
mod text;

use std::path::Path;
use std::time::Duration;

use scribe_engine::NarratorConfig;
use tokio::process::Command;

use crate::world::World;
use answers::Answers;
use fixture::Fixture;
use table::{Bar, Row, table};

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn fixtures() -> Vec<Fixture> {
    Fixture::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("quality"))
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_keep_what_was_said() {
    let mut fixtures = fixtures();
    if let Some(only) = setting("QUALITY_ONLY") {
        fixtures.retain(|fixture| fixture.name == only);
    }
    assert!(!fixtures.is_empty(), "no such conversation in tests/quality");
    if setting("QUALITY").is_some() {
        let narrator =
            NarratorConfig::from_env().unwrap_or_else(|error| panic!("no model to measure: {error}"));
        println!("quality: {} at {}", narrator.model, narrator.base_url);
        // A rate limit is waited for, not measured.
        let pauses = [
            Duration::from_secs(2),
            Duration::from_secs(5),
            Duration::from_secs(10),
        ];
        judge(&measure(&fixtures, narrator, pauses).await, Bar::REAL);
    } else {
        let answers = Answers::start(&fixtures).await;
        let narrator = NarratorConfig::new(answers.url().parse().unwrap(), "scripted".into());
        let rows = measure(&fixtures, narrator, [Duration::from_millis(1); 3]).await;
        judge(&rows, Bar::SCRIPTED);
        assert_eq!(answers.remains(), Vec::<String>::new());
    }
}

async fn measure(fixtures: &[Fixture], narrator: NarratorConfig, pauses: [Duration; 3]) -> Vec<Row> {
    let world = World::with(|config| {
        config.narrator = narrator;
        config.patience.pauses = pauses;
    })
    .await;
    let (engine, mut rows) = (world.engine(), Vec::new());
    for fixture in fixtures {
        let played = play::play(&world, &engine, fixture).await;
        rows.push(Row {
            name: fixture.name.clone(),
            played,
        });
    }
    rows
}

fn judge(rows: &[Row], bar: Bar) {
    if setting("QUALITY_SHOW").is_some() {
        for row in rows {
            println!("{}\n", row.played.document);
        }
    }
    println!("{}", table(rows));
    let misses = bar.misses(rows);
    assert!(misses.is_empty(), "below {bar:?}:\n{}", misses.join("\n"));
}

/// The way to a real model, from the environment to the table, with a server that stands for one.
#[tokio::test]
async fn the_environment_names_the_model_that_is_measured() {
    const ONLY: &str = "trip";
    let fixtures = fixtures();
    for (answers, is_good) in [
        (Answers::start(&fixtures).await, true),
        (Answers::silent(&fixtures).await, false),
    ] {
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "quality::documents_keep_what_was_said", "--nocapture"])
            .env("QUALITY", "1")
            .env("QUALITY_ONLY", ONLY)
            .env("OPENAI_BASE_URL", answers.url())
            .env("SCRIBE_MODEL", "scripted")
            .env_remove("OPENAI_API_KEY")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
        assert!(told.contains("quality: scripted at http://127.0.0.1"), "{told}");
        assert!(told.contains(&format!("\n{ONLY} ")), "{told}");
        assert_eq!(ran.status.success(), is_good, "{told}");
        assert_eq!(told.contains("facts kept over all: 100.0%"), is_good, "{told}");
        assert_eq!(told.contains(&format!("{ONLY}: facts kept")), !is_good, "{told}");
    }
}
