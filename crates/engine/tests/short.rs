//! Short positions: how they open, cost, flip, lose everything, and that they exist only where the market has them.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{at, walk};
use proptest::prelude::*;
use walkforward_core::{Bar, Cash, MarketRules, Quantity, RiskLimits, RiskRejection, Side, Target};
use walkforward_engine::{BarOutcome, SessionConfig, TradingSession, run_target};

fn config(fee_bps: f64, slippage_bps: f64) -> SessionConfig {
    SessionConfig { fee_bps, slippage_bps, market: MarketRules::SHORTING, ..Default::default() }
}

fn bar(index: usize, open: f64, close: f64) -> Bar {
    Bar::new(at(index), open, open.max(close), open.min(close), close, 1.0).unwrap()
}

/// Decides each target and takes it over a bar of the given open and close; the first bar is flat at 100.
fn play(config: SessionConfig, steps: &[(f64, f64, f64)]) -> (TradingSession, Vec<BarOutcome>) {
    let mut session = TradingSession::new(config).unwrap();
    session.on_bar(&bar(0, 100.0, 100.0), true);
    let outcomes = steps.iter().enumerate().map(|(index, &(target, open, close))| {
        session.decide(target, at(index + 1)).unwrap();
        session.on_bar(&bar(index + 1, open, close), true)
    });
    let outcomes = outcomes.collect();
    (session, outcomes)
}

#[test]
fn a_short_sale_is_sized_by_equity_at_the_close_and_fills_at_the_open() {
    let (session, outcomes) = play(config(25.0, 10.0), &[(-1.0, 99.0, 90.0)]);
    let fill = outcomes[0].fill.unwrap();
    assert_eq!((fill.side, fill.quantity.nanos()), (Side::Sell, 100_000_000_000));
    assert_eq!(fill.price.get(), 99.0 * 0.999);
    let received = 100.0 * 99.0 * 0.999;
    assert!((fill.fee_cash.get() - received * 0.0025).abs() < 1e-9, "the fee is of the cash received");
    assert!((session.cash() - (10_000.0 + received * 0.9975)).abs() < 1e-9);
    assert!((session.equity() - (session.cash() - 9_000.0)).abs() < 1e-9);
    assert!((session.position_fraction() + 9_000.0 / session.equity()).abs() < 1e-12);
    assert!((session.unrealised_return() - (1.0 - 90.0 / (99.0 * 0.999))).abs() < 1e-12);
    let slippage = 100.0 * 99.0 * 0.001;
    assert!((outcomes[0].cost - (fill.fee_cash.get() + slippage) / 10_000.0).abs() < 1e-12);
}

#[test]
fn a_cover_ends_at_exactly_no_position_with_a_fee_in_cash() {
    let (session, outcomes) = play(config(25.0, 5.0), &[(-1.0, 100.0, 80.0), (0.0, 81.0, 79.0)]);
    let fill = outcomes[1].fill.unwrap();
    assert_eq!((fill.side, fill.fee_quantity), (Side::Buy, Quantity::ZERO));
    assert!((fill.fee_cash.get() - fill.notional() * 0.0025).abs() < 1e-9);
    assert_eq!((session.position(), session.position_fraction()), (Quantity::ZERO, 0.0));
    assert!((session.equity() - session.cash()).abs() < 1e-12 && session.equity() > 11_800.0);
}

#[test]
fn one_order_turns_a_short_position_into_a_long_one_and_back() {
    let steps = [(-1.0, 100.0, 100.0), (1.0, 100.0, 100.0), (-1.0, 100.0, 110.0)];
    let (session, outcomes) = play(config(0.0, 0.0), &steps);
    let sides: Vec<Side> = outcomes.iter().map(|outcome| outcome.fill.unwrap().side).collect();
    assert_eq!(sides, [Side::Sell, Side::Buy, Side::Sell]);
    assert!((session.equity() - 9_000.0).abs() < 1e-6, "{}", session.equity());
    let (long, _) = play(config(0.0, 0.0), &steps[..2]);
    assert!((long.position_fraction() - 1.0).abs() < 1e-9 && long.cash().abs() < 1e-6);
}

#[test]
fn part_of_a_short_position_is_covered_without_turning_it_around() {
    let steps = [(-1.0, 100.0, 100.0), (-0.25, 40.0, 40.0)];
    let (session, outcomes) = play(config(0.0, 0.0), &steps);
    assert_eq!(outcomes[1].fill.unwrap().quantity.nanos(), 75_000_000_000);
    assert_eq!(session.position().nanos(), -25_000_000_000);
}

#[test]
fn a_total_loss_on_a_short_position_ends_flat_at_zero() {
    let (mut session, outcomes) = play(config(25.0, 5.0), &[(-1.0, 100.0, 100.0), (-1.0, 150.0, 250.0)]);
    let lost = outcomes[1];
    assert_eq!((lost.equity, lost.net_return), (0.0, -1.0));
    assert_eq!(lost.log_return, TradingSession::LOG_RETURN_FLOOR);
    let closing = lost.liquidation.unwrap();
    assert_eq!((closing.side, closing.quantity.nanos()), (Side::Buy, 100_000_000_000));
    assert!(closing.price.get() < 250.0, "the venue bears what lies beyond");
    assert_eq!((session.position(), session.cash()), (Quantity::ZERO, 0.0));
    let ledger = session.ledger();
    assert!((ledger.start() + ledger.realised() - ledger.fees()).abs() < 1e-9);
    assert_eq!(session.decide(-1.0, at(3)), Ok(None));
    let after = session.on_bar(&bar(3, 10.0, 10.0), true);
    assert_eq!((after.equity, after.net_return, after.fill), (0.0, 0.0, None));
}

#[test]
fn a_cover_beyond_the_cash_is_a_total_loss_too() {
    let (session, outcomes) = play(config(25.0, 5.0), &[(-1.0, 100.0, 100.0), (0.0, 300.0, 100.0)]);
    assert!(outcomes[1].fill.is_some() && outcomes[1].liquidation.is_none());
    assert_eq!((session.equity(), session.cash(), session.position()), (0.0, 0.0, Quantity::ZERO));
}

#[test]
fn without_shorting_a_target_below_zero_is_flat() {
    let plain = SessionConfig { market: MarketRules::LONG_ONLY, ..config(0.0, 0.0) };
    let (session, outcomes) = play(plain, &[(-1.0, 100.0, 100.0), (1.0, 100.0, 100.0), (-1.0, 100.0, 100.0)]);
    assert!(outcomes[0].fill.is_none());
    assert_eq!(session.position(), Quantity::ZERO);
}

#[test]
fn the_limit_per_order_holds_for_short_sales() {
    let risk = RiskLimits { max_order_notional: Some(Cash::new(500.0).unwrap()) };
    let mut session = TradingSession::new(SessionConfig { risk, ..config(0.0, 0.0) }).unwrap();
    session.on_bar(&bar(0, 100.0, 100.0), true);
    assert!(matches!(session.decide(-1.0, at(1)), Err(RiskRejection::Notional { .. })));
    assert!(session.decide(-0.05, at(1)).unwrap().is_some());
}

#[test]
fn to_hold_makes_no_order_and_drops_a_pending_one() {
    let mut session = TradingSession::new(config(0.0, 0.0)).unwrap();
    session.on_bar(&bar(0, 100.0, 100.0), true);
    session.decide(1.0, at(1)).unwrap();
    assert_eq!(session.follow(Target::Hold, at(1)), Ok(None));
    assert!(session.pending().is_none());
    assert!(session.follow(Target::Fraction(-0.5), at(1)).unwrap().is_some());
}

#[test]
fn a_run_with_a_liquidation_records_the_fill_that_closed_the_position() {
    let mut bars = walk(1, 3);
    bars = bars.slice(0..3);
    let mut rocket = bars.clone();
    rocket.push(bar(3, 1_000.0, 1_000.0)).unwrap();
    let record = run_target(|_| -1.0, &rocket, &[true; 4], 0..4, &config(0.0, 0.0)).unwrap();
    let owed: i64 = record.fills.iter().map(|fill| fill.position_change().nanos()).sum();
    assert_eq!((owed, record.equity[3], record.position[3]), (0, 0.0, 0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cash_and_position_equal_start_and_profits_less_fees_on_either_side(
        seed in any::<u64>(), targets in prop::collection::vec(-1.0..1.0f64, 100),
        fee_bps in 0.0..100.0f64, slippage_bps in 0.0..50.0f64,
    ) {
        let mut session = TradingSession::new(config(fee_bps, slippage_bps)).unwrap();
        let mut positions = [0, 0];
        for (index, (bar, target)) in walk(seed, 100).iter().zip(targets).enumerate() {
            session.on_bar(&bar, index % 9 != 4);
            let ledger = session.ledger();
            let owned = ledger.cash() + ledger.position_value();
            let earned = ledger.start() + ledger.realised() + ledger.unrealised() - ledger.fees();
            prop_assert!((owned - earned).abs() <= 1e-9 * ledger.start(), "{} {}", owned, earned);
            prop_assert!(ledger.cash() >= 0.0 && session.equity() >= 0.0);
            positions[usize::from(session.position() > Quantity::ZERO)] += 1;
            session.decide(target, at(index + 1)).unwrap();
        }
        prop_assert!(positions.iter().all(|&count| count > 10), "{:?}", positions);
    }

    #[test]
    fn equity_never_falls_below_zero_on_a_wild_market(
        moves in prop::collection::vec((0.2..5.0f64, 0.2..5.0f64, -1.0..1.0f64), 60),
    ) {
        let mut session = TradingSession::new(config(25.0, 5.0)).unwrap();
        let mut close = 100.0;
        for (index, (gap, growth, target)) in moves.into_iter().enumerate() {
            let open = f64::clamp(close * gap, 1e-3, 1e6);
            close = f64::clamp(open * growth, 1e-3, 1e6);
            let outcome = session.on_bar(&bar(index, open, close), true);
            prop_assert!(outcome.equity >= 0.0 && outcome.net_return >= -1.0 && outcome.log_return.is_finite());
            let ledger = session.ledger();
            let owned = ledger.cash() + ledger.position_value();
            let earned = ledger.start() + ledger.realised() + ledger.unrealised() - ledger.fees();
            let scale = ledger.start() + ledger.realised().abs() + ledger.cash().abs();
            prop_assert!((owned - earned).abs() <= 1e-6 * scale, "{} {}", owned, earned);
            let _ = session.decide(target, at(index + 1));
        }
    }
}
