use std::io::Read as _;

use axum::body::Body;
use flate2::read::GzDecoder;
use http::header::{ALLOW, CONTENT_LENGTH};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

async fn ask(router: Router, method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

async fn get(path: &str, headers: &[(HeaderName, &str)]) -> Response<Bytes> {
    ask(router(), Method::GET, path, headers).await
}

/// A script of Vite's, with its packed form.
fn script() -> Served {
    static PACKED: &[u8] = b"as if packed";
    Served::new("assets/index-B3xq.js", b"plain", Some(PACKED))
}

#[tokio::test]
async fn the_page_is_at_the_root_under_its_policy_and_nowhere_else() {
    let page = get("/", &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    let headers = page.headers();
    assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[CACHE_CONTROL], "no-cache");
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[REFERRER_POLICY], "no-referrer");
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(
        page.body().starts_with(b"<!doctype html>") || page.body().starts_with(b"<!DOCTYPE html>"),
        "{page:?}"
    );
    for path in [
        "/index.html",
        "/index.html.gz",
        "/assets",
        "/assets/",
        "/no-such-page",
    ] {
        assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn what_was_not_built_says_how_to_build_it() {
    let page = get("/", &[]).await;
    let text = String::from_utf8(page.into_body().into()).unwrap();
    assert_eq!(text.contains("make run"), IS_PLACEHOLDER, "{text}");
    assert_eq!(text.contains("<script"), !IS_PLACEHOLDER, "{text}");
}

#[tokio::test]
async fn the_same_page_is_sent_once() {
    let first = get("/", &[]).await;
    let etag = first.headers()[ETAG].to_str().unwrap();
    for known in [
        etag.to_owned(),
        format!("W/{etag}"),
        format!("\"other\", {etag}"),
        "*".to_owned(),
    ] {
        let again = get("/", &[(IF_NONE_MATCH, &known)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert!(again.body().is_empty());
        for name in [ETAG, CACHE_CONTROL, VARY, CONTENT_SECURITY_POLICY] {
            assert_eq!(again.headers()[&name], first.headers()[&name]);
        }
    }
    let other = get("/", &[(IF_NONE_MATCH, "\"other\"")]).await;
    assert_eq!((other.status(), other.body()), (StatusCode::OK, first.body()));
}

#[tokio::test]
async fn only_reading_is_possible() {
    let whole = get("/", &[]).await;
    let head = ask(router(), Method::HEAD, "/", &[]).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert!(head.body().is_empty());
    assert_eq!(head.headers()[CONTENT_LENGTH], whole.body().len().to_string());
    assert_eq!(head.headers()[ETAG], whole.headers()[ETAG]);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let refused = ask(router(), method, "/", &[]).await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()[ALLOW], "GET,HEAD");
    }
}

#[test]
fn what_has_its_hash_in_its_name_is_kept_for_good() {
    let answer = script().answer(&HeaderMap::new());
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(
        answer.headers()[CACHE_CONTROL],
        "public, max-age=31536000, immutable"
    );
    assert!(answer.headers().contains_key(CONTENT_SECURITY_POLICY));
}

#[test]
fn who_takes_gzip_gets_it() {
    let script = script();
    for (accepted, packed) in [
        ("gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("br, GZIP;q=0.5", true),
        ("br", false),
        ("gzip;q=0", false),
        ("gzip; q=0.000", false),
        ("identity", false),
        ("", false),
    ] {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, accepted.parse().unwrap())]);
        let answer = script.answer(&headers);
        assert_eq!(
            answer.headers().contains_key(CONTENT_ENCODING),
            packed,
            "{accepted}"
        );
        assert_eq!(answer.headers()[VARY], "accept-encoding");
        let form = if packed {
            script.packed.as_ref().unwrap()
        } else {
            &script.plain
        };
        assert_eq!(answer.headers()[ETAG], form.etag, "{accepted}");
    }
    assert_ne!(script.plain.etag, script.packed.unwrap().etag);
}

#[test]
fn what_is_packed_is_what_is_plain() {
    let mut folders = vec![&PAGE];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let Some(name) = file.path().to_str().unwrap().strip_suffix(".gz") else {
                continue;
            };
            let mut text = Vec::new();
            GzDecoder::new(file.contents()).read_to_end(&mut text).unwrap();
            assert!(text == PAGE.get_file(name).unwrap().contents(), "{name}");
        }
    }
}
