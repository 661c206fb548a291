//! How many requests are answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use walkforward_core::Clock;

use crate::problem::Problem;

/// Requests a second, in the long run. A page asks for a few.
const RATE: f64 = 500.0;
/// Requests at once.
const BURST: f64 = 2_000.0;
/// Requests without a valid token a second, in the long run: nobody guesses a token.
const STRANGERS_RATE: f64 = 5.0;
/// Requests without a valid token at once.
const STRANGERS_BURST: f64 = 100.0;

/// Counts requests, and those without a valid token once more.
pub(crate) struct Limiter {
    clock: Arc<dyn Clock>,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    all: Bucket,
    strangers: Bucket,
}

/// Fills with the time and is emptied by requests.
struct Bucket {
    rate: f64,
    burst: f64,
    left: f64,
    at: Duration,
}

impl Bucket {
    fn new(rate: f64, burst: f64, at: Duration) -> Self {
        Self { rate, burst, left: burst, at }
    }

    /// Takes one out; whether there was one.
    fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.left = (self.left + passed * self.rate).min(self.burst);
        self.at = now;
        let is_there = self.left >= 1.0;
        self.left -= f64::from(is_there);
        is_there
    }
}

impl Limiter {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.monotonic();
        let buckets = Buckets {
            all: Bucket::new(RATE, BURST, now),
            strangers: Bucket::new(STRANGERS_RATE, STRANGERS_BURST, now),
        };
        Self { clock, buckets: Mutex::new(buckets) }
    }

    /// Takes a request in.
    pub(crate) fn admit(&self) -> Result<(), Problem> {
        let now = self.clock.monotonic();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.all.take(now) {
            true => Ok(()),
            false => Err(Problem::too_many("the server answers no more at present: ask again in a second")),
        }
    }

    /// A request came without a valid token. Whoever has one is not held up by those.
    pub(crate) fn admit_stranger(&self) -> Result<(), Problem> {
        let now = self.clock.monotonic();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.strangers.take(now) {
            true => Ok(()),
            false => Err(Problem::too_many("too many requests without a valid token: wait a minute")),
        }
    }
}

#[cfg(test)]
mod tests {
    use walkforward_core::{Clock, ManualClock, Timestamp};

    use super::*;

    #[tokio::test]
    async fn a_burst_is_answered_and_then_as_many_as_time_allows() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0).unwrap()));
        let limiter = Limiter::new(clock.clone());
        let admitted = (0..10_000).take_while(|_| limiter.admit().is_ok()).count();
        assert_eq!(admitted, 2_000);
        clock.sleep_until(clock.now().plus_millis(100)).await;
        assert_eq!((0..10_000).take_while(|_| limiter.admit().is_ok()).count(), 50);
    }

    #[test]
    fn strangers_hold_up_nobody_who_has_a_token() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0).unwrap()));
        let limiter = Limiter::new(clock);
        assert_eq!((0..1_000).take_while(|_| limiter.admit_stranger().is_ok()).count(), 100);
        assert_eq!(limiter.admit_stranger().unwrap_err().status().as_u16(), 429);
        assert!(limiter.admit().is_ok());
    }
}
