//! A source that tries again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use walkforward_core::{BarRequest, Clock, DataSource, ErrorKind, SourceBars, SourceError};

/// Most attempts of one request.
pub const MAX_ATTEMPTS: u32 = 20;
/// Longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// How often a request is tried, and how long one waits in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, 1 to [`MAX_ATTEMPTS`].
    pub attempts: u32,
    /// Wait after the first failure; it doubles with each further one, up to five minutes.
    pub first_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 4, first_wait: Duration::from_secs(2) }
    }
}

impl RetryPolicy {
    /// Wait after failure number `failures`, from 1.
    fn wait(&self, failures: u32) -> Duration {
        self.first_wait.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(MAX_WAIT)
    }
}

/// Asks `inner` again when it says that another attempt may work ([`ErrorKind::Retry`]); any other error is given at
/// once. Waits by the clock that it is handed.
pub struct Retrying<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    policy: RetryPolicy,
}

impl<S: DataSource> Retrying<S> {
    /// `inner`, tried as `policy` says.
    pub fn new(inner: S, clock: Arc<dyn Clock>, policy: RetryPolicy) -> Self {
        Self { inner, clock, policy }
    }
}

#[async_trait]
impl<S: DataSource> DataSource for Retrying<S> {
    async fn bars(&self, request: &BarRequest) -> Result<SourceBars, SourceError> {
        let attempts = self.policy.attempts.clamp(1, MAX_ATTEMPTS);
        for attempt in 1.. {
            match self.inner.bars(request).await {
                Err(error) if error.kind == ErrorKind::Retry && attempt < attempts => {
                    let wait_ms = i64::try_from(self.policy.wait(attempt).as_millis()).unwrap_or(i64::MAX);
                    self.clock.sleep_until(self.clock.now().plus_millis(wait_ms)).await;
                }
                Err(SourceError { kind: ErrorKind::Retry, message }) => {
                    let message = format!("{message} (tried {attempts} times)");
                    return Err(SourceError { kind: ErrorKind::Retry, message });
                }
                answer => return answer,
            }
        }
        unreachable!("the last attempt returns")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use walkforward_core::{Bar, BarSeries, ManualClock, Timeframe, Timestamp};

    use super::*;

    /// Fails so many times with `kind`, then gives a bar.
    struct Flaky {
        failures: u32,
        kind: ErrorKind,
        asked: AtomicU32,
    }

    #[async_trait]
    impl DataSource for &Flaky {
        async fn bars(&self, _request: &BarRequest) -> Result<SourceBars, SourceError> {
            if self.asked.fetch_add(1, Ordering::SeqCst) < self.failures {
                return Err(SourceError { kind: self.kind, message: "gone".to_owned() });
            }
            let mut bars = BarSeries::new(Timeframe::MINUTE);
            bars.push(Bar::flat(Timestamp::EPOCH, 1.0).unwrap()).unwrap();
            Ok(SourceBars::new(bars, Timestamp::EPOCH, "flaky"))
        }
    }

    async fn ask(failures: u32, kind: ErrorKind) -> (Result<SourceBars, SourceError>, u32, i64) {
        let source = Flaky { failures, kind, asked: AtomicU32::new(0) };
        let clock = Arc::new(ManualClock::at(Timestamp::EPOCH));
        let retrying = Retrying::new(&source, clock.clone(), RetryPolicy::default());
        let answer = retrying.bars(&BarRequest::new("BTC/USD".parse().unwrap(), 1)).await;
        (answer, source.asked.load(Ordering::SeqCst), clock.now().as_millis() / 1_000)
    }

    #[tokio::test]
    async fn what_may_work_next_time_is_tried_again_with_growing_waits() {
        let (answer, asked, waited_s) = ask(3, ErrorKind::Retry).await;
        assert!(answer.is_ok());
        assert_eq!((asked, waited_s), (4, 2 + 4 + 8));
    }

    #[tokio::test]
    async fn the_attempts_are_bounded_and_counted_in_the_error() {
        let (answer, asked, _) = ask(99, ErrorKind::Retry).await;
        let error = answer.unwrap_err();
        assert_eq!(
            (asked, error.kind, error.message.as_str()),
            (4, ErrorKind::Retry, "gone (tried 4 times)")
        );
        assert_eq!(RetryPolicy::default().wait(30), MAX_WAIT);
    }

    #[tokio::test]
    async fn what_can_not_work_is_not_tried_again() {
        let (answer, asked, waited_s) = ask(99, ErrorKind::BadInput).await;
        assert_eq!((answer.unwrap_err().message.as_str(), asked, waited_s), ("gone", 1, 0));
    }
}
