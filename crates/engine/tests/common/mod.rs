//! Bars and a policy for the tests.
#![allow(dead_code, reason = "each test file uses its own part")]

use proptest::prelude::*;
use walkforward_core::{
    Action, ActionMap, Activation, Bar, BarSeries, FeatureSpec, NetworkSpec, Normaliser, Observation, Policy,
    PolicyError, PolicySpec, Probe, SizedTargets, Timeframe, Timestamp,
};

pub(crate) const LOOKBACK: usize = 3;

pub(crate) fn hour() -> Timeframe {
    "1h".parse().unwrap()
}

pub(crate) fn at(index: usize) -> Timestamp {
    Timestamp::from_millis(1_600_000_000_000 / 3_600_000 * 3_600_000 + index as i64 * 3_600_000).unwrap()
}

/// A walk that differs for each seed; every seventh bar trades nothing.
pub(crate) fn walk(seed: u64, bars: usize) -> BarSeries {
    let mut series = BarSeries::new(hour());
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let mut close = 100.0;
    for index in 0..bars {
        let open = close * (1.0 + 0.004 * (next() - 0.5));
        close = open * (1.0 + 0.03 * (next() - 0.5));
        let (high, low) = (open.max(close) * (1.0 + 0.01 * next()), open.min(close) * (1.0 - 0.01 * next()));
        let volume = if index % 7 == 3 { 0.0 } else { 1_000.0 * next() };
        series.push(Bar::new(at(index), open, high, low, close, volume).unwrap()).unwrap();
    }
    series
}

/// Goes long when the sum of what it sees of the market is above 0.
pub(crate) struct SignPolicy(PolicySpec);

impl SignPolicy {
    pub(crate) fn new() -> Self {
        let features = FeatureSpec::default();
        let width = features.width();
        Self(PolicySpec {
            schema: PolicySpec::SCHEMA,
            symbol: "BTC/USD".parse().unwrap(),
            timeframe: hour(),
            network: NetworkSpec::Mlp {
                inputs: LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS,
                hidden: vec![],
                outputs: 2,
                activation: Activation::Tanh,
            },
            sessions: false,
            features,
            normaliser: Normaliser { mean: vec![0.1; width], std: vec![0.5; width], clip: 5.0 },
            lookback: LOOKBACK,
            actions: ActionMap::LongFlat,
            used_until: at(0),
            probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
        })
    }
}

impl Policy for SignPolicy {
    fn act(&self, observation: Observation<'_>) -> Result<Action, PolicyError> {
        let expected = self.0.obs_dim();
        let actual = observation.0.len();
        if actual != expected {
            return Err(PolicyError::ObservationLength { expected, actual });
        }
        // The portfolio enters, so that a wrong position or return changes decisions.
        let market: f32 = observation.0[..expected - 2].iter().sum();
        let held = observation.0[expected - 2] - 0.5 * observation.0[expected - 1];
        Ok(Action(u8::from(market + held > 0.3)))
    }

    fn spec(&self) -> &PolicySpec {
        &self.0
    }
}

/// Decides by a number made of everything that it sees, and asks for `ahead` rows at once.
pub(crate) struct Moody {
    pub(crate) spec: PolicySpec,
    pub(crate) ahead: usize,
    /// How seldom it changes its mind.
    pub(crate) patience: u32,
    /// It fails while it is flat and this many of its looks are below 0.
    pub(crate) fails_below: Option<usize>,
}

impl Moody {
    pub(crate) fn new(actions: ActionMap, ahead: usize, patience: u32) -> Self {
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

/// Every action scheme.
pub(crate) fn actions() -> impl Strategy<Value = ActionMap> {
    prop_oneof![
        Just(ActionMap::LongFlat),
        Just(ActionMap::ShortFlatLong),
        Just(ActionMap::BuySellHold),
        Just(ActionMap::Sized(SizedTargets::new(&[-0.5, 0.0, 0.5, 1.0]).unwrap())),
    ]
}
