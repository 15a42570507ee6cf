//! Who asks. Every route gets its tenant from here, so no request names another's.
//!
//! There is no authentication yet: everybody is the spec's `default-user` of the tenant `default`, and the server
//! listens on loopback only. A body may name them, because the spec's does, but nobody else.

use scribe_core::{TenantId, UserId};

use crate::error::ApiError;

/// The spec's tenant where none is named.
const DEFAULT_TENANT: &str = "default";

/// The spec's user where none is named.
const DEFAULT_USER: &str = "default-user";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
}

impl Caller {
    /// The only caller there is without authentication.
    pub(crate) fn anonymous() -> Result<Self, ApiError> {
        Ok(Self {
            tenant: DEFAULT_TENANT.parse().map_err(ApiError::id("tenantId"))?,
            user: DEFAULT_USER.parse().map_err(ApiError::id("userId"))?,
        })
    }

    /// Checks what a body says of the caller.
    pub(crate) fn claimed(tenant: Option<&str>, user: Option<&str>) -> Result<Self, ApiError> {
        let caller = Self::anonymous()?;
        if tenant.is_some_and(|tenant| tenant != caller.tenant.as_str()) {
            return Err(ApiError::field(
                "tenantId",
                "can only be \"default\" without authentication; leave it out",
            ));
        }
        if user.is_some_and(|user| user != caller.user.as_str()) {
            return Err(ApiError::field(
                "userId",
                "can only be \"default-user\" without authentication; leave it out",
            ));
        }
        Ok(caller)
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(_parts: &mut http::request::Parts, _state: &S) -> Result<Self, ApiError> {
        Self::anonymous()
    }
}
