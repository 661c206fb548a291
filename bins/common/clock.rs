//! The machine's clock, the one ambient clock of the product.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use walkforward_core::{Clock, Timestamp};

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

/// Longest single sleep, so that a clock that was set is noticed.
const MAX_SLEEP: Duration = Duration::from_secs(30);

impl SystemClock {
    /// The clock of this process; [`Clock::monotonic`] counts from this call.
    #[expect(clippy::disallowed_methods, reason = "this is where the product gets its time from")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the product gets its time from")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from(chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        sleep_until(deadline, || self.now(), || self.monotonic()).await;
    }
}

/// Sleeps until `now` has reached `deadline`, and no longer than that seemed to be away at first: a clock that is set
/// back in between doesn't make the sleep longer.
async fn sleep_until(
    deadline: Timestamp,
    now: impl Fn() -> Timestamp + Send,
    monotonic: impl Fn() -> Duration + Send,
) {
    let away = || Duration::from_millis(u64::try_from(deadline.millis_since(now())).unwrap_or(0));
    let latest = monotonic().saturating_add(away());
    loop {
        let left = away().min(latest.saturating_sub(monotonic()));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(MAX_SLEEP)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const WAIT_MS: i64 = 40;

    /// Sleeps for [`WAIT_MS`] by a clock that is `set_ms` ahead of time from its second reading on; how long it took.
    async fn slept(set_ms: i64) -> Duration {
        let (clock, readings) = (SystemClock::start(), AtomicU32::new(0));
        let now = || {
            let is_set = readings.fetch_add(1, Ordering::SeqCst) > 0;
            clock.now().plus_millis(if is_set { set_ms } else { 0 })
        };
        let sleep = sleep_until(clock.now().plus_millis(WAIT_MS), now, || clock.monotonic());
        tokio::time::timeout(Duration::from_secs(5), sleep).await.unwrap();
        clock.monotonic()
    }

    #[tokio::test]
    async fn a_sleep_ends_at_its_deadline() {
        let clock = SystemClock::start();
        let deadline = clock.now().plus_millis(WAIT_MS);
        clock.sleep_until(deadline).await;
        assert!(clock.monotonic() >= Duration::from_millis(WAIT_MS as u64 - 1));
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_makes_no_sleep_longer() {
        assert!(slept(-3_600_000).await >= Duration::from_millis(WAIT_MS as u64 - 1));
    }

    #[tokio::test]
    async fn a_clock_that_is_set_forward_ends_a_sleep() {
        assert!(slept(3_600_000).await < Duration::from_millis(WAIT_MS as u64));
    }
}
