//! Recursive loop detection: how often a function was already invoked within one chain of requests.
//!
//! The count travels in the trace header, as `Lineage=` followed by one `{hash}:{count}` for each function of the
//! chain. A function receives the header with its event, and the AWS SDK sends it along with every call that the
//! function makes (`_X_AMZN_TRACE_ID`). Only Lambda writes it. A chain is broken where a caller does not pass the
//! header on: a process that runs several invocations at once has no one header to pass, in the cloud too.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How often one function runs within a chain before Lambda stops it.
pub(super) const MOST_ROUNDS: u32 = 16;

/// A trace header, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    /// `Root=…;Parent=…;Sampled=…`, as it came.
    rest: String,
    lineage: Vec<(String, u32)>,
}

impl Trace {
    /// Reads the header of an invoke call; without one, a chain begins.
    pub(super) fn read(header: Option<&str>, now_seconds: u64, random: Uuid) -> Self {
        let mut rest = Vec::new();
        let mut lineage = Vec::new();
        for part in header
            .unwrap_or_default()
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.split_once('=') {
                Some((name, entries)) if name.eq_ignore_ascii_case("lineage") => {
                    lineage.extend(entries.split(['|', ',']).filter_map(|entry| {
                        let (hash, count) = entry.rsplit_once(':')?;
                        Some((hash.to_owned(), count.parse().ok()?))
                    }));
                }
                _ => rest.push(part),
            }
        }
        if !rest.iter().any(|part| part.starts_with("Root=")) {
            let random = random.simple().to_string();
            let rest = format!(
                "Root=1-{now_seconds:08x}-{};Parent={};Sampled=0",
                &random[..24],
                &random[16..]
            );
            return Self { rest, lineage };
        }
        Self {
            rest: rest.join(";"),
            lineage,
        }
    }

    /// The trace of an invocation of `function_arn` that this trace asks for, and which round it is, from 1.
    pub(super) fn enter(mut self, function_arn: &str) -> (Self, u32) {
        let hash = hex::encode(&Sha256::digest(function_arn)[..4]);
        let count = match self.lineage.iter_mut().find(|(known, _)| *known == hash) {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count
            }
            None => {
                self.lineage.push((hash, 0));
                0
            }
        };
        (self, count.saturating_add(1))
    }

    /// As a header.
    pub(super) fn header(&self) -> String {
        let entries: Vec<_> = self
            .lineage
            .iter()
            .map(|(hash, count)| format!("{hash}:{count}"))
            .collect();
        if entries.is_empty() {
            self.rest.clone()
        } else {
            format!("{};Lineage={}", self.rest, entries.join("|"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Trace {
        Trace::read(Some(header), 0x5759_e988, Uuid::from_u128(7))
    }

    #[test]
    fn a_chain_begins_and_grows() {
        let (first, round) = Trace::read(None, 0x5759_e988, Uuid::from_u128(7)).enter("arn:one");
        assert_eq!(round, 1);
        assert!(
            first
                .header()
                .starts_with("Root=1-5759e988-000000000000000000000000;Parent="),
            "{first:?}"
        );
        let (second, round) = read(&first.header()).enter("arn:one");
        assert_eq!(round, 2);
        let (third, round) = read(&second.header()).enter("arn:two");
        assert_eq!(round, 1, "each function has its own count");
        let (_, round) = read(&third.header()).enter("arn:one");
        assert_eq!(round, 3, "and keeps it through another function");
    }

    #[test]
    fn what_came_is_passed_on() {
        let trace = read("Root=1-a-b;Parent=c;Sampled=1;lineage=a87bd80c:0,68fd508a:5");
        assert_eq!(
            trace.header(),
            "Root=1-a-b;Parent=c;Sampled=1;Lineage=a87bd80c:0|68fd508a:5"
        );
        assert_eq!(read("Root=1-a-b;Lineage=nonsense").header(), "Root=1-a-b");
    }
}
