//! Getting out: at once, whatever is on its way, and not with the next bar.

use walkforward_core::{Quantity, Side};
use walkforward_live::{
    Behaviour, Command, DriverMode, EventRecord, ExternalPosition, JournalRecord, TraderHandle,
    TraderOptions, TradingMode, VenueAccess, read_journal, recover, verify_journal,
};
use walkforward_testing::{FakeAlpaca, FillMode, RestFault, Route};

use crate::audit::audit;
use crate::world::{Place, Service, quarter, quarters_before};
use crate::{Running, events, start_trader};

/// Minutes within which a position is closed; a bar takes fifteen.
const AT_ONCE: i64 = 4;

/// The least that the venue sells.
fn dust() -> Quantity {
    Quantity::from_nanos(12_000)
}

/// A session of quarters with a model that buys at once.
fn start(place: &Place, service: &Service, change: impl FnOnce(&mut TraderOptions)) -> Running {
    start_trader(place.trader_with(service.clock, &place.buyer(), None, |options| {
        (options.timeframe, options.warm_up) = (quarter(), quarters_before());
        change(options);
    }))
}

fn flatten(handle: &TraderHandle) {
    handle.command(Command::Halt { reason: "a test".to_owned(), flatten: true }).unwrap();
}

fn is_flat(fake: &FakeAlpaca) -> bool {
    fake.holdings().position < dust()
}

/// Lets minutes pass until the account holds nothing; how many.
fn until_flat(service: &mut Service) -> i64 {
    let begin = service.next;
    service.pass(0, false, is_flat);
    service.next - begin
}

#[test]
fn a_process_that_has_closed_no_bar_closes_the_position_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(21);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, |_| {});
    service.pass(0, false, |fake| fake.holdings().position > dust());
    running.stop().unwrap();
    // However far the price has gone: who gets out is not held back.
    let running = start(&place, &service, |options| options.limits.price_collar = Some(1e-9));
    let handle = running.handle.clone();
    service.pass(1, false, |_| handle.status().equity > 0.0);
    flatten(&handle);
    let minutes = until_flat(&mut service);
    assert!(minutes <= AT_ONCE, "{minutes}");
    running.stop().unwrap();
    audit(&place, &service.fake);
}

#[test]
fn a_purchase_on_its_way_ends_and_what_it_has_bought_is_sold() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(23);
    let place = Place::new(folder.path(), &service.fake);
    service.fake.set_fill_mode(FillMode::Manual);
    let running = start(&place, &service, |_| {});
    service.pass(0, false, |fake| !fake.orders().is_empty());
    let order = service.fake.orders()[0].client_id.clone();
    service.fake.fill(&order, Some("0.01"), 40_000.0);
    flatten(&running.handle);
    service.fake.set_fill_mode(FillMode::AtOnce);
    let minutes = until_flat(&mut service);
    assert!(minutes <= AT_ONCE, "{minutes}");
    running.stop().unwrap();
    assert_eq!(service.fake.orders().len(), 2, "the purchase, and one sale");
    audit(&place, &service.fake);
}

#[test]
fn stale_data_close_the_position_before_the_bar_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(25);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, |options| {
        options.watch.stale_after_bars = 3;
        options.watch.on_stale = Behaviour::Flatten;
    });
    service.pass(0, false, |fake| fake.holdings().position > dust());
    service.is_silent = true;
    let minutes = until_flat(&mut service);
    assert!(minutes <= 3 + AT_ONCE, "{minutes}");
    running.stop().unwrap();
    audit(&place, &service.fake);
}

#[test]
fn a_start_in_the_middle_of_a_bar_takes_nothing_for_stale() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(31);
    let place = Place::new(folder.path(), &service.fake);
    let careful = |options: &mut TraderOptions| {
        options.watch.stale_after_bars = 4;
        options.watch.on_stale = Behaviour::Flatten;
    };
    let running = start(&place, &service, careful);
    service.pass(0, false, |fake| fake.holdings().position > dust());
    running.stop().unwrap();
    // Longer than data may be silent, and no bar has ended meanwhile.
    service.pass(7, false, |_| true);
    let running = start(&place, &service, careful);
    service.pass(3, false, |_| true);
    running.stop().unwrap();
    assert_eq!(service.fake.orders().len(), 1, "the purchase alone");
    audit(&place, &service.fake);
}

#[test]
fn a_sale_that_is_refused_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(27);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, |_| {});
    service.pass(0, false, |fake| fake.holdings().position > dust());
    let refusal = RestFault::error(422, 42_210_000, "a reason of the venue's");
    service.fake.fail(Route::Submit, refusal, 2);
    flatten(&running.handle);
    let minutes = until_flat(&mut service);
    assert!(minutes <= AT_ONCE, "{minutes}");
    running.stop().unwrap();
    audit(&place, &service.fake);
}

/// Tries to close a position, those that were counted as orders and those that were not.
fn counted(place: &Place) -> (usize, usize) {
    let of = |record| match record {
        Ok(JournalRecord::Bar(bar) | JournalRecord::Again(bar)) => {
            bar.order.map(|order| (order, bar.is_retry))
        }
        _ => None,
    };
    let sales = read_journal(&place.journal()).unwrap().filter_map(of);
    let sales: Vec<bool> =
        sales.filter(|(it, _)| it.side == Side::Sell).map(|(_, is_retry)| is_retry).collect();
    let retries = sales.iter().filter(|is_retry| **is_retry).count();
    (sales.len() - retries, retries)
}

#[test]
fn a_bars_closing_sale_is_one_order_of_the_hour_however_often_it_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(39);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, |options| options.limits.max_orders_per_hour = Some(20));
    service.pass(0, false, |fake| fake.holdings().position > dust());
    service.fake.fail(Route::Submit, RestFault::error(422, 42_210_000, "a reason of the venue's"), 5);
    flatten(&running.handle);
    until_flat(&mut service);
    running.stop().unwrap();
    let (first, retries) = counted(&place);
    assert_eq!(first + retries, 6, "five refusals");
    // More than one only where a bar has ended meanwhile.
    assert!(retries > 0, "{first} {retries}");
    let recovered = recover(&place.journal()).unwrap().unwrap();
    let last = recovered.last_bar.unwrap();
    let orders = recovered.desk.risk().orders_within_hour(last.plus_millis(quarter().millis()));
    assert!((1..=1 + first).contains(&orders), "{orders} of a purchase and {first} sales");
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:#?}");
}

#[test]
fn a_position_above_the_bound_is_closed_at_once_though_the_price_has_risen_since_the_bar() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(41);
    service.fake.deposit("400000");
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, |options| options.session.initial_cash = 300_000.0);
    service.pass(32, false, |fake| fake.holdings().position.units() > 7.0);
    service.lift = 1.06;
    service.pass(2, false, |_| true);
    flatten(&running.handle);
    let minutes = until_flat(&mut service);
    running.stop().unwrap();
    assert!(minutes <= AT_ONCE, "{minutes}");
    assert_eq!(told(&place, "must be <="), 0, "no part was too large");
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:#?}");
}

#[test]
fn nothing_leaves_once_the_session_was_asked_to_stop_and_what_is_said_then_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(29);
    let place = Place::new(folder.path(), &service.fake);
    service.fake.fail(Route::Submit, RestFault::error(429, 42_910_000, "too many requests"), 1_000);
    let running = start(&place, &service, |_| {});
    service.pass(0, false, |fake| fake.count(Route::Submit) > 0);
    running.handle.stop();
    let told = running.handle.command(Command::Halt { reason: "a test".to_owned(), flatten: false });
    service.fake.heal();
    running.stop().unwrap();
    assert!(service.fake.orders().is_empty(), "{:?}", service.fake.orders());
    let mode = recover(&place.journal()).unwrap().unwrap().desk.risk().mode();
    assert_eq!(told.is_ok(), mode == TradingMode::Halted, "what was taken holds, what was not is said");
}

/// How often the last bar was gone for again.
fn tries(place: &Place) -> usize {
    let records = read_journal(&place.journal()).unwrap();
    records.filter(|record| matches!(record, Ok(JournalRecord::Again(_)))).count()
}

fn told(place: &Place, what: &str) -> usize {
    let is_it =
        |event: &EventRecord| matches!(event, EventRecord::Warning { reason } if reason.contains(what));
    events(place).iter().filter(|event| is_it(event)).count()
}

#[test]
fn a_rest_that_the_venue_calls_too_small_is_told_once_and_let_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(35);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, |_| {});
    service.pass(0, false, |fake| fake.holdings().position > dust());
    let refusal = RestFault::error(403, 40_310_000, "cost basis must be >= minimal amount of order 10");
    service.fake.fail(Route::Submit, refusal, 1);
    flatten(&running.handle);
    service.pass(14, false, |_| told(&place, "was refused") > 0);
    running.stop().unwrap();
    assert_eq!(service.fake.orders().len(), 1, "the purchase alone");
    assert_eq!((tries(&place), told(&place, "is not closed")), (1, 1));
    audit(&place, &service.fake);
}

#[test]
fn an_observer_is_not_asked_to_close_a_position_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(37);
    let place = Place::new(folder.path(), &service.fake);
    service.fake.place_external(walkforward_core::Side::Buy, "0.01", "by-hand");
    let clock: std::sync::Arc<dyn walkforward_core::Clock> = std::sync::Arc::new(service.clock);
    let access =
        VenueAccess { mode: DriverMode::Observe, external: ExternalPosition::Adopt, ..place.access(&clock) };
    let running = start_trader(place.trader_at(service.clock, &place.buyer(), access, |options| {
        (options.timeframe, options.warm_up) = (quarter(), quarters_before());
    }));
    flatten(&running.handle);
    service.pass(14, false, |_| told(&place, "is not closed") > 0);
    running.stop().unwrap();
    assert_eq!(service.fake.orders().len(), 1, "that of somebody else");
    assert_eq!((tries(&place), told(&place, "is not closed")), (0, 1));
}
