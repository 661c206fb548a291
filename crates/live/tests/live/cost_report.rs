//! What orders cost, added up from a journal: goldens by hand.

use std::path::Path;
use std::time::Duration;

use walkforward_core::{Bar, Cash, Fill, Order, OrderSize, Price, Quantity, Side, Timeframe, Timestamp};
use walkforward_engine::SessionConfig;
use walkforward_live::{
    BarRecord, COST_WINDOW, Checkpoint, ClosedBar, CostReport, DecisionJournal, Desk, FillCost,
    JournalBounds, JournalRecord, OrderIntent, OrderOutcome, OrderPurpose, OrderRecord, PAPER, SegmentHead,
    SegmentHeader, SegmentStart, SessionLimits, TraderOptions, cost_report,
};

use crate::common::{Champion, ListFeed, Workplace, at, hour, walk};

/// Writes the journal of a session at `venue` in segments.
fn write(folder: &Path, venue: &str, segments: Vec<Vec<JournalRecord>>) {
    let mut journal = DecisionJournal::open(folder, JournalBounds::default(), at(0), Duration::ZERO).unwrap();
    let options = TraderOptions::new("BTC/USD".parse().unwrap(), hour(), folder.to_owned());
    let header = SegmentHeader::new(&options, Timeframe::MINUTE, venue, at(0));
    let desk = Desk::new(SessionConfig::default(), SessionLimits::default(), 4).unwrap();
    let mut pending = None;
    for (index, records) in segments.into_iter().enumerate() {
        let mut desk = desk.checkpoint();
        desk.session.pending = pending;
        let checkpoint = Checkpoint::new(desk);
        let start = if index == 0 { SegmentStart::New } else { SegmentStart::Resumed };
        let header = SegmentHeader { start, ..header.clone() };
        let history = Box::new(std::iter::empty::<&Bar>());
        journal.begin(SegmentHead { header, checkpoint, history }).unwrap();
        for record in &records {
            journal.append(record).unwrap();
        }
        pending =
            records.last().and_then(|it| if let JournalRecord::Bar(bar) = it { bar.order } else { None });
    }
    journal.sync().unwrap();
}

fn bar(number: usize, close: f64, order: Option<Order>, fills: Vec<Fill>) -> JournalRecord {
    let bar = Bar::flat(at(number), close).unwrap();
    let closed = ClosedBar { bar, present: true, base_bars: 60, expected_base_bars: 60 };
    JournalRecord::Bar(Box::new(BarRecord { order, fills, ..BarRecord::of(&closed, at(number + 1), 1e4) }))
}

fn order(side: Side, number: usize) -> Option<Order> {
    let size = match side {
        Side::Buy => OrderSize::Notional(Cash::new(1_010.0).unwrap()),
        Side::Sell => OrderSize::Quantity("4".parse().unwrap()),
    };
    Some(Order { side, size, decided_at: at(number + 1) })
}

fn fill(number: usize, side: Side, quantity: &str, price: f64, fee_quantity: &str, fee_cash: f64) -> Fill {
    Fill {
        time: at(number),
        side,
        quantity: quantity.parse().unwrap(),
        price: Price::new(price).unwrap(),
        fee_quantity: fee_quantity.parse().unwrap(),
        fee_cash: Cash::new(fee_cash).unwrap(),
    }
}

fn close_to(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-9, "{actual}, expected {expected}");
}

/// A purchase decided at 100 that fills at 101, and a sale decided at 110 that fills at 109.5.
fn two_orders() -> Vec<JournalRecord> {
    vec![
        bar(0, 100.0, order(Side::Buy, 0), vec![]),
        bar(1, 110.0, order(Side::Sell, 1), vec![fill(1, Side::Buy, "10", 101.0, "0.025", 0.0)]),
        bar(2, 111.0, order(Side::Buy, 2), vec![fill(2, Side::Sell, "4", 109.5, "0", 1.095)]),
        bar(3, 112.0, None, vec![]),
    ]
}

fn report(folder: &Path) -> CostReport {
    cost_report(folder, 10).unwrap()
}

fn check_two_orders(report: &CostReport) {
    assert_eq!((report.order_count, report.unfilled_orders, report.orders.len()), (2, 1, 2));
    let (purchase, sale) = (&report.orders[0], &report.orders[1]);
    assert_eq!((purchase.bar_open, sale.bar_open), (at(0), at(1)));
    let prices = |cost: &FillCost| (cost.decision_price, cost.average_price);
    assert_eq!((prices(&purchase.cost), prices(&sale.cost)), ((100.0, 101.0), (110.0, 109.5)));
    close_to(purchase.cost.expected_price, 100.05);
    close_to(sale.cost.expected_price, 110.0 * 0.9995);
    // (101 - 100) * 10 + 0.025 * 101, of 1000
    close_to(purchase.cost.shortfall, 12.525);
    close_to(purchase.shortfall_bps().unwrap(), 125.25);
    // 100 * 0.0005 * 10 + 100.05 * 10 * 0.0025
    close_to(purchase.cost.modelled, 3.00125);
    // -(109.5 - 110) * 4 + 1.095
    close_to(sale.cost.shortfall, 3.095);
    // 110 * 0.0005 * 4 + 109.945 * 4 * 0.0025
    close_to(sale.cost.modelled, 1.31945);
    close_to(report.total.value_at_decision, 1_440.0);
    close_to(report.total.shortfall, 15.62);
    close_to(report.total.shortfall_bps().unwrap(), 15.62 / 1_440.0 * 1e4);
    close_to(report.total.fees, 0.025 * 101.0 + 1.095);
    close_to(report.total.fee_cash, 1.095);
    assert_eq!(report.total.fee_quantity, "0.025".parse().unwrap());
    assert_eq!(purchase.after_decision_ms(purchase.cost.last_fill_at), Some(0));
    assert_eq!((report.recent_ratio, report.is_beyond_model), (None, false));
}

#[test]
fn an_order_on_paper_costs_its_shortfall_against_the_close_that_it_was_decided_at() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), PAPER, vec![two_orders()]);
    check_two_orders(&report(folder.path()));
}

#[test]
fn an_order_that_fills_in_another_segment_is_counted_once() {
    for cut in 1..4 {
        let folder = tempfile::tempdir().unwrap();
        let mut first = two_orders();
        let second = first.split_off(cut);
        write(folder.path(), PAPER, vec![first, second]);
        check_two_orders(&report(folder.path()));
    }
}

#[test]
fn another_session_in_the_folder_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), PAPER, vec![two_orders()]);
    write(folder.path(), PAPER, vec![two_orders()]);
    check_two_orders(&report(folder.path()));
}

#[test]
fn twenty_orders_that_cost_more_than_twice_the_model_are_told() {
    let one = |number: usize, price| {
        let fills = if number == 0 { vec![] } else { vec![fill(number, Side::Buy, "1", price, "0", 0.0)] };
        bar(number, 100.0, order(Side::Buy, number), fills)
    };
    // The model says 0.05 + 0.250125 for each.
    for (price, beyond) in [(100.5, false), (100.7, true)] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), PAPER, vec![(0..=COST_WINDOW).map(|number| one(number, price)).collect()]);
        let report = cost_report(folder.path(), 3).unwrap();
        assert_eq!((report.order_count, report.orders.len()), (COST_WINDOW as u64, 3));
        close_to(report.recent_ratio.unwrap(), (price - 100.0) / 0.300125);
        assert_eq!(report.is_beyond_model, beyond);
    }
}

fn cost(id: &str, shortfall: f64) -> FillCost {
    FillCost {
        id: id.parse().unwrap(),
        side: Side::Buy,
        quantity: "2".parse().unwrap(),
        decision_price: 50.0,
        expected_price: 50.025,
        average_price: 50.5,
        fee_cash: 0.0,
        fee_quantity: "0.01".parse().unwrap(),
        is_fee_estimated: false,
        decided_at: at(1),
        sent_at: Some(at(1).plus_millis(20)),
        placed_at: Some(at(1).plus_millis(90)),
        first_fill_at: Some(at(1).plus_millis(150)),
        last_fill_at: Some(at(1).plus_millis(900)),
        shortfall,
        modelled: 1.0,
    }
}

fn closed(id: &str, outcome: OrderOutcome, cost: Option<FillCost>) -> JournalRecord {
    let (id, cost) = (id.parse().unwrap(), cost.map(Box::new));
    JournalRecord::Order(Box::new(OrderRecord::Closed { id, outcome, cost, at: at(2) }))
}

fn intent(id: &str, purpose: OrderPurpose) -> JournalRecord {
    let (bar_open, price) = (at(0), Price::new(50.0).unwrap());
    let intent = OrderIntent {
        id: id.parse().unwrap(),
        purpose,
        bar_open,
        attempt: 0,
        order: order(Side::Buy, 0).unwrap(),
        sold: Quantity::ZERO,
        stop: None,
        price,
        at: at(1),
        expires_at: at(2),
    };
    JournalRecord::Order(Box::new(OrderRecord::Intent(Box::new(intent))))
}

#[test]
fn orders_at_a_venue_have_their_own_costs_and_times_and_count_once_though_they_end_twice() {
    let folder = tempfile::tempdir().unwrap();
    let records = vec![
        bar(0, 50.0, order(Side::Buy, 0), vec![]),
        intent("wf-00", OrderPurpose::Decision),
        closed("wf-00", OrderOutcome::GivenUp, Some(cost("wf-00", 0.5))),
        closed("wf-00", OrderOutcome::Filled, Some(cost("wf-00", 2.0))),
        intent("wf-01", OrderPurpose::Decision),
        closed("wf-01", OrderOutcome::GivenUp, None),
        closed("wf-01", OrderOutcome::Filled, Some(cost("wf-01", 3.0))),
        intent("wf-02", OrderPurpose::Decision),
        closed(
            "wf-02",
            OrderOutcome::Ended { status: walkforward_core::OrderStatus::Canceled, reason: None },
            None,
        ),
        intent("wf-03", OrderPurpose::Stop),
        closed(
            "wf-03",
            OrderOutcome::Ended { status: walkforward_core::OrderStatus::Canceled, reason: None },
            None,
        ),
        closed("wf-04", OrderOutcome::Void(walkforward_live::VoidReason::Withdrawn), None),
        bar(1, 51.0, None, vec![]),
    ];
    write(folder.path(), "alpaca-paper", vec![records]);
    let report = report(folder.path());
    assert_eq!((report.order_count, report.unfilled_orders, report.orders.len()), (2, 1, 2));
    close_to(report.total.shortfall, 5.0);
    close_to(report.total.value_at_decision, 200.0);
    assert_eq!(report.total.fee_quantity, "0.02".parse::<Quantity>().unwrap());
    let first = &report.orders[0];
    let after = |time: Option<Timestamp>| first.after_decision_ms(time).unwrap();
    assert_eq!((after(first.cost.first_fill_at), after(first.cost.last_fill_at)), (150, 900));
    close_to(first.shortfall_bps().unwrap(), 200.0);
}

#[test]
fn the_last_twenty_orders_hold_one_that_turned_up_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut records = vec![
        closed("wf-again", OrderOutcome::GivenUp, Some(cost("wf-again", 100.0))),
        closed("wf-again", OrderOutcome::Filled, Some(cost("wf-again", 2.0))),
    ];
    records.extend((1..COST_WINDOW).map(|number| {
        let id = format!("wf-{number}");
        closed(&id, OrderOutcome::Filled, Some(cost(&id, 2.0)))
    }));
    records.pop();
    write(folder.path(), "alpaca-paper", vec![records.clone()]);
    assert_eq!(report(folder.path()).recent_ratio, None);
    records.push(closed("wf-last", OrderOutcome::Filled, Some(cost("wf-last", 2.0))));
    write(folder.path(), "alpaca-paper", vec![records]);
    let report = report(folder.path());
    assert_eq!((report.order_count, report.recent_ratio), (COST_WINDOW as u64, Some(2.0)));
}

#[test]
fn a_report_says_from_when_on_the_journal_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = two_orders();
    let second = first.split_off(2);
    write(folder.path(), PAPER, vec![first, second]);
    let whole = report(folder.path());
    assert_eq!((whole.since, whole.is_whole), (at(0), true));
    let mut segments: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "journal"))
        .collect();
    segments.sort();
    std::fs::remove_file(&segments[0]).unwrap();
    let rest = report(folder.path());
    assert!(!rest.is_whole && rest.order_count < whole.order_count, "{rest:?}");
}

#[tokio::test]
async fn the_report_of_a_session_has_its_fees_and_its_fills() {
    let place = Workplace::new();
    let model = place.model(1);
    let bars = walk(5, 300);
    let summary = place.trade(ListFeed::of(bars.iter()), Champion::of(&model)).await.unwrap();
    let report = cost_report(&place.journal(), 0).unwrap();
    assert!(summary.fills > 5 && report.orders.is_empty());
    assert_eq!(report.order_count, summary.fills);
    assert!((report.total.fees - summary.fees_quote).abs() < 1e-6, "{report:?} {}", summary.fees_quote);
}

#[test]
fn a_folder_without_a_journal_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = cost_report(folder.path(), 1).unwrap_err().to_string();
    assert!(error.contains("holds no journal"), "{error}");
}
