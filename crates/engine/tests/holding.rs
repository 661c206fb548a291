//! A limit on the bars in one position: what closes it, what counts, and that nothing changes without it.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{Moody, actions, at, walk};
use proptest::prelude::*;
use walkforward_core::{Bar, Cash, Fill, MarketRules, OrderSize, Price, Quantity, Side, Target, Timestamp};
use walkforward_engine::{
    SessionCheckpoint, SessionConfig, SessionRecord, TradingSession, feature_matrix, run_policy, run_target,
};

const BARS: usize = 240;
const FIRST: usize = 45;
const LONG: Target = Target::Fraction(1.0);
const SHORT: Target = Target::Fraction(-1.0);

fn limited(bars: u32) -> SessionConfig {
    SessionConfig {
        market: MarketRules::SHORTING,
        max_bars_in_position: Some(bars),
        ..SessionConfig::default()
    }
}

/// A session on a flat market, with the side of its position at each close before the decision of that bar.
struct Played {
    session: TradingSession,
    sides: Vec<i64>,
}

impl Played {
    fn new(config: SessionConfig) -> Self {
        Self { session: TradingSession::new(config).unwrap(), sides: Vec::new() }
    }

    fn bar(&mut self, target: Target, present: bool) {
        let index = self.sides.len();
        self.session.on_bar(&Bar::flat(at(index), 100.0).unwrap(), present);
        self.sides.push(self.session.position().nanos().signum());
        self.session.follow(target, at(index + 1)).unwrap();
    }

    fn bars(mut self, targets: &[Target]) -> Self {
        targets.iter().for_each(|&target| self.bar(target, true));
        self
    }
}

#[test]
fn a_position_is_closed_after_its_bars_and_may_be_entered_again() {
    let played = Played::new(limited(3)).bars(&[LONG; 10]);
    assert_eq!(played.sides, [0, 1, 1, 1, 0, 1, 1, 1, 0, 1]);
    let played = Played::new(limited(1)).bars(&[LONG; 6]);
    assert_eq!(played.sides, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn to_hold_does_not_keep_a_position_that_is_overdue() {
    let played =
        Played::new(limited(2)).bars(&[LONG, Target::Hold, Target::Hold, Target::Hold, Target::Hold]);
    assert_eq!(played.sides, [0, 1, 1, 0, 0]);
    assert!(played.session.pending().is_none() && !played.session.is_overdue());
}

#[test]
fn an_overdue_position_is_closed_and_not_turned_around() {
    let played = Played::new(limited(2)).bars(&[LONG, LONG, SHORT, SHORT, SHORT]);
    assert_eq!(played.sides, [0, 1, 1, 0, -1]);
}

#[test]
fn the_other_side_is_another_position() {
    let played = Played::new(limited(3)).bars(&[LONG, LONG, SHORT, SHORT, SHORT, SHORT, SHORT]);
    assert_eq!(played.sides, [0, 1, 1, -1, -1, -1, 0]);
}

#[test]
fn a_bar_that_the_source_does_not_have_counts_and_a_lapsed_exit_is_tried_again() {
    let mut played = Played::new(limited(3)).bars(&[LONG; 2]);
    for present in [false, true, false, false, true] {
        played.bar(LONG, present);
    }
    assert_eq!(played.sides, [0, 1, 1, 1, 1, 1, 0]);
}

fn fill(side: Side, time: Timestamp) -> Fill {
    let (fee_quantity, fee_cash) = (Quantity::ZERO, Cash::ZERO);
    let (quantity, price) = (Quantity::from_nanos(1_000_000_000), Price::new(100.0).unwrap());
    Fill { time, side, quantity, price, fee_quantity, fee_cash }
}

#[test]
fn a_position_that_a_broker_closed_and_opened_within_a_bar_is_a_new_one() {
    let mut session = TradingSession::new(limited(2)).unwrap();
    let fills = [&[Side::Buy][..], &[Side::Sell, Side::Buy], &[], &[Side::Sell]];
    let overdue = fills.iter().enumerate().map(|(index, sides)| {
        for &side in *sides {
            session.apply_fill(&fill(side, at(index))).unwrap();
        }
        session.mark(&Bar::flat(at(index), 100.0).unwrap());
        session.is_overdue()
    });
    assert_eq!(overdue.collect::<Vec<_>>(), [false, false, true, false]);
}

#[test]
fn bars_in_position_are_put_away_where_they_count_and_nowhere_else() {
    let free = SessionConfig { max_bars_in_position: None, ..limited(9) };
    let held = |config| Played::new(config).bars(&[SHORT; 4]).session.checkpoint();
    let (counted, plain) = (held(limited(9)), held(free));
    assert_eq!((counted.bars_in_position, plain.bars_in_position), (3, 0));
    assert!(!serde_json::to_string(&plain).unwrap().contains("bars_in_position"));
    assert_eq!(TradingSession::resume(free, &counted).unwrap().checkpoint(), plain);
    assert!(TradingSession::resume(limited(3), &counted).unwrap().is_overdue());
    assert!(!TradingSession::resume(limited(3), &plain).unwrap().is_overdue(), "counted from now on");
    let flat = TradingSession::new(limited(3)).unwrap().checkpoint();
    let error = TradingSession::resume(limited(3), &SessionCheckpoint { bars_in_position: 1, ..flat });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("bars_in_position was put away as 1: expected 0"), "{error}");
}

fn run(policy: &Moody, seed: u64, config: &SessionConfig) -> SessionRecord {
    let bars = walk(seed, BARS);
    let rows = feature_matrix(&policy.spec.features, &bars).unwrap();
    let rows = rows.normalised(&policy.spec.normaliser).unwrap();
    run_policy(policy, &bars, &[true; BARS], &rows, FIRST..BARS, config).unwrap()
}

/// Closes of the longest position.
fn longest(record: &SessionRecord) -> usize {
    let sides = record.position.iter().map(|fraction| (*fraction > 0.0) as i8 - (*fraction < 0.0) as i8);
    let sides: Vec<i8> = sides.collect();
    sides.chunk_by(|a, b| a == b).filter(|run| run[0] != 0).map(<[i8]>::len).max().unwrap_or(0)
}

#[test]
fn every_exit_by_the_limit_is_a_sale_of_all() {
    let bars = walk(3, BARS);
    let record = run_target(|_| 1.0, &bars, &[true; BARS], 0..BARS, &limited(5)).unwrap();
    assert_eq!((longest(&record), record.fills.len()), (5, 79));
    for pair in record.fills.chunks_exact(2) {
        assert_eq!((pair[0].side, pair[1].side), (Side::Buy, Side::Sell));
        assert_eq!(pair[0].quantity - pair[0].fee_quantity, pair[1].quantity);
    }
    assert!(record.fills.iter().all(|fill| fill.quantity > Quantity::ZERO));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_position_outlasts_its_bars(
        (seed, actions, ahead) in (any::<u64>(), actions(), 1..40_usize),
        (patience, limit) in (1..60_u32, 1..20_u32),
    ) {
        let record = run(&Moody::new(actions, ahead, patience), seed, &limited(limit));
        prop_assert!(longest(&record) <= limit as usize);
    }

    #[test]
    fn a_limit_that_is_never_reached_changes_no_bit(
        (seed, actions, ahead) in (any::<u64>(), actions(), 1..40_usize), patience in 1..60_u32,
    ) {
        let policy = Moody::new(actions, ahead, patience);
        let free = SessionConfig { max_bars_in_position: None, ..limited(1) };
        let unlimited = run(&policy, seed, &free);
        prop_assert_eq!(&run(&policy, seed, &limited(BARS as u32)), &unlimited);
        let reached = longest(&unlimited) as u32;
        prop_assume!(reached > 1);
        prop_assert_ne!(&run(&policy, seed, &limited(reached - 1)), &unlimited);
    }
}

#[test]
fn an_order_that_closes_an_overdue_position_names_all_of_it() {
    let mut session = Played::new(limited(1)).bars(&[SHORT]).session;
    session.on_bar(&Bar::flat(at(1), 100.0).unwrap(), true);
    let order = session.follow(Target::Hold, at(2)).unwrap().unwrap();
    assert_eq!(order.order().side, Side::Buy);
    assert_eq!(order.order().size, OrderSize::Quantity(-session.position()));
}
