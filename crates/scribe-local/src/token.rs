//! What is shown to an API that wants to know who asks.

use anyhow::Context as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// A token as it goes along with every request; nothing where there is none, or an empty one.
///
/// # Errors
/// If it can't stand in a header.
pub(crate) fn shown(token: Option<&str>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let mut shown = HeaderValue::from_str(&format!("Bearer {token}"))
            .context("SCRIBE_TOKEN can't stand in a header")?;
        shown.set_sensitive(true);
        headers.insert(AUTHORIZATION, shown);
    }
    Ok(headers)
}
