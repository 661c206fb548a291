//! How long to wait before asking again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use walkforward_core::Timestamp;

use crate::RetryPolicy;

/// UNIX time in seconds at which the quota is renewed.
const RATE_LIMIT_RESET: &str = "x-ratelimit-reset";

/// The wait that the service asks for: `Retry-After` in seconds or as a date, else, when the quota is used up, the
/// time until it is renewed. Points in time are counted from the answer's own date where it has one, so that a clock
/// that goes wrong here does no harm.
pub(crate) fn told_wait(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let now = answered_at(headers).unwrap_or(now);
    let until = |time: Timestamp| u64::try_from(time.millis_since(now)).ok().map(Duration::from_millis);
    if let Some(after) = text(RETRY_AFTER.as_str()) {
        let seconds = after.parse::<u64>().ok().map(Duration::from_secs);
        if let Some(wait) = seconds.or_else(|| http_date(after).and_then(until)) {
            return Some(wait);
        }
    }
    if status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let reset_s = text(RATE_LIMIT_RESET)?.parse::<i64>().ok()?;
    until(Timestamp::from_millis(reset_s.checked_mul(1_000)?)?).filter(|wait| !wait.is_zero())
}

/// The time by the answer's own date, to the second; none where it has none.
pub(crate) fn answered_at(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(|text| http_date(text.trim()))
}

/// A date as HTTP writes it: `Mon, 01 Jan 2024 00:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc2822(text).ok()?;
    Timestamp::from_millis(time.timestamp_millis())
}

/// Waits that double, with jitter from a seed.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    state: AtomicU64,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy, seed: u64) -> Self {
        Self { policy, state: AtomicU64::new(seed) }
    }

    /// The wait after `attempts` attempts, 1 or more: half to all of the doubled base wait, in whole milliseconds.
    pub(crate) fn wait(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let whole = self.policy.base_wait.saturating_mul(1 << doublings).min(self.policy.max_wait);
        let wait = whole.mul_f64(0.5 + 0.5 * self.unit());
        Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    }

    /// A number from 0 to 1 (SplitMix64).
    fn unit(&self) -> f64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut bits = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    fn check(status: StatusCode, headers: &[(&'static str, &'static str)], expected_s: Option<u64>) {
        let headers =
            headers.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let now = "2024-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(told_wait(status, &headers, now), expected_s.map(Duration::from_secs), "{headers:?}");
    }

    #[test]
    fn the_service_says_how_long_to_wait() {
        let reset = ("x-ratelimit-reset", "1704067260");
        check(LIMITED, &[("retry-after", "7"), reset], Some(7));
        check(LIMITED, &[("retry-after", "Mon, 01 Jan 2024 00:00:09 GMT")], Some(9));
        check(LIMITED, &[("retry-after", "soon"), reset], Some(60));
        check(LIMITED, &[reset, ("date", "Mon, 01 Jan 2024 00:00:50 GMT")], Some(10));
        check(LIMITED, &[("x-ratelimit-reset", "1704067200")], None);
        check(LIMITED, &[("x-ratelimit-reset", "99999999999999999")], None);
        check(LIMITED, &[], None);
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        check(unavailable, &[("retry-after", "3")], Some(3));
        check(unavailable, &[reset], None);
    }

    #[test]
    fn waits_double_up_to_the_longest_and_differ_by_seed() {
        let policy = RetryPolicy::default();
        let waits = |seed| {
            let backoff = Backoff::new(policy, seed);
            (1..=40).map(|attempts| backoff.wait(attempts)).collect::<Vec<_>>()
        };
        for (doublings, wait) in waits(7).into_iter().enumerate() {
            let whole = policy.base_wait.saturating_mul(1 << doublings.min(31)).min(policy.max_wait);
            assert!((whole / 2..=whole).contains(&wait), "{wait:?} of {whole:?}");
        }
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn an_answer_tells_its_time_where_it_has_a_date() {
        let mut headers = HeaderMap::new();
        assert_eq!(answered_at(&headers), None);
        headers.insert(DATE, " Mon, 01 Jan 2024 00:00:07 GMT ".trim().parse().unwrap());
        assert_eq!(answered_at(&headers).map(Timestamp::as_millis), Some(1_704_067_207_000));
        headers.insert(DATE, "yesterday".parse().unwrap());
        assert_eq!(answered_at(&headers), None);
    }
}
