//! Ids, parsed once at the edge and trusted inside.
//!
//! Every id may stand in an S3 key, in a Redis key between braces, and in a URL path, so their alphabet is the
//! intersection of what is harmless in all three: `[A-Za-z0-9._-]{1,128}`, but not `.` or `..`, which HTTP
//! clients remove from paths. Without this rule, tenant `a` with conversation `b/c` and tenant `a/b` with
//! conversation `c` would share one key.

mod foreign;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use foreign::MAX_FOREIGN_BYTES;

/// The longest id that is taken, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Words that stand where a conversation id may stand in the routes of the API.
pub const ROUTE_WORDS: [&str; 9] = [
    "start",
    "toggle",
    "settings",
    "turns",
    "events",
    "replay",
    "dismiss",
    "conversations",
    "documents",
];

/// Why a text is not an id. The text itself is not repeated: it comes from outside and may be long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// Neither a text nor a whole number.
    #[error("must be a text")]
    NotText,
    /// Longer than is taken.
    #[error("is {bytes} bytes long, at most {most} are taken")]
    TooLong {
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be: [`MAX_ID_BYTES`], or [`MAX_FOREIGN_BYTES`] for a name that others gave.
        most: usize,
    },
    /// A character outside the alphabet.
    #[error("contains {found:?}, only letters, digits, '.', '_' and '-' are taken")]
    Character {
        /// The first character that is not taken.
        found: char,
    },
    /// `.` or `..`.
    #[error("must not be '.' or '..'")]
    Dots,
    /// A word of the API's routes, as a conversation id.
    #[error("is a word of the API's routes, choose another")]
    RouteWord,
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong {
            bytes: text.len(),
            most: MAX_ID_BYTES,
        });
    }
    let taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(found) = text.chars().find(|&c| !taken(c)) {
        return Err(IdError::Character { found });
    }
    if text == "." || text == ".." {
        return Err(IdError::Dots);
    }
    Ok(())
}

fn check_conversation(text: &str) -> Result<(), IdError> {
    check(text)?;
    if ROUTE_WORDS.contains(&text) {
        Err(IdError::RouteWord)
    } else {
        Ok(())
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// Whose data it is. Every key in Redis and S3 begins with it.
    TenantId, check
);
id!(
    /// Who asked.
    UserId, check
);
id!(
    /// A conversation, unique within its tenant.
    ConversationId, check_conversation
);
id!(
    /// A turn's message, unique within its conversation.
    MessageId, check
);
id!(
    /// A document's media asset, unique within its tenant.
    AssetId, check
);
id!(
    /// A version of a document, as S3 names it.
    VersionId, check
);

impl TenantId {
    /// The id that stands for a name that others gave, and for no other name: the name itself, where it can be one.
    ///
    /// # Errors
    /// [`IdError`] for an empty name, and one longer than [`MAX_FOREIGN_BYTES`].
    pub fn from_foreign(name: &str) -> Result<Self, IdError> {
        foreign::id(name).map(Self)
    }
}

impl UserId {
    /// The id that stands for a name that others gave, and for no other name: the name itself, where it can be one.
    ///
    /// # Errors
    /// [`IdError`] for an empty name, and one longer than [`MAX_FOREIGN_BYTES`].
    pub fn from_foreign(name: &str) -> Result<Self, IdError> {
        foreign::id(name).map(Self)
    }
}

impl MessageId {
    /// An id that stands for texts: the same for the same ones.
    #[must_use]
    pub fn hashed(prefix: &'static str, parts: &[&str]) -> Self {
        Self(format!("{prefix}-{}", digest(parts)))
    }
}

impl ConversationId {
    /// An id that stands for texts: the same for the same ones.
    #[must_use]
    pub fn hashed(prefix: &'static str, parts: &[&str]) -> Self {
        Self(format!("{prefix}-{}", digest(parts)))
    }

    /// An id for a name that others gave: the name itself, where it can be one, else one that stands for it.
    #[must_use]
    pub fn from_foreign(name: &str) -> Self {
        name.parse()
            .unwrap_or_else(|_| Self(format!("named-{}", digest(&[name]))))
    }
}

fn digest(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        // How much before what, so that no two lists are one text.
        sha.update(format!("{}\n", part.len()));
        sha.update(part);
    }
    hex::encode(&sha.finalize()[..12])
}

/// A conversation of a tenant: what one queue, one lease and one Redis Cluster slot belong to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationKey {
    /// Whose conversation.
    pub tenant: TenantId,
    /// Which one.
    pub conversation: ConversationId,
}

impl ConversationKey {
    /// Joins the two.
    #[must_use]
    pub fn new(tenant: TenantId, conversation: ConversationId) -> Self {
        Self { tenant, conversation }
    }
}

impl fmt::Display for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.conversation)
    }
}

impl FromStr for ConversationKey {
    type Err = IdError;
    /// Reads what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (tenant, conversation) = text.split_once('/').ok_or(IdError::Empty)?;
        Ok(Self {
            tenant: tenant.parse()?,
            conversation: conversation.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_id(text: &str, expected: &Result<(), IdError>) {
        assert_eq!(
            text.parse::<ConversationId>().map(drop).as_ref(),
            expected.as_ref(),
            "{text:?}"
        );
    }

    #[test]
    fn ids_hold_the_alphabet() {
        check_id("c2e001-00000", &Ok(()));
        check_id("A.b_c-9", &Ok(()));
        check_id("", &Err(IdError::Empty));
        check_id("a/b", &Err(IdError::Character { found: '/' }));
        check_id("a}b", &Err(IdError::Character { found: '}' }));
        check_id("ü", &Err(IdError::Character { found: 'ü' }));
        check_id("..", &Err(IdError::Dots));
        check_id("toggle", &Err(IdError::RouteWord));
        check_id(&"x".repeat(128), &Ok(()));
        check_id(
            &"x".repeat(129),
            &Err(IdError::TooLong {
                bytes: 129,
                most: 128,
            }),
        );
    }

    #[test]
    fn a_key_reads_back_what_it_writes() {
        let key: ConversationKey = "t.1/c-2".parse().unwrap();
        assert_eq!(key.to_string(), "t.1/c-2");
        assert!("t1".parse::<ConversationKey>().is_err());
        assert!("a/b/c".parse::<ConversationKey>().is_err());
    }
}
