//! Who asks. Every route gets its tenant from here, so no request names another's.
//!
//! The gate says who it is, from a token or an API key; without authentication everybody is the spec's
//! `default-user` of the tenant `default`. A body may name them, because the spec's does, but nobody else.

use http::StatusCode;
use scribe_core::{TenantId, UserId};

use crate::error::ApiError;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
}

impl Caller {
    /// Checks what a body says of the caller: the id, or the name as the token has it.
    pub(crate) fn check_claim(&self, tenant: Option<&str>, user: Option<&str>) -> Result<(), ApiError> {
        let is_tenant = |name: &str| {
            name == self.tenant.as_str() || TenantId::from_foreign(name).as_ref() == Ok(&self.tenant)
        };
        let is_user =
            |name: &str| name == self.user.as_str() || UserId::from_foreign(name).as_ref() == Ok(&self.user);
        if !tenant.is_none_or(is_tenant) {
            return Err(ApiError::field(
                "tenantId",
                format!("can only be {:?}, who asks; leave it out", self.tenant.as_str()),
            ));
        }
        if !user.is_none_or(is_user) {
            return Err(ApiError::field(
                "userId",
                format!("can only be {:?}, who asks; leave it out", self.user.as_str()),
            ));
        }
        Ok(())
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut http::request::Parts, _state: &S) -> Result<Self, ApiError> {
        // A route that is not behind the gate has no caller, and then serves nobody.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "this is a defect of ours; the request may be repeated",
            )
        })
    }
}
