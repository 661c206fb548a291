//! The client's own rate limit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use walkforward_core::Clock;

/// Requests that may go out together. In any minute at most this many more than the rate are sent.
const BURST: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Lets requests through at a rate: a bucket of [`BURST`] tokens that fills evenly.
pub(crate) struct RateLimiter {
    clock: Arc<dyn Clock>,
    /// Time in which one token comes.
    interval: Duration,
    /// When the bucket will be full again, by the clock's [`Clock::monotonic`].
    full_at: Mutex<Duration>,
}

impl RateLimiter {
    pub(crate) fn new(clock: Arc<dyn Clock>, per_minute: u32) -> Self {
        Self { clock, interval: MINUTE / per_minute.max(1), full_at: Mutex::new(Duration::ZERO) }
    }

    /// Waits for a token and takes it. Takes none, and says how long the wait would have been, where that is longer
    /// than `longest`.
    pub(crate) async fn take(&self, longest: Duration) -> Result<(), Duration> {
        let wait = self.reserve(longest)?;
        if !wait.is_zero() {
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).saturating_add(1);
            self.clock.sleep_until(self.clock.now().plus_millis(wait_ms)).await;
        }
        Ok(())
    }

    /// Takes the next token, which may still have to come, and says how long that is.
    fn reserve(&self, longest: Duration) -> Result<Duration, Duration> {
        let now = self.clock.monotonic();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*full_at).max(now) + self.interval;
        let wait = next.saturating_sub(now + self.interval * BURST);
        if wait > longest {
            return Err(wait);
        }
        *full_at = next;
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use walkforward_core::{ManualClock, Timestamp};

    use super::*;

    #[tokio::test]
    async fn no_minute_has_more_requests_than_the_rate_and_the_burst() {
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let limiter = RateLimiter::new(clock.clone(), crate::AlpacaConfig::REQUESTS_PER_MINUTE);
        let mut sent = Vec::new();
        for _ in 0..1_000 {
            limiter.take(Duration::MAX).await.unwrap();
            sent.push(clock.monotonic());
        }
        assert!(sent[..BURST as usize].iter().all(Duration::is_zero), "the first go out together");
        let in_minute_of =
            |from: &Duration| sent.iter().filter(|at| (*from..*from + MINUTE).contains(*at)).count();
        let most = sent.iter().map(in_minute_of).max().unwrap();
        assert!((190..=200).contains(&most), "{most}");
    }

    #[tokio::test]
    async fn a_bucket_that_rested_is_full_again() {
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let limiter = RateLimiter::new(clock.clone(), 60);
        for _ in 0..15 {
            limiter.take(Duration::MAX).await.unwrap();
        }
        clock.set(Timestamp::EPOCH.plus_millis(120_000));
        for _ in 0..BURST {
            assert_eq!(limiter.reserve(Duration::ZERO), Ok(Duration::ZERO));
        }
        let second = Duration::from_secs(1);
        for _ in 0..3 {
            assert_eq!(
                limiter.reserve(Duration::ZERO),
                Err(second),
                "a token that is not waited for is not taken"
            );
        }
        assert_eq!(limiter.reserve(second), Ok(second));
    }
}
