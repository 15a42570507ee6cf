//! The style as people choose it: one of the four, or the one that the conversation shows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Style, StyleEvidence};
use crate::turn::Turn;

/// A choice of style. As text it is `auto`, or the style's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StyleChoice {
    /// What the conversation shows; [`Style::Default`] until it does.
    #[default]
    Auto,
    /// This one.
    Always(Style),
}

/// A word that is no style.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be auto, default, literary, factual or conversational")]
pub struct UnknownStyle;

impl FromStr for StyleChoice {
    type Err = UnknownStyle;
    fn from_str(text: &str) -> Result<Self, UnknownStyle> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Style::ALL
            .into_iter()
            .find(|style| style.as_str() == text)
            .map(Self::Always)
            .ok_or(UnknownStyle)
    }
}

impl TryFrom<String> for StyleChoice {
    type Error = UnknownStyle;
    fn try_from(text: String) -> Result<Self, UnknownStyle> {
        text.parse()
    }
}

impl fmt::Display for StyleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Always(style) => style.as_str(),
        })
    }
}

impl From<StyleChoice> for String {
    fn from(choice: StyleChoice) -> Self {
        choice.to_string()
    }
}

impl StyleChoice {
    /// The style of the first turn.
    #[must_use]
    pub fn first(self) -> Style {
        match self {
            Self::Auto => Style::Default,
            Self::Always(style) => style,
        }
    }

    /// What is known of the conversation's style before its first turn; none where that does not matter.
    #[must_use]
    pub fn evidence(self) -> Option<StyleEvidence> {
        (self == Self::Auto).then(StyleEvidence::default)
    }
}

/// The style in which a turn is written, and the evidence with the turn in it.
///
/// The style changes once, when the evidence is settled: it stands in front of the prompt, where a change costs the
/// provider's cache. Later only an outright wish changes it.
#[must_use]
pub fn style_with(
    style: Style,
    evidence: Option<StyleEvidence>,
    turn: &Turn,
) -> (Style, Option<StyleEvidence>) {
    let Some(mut evidence) = evidence else {
        return (style, None);
    };
    let was_settled = evidence.is_settled();
    evidence.add(&turn.user_message, &turn.assistant_response);
    let style = if was_settled {
        evidence.wish().unwrap_or(style)
    } else if evidence.is_settled() {
        evidence.verdict().unwrap_or_default()
    } else {
        style
    };
    (style, Some(evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seq;

    fn turn(user: &str) -> Turn {
        Turn {
            conversation: "default/c".parse().unwrap(),
            message_id: "m".parse().unwrap(),
            seq: Seq(1),
            earlier: Vec::new(),
            replaces: None,
            user_message: user.into(),
            assistant_response: String::new(),
            timestamp: String::new(),
        }
    }

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for text in ["auto", "default", "literary", "factual", "conversational"] {
            assert_eq!(text.parse::<StyleChoice>().unwrap().to_string(), text);
        }
        let error = serde_json::from_str::<StyleChoice>(r#""gothic""#).unwrap_err();
        assert!(error.to_string().contains("literary"), "{error}");
    }

    #[test]
    fn a_wish_decides_whenever_it_comes() {
        let auto = StyleChoice::Auto.evidence();
        let (style, evidence) = style_with(Style::Default, auto, &turn("Hello there."));
        assert_eq!(style, Style::Default);
        let wish = turn("Please write it like a short story.");
        let (style, evidence) = style_with(style, evidence, &wish);
        assert_eq!(style, Style::Literary);
        let (style, evidence) = style_with(style, evidence, &turn("The budget is 400 euros, due on 3 May."));
        assert_eq!(style, Style::Literary, "settled");
        let (style, _) = style_with(style, evidence, &turn("Keep it factual, just the facts."));
        assert_eq!(style, Style::Factual);
    }

    #[test]
    fn a_persons_choice_stays() {
        let (style, evidence) = style_with(Style::Factual, None, &turn("Write it like a short story."));
        assert_eq!((style, evidence), (Style::Factual, None));
    }
}
