//! Which pages of other origins may ask, and what they may see. A preflight needs no token: it carries none.

use std::time::Duration;

use http::{HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

/// For how long a browser need not ask again.
const MAX_AGE: Duration = Duration::from_hours(1);

/// The layer for these origins; none where there are none.
///
/// No cookies are allowed, so `*` shows every header (`ETag`, `Retry-After`, `x-scribe-…`). It would not let
/// `Authorization` come in, so whatever the preflight asks for is allowed by name.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::any())
        .max_age(MAX_AGE);
    Some(layer)
}
