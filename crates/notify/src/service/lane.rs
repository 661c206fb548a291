//! The way to one sink: one notice at a time, and a wait after failures.

use std::sync::Arc;
use std::time::Duration;

use crate::{Patience, Retry, Sink, SinkFailure};

/// Doublings of the first wait that are counted.
const MAX_DOUBLINGS: u32 = 20;

pub(super) struct Lane {
    sink: Arc<dyn Sink>,
    is_busy: bool,
    /// Failures since the last success.
    failures: u32,
    /// Until then it is left alone, by the clock's monotonic time.
    rests_until: Duration,
    /// Whether the log has it that notices don't arrive.
    has_told: bool,
}

pub(super) fn too_slow(limit: Duration) -> SinkFailure {
    SinkFailure {
        reason: format!("it takes longer than {} s", limit.as_secs()),
        advice: "check that the other side answers".to_owned(),
        retry: Retry::After(None),
    }
}

impl Lane {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, is_busy: false, failures: 0, rests_until: Duration::ZERO, has_told: false }
    }

    pub(super) fn name(&self) -> &str {
        self.sink.name()
    }

    pub(super) fn is_free(&self, now: Duration) -> bool {
        !self.is_busy && now >= self.rests_until
    }

    /// How long until it is free; none while something is on its way.
    pub(super) fn free_in(&self, now: Duration) -> Option<Duration> {
        (!self.is_busy).then(|| self.rests_until.saturating_sub(now))
    }

    pub(super) fn begin(&mut self) -> Arc<dyn Sink> {
        self.is_busy = true;
        Arc::clone(&self.sink)
    }

    /// Takes what became of an attempt. Whether the notice is done with.
    pub(super) fn ended(
        &mut self,
        result: &Result<(), SinkFailure>,
        now: Duration,
        patience: Patience,
    ) -> bool {
        self.is_busy = false;
        let Err(failure) = result else {
            self.failures = 0;
            if std::mem::take(&mut self.has_told) {
                tracing::info!(sink = self.name(), "notices arrive again");
            }
            return true;
        };
        if !std::mem::replace(&mut self.has_told, true) {
            tracing::warn!(sink = self.name(), "notices don't arrive: {failure}; {}", failure.advice);
        }
        let Retry::After(told) = failure.retry else { return true };
        self.failures = self.failures.saturating_add(1);
        let doublings = (self.failures - 1).min(MAX_DOUBLINGS);
        let wait = patience.first.saturating_mul(1 << doublings).min(patience.longest);
        self.rests_until = now.saturating_add(told.map_or(wait, |told| told.max(patience.first)));
        false
    }
}
