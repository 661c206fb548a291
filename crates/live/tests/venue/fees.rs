//! Fees of sales, which the venue takes in cash and tells nowhere: the ledger books the declared one, and what the account
//! shows instead is told.

use walkforward_core::{Quantity, Side};
use walkforward_live::{
    BookingKind, Command, EventRecord, JournalRecord, OrderRecord, TraderOptions, read_journal, recover,
    verify_journal,
};

use crate::audit::audit;
use crate::world::{Place, Service, quarter, quarters_before};
use crate::{Running, events, start_trader};

fn start(place: &Place, service: &Service, change: impl FnOnce(&mut TraderOptions)) -> Running {
    start_trader(place.trader_with(service.clock, &place.buyer(), None, |options| {
        (options.timeframe, options.warm_up) = (quarter(), quarters_before());
        change(options);
    }))
}

/// What a person was told of cash that moved beside the ledger.
fn moves(place: &Place) -> Vec<String> {
    let told = |event| match event {
        EventRecord::Warning { reason } if reason.contains("cash has moved") => Some(reason),
        _ => None,
    };
    events(place).into_iter().filter_map(told).collect()
}

/// Buys, sells all of it and ends; gives what the sales came to before fees.
fn trade(place: &Place, service: &mut Service, change: impl FnOnce(&mut TraderOptions)) -> f64 {
    let running = start(place, service, change);
    service.pass(0, false, |fake| fake.holdings().position > Quantity::from_nanos(12_000));
    running.handle.command(Command::Halt { reason: "a test".to_owned(), flatten: true }).unwrap();
    service.pass(1, false, |fake| {
        fake.holdings().position.is_zero() && fake.orders().iter().all(|order| order.is_final())
    });
    running.stop().unwrap();
    let sales = service.fake.orders().into_iter().filter(|order| order.side == Side::Sell);
    sales.map(|order| order.cost.units()).sum()
}

/// A session that starts, looks at the account and ends.
fn look(place: &Place, service: &mut Service, change: impl FnOnce(&mut TraderOptions)) {
    let seen = || {
        let records = read_journal(&place.journal()).unwrap().map(Result::unwrap);
        let is_it = |record: &JournalRecord| matches!(record, JournalRecord::Order(order) if matches!(**order, OrderRecord::CashSeen { .. }));
        records.filter(is_it).count()
    };
    let before = seen();
    let running = start(place, service, change);
    service.pass(0, false, |_| seen() > before);
    running.stop().unwrap();
}

#[test]
fn a_sale_books_the_declared_fee_as_an_expected_one_and_the_account_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(53);
    let place = Place::new(folder.path(), &service.fake);
    let sold = trade(&place, &mut service, |_| {});
    let fees = read_journal(&place.journal()).unwrap().filter_map(|record| match record.unwrap() {
        JournalRecord::Order(order) => match *order {
            OrderRecord::Booked(it)
                if it.fill.side == Side::Sell && it.kind != BookingKind::FeeCorrection =>
            {
                assert!(it.is_fee_estimated, "the venue does not tell it: {it:?}");
                Some(it.fill.fee_cash.get())
            }
            _ => None,
        },
        _ => None,
    });
    let fees: f64 = fees.sum();
    assert!((fees - 0.0025 * sold).abs() < 1e-3, "{fees} of {sold}");
    look(&place, &mut service, |_| {});
    assert_eq!(moves(&place), [""; 0]);
    audit(&place, &service.fake);
}

#[test]
fn a_fee_that_is_other_than_declared_is_told_at_the_next_start_with_its_amount() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::new(55);
    let place = Place::new(folder.path(), &service.fake);
    // The venue takes 25 basis points.
    let cheap = |options: &mut TraderOptions| options.session.fee_bps = 10.0;
    let sold = trade(&place, &mut service, cheap);
    look(&place, &mut service, cheap);
    let told = moves(&place);
    let [told] = &told[..] else { panic!("{told:?}") };
    let (difference, booked) = (format!("{:+.2}", -0.0015 * sold), format!("booked {:.2}", 0.001 * sold));
    assert!(told.contains(&difference) && told.contains(&booked), "{difference}, {booked}: {told}");
    // Once told it is known; what moves after that is told by itself.
    look(&place, &mut service, cheap);
    assert_eq!(moves(&place).len(), 1);
    service.fake.deposit("-7.5");
    look(&place, &mut service, cheap);
    assert!(moves(&place)[1].contains("-7.50"), "{:?}", moves(&place));
    assert!(verify_journal(&place.journal(), &place.models_dir()).unwrap().is_identical());
    assert!(recover(&place.journal()).unwrap().is_some());
}
