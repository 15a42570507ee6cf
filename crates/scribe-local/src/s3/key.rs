//! Object keys, and the folders in which their versions lie.
//!
//! A key's parts between slashes become nested folders that a person can read. The way there and back is exact,
//! and must be: two keys that share a folder would overwrite each other, and a key that leaves the store's folder
//! would write anywhere. So each part is spelt in a small alphabet:
//!
//! - `a-z 0-9 - _ = + ,` stand for themselves, and so does `.`, except at the beginning of a part: there is no
//!   `.`, no `..` and no hidden folder;
//! - `!x` is the capital X, because file systems that ignore case would merge `a` and `A`;
//! - every other byte is `%` and two hexadecimal digits;
//! - `%` alone is the empty part, as in `a//b`;
//! - a folder that begins with `~` continues the part before it: file systems take names up to 255 bytes;
//! - `@` begins the name of a version's file, so that the keys `a` and `a/b` live side by side.

use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::Arc;

/// The longest key that S3 takes, in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// Where a long part of a key is cut, in bytes of its spelling.
const CUT_BYTES: usize = 200;

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    #[error("an object key must not be empty")]
    Empty,
    #[error("an object key has at most {MAX_KEY_BYTES} bytes")]
    TooLong,
}

/// An object's key: 1 to 1024 bytes of UTF-8. Cheap to copy. Its order is that of S3's listings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ObjectKey(Arc<str>);

impl ObjectKey {
    pub(super) fn parse(text: &str) -> Result<Self, KeyError> {
        match text.len() {
            0 => Err(KeyError::Empty),
            1..=MAX_KEY_BYTES => Ok(Self(text.into())),
            _ => Err(KeyError::TooLong),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The key's folder, relative to the bucket's. Never empty, never leads out of it.
    pub(super) fn folder(&self) -> PathBuf {
        let mut folder = PathBuf::new();
        for part in self.0.split('/') {
            let spelling = spell(part);
            let mut rest = spelling.as_str();
            let mut lead = "";
            while rest.len() > CUT_BYTES {
                // The spelling is ASCII, so that it may be cut anywhere.
                let (head, tail) = rest.split_at(CUT_BYTES);
                folder.push(format!("{lead}{head}"));
                rest = tail;
                lead = "~";
            }
            folder.push(format!("{lead}{rest}"));
        }
        folder
    }

    /// The key whose folder this is, or nothing where no key has it.
    pub(super) fn of_folder<'a>(names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut path = PathBuf::new();
        let mut spellings: Vec<String> = Vec::new();
        for name in names {
            path.push(name);
            match name.strip_prefix('~') {
                Some(rest) => spellings.last_mut()?.push_str(rest),
                None => spellings.push(name.to_owned()),
            }
        }
        let parts: Option<Vec<String>> = spellings.iter().map(|spelling| read(spelling)).collect();
        let key = Self::parse(&parts?.join("/")).ok()?;
        // Whatever is spelt otherwise than we spell it was put there by somebody else.
        (key.folder() == path).then_some(key)
    }
}

impl Borrow<str> for ObjectKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn spell(part: &str) -> String {
    if part.is_empty() {
        return "%".to_owned();
    }
    let mut spelling = String::with_capacity(part.len() + 8);
    for (at, byte) in part.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'=' | b'+' | b',' => spelling.push(char::from(byte)),
            b'.' if at > 0 => spelling.push('.'),
            b'A'..=b'Z' => spelling.extend(['!', char::from(byte.to_ascii_lowercase())]),
            _ => {
                spelling.push('%');
                spelling.push_str(&hex::encode([byte]));
            }
        }
    }
    spelling
}

fn read(spelling: &str) -> Option<String> {
    if spelling == "%" {
        return Some(String::new());
    }
    let mut part = Vec::with_capacity(spelling.len());
    let mut bytes = spelling.bytes();
    while let Some(byte) = bytes.next() {
        part.push(match byte {
            b'!' => bytes.next()?.to_ascii_uppercase(),
            b'%' => {
                let mut decoded = [0];
                hex::decode_to_slice([bytes.next()?, bytes.next()?], &mut decoded).ok()?;
                decoded[0]
            }
            byte => byte,
        });
    }
    String::from_utf8(part).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    fn names(key: &ObjectKey) -> Vec<String> {
        let folder = key.folder();
        folder
            .components()
            .map(|component| match component {
                Component::Normal(name) => name.to_str().unwrap().to_owned(),
                other => panic!("{key:?} leads to {other:?}"),
            })
            .collect()
    }

    fn check(text: &str, expected: &[&str]) {
        let key = key(text);
        assert_eq!(names(&key), expected, "{text:?}");
        assert_eq!(
            ObjectKey::of_folder(expected.iter().copied()),
            Some(key),
            "{text:?}"
        );
    }

    #[test]
    fn keys_are_spelt_as_folders() {
        check(
            "tenants/default/media-assets/x.json",
            &["tenants", "default", "media-assets", "x.json"],
        );
        check("a//b/", &["a", "%", "b", "%"]);
        check("/", &["%", "%"]);
        check("../.././.hidden", &["%2e.", "%2e.", "%2e", "%2ehidden"]);
        check("Ab C", &["!ab%20!c"]);
        check("50%=a+b,ü@x~y!", &["50%25=a+b,%c3%bc%40x%7ey%21"]);
        check("\0\\", &["%00%5c"]);
        // The cut leaves two dots for the second folder, which would be the parent without its mark.
        check(&format!("{}..", "x".repeat(200)), &[&"x".repeat(200), "~.."]);
        check(&"x".repeat(200), &[&"x".repeat(200)]);
    }

    #[test]
    fn keys_have_bounds() {
        assert_eq!(ObjectKey::parse(""), Err(KeyError::Empty));
        assert!(ObjectKey::parse(&"x".repeat(1024)).is_ok());
        assert_eq!(ObjectKey::parse(&"x".repeat(1025)), Err(KeyError::TooLong));
    }

    #[test]
    fn folders_of_others_are_no_keys() {
        for names in [
            &["..", "x"][..],
            &["."],
            &["~x"],
            &["a", "~x"],
            &["%41"],
            &["%E4"],
            &["A"],
            &["%ff"],
            &["%6"],
            &["!"],
            &[".DS_Store"],
            &["a b"],
        ] {
            assert_eq!(ObjectKey::of_folder(names.iter().copied()), None, "{names:?}");
        }
    }

    fn any_key() -> impl Strategy<Value = String> {
        // Half of them from the characters that mean something in a spelling: nothing else finds a collision.
        let tricky = proptest::collection::vec(
            prop_oneof![
                Just("/"),
                Just("."),
                Just(".."),
                Just("~"),
                Just("%"),
                Just("%2e"),
                Just("!"),
                Just("@"),
                Just("a"),
                Just("A"),
                Just("ß"),
                Just("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            ],
            1..16,
        )
        .prop_map(|parts| parts.concat());
        prop_oneof![
            tricky,
            "\\PC{1,80}",
            proptest::collection::vec(any::<char>(), 1..200).prop_map(String::from_iter)
        ]
    }

    proptest! {
        /// And so no two keys have the same folder; nor do they where case is ignored, for there are no capitals.
        #[test]
        fn a_folder_reads_back_as_its_key(text in any_key()) {
            let key = key(&text);
            let names = names(&key);
            prop_assert!(!names.concat().contains(|c: char| c.is_ascii_uppercase()), "{:?}", names);
            prop_assert_eq!(ObjectKey::of_folder(names.iter().map(String::as_str)), Some(key));
        }

        #[test]
        fn a_folder_stays_within_the_bucket(text in any_key()) {
            for name in names(&key(&text)) {
                prop_assert!(name.len() <= 255, "{} bytes", name.len());
                prop_assert!(!name.starts_with('.') && !name.starts_with('@'), "{}", name);
                prop_assert!(name.is_ascii() && !name.contains(['/', '\\', '\0']), "{}", name);
            }
        }
    }
}
