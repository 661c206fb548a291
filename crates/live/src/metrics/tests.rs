use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use walkforward_core::{
    Action, Bar, Cash, Fill, ModelId, Price, Quantity, RejectReason, Rejection, Side, Timestamp,
};
use walkforward_engine::SessionConfig;

use super::*;
use crate::{Booking, ClosedBar, ModelStamp, Restriction, SessionLimits, StampedEvent};

/// Keeps what it is told, by name and labels.
#[derive(Default)]
struct Kept {
    values: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    times: Mutex<BTreeMap<String, Arc<Times>>>,
}

#[derive(Default)]
struct Times(Mutex<Vec<f64>>);

impl HistogramFn for Times {
    fn record(&self, value: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }
}

impl Kept {
    fn slot(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: String = key.labels().map(|label| format!("/{}", label.value())).collect();
        let mut values = self.values.lock().unwrap();
        Arc::clone(values.entry(format!("{}{labels}", key.name())).or_default())
    }

    fn count(&self, name: &str) -> u64 {
        let values = self.values.lock().unwrap();
        values[&format!("walkforward_{name}")].load(Ordering::SeqCst)
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.count(name))
    }

    fn times(&self, name: &str) -> Vec<f64> {
        self.times.lock().unwrap()[name].0.lock().unwrap().clone()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.slot(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.slot(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut times = self.times.lock().unwrap();
        Histogram::from_arc(Arc::clone(times.entry(key.name().to_owned()).or_default()))
    }
}

fn fill() -> Fill {
    Fill {
        time: Timestamp::EPOCH,
        side: Side::Buy,
        quantity: Quantity::from_nanos(1),
        price: Price::new(1.0).unwrap(),
        fee_quantity: Quantity::ZERO,
        fee_cash: Cash::ZERO,
    }
}

fn model(model_version: u64) -> ModelStamp {
    let model_id: ModelId = "model-2024-01-01T00-00-00-000Z".parse().unwrap();
    ModelStamp { model_id, sha256: "ab".repeat(32), model_version, grade: None }
}

fn bar() -> BarRecord {
    let bar = Bar::flat(Timestamp::EPOCH, 10.0).unwrap();
    let closed = ClosedBar { bar, present: true, base_bars: 60, expected_base_bars: 60 };
    BarRecord::of(&closed, Timestamp::EPOCH, 100.0)
}

fn record(bar: BarRecord) -> JournalRecord {
    JournalRecord::Bar(Box::new(bar))
}

fn event(event: EventRecord) -> JournalRecord {
    JournalRecord::Event(StampedEvent { at: Timestamp::EPOCH, event })
}

fn order(record: OrderRecord) -> JournalRecord {
    JournalRecord::Order(Box::new(record))
}

#[test]
fn bars_and_events_are_counted_from_their_records() {
    let kept = Kept::default();
    let metrics = TraderMetrics::register(&kept);
    let decided = BarRecord {
        action: Some(Action(1)),
        model: Some(model(3)),
        fills: vec![fill()],
        liquidation: Some(fill()),
        ..bar()
    };
    metrics.count(&record(decided.clone()), true);
    metrics.count(&record(BarRecord { problem: Some("refused".to_owned()), ..decided }), true);
    metrics.count(&record(BarRecord { present: false, missed: true, ..bar() }), true);
    metrics.count(&record(BarRecord { problem: Some("features warm up".to_owned()), ..bar() }), true);
    let swapped =
        |from| EventRecord::Swapped { from, to: model(2), position: Quantity::ZERO, flatten: false };
    metrics.count(&event(swapped(None)), true);
    metrics.count(&event(swapped(Some(model(1)))), true);
    metrics.count(&event(EventRecord::Refused { model_id: None, reason: String::new() }), true);
    for (name, expected) in [
        ("bars_total", 4),
        ("missing_bars_total", 1),
        ("missed_bars_total", 1),
        ("decisions_total", 2),
        ("order_rejections_total/risk", 1),
        ("order_rejections_total/venue", 0),
        ("fills_total", 4),
        ("swaps_total", 1),
        ("refused_models_total", 1),
    ] {
        assert_eq!(kept.count(name), expected, "{name}");
    }
    metrics.count(&event(EventRecord::FeedUp), true);
    assert_eq!((kept.count("feed_connections_total"), kept.gauge("feed_up")), (1, 1.0));
    metrics.count(&event(EventRecord::FeedDown { reason: String::new() }), true);
    assert_eq!((kept.count("feed_connections_total"), kept.gauge("feed_up")), (1, 0.0));
}

#[test]
fn an_order_that_is_handed_in_again_with_another_size_is_one_order() {
    let kept = Kept::default();
    let clock = Arc::new(walkforward_core::ManualClock::at(Timestamp::EPOCH));
    let mut meter = Meter::new(TraderMetrics::register(&kept), false, clock);
    let sent = |id: &str, nanos| {
        let size = Some(walkforward_core::OrderSize::Quantity(Quantity::from_nanos(nanos)));
        order(OrderRecord::Sent { id: id.parse().unwrap(), at: Timestamp::EPOCH, size })
    };
    let over = |id: &str| {
        let (outcome, cost) = (OrderOutcome::Filled, None);
        order(OrderRecord::Closed { id: id.parse().unwrap(), outcome, cost, at: Timestamp::EPOCH })
    };
    for record in [sent("wf-01", 9), sent("wf-01", 8), sent("wf-02", 7), sent("wf-01", 6), over("wf-01")] {
        meter.count(&record);
    }
    assert_eq!(kept.count("orders_total"), 2);
    // However many there are, no more are remembered than may be under way.
    (0..3 * MAX_HANDED_IN).for_each(|number| meter.count(&sent(&format!("wf-1{number}"), 5)));
    assert_eq!(kept.count("orders_total"), 2 + 3 * MAX_HANDED_IN as u64);
    assert_eq!(meter.handed_in.len(), MAX_HANDED_IN);
}

#[test]
fn orders_at_a_venue_are_counted_there_and_not_at_their_bar() {
    let kept = Kept::default();
    let metrics = TraderMetrics::register(&kept);
    let size = walkforward_core::OrderSize::Quantity(Quantity::from_nanos(1));
    let wanted = walkforward_core::Order { side: Side::Sell, size, decided_at: Timestamp::EPOCH };
    let with_order = BarRecord { order: Some(wanted), ..bar() };
    metrics.count(&record(with_order.clone()), false);
    assert_eq!(kept.count("orders_total"), 0);
    let id = || "wf-01".parse().unwrap();
    metrics.count(&order(OrderRecord::Sent { id: id(), at: Timestamp::EPOCH, size: None }), false);
    let booking = |kind| {
        let booking =
            Booking { order: Some(id()), execution_id: None, kind, is_fee_estimated: false, fill: fill() };
        order(OrderRecord::Booked(Box::new(booking)))
    };
    for kind in
        [BookingKind::Execution, BookingKind::Derived, BookingKind::FeeCorrection, BookingKind::External]
    {
        metrics.count(&booking(kind), false);
    }
    let rejection =
        Rejection { reason: RejectReason::BelowMinimum, status: 403, code: None, message: String::new() };
    for outcome in [OrderOutcome::Refused(rejection), OrderOutcome::Filled] {
        let closed = OrderRecord::Closed { id: id(), outcome, cost: None, at: Timestamp::EPOCH };
        metrics.count(&order(closed), false);
    }
    let counted =
        ["orders_total", "fills_total", "order_rejections_total/venue"].map(|name| kept.count(name));
    assert_eq!(counted, [1, 2, 1]);
    metrics.count(&record(with_order), true);
    assert_eq!(kept.count("orders_total"), 2, "on paper the bar's order is the order");
}

#[test]
fn figures_ages_and_times_are_shown_in_their_units() {
    let kept = Kept::default();
    let metrics = TraderMetrics::register(&kept);
    let mut desk = Desk::new(SessionConfig::default(), SessionLimits::default(), 4).unwrap();
    metrics.stand(&desk);
    assert_eq!((kept.gauge("equity_quote"), kept.gauge("mode")), (10_000.0, 0.0));
    desk.risk_mut().restrict(Restriction::new(TradingMode::Halted, "a test", Timestamp::EPOCH, false));
    metrics.stand(&desk);
    assert_eq!(kept.gauge("mode"), 2.0);
    metrics.ages(Ages { data_ms: Some(1_500), confirmation_ms: None, training_ms: Some(86_400_000) });
    assert_eq!(kept.gauge("data_age_seconds"), 1.5);
    assert!(kept.gauge("model_confirmation_age_seconds").is_nan(), "nobody knows");
    assert_eq!(kept.gauge("model_training_age_seconds"), 86_400.0);
    metrics.decided(Some(5_250), Duration::from_micros(3));
    metrics.decided(None, Duration::from_micros(4));
    assert_eq!((kept.times(DECISION_DELAY), kept.times(DECISION_COMPUTE)), (vec![5.25], vec![3e-6, 4e-6]));
    metrics.follower_lag("projection", 12);
    metrics.follower_lag("nobody", 5);
    assert_eq!(kept.gauge("follower_lag_records/projection"), 12.0);
}
