//! Many due times at once.

use walkforward_core::Timestamp;

use super::{MS_PER_HOUR, Recurrence};

/// Due times of a cron expression that are counted, one by one: a tenth of a second's work. Intervals are divided, so
/// that theirs have no bound.
pub const MAX_COUNTED: u64 = 100_000;

/// Due times in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How many they are, or more than that where `is_exact` is false.
    pub count: u64,
    /// Whether all of them were counted.
    pub is_exact: bool,
    /// The last of them.
    pub last: Timestamp,
    /// The due time after them.
    pub next: Option<Timestamp>,
}

impl Recurrence {
    /// The due times from `first`, which is one, to `until`: at least `first` itself. At most [`MAX_COUNTED`] steps,
    /// however far that is.
    pub fn span(&self, anchor: Timestamp, first: Timestamp, until: Timestamp) -> Span {
        let until = until.max(first);
        match self {
            Self::Every(interval) => {
                let steps = until.millis_since(first) / interval.ms;
                let last = first.plus_millis(steps * interval.ms);
                let count = u64::try_from(steps).unwrap_or(0) + 1;
                Span { count, is_exact: true, last, next: self.next_after(anchor, last) }
            }
            Self::Cron(_) => self.counted(anchor, first, until),
        }
    }

    fn counted(&self, anchor: Timestamp, first: Timestamp, until: Timestamp) -> Span {
        let next = self.next_after(anchor, first);
        let mut span = Span { count: 1, is_exact: true, last: first, next };
        while let Some(due) = span.next.filter(|due| *due <= until) {
            if span.count == MAX_COUNTED {
                let last = self.last_until(anchor, until).max(span.last);
                return Span { is_exact: false, last, next: self.next_after(anchor, last), ..span };
            }
            let next = self.next_after(anchor, due);
            span = Span { count: span.count + 1, last: due, next, ..span };
        }
        span
    }

    /// The last due time that is not after `until`. It is looked for in ever longer times before that.
    fn last_until(&self, anchor: Timestamp, until: Timestamp) -> Timestamp {
        let later = |time| self.next_after(anchor, time).filter(|due| *due <= until);
        let mut looked_back_ms = MS_PER_HOUR;
        let mut last = loop {
            let from = until.plus_millis(-looked_back_ms);
            match later(from) {
                Some(due) => break due,
                None if from < Timestamp::EPOCH => return from,
                None => looked_back_ms *= 2,
            }
        };
        while let Some(due) = later(last) {
            last = due;
        }
        last
    }
}
