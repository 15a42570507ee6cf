#![doc = include_str!("../README.md")]

use std::time::{Duration, SystemTime};

/// Lambda lets no invocation run longer.
const LONGEST_INVOCATION: Duration = Duration::from_secs(15 * 60);

/// Below this a deadline is no use to anybody, whatever it means.
const SHORTEST_INVOCATION: Duration = Duration::from_secs(1);

/// How long an invocation may take from now on.
///
/// Some emulators hand out deadlines in 1970, or none. What can't be a deadline is replaced by the function's
/// configured timeout.
#[must_use]
pub fn time_left(deadline: SystemTime, now: SystemTime, configured: Duration) -> Duration {
    deadline
        .duration_since(now)
        .ok()
        .filter(|left| (SHORTEST_INVOCATION..=LONGEST_INVOCATION).contains(left))
        .unwrap_or(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_makes_no_sense_is_replaced() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let configured = Duration::from_secs(60);
        for (deadline, expected) in [
            (now + Duration::from_secs(30), Duration::from_secs(30)),
            (now + Duration::from_secs(900), Duration::from_secs(900)),
            (SystemTime::UNIX_EPOCH, configured),
            (SystemTime::UNIX_EPOCH + Duration::from_secs(123), configured),
            (now, configured),
            (now - Duration::from_secs(1), configured),
            (now + Duration::from_millis(999), configured),
            (now + Duration::from_secs(86_400), configured),
        ] {
            assert_eq!(time_left(deadline, now, configured), expected, "{deadline:?}");
        }
    }
}
