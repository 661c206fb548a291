//! What those who watch a session from outside are told: counters, gauges and histograms for Prometheus.
//!
//! A [`TraderMetrics`] has its handles from the start on, so that counting looks nothing up; those that nobody has
//! registered count nothing. Names begin with `walkforward_` and end with their unit.

mod handles;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, NoopRecorder, Recorder};
use walkforward_core::{ClientOrderId, Clock, TradingMode};

use crate::{BarRecord, BookingKind, Desk, EventRecord, JournalRecord, OrderOutcome, OrderRecord};

use handles::{Counters, Gauges, Registry, Timings};

/// Seconds from a bar's close to its order, or to the end of its decision where none followed.
pub const DECISION_DELAY: &str = "walkforward_decision_delay_seconds";
/// Seconds that a bar took from its fills to its order.
pub const DECISION_COMPUTE: &str = "walkforward_decision_compute_seconds";
/// Seconds that the journal took to reach the disk.
pub const JOURNAL_SYNC: &str = "walkforward_journal_sync_seconds";
/// Those who follow a session's journal, as the label `follower` of the lag names them.
pub const FOLLOWERS: [&str; 2] = ["projection", "watchman"];

const MS_PER_SECOND: f64 = 1_000.0;

/// How old what a session goes by is, in milliseconds; none where nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ages {
    /// Since the end of the newest bar of the feed.
    pub(crate) data_ms: Option<i64>,
    /// Since the model was confirmed.
    pub(crate) confirmation_ms: Option<i64>,
    /// Since the end of the last bar that the model was trained on.
    pub(crate) training_ms: Option<i64>,
}

/// The metrics of one session. Clones count the same.
#[derive(Clone)]
pub struct TraderMetrics {
    counters: Counters,
    gauges: Gauges,
    timings: Timings,
}

impl Default for TraderMetrics {
    /// Metrics that nobody reads.
    fn default() -> Self {
        Self::register(&NoopRecorder)
    }
}

impl std::fmt::Debug for TraderMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraderMetrics").finish_non_exhaustive()
    }
}

impl TraderMetrics {
    /// Metrics that `recorder` keeps.
    pub fn register(recorder: &dyn Recorder) -> Self {
        let new = Registry(recorder);
        Self {
            counters: Counters::register(&new),
            gauges: Gauges::register(&new),
            timings: Timings::register(&new),
        }
    }

    /// Counts what a record says. On paper orders and fills are those of the bars, else those at the venue.
    pub(crate) fn count(&self, record: &JournalRecord, is_paper: bool) {
        match record {
            JournalRecord::Bar(bar) => self.count_bar(bar, is_paper),
            JournalRecord::Order(order) => self.count_order(order),
            JournalRecord::Event(stamped) => self.count_event(&stamped.event),
            JournalRecord::Again(_)
            | JournalRecord::Header(_)
            | JournalRecord::Checkpoint(_)
            | JournalRecord::History { .. }
            | JournalRecord::End(_) => {}
        }
    }

    fn count_bar(&self, bar: &BarRecord, is_paper: bool) {
        let Counters { bars, missing_bars, missed_bars, decisions, .. } = &self.counters;
        let has_decided = bar.action.is_some();
        bars.increment(1);
        missing_bars.increment(u64::from(!bar.present));
        missed_bars.increment(u64::from(bar.missed));
        decisions.increment(u64::from(has_decided));
        // A decision with a problem is one whose order the risk checks refused.
        self.counters.rejected_by_risk.increment(u64::from(has_decided && bar.problem.is_some()));
        self.counters.orders.increment(u64::from(is_paper && bar.order.is_some()));
        self.counters.fills.increment(bar.all_fills().count() as u64);
        self.gauges.model_version.set(bar.model.as_ref().map_or(0.0, |model| model.model_version as f64));
    }

    fn count_order(&self, order: &OrderRecord) {
        match order {
            OrderRecord::Sent { .. } => self.counters.orders.increment(1),
            OrderRecord::Booked(booking) => {
                let is_fill = matches!(booking.kind, BookingKind::Execution | BookingKind::Derived);
                self.counters.fills.increment(u64::from(is_fill));
            }
            OrderRecord::Closed { outcome: OrderOutcome::Refused(_), .. } => {
                self.counters.rejected_by_venue.increment(1);
            }
            _ => {}
        }
    }

    fn count_event(&self, event: &EventRecord) {
        match event {
            EventRecord::Swapped { from, .. } => self.counters.swaps.increment(u64::from(from.is_some())),
            EventRecord::Refused { .. } => self.counters.refused_models.increment(1),
            EventRecord::FeedUp => {
                self.counters.feed_connections.increment(1);
                self.feed_up(true);
            }
            EventRecord::FeedDown { .. } => self.feed_up(false),
            _ => {}
        }
    }

    /// Shows whether bars come: a feed with a connection says so by its events, too.
    pub(crate) fn feed_up(&self, is_up: bool) {
        self.gauges.feed_up.set(if is_up { 1.0 } else { 0.0 });
    }

    /// Shows where a desk stands.
    pub(crate) fn stand(&self, desk: &Desk) {
        let (session, gauges) = (desk.session(), &self.gauges);
        gauges.fees.set(session.ledger().fees());
        gauges.equity.set(session.equity());
        gauges.position.set(session.position().units());
        gauges.position_fraction.set(session.position_fraction());
        gauges.mode.set(match desk.risk().mode() {
            TradingMode::Active => 0.0,
            TradingMode::ReduceOnly => 1.0,
            TradingMode::Halted => 2.0,
        });
    }

    /// Shows how old data and model are; what nobody knows is `NaN`.
    pub(crate) fn ages(&self, ages: Ages) {
        let show = |gauge: &Gauge, ms: Option<i64>| {
            gauge.set(ms.map_or(f64::NAN, |ms| ms as f64 / MS_PER_SECOND));
        };
        show(&self.gauges.data_age, ages.data_ms);
        show(&self.gauges.confirmation_age, ages.confirmation_ms);
        show(&self.gauges.training_age, ages.training_ms);
    }

    /// Notes a decision: how long after the bar's close its order left, where a clock says so, and what it took. Comes
    /// behind the order, because a histogram may allocate.
    pub(crate) fn decided(&self, delay_ms: Option<i64>, took: Duration) {
        if let Some(delay_ms) = delay_ms {
            self.timings.decision_delay.record(delay_ms as f64 / MS_PER_SECOND);
        }
        self.timings.decision_compute.record(took.as_secs_f64());
    }

    /// Notes how long the journal took to reach the disk.
    pub(crate) fn synced(&self, took: Duration) {
        self.timings.journal_sync.record(took.as_secs_f64());
    }

    /// Shows how many records one of [`FOLLOWERS`] has not seen yet; others are not shown.
    pub fn follower_lag(&self, follower: &str, records: u64) {
        let names = FOLLOWERS.iter().zip(&self.gauges.follower_lag);
        if let Some((_, gauge)) = names.into_iter().find(|(name, _)| **name == follower) {
            gauge.set(records as f64);
        }
    }
}

/// Orders under way whose names a meter remembers: more than a desk has open.
const MAX_HANDED_IN: usize = 16;

/// Counts a session's records and measures what they take.
pub(crate) struct Meter {
    metrics: TraderMetrics,
    is_paper: bool,
    clock: Arc<dyn Clock>,
    /// Orders that were counted as handed in and are not over.
    handed_in: Vec<ClientOrderId>,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("is_paper", &self.is_paper).finish_non_exhaustive()
    }
}

impl Meter {
    /// A meter of a session whose fills are the engine's own, or a venue's.
    pub(crate) fn new(metrics: TraderMetrics, is_paper: bool, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, is_paper, clock, handed_in: Vec::with_capacity(MAX_HANDED_IN) }
    }

    /// Where the session's figures go.
    pub(crate) fn metrics(&self) -> &TraderMetrics {
        &self.metrics
    }

    /// Counts what a record says.
    pub(crate) fn count(&mut self, record: &JournalRecord) {
        if !self.is_repeated(record) {
            self.metrics.count(record, self.is_paper);
        }
    }

    /// Whether the record hands in once more, with another size, what is counted already.
    fn is_repeated(&mut self, record: &JournalRecord) -> bool {
        let JournalRecord::Order(order) = record else { return false };
        match order.as_ref() {
            OrderRecord::Sent { id, .. } if self.handed_in.contains(id) => return true,
            OrderRecord::Sent { id, .. } => {
                if self.handed_in.len() == MAX_HANDED_IN {
                    self.handed_in.remove(0);
                }
                self.handed_in.push(id.clone());
            }
            OrderRecord::Closed { id, .. } => self.handed_in.retain(|other| other != id),
            _ => {}
        }
        false
    }

    /// Brings the journal to the disk by `sync`, and notes how long that took.
    pub(crate) fn timed_sync<E>(&self, sync: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let begun = self.clock.monotonic();
        sync()?;
        self.metrics.synced(self.clock.monotonic().saturating_sub(begun));
        Ok(())
    }
}
