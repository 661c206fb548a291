//! Bars and a policy for the tests.
#![allow(dead_code, reason = "each test file uses its own part")]

use walkforward_core::{
    Action, ActionMap, Activation, Bar, BarSeries, FeatureSpec, NetworkSpec, Normaliser, Observation, Policy,
    PolicyError, PolicySpec, Probe, Timeframe, Timestamp,
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
