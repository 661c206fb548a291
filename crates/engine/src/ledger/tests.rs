//! Round trips, flips, losses, and the identity of what is owned and earned.

use super::*;
use proptest::prelude::*;
use walkforward_core::{Cash, Price, Timestamp};

fn fill(side: Side, nanos: i64, price: f64, fee_nanos: i64, fee_cash: f64) -> Fill {
    Fill {
        time: Timestamp::from_millis(0).unwrap(),
        side,
        quantity: Quantity::from_nanos(nanos),
        price: Price::new(price).unwrap(),
        fee_quantity: Quantity::from_nanos(fee_nanos),
        fee_cash: Cash::new(fee_cash).unwrap(),
    }
}

#[test]
fn a_round_trip_books_profit_and_both_fees() {
    let mut ledger = Ledger::new(1_000.0);
    ledger.apply_fill(&fill(Side::Buy, 2_000_000_000, 100.0, 10_000_000, 0.0)).unwrap();
    assert_eq!((ledger.cash(), ledger.average_entry(), ledger.fees()), (800.0, 100.0, 1.0));
    ledger.apply_fill(&fill(Side::Sell, 1_990_000_000, 110.0, 0, 2.0)).unwrap();
    assert!((ledger.realised() - 19.9).abs() < 1e-12);
    assert!((ledger.equity() - (1_000.0 + 19.9 - 3.0)).abs() < 1e-9);
    assert_eq!((ledger.position(), ledger.average_entry()), (Quantity::ZERO, 0.0));
}

#[test]
fn impossible_fills_are_refused_and_change_nothing() {
    let mut ledger = Ledger::new(1_000.0);
    let before = ledger;
    let oversold = ledger.apply_fill(&fill(Side::Sell, 1, 100.0, 0, 0.0));
    assert!(matches!(oversold, Err(EngineError::Oversold { .. })));
    let empty = ledger.apply_fill(&fill(Side::Buy, 0, 100.0, 0, 0.0));
    assert!(matches!(empty, Err(EngineError::EmptyFill { .. })));
    let eaten = ledger.apply_fill(&fill(Side::Buy, 1, 100.0, 2, 0.0));
    assert!(matches!(eaten, Err(EngineError::EmptyFill { .. })));
    assert_eq!(ledger, before);
}

fn short_ledger(start: f64) -> Ledger {
    Ledger::with_rules(start, MarketRules::SHORTING)
}

#[test]
fn a_short_round_trip_books_profit_and_both_fees() {
    let mut ledger = short_ledger(1_000.0);
    ledger.apply_fill(&fill(Side::Sell, 2_000_000_000, 100.0, 0, 0.5)).unwrap();
    assert_eq!((ledger.cash(), ledger.average_entry(), ledger.position_value()), (1_199.5, 100.0, -200.0));
    ledger.mark(90.0);
    assert_eq!((ledger.unrealised(), ledger.equity()), (20.0, 1_019.5));
    ledger.apply_fill(&fill(Side::Buy, 2_000_000_000, 90.0, 0, 0.45)).unwrap();
    assert_eq!((ledger.realised(), ledger.position(), ledger.average_entry()), (20.0, Quantity::ZERO, 0.0));
    assert!((ledger.equity() - (1_020.0 - 0.95)).abs() < 1e-9);
}

#[test]
fn a_fill_that_crosses_zero_closes_one_position_and_opens_the_other() {
    let mut ledger = short_ledger(1_000.0);
    ledger.apply_fill(&fill(Side::Sell, 1_000_000_000, 100.0, 0, 0.0)).unwrap();
    ledger.apply_fill(&fill(Side::Sell, 1_000_000_000, 110.0, 0, 0.0)).unwrap();
    assert_eq!(ledger.average_entry(), 105.0);
    ledger.apply_fill(&fill(Side::Buy, 3_000_000_000, 95.0, 0, 0.0)).unwrap();
    assert_eq!((ledger.realised(), ledger.average_entry()), (20.0, 95.0));
    assert_eq!(ledger.position().nanos(), 1_000_000_000);
    ledger.apply_fill(&fill(Side::Sell, 3_000_000_000, 96.0, 0, 0.0)).unwrap();
    assert_eq!((ledger.realised(), ledger.average_entry()), (21.0, 96.0));
    assert_eq!(ledger.position().nanos(), -2_000_000_000);
}

#[test]
fn a_total_loss_takes_what_was_put_in_and_no_more() {
    let mut ledger = short_ledger(1_000.0);
    ledger.apply_fill(&fill(Side::Sell, 10_000_000_000, 100.0, 0, 2.5)).unwrap();
    ledger.mark(250.0);
    assert_eq!((ledger.net_worth(), ledger.equity()), (1_997.5 - 2_500.0, 0.0));
    ledger.settle_total_loss();
    assert_eq!((ledger.equity(), ledger.cash(), ledger.position()), (0.0, 0.0, Quantity::ZERO));
    assert_eq!(ledger.start() + ledger.realised() + ledger.unrealised() - ledger.fees(), 0.0);
}

proptest! {
    #[test]
    fn the_identity_holds_for_fills_on_either_side(
        steps in prop::collection::vec((any::<bool>(), 0.0..2.0f64, 1.0..1_000.0f64, 0.0..0.1f64, any::<bool>()), 1..200),
        last_mark in 1.0..1_000.0f64,
    ) {
        let mut ledger = short_ledger(10_000.0);
        let mut turned_over = ledger.start();
        for (is_buy, units, price, fee_rate, takes_asset) in steps {
            let (nanos, fee) = ((units * 1e9) as i64, units * price * fee_rate);
            let booked = match (is_buy, takes_asset) {
                (true, true) => fill(Side::Buy, nanos, price, (nanos as f64 * fee_rate) as i64, 0.0),
                (true, false) => fill(Side::Buy, nanos, price, 0, fee),
                (false, _) => fill(Side::Sell, nanos, price, 0, fee),
            };
            if booked.quantity > Quantity::ZERO {
                ledger.apply_fill(&booked).unwrap();
                turned_over += booked.notional();
            }
        }
        ledger.mark(last_mark);
        let owned = ledger.cash() + ledger.position_value();
        let earned = ledger.start() + ledger.realised() + ledger.unrealised() - ledger.fees();
        prop_assert!((owned - earned).abs() <= 1e-9 * turned_over, "{owned} {earned}");
    }

    #[test]
    fn cash_and_position_equal_start_and_profits_less_fees(
        steps in prop::collection::vec((any::<bool>(), 0.0..1.0f64, 1.0..1_000.0f64, 0.0..0.1f64), 1..200),
        last_mark in 1.0..1_000.0f64,
    ) {
        let mut ledger = Ledger::new(10_000.0);
        for (is_buy, share, price, fee_rate) in steps {
            let booked = if is_buy {
                let nanos = (ledger.cash().max(0.0) * share / price * 1e9) as i64;
                fill(Side::Buy, nanos, price, (nanos as f64 * fee_rate) as i64, 0.0)
            } else {
                let nanos = (ledger.position().nanos() as f64 * share) as i64;
                fill(Side::Sell, nanos, price, 0, nanos as f64 / 1e9 * price * fee_rate)
            };
            if booked.quantity > Quantity::ZERO {
                ledger.apply_fill(&booked).unwrap();
            }
        }
        ledger.mark(last_mark);
        let owned = ledger.cash() + ledger.position_value();
        let earned = ledger.start() + ledger.realised() + ledger.unrealised() - ledger.fees();
        let scale = ledger.start().max(owned);
        prop_assert!((owned - earned).abs() <= 1e-9 * scale, "{owned} {earned}");
    }
}
