//! What a cycle adds to an arm's stream: six new bars of a year of hours, features and loading of the model included.

use serde_json::{Value, json};
use tempfile::TempDir;
use walkforward_core::{
    AbsentMeans, ActionMap, Activation, Bar, BarSeries, CancelToken, Continued, Dataset, Evaluator,
    FeatureKind, FeatureSpec, GapKind, ManualClock, MarketCalendar, ModelRef, NetworkSpec, NoProgress,
    Normaliser, PolicySpec, Probe, QualityFigures, QualityReport, StageContext, StreamRequest, Timeframe,
    Timestamp, Window,
};
use walkforward_engine::SessionConfig;
use walkforward_evaluator::BacktestEvaluator;
use walkforward_policy::{Tensors, load, write_bundle};

use crate::bars::uniform;
use crate::measure::time;

/// Window, hold-out included, with the default settings.
const BARS: usize = 9_096;
const NEW_BARS: usize = 6;
const LOOKBACK: usize = 2;
const ACTIONS: usize = 2;
const RUNS: usize = 15;
/// Loadings behind one run: one is too short to be measured.
const LOADS: usize = 100;
/// Different ends of the six bars within their day.
const ENDS: usize = 18;

/// A JSON line for the bars and the model's loading, which is a part of them.
pub(crate) fn run() -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, model) = (dataset(), model(&folder));
    let ctx = StageContext {
        clock: std::sync::Arc::new(ManualClock::at(Timestamp::EPOCH)),
        progress: std::sync::Arc::new(NoProgress),
        cancel: CancelToken::default(),
        work_dir: folder.path().to_owned(),
    };
    let evaluator = BacktestEvaluator::new(SessionConfig::default());
    let (stretches, scored) = time(RUNS, || {
        let ends = (0..ENDS).map(|back| BARS - back);
        ends.map(|end| {
            let span = Window::new(opens(end - NEW_BARS), opens(end)).expect("a window");
            let request = StreamRequest { model: Some(&model), dataset: &data, span, session: None };
            match evaluator.continue_stream(&request, &ctx).expect("a stretch") {
                Continued::Scored(stretch) => stretch.bar_close.len(),
                other => panic!("{other:?}"),
            }
        })
        .sum::<usize>()
    });
    assert_eq!(scored, ENDS * NEW_BARS);
    let (loads, _) = time(RUNS, || {
        (0..LOADS).map(|_| load(&model.dir, &model.sha256).expect("loads").spec().lookback).sum::<usize>()
    });
    vec![json!({
        "name": "stream",
        "bars": BARS,
        "new_bars": NEW_BARS,
        "stretch_us": stretches.median * 1e6 / ENDS as f64,
        "stretch_us_fastest": stretches.fastest * 1e6 / ENDS as f64,
        "load_us": loads.median * 1e6 / LOADS as f64,
    })]
}

fn opens(bar: usize) -> Timestamp {
    Timestamp::EPOCH.plus_millis(bar as i64 * Timeframe::HOUR.millis())
}

fn dataset() -> Dataset {
    let mut bars = BarSeries::with_capacity(Timeframe::HOUR, BARS);
    let mut close = 20_000.0_f64;
    for index in 0..BARS {
        let open = close;
        close *= 1.0 + 0.02 * (uniform(index, 0) - 0.5);
        let (high, low) = (open.max(close), open.min(close));
        bars.push(Bar::new(opens(index), open, high, low, close, 1.0).expect("a bar"))
            .expect("ascending bars");
    }
    Dataset {
        symbol: "BTC/USD".parse().expect("a symbol"),
        gap_kinds: vec![GapKind::Present; BARS],
        embargo_bars: 0,
        history_bars: 0,
        window: Window::new(opens(0), opens(BARS)).expect("a window"),
        split: opens(BARS - 336),
        as_of: opens(BARS),
        feature_spec: features(),
        calendar: MarketCalendar::Continuous,
        absent: AbsentMeans::Missing,
        hash: String::new(),
        quality: QualityReport { file: None, window: QualityFigures::default() },
        origin: "bench".to_owned(),
        bars,
    }
}

/// One of each kind.
fn features() -> FeatureSpec {
    FeatureSpec::new(FeatureKind::catalogue()).expect("features")
}

fn model(folder: &TempDir) -> ModelRef {
    let features = features();
    let width = features.width();
    let inputs = LOOKBACK * width + PolicySpec::PORTFOLIO_INPUTS;
    let spec = PolicySpec {
        schema: PolicySpec::SCHEMA,
        symbol: "BTC/USD".parse().expect("a symbol"),
        timeframe: Timeframe::HOUR,
        network: NetworkSpec::Mlp { inputs, hidden: vec![], outputs: ACTIONS, activation: Activation::Tanh },
        sessions: false,
        features,
        normaliser: Normaliser { mean: vec![0.0; width], std: vec![0.2; width], clip: 5.0 },
        lookback: LOOKBACK,
        actions: ActionMap::LongFlat,
        used_until: Timestamp::EPOCH,
        probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 },
    };
    let weights = (0..ACTIONS * inputs).map(|index| uniform(index, 1) as f32 - 0.5).collect();
    let tensors = Tensors::from([
        ("actor.0.weight".to_owned(), (vec![ACTIONS, inputs], weights)),
        ("actor.0.bias".to_owned(), (vec![ACTIONS], vec![0.0; ACTIONS])),
    ]);
    let sha256 = write_bundle(folder.path(), &spec, &tensors, None).expect("a bundle").sha256;
    ModelRef {
        id: "model-1970-01-01T00-00-00-000Z".parse().expect("an id"),
        dir: folder.path().to_owned(),
        sha256,
        lineage_until: Timestamp::EPOCH,
    }
}
