//! Markets and jobs for tests.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use walkforward_core::{
    AbsentMeans, Bar, BarSeries, CancelToken, Dataset, FeatureKind, FeatureSpec, GapKind, ManualClock,
    MarketCalendar, ModelId, ModelRef, NoProgress, Progress, ProgressUpdate, QualityFigures, QualityReport,
    RunId, SessionCalendar, StageContext, Timeframe, Timestamp, TrainingJob, Window,
};
use walkforward_policy::{WEIGHTS_FILE, sha256_hex};

pub(crate) const HISTORY_BARS: usize = 20;

pub(crate) fn start() -> Timestamp {
    "2024-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn hour() -> Timeframe {
    "1h".parse().unwrap()
}

fn at(index: usize) -> Timestamp {
    start().plus_millis(index as i64 * hour().millis())
}

/// Hourly bars that rise by `drift` a bar for `half_period` bars, then fall as long, with a little wobble.
pub(crate) fn zigzag(bars: usize, half_period: usize, drift: f64) -> BarSeries {
    let mut series = BarSeries::new(hour());
    let mut open = 100.0;
    for index in 0..bars {
        let direction = if (index / half_period).is_multiple_of(2) { 1.0 } else { -1.0 };
        let wobble = 0.1 * drift * ((index * 7 % 11) as f64 - 5.0);
        let close = open * f64::exp(direction * drift + wobble);
        let bar = Bar::new(at(index), open, f64::max(open, close), f64::min(open, close), close, 1.0);
        series.push(bar.unwrap()).unwrap();
        open = close;
    }
    series
}

pub(crate) fn features() -> FeatureSpec {
    FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1, 4, 12] }]).unwrap()
}

/// All `bars`, the first [`HISTORY_BARS`] as history, the last `holdout_bars` held out.
pub(crate) fn dataset(bars: BarSeries, holdout_bars: usize) -> Dataset {
    let end = bars.last_close_time().unwrap();
    let quality = QualityReport { file: None, window: QualityFigures::default() };
    Dataset {
        symbol: "BTC/USD".parse().unwrap(),
        gap_kinds: vec![GapKind::Present; bars.len()],
        embargo_bars: 0,
        history_bars: HISTORY_BARS,
        window: Window::new(at(HISTORY_BARS), end).unwrap(),
        split: end.plus_millis(-(holdout_bars as i64) * hour().millis()),
        as_of: end,
        feature_spec: features(),
        calendar: MarketCalendar::Continuous,
        absent: AbsentMeans::Missing,
        hash: "test".to_owned(),
        quality,
        origin: "zigzag".to_owned(),
        bars,
    }
}

pub(crate) fn small_dataset() -> Dataset {
    dataset(zigzag(200, 20, 0.01), 40)
}

/// `dataset` of a market that closes, if not between these bars.
pub(crate) fn with_sessions(dataset: Dataset) -> Dataset {
    let session = Window::new(start(), dataset.window.end()).unwrap();
    let calendar = MarketCalendar::Sessions(SessionCalendar::new(vec![session]).unwrap());
    Dataset { calendar, ..dataset }
}

/// A pack whose training takes a fraction of a second without optimisation.
pub(crate) fn tiny() -> serde_json::Value {
    serde_json::json!({
        "iterations": 2, "num_envs": 4, "num_steps": 16, "num_minibatches": 4, "update_epochs": 2,
        "hidden": [8], "lookback": 2, "episode_bars": 24,
    })
}

pub(crate) fn job(dataset: Dataset, pack: serde_json::Value, seed: u64, out_dir: &Path) -> TrainingJob {
    TrainingJob {
        run_id: RunId::at(start()),
        attempt: "1".to_owned(),
        dataset: Arc::new(dataset),
        parent: None,
        pack,
        seed,
        threads: 1,
        out_dir: out_dir.to_owned(),
    }
}

/// The model whose bundle lies in `dir`.
pub(crate) fn parent_in(dir: &Path) -> ModelRef {
    let bytes = std::fs::read(dir.join(WEIGHTS_FILE)).unwrap();
    ModelRef {
        id: ModelId::of_run(&RunId::at(start())),
        dir: dir.to_owned(),
        sha256: sha256_hex(&bytes),
        lineage_until: start(),
    }
}

pub(crate) fn context() -> StageContext {
    context_with(Arc::new(NoProgress), CancelToken::default())
}

pub(crate) fn context_with(progress: Arc<dyn Progress>, cancel: CancelToken) -> StageContext {
    StageContext {
        clock: Arc::new(ManualClock::at(start())),
        progress,
        cancel,
        work_dir: std::env::temp_dir(),
    }
}

/// Keeps what is reported.
#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<ProgressUpdate>>);

impl Progress for Recorder {
    fn report(&self, update: ProgressUpdate) {
        self.0.lock().unwrap().push(update);
    }
}
