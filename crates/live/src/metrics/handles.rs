//! The handles, made once, and what each of them is called.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};

use super::{DECISION_COMPUTE, DECISION_DELAY, FOLLOWERS, JOURNAL_SYNC};

/// What only grows.
#[derive(Clone)]
pub(super) struct Counters {
    pub(super) bars: Counter,
    pub(super) missing_bars: Counter,
    pub(super) missed_bars: Counter,
    pub(super) decisions: Counter,
    pub(super) swaps: Counter,
    pub(super) refused_models: Counter,
    pub(super) orders: Counter,
    pub(super) rejected_by_risk: Counter,
    pub(super) rejected_by_venue: Counter,
    pub(super) fills: Counter,
    pub(super) feed_connections: Counter,
}

impl Counters {
    pub(super) fn register(new: &Registry<'_>) -> Self {
        let plain = |name, help| new.counter(name, &[], help);
        let rejected = |by| {
            let help = "Orders that were refused, by the risk checks or by the venue";
            new.counter("walkforward_order_rejections_total", &[("by", by)], help)
        };
        Self {
            bars: plain("walkforward_bars_total", "Bars, filled-in ones included"),
            missing_bars: plain("walkforward_missing_bars_total", "Bars that the feed did not have"),
            missed_bars: plain("walkforward_missed_bars_total", "Bars that came too late to be decided"),
            decisions: plain("walkforward_decisions_total", "Bars on which a model decided"),
            swaps: plain("walkforward_swaps_total", "Changes from one model to another"),
            refused_models: plain("walkforward_refused_models_total", "Models that were not put in place"),
            orders: plain("walkforward_orders_total", "Orders that were handed in"),
            rejected_by_risk: rejected("risk"),
            rejected_by_venue: rejected("venue"),
            fills: plain("walkforward_fills_total", "Fills that the ledger took"),
            feed_connections: plain(
                "walkforward_feed_connections_total",
                "Connections of the feed: each after the first is a reconnect",
            ),
        }
    }
}

/// What stands somewhere.
#[derive(Clone)]
pub(super) struct Gauges {
    pub(super) fees: Gauge,
    pub(super) equity: Gauge,
    pub(super) position: Gauge,
    pub(super) position_fraction: Gauge,
    pub(super) mode: Gauge,
    pub(super) model_version: Gauge,
    pub(super) feed_up: Gauge,
    pub(super) data_age: Gauge,
    pub(super) confirmation_age: Gauge,
    pub(super) training_age: Gauge,
    pub(super) follower_lag: [Gauge; FOLLOWERS.len()],
}

impl Gauges {
    pub(super) fn register(new: &Registry<'_>) -> Self {
        let plain = |name, help| new.gauge(name, &[], None, help);
        let seconds = |name, help| new.gauge(name, &[], Some(Unit::Seconds), help);
        let lag = |follower| {
            let help = "Records of the journal that a follower has not seen";
            new.gauge("walkforward_follower_lag_records", &[("follower", follower)], Some(Unit::Count), help)
        };
        Self {
            fees: plain("walkforward_fees_quote", "All fees, in quote currency"),
            equity: plain("walkforward_equity_quote", "Cash plus position, in quote currency"),
            position: plain("walkforward_position_units", "Position, in the asset"),
            position_fraction: plain("walkforward_position_fraction", "Position as a fraction of equity"),
            mode: plain("walkforward_mode", "0 active, 1 reduce_only, 2 halted"),
            model_version: plain("walkforward_model_version", "The model that decides; 0 for none"),
            feed_up: plain(
                "walkforward_feed_up",
                "1 while the feed is connected, or a replay has bars, else 0",
            ),
            data_age: seconds("walkforward_data_age_seconds", "Since the end of the feed's newest bar"),
            confirmation_age: seconds(
                "walkforward_model_confirmation_age_seconds",
                "Since a cycle last confirmed the model",
            ),
            training_age: seconds(
                "walkforward_model_training_age_seconds",
                "Since the end of the last bar that the model was trained on",
            ),
            follower_lag: FOLLOWERS.map(lag),
        }
    }
}

/// How long things take, in seconds.
#[derive(Clone)]
pub(super) struct Timings {
    pub(super) decision_delay: Histogram,
    pub(super) decision_compute: Histogram,
    pub(super) journal_sync: Histogram,
}

impl Timings {
    pub(super) fn register(new: &Registry<'_>) -> Self {
        Self {
            decision_delay: new.histogram(DECISION_DELAY, "From a bar's close to its order"),
            decision_compute: new.histogram(DECISION_COMPUTE, "What the decision on a bar took"),
            journal_sync: new.histogram(JOURNAL_SYNC, "Time until the journal was on the disk"),
        }
    }
}

/// Makes handles.
pub(super) struct Registry<'a>(pub(super) &'a dyn Recorder);

/// Labels of one handle.
type Labels<'a> = &'a [(&'static str, &'static str)];

impl Registry<'_> {
    fn counter(&self, name: &'static str, labels: Labels<'_>, help: &'static str) -> Counter {
        self.0.describe_counter(name.into(), Some(Unit::Count), help.into());
        self.0.register_counter(&key(name, labels), &metadata())
    }

    fn gauge(&self, name: &'static str, labels: Labels<'_>, unit: Option<Unit>, help: &'static str) -> Gauge {
        self.0.describe_gauge(name.into(), unit, help.into());
        self.0.register_gauge(&key(name, labels), &metadata())
    }

    fn histogram(&self, name: &'static str, help: &'static str) -> Histogram {
        self.0.describe_histogram(name.into(), Some(Unit::Seconds), help.into());
        self.0.register_histogram(&key(name, &[]), &metadata())
    }
}

fn key(name: &'static str, labels: Labels<'_>) -> Key {
    Key::from_parts(name, labels.iter().map(Label::from).collect::<Vec<_>>())
}

fn metadata() -> Metadata<'static> {
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()))
}
