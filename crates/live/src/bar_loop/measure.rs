//! What is shown to those who watch from outside.

use std::time::Duration;

use walkforward_core::Timestamp;

use super::{BarLoop, Moment};
use crate::metrics::Ages;

impl BarLoop {
    /// Shows what the bar that closed at `close` came to; its order has left.
    pub(super) fn measure(&self, close: Timestamp, moment: Moment, took: Duration) {
        let metrics = self.recorder.meter().metrics();
        let is_timed = moment.by_clock && !moment.missed;
        metrics.decided(is_timed.then(|| self.clock.now().millis_since(close)), took);
        metrics.stand(&self.desk);
    }

    /// Shows how old data and model are at `now`; a replay's time says nothing about confirmations.
    pub(crate) fn show_ages(&self, now: Timestamp, newest_end: Option<Timestamp>, by_clock: bool) {
        let since = |time: Timestamp| now.millis_since(time);
        let current = self.current.as_ref();
        let decides = current.map(|current| &current.model_id);
        let fresh = self.fresh.as_ref().filter(|fresh| by_clock && decides == Some(&fresh.model_id));
        self.recorder.meter().metrics().ages(Ages {
            data_ms: newest_end.map(since),
            confirmation_ms: fresh.map(|fresh| since(fresh.at)),
            training_ms: current.map(|current| since(current.policy.spec().used_until)),
        });
    }
}
