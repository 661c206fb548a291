//! A batch of sessions is the sessions one by one, to the bit.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::{at, hour, walk};
use proptest::prelude::*;
use walkforward_core::{Action, ActionMap, Bar, MarketRules, SizedTargets, Target};
use walkforward_engine::{BarOutcome, EngineError, SessionBatch, SessionConfig, SessionStep, TradingSession};

fn schemes() -> impl Strategy<Value = ActionMap> {
    let sized = SizedTargets::new(&[-1.0, -0.25, 0.0, 0.5, 0.75]).unwrap();
    prop_oneof![
        Just(ActionMap::LongFlat),
        Just(ActionMap::ShortFlatLong),
        Just(ActionMap::BuySellHold),
        Just(ActionMap::Sized(sized)),
    ]
}

#[test]
fn steps_for_another_number_of_sessions_are_refused_and_change_nothing() {
    let mut batch = SessionBatch::new(SessionConfig::default(), 2).unwrap();
    let before = batch.clone();
    let bar = Bar::flat(at(0), 100.0).unwrap();
    let step = SessionStep { target: Target::Fraction(1.0), decided_at: at(0), bar: &bar, present: true };
    let error = batch.step(&[step], &mut [BarOutcome::EMPTY; 2]).unwrap_err();
    assert!(matches!(error, EngineError::Length { expected: 2, actual: 1, .. }));
    assert!(batch.step(&[step; 2], &mut [BarOutcome::EMPTY; 3]).is_err());
    assert_eq!(batch, before);
    assert!(SessionBatch::new(SessionConfig::default(), SessionBatch::MAX_SESSIONS + 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_batch_gives_the_bits_of_single_sessions(
        seed in any::<u64>(), sessions in 1usize..6, map in schemes(),
        actions in prop::collection::vec(0usize..5, 360),
        fee_bps in 0.0..100.0f64, slippage_bps in 0.0..50.0f64,
        max_bars_in_position in prop::option::of(1..12_u32),
    ) {
        let market = MarketRules::SHORTING;
        let config =
            SessionConfig { fee_bps, slippage_bps, market, max_bars_in_position, ..Default::default() };
        let bars: Vec<Bar> = walk(seed, 80).iter().collect();
        let mut batch = SessionBatch::new(config, sessions).unwrap();
        let mut singles = vec![TradingSession::new(config).unwrap(); sessions];
        for (index, single) in singles.iter_mut().enumerate() {
            batch.restart(index, &bars[index]);
            single.mark(&bars[index]);
        }
        let mut outcomes = vec![BarOutcome::EMPTY; sessions];
        for step in 0..60 {
            let steps: Vec<SessionStep<'_>> = (0..sessions).map(|index| {
                let action = Action((actions[step * sessions + index] % map.len()) as u8);
                let position = batch.portfolio(index).unwrap().position_fraction;
                SessionStep {
                    target: map.decide(action, position).unwrap(),
                    decided_at: bars[step + index].close_time(hour()),
                    bar: &bars[step + index + 1],
                    present: (step + index) % 9 != 4,
                }
            }).collect();
            batch.step(&steps, &mut outcomes).unwrap();
            for (index, (single, step)) in singles.iter_mut().zip(&steps).enumerate() {
                let _ = single.follow(step.target, step.decided_at);
                let outcome = single.on_bar(step.bar, step.present);
                prop_assert_eq!(outcome, outcomes[index]);
                prop_assert_eq!(outcome.equity.to_bits(), outcomes[index].equity.to_bits());
                prop_assert_eq!(outcome.log_return.to_bits(), outcomes[index].log_return.to_bits());
                prop_assert_eq!(single.ledger(), batch.ledger(index).unwrap());
                prop_assert_eq!(single.portfolio(), batch.portfolio(index).unwrap());
            }
        }
    }
}
