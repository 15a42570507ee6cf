//! Server-sent events, from bytes in whatever pieces they come: split in lines, in line ends and in characters.
//!
//! What can go wrong: an event may be larger than is worth keeping (a picture, what a tool found). It is passed over,
//! and told as such.

/// The largest event that is kept, in bytes.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The mark that some servers put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// An event's data.
    Data(&'a str),
    /// An event that was too large to be kept.
    TooLarge,
}

/// A stream of events that is coming in.
#[derive(Default)]
pub(super) struct Events {
    /// The line that is coming in.
    line: Vec<u8>,
    /// Whether that line has any bytes, kept or not.
    line_begun: bool,
    /// The data lines of the event that is coming in.
    data: Vec<u8>,
    has_data: bool,
    too_large: bool,
    /// The last byte was a carriage return; a line feed behind it belongs to it.
    after_return: bool,
    past_first_line: bool,
}

impl Events {
    /// Takes the next bytes, and tells of each event that they complete.
    pub(super) fn push(&mut self, bytes: &[u8], tell: &mut impl FnMut(Event<'_>)) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.extend(rest);
                return;
            };
            self.extend(&rest[..at]);
            self.after_return = rest[at] == b'\r';
            rest = &rest[at + 1..];
            self.end_line(tell);
        }
    }

    /// Tells of an event whose last line was not ended: some servers forget the empty line behind the last one.
    pub(super) fn finish(&mut self, tell: &mut impl FnMut(Event<'_>)) {
        if self.line_begun {
            self.end_line(tell);
        }
        self.dispatch(tell);
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.line_begun |= !bytes.is_empty();
        if self.line.len() + self.data.len() + bytes.len() > MAX_EVENT_BYTES {
            self.too_large = true;
            self.line = Vec::new();
            self.data = Vec::new();
        }
        if !self.too_large {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, tell: &mut impl FnMut(Event<'_>)) {
        if !std::mem::take(&mut self.line_begun) {
            self.dispatch(tell);
            return;
        }
        let line = std::mem::take(&mut self.line);
        let first = !std::mem::replace(&mut self.past_first_line, true);
        let text = line
            .strip_prefix(BYTE_ORDER_MARK)
            .filter(|_| first)
            .unwrap_or(&line);
        let value = match text.strip_prefix(b"data") {
            Some([]) => Some(&[][..]),
            Some([b':', b' ', value @ ..] | [b':', value @ ..]) => Some(value),
            _ => None,
        };
        if let Some(value) = value {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
        }
    }

    fn dispatch(&mut self, tell: &mut impl FnMut(Event<'_>)) {
        let data = std::mem::take(&mut self.data);
        let has_data = std::mem::take(&mut self.has_data);
        if std::mem::take(&mut self.too_large) {
            tell(Event::TooLarge);
        } else if has_data {
            tell(Event::Data(&String::from_utf8_lossy(&data)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut events, mut told) = (Events::default(), Vec::new());
        let mut tell = |event: Event<'_>| match event {
            Event::Data(data) => told.push(data.to_owned()),
            Event::TooLarge => told.push("too large".into()),
        };
        for piece in pieces {
            events.push(piece, &mut tell);
        }
        events.finish(&mut tell);
        told
    }

    #[test]
    fn events_end_with_an_empty_line_of_any_kind() {
        for text in [
            "data: a\n\ndata:b\n: comment\nevent: x\ndata\n\n",
            "\u{feff}data: a\r\n\r\ndata:b\r\n: comment\r\nid: 7\r\ndata\r\n\r\n",
            "data: a\r\rdata:b\r: comment\rdata\r\r",
            "data: a\n\n\n\ndata:b\ndata:",
        ] {
            assert_eq!(read([text.as_bytes()]), ["a", "b\n"], "{text:?}");
        }
        assert_eq!(read([b"database: x\n\n".as_slice()]), Vec::<String>::new());
    }

    #[test]
    fn an_event_that_is_too_large_does_not_stop_the_others() {
        let large = format!("data: {}\n\n", "x".repeat(MAX_EVENT_BYTES));
        let text = format!("data: a\n\n{large}data: b\n\n");
        let pieces = text.as_bytes().chunks(60_000);
        assert_eq!(read(pieces), ["a", "too large", "b"]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_bytes_are_split(
            lines in proptest::collection::vec("(data: ?|data|:|event: |)[a-zü🐉{}]{0,4}", 0..12),
            ends in proptest::collection::vec(proptest::sample::select(vec!["\n", "\r\n", "\r"]), 12),
            cuts in proptest::collection::vec(1..5_usize, 1..60),
        ) {
            let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
            let (mut rest, mut pieces) = (text.as_bytes(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, others) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = others;
            }
            prop_assert_eq!(read(pieces), read([text.as_bytes()]));
        }
    }
}
