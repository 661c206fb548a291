//! The ETL stage: bars from a source to a dataset.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use walkforward_core::{
    BarRequest, DataSource, Dataset, DatasetBuilder, DatasetRequest, ErrorKind, QualityFigures,
    QualityReport, SourceBars, Stage, StageContext, StageError, Timestamp, Window,
};

use crate::fill::{Filled, fill, grid_bars, window_figures};
use crate::{Error, dataset_hash};

/// Fewest bars of the window outside its hold-out: with fewer there is nothing to train on.
pub const MIN_TRAINING_BARS: usize = 50;
/// Most bars of a window: nine years of minutes, about 250 MB.
pub const MAX_WINDOW_BARS: usize = 5_000_000;

/// What the pipeline tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EtlConfig {
    /// Share of the window's bars that may be missing, 0 to 1. Where a source made the bars of shorter ones, at most
    /// that share of the shorter ones may be missing too.
    pub max_missing_share: f64,
}

impl Default for EtlConfig {
    fn default() -> Self {
        Self { max_missing_share: 0.12 }
    }
}

/// Makes the dataset of a run from the bars of a source.
///
/// The window is the last `window_bars` bars of the grid up to the last bar that had closed; the history that the
/// features need is taken from before it, as far as the source has it. Holes are filled with flat bars of the close
/// before them, after the window's quality figures are taken.
pub struct EtlPipeline {
    source: Arc<dyn DataSource>,
    config: EtlConfig,
}

/// Steps that are reported as progress.
const STEPS: u64 = 4;

impl EtlPipeline {
    /// A pipeline that reads from `source`.
    pub fn new(source: Arc<dyn DataSource>, config: EtlConfig) -> Self {
        Self { source, config }
    }

    fn check(&self, request: &DatasetRequest) -> Result<(), Error> {
        let setting = |name, value: String, expected: String| Err(Error::Setting { name, value, expected });
        let share = self.config.max_missing_share;
        let DatasetRequest { window_bars, holdout_bars, .. } = *request;
        if !(0.0..=1.0).contains(&share) {
            return setting("max_missing_share", share.to_string(), "a share from 0 to 1".to_owned());
        }
        if window_bars > MAX_WINDOW_BARS {
            let (asked, limit) = (window_bars as u64, MAX_WINDOW_BARS as u64);
            return Err(Error::TooManyBars { what: "window_bars", asked, limit });
        }
        if holdout_bars >= window_bars {
            let expected = format!("less than window_bars, which is {window_bars}");
            return setting("holdout_bars", holdout_bars.to_string(), expected);
        }
        if window_bars - holdout_bars < MIN_TRAINING_BARS {
            let least = holdout_bars + MIN_TRAINING_BARS;
            let expected = format!("at least {least}: {MIN_TRAINING_BARS} to train on and the hold-out");
            return setting("window_bars", window_bars.to_string(), expected);
        }
        Ok(())
    }

    async fn fetch(&self, request: &DatasetRequest) -> Result<SourceBars, StageError> {
        let history_bars = request.features.history_bars();
        let bar_request = BarRequest {
            symbol: request.symbol.clone(),
            timeframe: request.timeframe,
            as_of: request.as_of,
            bars: request.window_bars.saturating_add(history_bars),
        };
        let answer = self.source.bars(&bar_request).await;
        let answer = answer.map_err(|error| StageError::new(Stage::Etl, error.kind, error))?;
        check_answer(&answer, request)?;
        Ok(answer)
    }

    /// Refuses a window that lacks too many of its bars, or of the shorter bars that they are made of.
    fn check_missing(
        &self,
        answer: &SourceBars,
        figures: &QualityFigures,
        window_bars: usize,
    ) -> Result<(), Error> {
        let max_share = self.config.max_missing_share;
        let origin = || answer.origin.clone();
        if let Some(base) = &answer.base {
            let expected = window_bars.saturating_mul(figures.base_bars_per_bar);
            let missing = figures.missing_base_bars;
            if exceeds(missing, max_share, expected) {
                let (base, timeframe) = (base.timeframe, answer.bars.timeframe());
                let origin = origin();
                return Err(Error::TooManyBaseMissing {
                    origin,
                    missing,
                    expected,
                    base,
                    timeframe,
                    max_share,
                });
            }
        }
        let (missing, longest_hole) = (figures.missing_bars, figures.longest_hole_bars);
        if exceeds(missing, max_share, window_bars) {
            return Err(Error::TooManyMissing {
                origin: origin(),
                missing,
                window_bars,
                longest_hole,
                max_share,
            });
        }
        Ok(())
    }

    /// The dataset without its hash.
    fn assemble(&self, request: &DatasetRequest, answer: SourceBars) -> Result<Dataset, Error> {
        let window_bars = request.window_bars;
        let broken = |reason: String| Error::Source { origin: answer.origin.clone(), reason };
        let filled = fill(&answer.bars, window_bars, request.features.history_bars());
        let filled = filled.map_err(|error| broken(error.to_string()))?;
        let Filled { bars, gap_kinds, history_bars } =
            filled.ok_or_else(|| too_long(window_bars, &answer))?;
        let end = bars.last_close_time().unwrap_or(answer.as_of);
        let window =
            Window::new(bars.open_times()[history_bars], end).map_err(|error| broken(error.to_string()))?;
        let window_gaps = &gap_kinds[history_bars..];
        let figures = window_figures(&answer.bars, window, window_bars, window_gaps, answer.base.as_ref());
        self.check_missing(&answer, &figures, window_bars)?;
        Ok(Dataset {
            symbol: request.symbol.clone(),
            split: split(end, request.holdout_bars, bars.timeframe().millis()),
            bars,
            gap_kinds,
            history_bars,
            window,
            as_of: answer.as_of,
            feature_spec: request.features.clone(),
            hash: String::new(),
            quality: QualityReport { file: answer.file, window: figures },
            origin: answer.origin,
        })
    }
}

fn exceeds(missing: usize, max_share: f64, expected: usize) -> bool {
    missing as f64 > max_share * expected as f64
}

fn split(end: Timestamp, holdout_bars: usize, step_ms: i64) -> Timestamp {
    end.plus_millis(-step_ms.saturating_mul(i64::try_from(holdout_bars).unwrap_or(i64::MAX)))
}

fn too_long(window_bars: usize, answer: &SourceBars) -> Error {
    Error::WindowTooLong {
        window_bars,
        available: grid_bars(&answer.bars),
        timeframe: answer.bars.timeframe(),
        as_of: answer.as_of,
        origin: answer.origin.clone(),
    }
}

/// Refuses an answer that is not what was asked for. A bar from after "now" would be the future.
fn check_answer(answer: &SourceBars, request: &DatasetRequest) -> Result<(), Error> {
    let broken = |reason: String| Err(Error::Source { origin: answer.origin.clone(), reason });
    let timeframe = answer.bars.timeframe();
    if let Some(asked) = request.timeframe.filter(|asked| *asked != timeframe) {
        return broken(format!("the source gave bars of {timeframe}: {asked} were asked for"));
    }
    if let Some(asked) = request.as_of.filter(|asked| *asked != answer.as_of) {
        return broken(format!("the source cut its bars at {}: {asked} was asked for", answer.as_of));
    }
    if let Some(base) = &answer.base
        && !timeframe.minutes().is_multiple_of(base.timeframe.minutes())
    {
        return broken(format!("the source made bars of {timeframe} of bars of {}", base.timeframe));
    }
    match answer.bars.last_close_time() {
        Some(end) if end > answer.as_of => {
            broken(format!("the source gave a bar that closes at {end}, after {}", answer.as_of))
        }
        Some(_) => Ok(()),
        None => broken(format!("the source gave no bar up to {}", answer.as_of)),
    }
}

#[async_trait]
impl DatasetBuilder for EtlPipeline {
    async fn build(&self, request: &DatasetRequest, ctx: &StageContext) -> Result<Dataset, StageError> {
        let report = |done, message: String| {
            ctx.report(Stage::Etl, done, STEPS, message);
            ctx.cancel.check(Stage::Etl)
        };
        self.check(request)?;
        report(0, "reading bars".to_owned())?;
        let answer = self.fetch(request).await?;
        report(1, format!("{} bars from {}", answer.bars.len(), answer.origin))?;
        let mut dataset = self.assemble(request, answer)?;
        let missing = dataset.quality.window.missing_bars;
        report(2, format!("window {}, {missing} missing bars filled", dataset.window))?;
        let hash = dataset_hash(&dataset);
        dataset.hash = hash.map_err(|error| StageError::new(Stage::Etl, ErrorKind::Bug, error))?;
        report(3, "fingerprinted".to_owned())?;
        ctx.report(Stage::Etl, STEPS, STEPS, format!("dataset {}", &dataset.hash[..12]));
        Ok(dataset)
    }
}
