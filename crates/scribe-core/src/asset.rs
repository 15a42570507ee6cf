//! A document as S3 holds it: the spec's media asset, and under one key of its own what the scribe knows of it.
//!
//! Other programs write assets too. What they put there and we do not know is carried along untouched; an asset
//! without the scribe's key is a person's save of unknown base.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::blocks::{Manifest, PLACEHOLDER, escape_inline};
use crate::cost::Cost;
use crate::edits::{Suggestions, Tally};
use crate::ids::{AssetId, ConversationId};
use crate::record::Record;
use crate::save::RecentSaves;
use crate::style::{Style, StyleChoice, StyleEvidence};

/// The version of [`ScribeState`]'s shape.
pub const SCRIBE_SCHEMA: u32 = 1;

/// The spec's media asset.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaAsset {
    /// Its id, a UUID.
    pub id: AssetId,
    /// Always `text` for documents.
    pub media_type: String,
    /// The document's title.
    pub title: String,
    /// The document: Markdown.
    pub content: String,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601.
    pub updated_at: String,
    /// What is known of it.
    #[serde(default)]
    pub metadata: Metadata,
    /// What the scribe knows of it. Readers of the API do not see it.
    #[serde(rename = "_scribe", default, skip_serializing_if = "Option::is_none")]
    pub scribe: Option<ScribeState>,
    /// What other programs put there.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl std::fmt::Debug for MediaAsset {
    /// Leaves the document out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MediaAsset({}, {} bytes)", self.id, self.content.len())
    }
}

/// The spec's metadata of a document.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// The title, for URLs and file names.
    #[serde(default)]
    pub slug: String,
    /// Where it came from: `conversation`.
    #[serde(default)]
    pub source: String,
    /// `draft`, until a person says otherwise.
    #[serde(default)]
    pub status: String,
    /// Whether the scribe was on when the document was created.
    #[serde(default)]
    pub scribe_enabled: bool,
    /// The conversation that it was started in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// `lore`, `conversation`.
    #[serde(default)]
    pub categories: Vec<String>,
    /// How it is written now.
    #[serde(default)]
    pub style: Style,
    /// What its owner wishes about its wording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// When the scribe last wrote, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scribe_update: Option<String>,
    /// The turn that it last wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_id: Option<String>,
    /// `realtime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scribe_version: Option<String>,
    /// What other programs put there.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the scribe knows of a document.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScribeState {
    /// [`SCRIBE_SCHEMA`] when it was written.
    pub schema: u32,
    /// Which turns are in it.
    pub record: Record,
    /// Its blocks: `blocks`, and `next_block`.
    #[serde(flatten)]
    pub blocks: Manifest,
    /// The conversations that it was continued in. A conversation is added before its object says so, so some may
    /// never have come to be, or have another document by now.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub conversations: BTreeSet<ConversationId>,
    /// What the conversation has shown of its style; none where a person chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style_evidence: Option<StyleEvidence>,
    /// What stands beside it for a person to decide.
    #[serde(default, skip_serializing_if = "Suggestions::is_empty")]
    pub suggestions: Suggestions,
    /// What people saved in it lately.
    #[serde(default, skip_serializing_if = "RecentSaves::is_empty")]
    pub saves: RecentSaves,
    /// What became of the edits of all turns.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub outcomes: Tally,
    /// What the turns in it have cost.
    #[serde(default, skip_serializing_if = "Cost::is_nothing")]
    pub cost: Cost,
}

/// What a new document is made of.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Its id.
    pub id: AssetId,
    /// Its title, one line.
    pub title: String,
    /// The conversation that it is started in.
    pub conversation_id: ConversationId,
    /// How it is to be written.
    pub style: StyleChoice,
    /// What its owner wishes about its wording.
    pub instructions: Option<String>,
    /// Now, ISO 8601.
    pub now: String,
}

impl MediaAsset {
    /// A new document, as the spec starts one.
    #[must_use]
    pub fn started(new: NewDocument) -> Self {
        let content = format!("# {}\n\n{PLACEHOLDER}", escape_inline(&new.title));
        let blocks = Manifest::of_scribe(&content);
        Self {
            id: new.id,
            media_type: "text".into(),
            title: new.title.clone(),
            content,
            created_at: new.now.clone(),
            updated_at: new.now,
            metadata: Metadata {
                slug: slugify(&new.title),
                source: "conversation".into(),
                status: "draft".into(),
                scribe_enabled: true,
                conversation_id: Some(new.conversation_id),
                categories: vec!["lore".into(), "conversation".into()],
                style: new.style.first(),
                instructions: new.instructions,
                ..Metadata::default()
            },
            scribe: Some(ScribeState {
                schema: SCRIBE_SCHEMA,
                blocks,
                style_evidence: new.style.evidence(),
                ..ScribeState::default()
            }),
            other: Map::new(),
        }
    }

    /// Every conversation that may write to this document: the one that it was started in, those that it was
    /// continued in, and those whose turns it has. Whether one still does is said by its own object in S3.
    #[must_use]
    pub fn conversations(&self) -> BTreeSet<ConversationId> {
        let mut conversations: BTreeSet<ConversationId> =
            self.metadata.conversation_id.iter().cloned().collect();
        if let Some(state) = &self.scribe {
            conversations.extend(state.conversations.iter().cloned());
            conversations.extend(state.record.conversations().cloned());
        }
        conversations
    }
}

/// The title as it stands in URLs and file names; `untitled` where nothing is left of it.
#[must_use]
pub fn slugify(title: &str) -> String {
    let slug = slug::slugify(title);
    let end = slug.char_indices().nth(80).map_or(slug.len(), |(at, _)| at);
    let slug = slug[..end].trim_end_matches('-');
    if slug.is_empty() {
        "untitled".into()
    } else {
        slug.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Seq;

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn a_document_knows_every_conversation_that_may_write_to_it() {
        let mut asset = MediaAsset::started(NewDocument {
            id: id("a1"),
            title: "The Coast".into(),
            conversation_id: id("c1"),
            style: StyleChoice::default(),
            instructions: None,
            now: "2026-11-22T15:40:00.000Z".into(),
        });
        assert!(!serde_json::to_string(&asset).unwrap().contains("conversations"));
        let state = asset.scribe.as_mut().unwrap();
        state.conversations.insert(id("c3"));
        state.record.add(&id("c2"), id("m1"), Seq(10));
        state.record.add(&id("c1"), id("m1"), Seq(11));
        let json = serde_json::to_string(&asset).unwrap();
        let asset: MediaAsset = serde_json::from_str(&json).unwrap();
        let known: Vec<String> = asset.conversations().iter().map(ToString::to_string).collect();
        assert_eq!(known, ["c1", "c2", "c3"]);
        let by_another_program = MediaAsset {
            scribe: None,
            ..asset
        };
        assert_eq!(by_another_program.conversations().len(), 1);
    }

    #[test]
    fn what_is_known_of_blocks_stands_where_it_stood_before_numbers_were_remembered() {
        let new = MediaAsset::started(NewDocument {
            id: id("a1"),
            title: "The Coast".into(),
            conversation_id: id("c1"),
            style: StyleChoice::default(),
            instructions: None,
            now: "2026-11-22T15:40:00.000Z".into(),
        });
        let mut json = serde_json::to_value(&new).unwrap();
        let state = json["_scribe"].as_object_mut().unwrap();
        assert_eq!(state["blocks"].as_array().map(Vec::len), Some(2));
        assert_eq!(state.remove("next_block"), Some(3.into()));
        let old: MediaAsset = serde_json::from_value(json.clone()).unwrap();
        let blocks = |asset: &MediaAsset| asset.scribe.as_ref().unwrap().blocks.entries().to_vec();
        assert_eq!(blocks(&old), blocks(&new));
        // Written again by whoever does not know its text otherwise, it is what it was.
        assert_eq!(serde_json::to_value(&old).unwrap(), json);
        json["_scribe"].as_object_mut().unwrap().remove("blocks");
        assert!(
            serde_json::from_value::<MediaAsset>(json).is_err(),
            "a manifest that is missing is no empty one"
        );
    }
}
