//! Each no of the service, through a whole session: it goes on, each order is placed once, the ledger is the account, and
//! the journal names the no.

use walkforward_core::{RejectReason, TradingMode};
use walkforward_live::{Command, EventRecord, JournalRecord, OrderOutcome, OrderRecord, read_journal};
use walkforward_testing::{FakeAlpaca, FillMode, RestFault, Route, StreamKind};

use crate::audit::audit;
use crate::world::{Place, Service};
use crate::{Running, start};

/// What the journal holds by now; nothing before there is one.
fn records(place: &Place) -> impl Iterator<Item = JournalRecord> {
    read_journal(&place.journal()).into_iter().flatten().map_while(Result::ok)
}

fn outcomes(place: &Place) -> Vec<OrderOutcome> {
    let closed = |record| match record {
        JournalRecord::Order(order) => match *order {
            OrderRecord::Closed { outcome, .. } => Some(outcome),
            _ => None,
        },
        _ => None,
    };
    records(place).filter_map(closed).collect()
}

fn events(place: &Place) -> Vec<EventRecord> {
    let event = |record| match record {
        JournalRecord::Event(stamped) => Some(stamped.event),
        _ => None,
    };
    records(place).filter_map(event).collect()
}

fn refusals(place: &Place, reason: RejectReason) -> usize {
    let is_it =
        |outcome: &&OrderOutcome| matches!(outcome, OrderOutcome::Refused(told) if told.reason == reason);
    outcomes(place).iter().filter(is_it).count()
}

/// How often a person was told this.
fn told(place: &Place, what: &str) -> usize {
    let is_it =
        |event: &EventRecord| matches!(event, EventRecord::Warning { reason } if reason.contains(what));
    events(place).iter().filter(|event| is_it(event)).count()
}

fn filled(fake: &FakeAlpaca) -> usize {
    fake.orders().iter().filter(|order| order.status == "filled").count()
}

/// The session goes on: two more orders fill. Then it ends, and everything is where it should be.
fn goes_on_and_ends(place: &Place, service: &mut Service, running: Running) {
    service.heal();
    let before = filled(&service.fake);
    service.pass(1, false, |fake| filled(fake) >= before + 2 && fake.orders().iter().all(|it| it.is_final()));
    running.stop().unwrap();
    audit(place, &service.fake);
}

#[test]
fn each_refusal_of_an_order_is_journalled_by_name_and_the_session_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(41);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, None);
    let handle = running.handle.clone();
    let acknowledge = || Command::Acknowledge { reason: "a test".to_owned() };
    for (status, code, words, reason, mode) in [
        (
            403,
            40_310_000,
            "insufficient balance for USD",
            RejectReason::InsufficientBalance,
            TradingMode::Active,
        ),
        (422, 42_210_000, "qty must be a number", RejectReason::Malformed, TradingMode::Active),
        (422, 42_210_000, "invalid crypto time_in_force", RejectReason::TimeInForce, TradingMode::Active),
        (422, 42_210_000, "notional must be <= 200000", RejectReason::AboveMaximum, TradingMode::Active),
        (403, 40_310_000, "something new", RejectReason::Other, TradingMode::Active),
        (403, 40_310_000, "potential wash trade detected", RejectReason::WashTrade, TradingMode::ReduceOnly),
        (403, 40_310_000, "trading is blocked", RejectReason::AccountBlocked, TradingMode::Halted),
        (401, 40_110_000, "request is not authorized", RejectReason::NotAuthorised, TradingMode::Halted),
        (422, 42_210_000, "asset BTC/USD not found", RejectReason::Symbol, TradingMode::Halted),
    ] {
        service.fake.fail(Route::Submit, RestFault::error(status, code, words), 1);
        service.pass(0, false, |_| refusals(&place, reason) == 1);
        service.pass(0, false, |_| told(&place, words) > 0);
        service.pass(0, false, |_| handle.status().mode == mode);
        handle.command(acknowledge()).unwrap();
        service.pass(0, false, |_| handle.status().mode == TradingMode::Active);
    }
    goes_on_and_ends(&place, &mut service, running);
    // No order of another name was refused, and what was refused is not at the venue.
    let refused = outcomes(&place).into_iter().filter(|it| matches!(it, OrderOutcome::Refused(_))).count();
    assert_eq!(refused, 9);
}

#[test]
fn an_order_below_the_minimum_is_refused_by_name_and_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(43);
    let place = Place::new(folder.path(), &service.fake);
    let words = "cost basis must be >= minimal amount of order 10";
    service.fake.fail(Route::Submit, RestFault::error(403, 40_310_000, words), 1);
    let running = start(&place, &service, None);
    service.pass(0, false, |_| refusals(&place, RejectReason::BelowMinimum) == 1);
    service.pass(8, false, |_| told(&place, words) > 0);
    running.stop().unwrap();
    let audit = audit(&place, &service.fake);
    assert_eq!((audit.orders, service.fake.count(Route::Submit)), (0, 1));
}

#[test]
fn too_many_requests_are_no_order_and_the_next_bar_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(45);
    let place = Place::new(folder.path(), &service.fake);
    service.fake.fail(Route::Submit, RestFault::error(429, 42_910_000, "too many requests"), 5_000);
    let running = start(&place, &service, None);
    let is_named = |outcome: &OrderOutcome| matches!(outcome, OrderOutcome::NotPlaced { reason } if reason.contains("too many requests"));
    service.pass(0, false, |_| outcomes(&place).iter().any(is_named));
    assert!(service.fake.orders().is_empty() && told(&place, "too many requests") > 0);
    goes_on_and_ends(&place, &mut service, running);
}

#[test]
fn a_server_error_leaves_an_order_in_doubt_that_is_looked_up_and_handed_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(47);
    let place = Place::new(folder.path(), &service.fake);
    // The service does not have it: it answers the look-up with a 404 of its own.
    service.fake.fail(Route::Submit, RestFault::error(500, 50_010_000, "internal server error"), 1);
    let running = start(&place, &service, None);
    service.pass(0, false, |fake| {
        told(&place, "it is not known whether the venue has") > 0 && !fake.orders().is_empty()
    });
    let first = service.fake.orders()[0].client_id.clone();
    assert_eq!(service.fake.placed(&first), (2, 1), "handed in twice under one name, and placed once");
    assert!(service.fake.count(Route::Order) > 0, "it was looked up in between");
    goes_on_and_ends(&place, &mut service, running);
}

#[test]
fn an_order_that_the_venue_has_had_and_does_not_find_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(49);
    let place = Place::new(folder.path(), &service.fake);
    service.fake.set_fill_mode(FillMode::Manual);
    let running = start(&place, &service, None);
    service.pass(0, false, |fake| !fake.orders().is_empty());
    service.fake.fail(Route::Order, RestFault::error(404, 40_410_000, "order not found"), 5_000);
    service.fake.cut_streams(StreamKind::Updates);
    service.pass(0, false, |_| told(&place, "does not find an order that it has had") > 0);
    let name = service.fake.orders()[0].client_id.clone();
    assert_eq!(service.fake.placed(&name), (1, 1), "it is not handed in again");
    goes_on_and_ends(&place, &mut service, running);
}

#[test]
fn a_connection_too_many_takes_the_stream_and_no_bar() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(51);
    let place = Place::new(folder.path(), &service.fake);
    let running = start(&place, &service, None);
    service.pass(0, false, |fake| filled(fake) >= 1);
    service.fake.refuse_market(406, 5_000);
    service.fake.cut_streams(StreamKind::Market);
    let is_named =
        |event: &EventRecord| matches!(event, EventRecord::FeedDown { reason } if reason.contains("406"));
    service.pass(0, false, |_| events(&place).iter().any(is_named));
    // Bars are fetched, and orders leave all the same.
    let before = filled(&service.fake);
    service.pass(3, false, |fake| filled(fake) > before);
    goes_on_and_ends(&place, &mut service, running);
    let is_up = |event: &EventRecord| matches!(event, EventRecord::FeedUp);
    let ups = events(&place).iter().filter(|event| is_up(event)).count();
    assert!(ups >= 1, "{ups}");
}
