//! How much each tenant asks: requests in a second, and answers that stream at once.
//!
//! Of the ten thousand tenants that asked last something is known, the others begin anew, so whoever mints tenants
//! costs no memory. Each process counts for itself.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use lru::LruCache;
use scribe_core::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::error::ApiError;

/// Of how many tenants something is known.
const KNOWN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// What is known of tenants.
#[derive(Debug)]
pub(super) struct Tenants {
    limits: Limits,
    known: Mutex<LruCache<TenantId, Tenant>>,
}

/// What is known of one.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    rate: Arc<DefaultDirectRateLimiter>,
    chats: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    stream_max: Duration,
}

impl Tenants {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            known: Mutex::new(LruCache::new(KNOWN)),
        }
    }

    /// Counts a request.
    pub(super) fn admit(&self, tenant: &TenantId) -> Result<Tenant, ApiError> {
        let tenant = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known
                .get_or_insert_ref(tenant, || Tenant::new(self.limits))
                .clone()
        };
        match tenant.rate.check() {
            Ok(()) => Ok(tenant),
            Err(until) => {
                let wait = until.wait_time_from(tenant.rate.clock().now());
                Err(too_many(
                    "too_many_requests",
                    "this tenant asks more often than SCRIBE_RATE_PER_S and SCRIBE_RATE_BURST allow; wait as retry-after says",
                    wait.as_secs() + 1,
                ))
            }
        }
    }
}

impl Tenant {
    fn new(limits: Limits) -> Self {
        let quota = Quota::per_second(limits.rate_per_second).allow_burst(limits.rate_burst);
        let streams = usize::try_from(limits.streams_per_tenant).unwrap_or(Semaphore::MAX_PERMITS);
        let streams = streams.min(Semaphore::MAX_PERMITS);
        Self {
            rate: Arc::new(RateLimiter::direct(quota)),
            chats: Arc::new(Semaphore::new(streams)),
            readers: Arc::new(Semaphore::new(streams)),
            stream_max: limits.stream_max,
        }
    }

    /// A place for one more chat that streams, and for how long it may.
    pub(crate) fn chat(&self) -> Result<(OwnedSemaphorePermit, Duration), ApiError> {
        self.place_of(&self.chats)
    }

    /// A place for one more reader of events. Readers stay for long, so they have places of their own: pages that are
    /// open must not keep anybody from chatting.
    pub(crate) fn reader(&self) -> Result<(OwnedSemaphorePermit, Duration), ApiError> {
        self.place_of(&self.readers)
    }

    fn place_of(&self, places: &Arc<Semaphore>) -> Result<(OwnedSemaphorePermit, Duration), ApiError> {
        let place = Arc::clone(places).try_acquire_owned();
        let place = place.map_err(|_| {
            too_many(
                "too_many_streams",
                "as many answers as SCRIBE_STREAMS_PER_TENANT allows stream to this tenant already; end one, or wait",
                1,
            )
        })?;
        Ok((place, self.stream_max))
    }
}

#[cfg(test)]
impl Tenant {
    /// One of nobody, for tests of what streams.
    pub(crate) fn alone(limits: Limits) -> Self {
        Self::new(limits)
    }
}

fn too_many(code: &'static str, message: &'static str, seconds: u64) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, message)
        .with_header(RETRY_AFTER, HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_tenant_that_asks_too_often_is_told_for_how_long_and_others_go_on() {
        let one = NonZeroU32::MIN;
        let limits = Limits {
            rate_per_second: one,
            rate_burst: one.saturating_add(2),
            ..Limits::default()
        };
        let tenants = Tenants::new(limits);
        let (ours, other): (TenantId, TenantId) = ("acme".parse().unwrap(), "zeta".parse().unwrap());
        let admitted = (0..1000).take_while(|_| tenants.admit(&ours).is_ok()).count();
        assert!((3..1000).contains(&admitted), "{admitted}");
        tenants.admit(&other).unwrap();
    }

    #[test]
    fn tenants_that_were_not_seen_for_long_cost_no_memory() {
        let tenants = Tenants::new(Limits::default());
        for number in 0..KNOWN.get() + 7 {
            tenants.admit(&format!("t{number}").parse().unwrap()).unwrap();
        }
        assert_eq!(tenants.known.lock().unwrap().len(), KNOWN.get());
    }
}
