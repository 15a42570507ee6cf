//! Whether a request without authentication comes from this machine. That only loopback is listened on does not say
//! so: a browser here sends what a page of anywhere tells it to. A page whose name was made to point here (DNS
//! rebinding) is known by `Host`, one of another origin that posts by `Origin`.

use axum::extract::Request;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderValue, StatusCode};
use url::{Host, Url};

use crate::error::ApiError;

/// Refuses what comes from elsewhere.
pub(super) fn check(request: &Request, origins: &[String]) -> Result<(), ApiError> {
    let hosts = request.headers().get_all(HOST).iter();
    // No browser leaves the host out; programs of HTTP/1.0 may.
    let named = hosts.map(|host| host.to_str().ok().and_then(|host| host.parse().ok()));
    let asked = request.uri().authority().cloned().map(Some);
    if !named
        .chain(asked)
        .all(|host| host.is_some_and(|host: Authority| is_loopback(host.host())))
    {
        return Err(refusal(
            "host_not_local",
            "without authentication only this machine is served, by the name localhost or 127.0.0.1",
        ));
    }
    let mut came_from = request.headers().get_all(ORIGIN).iter();
    if !came_from.all(|origin| is_allowed(origin, origins)) {
        return Err(refusal(
            "origin_not_local",
            "without authentication only pages of this machine and those in SCRIBE_CORS_ORIGINS are served",
        ));
    }
    Ok(())
}

fn refusal(code: &'static str, message: &'static str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, message)
}

/// A host as it stands in a URL: an IPv6 address has brackets.
fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

fn is_allowed(origin: &HeaderValue, origins: &[String]) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    if origins.iter().any(|allowed| allowed == origin) {
        return true;
    }
    let Ok(url) = Url::parse(origin) else { return false };
    // `file:` and `null` have no host.
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn verdict(headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = Request::builder().uri("/api/chat/background-doc/start");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        check(&request, &["https://app.example".to_owned()]).is_ok()
    }

    #[test]
    fn this_machine_is_served() {
        for host in [
            "localhost",
            "localhost:3000",
            "LOCALHOST:80",
            "127.0.0.1:3000",
            "127.9.9.9",
            "[::1]:3000",
            "[::1]",
        ] {
            assert!(verdict(&[("host", host)]), "{host}");
        }
        for origin in [
            "http://localhost:5173",
            "http://127.0.0.1:3000",
            "https://[::1]:8443",
            "https://app.example",
        ] {
            assert!(
                verdict(&[("host", "localhost:3000"), ("origin", origin)]),
                "{origin}"
            );
        }
        assert!(verdict(&[]));
    }

    #[test]
    fn pages_of_elsewhere_are_not() {
        for host in [
            "evil.example",
            "evil.example:3000",
            "localhost.evil.example",
            "127.0.0.1.nip.io:3000",
            "0.0.0.0:3000",
            "192.168.1.7:3000",
            "[::]:3000",
            "[fe80::1]",
            "",
            "localhost:3000:3000",
            "a b",
        ] {
            assert!(!verdict(&[("host", host)]), "{host}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.nip.io",
            "https://app.example:8443",
            "http://app.example",
            "file:///tmp/page.html",
            "",
            "localhost",
        ] {
            assert!(
                !verdict(&[("host", "localhost:3000"), ("origin", origin)]),
                "{origin}"
            );
        }
        assert!(!verdict(&[("host", "localhost"), ("host", "evil.example")]));
        assert!(!verdict(&[
            ("origin", "http://localhost"),
            ("origin", "https://evil.example")
        ]));
        let absolute = Request::builder()
            .uri("http://evil.example/healthz")
            .body(Body::empty())
            .unwrap();
        assert!(check(&absolute, &[]).is_err());
    }
}
