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
        /// The hash that the model saw: what it replaces is what it read.
        hash: String,
        /// The new text.
        markdown: String,
    },
}

impl Edit {
    /// The text that it brings.
    #[must_use]
    pub fn markdown(&self) -> &str {
        match self {
            Self::Append { markdown, .. }
            | Self::InsertAfter { markdown, .. }
            | Self::Replace { markdown, .. } => markdown,
        }
    }
}

impl std::fmt::Debug for Edit {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.markdown().len();
        match self {
            Self::Append { section: None, .. } => write!(f, "Append({bytes} bytes)"),
            Self::Append {
                section: Some(section),
                ..
            } => write!(f, "Append({section:.16}, {bytes} bytes)"),
            Self::InsertAfter { block, .. } => write!(f, "InsertAfter({block:.16}, {bytes} bytes)"),
            Self::Replace { block, .. } => write!(f, "Replace({block:.16}, {bytes} bytes)"),
        }
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
    /// An operation lacks what it needs.
    #[error("edit {number} lacks its {field}")]
    Lacks {
        /// Which edit, from 1.
        number: usize,
        /// What it lacks.
        field: &'static str,
    },
    /// No edits, and no reason either. A turn does not disappear without a word.
    #[error("the answer has neither edits nor a reason")]
    NoReason,
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
    markdown: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireAction {
    Append,
    InsertAfter,
    Replace,
}

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
                        "action": { "type": "string", "enum": ["append", "insert_after", "replace"] },
                        "block": {
                            "type": ["string", "null"],
                            "description": "append: id of a heading, or null for the end; otherwise id of the block",
                        },
                        "hash": { "type": ["string", "null"], "description": "replace: the block's hash" },
                        "markdown": { "type": "string", "description": "the text of the new or changed block" },
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
        let edits = wire.edits.into_iter().enumerate();
        let edits = edits
            .map(|(at, edit)| edit.read(at + 1))
            .collect::<Result<Vec<_>, _>>()?;
        let reason = present(wire.reason);
        if edits.is_empty() && reason.is_none() {
            return Err(AnswerError::NoReason);
        }
        Ok(Self { edits, reason })
    }
}

impl WireEdit {
    fn read(self, number: usize) -> Result<Edit, AnswerError> {
        let block = present(self.block);
        let lacks = |field| AnswerError::Lacks { number, field };
        let markdown = self.markdown;
        Ok(match self.action {
            WireAction::Append => Edit::Append {
                section: block,
                markdown,
            },
            WireAction::InsertAfter => Edit::InsertAfter {
                block: block.ok_or(lacks("block"))?,
                markdown,
            },
            WireAction::Replace => Edit::Replace {
                block: block.ok_or(lacks("block"))?,
                hash: present(self.hash).ok_or(lacks("hash"))?,
                markdown,
            },
        })
    }
}

fn present(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// The JSON within the wrappings that models without a schema put around it: a fence, and thoughts before it.
fn unwrapped(text: &str) -> &str {
    let text = text.trim();
    let thoughts = text
        .strip_prefix("<think>")
        .and_then(|text| text.split_once("</think>"));
    let text = thoughts.map_or(text, |(_, after)| after).trim();
    let Some(fenced) = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")) else {
        return text;
    };
    fenced.split_once('\n').map_or(fenced, |(_, json)| json).trim()
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
        let lacks = |field| Err(AnswerError::Lacks { number: 1, field });
        check(
            r#"{"edits":[{"action":"insert_after","block":"","hash":null,"markdown":"x"}]}"#,
            &lacks("block"),
        );
        check(
            r#"{"edits":[{"action":"replace","block":"b1","hash":null,"markdown":"x"}]}"#,
            &lacks("hash"),
        );
        let secret =
            Answer::parse(r#"{"edits":[{"action":"a secret","markdown":"another secret"}]}"#).unwrap_err();
        assert!(!format!("{secret} {secret:?}").contains("secret"));
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
