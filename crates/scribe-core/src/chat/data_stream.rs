//! The data stream of the AI SDK's version 4: one part in each line, `0:"Hello"`, its kind in front and JSON behind.
//! Newer versions send events instead.
//!
//! What can go wrong: a line may be larger than is worth keeping (a picture, what a tool found). It is passed over.

use std::borrow::Cow;

use serde::Deserialize;

use super::Incompletion;
use super::pieces::SoFar;

/// The largest line that is kept, in bytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// A stream of lines that is coming in.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    too_large: bool,
    /// The step before told that its text goes on in the next one.
    continues: bool,
}

/// What a tool is called for, or what it found.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(borrow)]
    tool_call_id: Cow<'a, str>,
}

/// The end of a step or of the message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finish<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    is_continued: Option<bool>,
}

impl Lines {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8], so_far: &mut SoFar) {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..at]);
            self.end_line(so_far);
            rest = &rest[at + 1..];
        }
        self.extend(rest);
    }

    /// Takes the last line, which need not be ended. One that is cut is no JSON, and says nothing.
    pub(super) fn finish(&mut self, so_far: &mut SoFar) {
        self.end_line(so_far);
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > MAX_LINE_BYTES {
            self.too_large = true;
            self.line = Vec::new();
        }
        if !self.too_large {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, so_far: &mut SoFar) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_large) {
            so_far.pass_over();
            return;
        }
        let line = String::from_utf8_lossy(&line);
        if let Some((kind, json)) = line.split_once(':') {
            // What is not of the protocol says nothing.
            let _ = self.take(kind, json, so_far);
        }
    }

    fn take(&mut self, kind: &str, json: &str, so_far: &mut SoFar) -> serde_json::Result<()> {
        match kind {
            "0" => so_far.push(&serde_json::from_str::<Cow<'_, str>>(json)?),
            "3" => so_far.fail(Incompletion::Failed),
            "9" => so_far.call(&serde_json::from_str::<Call<'_>>(json)?.tool_call_id),
            "a" => so_far.called(&serde_json::from_str::<Call<'_>>(json)?.tool_call_id),
            "d" => {
                let finish: Finish<'_> = serde_json::from_str(json)?;
                so_far.finish(finish.finish_reason.as_deref());
            }
            "e" => self.continues = serde_json::from_str::<Finish<'_>>(json)?.is_continued == Some(true),
            "f" if !std::mem::take(&mut self.continues) => so_far.begin_part(),
            _ => {}
        }
        Ok(())
    }
}
