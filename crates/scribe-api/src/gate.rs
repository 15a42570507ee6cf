//! The gate that every request passes. It says who asks, and refuses whoever it can't tell, whoever asks too often,
//! and, where there is no authentication, whoever is not on this machine.
//!
//! A token comes as `Authorization: Bearer …` (a signed one or an API key, as clients of OpenAI send it) or as
//! `x-api-key`, which then decides alone: such a client may have an `Authorization` for somebody behind us. What the
//! gate has read it takes out of the request, so no handler can pass it on or log it.
//!
//! What can go wrong: a token of another issuer, or one that has expired: 401. Who has signed a token rightly is told
//! which of its claims is wrong, others are told nothing; which check refused them is in the log at `debug`, never the
//! token.

pub(crate) mod cors;
mod jwt;
mod local;
mod tenants;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::caller::Caller;
use crate::config::{ApiConfig, ApiKeys, Authentication};
use crate::error::ApiError;
use jwt::JwtVerifier;
use tenants::Tenants;

pub(crate) use tenants::Tenant;

/// The spec's tenant where none is named.
const DEFAULT_TENANT: &str = "default";
/// The spec's user where none is named.
const DEFAULT_USER: &str = "default-user";
/// Where an API key may stand instead of `Authorization`.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Gate {
    door: Door,
    tenants: Tenants,
}

#[derive(Debug)]
enum Door {
    /// Programs and pages of this machine, and pages of these origins.
    Local { origins: Vec<String> },
    Tokens {
        jwt: Option<Box<JwtVerifier>>,
        keys: ApiKeys,
    },
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Missing,
    Expired,
    /// It is signed rightly, and says something that is refused.
    Claim(&'static str),
    NotValid,
}

impl Gate {
    pub(crate) fn new(config: &ApiConfig) -> Self {
        let door = match &config.authentication {
            Authentication::LoopbackOnly => Door::Local {
                origins: config.cors_origins.clone(),
            },
            Authentication::Tokens { jwt, keys } => Door::Tokens {
                jwt: jwt.as_ref().map(|config| Box::new(JwtVerifier::new(config))),
                keys: keys.clone(),
            },
        };
        Self {
            door,
            tenants: Tenants::new(config.limits),
        }
    }

    fn caller(&self, headers: &mut HeaderMap) -> Result<Caller, ApiError> {
        match &self.door {
            Door::Local { .. } => Ok(Caller {
                tenant: DEFAULT_TENANT.parse().map_err(ApiError::id("tenantId"))?,
                user: DEFAULT_USER.parse().map_err(ApiError::id("userId"))?,
            }),
            Door::Tokens { jwt, keys } => {
                let token = take_token(headers)?;
                if let Some(caller) = keys.caller(&token) {
                    return Ok(caller.clone());
                }
                let Some(jwt) = jwt else {
                    return Err(Refusal::NotValid.into());
                };
                Ok(jwt.caller(&token)?)
            }
        }
    }
}

/// What the caller shows, taken out of the request.
fn take_token(headers: &mut HeaderMap) -> Result<String, Refusal> {
    let name = [API_KEY, AUTHORIZATION]
        .into_iter()
        .find(|name| headers.contains_key(name))
        .ok_or(Refusal::Missing)?;
    let is_alone = headers.get_all(&name).iter().count() == 1;
    let shown = headers.remove(&name).ok_or(Refusal::Missing)?;
    let shown = shown.to_str().map_err(|_| Refusal::NotValid)?.trim();
    let token = if name == AUTHORIZATION {
        match shown.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(Refusal::NotValid),
        }
    } else {
        shown
    };
    if is_alone && !token.is_empty() {
        Ok(token.to_owned())
    } else {
        Err(Refusal::NotValid)
    }
}

/// Around every route but the open ones.
pub(crate) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let admitted = gate.caller(request.headers_mut()).and_then(|caller| {
        let tenant = gate.tenants.admit(&caller.tenant)?;
        Ok((caller, tenant))
    });
    match admitted {
        Ok((caller, tenant)) => {
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(tenant);
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

/// Around every route, the open ones too. A browser sends what a page of anywhere wants to this machine as well, so
/// without authentication it is the only thing between such a page and the documents.
pub(crate) async fn stay_local(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match &gate.door {
        Door::Local { origins } => match local::check(&request, origins) {
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        },
        Door::Tokens { .. } => next.run(request).await,
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        const INVALID: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        let (code, message, challenge) = match refusal {
            Refusal::Missing => (
                "token_missing",
                "a token is missing; send it as authorization: Bearer …, or an API key as x-api-key",
                HeaderValue::from_static("Bearer"),
            ),
            Refusal::Expired => ("token_expired", "the token has expired", INVALID),
            Refusal::Claim(why) => ("token_not_valid", why, INVALID),
            Refusal::NotValid => ("token_not_valid", "the token is not valid", INVALID),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, message).with_header(WWW_AUTHENTICATE, challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(shown: &[(&'static str, &'static str)]) -> (Result<String, Refusal>, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in shown {
            headers.append(*name, HeaderValue::from_static(value));
        }
        (take_token(&mut headers), headers)
    }

    #[test]
    fn a_token_is_taken_out_of_the_request() {
        let token = Ok("sk-1".to_owned());
        for shown in ["Bearer sk-1", "bearer sk-1", "BEARER   sk-1 "] {
            let (found, rest) = taken(&[("authorization", shown)]);
            assert_eq!((&found, rest.len()), (&token, 0), "{shown}");
        }
        let (found, rest) = taken(&[("authorization", "Bearer upstream"), ("x-api-key", "sk-1")]);
        assert_eq!(found, token);
        assert_eq!(rest["authorization"], "Bearer upstream");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        assert_eq!(taken(&[]).0, Err(Refusal::Missing));
        for shown in [
            vec![("authorization", "sk-1")],
            vec![("authorization", "Basic c2s6MQ==")],
            vec![("authorization", "Bearer ")],
            vec![("authorization", "")],
            vec![("x-api-key", "")],
            vec![("authorization", "Bearer sk-1"), ("authorization", "Bearer sk-1")],
            vec![("x-api-key", "sk-1"), ("x-api-key", "sk-2")],
        ] {
            let (found, rest) = taken(&shown);
            assert_eq!(found, Err(Refusal::NotValid), "{shown:?}");
            assert!(rest.is_empty(), "{shown:?}");
        }
    }
}
