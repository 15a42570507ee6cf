//! JSON, read as it comes in: what can be told of a text whose end is not there yet.
//!
//! The crates for unfinished JSON read their text again from its beginning whenever a piece is added, or give strings
//! only once they are whole; here a string is the thing to watch. So this is a small machine of its own. It is as
//! strict as the real reader about strings and brackets, and takes any word for a number: the real reader judges later.

/// The deepest nesting that is followed, as with `serde_json`.
const MAX_DEPTH: usize = 128;

/// Who is told what stands there. Depth 1 is what stands in the outermost object.
pub(super) trait Sink {
    /// An object or a list begins; its content has this depth.
    fn begin(&mut self, depth: usize, is_object: bool);
    /// It ends.
    fn end(&mut self, depth: usize);
    /// A string begins: a key, or a value.
    fn begin_text(&mut self, depth: usize, is_key: bool);
    /// Some of its characters, escapes resolved.
    fn text(&mut self, depth: usize, is_key: bool, part: &str);
    /// It ends.
    fn end_text(&mut self, depth: usize, is_key: bool);
}

/// What comes next.
#[derive(Clone, Copy, Default)]
enum State {
    /// The wrappings that models put around JSON.
    #[default]
    Start,
    /// So many bytes of `<think>`.
    Opening(usize),
    /// Thoughts, with so many bytes of `</think>`.
    Thoughts(usize),
    AfterThoughts,
    /// So many backticks of a fence.
    Ticks(usize),
    /// The rest of the line that opens a fence.
    FenceLine,
    /// The outermost object, and nothing else.
    Outermost,
    /// A value; the end of the list too, where it has just begun.
    Value {
        first: bool,
    },
    /// A key; the end of the object too, where it has just begun.
    Key {
        first: bool,
    },
    Colon,
    /// A comma or the end.
    AfterValue,
    Text {
        is_key: bool,
    },
    Escape {
        is_key: bool,
    },
    /// A character by its number, of which so many digits have been read.
    Number {
        is_key: bool,
        digits: u8,
        value: u16,
    },
    /// A number, true, false or null.
    Word,
    /// The end, or no JSON.
    Over,
}

/// Cuts a text that comes in pieces into tokens.
#[derive(Default)]
pub(super) struct Tokens {
    state: State,
    /// What is open, from the outside in: whether it is an object.
    open: Vec<bool>,
    /// The first half of a character that takes two numbers.
    high: Option<u16>,
}

impl Tokens {
    pub(super) fn read(&mut self, piece: &str, sink: &mut impl Sink) {
        let bytes = piece.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let State::Over = self.state {
                return;
            }
            if let State::Text { is_key } = self.state
                && self.high.is_none()
            {
                let plain = bytes[at..]
                    .iter()
                    .position(|&byte| matches!(byte, b'"' | b'\\' | ..0x20))
                    .map_or(bytes.len(), |length| at + length);
                // All three are characters of their own, so nothing is cut in two.
                if plain > at {
                    sink.text(self.open.len(), is_key, &piece[at..plain]);
                    at = plain;
                    continue;
                }
            }
            self.state = self.step(byte, sink);
            at += 1;
        }
    }

    /// What follows a byte.
    fn step(&mut self, byte: u8, sink: &mut impl Sink) -> State {
        match self.state {
            State::Start | State::AfterThoughts | State::Outermost if byte.is_ascii_whitespace() => {
                self.state
            }
            State::Value { .. } | State::Key { .. } | State::Colon | State::AfterValue
                if byte.is_ascii_whitespace() =>
            {
                self.state
            }
            State::Start if byte == b'<' => State::Opening(1),
            State::Start | State::AfterThoughts if byte == b'`' => State::Ticks(1),
            State::Start | State::AfterThoughts | State::Outermost | State::FenceLine if byte == b'{' => {
                self.begin(true, sink)
            }
            State::Start | State::AfterThoughts | State::Outermost => State::Over,
            State::Opening(matched) => match matching(b"<think>", matched, byte) {
                Match::Whole => State::Thoughts(0),
                Match::Part(more) if more > matched => State::Opening(more),
                Match::Part(_) => State::Over,
            },
            State::Thoughts(matched) => match matching(b"</think>", matched, byte) {
                Match::Whole => State::AfterThoughts,
                Match::Part(more) => State::Thoughts(more),
            },
            State::Ticks(2) if byte == b'`' => State::FenceLine,
            State::Ticks(1) if byte == b'`' => State::Ticks(2),
            State::Ticks(_) => State::Over,
            State::FenceLine if byte == b'\n' => State::Outermost,
            State::FenceLine => State::FenceLine,
            State::Value { first: true } if byte == b']' => self.end(sink),
            State::Value { .. } => match byte {
                b'{' => self.begin(true, sink),
                b'[' => self.begin(false, sink),
                b'"' => self.begin_text(false, sink),
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => State::Word,
                _ => State::Over,
            },
            State::Key { first: true } if byte == b'}' => self.end(sink),
            State::Key { .. } if byte == b'"' => self.begin_text(true, sink),
            State::Key { .. } => State::Over,
            State::Colon if byte == b':' => State::Value { first: false },
            State::Colon => State::Over,
            State::Word if matches!(byte, b'-' | b'+' | b'.') || byte.is_ascii_alphanumeric() => State::Word,
            State::Word if byte.is_ascii_whitespace() => State::AfterValue,
            State::AfterValue | State::Word => match (byte, self.open.last()) {
                (b',', Some(true)) => State::Key { first: false },
                (b',', Some(false)) => State::Value { first: false },
                (b'}', Some(true)) | (b']', Some(false)) => self.end(sink),
                _ => State::Over,
            },
            State::Text { is_key } => self.in_text(is_key, byte, sink),
            State::Escape { is_key } => self.escaped(is_key, byte, sink),
            State::Number {
                is_key,
                digits,
                value,
            } => {
                let Some(digit) = char::from(byte)
                    .to_digit(16)
                    .and_then(|digit| u16::try_from(digit).ok())
                else {
                    return State::Over;
                };
                let value = value << 4 | digit;
                match digits {
                    3 => self.numbered(is_key, value, sink),
                    _ => State::Number {
                        is_key,
                        digits: digits + 1,
                        value,
                    },
                }
            }
            State::Over => State::Over,
        }
    }

    fn begin(&mut self, is_object: bool, sink: &mut impl Sink) -> State {
        if self.open.len() == MAX_DEPTH {
            return State::Over;
        }
        self.open.push(is_object);
        sink.begin(self.open.len(), is_object);
        if is_object {
            State::Key { first: true }
        } else {
            State::Value { first: true }
        }
    }

    fn end(&mut self, sink: &mut impl Sink) -> State {
        sink.end(self.open.len());
        self.open.pop();
        if self.open.is_empty() {
            State::Over
        } else {
            State::AfterValue
        }
    }

    fn begin_text(&mut self, is_key: bool, sink: &mut impl Sink) -> State {
        sink.begin_text(self.open.len(), is_key);
        State::Text { is_key }
    }

    fn in_text(&mut self, is_key: bool, byte: u8, sink: &mut impl Sink) -> State {
        match byte {
            b'\\' => State::Escape { is_key },
            // Half a character is none.
            _ if self.high.is_some() => State::Over,
            b'"' => {
                sink.end_text(self.open.len(), is_key);
                if is_key { State::Colon } else { State::AfterValue }
            }
            _ => State::Over,
        }
    }

    fn escaped(&mut self, is_key: bool, byte: u8, sink: &mut impl Sink) -> State {
        let text = match byte {
            b'u' => {
                return State::Number {
                    is_key,
                    digits: 0,
                    value: 0,
                };
            }
            _ if self.high.is_some() => return State::Over,
            b'"' => "\"",
            b'\\' => "\\",
            b'/' => "/",
            b'b' => "\u{8}",
            b'f' => "\u{c}",
            b'n' => "\n",
            b'r' => "\r",
            b't' => "\t",
            _ => return State::Over,
        };
        sink.text(self.open.len(), is_key, text);
        State::Text { is_key }
    }

    /// A number is whole: it is a character, or half of one.
    fn numbered(&mut self, is_key: bool, value: u16, sink: &mut impl Sink) -> State {
        let numbers = match self.high.take() {
            Some(high) => [high, value],
            None if matches!(value, 0xd800..=0xdbff) => {
                self.high = Some(value);
                return State::Text { is_key };
            }
            None => [value, 0],
        };
        let mut characters = char::decode_utf16(numbers);
        let Some(Ok(character)) = characters.next() else {
            return State::Over;
        };
        sink.text(self.open.len(), is_key, character.encode_utf8(&mut [0; 4]));
        State::Text { is_key }
    }
}

enum Match {
    Whole,
    Part(usize),
}

/// How much of a tag is there after one more byte. Its first byte does not come twice in it.
fn matching(tag: &[u8], matched: usize, byte: u8) -> Match {
    if tag.get(matched) != Some(&byte) {
        Match::Part(usize::from(tag.first() == Some(&byte)))
    } else if matched + 1 == tag.len() {
        Match::Whole
    } else {
        Match::Part(matched + 1)
    }
}
