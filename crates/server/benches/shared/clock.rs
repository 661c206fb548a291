//! The machine's clocks.
//!
//! Each bench includes this file and uses a part of it.
#![expect(clippy::disallowed_methods, reason = "a bench measures wall time")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use walkforward_core::{Clock, Timestamp};

/// Nanoseconds since 1970: the one clock that two processes share.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Time as the machine has it.
pub(crate) struct WallClock(Instant);

impl WallClock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let millis = i64::try_from(now_ns() / 1_000_000).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis).unwrap_or(Timestamp::EPOCH)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let millis = u64::try_from(deadline.millis_since(self.now())).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}
