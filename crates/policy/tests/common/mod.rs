//! A small network and its specification.
#![allow(dead_code, reason = "each test binary uses a part")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use walkforward_core::{
    ActionMap, Activation, FeatureKind, FeatureSpec, NetworkSpec, Normaliser, PolicySpec, Probe,
};
use walkforward_policy::{ActorCritic, Tensors};

pub(crate) const WIDTH: usize = 3;
pub(crate) const LOOKBACK: usize = 2;

pub(crate) fn spec() -> PolicySpec {
    let features = FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1, 4, 12] }]).unwrap();
    PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        network: NetworkSpec::Mlp {
            inputs: LOOKBACK * WIDTH + PolicySpec::PORTFOLIO_INPUTS,
            hidden: vec![17, 5],
            outputs: 2,
            activation: Activation::Tanh,
        },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.1; WIDTH], std: vec![0.3; WIDTH], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::LongFlat,
        used_until: "2024-01-01T00:00:00Z".parse().unwrap(),
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    }
}

pub(crate) fn network(seed: u64) -> ActorCritic {
    ActorCritic::new(spec().network, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

pub(crate) fn weights(seed: u64) -> Tensors {
    network(seed).to_tensors().unwrap()
}
