//! Names that others gave, as ids of ours: what an identity provider calls a person or a tenant, such as
//! `auth0|5f7c`, an e-mail address or a URL.
//!
//! A name that can be an id is that id. In every other one each character outside the alphabet, and each `_`, becomes
//! its number between `_x` and `_`: `ann@example.com` is `ann_x40_example.com`. A name that holds such a thing already
//! is written so too, so two names never become one id. What would be too long keeps its beginning, and its SHA-256
//! stands behind `_x_`, which nothing else contains at the place of an escape.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{IdError, MAX_ID_BYTES, check};

/// The longest name that is taken, in bytes. `OpenID` Connect's subjects have at most 255.
pub const MAX_FOREIGN_BYTES: usize = 1024;

/// Between a long name's beginning and its hash.
const HASH: &str = "_x_";

/// How much of a long name's beginning stays: the hash takes 64 digits.
const BEGINNING_BYTES: usize = MAX_ID_BYTES - HASH.len() - 64;

/// The id that stands for a name, and for no other.
pub(super) fn id(name: &str) -> Result<String, IdError> {
    if name.is_empty() {
        return Err(IdError::Empty);
    }
    if name.len() > MAX_FOREIGN_BYTES {
        return Err(IdError::TooLong {
            bytes: name.len(),
            most: MAX_FOREIGN_BYTES,
        });
    }
    if check(name).is_ok() && !has_escape(name) {
        return Ok(name.to_owned());
    }
    let is_dots = name == "." || name == "..";
    let mut whole = String::with_capacity(name.len() + 16);
    let mut beginning = 0;
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || character == '-' || (character == '.' && !is_dots) {
            whole.push(character);
        } else {
            let _ = write!(whole, "_x{:X}_", u32::from(character));
        }
        if whole.len() <= BEGINNING_BYTES {
            beginning = whole.len();
        }
    }
    if whole.len() > MAX_ID_BYTES {
        whole.truncate(beginning);
        whole.push_str(HASH);
        whole.push_str(&hex::encode(Sha256::digest(name)));
    }
    Ok(whole)
}

/// Whether `_x`, any number of hex digits and `_` stand anywhere.
fn has_escape(text: &str) -> bool {
    text.match_indices("_x").any(|(at, start)| {
        let rest = &text[at + start.len()..];
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || ('A'..='F').contains(&c))
            .starts_with('_')
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn check_name(name: &str, expected: &str) {
        assert_eq!(id(name).as_deref(), Ok(expected), "{name:?}");
        assert_eq!(check(expected), Ok(()), "{expected:?}");
    }

    /// The name that an id stands for: what [`id`] does, backwards.
    fn name_of(id: &str) -> Option<String> {
        if !has_escape(id) {
            return Some(id.to_owned());
        }
        let (mut name, mut rest) = (String::new(), id);
        while let Some((plain, escape)) = rest.split_once("_x") {
            let (number, after) = escape.split_once('_')?;
            name.push_str(plain);
            name.push(char::from_u32(u32::from_str_radix(number, 16).ok()?)?);
            rest = after;
        }
        Some(name + rest)
    }

    #[test]
    fn names_of_identity_providers_can_be_read() {
        check_name("ann", "ann");
        check_name(
            "0f8fad5b-d9cd-469f-a165-70867728950e",
            "0f8fad5b-d9cd-469f-a165-70867728950e",
        );
        check_name("a_b__c_x", "a_b__c_x");
        check_name(
            "auth0|5f7c8ec7c33c6c004bbafe82",
            "auth0_x7C_5f7c8ec7c33c6c004bbafe82",
        );
        check_name("google-oauth2|1234", "google-oauth2_x7C_1234");
        check_name("ann.lee@example.com", "ann.lee_x40_example.com");
        check_name(
            "https://id.example/u/7",
            "https_x3A__x2F__x2F_id.example_x2F_u_x2F_7",
        );
        check_name("zoë", "zo_xEB_");
        check_name("..", "_x2E__x2E_");
        check_name("acme\n", "acme_xA_");
        check_name("../acme", ".._x2F_acme");
    }

    #[test]
    fn a_name_that_looks_like_an_id_of_another_one_is_another_id() {
        check_name("auth0_x7C_5f7c", "auth0_x5F_x7C_x5F_5f7c");
        check_name("a_x_b", "a_x5F_x_x5F_b");
        let long = "a|".repeat(100);
        let hashed = id(&long).unwrap();
        assert!(
            hashed.starts_with("a_x7C_a_x7C_") && hashed.len() <= MAX_ID_BYTES,
            "{hashed}"
        );
        assert_ne!(id(&hashed).unwrap(), hashed);
        assert_ne!(id(&(long + "b")).unwrap(), hashed);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(id(""), Err(IdError::Empty));
        assert!(id(&"é".repeat(512)).is_ok());
        assert_eq!(
            id(&"a".repeat(1025)),
            Err(IdError::TooLong {
                bytes: 1025,
                most: 1024
            })
        );
    }

    /// All texts of up to six of the characters that matter: none shares an id with another.
    #[test]
    fn no_two_names_are_one_id() {
        let mut names = vec![String::new()];
        let mut ids: HashMap<String, String> = HashMap::new();
        for _ in 0..6 {
            names = names
                .iter()
                .flat_map(|name| ["_", "x", "7", "C", "|", "."].map(|c| format!("{name}{c}")))
                .collect();
            for name in &names {
                let id = id(name).unwrap();
                check_name(name, &id);
                if let Some(other) = ids.insert(id.clone(), name.clone()) {
                    panic!("{name:?} and {other:?} are both {id:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn an_id_says_which_name_it_stands_for(name in "\\PC{1,14}|[_x0-9A-F|.]{1,14}|(_x[0-9A-F]{0,3}_?){1,3}") {
            let id = id(&name).unwrap();
            prop_assert_eq!(check(&id), Ok(()));
            prop_assert_eq!(name_of(&id), Some(name));
        }

        #[test]
        fn long_names_are_ids_too(name in "\\PC{100,250}", other in "\\PC{100,250}") {
            let (first, second) = (id(&name).unwrap(), id(&other).unwrap());
            prop_assert_eq!(check(&first), Ok(()));
            prop_assert_eq!(first == second, name == other);
        }
    }
}
