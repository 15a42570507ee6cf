//! API keys: whom each names. Only their hashes are kept.
//!
//! A key is a line `tenant/user:key`, or `tenant/user:sha256:<its hash in hex>`, so that a file need not hold the keys
//! themselves. Keys are drawn at random and long, so a plain hash is enough: there is nothing to guess.

use std::fmt;

use scribe_core::{TenantId, UserId};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::caller::Caller;

/// The shortest key that is taken, in bytes.
const MIN_KEY_BYTES: usize = 24;

/// The keys that are taken.
#[derive(Clone, Default)]
pub struct ApiKeys(Vec<(Hash, Caller)>);

type Hash = [u8; 32];

/// Why a line is no key. The line itself is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct KeyError {
    line: usize,
    reason: String,
}

impl ApiKeys {
    /// Reads lines, or the same with commas between them. `#` begins a comment.
    ///
    /// # Errors
    /// [`KeyError`], naming the line.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, line) in text.split(['\n', ',']).enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let error = |reason: String| KeyError {
                line: index + 1,
                reason,
            };
            let key = parse_line(line).map_err(error)?;
            if keys.iter().any(|(hash, _)| *hash == key.0) {
                return Err(error("this key stands there twice".to_owned()));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Whether no key is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whom a key names. It takes as long whichever key it is.
    pub(crate) fn caller(&self, shown: &str) -> Option<&Caller> {
        let shown = hash(shown);
        let mut found = None;
        for (hash, caller) in &self.0 {
            if bool::from(hash.ct_eq(&shown)) {
                found = Some(caller);
            }
        }
        found
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({})", self.0.len())
    }
}

fn hash(key: &str) -> Hash {
    Sha256::digest(key.as_bytes()).into()
}

fn parse_line(line: &str) -> Result<(Hash, Caller), String> {
    let whole = || "it must be tenant/user:key".to_owned();
    let (names, key) = line.split_once(':').ok_or_else(whole)?;
    let (tenant, user) = names.split_once('/').ok_or_else(whole)?;
    let tenant: TenantId = tenant.parse().map_err(|error| format!("the tenant {error}"))?;
    let user: UserId = user.parse().map_err(|error| format!("the user {error}"))?;
    let hash = match key.strip_prefix("sha256:") {
        Some(digits) => {
            let mut hash = Hash::default();
            hex::decode_to_slice(digits, &mut hash)
                .map_err(|_| "sha256: must be followed by 64 hex digits".to_owned())?;
            hash
        }
        None if key.len() < MIN_KEY_BYTES => {
            return Err(format!("the key must have at least {MIN_KEY_BYTES} bytes"));
        }
        None if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
            return Err("the key must be printable ASCII without blanks".to_owned());
        }
        None => hash(key),
    };
    Ok((hash, Caller { tenant, user }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_user_plain_or_hashed() {
        let (plain, hashed) = ("sk-0123456789abcdef0123456789", "sk-abcdef0123456789abcdef0123");
        let digits = hex::encode(hash(hashed));
        let text = format!("# ours\nacme/ann:{plain}\n\nacme/bob:sha256:{digits}, zeta/zoe:{plain}x");
        let keys = ApiKeys::parse(&text).unwrap();
        let named = |key: &str| {
            let caller = keys.caller(key)?;
            Some(format!("{}/{}", caller.tenant, caller.user))
        };
        assert_eq!(named(plain).as_deref(), Some("acme/ann"));
        assert_eq!(named(hashed).as_deref(), Some("acme/bob"));
        assert_eq!(named(&format!("{plain}x")).as_deref(), Some("zeta/zoe"));
        assert_eq!(named(&digits), None, "the hash is no key");
        assert_eq!(named(""), None);
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line() {
        let key = "0123456789abcdef0123456789";
        for (line, reason) in [
            (format!("acme:{key}"), "tenant/user:key"),
            ("acme/ann".to_owned(), "tenant/user:key"),
            (format!("a b/ann:{key}"), "the tenant"),
            (format!("acme/../x:{key}"), "the user"),
            ("acme/ann:short".to_owned(), "24 bytes"),
            (format!("acme/ann:{key} {key}"), "blanks"),
            (format!("acme/ann:sha256:{key}"), "64 hex digits"),
            (format!("acme/ann:{key}0\nacme/bob:{key}0"), "twice"),
        ] {
            let error = ApiKeys::parse(&format!("\n{line}")).unwrap_err().to_string();
            assert!(
                error.starts_with("line ") && error.contains(reason),
                "{line}: {error}"
            );
            assert!(!error.contains(key), "{error}");
        }
    }
}
