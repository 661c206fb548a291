//! Bars, bundles and datasets for the tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use walkforward_core::{
    AbsentMeans, ActionMap, Bar, BarSeries, Dataset, FeatureKind, FeatureSpec, GapKind, MarketCalendar,
    MarketRules, ModelId, ModelRef, PolicySpec, QualityFigures, QualityReport, RunId, Timeframe, Timestamp,
    Window,
};
use walkforward_engine::SessionConfig;
use walkforward_live::{Shadow, ShadowBar, ShadowModel};

use crate::common::spec_looking_back;

pub(crate) const LOOKBACK: usize = 3;
/// Bars that a shadow of the tests keeps before a day.
pub(crate) const HISTORY: usize = 220;

pub(crate) fn config() -> SessionConfig {
    SessionConfig { market: MarketRules::SHORTING, ..SessionConfig::default() }
}

/// Not at midnight, so that days are cut.
pub(crate) fn at(bar: usize) -> Timestamp {
    let start: Timestamp = "2024-01-01T05:00:00Z".parse().unwrap();
    start.plus_millis(bar as i64 * Timeframe::HOUR.millis())
}

/// With memories of every kind, so that it matters where features begin.
pub(crate) fn features() -> FeatureSpec {
    FeatureSpec::new(vec![
        FeatureKind::Returns { periods: vec![1, 6] },
        FeatureKind::Rsi { period: 5 },
        FeatureKind::Macd { fast: 3, slow: 6, signal: 4 },
        FeatureKind::VolumeRatio { period: 8 },
    ])
    .unwrap()
}

fn spec(actions: ActionMap) -> PolicySpec {
    PolicySpec { used_until: at(0), ..spec_looking_back(features(), actions, LOOKBACK) }
}

/// A folder with models.
pub(crate) struct Models(TempDir);

impl Models {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Model `number`, whose weights differ for each number; every other one may be short.
    pub(crate) fn model(&self, number: usize) -> ModelRef {
        let id = ModelId::of_run(&RunId::at(at(number)));
        let dir = self.0.path().join(id.as_str());
        let actions = [ActionMap::LongFlat, ActionMap::ShortFlatLong][number % 2];
        let sha256 = write(&dir, number, &spec(actions));
        ModelRef { id, dir, sha256, lineage_until: at(0) }
    }
}

fn write(dir: &Path, number: usize, spec: &PolicySpec) -> String {
    std::fs::create_dir_all(dir).unwrap();
    let (inputs, outputs) = (spec.obs_dim(), spec.actions.len());
    let weight = |index: usize| ((index * 7 + number * 13) % 11) as f32 / 5.0 - 1.0;
    let tensors = BTreeMap::from([
        ("actor.0.weight".to_owned(), (vec![outputs, inputs], (0..outputs * inputs).map(weight).collect())),
        ("actor.0.bias".to_owned(), (vec![outputs], vec![0.01 * number as f32; outputs])),
    ]);
    walkforward_policy::write_bundle(dir, spec, &tensors, None).unwrap().sha256
}

pub(crate) fn loaded(model: &ModelRef) -> ShadowModel {
    let policy: Arc<dyn walkforward_core::Policy> =
        walkforward_policy::load(&model.dir, &model.sha256).unwrap();
    ShadowModel { model_id: model.id.clone(), sha256: model.sha256.clone(), policy }
}

/// A walk of `n` hours with holes, each as a flat bar that the source does not have.
pub(crate) fn dataset(seed: u64, n: usize) -> Dataset {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let (mut bars, mut gap_kinds, mut close) = (BarSeries::new(Timeframe::HOUR), Vec::new(), 100.0_f64);
    for bar in 0..n {
        let open = close * (1.0 + 0.004 * (uniform() - 0.5));
        let next = open * (1.0 + 0.03 * (uniform() - 0.5));
        let volume = 10.0 * uniform();
        let is_hole = bar % 19 == 11;
        gap_kinds.push(if is_hole { GapKind::Missing } else { GapKind::Present });
        let whole = Bar::new(at(bar), open, open.max(next) * 1.001, open.min(next) * 0.999, next, volume);
        let bar = if is_hole { Bar::flat(at(bar), close).unwrap() } else { whole.unwrap() };
        close = bar.close();
        bars.push(bar).unwrap();
    }
    Dataset {
        symbol: "BTC/USD".parse().unwrap(),
        bars,
        gap_kinds,
        embargo_bars: 0,
        history_bars: HISTORY,
        window: Window::new(at(HISTORY), at(n)).unwrap(),
        split: at(HISTORY),
        as_of: at(n),
        feature_spec: features(),
        calendar: MarketCalendar::Continuous,
        absent: AbsentMeans::Missing,
        hash: "00".repeat(32),
        quality: QualityReport { file: None, window: QualityFigures::default() },
        origin: "test".to_owned(),
    }
}

/// A shadow that knows the bars before `first`.
pub(crate) fn shadow_before(data: &Dataset, first: usize) -> Shadow {
    let mut shadow = Shadow::new(config(), Timeframe::HOUR, HISTORY).unwrap();
    (0..first).for_each(|bar| shadow.warm_up(&data.bars.bar(bar)));
    shadow
}

/// Lets a shadow have these bars; what they came to, bar by bar.
pub(crate) fn play(shadow: &mut Shadow, data: &Dataset, bars: std::ops::Range<usize>) -> Vec<Vec<ShadowBar>> {
    bars.map(|bar| shadow.on_bar(&data.bars.bar(bar), data.can_fill(bar)).to_vec()).collect()
}

/// The bits of returns, positions and closes of one model.
pub(crate) fn bits<'a>(bars: impl IntoIterator<Item = &'a ShadowBar>) -> Vec<(Timestamp, u64, u64)> {
    bars.into_iter().map(|bar| (bar.close, bar.net_return.to_bits(), bar.position.to_bits())).collect()
}
