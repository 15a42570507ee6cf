//! Bodies and paths whose faults are named by field, in the one envelope.

use std::fmt;
use std::marker::PhantomData;

use axum::body::{Body as RawBody, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::LengthLimitError;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::Limits;
use crate::error::ApiError;

/// A JSON object of moderate size: ids, settings, choices.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON object that carries texts.
pub(crate) struct LargeBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let limit = Limit::of_small_bodies(&request);
        Ok(Self(read_json(request, limit).await?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for LargeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let limit = Limit::of_bodies(&request);
        Ok(Self(read_json(request, limit).await?))
    }
}

/// A JSON body that carries texts and is passed on, so it is not taken apart here.
pub(crate) struct PassedBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for PassedBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let limit = Limit::of_bodies(&request);
        let (parts, body) = request.into_parts();
        check_json(&parts.headers)?;
        Ok(Self(read_bytes(&parts.headers, body, limit).await?))
    }
}

/// How large a body may be, and what says so.
#[derive(Clone, Copy)]
struct Limit {
    bytes: usize,
    setting: &'static str,
}

impl Limit {
    fn of_bodies(request: &Request) -> Self {
        Self {
            bytes: limits(request).body_bytes,
            setting: "SCRIBE_MAX_BODY_BYTES",
        }
    }

    fn of_small_bodies(request: &Request) -> Self {
        Self {
            bytes: limits(request).small_body_bytes,
            setting: "SCRIBE_MAX_SMALL_BODY_BYTES",
        }
    }
}

fn limits(request: &Request) -> Limits {
    request.extensions().get().copied().unwrap_or_default()
}

/// The id in a route's path, or a tuple of them.
pub(crate) struct PathId<T = String>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_path",
                "an id in the path is not UTF-8; only letters, digits, '.', '_' and '-' are taken",
            )),
        }
    }
}

async fn read_json<T: DeserializeOwned>(request: Request, limit: Limit) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    check_json(&parts.headers)?;
    parse(&read_bytes(&parts.headers, body, limit).await?)
}

fn check_json(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_json(headers) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "the body must be JSON, with the header content-type: application/json",
    ))
}

/// `application/json`, or what is built on it; a browser can't send these from a form.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    match kind.trim().to_ascii_lowercase().strip_prefix("application/") {
        Some(kind) => kind == "json" || kind.ends_with("+json"),
        None => false,
    }
}

/// The body, up to a limit. One that says beforehand that it is longer is not read at all.
async fn read_bytes(headers: &HeaderMap, body: RawBody, limit: Limit) -> Result<Bytes, ApiError> {
    let Limit {
        bytes: limit,
        setting,
    } = limit;
    let too_large = || {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than the {limit} bytes of {setting}"),
        )
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(cause) = source {
            if cause.is::<LengthLimitError>() {
                return too_large();
            }
            source = cause.source();
        }
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "unreadable_body",
            "the body could not be read",
        )
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let Object(parsed) = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let path = error.path().to_string();
        // The path of the body itself is a dot.
        let place = Some(path.as_str()).filter(|path| *path != "." && !path.contains('?'));
        if error.inner().is_data() {
            wrong_shape(place, &error.inner().to_string())
        } else {
            not_json(place, error.inner())
        }
    })?;
    parser.end().map_err(|error| not_json(None, &error))?;
    Ok(parsed)
}

fn not_json(place: Option<&str>, error: &serde_json::Error) -> ApiError {
    let message = match place {
        Some(place) => format!("the body is not JSON, at {place}: {error}"),
        None => format!("the body is not JSON: {error}"),
    };
    ApiError::new(StatusCode::BAD_REQUEST, "not_json", message).about(place)
}

/// Names the field that is missing, stands twice or is wrong; values in the parser's words are the caller's own.
fn wrong_shape(place: Option<&str>, fault: &str) -> ApiError {
    let what = fault.rsplit_once(" at line ").map_or(fault, |(what, _)| what);
    let quoted = |before: &str| what.strip_prefix(before)?.split_once('`').map(|(name, _)| name);
    // The name of such a field stands in the parser's words, and the place is what it is missing in.
    let inside = |name: &str| place.map_or_else(|| name.to_owned(), |place| format!("{place}.{name}"));
    let (field, message) = if let Some(missing) = quoted("missing field `").map(inside) {
        let message = format!("{missing} is missing");
        (Some(missing), message)
    } else if let Some(twice) = quoted("duplicate field `").map(inside) {
        let message = format!("{twice} stands there twice");
        (Some(twice), message)
    } else if let Some(place) = place {
        (Some(place.to_owned()), format!("{place} is wrong: {what}"))
    } else {
        (
            None,
            "the body must be a JSON object with the fields of this route".to_owned(),
        )
    };
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message).about(field.as_deref())
}

/// What is read from a JSON object and from nothing else. The parser would take an array as the fields in the order in
/// which they stand in our code, so every type of a body that is itself made of fields is read as one of these.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "it is only read")]
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "it is only read")]
        parts: Vec<Object<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "it is only read")]
        size: u8,
    }

    #[track_caller]
    fn check(body: &str, code: &str, field: Option<&str>, message: &str) {
        let (status, error) = parse::<Outer>(body.as_bytes()).unwrap_err().into_parts();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!((error.code, error.field.as_deref()), (code, field), "{body}");
        assert!(error.message.contains(message), "{body}: {}", error.message);
    }

    #[test]
    fn objects_are_read_from_objects_alone() {
        parse::<Outer>(br#" {"name": "a", "parts": [{"size": 1}], "more": [[]]} "#).unwrap();
        check(r#"["a", []]"#, "invalid_body", None, "must be a JSON object");
        check(
            r#"{"name": "a", "parts": [{"size": 1}, [1]]}"#,
            "invalid_body",
            Some("parts[1]"),
            "parts[1] is wrong: invalid type: sequence, expected an object",
        );
    }

    #[test]
    fn the_field_is_named_with_its_place() {
        let check = |body, field, message| check(body, "invalid_body", Some(field), message);
        check("{}", "name", "name is missing");
        check(
            r#"{"name": 7}"#,
            "name",
            "name is wrong: invalid type: integer `7`, expected a string",
        );
        check(r#"{"name": "a", "name": "b"}"#, "name", "name stands there twice");
        check(
            r#"{"name": "a", "parts": [{}]}"#,
            "parts[0].size",
            "parts[0].size is missing",
        );
        check(
            r#"{"name": "a", "parts": [{"size": 300}]}"#,
            "parts[0].size",
            "parts[0].size is wrong",
        );
        check(r#"{"name": "a", "parts": {}}"#, "parts", "expected a sequence");
    }

    #[test]
    fn what_is_no_json_is_named_with_its_place() {
        check(
            r#"{"name": nul}"#,
            "not_json",
            Some("name"),
            "at name: expected ident at line 1 column 13",
        );
        check(r#"{"name": "a""#, "not_json", None, "EOF while parsing an object");
        check(r#"{"name": "a"} {}"#, "not_json", None, "trailing characters");
        let deep = format!(r#"{{"name": "a", "more": {}"#, "[".repeat(10_000));
        check(&deep, "not_json", Some("more"), "EOF while parsing a list");
    }
}
