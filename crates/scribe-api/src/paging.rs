//! Pages of a listing: how many entries, and behind which.
//!
//! A cursor is opaque to clients. It names its listing, whose it is, and the last entry that was seen, with a sum over
//! all of it: one of another tenant, of another listing, or made up, is refused, not misread. It gives no access by
//! itself: every page is listed below the caller's own tenant.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use scribe_core::TenantId;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// The most entries of a page.
pub(crate) const MAX_LIMIT: u16 = 100;

/// Which page.
pub(crate) struct Page {
    pub(crate) limit: u16,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Asked {
    limit: Option<String>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(asked) = Query::<Asked>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::field("limit", "and cursor may each be given once"))?;
        let limit = match asked.limit {
            None => Self::DEFAULT_LIMIT,
            Some(limit) => limit
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| ApiError::field("limit", format!("must be a number from 1 to {MAX_LIMIT}")))?,
        };
        Ok(Self {
            limit,
            cursor: asked.cursor,
        })
    }
}

impl Page {
    const DEFAULT_LIMIT: u16 = 20;

    /// The place behind which the page begins; none for the first page.
    pub(crate) fn after<T>(
        &self,
        listing: &Listing<'_>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let place = listing.place_of(cursor).and_then(|place| read(&place));
        let wrong = || {
            ApiError::field(
                "cursor",
                "is not one that this listing gave; leave it out for the first page",
            )
        };
        place.map(Some).ok_or_else(wrong)
    }
}

/// What is listed, and whose it is.
pub(crate) struct Listing<'a> {
    /// Which listing: its route, with the ids that stand in it.
    pub(crate) of: &'a str,
    pub(crate) tenant: &'a TenantId,
}

/// How many bytes of the sum a cursor has.
const SUM: usize = 6;

impl Listing<'_> {
    /// A cursor for the page behind this place.
    pub(crate) fn cursor(&self, place: &str) -> String {
        hex::encode(self.sum(place)) + &hex::encode(place)
    }

    fn place_of(&self, cursor: &str) -> Option<String> {
        let bytes = hex::decode(cursor).ok()?;
        let (sum, place) = bytes.split_at_checked(SUM)?;
        let place = std::str::from_utf8(place).ok()?;
        (self.sum(place) == sum).then(|| place.to_owned())
    }

    fn sum(&self, place: &str) -> [u8; SUM] {
        let text = format!("{}\n{}\n{place}", self.of, self.tenant);
        let mut sum = [0; SUM];
        sum.copy_from_slice(&Sha256::digest(text)[..SUM]);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_where_it_was_given_and_nowhere_else() {
        let (ours, theirs): (TenantId, TenantId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let of = |of, tenant| Listing { of, tenant };
        let cursor = of("assets", &ours).cursor("place 7");
        assert_eq!(of("assets", &ours).place_of(&cursor).as_deref(), Some("place 7"));
        assert_eq!(of("assets", &theirs).place_of(&cursor), None);
        assert_eq!(of("versions", &ours).place_of(&cursor), None);
        for wrong in ["", "00", "zz", &cursor[2..], &format!("{cursor}00"), "é"] {
            assert_eq!(of("assets", &ours).place_of(wrong), None, "{wrong:?}");
        }
    }
}
