//! A session whose orders go to an account, at a service that does everything wrong.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a helper that fails fails its test")]

mod account;
mod audit;
mod closing;
#[path = "../live/common.rs"]
#[allow(dead_code, reason = "of what the tests of the trader share, a part")]
mod common;
mod fees;
mod leftovers;
mod older;
mod refusals;
mod streams;
mod tools;
#[allow(dead_code, reason = "shared with the program that is killed")]
mod world;

use std::time::Duration;

use walkforward_core::Quantity;
use walkforward_live::{
    Command, DisasterStop, EventRecord, SessionSummary, StopReason, TraderHandle, TradingMode, verify_journal,
};
use walkforward_testing::FakeKind;

use audit::audit;
use world::{Place, Service};

/// A session at work on a thread of its own.
struct Running {
    handle: TraderHandle,
    thread: std::thread::JoinHandle<Result<SessionSummary, walkforward_live::LiveError>>,
}

fn start(place: &Place, service: &Service, stop: Option<DisasterStop>) -> Running {
    start_trader(place.trader(service.clock, &place.model(), stop))
}

fn start_trader(trader: walkforward_live::Trader) -> Running {
    let handle = trader.handle();
    let thread = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(trader.run())
    });
    Running { handle, thread }
}

impl Running {
    fn stop(self) -> Result<SessionSummary, walkforward_live::LiveError> {
        self.handle.stop();
        self.thread.join().unwrap()
    }
}

#[test]
fn whatever_the_service_does_the_ledger_is_the_account_and_each_order_is_placed_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(3);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, None);
    service.pass(30, true, |fake| fake.orders().len() >= 4);
    service.heal();
    service.pass(4, false, |fake| fake.orders().iter().all(|order| order.is_final()));
    let summary = running.stop().unwrap();
    assert_eq!(summary.stop, StopReason::Stopped);
    let audit = audit(&place, &service.fake);
    assert!(audit.orders >= 4 && audit.report.orders >= 4, "{audit:?}");
    assert!(audit.bars >= 30, "{audit:?}");
    assert!(tools::look(&place, &service.fake) >= 5);
}

/// Runs until the session holds a position that is settled.
fn hold_something(service: &mut Service) {
    service.pass(1, false, |fake| {
        fake.holdings().position > Quantity::from_nanos(1_000_000)
            && fake.orders().iter().all(|order| order.is_final() || order.kind != FakeKind::Market)
    });
}

#[test]
fn a_disaster_stop_stands_behind_the_position_is_found_again_and_closes_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(5);
    let place = Place::new(folder.path(), &service.fake);
    let rule = DisasterStop { stop_pct: 10.0, limit_pct: 5.0 };
    let stops = |fake: &walkforward_testing::FakeAlpaca| {
        let is_open_stop =
            |order: &&walkforward_testing::FakeOrder| order.kind != FakeKind::Market && !order.is_final();
        fake.orders().iter().filter(is_open_stop).count()
    };
    let running = start(&place, &service, Some(rule));
    hold_something(&mut service);
    service.pass(0, false, |fake| stops(fake) == 1);
    running.stop().unwrap();
    assert_eq!(stops(&service.fake), 1, "it stands while nobody is there");

    // The market falls through it before anybody is there again.
    service.fake.set_price(35_900.0);
    assert_eq!(service.fake.holdings().available, service.fake.holdings().position, "the stop has sold");
    let running = start(&place, &service, Some(rule));
    service.pass(2, false, |_| true);
    running.stop().unwrap();
    audit(&place, &service.fake);
}

#[test]
fn a_halt_that_flattens_closes_the_position_at_once_and_twenty_starts_trade_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(7);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, None);
    hold_something(&mut service);
    running.handle.command(Command::Halt { reason: "a test".to_owned(), flatten: true }).unwrap();
    service.pass(0, false, |fake| fake.holdings().position < Quantity::from_nanos(12_000));
    running.stop().unwrap();
    let orders = service.fake.orders().len();
    for _ in 0..20 {
        let running = start(&place, &service, None);
        let handle = running.handle.clone();
        service.pass(1, false, |_| handle.status().bars > 0 && handle.status().mode == TradingMode::Halted);
        running.stop().unwrap();
    }
    assert_eq!(service.fake.orders().len(), orders, "no order while it is halted");
    let audit = audit(&place, &service.fake);
    assert!(audit.report.sessions == 1 && audit.report.segments >= 21, "{audit:?}");
}

#[test]
fn twenty_starts_after_a_drawdown_trade_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(9);
    let place = Place::new(folder.path(), &service.fake);
    let breach = |service: &Service| {
        let clock = service.clock;
        let trader = place.trader_with(clock, &place.model(), None, |options| {
            options.limits.max_drawdown = Some(0.0005);
        });
        start_trader(trader)
    };
    let running = breach(&service);
    let handle = running.handle.clone();
    service.pass(1, false, |fake| {
        handle.status().mode == TradingMode::Halted && fake.holdings().position < Quantity::from_nanos(12_000)
    });
    running.stop().unwrap();
    let orders = service.fake.orders().len();
    for _ in 0..20 {
        let running = breach(&service);
        service.pass(1, false, |_| true);
        running.stop().unwrap();
    }
    assert_eq!(service.fake.orders().len(), orders, "no order after the limit was reached");
    audit(&place, &service.fake);
}

#[test]
fn a_position_that_nobody_explains_stops_a_start_or_joins_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(11);
    let place = Place::new(folder.path(), &service.fake);
    service.fake.place_external(walkforward_core::Side::Buy, "0.01", "by-hand");
    service.pass(1, false, |_| true);
    let refused = start(&place, &service, None).thread.join().unwrap().unwrap_err().to_string();
    assert!(refused.contains("that no order explains"), "{refused}");
    assert_eq!(service.fake.orders().len(), 1, "nothing was traded");
}

#[test]
fn an_observer_decides_and_hands_nothing_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(13);
    let place = Place::new(folder.path(), &service.fake);
    let clock: std::sync::Arc<dyn walkforward_core::Clock> = std::sync::Arc::new(service.clock);
    let mode = walkforward_live::DriverMode::Observe;
    let access = walkforward_live::VenueAccess { mode, ..place.access(&clock) };
    let running = start_trader(place.trader_at(service.clock, &place.model(), access, |_| {}));
    service.pass(12, false, |_| true);
    let summary = running.stop().unwrap();
    assert!(summary.orders > 0 && service.fake.orders().is_empty(), "{summary:?}");
    assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
}

#[test]
fn no_order_leaves_when_the_price_has_moved_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(15);
    let place = Place::new(folder.path(), &service.fake);
    let trader = place.trader_with(service.clock, &place.model(), None, |options| {
        options.limits.price_collar = Some(1e-9);
        // Minutes that follow have come before the bar is decided, on a slow machine too.
        options.closing.grace_ms = 302_000;
        options.watch.max_decision_delay = Duration::from_secs(900);
    });
    let running = start_trader(trader);
    let is_told = |event: EventRecord| matches!(event, EventRecord::Warning { reason } if reason.contains("the price has moved"));
    // Until somebody is told.
    service.pass(12, false, |_| events(&place).into_iter().any(is_told));
    running.stop().unwrap();
    assert!(service.fake.orders().is_empty());
}

fn events(place: &Place) -> Vec<EventRecord> {
    let records = walkforward_live::read_journal(&place.journal()).unwrap().map(Result::unwrap);
    let event = |record| match record {
        walkforward_live::JournalRecord::Event(stamped) => Some(stamped.event),
        _ => None,
    };
    records.filter_map(event).collect()
}
