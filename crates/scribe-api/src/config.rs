//! The API's settings, read from the environment once, at start. A wrong value, a misspelt name and two values that
//! contradict each other stop the start and name the variable.
//!
//! Without [`Authentication::Tokens`] everybody is the spec's default user, so only loopback may be listened on:
//! whoever listens asks [`ApiConfig::check_address`] first.

mod keys;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use keys::{ApiKeys, KeyError};
pub use scribe_trigger::config::ConfigError;

/// The shortest secret for HS256, in bytes: as long as the hash (RFC 7518, 3.2).
pub const MIN_JWT_SECRET_BYTES: usize = 32;

/// The variables that are read here. They are the API's alone: no function needs them, and two of them are secrets.
pub const VARIABLES: [&str; 14] = [
    "SCRIBE_JWT_SECRET",
    "SCRIBE_JWT_TENANT_CLAIM",
    "SCRIBE_JWT_USER_CLAIM",
    "SCRIBE_JWT_ISSUER",
    "SCRIBE_JWT_AUDIENCE",
    "SCRIBE_API_KEYS",
    "SCRIBE_API_KEYS_FILE",
    "SCRIBE_CORS_ORIGINS",
    "SCRIBE_MAX_BODY_BYTES",
    "SCRIBE_MAX_SMALL_BODY_BYTES",
    "SCRIBE_RATE_PER_S",
    "SCRIBE_RATE_BURST",
    "SCRIBE_STREAM_MAX_S",
    "SCRIBE_STREAMS_PER_TENANT",
];

/// Names that begin so are all known here. A misspelt one would leave a door open, so it stops the start.
const OUR_PREFIXES: [&str; 3] = ["SCRIBE_JWT_", "SCRIBE_API_KEYS", "SCRIBE_CORS_"];

/// Everything that the API is told.
#[derive(Debug, Clone, Default)]
pub struct ApiConfig {
    /// Who may ask.
    pub authentication: Authentication,
    /// `SCRIBE_CORS_ORIGINS`: which pages of other origins may ask, such as `https://app.example`.
    pub cors_origins: Vec<String>,
    /// How much anybody may ask.
    pub limits: Limits,
}

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub enum Authentication {
    /// Everybody on this machine, as the spec's `default-user` of the tenant `default`.
    #[default]
    LoopbackOnly,
    /// Whoever shows a token.
    Tokens {
        /// Signed tokens, if any are taken.
        jwt: Option<JwtConfig>,
        /// API keys; none where none are given.
        keys: ApiKeys,
    },
}

/// Which signed tokens are taken.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// `SCRIBE_JWT_SECRET`: HS256's key.
    pub secret: SecretString,
    /// `SCRIBE_JWT_TENANT_CLAIM`: where the tenant stands. Any text is taken ([`TenantId::from_foreign`]).
    ///
    /// [`TenantId::from_foreign`]: scribe_core::TenantId::from_foreign
    pub tenant_claim: String,
    /// `SCRIBE_JWT_USER_CLAIM`: where the user stands.
    pub user_claim: String,
    /// `SCRIBE_JWT_ISSUER`: who must have signed.
    pub issuer: Option<String>,
    /// `SCRIBE_JWT_AUDIENCE`: for whom it must be. Where none is named, tokens that name one are another's.
    pub audience: Option<String>,
}

/// How much anybody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `SCRIBE_MAX_BODY_BYTES`: the largest body of routes that take texts: turns, saves, chats, imports.
    pub body_bytes: usize,
    /// `SCRIBE_MAX_SMALL_BODY_BYTES`: the largest body of all others.
    pub small_body_bytes: usize,
    /// `SCRIBE_RATE_PER_S`: how many requests a tenant may send in a second, for long.
    pub rate_per_second: NonZeroU32,
    /// `SCRIBE_RATE_BURST`: how many at once.
    pub rate_burst: NonZeroU32,
    /// `SCRIBE_STREAM_MAX_S`: the longest that an answer may stream.
    pub stream_max: Duration,
    /// `SCRIBE_STREAMS_PER_TENANT`: how many chats may stream to a tenant at once, and as many readers of events.
    pub streams_per_tenant: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: crate::MAX_BODY_BYTES,
            small_body_bytes: 64 * 1024,
            rate_per_second: NonZeroU32::MIN.saturating_add(99),
            rate_burst: NonZeroU32::MIN.saturating_add(399),
            stream_max: Duration::from_mins(15),
            streams_per_tenant: 100,
        }
    }
}

/// Where the values come from: the environment, or a test's table.
type Read<'a> = &'a dyn Fn(&'static str) -> Result<Option<String>, ConfigError>;

impl ApiConfig {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], naming the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        check_names(names)?;
        Self::read(&scribe_trigger::config::optional::<String>)
    }

    fn read(read: Read<'_>) -> Result<Self, ConfigError> {
        let jwt = read_jwt(read)?;
        let keys = read_keys(read)?;
        let authentication = if jwt.is_none() && keys.is_empty() {
            Authentication::LoopbackOnly
        } else {
            Authentication::Tokens { jwt, keys }
        };
        Ok(Self {
            authentication,
            cors_origins: read_origins(read)?,
            limits: read_limits(read)?,
        })
    }

    /// Whether callers are known by their tokens.
    #[must_use]
    pub fn has_authentication(&self) -> bool {
        matches!(self.authentication, Authentication::Tokens { .. })
    }

    /// Refuses an address that others could reach where anybody who reaches it may do everything.
    ///
    /// # Errors
    /// [`ConfigError`] that says what to set.
    pub fn check_address(&self, variable: &'static str, address: SocketAddr) -> Result<(), ConfigError> {
        if self.has_authentication() || address.ip().is_loopback() {
            return Ok(());
        }
        Err(ConfigError::Invalid {
            variable,
            reason: format!(
                "{address} is open to others, and no authentication is configured; set SCRIBE_JWT_SECRET or \
                 SCRIBE_API_KEYS, or use an address such as 127.0.0.1:{}",
                address.port()
            ),
        })
    }
}

fn check_names(mut names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    let unknown = names.find(|name| {
        OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !VARIABLES.contains(&name.as_str())
    });
    match unknown {
        Some(name) => Err(ConfigError::Unknown { name }),
        None => Ok(()),
    }
}

fn invalid(variable: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        variable,
        reason: reason.into(),
    }
}

fn read_jwt(read: Read<'_>) -> Result<Option<JwtConfig>, ConfigError> {
    const SECRET: &str = "SCRIBE_JWT_SECRET";
    let (tenant, user) = ("SCRIBE_JWT_TENANT_CLAIM", "SCRIBE_JWT_USER_CLAIM");
    let (issuer, audience) = ("SCRIBE_JWT_ISSUER", "SCRIBE_JWT_AUDIENCE");
    let Some(secret) = read(SECRET)?.map(SecretString::from) else {
        for first in [tenant, user, issuer, audience] {
            if read(first)?.is_some() {
                return Err(ConfigError::Contradiction {
                    first,
                    second: SECRET,
                    reason: "no signed token is taken without the secret".into(),
                });
            }
        }
        return Ok(None);
    };
    if secret.expose_secret().len() < MIN_JWT_SECRET_BYTES {
        return Err(invalid(
            SECRET,
            format!("it must have at least {MIN_JWT_SECRET_BYTES} bytes"),
        ));
    }
    let config = JwtConfig {
        secret,
        tenant_claim: read(tenant)?.unwrap_or_else(|| "tenant".to_owned()),
        user_claim: read(user)?.unwrap_or_else(|| "sub".to_owned()),
        issuer: read(issuer)?,
        audience: read(audience)?,
    };
    if config.tenant_claim == config.user_claim {
        return Err(ConfigError::Contradiction {
            first: tenant,
            second: user,
            reason: "one claim can't name both".into(),
        });
    }
    Ok(Some(config))
}

fn read_keys(read: Read<'_>) -> Result<ApiKeys, ConfigError> {
    const KEYS: &str = "SCRIBE_API_KEYS";
    const FILE: &str = "SCRIBE_API_KEYS_FILE";
    let (variable, text) = match (read(KEYS)?, read(FILE)?) {
        (None, None) => return Ok(ApiKeys::default()),
        (Some(_), Some(_)) => {
            return Err(ConfigError::Contradiction {
                first: KEYS,
                second: FILE,
                reason: "the keys stand in one place".into(),
            });
        }
        (Some(text), None) => (KEYS, SecretString::from(text)),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| invalid(FILE, format!("{path} can't be read: {error}")))?;
            (FILE, SecretString::from(text))
        }
    };
    let keys = ApiKeys::parse(text.expose_secret()).map_err(|error| invalid(variable, error.to_string()))?;
    if keys.is_empty() {
        // Somebody meant to close the door.
        return Err(invalid(variable, "there is no key in it"));
    }
    Ok(keys)
}

fn read_origins(read: Read<'_>) -> Result<Vec<String>, ConfigError> {
    const ORIGINS: &str = "SCRIBE_CORS_ORIGINS";
    let text = read(ORIGINS)?.unwrap_or_default();
    let origins = text.split([',', ' ', '\n']).filter(|origin| !origin.is_empty());
    let checked = origins.map(|origin| {
        let url = Url::parse(origin).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
        match url {
            Some(url) if url.origin().ascii_serialization() == origin => Ok(origin.to_owned()),
            _ => Err(invalid(
                ORIGINS,
                format!("{origin:?} is no origin; write scheme, host and port as browsers do, such as https://app.example"),
            )),
        }
    });
    checked.collect()
}

fn read_limits(read: Read<'_>) -> Result<Limits, ConfigError> {
    const MIB: usize = 1024 * 1024;
    let default = Limits::default();
    let limits = Limits {
        body_bytes: number(
            read,
            "SCRIBE_MAX_BODY_BYTES",
            (crate::MAX_TURN_BODY_BYTES, 64 * MIB),
        )?
        .unwrap_or(default.body_bytes),
        small_body_bytes: number(read, "SCRIBE_MAX_SMALL_BODY_BYTES", (4096, MIB))?
            .unwrap_or(default.small_body_bytes),
        rate_per_second: rate(read, "SCRIBE_RATE_PER_S")?.unwrap_or(default.rate_per_second),
        rate_burst: rate(read, "SCRIBE_RATE_BURST")?.unwrap_or(default.rate_burst),
        stream_max: number(read, "SCRIBE_STREAM_MAX_S", (1, 24 * 3600))?
            .map_or(default.stream_max, Duration::from_secs),
        streams_per_tenant: number(read, "SCRIBE_STREAMS_PER_TENANT", (1, 100_000))?
            .unwrap_or(default.streams_per_tenant),
    };
    if limits.rate_burst < limits.rate_per_second {
        return Err(ConfigError::Contradiction {
            first: "SCRIBE_RATE_BURST",
            second: "SCRIBE_RATE_PER_S",
            reason: "what may come in a second may come at once".into(),
        });
    }
    Ok(limits)
}

fn rate(read: Read<'_>, variable: &'static str) -> Result<Option<NonZeroU32>, ConfigError> {
    Ok(number(read, variable, (1, 1_000_000))?.and_then(NonZeroU32::new))
}

fn number<N>(read: Read<'_>, variable: &'static str, (least, most): (N, N)) -> Result<Option<N>, ConfigError>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(text) = read(variable)? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if number >= least && number <= most => Ok(Some(number)),
        _ => Err(invalid(
            variable,
            format!("it must be a number from {least} to {most}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&'static str, &str)]) -> Result<ApiConfig, ConfigError> {
        check_names(variables.iter().map(|(name, _)| (*name).to_owned()))?;
        ApiConfig::read(&|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        })
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn without_settings_nobody_else_is_let_in() {
        let config = read(&[]).unwrap();
        assert!(!config.has_authentication());
        config
            .check_address("SCRIBE_ADDR", "127.0.0.1:3000".parse().unwrap())
            .unwrap();
        config
            .check_address("SCRIBE_ADDR", "[::1]:3000".parse().unwrap())
            .unwrap();
        for open in ["0.0.0.0:3000", "[::]:3000", "192.0.2.7:3000"] {
            let refusal = config
                .check_address("SCRIBE_ADDR", open.parse().unwrap())
                .unwrap_err();
            let refusal = refusal.to_string();
            assert!(
                refusal.contains("SCRIBE_ADDR") && refusal.contains("no authentication"),
                "{refusal}"
            );
        }
        for variables in [
            [("SCRIBE_JWT_SECRET", SECRET)],
            [("SCRIBE_API_KEYS", "acme/ann:sk-0123456789abcdef0123456789")],
        ] {
            let config = read(&variables).unwrap();
            config
                .check_address("SCRIBE_ADDR", "0.0.0.0:3000".parse().unwrap())
                .unwrap();
        }
    }

    #[test]
    fn what_can_not_be_used_is_named_and_no_secret_told() {
        for (variables, named) in [
            (
                vec![("SCRIBE_JWT_SECRET", "0123456789abcdef0123456789abcde")],
                "SCRIBE_JWT_SECRET",
            ),
            (
                vec![("SCRIBE_JWT_ISSUER", "https://login.example")],
                "SCRIBE_JWT_SECRET",
            ),
            (vec![("SCRIBE_JWT_SECRETS", SECRET)], "SCRIBE_JWT_SECRETS"),
            (
                vec![("SCRIBE_JWT_SECRET", SECRET), ("SCRIBE_JWT_TENANT_CLAIM", "sub")],
                "SCRIBE_JWT_TENANT_CLAIM",
            ),
            (
                vec![("SCRIBE_API_KEYS", "acme:0123456789abcdef0123456789")],
                "SCRIBE_API_KEYS",
            ),
            (vec![("SCRIBE_API_KEYS", " \n# none\n")], "SCRIBE_API_KEYS"),
            (
                vec![("SCRIBE_API_KEYS_FILE", "/nowhere/keys")],
                "SCRIBE_API_KEYS_FILE",
            ),
            (
                vec![
                    ("SCRIBE_API_KEYS_FILE", "/nowhere/keys"),
                    ("SCRIBE_API_KEYS", "a/b:c"),
                ],
                "SCRIBE_API_KEYS_FILE",
            ),
            (vec![("SCRIBE_CORS_ORIGINS", "*")], "SCRIBE_CORS_ORIGINS"),
            (vec![("SCRIBE_CORS_ORIGINS", "null")], "SCRIBE_CORS_ORIGINS"),
            (
                vec![("SCRIBE_CORS_ORIGINS", "https://app.example/")],
                "SCRIBE_CORS_ORIGINS",
            ),
            (
                vec![("SCRIBE_CORS_ORIGINS", "https://app.example:443")],
                "SCRIBE_CORS_ORIGINS",
            ),
            (vec![("SCRIBE_MAX_BODY_BYTES", "1000")], "SCRIBE_MAX_BODY_BYTES"),
            (
                vec![("SCRIBE_MAX_SMALL_BODY_BYTES", "many")],
                "SCRIBE_MAX_SMALL_BODY_BYTES",
            ),
            (vec![("SCRIBE_RATE_PER_S", "0")], "SCRIBE_RATE_PER_S"),
            (
                vec![("SCRIBE_RATE_PER_S", "50"), ("SCRIBE_RATE_BURST", "49")],
                "SCRIBE_RATE_BURST",
            ),
            (vec![("SCRIBE_STREAM_MAX_S", "-1")], "SCRIBE_STREAM_MAX_S"),
            (
                vec![("SCRIBE_STREAMS_PER_TENANT", "0")],
                "SCRIBE_STREAMS_PER_TENANT",
            ),
        ] {
            let refusal = read(&variables).unwrap_err().to_string();
            assert!(refusal.contains(named), "{named}: {refusal}");
            assert!(!refusal.contains("0123456789abcde"), "{refusal}");
        }
    }

    #[test]
    fn what_is_read_is_used_and_no_secret_is_printed() {
        let config = read(&[
            ("SCRIBE_JWT_SECRET", SECRET),
            ("SCRIBE_JWT_AUDIENCE", "scribe"),
            ("SCRIBE_API_KEYS", "acme/ann:sk-0123456789abcdef0123456789"),
            (
                "SCRIBE_CORS_ORIGINS",
                "https://app.example, http://localhost:5173",
            ),
            ("SCRIBE_RATE_PER_S", "7"),
            ("SCRIBE_RATE_BURST", "9"),
            ("SCRIBE_STREAM_MAX_S", "60"),
        ])
        .unwrap();
        assert_eq!(
            config.cors_origins,
            ["https://app.example", "http://localhost:5173"]
        );
        assert_eq!(
            (
                config.limits.rate_per_second.get(),
                config.limits.rate_burst.get()
            ),
            (7, 9)
        );
        assert_eq!(config.limits.stream_max, Duration::from_secs(60));
        let printed = format!("{config:?}");
        assert!(!printed.contains("0123456789abcdef"), "{printed}");
    }
}
