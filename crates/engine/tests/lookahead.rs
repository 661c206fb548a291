//! Decisions that are asked for ahead are those of one bar at a time, to the bit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Moody, SignPolicy, actions, walk};
use proptest::prelude::*;
use walkforward_core::{Action, Cash, MarketRules, Observation, Policy, PolicyError, PolicySpec, RiskLimits};
use walkforward_engine::{EngineError, SessionConfig, SessionRecord, feature_matrix, run_policy};

const BARS: usize = 240;
const FIRST: usize = 45;

fn run(policy: &Moody, seed: u64, config: &SessionConfig) -> Result<SessionRecord, EngineError> {
    let bars = walk(seed, BARS);
    let present: Vec<bool> = (0..BARS).map(|bar| !(bar as u64 ^ seed).is_multiple_of(11)).collect();
    let rows =
        feature_matrix(&policy.spec.features, &bars).unwrap().normalised(&policy.spec.normaliser).unwrap();
    run_policy(policy, &bars, &present, &rows, FIRST..BARS, config)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_run_does_not_depend_on_how_far_ahead_it_asks(
        (seed, actions, ahead) in (any::<u64>(), actions(), 2..40_usize),
        patience in 1..40_u32,
        limit in prop::option::of(2_000.0..20_000.0_f64),
        fails_below in prop::option::of(0..18_usize),
        max_bars_in_position in prop::option::of(1..12_u32),
    ) {
        let risk = RiskLimits { max_order_notional: limit.map(|limit| Cash::new(limit).unwrap()) };
        let market = MarketRules::SHORTING;
        let config = SessionConfig { market, risk, max_bars_in_position, ..Default::default() };
        let policy = |ahead| Moody { fails_below, ..Moody::new(actions, ahead, patience) };
        prop_assert_eq!(run(&policy(ahead), seed, &config), run(&policy(1), seed, &config));
    }
}

/// Waits, buys on one bar and stays in; flat on any later bar, it has no answer.
struct Punctual {
    spec: PolicySpec,
    /// First feature of the bars before, and of the bar on which it buys.
    before: Vec<f32>,
    on: f32,
}

impl Policy for Punctual {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        let (seen, held) = (observation.0[0], observation.0[observation.0.len() - 2]);
        match seen {
            _ if held != 0.0 || seen == self.on => Ok(Action(1)),
            _ if self.before.contains(&seen) => Ok(Action(0)),
            _ => Err(PolicyError::Failed("too late".to_owned())),
        }
    }

    fn batch_rows(&self) -> usize {
        8
    }

    fn spec(&self) -> &PolicySpec {
        &self.spec
    }
}

#[test]
fn a_row_that_is_never_asked_for_may_have_no_answer() {
    let spec = PolicySpec { lookback: 1, ..SignPolicy::new().spec().clone() };
    let bars = walk(5, BARS);
    let rows = feature_matrix(&spec.features, &bars).unwrap().normalised(&spec.normaliser).unwrap();
    let seen = |bar: usize| rows.row(bar).unwrap()[0];
    let start = rows.first_window(1).unwrap();
    let run = |waits: usize, skips: usize| {
        let before = (start..start + waits).map(seen).collect();
        let policy = Punctual { spec: spec.clone(), before, on: seen(start + waits + skips) };
        run_policy(&policy, &bars, &[true; BARS], &rows, start..BARS, &SessionConfig::default())
    };
    for waits in 0..30 {
        let record = run(waits, 0).unwrap();
        assert_eq!((record.fills.len(), record.actions.len()), (1, BARS - start));
        let error = run(waits, 1).unwrap_err();
        assert!(matches!(error, EngineError::Policy { bar, .. } if bar == start + waits), "{error}");
    }
}
