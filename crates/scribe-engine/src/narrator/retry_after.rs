//! How long a server asks us to wait.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// How long the server asks us to wait: in milliseconds, in seconds, or until a date. A date is read against the
/// server's own clock where it tells it.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
    if let Some(wait) = header(HeaderName::from_static("retry-after-ms")).and_then(seconds) {
        return Some(wait / 1000);
    }
    let text = header(RETRY_AFTER)?;
    seconds(text).or_else(|| {
        let date = |text: &str| rfc2822::parse(text).ok().map(|date| date.timestamp());
        let now = header(DATE).and_then(date).unwrap_or_else(jiff::Timestamp::now);
        Duration::try_from(date(text)?.duration_since(now))
            .ok()
            .or(Some(Duration::ZERO))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], expected: Option<Duration>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        assert_eq!(retry_after(&headers), expected, "{headers:?}");
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now = ("date", "Sun, 22 Nov 2026 15:40:00 GMT");
        check(&[], None);
        check(&[("retry-after", "7")], Some(Duration::from_secs(7)));
        check(&[("retry-after", "0.5")], Some(Duration::from_millis(500)));
        check(
            &[("retry-after-ms", "250"), ("retry-after", "1")],
            Some(Duration::from_millis(250)),
        );
        check(
            &[now, ("retry-after", "Sun, 22 Nov 2026 15:41:30 GMT")],
            Some(Duration::from_secs(90)),
        );
        check(
            &[now, ("retry-after", "Sun, 22 Nov 2026 15:00:00 GMT")],
            Some(Duration::ZERO),
        );
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-3")], None);
    }
}
