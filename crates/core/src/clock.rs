//! Time as a value that is handed in.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::Timestamp;

/// Where a library gets the time from.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time of day; it may jump.
    fn now(&self) -> Timestamp;

    /// Time since some start; it never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits until [`now`](Self::now) has reached `deadline`, and no longer than that seemed to be away when asked: after
    /// a clock was set back, `now` may still lie before it.
    async fn sleep_until(&self, deadline: Timestamp);
}

/// A clock that stands still until it is moved; waiting moves it.
#[derive(Debug)]
pub struct ManualClock {
    start_ms: i64,
    now_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { start_ms: now.as_millis(), now_ms: AtomicI64::new(now.as_millis()) }
    }

    /// Moves the clock to `now`, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.now_ms.store(now.as_millis(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let epoch = Timestamp::from_millis(0).unwrap_or_else(|| unreachable!("the epoch is a time"));
        epoch.plus_millis(self.now_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        let elapsed_ms = self.now_ms.load(Ordering::SeqCst) - self.start_ms;
        Duration::from_millis(u64::try_from(elapsed_ms).unwrap_or(0))
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        self.now_ms.fetch_max(deadline.as_millis(), Ordering::SeqCst);
    }
}
