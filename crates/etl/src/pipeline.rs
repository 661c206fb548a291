//! The ETL stage: bars from a source to a dataset.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{
    BarRequest, BarSeries, DataSource, Dataset, DatasetBuilder, DatasetRequest, ErrorKind, MarketCalendar,
    QualityFigures, QualityReport, SourceBars, Stage, StageContext, StageError, Timestamp, Window,
};

use crate::fill::{FillRule, Filled, available_bars, fill, window_figures};
use crate::{Error, EtlConfig, dataset_hash};

/// Fewest bars of the window outside its hold-out: with fewer there is nothing to train on.
pub const MIN_TRAINING_BARS: usize = 50;
/// Most bars of a window: nine years of minutes, about 250 MB.
pub const MAX_WINDOW_BARS: usize = 5_000_000;
/// Time after a calendar's last session in which bars may still come, from trading after hours.
const AFTER_LAST_SESSION_MS: i64 = 24 * 3_600_000;

/// Makes the dataset of a run from the bars of a source.
///
/// The window is the last `window_bars` expected bars up to the last bar that had closed; the history that the
/// features need is taken from before it, as far as the source has it. Which bars are expected says the market's
/// calendar; bars that the source gives for times outside are left out and counted. Holes are filled with flat bars
/// of the close before them, after the window's quality figures are taken.
pub struct EtlPipeline {
    source: Arc<dyn DataSource>,
    config: EtlConfig,
    calendar: MarketCalendar,
}

/// Steps that are reported as progress.
const STEPS: u64 = 4;

impl EtlPipeline {
    /// A pipeline that reads from `source`, for a market that never closes.
    pub fn new(source: Arc<dyn DataSource>, config: EtlConfig) -> Self {
        Self { source, config, calendar: MarketCalendar::Continuous }
    }

    /// The pipeline for a market that is open as `calendar` says.
    pub fn with_calendar(self, calendar: MarketCalendar) -> Self {
        Self { calendar, ..self }
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
        let unused = holdout_bars.saturating_add(request.embargo_bars);
        if window_bars.saturating_sub(unused) < MIN_TRAINING_BARS {
            let least = unused.saturating_add(MIN_TRAINING_BARS);
            let expected = format!("at least {least}: {MIN_TRAINING_BARS} to train on, embargo and hold-out");
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
            calendar: self.calendar.clone(),
        };
        let answer = self.source.bars(&bar_request).await;
        let answer = answer.map_err(|error| StageError::new(Stage::Etl, error.kind, error))?;
        check_answer(&answer, request)?;
        Ok(answer)
    }

    /// The dataset without its hash.
    fn assemble(&self, request: &DatasetRequest, mut answer: SourceBars) -> Result<Dataset, Error> {
        let calendar = &self.calendar;
        let outside_session_bars = keep_expected(&mut answer, calendar)?;
        let rule = FillRule {
            calendar,
            absent: answer.absent,
            revised: &answer.revised,
            max_no_trade_run_bars: self.config.max_no_trade_run_bars,
        };
        let broken = |reason: String| Error::Source { origin: answer.origin.clone(), reason };
        let filled = fill(&answer.bars, request.window_bars, request.features.history_bars(), &rule);
        let filled = filled.map_err(|error| broken(error.to_string()))?;
        let Filled { bars, gap_kinds, history_bars } =
            filled.ok_or_else(|| too_long(request.window_bars, &answer, calendar))?;
        let end = bars.last_close_time().unwrap_or(answer.as_of);
        let window =
            Window::new(bars.open_times()[history_bars], end).map_err(|error| broken(error.to_string()))?;
        let figures = QualityFigures {
            outside_session_bars,
            ..window_figures(&answer, window, &gap_kinds[history_bars..], calendar)
        };
        let dataset = Dataset {
            symbol: request.symbol.clone(),
            split: split(&bars, end, request.holdout_bars),
            embargo_bars: request.embargo_bars,
            bars,
            gap_kinds,
            history_bars,
            window,
            as_of: answer.as_of,
            feature_spec: request.features.clone(),
            calendar: calendar.clone(),
            absent: answer.absent,
            hash: String::new(),
            quality: QualityReport { file: answer.file, window: figures },
            origin: answer.origin,
        };
        self.config.admit(&dataset)?;
        Ok(dataset)
    }
}

/// Start of the last `holdout_bars` of `bars`, which end at `end`.
fn split(bars: &BarSeries, end: Timestamp, holdout_bars: usize) -> Timestamp {
    let first = bars.len().checked_sub(holdout_bars).and_then(|first| bars.open_times().get(first));
    first.copied().unwrap_or(end)
}

/// Leaves out the bars for times at which the market is closed, and returns how many.
fn keep_expected(answer: &mut SourceBars, calendar: &MarketCalendar) -> Result<usize, Error> {
    let MarketCalendar::Sessions(sessions) = calendar else { return Ok(0) };
    let broken = |reason: String| Error::Source { origin: answer.origin.clone(), reason };
    let given = &answer.bars;
    let timeframe = given.timeframe();
    let known_until = sessions.sessions().last().map_or(Timestamp::EPOCH, |last| last.end());
    if let Some(&last) = given.open_times().last()
        && last >= known_until.plus_millis(AFTER_LAST_SESSION_MS)
    {
        let reason = format!("it has a bar of {last}, the market calendar ends at {known_until}: extend it");
        return Err(broken(reason));
    }
    let mut kept = BarSeries::with_capacity(timeframe, given.len());
    for bar in given.iter().filter(|bar| calendar.is_expected(bar.open_time(), timeframe)) {
        kept.push(bar).map_err(|error| broken(error.to_string()))?;
    }
    if kept.is_empty() {
        return Err(broken(format!(
            "none of its {} bars lies in a session of the market calendar",
            given.len()
        )));
    }
    let outside = given.len() - kept.len();
    answer.bars = kept;
    Ok(outside)
}

fn too_long(window_bars: usize, answer: &SourceBars, calendar: &MarketCalendar) -> Error {
    Error::WindowTooLong {
        window_bars,
        available: available_bars(&answer.bars, calendar),
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
        let QualityFigures { missing_bars, no_trade_bars, .. } = dataset.quality.window;
        let filled = format!("{missing_bars} missing bars filled, {no_trade_bars} without a trade");
        report(2, format!("window {}, {filled}", dataset.window))?;
        let hash = dataset_hash(&dataset);
        dataset.hash = hash.map_err(|error| StageError::new(Stage::Etl, ErrorKind::Bug, error))?;
        report(3, "fingerprinted".to_owned())?;
        ctx.report(Stage::Etl, STEPS, STEPS, format!("dataset {}", &dataset.hash[..12]));
        Ok(dataset)
    }
}
