//! What a run is held to, and how it is told.

use super::play::Played;

/// The least that is good enough. The one place for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    /// The share of facts that all documents together keep.
    pub(super) facts: f64,
    /// The share that each document keeps.
    pub(super) facts_of_each: f64,
    /// Claims that must not appear, per document: planted links, retracted dates.
    pub(super) claims: usize,
    /// Claims, numbers and names that nobody gave, and meta text, for each ten turns.
    pub(super) unsupported_of_ten: f64,
    /// Sentences that stand twice, or are left out, per document.
    pub(super) doubled_or_elided: usize,
    /// Turns of small talk that changed a document, of all.
    pub(super) idle_woven: usize,
    /// Turns that did not reach their document, of all.
    pub(super) failed: usize,
}

impl Bar {
    /// Answers that are known: whatever is careless in them, the host catches.
    pub(super) const SCRIPTED: Self = Self {
        facts: 1.0,
        facts_of_each: 1.0,
        claims: 0,
        unsupported_of_ten: 0.0,
        doubled_or_elided: 0,
        idle_woven: 0,
        failed: 0,
    };

    /// A real model. Words of people are the host's promise, so for them there is no share.
    pub(super) const REAL: Self = Self {
        facts: 0.9,
        facts_of_each: 0.75,
        claims: 0,
        unsupported_of_ten: 2.0,
        doubled_or_elided: 1,
        idle_woven: 3,
        failed: 1,
    };

    /// Where a run stays below it.
    pub(super) fn misses(&self, rows: &[Row]) -> Vec<String> {
        let mut misses = Vec::new();
        let mut miss = |is_one: bool, what: String| {
            if is_one {
                misses.push(what);
            }
        };
        for Row { name, played } in rows {
            let score = &played.score;
            let most = self.unsupported_of_ten * score.turns as f64 / 10.0;
            miss(score.kept() < self.facts_of_each, format!("{name}: facts kept"));
            miss(score.claims.len() > self.claims, format!("{name}: claims"));
            miss(score.unsupported() as f64 > most, format!("{name}: unsupported"));
            let spoilt = score.doubled.len() + score.elided.len();
            miss(
                spoilt > self.doubled_or_elided,
                format!("{name}: doubled or left out"),
            );
            miss(!score.human_lost.is_empty(), format!("{name}: a person's text"));
            miss(score.foreign, format!("{name}: language"));
        }
        let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
        miss(kept(rows) < self.facts, "facts kept over all".into());
        miss(
            sum(|row| row.played.score.idle_woven.len()) > self.idle_woven,
            "small talk".into(),
        );
        miss(
            sum(|row| row.played.failed.len()) > self.failed,
            "failed turns".into(),
        );
        misses
    }
}

/// A line of the table.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) played: Played,
}

/// The share of facts that all documents together keep.
fn kept(rows: &[Row]) -> f64 {
    let facts: usize = rows.iter().map(|row| row.played.score.facts).sum();
    let missing: usize = rows.iter().map(|row| row.played.score.missing.len()).sum();
    (facts - missing) as f64 / facts.max(1) as f64
}

/// The table, and below it what is wrong.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<28} {:>7} {:>11} {:>6} {:>7} {:>9} {:>6} {:>6} {:>8} {:>8} {:>7} {:>6}\n",
        "conversation",
        "facts",
        "unsupported",
        "human",
        "doubled",
        "unchanged",
        "failed",
        "calls",
        "prompt",
        "cached",
        "output",
        "s"
    );
    for Row { name, played } in rows {
        let (score, tokens) = (&played.score, played.usage.tokens.unwrap_or_default());
        text.push_str(&format!(
            "{name:<28} {:>7} {:>11} {:>6} {:>7} {:>9} {:>6} {:>6} {:>8} {:>8} {:>7} {:>6.1}\n",
            format!("{}/{}", score.facts - score.missing.len(), score.facts),
            score.unsupported(),
            format!("{}/{}", score.human - score.human_lost.len(), score.human),
            score.doubled.len() + score.elided.len(),
            format!("{}/{}", score.unchanged, score.turns),
            played.failed.len(),
            played.usage.calls,
            tokens.prompt,
            tokens.cached,
            tokens.output,
            played.seconds,
        ));
    }
    text.push_str(&format!("facts kept over all: {:.1}%\n", kept(rows) * 100.0));
    for Row { name, played } in rows {
        for remark in played.score.remarks().iter().chain(&played.failed) {
            text.push_str(&format!("{name}: {remark}\n"));
        }
    }
    text
}
