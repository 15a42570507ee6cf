//! What a reader knows, as the id of an event: up to which change of the turns, and which version of the document.

/// What a reader knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// The last change of a turn, see `ScribeTrigger::changed`; zero for none.
    pub(super) changed: u64,
    /// The document's ETag.
    pub(super) etag: Option<String>,
}

impl Position {
    /// Reads an event's id; none if it is not one of ours.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (changed, tag) = id.split_once('.')?;
        Some(Self {
            changed: changed.parse().ok()?,
            etag: Some(tag)
                .filter(|tag| !tag.is_empty())
                .map(|tag| format!("\"{tag}\"")),
        })
    }

    /// The event's id. Only what may stand in one line of a header does.
    pub(super) fn id(&self) -> String {
        let tag = self.etag.as_deref().unwrap_or_default();
        let tag: String = tag
            .chars()
            .filter(|character| character.is_ascii_graphic() && *character != '"')
            .collect();
        format!("{}.{tag}", self.changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        for (changed, etag) in [
            (0, None),
            (7, Some("\"d41d8\"")),
            (1_795_000_000_123, Some("\"a-2\"")),
        ] {
            let position = Position {
                changed,
                etag: etag.map(str::to_owned),
            };
            assert_eq!(Position::parse(&position.id()), Some(position));
        }
        let odd = Position {
            changed: 1,
            etag: Some("W/\"a\r\n\0b\"".into()),
        };
        assert_eq!(odd.id(), "1.W/ab");
    }

    #[test]
    fn what_is_no_id_of_ours_says_nothing() {
        for id in ["", "7", "x.y", "-1.a", "7.a.b".trim_start_matches('7')] {
            assert_eq!(Position::parse(id), None, "{id}");
        }
    }
}
