//! What a conversation has shown of its style so far: a few sums, kept with the document, because an invocation
//! sees one turn only.
//!
//! Each turn adds points for the three styles that have marks of their own. A style is sure when its points are many
//! for the number of words and the others' are few; a conversation that is short, mixed or in a language that the
//! lists don't know stays unsure, and its document keeps the default. A wrong style is worse than none.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::Style;
use super::scan::{Signs, scan};
use super::wish::wish;

/// Below this nothing is sure.
const FEWEST_TURNS: u32 = 2;

/// Below this nothing is sure.
const FEWEST_WORDS: u32 = 80;

/// A conversation that has shown no style by then has none.
const ENOUGH_TURNS: u32 = 10;

/// How many points in a hundred words make a style. They differ, because the marks of a story are rarer in a story
/// than numbers in a plan.
const ENOUGH_POINTS: [(Style, u32); 3] = [
    (Style::Literary, 12),
    (Style::Factual, 16),
    (Style::Conversational, 18),
];

/// The sums over the turns of a conversation. They say nothing about what was talked about.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StyleEvidence {
    /// How many turns were added.
    turns: u32,
    /// How many words were looked at.
    words: u32,
    /// Points for [`Style::Literary`].
    literary: u32,
    /// Points for [`Style::Factual`].
    factual: u32,
    /// Points for [`Style::Conversational`].
    conversational: u32,
    /// The style that somebody asked for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    wish: Option<Style>,
}

impl StyleEvidence {
    /// Adds one turn. The work is bounded: of long texts only the beginning is looked at.
    pub fn add(&mut self, user: &str, assistant: &str) {
        let mut turn = Self {
            turns: 1,
            wish: wish(user),
            ..Self::default()
        };
        for signs in [scan(user), scan(assistant)] {
            turn.count(&signs);
        }
        self.merge(&turn);
    }

    /// Adds what later turns have shown.
    pub fn merge(&mut self, later: &Self) {
        self.turns = self.turns.saturating_add(later.turns);
        self.words = self.words.saturating_add(later.words);
        self.literary = self.literary.saturating_add(later.literary);
        self.factual = self.factual.saturating_add(later.factual);
        self.conversational = self.conversational.saturating_add(later.conversational);
        self.wish = later.wish.or(self.wish);
    }

    fn count(&mut self, signs: &Signs) {
        self.words += signs.words;
        self.literary += 6 * signs.story + 2 * signs.scenery + 8 * signs.speech;
        self.factual += 2 * signs.facts + 3 * signs.numbers + 2 * signs.structure;
        self.conversational += 2 * signs.talk + signs.people + 4 * signs.questions + signs.exclamations;
    }

    /// The style, where the rules are sure; else the document keeps [`Style::Default`].
    #[must_use]
    pub fn verdict(&self) -> Option<Style> {
        if self.wish.is_some() {
            return self.wish;
        }
        if self.turns < FEWEST_TURNS || self.words < FEWEST_WORDS {
            return None;
        }
        let mut strengths = ENOUGH_POINTS.map(|(style, enough)| (self.strength(style, enough), style));
        strengths.sort_by_key(|(strength, _)| Reverse(*strength));
        let [(first, style), (second, _), _] = strengths;
        (first >= 100 && first * 2 >= second * 5).then_some(style)
    }

    /// How strongly a style shows, in percent of what is enough.
    fn strength(&self, style: Style, enough: u32) -> u64 {
        let points = match style {
            Style::Literary => self.literary,
            Style::Factual => self.factual,
            Style::Conversational => self.conversational,
            Style::Default => 0,
        };
        let needed = u64::from(self.words.max(1)) * u64::from(enough);
        u64::from(points) * 10_000 / needed.max(1)
    }

    /// Whether the question is closed: the rules are sure, or they will not be. The style stands in front of the
    /// prompt, where a change costs the provider's cache, so it is chosen once, when this becomes true.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.turns >= ENOUGH_TURNS || self.verdict().is_some()
    }

    /// What somebody asked for outright. It counts even after the style was chosen.
    #[must_use]
    pub const fn wish(&self) -> Option<Style> {
        self.wish
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn evidence(turns: &[(String, String)]) -> StyleEvidence {
        let mut evidence = StyleEvidence::default();
        for (user, assistant) in turns {
            evidence.add(user, assistant);
        }
        evidence
    }

    /// Turns with something in them for each of the sums.
    fn turns() -> impl Strategy<Value = Vec<(String, String)>> {
        let text = prop_oneof![
            Just("\"Who is there?\" she whispered into the dark.".to_owned()),
            Just("1. Budget: 400 euros until Friday".to_owned()),
            Just("I honestly think you feel it too, don't you?".to_owned()),
            Just("Keep it factual.".to_owned()),
            Just("Write it like a short story.".to_owned()),
            any::<String>(),
        ];
        prop::collection::vec((text.clone(), text), 0..8)
    }

    proptest! {
        #[test]
        fn sums_are_the_same_in_any_grouping(turns in turns(), at in any::<prop::sample::Index>()) {
            let (left, right) = turns.split_at(at.index(turns.len() + 1));
            let mut sum = evidence(left);
            sum.merge(&evidence(right));
            prop_assert_eq!(sum, evidence(&turns));
        }

        #[test]
        fn what_is_stored_comes_back(turns in turns()) {
            let evidence = evidence(&turns);
            let stored = serde_json::to_string(&evidence).unwrap();
            prop_assert!(stored.len() < 200);
            prop_assert_eq!(serde_json::from_str::<StyleEvidence>(&stored).unwrap(), evidence);
        }

        #[test]
        fn no_text_is_too_strange(user in any::<String>(), assistant in "(\\PC|[\n\"„“`#|*—?!«»]){0,200}") {
            let mut evidence = StyleEvidence::default();
            evidence.add(&user, &assistant);
            prop_assert!(!evidence.is_settled() || evidence.wish().is_some());
        }
    }

    #[test]
    fn nothing_said_is_unsure() {
        for text in ["", "   \n\t", "😂😂😂", "…", "?!"] {
            let mut evidence = StyleEvidence::default();
            for _ in 0..ENOUGH_TURNS - 1 {
                evidence.add(text, text);
            }
            assert_eq!(evidence.verdict(), None, "{text:?}");
            assert!(!evidence.is_settled());
            evidence.add(text, text);
            assert_eq!(evidence.verdict(), None, "{text:?}");
            assert!(evidence.is_settled(), "nobody waits forever");
        }
    }

    #[test]
    fn a_huge_turn_counts_as_its_beginning() {
        let plan = "Budget for week 12: 400 euros, deadline Friday. ";
        let story = "\"Hush,\" whispered the shadow. ";
        let huge = plan.repeat(200) + &story.repeat(10_000);
        let mut evidence = StyleEvidence::default();
        evidence.add(&huge, "");
        assert_eq!(evidence.verdict(), None, "one turn is too few, however long");
        evidence.add(&huge, "");
        assert_eq!(evidence.verdict(), Some(Style::Factual));
    }

    #[test]
    fn a_wish_outweighs_what_is_counted_and_comes_at_any_time() {
        let plan = "Budget for week 12: 400 euros, deadline Friday, 3 people, 2 rooms. ".repeat(10);
        let mut evidence = StyleEvidence::default();
        evidence.add(&plan, &plan);
        evidence.add(&plan, &plan);
        assert_eq!(evidence.verdict(), Some(Style::Factual));
        evidence.add("Please write it like a short story.", &plan);
        assert_eq!(evidence.verdict(), Some(Style::Literary));
        evidence.add(&plan, "Keep it factual.");
        assert_eq!(
            evidence.wish(),
            Some(Style::Literary),
            "the assistant wishes nothing"
        );
        evidence.add("Then keep it factual.", &plan);
        assert_eq!(evidence.wish(), Some(Style::Factual), "the later wish counts");
    }

    #[test]
    fn two_styles_at_once_are_none() {
        let plan = "Budget for week 12: 400 euros, deadline Friday, 3 people, 2 rooms. ".repeat(10);
        let story = "\"Hush,\" whispered the shadow, and the lantern flickered. ".repeat(10);
        let mut evidence = StyleEvidence::default();
        evidence.add(&plan, &story);
        evidence.add(&story, &plan);
        assert_eq!(evidence.verdict(), None);
        assert!(!evidence.is_settled());
    }

    #[test]
    fn sums_stop_at_their_end() {
        let stored = r#"{"turns":4294967295,"words":4294967295,"factual":4294967295,"later":1}"#;
        let mut evidence: StyleEvidence = serde_json::from_str(stored).unwrap();
        evidence.add("Budget: 400 euros", "");
        assert_eq!(evidence.turns, u32::MAX);
        assert!(evidence.is_settled());
    }
}
