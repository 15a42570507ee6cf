#![doc = include_str!("../README.md")]

use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode};
use include_dir::{Dir, File, include_dir};
use sha2::{Digest as _, Sha256};

/// What `build.rs` has laid out.
static PAGE: Dir<'_> = include_dir!("$OUT_DIR/page");

/// Whether the page was not built, and says so.
pub const IS_PLACEHOLDER: bool = include!(concat!(env!("OUT_DIR"), "/is_placeholder"));

/// Scripts come from files alone, so a text that gets into the page can't run. Styles may stand in attributes: the
/// editor and the parts that place menus write them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A file of the page, ready to be sent.
#[derive(Clone)]
struct Served {
    content_type: &'static str,
    cache: &'static str,
    plain: Form,
    packed: Option<Form>,
}

/// A file's bytes, and the name that changes with them.
#[derive(Clone)]
struct Form {
    content: &'static [u8],
    etag: String,
}

/// The page, at `/`, and its files, each under its name. Nothing else is the page's: an unknown path is left to the
/// routes that it is merged with. Nothing of it is a secret, so no token is asked for.
pub fn router() -> Router {
    let mut router = Router::new();
    let mut folders = vec![&PAGE];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let Some(name) = file.path().to_str().filter(|name| !name.ends_with(".gz")) else {
                continue;
            };
            let packed = PAGE.get_file(format!("{name}.gz"));
            let served = Served::new(name, file.contents(), packed.map(File::contents));
            let path = if name == "index.html" {
                "/".to_owned()
            } else {
                format!("/{name}")
            };
            router = router.route(
                &path,
                get(async move |headers: HeaderMap| served.answer(&headers)),
            );
        }
    }
    router
}

impl Served {
    fn new(name: &str, plain: &'static [u8], packed: Option<&'static [u8]>) -> Self {
        let content_type = match name.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "json" => "application/json",
            "webmanifest" => "application/manifest+json",
            "png" => "image/png",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        };
        // Vite writes there what has the hash of its content in its name.
        let cache = if name.starts_with("assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        Self {
            content_type,
            cache,
            plain: Form::new(plain),
            packed: packed.map(Form::new),
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let packed = self.packed.as_ref().filter(|_| takes_gzip(asked));
        let form = packed.unwrap_or(&self.plain);
        let shared: [(HeaderName, &str); 6] = [
            (CACHE_CONTROL, self.cache),
            (ETAG, &form.etag),
            (VARY, "accept-encoding"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
        ];
        if knows(asked, &form.etag) {
            return (StatusCode::NOT_MODIFIED, shared).into_response();
        }
        let encoding = packed.map(|_| [(CONTENT_ENCODING, "gzip")]);
        let content = Bytes::from_static(form.content);
        (shared, encoding, [(CONTENT_TYPE, self.content_type)], content).into_response()
    }
}

impl Form {
    fn new(content: &'static [u8]) -> Self {
        let hash = hex::encode(Sha256::digest(content));
        let (start, _) = hash.split_at(32);
        Self {
            content,
            etag: format!("\"{start}\""),
        }
    }
}

/// Whether the client has this very form.
fn knows(asked: &HeaderMap, etag: &str) -> bool {
    listed(asked, &IF_NONE_MATCH)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    listed(asked, &ACCEPT_ENCODING).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        // `q=0` says no.
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_gzip && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

/// The entries of a header that is a list.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',').map(str::trim))
}

#[cfg(test)]
mod tests;
