//! One session: when orders fill, what they cost, and that the backtest's loop adds nothing of its own.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{LOOKBACK, SignPolicy, at, hour, walk};
use proptest::prelude::*;
use walkforward_core::{
    Action, ActionMap, Bar, BarSeries, Cash, MarketRules, Observation, Policy, PolicyError, PolicySpec,
    Quantity, RiskLimits, RiskRejection, Side,
};
use walkforward_engine::{
    EngineError, FeatureEngine, FeatureWindow, NormalisedRows, ObservationBuilder, SessionConfig,
    SessionRecord, TradingSession, feature_matrix, normalise_row, run_policy, run_target,
};

fn bar(index: usize, open: f64, close: f64) -> Bar {
    Bar::new(at(index), open, open.max(close), open.min(close), close, 1.0).unwrap()
}

fn free() -> SessionConfig {
    SessionConfig { fee_bps: 0.0, slippage_bps: 0.0, ..Default::default() }
}

fn session(config: SessionConfig) -> TradingSession {
    TradingSession::new(config).unwrap()
}

fn normalised(policy: &SignPolicy, bars: &BarSeries) -> NormalisedRows {
    feature_matrix(&policy.spec().features, bars).unwrap().normalised(&policy.spec().normaliser).unwrap()
}

fn backtest(bars: &BarSeries, present: &[bool], range: std::ops::Range<usize>) -> SessionRecord {
    let policy = SignPolicy::new();
    let rows = normalised(&policy, bars);
    run_policy(&policy, bars, present, &rows, range, &SessionConfig::default()).unwrap()
}

#[test]
fn an_order_fills_at_the_open_of_the_next_bar_with_slippage_and_fee() {
    let mut session = session(SessionConfig::default());
    session.on_bar(&bar(0, 100.0, 120.0), true);
    assert!(session.decide(1.0, at(1)).unwrap().is_some());
    let outcome = session.on_bar(&bar(1, 80.0, 90.0), true);
    let fill = outcome.fill.unwrap();
    assert_eq!((fill.price.get(), fill.time, fill.side), (80.0 * 1.0005, at(1), Side::Buy));
    assert!(session.cash() < 1e-6, "all of the cash is spent");
    let bought = 10_000.0 / (80.0 * 1.0005);
    assert!((session.position().units() - bought * 0.9975).abs() < 1e-8);
    assert!((outcome.equity - bought * 0.9975 * 90.0).abs() < 1e-6);
    assert!((outcome.net_return - (outcome.equity / 10_000.0 - 1.0)).abs() < 1e-15);
    assert!((session.position_fraction() - 1.0).abs() < 1e-9);
    assert!((session.unrealised_return() - (90.0 / (80.0 * 1.0005) - 1.0)).abs() < 1e-12);
}

#[test]
fn an_order_lapses_on_a_bar_that_the_source_does_not_have() {
    let mut session = session(free());
    session.on_bar(&bar(0, 100.0, 100.0), true);
    session.decide(1.0, at(1)).unwrap();
    let hole = session.on_bar(&Bar::flat(at(1), 100.0).unwrap(), false);
    assert!(hole.lapsed && hole.fill.is_none() && session.pending().is_none());
    let after = session.on_bar(&bar(2, 100.0, 100.0), true);
    assert!(!after.lapsed && after.fill.is_none());
    assert_eq!(session.position(), Quantity::ZERO);
}

#[test]
fn a_target_that_is_held_already_makes_no_order() {
    let mut session = session(SessionConfig::default());
    session.on_bar(&bar(0, 100.0, 100.0), true);
    assert_eq!(session.decide(0.0, at(1)), Ok(None));
    assert_eq!(session.decide(f64::NAN, at(1)), Ok(None));
    session.decide(1.0, at(1)).unwrap();
    session.on_bar(&bar(1, 100.0, 130.0), true);
    assert_eq!(session.decide(1.0, at(2)), Ok(None));
    assert!(session.decide(0.0, at(2)).unwrap().is_some());
    session.on_bar(&bar(2, 130.0, 130.0), true);
    assert_eq!((session.position(), session.position_fraction()), (Quantity::ZERO, 0.0));
}

#[test]
fn fractions_are_reached_from_both_sides() {
    let mut session = session(free());
    session.on_bar(&bar(0, 100.0, 100.0), true);
    for (index, target) in [(1, 0.5), (2, 0.8), (3, 0.3)] {
        session.decide(target, at(index)).unwrap();
        session.on_bar(&bar(index, 100.0, 100.0), true);
        assert!((session.position_fraction() - target).abs() < 1e-9, "{target}");
    }
}

#[test]
fn an_order_beyond_the_limit_is_refused_and_none_is_pending() {
    let risk = RiskLimits { max_order_notional: Some(Cash::new(500.0).unwrap()) };
    let mut session = session(SessionConfig { risk, ..free() });
    session.on_bar(&bar(0, 100.0, 100.0), true);
    assert!(matches!(session.decide(1.0, at(1)), Err(RiskRejection::Notional { .. })));
    assert!(session.pending().is_none());
    let record = run_target(|_| 1.0, &walk(1, 5), &[true; 5], 0..5, session.config()).unwrap();
    assert_eq!((record.rejected_orders, record.fills.len()), (5, 0));
}

#[test]
fn a_total_loss_stays_zero_and_its_returns_stay_finite() {
    let mut session = session(SessionConfig { initial_cash: 1.0, ..free() });
    let fill = walkforward_core::Fill {
        time: at(0),
        side: Side::Buy,
        quantity: Quantity::from_nanos(10_000_000_000),
        price: walkforward_core::Price::new(1.0).unwrap(),
        fee_quantity: Quantity::ZERO,
        fee_cash: Cash::ZERO,
    };
    session.apply_fill(&fill).unwrap();
    let loss = session.mark(&bar(0, 0.1, 0.1));
    assert_eq!((loss.equity, loss.net_return), (0.0, -1.0));
    assert_eq!(loss.log_return, TradingSession::LOG_RETURN_FLOOR);
    let after = session.mark(&bar(1, 100.0, 100.0));
    assert_eq!((after.equity, after.net_return, after.log_return), (0.0, 0.0, 0.0));
    assert_eq!(session.decide(1.0, at(2)), Ok(None));
    assert_eq!(session.position_fraction(), 0.0);
}

#[test]
fn an_outside_broker_gives_the_same_session() {
    let bars = walk(5, 50);
    let (mut inside, mut outside) = (session(SessionConfig::default()), session(SessionConfig::default()));
    let mut fills = 0;
    for (index, bar) in bars.iter().enumerate() {
        let outcome = inside.on_bar(&bar, true);
        if let Some(fill) = outcome.fill {
            outside.apply_fill(&fill).unwrap();
            fills += 1;
        }
        outside.clear_pending();
        assert_eq!(outside.mark(&bar).equity.to_bits(), outcome.equity.to_bits());
        let target = if index % 4 < 2 { 1.0 } else { 0.0 };
        assert_eq!(inside.decide(target, at(index + 1)), outside.decide(target, at(index + 1)));
        assert_eq!(inside, outside);
    }
    assert!(fills > 10);
}

#[test]
fn the_backtest_is_the_hand_written_loop_to_the_bit() {
    let bars = walk(11, 400);
    let present: Vec<bool> = (0..bars.len()).map(|index| index % 11 != 5).collect();
    let policy = SignPolicy::new();
    let spec = policy.spec();
    let record = backtest(&bars, &present, 100..400);

    let mut engine = FeatureEngine::new(&spec.features).unwrap();
    let mut window = FeatureWindow::new(LOOKBACK, spec.features.width());
    let mut builder = ObservationBuilder::new(LOOKBACK, spec.features.width());
    let mut session = session(SessionConfig::default());
    let (mut equity, mut actions, mut fills) = (vec![], vec![], vec![]);
    for (index, bar) in bars.iter().enumerate() {
        if let Some(row) = engine.push(&bar).unwrap() {
            let mut row = row.to_vec();
            normalise_row(&spec.normaliser, &mut row).unwrap();
            window.push(&row).unwrap();
        }
        if index < 100 {
            continue;
        }
        let outcome = session.on_bar(&bar, present[index]);
        fills.extend(outcome.fill);
        equity.push(outcome.equity.to_bits());
        let observation = builder.build(window.rows().unwrap(), session.portfolio()).unwrap();
        let action = policy.act(Observation(observation)).unwrap();
        actions.push(Some(action));
        session.decide(spec.actions.target(action).unwrap(), bar.close_time(hour())).unwrap();
    }
    assert_eq!(record.equity.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), equity);
    assert_eq!((record.actions, record.fills.clone()), (actions, fills));
    assert!(record.fills.len() > 10 && record.lapsed_orders > 0);
}

#[test]
fn a_run_starts_flat_and_its_last_decision_fills_nothing() {
    let bars = walk(3, 20);
    let record = run_target(|_| 1.0, &bars, &[true; 20], 5..20, &free()).unwrap();
    assert_eq!((record.equity[0], record.net_return[0], record.position[0]), (10_000.0, 0.0, 0.0));
    assert_eq!((record.bar_close[0], record.bar_close.len()), (at(6), 15));
    assert_eq!((record.fills.len(), record.fills[0].time), (1, at(6)));
    let held = bars.closes()[19] / bars.opens()[6];
    assert!((record.equity[14] / 10_000.0 - held).abs() < 1e-9);
    let late = run_target(|bar| f64::from(u8::from(bar == 19)), &bars, &[true; 20], 5..20, &free()).unwrap();
    assert!(late.fills.is_empty());
    let flat = run_target(|_| 0.0, &bars, &[true; 20], 5..20, &free()).unwrap();
    assert!(flat.equity.iter().all(|&equity| equity == 10_000.0));
}

#[test]
fn bars_without_features_are_not_decided() {
    let record = backtest(&walk(3, 80), &[true; 80], 40..80);
    assert_eq!(record.actions[..11], [None; 11]);
    assert!(record.actions[11..].iter().all(Option::is_some));
}

/// Holds for two bars, buys, holds, sells, and so on.
struct Rhythm(PolicySpec, std::sync::atomic::AtomicU32);

impl Policy for Rhythm {
    fn act(&self, _: Observation<'_>) -> Result<Action, PolicyError> {
        let bar = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(Action([0, 0, 1, 1, 0, 2, 2][bar as usize % 7]))
    }

    fn spec(&self) -> &PolicySpec {
        &self.0
    }
}

#[test]
fn buy_sell_hold_buys_only_from_flat_and_sells_only_what_is_held() {
    let bars = walk(3, 80);
    let policy = SignPolicy::new();
    let rows = normalised(&policy, &bars);
    let spec = PolicySpec { actions: ActionMap::BuySellHold, ..policy.spec().clone() };
    let rhythm = Rhythm(spec, Default::default());
    let record = run_policy(&rhythm, &bars, &[true; 80], &rows, 60..74, &free()).unwrap();
    let fills: Vec<_> = record.fills.iter().map(|fill| (fill.side, fill.time)).collect();
    let expected = [(Side::Buy, at(63)), (Side::Sell, at(66)), (Side::Buy, at(70)), (Side::Sell, at(73))];
    assert_eq!(fills, expected);
}

#[test]
fn a_scheme_with_short_positions_needs_a_market_with_shorting() {
    let bars = walk(3, 80);
    let policy = SignPolicy::new();
    let rows = normalised(&policy, &bars);
    let short =
        Rhythm(PolicySpec { actions: ActionMap::ShortFlatLong, ..policy.spec().clone() }, Default::default());
    let run = |config: SessionConfig| run_policy(&short, &bars, &[true; 80], &rows, 60..80, &config);
    assert!(matches!(run(free()), Err(EngineError::Actions(_))));
    let record = run(SessionConfig { market: MarketRules::SHORTING, ..free() }).unwrap();
    assert!(record.position.iter().any(|&fraction| fraction < -0.9));
}

struct Broken(SignPolicy, Result<Action, PolicyError>);

impl Policy for Broken {
    fn act(&self, _: Observation<'_>) -> Result<Action, PolicyError> {
        self.1.clone()
    }

    fn spec(&self) -> &PolicySpec {
        self.0.spec()
    }
}

#[test]
fn what_does_not_fit_together_is_refused_by_name() {
    let bars = walk(3, 80);
    let policy = SignPolicy::new();
    let rows = normalised(&policy, &bars);
    let config = SessionConfig::default();
    let run = |policy: &dyn Policy, present: &[bool], range| {
        run_policy(policy, &bars, present, &rows, range, &config).unwrap_err()
    };
    let range = run(&policy, &[true; 80], 40..81);
    assert_eq!(range.to_string(), "bars 40..81 are asked for: the series has 80");
    assert!(matches!(
        run(&policy, &[true; 79], 40..80),
        EngineError::Length { expected: 80, actual: 79, .. }
    ));
    let unknown = Broken(SignPolicy::new(), Ok(Action(2)));
    assert!(matches!(run(&unknown, &[true; 80], 60..80), EngineError::UnknownAction { action: 2, .. }));
    let failed = Broken(SignPolicy::new(), Err(PolicyError::NotFinite { index: 0 }));
    assert!(matches!(run(&failed, &[true; 80], 60..80), EngineError::Policy { bar: 60, .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn bars_after_a_bar_change_nothing_at_or_before_it(seed in any::<u64>(), cut in 70usize..190) {
        let bars = walk(seed, 200);
        let mut changed = bars.slice(0..cut);
        for (offset, other) in walk(seed ^ 1, 200 - cut).iter().enumerate() {
            let moved = Bar::new(at(cut + offset), other.open(), other.high(), other.low(), other.close(), 1.0);
            changed.push(moved.unwrap()).unwrap();
        }
        let (a, b) = (backtest(&bars, &[true; 200], 60..200), backtest(&changed, &[true; 200], 60..200));
        let judged = cut - 60;
        prop_assert_eq!(&a.actions[..judged], &b.actions[..judged]);
        prop_assert_eq!(&a.equity[..judged], &b.equity[..judged]);
        prop_assert_eq!(&a.position[..judged], &b.position[..judged]);
    }

    #[test]
    fn cash_and_position_equal_start_and_profits_less_fees(
        seed in any::<u64>(), targets in prop::collection::vec(0.0..1.0f64, 100),
        fee_bps in 0.0..100.0f64, slippage_bps in 0.0..50.0f64,
    ) {
        let mut session = session(SessionConfig { fee_bps, slippage_bps, ..Default::default() });
        for (index, (bar, target)) in walk(seed, 100).iter().zip(targets).enumerate() {
            session.on_bar(&bar, index % 9 != 4);
            let ledger = session.ledger();
            let owned = ledger.cash() + ledger.position_value();
            let earned = ledger.start() + ledger.realised() + ledger.unrealised() - ledger.fees();
            prop_assert!((owned - earned).abs() <= 1e-9 * ledger.start(), "{} {}", owned, earned);
            prop_assert!(ledger.cash() >= 0.0 && ledger.position() >= Quantity::ZERO);
            session.decide(target, at(index + 1)).unwrap();
        }
    }
}
