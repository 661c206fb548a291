//! Bars, bundles and contexts for the tests of this crate.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use walkforward_core::{
    AbsentMeans, ActionMap, Activation, Bar, BarSeries, CancelToken, Dataset, FeatureKind, FeatureSpec,
    GapKind, ManualClock, MarketCalendar, ModelRef, NetworkSpec, NoProgress, Normaliser, PolicySpec, Probe,
    QualityFigures, QualityReport, StageContext, Timeframe, Timestamp, Window,
};

/// Bars before the window.
pub(crate) const HISTORY: usize = 10;

pub(crate) fn hour() -> Timeframe {
    "1h".parse().unwrap()
}

pub(crate) fn at(bar: usize) -> Timestamp {
    let start: Timestamp = "2024-01-01".parse().unwrap();
    start.plus_millis(bar as i64 * hour().millis())
}

pub(crate) fn window(from: usize, to: usize) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

/// A dataset whose bars open where the last one closed, the second half of the window held out.
pub(crate) fn dataset(closes: &[f64]) -> Dataset {
    let mut bars = BarSeries::new(hour());
    let mut open = closes[0];
    for (index, &close) in closes.iter().enumerate() {
        bars.push(Bar::new(at(index), open, open.max(close), open.min(close), close, 1.0).unwrap()).unwrap();
        open = close;
    }
    let n = closes.len();
    Dataset {
        symbol: "BTC/USD".parse().unwrap(),
        bars,
        gap_kinds: vec![GapKind::Present; n],
        embargo_bars: 0,
        history_bars: HISTORY,
        window: window(HISTORY, n),
        split: at(n / 2),
        as_of: at(n),
        feature_spec: features(),
        calendar: MarketCalendar::Continuous,
        absent: AbsentMeans::Missing,
        hash: "00".repeat(32),
        quality: QualityReport { file: None, window: QualityFigures::default() },
        origin: "test".to_owned(),
    }
}

/// `n` closes that rise by 1 % for ten bars, then fall by 1 % for ten, and so on.
pub(crate) fn waves(n: usize) -> Vec<f64> {
    let mut price = 100.0;
    (0..n)
        .map(|bar| {
            price *= if (bar / 10).is_multiple_of(2) { 1.01 } else { 0.99 };
            price
        })
        .collect()
}

pub(crate) fn features() -> FeatureSpec {
    FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1] }]).unwrap()
}

/// What a policy decides from the last return: hold when `slope * return + bias > 0`.
pub(crate) fn write_model(dir: &Path, slope: f32, bias: f32) -> ModelRef {
    let spec = PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: hour(),
        network: NetworkSpec::Mlp { inputs: 3, hidden: vec![], outputs: 2, activation: Activation::Tanh },
        sessions: false,
        features: features(),
        normaliser: Normaliser { mean: vec![0.0], std: vec![1.0], clip: 5.0 },
        lookback: 1,
        actions: ActionMap::LongFlat,
        used_until: at(HISTORY),
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    };
    write_spec(dir, &spec, slope, bias)
}

/// [`write_model`] with another specification.
pub(crate) fn write_spec(dir: &Path, spec: &PolicySpec, slope: f32, bias: f32) -> ModelRef {
    write_linear(dir, spec, vec![0.0, 0.0, 0.0, slope, 0.0, 0.0], vec![0.0, bias])
}

/// A policy of one layer: `weights` is `[outputs, inputs]`.
pub(crate) fn write_linear(dir: &Path, spec: &PolicySpec, weights: Vec<f32>, biases: Vec<f32>) -> ModelRef {
    let (outputs, inputs) = (biases.len(), weights.len() / biases.len());
    let tensors = BTreeMap::from([
        ("actor.0.weight".to_owned(), (vec![outputs, inputs], weights)),
        ("actor.0.bias".to_owned(), (vec![outputs], biases)),
    ]);
    let written = walkforward_policy::write_bundle(dir, spec, &tensors, None).unwrap();
    ModelRef {
        id: "model-2024-01-01T00-00-00-000Z".parse().unwrap(),
        dir: dir.to_owned(),
        sha256: written.sha256,
        lineage_until: at(HISTORY),
    }
}

pub(crate) fn context() -> StageContext {
    StageContext {
        clock: Arc::new(ManualClock::at(at(0))),
        progress: Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: std::path::PathBuf::new(),
    }
}
