//! Signed tokens: HS256 and nothing else, whatever a token says of itself. `exp` must be there; `nbf`, `iss` and `aud`
//! hold where they are.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use scribe_core::{TenantId, UserId};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use sha2::Sha256;

use super::Refusal;
use crate::caller::Caller;
use crate::config::JwtConfig;

/// By how much clocks may differ, in seconds.
const LEEWAY_S: u64 = 30;

/// Reads signed tokens.
#[derive(Debug)]
pub(super) struct JwtVerifier {
    key: DecodingKey,
    validation: Validation,
    tenant_claim: String,
    user_claim: String,
}

impl JwtVerifier {
    pub(super) fn new(config: &JwtConfig) -> Self {
        // Whoever embeds the router may have installed one before; every one knows HS256.
        let _ = HS256_ONLY.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        if let Some(issuer) = &config.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &config.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Self {
            key: DecodingKey::from_secret(config.secret.expose_secret().as_bytes()),
            validation,
            tenant_claim: config.tenant_claim.clone(),
            user_claim: config.user_claim.clone(),
        }
    }

    /// Whom a token names.
    pub(super) fn caller(&self, token: &str) -> Result<Caller, Refusal> {
        let read = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation);
        let token = read.map_err(|error| refusal(&error))?;
        if token.header.crit.is_some() {
            return Err(Refusal::Claim(
                "the token demands an extension (crit), and none is known here",
            ));
        }
        // Names are as their issuer likes them: "auth0|5f7c", an e-mail address, a URL, the number of a row.
        let claim = |name: &str| match token.claims.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) if number.is_u64() || number.is_i64() => number.to_string(),
            _ => String::new(),
        };
        let tenant = TenantId::from_foreign(&claim(&self.tenant_claim));
        let user = UserId::from_foreign(&claim(&self.user_claim));
        match (tenant, user) {
            (Ok(tenant), Ok(user)) => Ok(Caller { tenant, user }),
            (Err(_), _) => Err(Refusal::Claim(
                "the token names no tenant: the claim that SCRIBE_JWT_TENANT_CLAIM says must be a text, and not too long a one",
            )),
            (_, Err(_)) => Err(Refusal::Claim(
                "the token names no user: the claim that SCRIBE_JWT_USER_CLAIM says must be a text, and not too long a one",
            )),
        }
    }
}

fn not_valid(why: &'static str) -> Refusal {
    tracing::debug!("a token was refused: {why}");
    Refusal::NotValid
}

/// In words of our own: a parser's words may repeat what they read.
fn refusal(error: &Error) -> Refusal {
    match error.kind() {
        ErrorKind::ExpiredSignature => Refusal::Expired,
        // The signature is checked before the claims, so these are told to whoever could sign.
        ErrorKind::ImmatureSignature => Refusal::Claim("the token is not valid yet (nbf)"),
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "exp" => Refusal::Claim("the token never expires; it needs the claim exp"),
            "iss" => Refusal::Claim("the token names no issuer (iss), and SCRIBE_JWT_ISSUER demands one"),
            _ => Refusal::Claim("the token names no audience (aud), and SCRIBE_JWT_AUDIENCE demands one"),
        },
        ErrorKind::InvalidIssuer => {
            Refusal::Claim("the token is by an issuer (iss) that SCRIBE_JWT_ISSUER does not name")
        }
        ErrorKind::InvalidAudience => {
            Refusal::Claim("the token is for an audience (aud) that SCRIBE_JWT_AUDIENCE does not name")
        }
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => {
            not_valid("it is not signed with HS256")
        }
        ErrorKind::InvalidSignature => not_valid("its signature is wrong"),
        _ => not_valid("it is no token"),
    }
}

/// What the library needs to check HS256. Its own providers bring RSA and curves.
static HS256_ONLY: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => {
            let mac =
                Hmac::new_from_slice(key.try_get_as_bytes()?).map_err(|_| ErrorKind::InvalidKeyFormat)?;
            Ok(Box::new(Hs256(mac)))
        }
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl signature::Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], shown: &Vec<u8>) -> Result<(), signature::Error> {
        let mut mac = self.0.clone();
        mac.update(message);
        // In constant time.
        mac.verify_slice(shown).map_err(signature::Error::from_source)
    }
}

impl jsonwebtoken::crypto::JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
