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
        loop {
            let left_ms = deadline.millis_since(self.now());
            let Ok(left_ms @ 1..) = u64::try_from(left_ms) else { return };
            tokio::time::sleep(Duration::from_millis(left_ms).min(MAX_SLEEP)).await;
        }
    }
}
