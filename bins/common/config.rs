//! What the settings mean: typed, checked, and refused before anything is written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use walkforward_core::{
    DatasetRequest, FeatureSpec, LineName, MarketCalendar, MarketRules, RiskLimits, Timeframe,
};
use walkforward_engine::SessionConfig;
use walkforward_etl::{EtlConfig, SessionClock, US_EQUITY_YEARS, read_sessions, us_equities};
use walkforward_evaluator::SuppliedMetrics;
use walkforward_orchestrator::recurrence::Interval;
use walkforward_orchestrator::{OnNoNewBars, Parent};
use walkforward_promoter::{EvidenceGate, ThresholdsGate};

use crate::evidence::{self, Preset};
use crate::failure::Failure;
use crate::launch::LaunchConfig;
use crate::pack::TrainerConfig;
use crate::settings::Settings;
use crate::source::SourceConfig;

/// Most bars in a window: five years of minutes.
const MAX_WINDOW_BARS: usize = 2_628_000;
/// Hold-out when nobody sets one: 14 days of hours.
const DEFAULT_HOLDOUT_BARS: usize = 336;
/// The default hold-out takes at most this part of the window.
const MAX_DEFAULT_HOLDOUT_PARTS: usize = 5;
/// Most threads of a training.
const MAX_THREADS: usize = 256;
/// Largest metrics file that is read.
const MAX_METRICS_BYTES: u64 = 1 << 20;

/// Whether to run once or at every interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// One run.
    Once,
    /// A run at every interval.
    Loop(Interval),
}

/// Where a process keeps everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Folder of the database and the records.
    pub data_dir: PathBuf,
    /// Folder of the models and the pointer.
    pub models_dir: PathBuf,
}

impl Folders {
    /// Checks `settings`.
    pub fn from_settings(settings: &Settings) -> Result<Self, Failure> {
        let data_dir = folder(settings, "paths.data_dir")?;
        Ok(Self { data_dir, models_dir: folder(settings, "paths.models_dir")? })
    }
}

/// Everything that `orchestrate` needs to know.
#[derive(Debug, Clone)]
pub struct OrchestrateConfig {
    /// Folder of the database and the records.
    pub data_dir: PathBuf,
    /// Folder of the models and the pointer.
    pub models_dir: PathBuf,
    /// The line that is run for.
    pub line: LineName,
    /// Where bars come from.
    pub source: SourceConfig,
    /// When the market is open.
    pub calendar: MarketCalendar,
    /// How many bars may be missing.
    pub etl: EtlConfig,
    /// The bars wanted.
    pub dataset: DatasetRequest,
    /// The trainer and its hyperparameters.
    pub trainer: TrainerConfig,
    /// Where trainings run.
    pub launch: LaunchConfig,
    /// Which model a training continues from.
    pub parent: Parent,
    /// Where randomness comes from.
    pub seed: u64,
    /// Threads of a training.
    pub threads: usize,
    /// Cash, fees, slippage.
    pub session: SessionConfig,
    /// Which rules judge.
    pub preset: Preset,
    /// Whether somebody chose them.
    pub preset_is_set: bool,
    /// The rules of the preset thresholds.
    pub thresholds: ThresholdsGate,
    /// The rules of the preset evidence.
    pub evidence: EvidenceGate,
    /// Fewest bars under a verdict.
    pub min_judged_bars: usize,
    /// Promote a model that may trade without asking.
    pub auto_deploy: bool,
    /// Metrics that replace the backtest.
    pub supplied: Option<SuppliedMetrics>,
    /// Accept metrics that already promoted a model.
    pub allow_reused_metrics: bool,
    /// What a cycle of the loop does without new bars.
    pub on_no_new_bars: OnNoNewBars,
    /// Once or again and again.
    pub mode: Mode,
    /// The settings that a model's record keeps, by key.
    pub recipe: BTreeMap<String, String>,
}

impl OrchestrateConfig {
    /// Checks `settings`; `once` is the flag `--once`.
    pub fn from_settings(settings: &Settings, once: bool) -> Result<Self, Failure> {
        let (thresholds, min_judged_bars) = gate(settings)?;
        let supplied = supplied(settings)?;
        let mode = mode(settings, once)?;
        let source = SourceConfig::from_settings(settings, "csv")?;
        let Folders { data_dir, models_dir } = Folders::from_settings(settings)?;
        Ok(Self {
            data_dir,
            models_dir,
            line: settings.require("line.name")?,
            dataset: dataset(settings, &source)?,
            source,
            calendar: calendar(settings)?,
            etl: etl(settings)?,
            trainer: TrainerConfig::from_settings(settings)?,
            launch: LaunchConfig::from_settings(settings, mode == Mode::Once)?,
            parent: parent(settings)?,
            seed: settings.require("training.seed")?,
            threads: count(settings, "training.threads", 1..=MAX_THREADS)?,
            session: session(settings)?,
            preset: preset(settings, supplied.as_ref())?,
            preset_is_set: settings.is_set("gate.preset"),
            thresholds,
            evidence: evidence::gate(settings)?,
            min_judged_bars,
            supplied,
            auto_deploy: settings.require("gate.auto_deploy")?,
            allow_reused_metrics: settings.require("evaluation.allow_reused_metrics")?,
            on_no_new_bars: on_no_new_bars(settings)?,
            mode,
            recipe: settings.recipe(),
        })
    }
}

/// The folder that the setting `key` names.
///
/// # Errors
/// It is empty.
pub fn folder(settings: &Settings, key: &'static str) -> Result<PathBuf, Failure> {
    let path: PathBuf = settings.require(key)?;
    if path.as_os_str().is_empty() {
        return Err(settings.refuse(key, "expected a path"));
    }
    Ok(path)
}

pub(crate) fn count(
    settings: &Settings,
    key: &'static str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, Failure> {
    let value: usize = settings.require(key)?;
    if range.contains(&value) {
        return Ok(value);
    }
    Err(settings.refuse(key, &format!("expected a whole number from {} to {}", range.start(), range.end())))
}

pub(crate) fn share(settings: &Settings, key: &'static str) -> Result<Option<f64>, Failure> {
    settings.number(key, 0.0..=1.0)
}

fn calendar(settings: &Settings) -> Result<MarketCalendar, Failure> {
    let clock = match settings.require::<String>("market.calendar_clock")?.as_str() {
        "utc" => SessionClock::Utc,
        "new_york" => SessionClock::NewYork,
        _ => return Err(settings.refuse("market.calendar_clock", "expected utc or new_york")),
    };
    let text: String = settings.require("market.calendar")?;
    let calendar = match text.as_str() {
        "continuous" => return Ok(MarketCalendar::Continuous),
        "us_equities" => us_equities(US_EQUITY_YEARS),
        path if Path::new(path).is_file() => read_sessions(Path::new(path), clock),
        _ => {
            let expected = "expected continuous, us_equities or a file of sessions";
            return Err(settings.refuse("market.calendar", expected));
        }
    };
    calendar.map_err(|error| Failure::input(error.to_string()))
}

fn etl(settings: &Settings) -> Result<EtlConfig, Failure> {
    let max_longest_hole_bars = match settings.is_set("data.max_longest_hole_bars") {
        true => Some(count(settings, "data.max_longest_hole_bars", 0..=MAX_WINDOW_BARS)?),
        false => None,
    };
    let max_missing_share = share(settings, "data.max_missing_share")?.unwrap_or_default();
    let max_stale_bars = count(settings, "data.max_stale_bars", 0..=MAX_WINDOW_BARS)?;
    Ok(EtlConfig { max_missing_share, max_longest_hole_bars, max_stale_bars, ..EtlConfig::default() })
}

fn dataset(settings: &Settings, source: &SourceConfig) -> Result<DatasetRequest, Failure> {
    let window_bars = count(settings, "data.window_bars", 1..=MAX_WINDOW_BARS)?;
    let holdout_bars = match settings.is_set("data.holdout_bars") {
        true => count(settings, "data.holdout_bars", 1..=MAX_WINDOW_BARS)?,
        false => DEFAULT_HOLDOUT_BARS.min(window_bars / MAX_DEFAULT_HOLDOUT_PARTS).max(1),
    };
    if holdout_bars >= window_bars {
        let problem = format!("the hold-out has to be shorter than the window, which has {window_bars} bars");
        return Err(settings.refuse("data.holdout_bars", &problem));
    }
    let embargo_bars = count(settings, "data.embargo_bars", 0..=MAX_WINDOW_BARS)?;
    if holdout_bars.saturating_add(embargo_bars) >= window_bars {
        let problem =
            format!("hold-out and embargo have to be shorter than the window, which has {window_bars} bars");
        return Err(settings.refuse("data.embargo_bars", &problem));
    }
    Ok(DatasetRequest {
        symbol: settings.require("data.symbol")?,
        timeframe: settings.get("data.timeframe")?.or(source.is_service().then_some(Timeframe::HOUR)),
        as_of: settings.get("data.as_of")?,
        window_bars,
        holdout_bars,
        embargo_bars,
        features: features(settings)?,
    })
}

fn features(settings: &Settings) -> Result<FeatureSpec, Failure> {
    let Some(listed) = settings.features() else { return Ok(FeatureSpec::default()) };
    let file = settings.file().map(|path| format!("{}: ", path.display())).unwrap_or_default();
    let refuse = |error: &dyn fmt::Display| Failure::input(format!("{file}[[features]]: {error}"));
    let json = serde_json::to_value(listed).map_err(|error| refuse(&error))?;
    serde_json::from_value(json).map_err(|error| refuse(&error))
}

fn parent(settings: &Settings) -> Result<Parent, Failure> {
    match settings.require::<String>("training.parent")?.as_str() {
        "none" => Ok(Parent::None),
        "champion" => Ok(Parent::Champion),
        "latest" => Ok(Parent::Latest),
        _ => Err(settings.refuse("training.parent", "expected none, champion or latest")),
    }
}

pub(crate) fn session(settings: &Settings) -> Result<SessionConfig, Failure> {
    let number = |key, most| settings.number(key, 0.0..=most).map(Option::unwrap_or_default);
    let config = SessionConfig {
        initial_cash: number("costs.initial_cash", SessionConfig::MAX_INITIAL_CASH)?,
        fee_bps: number("costs.fee_bps", SessionConfig::MAX_BPS)?,
        slippage_bps: number("costs.slippage_bps", SessionConfig::MAX_BPS)?,
        risk: RiskLimits::default(),
        market: MarketRules { shorting: settings.require("market.shorting")? },
        max_bars_in_position: max_bars_in_position(settings)?,
    };
    config.validate().map_err(|error| Failure::input(error.to_string()))?;
    Ok(config)
}

fn max_bars_in_position(settings: &Settings) -> Result<Option<u32>, Failure> {
    const KEY: &str = "session.max_bars_in_position";
    if !settings.is_set(KEY) {
        return Ok(None);
    }
    let bars = count(settings, KEY, 1..=SessionConfig::MAX_BARS_IN_POSITION as usize)?;
    Ok(u32::try_from(bars).ok())
}

fn gate(settings: &Settings) -> Result<(ThresholdsGate, usize), Failure> {
    let min_win_rate = share(settings, "gate.min_win_rate")?.unwrap_or_default();
    let max_drawdown = share(settings, "gate.max_drawdown")?.unwrap_or_default();
    let min_pnl = settings.number("gate.min_pnl_per_trade", -1.0..=1e6)?.unwrap_or_default();
    let gate = ThresholdsGate::new(min_win_rate, max_drawdown, min_pnl)
        .map_err(|error| Failure::input(error.to_string()))?;
    Ok((gate, count(settings, "gate.min_judged_bars", 1..=MAX_WINDOW_BARS)?))
}

/// The preset that is set; supplied metrics say nothing about an arm.
fn preset(settings: &Settings, supplied: Option<&SuppliedMetrics>) -> Result<Preset, Failure> {
    let preset = settings.get("gate.preset")?.unwrap_or(Preset::Thresholds);
    if preset == Preset::Evidence && supplied.is_some() {
        let problem =
            "metrics that are supplied say nothing about the models that came before: expected thresholds";
        return Err(settings.refuse("gate.preset", problem));
    }
    Ok(preset)
}

fn supplied(settings: &Settings) -> Result<Option<SuppliedMetrics>, Failure> {
    let refuse = |error: &dyn fmt::Display| Failure::input(error.to_string());
    let win_rate = share(settings, "evaluation.win_rate")?;
    let max_drawdown = share(settings, "evaluation.max_drawdown")?;
    let pnl_per_trade = settings.number("evaluation.pnl_per_trade", -1.0..=1e6)?;
    let Some(path) = settings.get::<PathBuf>("evaluation.metrics_path")? else {
        return SuppliedMetrics::from_values(win_rate, max_drawdown, pnl_per_trade)
            .map_err(|error| refuse(&error));
    };
    if [win_rate, max_drawdown, pnl_per_trade].iter().any(Option::is_some) {
        tracing::warn!(
            "EVAL_METRICS_PATH is set: EVAL_WIN_RATE, EVAL_MAX_DRAWDOWN, EVAL_PNL_PER_TRADE are not used"
        );
    }
    let unreadable = |error: &dyn fmt::Display| {
        settings.refuse("evaluation.metrics_path", &format!("the metrics file can't be read: {error}"))
    };
    let file = std::fs::metadata(&path).map_err(|error| unreadable(&error))?;
    if !file.is_file() {
        return Err(unreadable(&"it is no regular file"));
    }
    let size = file.len();
    if size > MAX_METRICS_BYTES {
        return Err(unreadable(&format!("it has {size} bytes, the limit is {MAX_METRICS_BYTES}")));
    }
    let bytes = std::fs::read(&path).map_err(|error| unreadable(&error))?;
    SuppliedMetrics::from_json(&path.display().to_string(), &bytes).map(Some).map_err(|error| refuse(&error))
}

fn on_no_new_bars(settings: &Settings) -> Result<OnNoNewBars, Failure> {
    match settings.require::<String>("schedule.on_no_new_bars")?.as_str() {
        "skip" => Ok(OnNoNewBars::Skip),
        "run" => Ok(OnNoNewBars::Run),
        _ => Err(settings.refuse("schedule.on_no_new_bars", "expected skip or run")),
    }
}

fn mode(settings: &Settings, once: bool) -> Result<Mode, Failure> {
    let minutes: f64 = settings.require("schedule.interval_minutes")?;
    let interval = Interval::from_minutes(minutes)
        .map_err(|error| settings.refuse("schedule.interval_minutes", &error.to_string()))?;
    let mode: String = settings.require("schedule.mode")?;
    match mode.as_str() {
        "once" => Ok(Mode::Once),
        "loop" if once => Ok(Mode::Once),
        "loop" => Ok(Mode::Loop(interval)),
        _ => Err(settings.refuse("schedule.mode", "expected once or loop")),
    }
}
