//! An answer that is still being written: the edits that can be seen in it so far.
//!
//! [`PartialAnswer`] is fed the pieces as the model writes them and reads each of their bytes once. It follows what
//! [`Answer::parse`](crate::edits::Answer::parse) takes: JSON of the answer's shape, in whatever order its keys come,
//! with thoughts and a fence around it. Where a text stops being such an answer, as a plain Markdown document does with
//! its first letter, reading ends and what was seen until then stays.
//!
//! What is seen here was checked by nobody: it is what a model says, and may never reach the document.

mod json;

use serde::{Deserialize, Serialize};

use json::{Sink, Tokens};

/// The most bytes of text that are kept of an answer in the making, all edits together.
pub const MAX_LIVE_BYTES: usize = 64 * 1024;

/// The most edits that are kept of it: more than an answer may have, but a stranger wrote it.
const MAX_LIVE_EDITS: usize = 16;

/// The longest name of a key or an action, or id of a block, that is read.
const MAX_NAME_BYTES: usize = 64;

/// What an edit does. The names are those of the answer's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveAction {
    /// New blocks at the end of a section or of the document.
    Append,
    /// New blocks behind a block.
    InsertAfter,
    /// Other text for a block.
    Replace,
    /// A block goes.
    Delete,
    /// A new section behind another one or at the end of the document.
    NewSection,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

impl LiveAction {
    fn named(name: &str) -> Self {
        match name {
            "append" => Self::Append,
            "insert_after" => Self::InsertAfter,
            "replace" => Self::Replace,
            "delete" => Self::Delete,
            "new_section" => Self::NewSection,
            _ => Self::Other,
        }
    }
}

/// An edit, as far as it is written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEdit {
    /// What it does.
    pub action: LiveAction,
    /// The block that it is about; none for the end of the document, or while the model has not named it.
    pub block: Option<String>,
    /// Its text so far: whole characters, and perhaps half a word.
    pub markdown: String,
}

impl std::fmt::Debug for LiveEdit {
    /// Leaves the text out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}({} bytes)", self.action, self.markdown.len())
    }
}

/// An edit with what is not known of it yet.
#[derive(Default)]
struct Draft {
    action: Option<LiveAction>,
    block: Option<String>,
    markdown: String,
}

/// The name of a key that matters, where it may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Edits,
    Action,
    Block,
    Markdown,
    Other,
}

impl Key {
    /// A key of an object at this depth: 1 is the answer itself, 3 an edit.
    fn named(name: &str, depth: usize) -> Self {
        match (depth, name) {
            (1, "edits") => Self::Edits,
            (3, "action") => Self::Action,
            (3, "block") => Self::Block,
            (3, "markdown") => Self::Markdown,
            _ => Self::Other,
        }
    }
}

/// An answer that is coming in. Memory is bounded however long it becomes; each byte is read once.
#[derive(Default)]
pub struct PartialAnswer {
    tokens: Tokens,
    reader: Reader,
}

impl std::fmt::Debug for PartialAnswer {
    /// Leaves the texts out: what is printed may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartialAnswer({} edits)", self.reader.drafts.len())
    }
}

impl PartialAnswer {
    /// Reads the next piece. Answers whether anything that [`edits`](Self::edits) shows has changed.
    pub fn push(&mut self, piece: &str) -> bool {
        let before = self.reader.changes;
        self.tokens.read(piece, &mut self.reader);
        self.reader.changes != before
    }

    /// The edits so far, in their order. One whose action is not known yet is not among them.
    #[must_use]
    pub fn edits(&self) -> Vec<LiveEdit> {
        let drafts = self.reader.drafts.iter();
        drafts
            .filter_map(|draft| {
                Some(LiveEdit {
                    action: draft.action?,
                    block: draft.block.clone(),
                    markdown: draft.markdown.clone(),
                })
            })
            .collect()
    }

    /// Whether the answer is larger than what is kept of it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.reader.cut
    }
}

/// What is made of the tokens.
#[derive(Default)]
struct Reader {
    drafts: Vec<Draft>,
    /// The keys that led to where we are: of the answer, and of the edit within it.
    outer: Option<Key>,
    inner: Option<Key>,
    /// Whether the edit that is being read is kept: the last draft is its own.
    kept: bool,
    /// The name or id that is being read, and whether it is longer than any.
    name: String,
    too_long: bool,
    /// How much text the drafts have together.
    bytes: usize,
    cut: bool,
    changes: u64,
}

impl Reader {
    /// The draft of the edit that is being read.
    fn draft(&mut self) -> Option<&mut Draft> {
        self.drafts.last_mut().filter(|_| self.kept)
    }

    fn change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    fn cut(&mut self) {
        self.cut = true;
        self.change();
    }

    fn write(&mut self, part: &str) {
        if self.cut || part.is_empty() {
            return;
        }
        let room = MAX_LIVE_BYTES - self.bytes;
        let fitting = &part[..part.floor_char_boundary(room)];
        self.bytes += fitting.len();
        if let Some(draft) = self.draft() {
            draft.markdown.push_str(fitting);
        }
        self.change();
        if fitting.len() < part.len() {
            self.cut();
        }
    }

    fn take_name(&mut self) -> Option<String> {
        let name = std::mem::take(&mut self.name);
        Some(name).filter(|_| !std::mem::take(&mut self.too_long))
    }
}

impl Sink for Reader {
    fn begin(&mut self, depth: usize, is_object: bool) {
        match (depth, is_object) {
            // Edits are a list.
            (2, true) => self.outer = None,
            (3, _) => {
                self.inner = None;
                self.kept = is_object && self.outer == Some(Key::Edits);
                if self.kept && self.drafts.len() == MAX_LIVE_EDITS {
                    self.kept = false;
                    self.cut();
                } else if self.kept {
                    self.drafts.push(Draft::default());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, depth: usize) {
        if depth == 3 {
            self.kept = false;
        }
    }

    fn begin_text(&mut self, depth: usize, is_key: bool) {
        self.name.clear();
        self.too_long = false;
        // A key that comes twice is no answer. What the later one says is shown until that is known.
        if depth == 3 && !is_key && self.inner == Some(Key::Markdown) {
            let before = self.draft().map(|draft| std::mem::take(&mut draft.markdown));
            self.bytes -= before.map_or(0, |text| text.len());
        }
    }

    fn text(&mut self, depth: usize, is_key: bool, part: &str) {
        if depth == 3 && !is_key && self.inner == Some(Key::Markdown) {
            if self.kept {
                self.write(part);
            }
        } else if self.name.len() + part.len() <= MAX_NAME_BYTES {
            self.name.push_str(part);
        } else {
            self.too_long = true;
        }
    }

    fn end_text(&mut self, depth: usize, is_key: bool) {
        let name = self.take_name();
        if is_key {
            let key = name.map(|name| Key::named(&name, depth));
            match depth {
                1 => self.outer = key,
                3 => self.inner = key,
                _ => {}
            }
            return;
        }
        if depth != 3 {
            return;
        }
        let inner = self.inner;
        let Some(draft) = self.draft() else { return };
        match inner {
            Some(Key::Action) => {
                draft.action = Some(name.map_or(LiveAction::Other, |name| LiveAction::named(&name)));
            }
            Some(Key::Block) => {
                draft.block = name
                    .map(|name| name.trim().to_owned())
                    .filter(|name| !name.is_empty());
            }
            _ => return,
        }
        self.change();
    }
}

#[cfg(test)]
mod tests;
