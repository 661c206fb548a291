//! Decisions that are asked for ahead are those of one bar at a time, to the bit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{SignPolicy, walk};
use proptest::prelude::*;
use walkforward_core::{
    Action, ActionMap, Cash, MarketRules, Observation, Policy, PolicyError, PolicySpec, RiskLimits,
    SizedTargets,
};
use walkforward_engine::{EngineError, SessionConfig, SessionRecord, feature_matrix, run_policy};

const BARS: usize = 240;
const FIRST: usize = 45;

/// Decides by a number made of everything that it sees, and asks for `ahead` rows at once.
struct Moody {
    spec: PolicySpec,
    ahead: usize,
    /// How seldom it changes its mind.
    patience: u32,
    /// It fails while it is flat and this many of its looks are below 0.
    fails_below: Option<usize>,
}

impl Moody {
    fn new(actions: ActionMap, ahead: usize, patience: u32) -> Self {
        let spec = PolicySpec { actions, ..SignPolicy::new().spec().clone() };
        Self { spec, ahead, patience, fails_below: None }
    }
}

impl Policy for Moody {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        let seen = observation.0;
        let held = seen[seen.len() - 2];
        let below = seen[..seen.len() - 2].iter().filter(|number| **number < 0.0).count();
        if self.fails_below.is_some_and(|limit| held == 0.0 && below < limit) {
            return Err(PolicyError::Failed("bad mood".to_owned()));
        }
        let mood = seen.iter().fold(17_u32, |mood, number| mood.rotate_left(5) ^ number.to_bits());
        let keeps = !mood.wrapping_mul(0x9E37_79B9).is_multiple_of(self.patience);
        let stay = u8::from(held != 0.0);
        Ok(Action(if keeps { stay } else { (mood % self.spec.actions.len() as u32) as u8 }))
    }

    fn batch_rows(&self) -> usize {
        self.ahead
    }

    fn spec(&self) -> &PolicySpec {
        &self.spec
    }
}

fn run(policy: &Moody, seed: u64, config: &SessionConfig) -> Result<SessionRecord, EngineError> {
    let bars = walk(seed, BARS);
    let present: Vec<bool> = (0..BARS).map(|bar| !(bar as u64 ^ seed).is_multiple_of(11)).collect();
    let rows =
        feature_matrix(&policy.spec.features, &bars).unwrap().normalised(&policy.spec.normaliser).unwrap();
    run_policy(policy, &bars, &present, &rows, FIRST..BARS, config)
}

fn actions() -> impl Strategy<Value = ActionMap> {
    prop_oneof![
        Just(ActionMap::LongFlat),
        Just(ActionMap::ShortFlatLong),
        Just(ActionMap::BuySellHold),
        Just(ActionMap::Sized(SizedTargets::new(&[-0.5, 0.0, 0.5, 1.0]).unwrap())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_run_does_not_depend_on_how_far_ahead_it_asks(
        (seed, actions, ahead) in (any::<u64>(), actions(), 2..40_usize),
        patience in 1..40_u32,
        limit in prop::option::of(2_000.0..20_000.0_f64),
        fails_below in prop::option::of(0..18_usize),
    ) {
        let risk = RiskLimits { max_order_notional: limit.map(|limit| Cash::new(limit).unwrap()) };
        let config = SessionConfig { market: MarketRules::SHORTING, risk, ..Default::default() };
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
