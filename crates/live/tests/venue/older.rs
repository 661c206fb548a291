//! Journals of earlier versions, which kept less of the orders, run again as they were.

use std::sync::Arc;

use serde_json::Value;
use walkforward_core::{Clock, Quantity, Side};
use walkforward_durable::{AppendLog, LogLimits};
use walkforward_live::{
    BookingKind, Command, ExternalPosition, JournalRecord, OrderRecord, VenueAccess, VerifyReport,
    read_journal, verify_journal,
};
use walkforward_testing::{RestFault, Route, StreamKind};

use crate::world::{Place, Service, quarter, quarters_before};
use crate::{Running, start_trader};

fn start(place: &Place, service: &Service) -> Running {
    let clock: Arc<dyn Clock> = Arc::new(service.clock);
    let mut access = VenueAccess { external: ExternalPosition::Adopt, ..place.access(&clock) };
    (access.times.live_ms, access.times.quiet_ms) = (5_000, 2_000);
    start_trader(place.trader_at(service.clock, &place.buyer(), access, |options| {
        (options.timeframe, options.warm_up) = (quarter(), quarters_before());
    }))
}

fn flatten(running: &Running) {
    running.handle.command(Command::Halt { reason: "a test".to_owned(), flatten: true }).unwrap();
}

fn records(place: &Place) -> Vec<JournalRecord> {
    read_journal(&place.journal()).unwrap().filter_map(Result::ok).collect()
}

fn orders(place: &Place) -> Vec<OrderRecord> {
    let order = |record| match record {
        JournalRecord::Order(order) => Some(*order),
        _ => None,
    };
    records(place).into_iter().filter_map(order).collect()
}

fn segments(place: &Place) -> usize {
    records(place).iter().filter(|record| matches!(record, JournalRecord::Header(_))).count()
}

/// A further segment behind what there is, by a session that does nothing.
fn go_on(place: &Place, service: &mut Service) {
    let before = segments(place);
    let running = start(place, service);
    service.pass(0, false, |_| segments(place) > before);
    running.stop().unwrap();
}

/// What only the present version keeps, by the object that it is in.
const NEW: [(&str, &[&str]); 3] = [
    ("small_sale", &["estimated_fees", "cash"]),
    ("bookings_before", &["adopted", "handed_in"]),
    ("what", &["size"]),
];

/// Takes out what an earlier version did not write.
fn make_older(value: &mut Value) {
    if let Value::Object(object) = value {
        for (marks, keys) in NEW {
            if object.contains_key(marks) {
                keys.iter().for_each(|key| drop(object.remove(*key)));
            }
        }
        object.values_mut().for_each(make_older);
    } else if let Value::Array(values) = value {
        values.iter_mut().for_each(make_older);
    }
}

fn is_new(record: &JournalRecord) -> bool {
    matches!(record, JournalRecord::Order(order) if matches!(**order, OrderRecord::CashSeen { .. }))
}

/// Writes the journal as an earlier version would have.
fn write_as_older(place: &Place) {
    let limits = LogLimits { max_record_bytes: 1 << 24, max_file_bytes: 1 << 30 };
    let (all, mut log) = (records(place), None);
    for record in all.into_iter().filter(|record| !is_new(record)) {
        if let JournalRecord::Header(header) = &record {
            let path = place.journal().join(format!("{:08}.journal", header.segment));
            std::fs::remove_file(&path).unwrap();
            log = Some(AppendLog::open(&path, limits).unwrap().0);
        }
        let mut value = serde_json::to_value(&record).unwrap();
        make_older(&mut value);
        log.as_mut().unwrap().append(&value).unwrap();
    }
    log.unwrap().sync().unwrap();
}

fn verify(place: &Place) -> VerifyReport {
    verify_journal(&place.journal(), &place.models_dir()).unwrap()
}

/// As the present version left it, as an earlier one would have, and with the present one behind that.
fn assert_runs_again(place: &Place, service: &mut Service) {
    let report = verify(place);
    assert!(report.is_identical() && report.segments >= 3, "{report:#?}");
    write_as_older(place);
    let text = std::fs::read_to_string(place.journal().join("00000002.journal")).unwrap();
    assert!(!text.contains("estimated_fees") && !text.contains("adopted"), "it is an older one");
    let report = verify(place);
    assert!(report.is_identical() && report.segments >= 3, "{report:#?}");
    go_on(place, service);
    let report = verify(place);
    assert!(report.is_identical() && report.segments >= 4, "{report:#?}");
}

#[test]
fn a_journal_that_counted_no_fees_of_sales_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(61);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service);
    service.pass(0, false, |fake| fake.holdings().position > Quantity::from_nanos(12_000));
    flatten(&running);
    service.pass(0, false, |fake| {
        fake.holdings().position.is_zero() && fake.orders().iter().all(|order| order.is_final())
    });
    running.stop().unwrap();
    let is_sale = |record: &OrderRecord| matches!(record, OrderRecord::Booked(it) if it.fill.side == Side::Sell && it.is_fee_estimated);
    assert!(orders(&place).iter().any(is_sale));
    for _ in 0..2 {
        go_on(&place, &mut service);
    }
    assert_runs_again(&place, &mut service);
}

#[test]
fn a_journal_that_did_not_keep_what_was_taken_over_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(63);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service);
    service.pass(0, false, |fake| fake.holdings().position > Quantity::from_nanos(12_000));
    // The sale fills, and nobody finds it.
    service.fake.mute_streams();
    service.fake.cut_streams(StreamKind::Updates);
    service.fake.fail(Route::Submit, RestFault::LoseAnswer, 1);
    service.fake.fail(Route::Order, RestFault::error(404, 40_410_000, "order not found"), 9_000);
    flatten(&running);
    let is_taken_over =
        |record: &OrderRecord| matches!(record, OrderRecord::Booked(it) if it.kind == BookingKind::External);
    service.pass(0, false, |_| orders(&place).iter().any(is_taken_over));
    running.stop().unwrap();
    for _ in 0..2 {
        go_on(&place, &mut service);
    }
    assert_runs_again(&place, &mut service);
}
