//! What the model answers: a few edits, or none and the reason.
//!
//! The schema is the strict kind: flat objects, every field required, nothing else allowed. Fields that an
//! operation does not use are null. Reading an answer is a little kinder than the schema, because servers without
//! schemas wrap JSON in fences; what an operation needs must be there.

use serde::Deserialize;
use serde_json::{Value, json};

/// The most edits that the schema allows in one answer.
pub const MAX_EDITS: usize = 6;

/// An edit, as the model asks for it.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit {
    /// New blocks at the end of a section, or of the document.
    Append {
        /// The id of the section's heading; none for the end of the document.
        section: Option<String>,
        /// The new blocks.
        markdown: String,
    },
    /// New blocks behind a block.
    InsertAfter {
        /// The id of the block.
        block: String,
        /// The new blocks.
        markdown: String,
    },
    /// Other text for a block.
    Replace {
        /// The id of the block.
        block: String,
        /// The hash that the model saw: what it replaces is what it read. Empty where it gave none.
        hash: String,
        /// The new text.
        markdown: String,
    },
    /// A block less.
    Delete {
        /// The id of the block.
        block: String,
        /// The hash that the model saw. Empty where it gave none.
        hash: String,
    },
    /// A heading with what belongs to it.
    NewSection {
        /// The id of the heading behind whose whole section it comes; none for the end of the document.
        behind: Option<String>,
        /// The heading and the blocks below it.
        markdown: String,
    },
    /// An operation that does not exist.
    Unknown {
        /// The text that it brings.
        markdown: String,
    },
}

impl Edit {
    /// The text that it brings; a delete brings none.
    #[must_use]
    pub fn markdown(&self) -> &str {
        match self {
            Self::Append { markdown, .. }
            | Self::InsertAfter { markdown, .. }
            | Self::Replace { markdown, .. }
            | Self::NewSection { markdown, .. }
            | Self::Unknown { markdown } => markdown,
            Self::Delete { .. } => "",
        }
    }

    /// The operation's name, as the schema has it.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Append { .. } => "append",
            Self::InsertAfter { .. } => "insert_after",
            Self::Replace { .. } => "replace",
            Self::Delete { .. } => "delete",
            Self::NewSection { .. } => "new_section",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The block that it names.
    #[must_use]
    pub fn block(&self) -> Option<&str> {
        match self {
            Self::Append { section: block, .. } | Self::NewSection { behind: block, .. } => block.as_deref(),
            Self::InsertAfter { block, .. } | Self::Replace { block, .. } | Self::Delete { block, .. } => {
                Some(block)
            }
            Self::Unknown { .. } => None,
        }
    }

    /// The edit in the schema's form, as the model wrote it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let hash = match self {
            Self::Replace { hash, .. } | Self::Delete { hash, .. } => Some(hash),
            _ => None,
        };
        let markdown = (!matches!(self, Self::Delete { .. })).then(|| self.markdown());
        json!({ "action": self.action(), "block": self.block(), "hash": hash, "markdown": markdown })
    }
}

impl std::fmt::Debug for Edit {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, block) = (self.markdown().len(), self.block().unwrap_or("no block"));
        write!(f, "{}({block:.16}, {bytes} bytes)", self.action())
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// What to change; empty where the turn changes nothing.
    pub edits: Vec<Edit>,
    /// Why nothing changes.
    pub reason: Option<String>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("edits", &self.edits)
            .finish_non_exhaustive()
    }
}

/// Why a text is not an answer. The text is never repeated: it is the model's, and may hold the turn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is not JSON, or not of the schema's shape.
    #[error("the answer is not JSON of the asked-for shape, at line {line} column {column}")]
    Shape {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// No edits, and no reason either. A turn does not disappear without a word.
    #[error("the answer has neither edits nor a reason")]
    NoReason,
    /// JSON where a document was asked for.
    #[error("the answer is JSON and not a document")]
    NoDocument,
}

#[derive(Deserialize)]
struct WireAnswer {
    edits: Vec<WireEdit>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct WireEdit {
    action: WireAction,
    #[serde(default)]
    block: Option<String>,
    #[serde(default)]
    hash: Option<String>,
    #[serde(default)]
    markdown: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireAction {
    Append,
    InsertAfter,
    Replace,
    Delete,
    NewSection,
    #[serde(other)]
    Unknown,
}

/// The operations of the schema.
const ACTIONS: [&str; 5] = ["append", "insert_after", "replace", "delete", "new_section"];

/// The JSON schema of an answer, strict. Its keys are in the order of the alphabet, which is also the order in
/// which a model should decide: what to do, where, and then the text.
#[must_use]
pub fn answer_schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["edits", "reason"],
        "properties": {
            "edits": {
                "type": "array",
                "maxItems": MAX_EDITS,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["action", "block", "hash", "markdown"],
                    "properties": {
                        "action": { "type": "string", "enum": ACTIONS },
                        "block": {
                            "type": ["string", "null"],
                            "description": "append, new_section: id of a heading, or null for the end; otherwise id of the block",
                        },
                        "hash": { "type": ["string", "null"], "description": "replace, delete: the block's hash" },
                        "markdown": {
                            "type": ["string", "null"],
                            "description": "the text of the new or changed block; delete: null",
                        },
                    },
                },
            },
            "reason": {
                "type": ["string", "null"],
                "description": "without edits: in a few words, why the turn changes nothing",
            },
        },
    })
}

impl Answer {
    /// Reads what a model wrote.
    ///
    /// # Errors
    /// [`AnswerError`] if it is not an answer.
    pub fn parse(text: &str) -> Result<Self, AnswerError> {
        let wire: WireAnswer = serde_json::from_str(unwrapped(text)).map_err(|error| AnswerError::Shape {
            line: error.line(),
            column: error.column(),
        })?;
        let edits: Vec<Edit> = wire.edits.into_iter().map(WireEdit::read).collect();
        let reason = present(wire.reason);
        if edits.is_empty() && reason.is_none() {
            return Err(AnswerError::NoReason);
        }
        Ok(Self { edits, reason })
    }
}

impl WireEdit {
    /// The edit. What an operation needs and the model did not give is empty, and so names no block: one edit that
    /// lacks something does not take the others with it.
    fn read(self) -> Edit {
        let block = present(self.block);
        let hash = present(self.hash).unwrap_or_default();
        let markdown = self.markdown.unwrap_or_default();
        match self.action {
            WireAction::Append => Edit::Append {
                section: block,
                markdown,
            },
            WireAction::InsertAfter => Edit::InsertAfter {
                block: block.unwrap_or_default(),
                markdown,
            },
            WireAction::Replace => Edit::Replace {
                block: block.unwrap_or_default(),
                hash,
                markdown,
            },
            WireAction::Delete => Edit::Delete {
                block: block.unwrap_or_default(),
                hash,
            },
            WireAction::NewSection => Edit::NewSection {
                behind: block,
                markdown,
            },
            WireAction::Unknown => Edit::Unknown { markdown },
        }
    }
}

fn present(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// The text within the wrappings that models without a schema put around it: a fence, and thoughts before it.
pub(super) fn unwrapped(text: &str) -> &str {
    let text = without_thoughts(text);
    let Some(fenced) = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")) else {
        return text;
    };
    fenced.split_once('\n').map_or(fenced, |(_, json)| json).trim()
}

/// The text behind the thoughts.
pub(super) fn without_thoughts(text: &str) -> &str {
    let text = text.trim();
    let thoughts = text
        .strip_prefix("<think>")
        .and_then(|text| text.split_once("</think>"));
    thoughts.map_or(text, |(_, after)| after).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Result<Answer, AnswerError>) {
        assert_eq!(&Answer::parse(text), expected, "{text}");
    }

    fn appended(markdown: &str) -> Answer {
        Answer {
            edits: vec![Edit::Append {
                section: None,
                markdown: markdown.into(),
            }],
            reason: None,
        }
    }

    #[test]
    fn answers_are_read() {
        let append =
            r#"{"edits":[{"action":"append","block":null,"hash":null,"markdown":"x"}],"reason":null}"#;
        check(append, &Ok(appended("x")));
        check(&format!("\n```json\n{append}\n```\n"), &Ok(appended("x")));
        check(&format!("<think>\nhm {{\n</think>\n{append}"), &Ok(appended("x")));
        check(
            r#"{"edits":[{"action":"append","markdown":"x","more":1}]}"#,
            &Ok(appended("x")),
        );
        check(
            r#"{"edits":[],"reason":" small talk "}"#,
            &Ok(Answer {
                edits: vec![],
                reason: Some("small talk".into()),
            }),
        );
        let replace =
            r#"{"edits":[{"action":"replace","block":" b3 ","hash":"ab","markdown":""}],"reason":null}"#;
        let edit = Edit::Replace {
            block: "b3".into(),
            hash: "ab".into(),
            markdown: String::new(),
        };
        check(
            replace,
            &Ok(Answer {
                edits: vec![edit],
                reason: None,
            }),
        );
    }

    #[test]
    fn what_is_no_answer_is_told_without_its_text() {
        check("I'd rather not", &Err(AnswerError::Shape { line: 1, column: 1 }));
        check(r#"{"edits":[],"reason":""}"#, &Err(AnswerError::NoReason));
        check(r#"{"edits":[]}"#, &Err(AnswerError::NoReason));
        let secret =
            Answer::parse(r#"{"edits":[{"action":["a secret"],"markdown":"another secret"}]}"#).unwrap_err();
        assert!(!format!("{secret} {secret:?}").contains("secret"));
    }

    #[test]
    fn an_edit_that_lacks_something_does_not_take_the_others_with_it() {
        let text = r#"{"edits":[{"action":"insert_after","block":"","hash":null,"markdown":"x"},
            {"action":"replace","block":"b1","hash":null,"markdown":"x"},{"action":"delete","block":"b1","hash":"ab"},
            {"action":"new_section","block":null,"hash":null,"markdown":"x"},{"action":"move","markdown":"x"}]}"#;
        let markdown = || "x".to_owned();
        let (block, hash) = ("b1".to_owned(), String::new());
        let expected = vec![
            Edit::InsertAfter {
                block: String::new(),
                markdown: markdown(),
            },
            Edit::Replace {
                block: block.clone(),
                hash,
                markdown: markdown(),
            },
            Edit::Delete {
                block,
                hash: "ab".into(),
            },
            Edit::NewSection {
                behind: None,
                markdown: markdown(),
            },
            Edit::Unknown { markdown: markdown() },
        ];
        check(
            text,
            &Ok(Answer {
                edits: expected,
                reason: None,
            }),
        );
    }

    #[test]
    fn an_edit_is_written_as_it_is_read() {
        let validator = jsonschema::validator_for(&answer_schema()).unwrap();
        for edit in [
            json!({ "action": "append", "block": null, "hash": null, "markdown": "x" }),
            json!({ "action": "new_section", "block": "b2", "hash": null, "markdown": "## x" }),
            json!({ "action": "replace", "block": "b2", "hash": "ab", "markdown": "x" }),
            json!({ "action": "delete", "block": "b2", "hash": "ab", "markdown": null }),
        ] {
            let answer = json!({ "edits": [edit], "reason": null });
            assert!(validator.is_valid(&answer), "{answer}");
            assert_eq!(
                Answer::parse(&answer.to_string()).unwrap().edits[0].to_json(),
                edit
            );
        }
    }

    #[test]
    fn the_schema_takes_answers_and_nothing_else() {
        let validator = jsonschema::validator_for(&answer_schema()).unwrap();
        let edit = json!({ "action": "append", "block": null, "hash": null, "markdown": "x" });
        assert!(validator.is_valid(&json!({ "edits": [edit], "reason": null })));
        assert!(validator.is_valid(&json!({ "edits": [], "reason": "nothing new" })));
        let seven = vec![edit.clone(); 7];
        assert!(!validator.is_valid(&json!({ "edits": seven, "reason": null })));
        assert!(!validator.is_valid(&json!({ "edits": [edit] })));
        assert!(!validator.is_valid(&json!({ "edits": [{ "action": "delete" }], "reason": null })));
        let mut moved = edit;
        moved["action"] = "move".into();
        assert!(!validator.is_valid(&json!({ "edits": [moved], "reason": null })));
    }

    #[test]
    fn the_schema_is_strict_as_openai_means_it() {
        fn check(schema: &Value) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                assert_eq!(schema["additionalProperties"], false);
                let required: Vec<_> = schema["required"].as_array().unwrap().iter().collect();
                assert_eq!(required.len(), properties.len());
                assert!(properties.keys().all(|key| required.contains(&&json!(key))));
                properties.values().for_each(check);
            }
            schema.get("items").into_iter().for_each(check);
        }
        check(&answer_schema());
    }

    #[test]
    fn no_text_reaches_a_debug_print() {
        let answer = Answer {
            reason: Some("a secret".into()),
            ..appended("another secret")
        };
        assert!(!format!("{answer:?}").contains("secret"));
    }
}
