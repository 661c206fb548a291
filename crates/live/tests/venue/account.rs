//! What a start asks of the account, and what comes of orders that turn up late or are larger than the venue takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use walkforward_core::{Clock, Order, Quantity, Side};
use walkforward_durable::{AppendLog, LogLimits};
use walkforward_live::{
    Booking, BookingKind, Command, EventRecord, ExternalPosition, JournalRecord, OrderIntent, OrderPurpose,
    OrderRecord, TraderOptions, VenueAccess, order_id, read_journal, recover, verify_journal,
};
use walkforward_testing::{FakeAlpaca, FillMode, RestFault, Route, StreamKind};

use crate::world::{Place, Service, quarter, quarters_before};
use crate::{Running, events, start_trader};

/// A session of quarters with a model that buys at once and holds.
fn start(
    place: &Place,
    service: &Service,
    access: impl FnOnce(&mut VenueAccess),
    change: impl FnOnce(&mut TraderOptions),
) -> Running {
    let clock: Arc<dyn Clock> = Arc::new(service.clock);
    let mut at = place.access(&clock);
    access(&mut at);
    start_trader(place.trader_at(service.clock, &place.buyer(), at, |options| {
        (options.timeframe, options.warm_up) = (quarter(), quarters_before());
        change(options);
    }))
}

fn plain(place: &Place, service: &Service) -> Running {
    start(place, service, |_| {}, |_| {})
}

fn adopting(place: &Place, service: &Service) -> Running {
    let change = |access: &mut VenueAccess| {
        access.external = ExternalPosition::Adopt;
        (access.times.live_ms, access.times.quiet_ms) = (5_000, 2_000);
    };
    start(place, service, change, |_| {})
}

fn refused(running: Running) -> String {
    running.thread.join().unwrap().unwrap_err().to_string()
}

fn holds_something(fake: &FakeAlpaca) -> bool {
    fake.holdings().position > Quantity::from_nanos(1_000_000)
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

fn has_booked(place: &Place, kind: BookingKind) -> bool {
    orders(place).iter().any(|it| matches!(it, OrderRecord::Booked(booking) if booking.kind == kind))
}

fn segments(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.journal()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "journal")).collect();
    paths.sort();
    paths
}

/// Ledger and account hold the same, and the journal runs again.
fn assert_sound(place: &Place, fake: &FakeAlpaca) {
    let recovered = recover(&place.journal()).unwrap().unwrap();
    assert_eq!(recovered.desk.session().position(), fake.holdings().position);
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:#?}");
}

/// A service, and a trader's place at it.
fn at_the_service() -> (TempDir, Service, Place) {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(3);
    let place = Place::new(folder.path(), &service.fake);
    (folder, service, place)
}

#[test]
fn a_sale_that_turns_up_after_its_position_was_taken_over_leaves_a_journal_that_starts() {
    let (_folder, mut service, place) = at_the_service();
    let running = adopting(&place, &service);
    service.pass(1, false, holds_something);
    // The sale arrives and fills; its answer is lost, the stream is down, and nobody finds it for a while.
    service.fake.mute_streams();
    service.fake.cut_streams(StreamKind::Updates);
    service.fake.fail(Route::Submit, RestFault::LoseAnswer, 1);
    service.fake.fail(Route::Order, RestFault::error(404, 40_410_000, "order not found"), 4_000);
    running.handle.command(Command::Halt { reason: "a test".to_owned(), flatten: true }).unwrap();
    service.pass(0, false, |_| has_booked(&place, BookingKind::External));
    running.stop().unwrap();
    service.fake.heal();
    for _ in 0..2 {
        let running = adopting(&place, &service);
        service.pass(1, false, |_| true);
        running.stop().unwrap();
    }
    assert!(has_booked(&place, BookingKind::Reversal), "it turned up");
    assert_sound(&place, &service.fake);
    // The account began with 10,000, the ledger with 9,000 of them.
    let cash = recover(&place.journal()).unwrap().unwrap().desk.session().cash() + 1_000.0;
    assert!((cash - service.fake.holdings().cash.units()).abs() < 1e-4, "{cash}");
}

#[test]
fn a_journal_with_a_sale_that_the_ledger_refused_starts_again() {
    let (_folder, mut service, place) = at_the_service();
    let running = plain(&place, &service);
    service.pass(1, false, holds_something);
    running.stop().unwrap();
    // What an earlier version left: the record of a booking, and no ledger that took it.
    let booked = orders(&place).into_iter().find_map(|record| match record {
        OrderRecord::Booked(booking) => Some(*booking),
        _ => None,
    });
    let mut sale: Booking = booked.unwrap();
    sale.kind = BookingKind::Derived;
    (sale.fill.side, sale.fill.fee_quantity) = (Side::Sell, Quantity::ZERO);
    sale.fill.quantity = sale.fill.quantity + sale.fill.quantity;
    append(&segments(&place)[0], OrderRecord::Booked(Box::new(sale)));
    let running = plain(&place, &service);
    service.pass(1, false, |_| true);
    running.stop().unwrap();
    assert_sound(&place, &service.fake);
}

#[test]
fn refused_starts_leave_no_segment() {
    let (_folder, mut service, place) = at_the_service();
    let keep = |options: &mut TraderOptions| options.bounds.keep_segments = 3;
    let running = start(&place, &service, |_| {}, keep);
    service.pass(1, false, holds_something);
    running.stop().unwrap();
    let before = segments(&place);
    service.fake.block_account(true);
    for _ in 0..4 {
        let error = refused(start(&place, &service, |_| {}, keep));
        assert!(error.contains("blocked"), "{error}");
    }
    assert_eq!(segments(&place), before);
    service.fake.block_account(false);
    start(&place, &service, |_| {}, keep).stop().unwrap();
    assert_sound(&place, &service.fake);
}

#[test]
fn a_journal_does_not_go_on_in_another_account() {
    let (_folder, mut service, place) = at_the_service();
    let running = plain(&place, &service);
    service.pass(1, false, |fake| !fake.orders().is_empty());
    running.stop().unwrap();
    let account = recover(&place.journal()).unwrap().unwrap().header.account;
    assert!(account.is_some_and(|hash| hash.len() == 12));
    service.fake.set_account_id("00000000-0000-4000-8000-second");
    let before = segments(&place);
    let error = refused(plain(&place, &service));
    assert!(error.contains("keys are those of account"), "{error}");
    assert!(!error.contains("-second") && segments(&place) == before, "{error}");
}

#[test]
fn a_ledger_with_more_cash_than_the_account_does_not_start_and_one_with_a_position_is_capped() {
    let (_folder, mut service, place) = at_the_service();
    let rich = |cash: f64| move |options: &mut TraderOptions| options.session.initial_cash = cash;
    let error = refused(start(&place, &service, |_| {}, rich(10_100.0)));
    assert!(error.contains("10100.00: deposit the difference"), "{error}");
    assert!(segments(&place).is_empty() && service.fake.orders().is_empty());
    // Half a percent is what fees may have been wrong by.
    let running = start(&place, &service, |_| {}, rich(10_040.0));
    service.pass(16, false, holds_something);
    let bought = service.fake.orders().iter().find(|order| !order.filled.is_zero()).unwrap().notional;
    assert_eq!(bought, Some("10000".parse().unwrap()), "what the account had");
    running.stop().unwrap();

    // With a position somebody has to be there: it starts, and says so.
    service.fake.deposit("-500");
    let running = start(&place, &service, |_| {}, rich(10_040.0));
    service.pass(1, false, |_| true);
    running.stop().unwrap();
    let told = events(&place).into_iter().any(
        |event| matches!(event, EventRecord::Warning { reason } if reason.contains("the account may spend")),
    );
    assert!(told, "somebody is told");
    assert_sound(&place, &service.fake);
}

/// Takes what follows on the first record that `is_last` off the journal's only segment: the process died there.
fn die_after(place: &Place, is_last: impl Fn(&OrderRecord) -> bool) {
    let (path, mut kept) = (segments(place).remove(0), Vec::new());
    for record in records(place) {
        let is_end = matches!(&record, JournalRecord::Order(order) if is_last(order));
        kept.push(record);
        if is_end {
            break;
        }
    }
    std::fs::remove_file(&path).unwrap();
    let limits = LogLimits { max_record_bytes: 1 << 24, max_file_bytes: 1 << 30 };
    let mut log = AppendLog::open(&path, limits).unwrap().0;
    kept.iter().for_each(|record| log.append(record).unwrap());
    log.sync().unwrap();
}

/// Orders that have not ended.
fn open(fake: &FakeAlpaca) -> usize {
    fake.orders().iter().filter(|order| !order.is_final()).count()
}

#[test]
fn an_open_purchase_is_looked_after_though_the_account_is_short_of_cash() {
    let (_folder, mut service, place) = at_the_service();
    service.fake.deposit("390000");
    service.fake.set_fill_mode(FillMode::Manual);
    let rich = |options: &mut TraderOptions| options.session.initial_cash = 300_000.0;
    let running = start(&place, &service, |_| {}, rich);
    let is_placed = |record: &OrderRecord| matches!(record, OrderRecord::Placed { .. });
    service.pass(0, false, |fake| !fake.orders().is_empty() && orders(&place).iter().any(is_placed));
    service.fake.fail(Route::Cancel, RestFault::LoseRequest, 10_000);
    running.stop().unwrap();
    service.fake.heal();
    die_after(&place, is_placed);
    assert_eq!(open(&service.fake), 1, "a purchase for 200,000, of which nothing has filled");
    // 50,000 less than the ledger's 300,000, though the order was decided for more than it left with.
    service.fake.deposit("-150000");
    let running = start(&place, &service, |_| {}, rich);
    let is_told = || {
        let is_it = |event: &EventRecord| matches!(event, EventRecord::Warning { reason } if reason.contains("the account may spend"));
        events(&place).iter().any(is_it)
    };
    service.fake.block_until("the session says that cash is short", |_| is_told());
    running.handle.command(Command::Halt { reason: "a test".to_owned(), flatten: false }).unwrap();
    service.pass(0, false, |fake| open(fake) == 0);
    running.stop().unwrap();
    assert_sound(&place, &service.fake);
    // Nothing is on its way any more: now nobody has to be there.
    let error = refused(start(&place, &service, |_| {}, rich));
    assert!(error.contains("300000.00: deposit the difference"), "{error}");
}

/// Adds `record` to the end of the segment at `path`.
fn append(path: &Path, record: OrderRecord) {
    let limits = LogLimits { max_record_bytes: 1 << 24, max_file_bytes: 1 << 30 };
    let mut log = AppendLog::open(path, limits).unwrap().0;
    log.append(&JournalRecord::Order(Box::new(record))).unwrap();
    log.sync().unwrap();
}

#[test]
fn a_further_attempt_after_a_restart_is_what_its_bar_asked_for() {
    let (_folder, mut service, place) = at_the_service();
    let running = plain(&place, &service);
    service.pass(1, false, holds_something);
    running.stop().unwrap();
    let running = plain(&place, &service);
    service.pass(0, false, |_| segments(&place).len() == 2);
    running.stop().unwrap();
    let intent = orders(&place).into_iter().find_map(|record| match record {
        OrderRecord::Intent(intent) => Some(*intent),
        _ => None,
    });
    let first = intent.unwrap();
    let attempt = |attempt: u32, order: Order| {
        let id = order_id("test-deployment", "default", first.bar_open, OrderPurpose::Decision, attempt);
        let intent = OrderIntent { id: id.unwrap(), attempt, order, ..first.clone() };
        OrderRecord::Intent(Box::new(intent))
    };
    let paths = segments(&place);
    append(&paths[1], attempt(1, first.order));
    assert_sound(&place, &service.fake);
    std::fs::remove_file(&paths[0]).unwrap();
    assert_sound(&place, &service.fake);

    let another = Order { side: Side::Sell, ..first.order };
    append(&paths[1], attempt(2, another));
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert_eq!(report.difference_count, 1, "{report:#?}");
}

#[test]
fn more_than_the_venue_takes_in_one_order_is_bought_to_the_bound_and_sold_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(3);
    service.fake.deposit("400000");
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, |_| {}, |options| options.session.initial_cash = 300_000.0);
    service.pass(32, false, |fake| fake.holdings().position.units() > 7.0);
    running.handle.command(Command::Halt { reason: "a test".to_owned(), flatten: true }).unwrap();
    service.pass(0, false, |fake| fake.holdings().position < Quantity::from_nanos(12_000));
    service.pass(1, false, |_| true);
    running.stop().unwrap();
    let bought = service.fake.orders().into_iter().filter(|order| order.side == Side::Buy);
    assert_eq!(bought.map(|order| order.notional).next(), Some(Some("200000".parse().unwrap())));
    assert!(service.fake.orders().iter().filter(|order| order.side == Side::Sell).count() >= 2);
    let told = events(&place).into_iter().filter(
        |event| matches!(event, EventRecord::Warning { reason } if reason.contains("orders up to 200000")),
    );
    assert_eq!(told.count(), 1, "told once");
    assert_sound(&place, &service.fake);
}
