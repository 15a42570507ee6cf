//! Signed tokens, made by hand: what the gate reads is not what made them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

pub(crate) const SECRET: &str = "the-secret-of-these-tests-0123456789";

/// Seconds since 1970, so many from now.
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    Timestamp::now().as_second() + seconds
}

/// What a right token says.
pub(crate) fn claims(tenant: &str, user: &str) -> Value {
    json!({ "tenant": tenant, "sub": user, "exp": in_seconds(600) })
}

pub(crate) fn right(tenant: &str, user: &str) -> String {
    hs256(&claims(tenant, user), SECRET)
}

pub(crate) fn hs256(claims: &Value, secret: &str) -> String {
    with_header(&json!({ "alg": "HS256", "typ": "JWT" }), claims, secret)
}

/// Signed with SHA-256 whatever the header says.
pub(crate) fn with_header(header: &Value, claims: &Value, secret: &str) -> String {
    let message = message(header, claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

pub(crate) fn hs512(claims: &Value, secret: &str) -> String {
    let message = message(&json!({ "alg": "HS512", "typ": "JWT" }), claims);
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

/// The sign of trust that is none.
pub(crate) fn unsigned(claims: &Value) -> String {
    format!("{}.", message(&json!({ "alg": "none" }), claims))
}

fn message(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}
