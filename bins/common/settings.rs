//! Every setting of the product in one table, and where each value came from.
//!
//! Precedence: flag, then environment, then file, then default. A value is a text until [`Settings::get`] parses
//! it, and an error names the origin that it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::failure::Failure;
use crate::secrets::Secrets;

/// Which binary has a flag for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `orchestrate`.
    Orchestrate,
    /// `live-trader`.
    LiveTrader,
}

/// What the person or the script at the other end wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Words and tables and, on a terminal, progress bars.
    Human,
    /// One JSON line per result.
    Json,
    /// Nothing.
    Quiet,
}

impl Output {
    /// The output that the flags `--json` and `--quiet` ask for.
    pub fn choose(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) => Self::Human,
        }
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Where it stands in the file: `section.name`.
    pub key: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// Its flag, without dashes; none for settings that only file and environment have.
    pub flag: Option<&'static str>,
    /// What stands for the value in help.
    pub value_name: &'static str,
    /// Its default; none when it is optional or derived from others.
    pub default: Option<&'static str>,
    /// What it means, for help and for `config show`.
    pub help: &'static str,
    /// Whether `live-trader` has it too.
    pub live: bool,
}

const fn setting(
    key: &'static str,
    env: &'static str,
    flag: Option<&'static str>,
    value_name: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { key, env, flag, value_name, default, help, live: false }
}

impl Setting {
    const fn in_both(mut self) -> Self {
        self.live = true;
        self
    }
}

/// The table. `walkforward.toml` lists the same keys in the same order; a test compares them.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting("paths.data_dir", "WALKFORWARD_DATA_DIR", Some("data-dir"), "DIR", Some("data"),
        "Folder of the database, the ETL records and the journals"),
    setting("paths.models_dir", "WALKFORWARD_MODELS_DIR", Some("models-dir"), "DIR", Some("models"),
        "Folder of the models and of the pointer latest.json").in_both(),
    setting("line.name", "WALKFORWARD_LINE", Some("line"), "NAME", Some("default"),
        "Line of models that the run belongs to; each has its own champion").in_both(),
    setting("data.source", "WALKFORWARD_SOURCE", Some("source"), "KIND", Some("synthetic"),
        "Where bars come from: synthetic, csv, parquet, alpaca (live-trader: synthetic, replay)").in_both(),
    setting("data.path", "WALKFORWARD_PATH", Some("path"), "FILE", None,
        "Bar file: CSV, plain or gzip, or Parquet").in_both(),
    setting("data.columns", "WALKFORWARD_COLUMNS", Some("columns"), "LIST", None,
        "Order of the file's columns, such as time,open,close,high,low,volume; - skips one").in_both(),
    setting("data.symbol", "WALKFORWARD_SYMBOL", Some("symbol"), "PAIR", Some("BTC/USD"),
        "What is traded").in_both(),
    setting("data.timeframe", "WALKFORWARD_TIMEFRAME", Some("timeframe"), "LENGTH", None,
        "Length of a bar: 1m, 15m, 1h, 4h, 1d; default: the file's own, else 1h").in_both(),
    setting("data.as_of", "WALKFORWARD_AS_OF", Some("as-of"), "TIME", None,
        "The run's now; default: the file's end, a fixed date for synthetic bars, else the clock"),
    setting("data.window_bars", "WALKFORWARD_WINDOW_BARS", Some("window-bars"), "N", Some("8760"),
        "Bars in the rolling window, hold-out included"),
    setting("data.holdout_bars", "WALKFORWARD_HOLDOUT_BARS", Some("holdout-bars"), "N", None,
        "Bars at the window's end that nobody trains on; default: 336, at most a fifth of the window"),
    setting("data.embargo_bars", "WALKFORWARD_EMBARGO_BARS", Some("embargo-bars"), "N", Some("0"),
        "Bars before the hold-out that nobody trains on, for labels that reach ahead"),
    setting("data.max_missing_share", "WALKFORWARD_MAX_MISSING_SHARE", Some("max-missing-share"), "SHARE", Some("0.12"),
        "Largest share of the window's bars that may be missing, 0 to 1"),
    setting("data.max_longest_hole_bars", "WALKFORWARD_MAX_LONGEST_HOLE_BARS", Some("max-longest-hole-bars"), "N", None,
        "Most missing bars in a row; default: as many as the share allows"),
    setting("data.max_stale_bars", "WALKFORWARD_MAX_STALE_BARS", Some("max-stale-bars"), "N", Some("24"),
        "Bars that may be absent between the newest one and the run's now"),
    setting("data.absent_bars", "WALKFORWARD_ABSENT_BARS", Some("absent-bars"), "MEANING", Some("missing"),
        "What it means that a file lacks an expected bar: missing, no_trade").in_both(),
    setting("data.drop_last", "WALKFORWARD_DROP_LAST", Some("drop-last"), "BOOL", Some("false"),
        "Leave out the file's newest bar, for files downloaded before it had closed").in_both(),
    setting("data.max_rejected_rows", "WALKFORWARD_MAX_REJECTED_ROWS", Some("max-rejected-rows"), "N", Some("0"),
        "Rows of the file that may be no bar; they are left out and reported").in_both(),
    setting("data.cache", "WALKFORWARD_CACHE", Some("cache"), "BOOL", Some("true"),
        "Keep what a service gave under the data folder, and ask only for what is new"),
    setting("data.cache_overlap_bars", "WALKFORWARD_CACHE_OVERLAP_BARS", None, "N", Some("60"),
        "Known bars that are asked for again with new ones, because services revise them"),
    setting("alpaca.data_url", "APCA_API_DATA_URL", None, "URL", Some("https://data.alpaca.markets"),
        "Where Alpaca's market data service is"),
    setting("alpaca.location", "WALKFORWARD_ALPACA_LOCATION", None, "VENUE", Some("us"),
        "Venue of crypto bars: us, us-1, us-2, eu-1, bs-1"),
    setting("alpaca.feed", "WALKFORWARD_ALPACA_FEED", None, "FEED", Some("sip"),
        "Trades that stock bars are made of: sip, iex, boats, otc"),
    setting("alpaca.adjustment", "WALKFORWARD_ALPACA_ADJUSTMENT", None, "KIND", Some("split"),
        "What past stock prices are adjusted for: raw, split, dividend, all"),
    setting("alpaca.requests_per_minute", "WALKFORWARD_ALPACA_REQUESTS_PER_MINUTE", None, "N", Some("190"),
        "Most requests to the service in a minute"),
    setting("market.calendar", "WALKFORWARD_CALENDAR", Some("calendar"), "CALENDAR", Some("continuous"),
        "When the market is open: continuous, us_equities, or a file of sessions (date,open,close)"),
    setting("market.calendar_clock", "WALKFORWARD_CALENDAR_CLOCK", None, "CLOCK", Some("utc"),
        "Clock of a file of sessions: utc, new_york"),
    setting("market.shorting", "WALKFORWARD_SHORTING", Some("shorting"), "BOOL", Some("false"),
        "Whether the market lets a session sell what it does not have").in_both(),
    setting("training.trainer", "WALKFORWARD_TRAINER", Some("trainer"), "KIND", Some("ppo"),
        "Who makes the models: ppo, or supervised, the baseline that PPO has to beat"),
    setting("training.iterations", "WALKFORWARD_ITERATIONS", Some("iterations"), "N", None,
        "PPO iterations; default: the pack's"),
    setting("training.parent", "WALKFORWARD_PARENT", Some("parent"), "MODEL", Some("none"),
        "Model that the training continues from: none, champion, latest"),
    setting("training.seed", "WALKFORWARD_SEED", Some("seed"), "N", Some("1"),
        "Where all randomness comes from, that of synthetic bars too").in_both(),
    setting("training.threads", "WALKFORWARD_THREADS", Some("threads"), "N", Some("1"),
        "Threads that a training may use; the result does not depend on it"),
    setting("training.launcher", "WALKFORWARD_LAUNCHER", Some("launcher"), "WHERE", None,
        "Where trainings run: in_process, subprocess, command; default: in_process for --once, else subprocess"),
    setting("training.command", "WALKFORWARD_COMMAND", Some("command"), "PROGRAM", None,
        "Program of one's own that trains, for the launcher command: words, or a JSON list of them"),
    setting("training.command_dir", "WALKFORWARD_COMMAND_DIR", Some("command-dir"), "DIR", None,
        "Folder in which that program runs; default: the one in which the command is given"),
    setting("training.time_budget_minutes", "WALKFORWARD_TIME_BUDGET_MINUTES", None, "MINUTES", Some("240"),
        "A training in a process of its own is killed after so long"),
    setting("training.stall_timeout_seconds", "WALKFORWARD_STALL_TIMEOUT_SECONDS", None, "SECONDS", Some("600"),
        "It is killed when nothing is heard of its progress for so long"),
    setting("training.niceness", "WALKFORWARD_NICENESS", None, "N", Some("10"),
        "How much it yields to other processes, 0 to 19"),
    setting("training.memory_limit_mib", "WALKFORWARD_MEMORY_LIMIT_MIB", None, "MIB", None,
        "Most address space that it may use; default: no limit"),
    setting("training.cancel_grace_seconds", "WALKFORWARD_CANCEL_GRACE_SECONDS", None, "SECONDS", Some("5"),
        "Time between the request to stop and its end by force"),
    setting("costs.initial_cash", "WALKFORWARD_INITIAL_CASH", None, "CASH", Some("10000"),
        "Quote currency at the start of a session").in_both(),
    setting("costs.fee_bps", "WALKFORWARD_FEE_BPS", Some("fee-bps"), "BPS", Some("25"),
        "Fee of a fill in hundredths of a per cent, taken from what is received").in_both(),
    setting("costs.slippage_bps", "WALKFORWARD_SLIPPAGE_BPS", Some("slippage-bps"), "BPS", Some("5"),
        "How much worse than the next bar's open a fill is, in hundredths of a per cent").in_both(),
    setting("gate.min_win_rate", "MIN_WIN_RATE", None, "SHARE", Some("0.55"),
        "Least share of winning trades, inclusive"),
    setting("gate.max_drawdown", "MAX_DRAWDOWN", None, "SHARE", Some("0.2"),
        "Largest fall from the peak of equity, inclusive"),
    setting("gate.min_pnl_per_trade", "MIN_PNL_PER_TRADE", None, "RETURN", Some("0"),
        "Least mean return of a trade on its entry value, inclusive"),
    setting("gate.min_judged_bars", "WALKFORWARD_MIN_JUDGED_BARS", Some("min-judged-bars"), "N", Some("250"),
        "Fewest unseen bars that a verdict may rest on"),
    setting("gate.auto_deploy", "WALKFORWARD_AUTO_DEPLOY", Some("auto-deploy"), "BOOL", Some("true"),
        "Promote a model that may trade; with false it is held"),
    setting("gate.preset", "WALKFORWARD_PRESET", Some("preset"), "NAME", None,
        "Which rules judge: thresholds, evidence; default: evidence for schedules and replays, else thresholds"),
    setting("evidence.provisional_p", "WALKFORWARD_EVIDENCE_PROVISIONAL_P", None, "P", Some("0.2"),
        "An arm is provisional at a bootstrap p of at most this"),
    setting("evidence.screened_p", "WALKFORWARD_EVIDENCE_SCREENED_P", None, "P", Some("0.01"),
        "An arm is screened at a bootstrap p of at most this"),
    setting("evidence.qualified_alpha", "WALKFORWARD_EVIDENCE_QUALIFIED_ALPHA", None, "P", Some("0.05"),
        "Chance of a false qualification in a line-year, shared among the arms"),
    setting("evidence.max_arms", "WALKFORWARD_EVIDENCE_MAX_ARMS", None, "N", Some("4"),
        "Arms of a line that share it"),
    setting("evidence.horizon_years", "WALKFORWARD_EVIDENCE_HORIZON_YEARS", None, "YEARS", Some("1"),
        "Years that a registered test runs"),
    setting("evidence.window_days", "WALKFORWARD_EVIDENCE_WINDOW_DAYS", None, "DAYS", Some("84"),
        "Days of bars that the bootstrap looks back"),
    setting("evidence.first_look_days", "WALKFORWARD_EVIDENCE_FIRST_LOOK_DAYS", None, "DAYS", Some("14"),
        "Days of bars before the first look"),
    setting("evidence.min_counted_bars", "WALKFORWARD_EVIDENCE_MIN_COUNTED_BARS", None, "N", Some("250"),
        "Bars before the first look, if that is later"),
    setting("evidence.min_resamples", "WALKFORWARD_EVIDENCE_MIN_RESAMPLES", None, "N", Some("1999"),
        "Least number of resamples of a bootstrap"),
    setting("evidence.loss_bound", "WALKFORWARD_EVIDENCE_LOSS_BOUND", None, "SHARE", Some("0.2"),
        "Most that an arm can fall behind its reference in one bar; a bar beyond it ends its e-process"),
    setting("evidence.initial_annual_deviation", "WALKFORWARD_EVIDENCE_INITIAL_ANNUAL_DEVIATION", None, "SHARE", Some("0.6"),
        "Annual deviation of the difference that the e-process assumes before its first bar"),
    setting("evidence.position_tolerance", "WALKFORWARD_EVIDENCE_POSITION_TOLERANCE", None, "SHARE", Some("0.05"),
        "Positions that differ by no more, as a fraction of equity, are the same decision"),
    setting("evidence.cool_down_days", "WALKFORWARD_EVIDENCE_COOL_DOWN_DAYS", None, "DAYS", Some("1"),
        "Days between two takeovers"),
    setting("evidence.min_trades", "WALKFORWARD_EVIDENCE_MIN_TRADES", None, "N", Some("10"),
        "Closed trades below which nothing is decided"),
    setting("evidence.min_stretches", "WALKFORWARD_EVIDENCE_MIN_STRETCHES", None, "N", Some("20"),
        "Separate stretches on which arm and reference differ below which nothing is decided"),
    setting("evidence.max_drawdown", "WALKFORWARD_EVIDENCE_MAX_DRAWDOWN", None, "SHARE", Some("0.2"),
        "Largest drawdown on the hold-out"),
    setting("evidence.max_drawdown_of_holding", "WALKFORWARD_EVIDENCE_MAX_DRAWDOWN_OF_HOLDING", None, "SHARE", Some("0.75"),
        "Or this share of what holding the asset fell by on the same bars"),
    setting("evidence.max_turnover_per_day", "WALKFORWARD_EVIDENCE_MAX_TURNOVER_PER_DAY", None, "TIMES", Some("6"),
        "Largest turnover, in units of equity a day"),
    setting("evidence.min_agreement", "WALKFORWARD_EVIDENCE_MIN_AGREEMENT", None, "SHARE", Some("0.6"),
        "A refresh takes the serving snapshot's position on at least this share of the hold-out's bars"),
    setting("evidence.worse_p", "WALKFORWARD_EVIDENCE_WORSE_P", None, "P", Some("0.05"),
        "A refresh is worse than the serving snapshot at a bootstrap p of at most this"),
    setting("evaluation.metrics_path", "EVAL_METRICS_PATH", None, "FILE", None,
        "JSON file whose winRate, maxDrawdown and pnlPerTrade replace the backtest"),
    setting("evaluation.win_rate", "EVAL_WIN_RATE", None, "SHARE", None,
        "Replaces the backtest's win rate; the others then default to 1 and 0"),
    setting("evaluation.max_drawdown", "EVAL_MAX_DRAWDOWN", None, "SHARE", None,
        "Replaces the backtest's drawdown; the others then default to 0"),
    setting("evaluation.pnl_per_trade", "EVAL_PNL_PER_TRADE", None, "RETURN", None,
        "Replaces the backtest's return per trade; the others then default to 0 and 1"),
    setting("evaluation.allow_reused_metrics", "WALKFORWARD_ALLOW_REUSED_METRICS", Some("allow-reused-metrics"), "BOOL", Some("false"),
        "Accept a metrics file that already promoted a model"),
    setting("schedule.mode", "ORCHESTRATION_MODE", None, "MODE", Some("loop"),
        "once: run one cycle and leave; loop: run one at every interval"),
    setting("schedule.on_no_new_bars", "WALKFORWARD_ON_NO_NEW_BARS", None, "POLICY", Some("skip"),
        "What a cycle of the loop does when the dataset is that of the line's newest model: skip, run"),
    setting("schedule.interval_minutes", "ORCHESTRATION_INTERVAL_MINUTES", Some("interval-minutes"), "MINUTES", Some("360"),
        "Minutes between the starts of cycles"),
    setting("retention.prune", "WALKFORWARD_RETENTION_PRUNE", None, "BOOL", Some("true"),
        "Whether orchestrate serve takes away what is old, at its start and once a day"),
    setting("retention.keep_last", "WALKFORWARD_KEEP_LAST", None, "N", Some("20"),
        "Newest models of a line that keep their weights, and as many of its latest champions"),
    setting("retention.keep_days", "WALKFORWARD_KEEP_DAYS", None, "DAYS", Some("30"),
        "Days for which every model keeps its weights"),
    setting("retention.reproducible_days", "WALKFORWARD_REPRODUCIBLE_DAYS", None, "DAYS", Some("30"),
        "Days for which a model's parent keeps its weights, so that the model can be made again"),
    setting("retention.evidence_days", "WALKFORWARD_EVIDENCE_DAYS", None, "DAYS", Some("180"),
        "Days after which a model without weights loses its bar-by-bar evaluation and its ETL record"),
    setting("live.speed", "WALKFORWARD_SPEED", Some("speed"), "SPEED", Some("max"),
        "max, or how many times faster than real time bars are replayed").live_only(),
    setting("live.journal", "WALKFORWARD_JOURNAL", Some("journal"), "FILE", Some("data/live/journal.jsonl"),
        "File to which each decision is appended").live_only(),
    setting("live.from", "WALKFORWARD_FROM", Some("from"), "TIME", None,
        "First bar to trade; earlier ones warm the features up; default: the first bar that can be decided").live_only(),
    setting("live.bars", "WALKFORWARD_BARS", Some("bars"), "N", None,
        "Stop after so many bars; default: end of the file, 1000 for synthetic bars").live_only(),
];

impl Setting {
    const fn live_only(mut self) -> Self {
        self.live = true;
        self
    }

    fn belongs_to(&self, binary: Binary) -> bool {
        match binary {
            Binary::Orchestrate => !self.key.starts_with("live."),
            Binary::LiveTrader => self.live,
        }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// The configuration file.
    File(PathBuf),
    /// The record of something that is made again.
    Record(String),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag --{flag}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Record(name) => write!(f, "the record of {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The values of all settings of one binary.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) values: BTreeMap<&'static str, (String, Origin)>,
    pub(crate) pack: toml::Table,
    pub(crate) features: Option<toml::Value>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) secrets: Secrets,
}

/// Largest configuration file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The table of the file that goes to the trainer as it is.
const PACK: &str = "pack";
/// The list of the file that says what policies see of the bars.
const FEATURES: &str = "features";

/// The arguments of `binary` for its settings.
pub fn arguments(command: Command, binary: Binary) -> Command {
    let settings = SETTINGS.iter().filter(|setting| setting.belongs_to(binary));
    let command = command.arg(
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .global(true)
            .help("Settings file, in the form of walkforward.toml [env: WALKFORWARD_CONFIG]"),
    );
    settings.fold(command, |command, setting| match setting.flag {
        Some(flag) => command.arg(argument(setting, flag)),
        None => command,
    })
}

fn argument(setting: &Setting, flag: &'static str) -> Arg {
    let default = setting.default.map(|value| format!(" [default: {value}]")).unwrap_or_default();
    let arg = Arg::new(setting.key)
        .long(flag)
        .value_name(setting.value_name)
        .global(true)
        .allow_hyphen_values(true)
        .action(ArgAction::Set)
        .help(format!("{}{default}", setting.help));
    match setting.value_name {
        "BOOL" => arg.num_args(0..=1).default_missing_value("true").require_equals(true),
        _ => arg,
    }
}

impl Settings {
    /// Collects the settings of `binary` from its arguments, the environment and the file.
    pub fn collect(
        binary: Binary,
        flags: &ArgMatches,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let file = flags
            .get_one::<String>("config")
            .cloned()
            .map(PathBuf::from)
            .or_else(|| environment("WALKFORWARD_CONFIG").map(PathBuf::from));
        let table = file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let FileSettings { values: from_file, pack, features } = split_file(table, file.as_deref())?;
        let mut values = BTreeMap::new();
        for setting in SETTINGS.iter().filter(|setting| setting.belongs_to(binary)) {
            let flag = setting.flag.and_then(|flag| {
                let value = flags.try_get_one::<String>(setting.key).ok().flatten()?;
                Some((value.clone(), Origin::Flag(flag)))
            });
            let from_environment = environment(setting.env)
                .map(|value| text_from(setting.env, value))
                .transpose()?
                .map(|value| (value, Origin::Environment(setting.env)));
            let from_file = || {
                let value = from_file.get(setting.key)?;
                Some((value.clone(), Origin::File(file.clone().unwrap_or_default())))
            };
            let default = || setting.default.map(|value| (value.to_owned(), Origin::Default));
            if let Some(value) = flag.or(from_environment).or_else(from_file).or_else(default) {
                values.insert(setting.key, value);
            }
        }
        let secrets = Secrets::collect(environment)?;
        Ok(Self { values, pack, features, file, secrets })
    }

    /// The value of `key`, if it is set.
    pub fn get<T>(&self, key: &'static str) -> Result<Option<T>, Failure>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let Some((text, origin)) = self.values.get(key) else { return Ok(None) };
        let value = text.trim().parse().map_err(|error: T::Err| {
            Failure::input(format!("{}: '{text}' from {origin} can't be used: {error}", name(key, origin)))
        })?;
        Ok(Some(value))
    }

    /// The value of `key`, which has a default.
    pub fn require<T>(&self, key: &'static str) -> Result<T, Failure>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.get(key)?.ok_or_else(|| Failure::input(format!("{key} is not set and has no default")))
    }

    /// A number of `key` inside `range`; NaN and infinity are never inside.
    pub fn number(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Option<f64>, Failure> {
        let Some(value) = self.get::<f64>(key)? else { return Ok(None) };
        if value.is_finite() && range.contains(&value) {
            return Ok(Some(value));
        }
        Err(self.refuse(key, &format!("expected a number from {} to {}", range.start(), range.end())))
    }

    /// An error about the value of `key`.
    pub fn refuse(&self, key: &'static str, expected: &str) -> Failure {
        match self.values.get(key) {
            Some((text, origin)) => Failure::input(format!(
                "{}: '{text}' from {origin} can't be used: {expected}",
                name(key, origin)
            )),
            None => Failure::input(format!("{key} is not set: {expected}")),
        }
    }

    /// Whether somebody set `key`, so that its value is not the default.
    pub fn is_set(&self, key: &'static str) -> bool {
        self.values.get(key).is_some_and(|(_, origin)| *origin != Origin::Default)
    }

    /// Whether the value of `key` is another than its default, wherever it comes from.
    pub fn is_changed(&self, key: &'static str) -> bool {
        let default = SETTINGS.iter().find(|setting| setting.key == key).and_then(|setting| setting.default);
        self.values.get(key).map(|(text, _)| text.trim()) != default
    }

    /// These settings with other defaults, by key, where nobody set a value.
    #[must_use]
    pub fn with_defaults(mut self, defaults: &[(&'static str, &str)]) -> Self {
        for (key, value) in defaults {
            if !self.is_set(key) {
                self.values.insert(key, ((*value).to_owned(), Origin::Default));
            }
        }
        self
    }

    /// The file's table `[pack]`, for the trainer.
    pub fn pack(&self) -> &toml::Table {
        &self.pack
    }

    /// The file's list `[[features]]`, if it has one.
    pub fn features(&self) -> Option<&toml::Value> {
        self.features.as_ref()
    }

    /// What stands in the environment alone.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The settings file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Every setting of `binary`: key, value, origin; settings without a value say what stands for it.
    pub fn rows(&self, binary: Binary) -> Vec<(&'static str, Option<&str>, &Origin)> {
        let listed = SETTINGS.iter().filter(|setting| setting.belongs_to(binary));
        listed
            .map(|setting| match self.values.get(setting.key) {
                Some((value, origin)) => (setting.key, Some(value.as_str()), origin),
                None => (setting.key, None, &Origin::Default),
            })
            .collect()
    }
}

/// A value that is no text is refused, not passed over: what it was meant to forbid would be allowed.
fn text_from(name: &str, value: OsString) -> Result<String, Failure> {
    value.into_string().map_err(|value| {
        Failure::input(format!("{name}: {} from the environment is not UTF-8", value.to_string_lossy()))
    })
}

/// How a person who set `key` calls it.
fn name(key: &'static str, origin: &Origin) -> String {
    match origin {
        Origin::Flag(flag) => format!("--{flag}"),
        Origin::Environment(name) => (*name).to_owned(),
        Origin::File(_) | Origin::Record(_) | Origin::Default => key.to_owned(),
    }
}

fn read_file(path: &Path) -> Result<toml::Table, Failure> {
    let refuse = |problem: &dyn fmt::Display| {
        Failure::input(format!("the settings file {} can't be used: {problem}", path.display()))
    };
    let file = std::fs::metadata(path).map_err(|error| refuse(&error))?;
    if !file.is_file() {
        return Err(refuse(&"it is no regular file"));
    }
    let size = file.len();
    if size > MAX_FILE_BYTES {
        return Err(refuse(&format!("it has {size} bytes, the limit is {MAX_FILE_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
    text.parse().map_err(|error: toml::de::Error| refuse(&error))
}

/// What stands in a file.
#[derive(Default)]
struct FileSettings {
    /// By key.
    values: BTreeMap<String, String>,
    pack: toml::Table,
    features: Option<toml::Value>,
}

fn split_file(table: toml::Table, path: Option<&Path>) -> Result<FileSettings, Failure> {
    let path = path.unwrap_or_else(|| Path::new("")).display();
    let mut split = FileSettings::default();
    for (section, content) in table {
        if section == FEATURES {
            split.features = Some(content);
            continue;
        }
        let toml::Value::Table(content) = content else {
            return Err(Failure::input(format!(
                "{path}: '{section}' stands outside a section such as [data]"
            )));
        };
        if section == PACK {
            split.pack = content;
            continue;
        }
        for (name, value) in content {
            let key = format!("{section}.{name}");
            if !SETTINGS.iter().any(|setting| setting.key == key) {
                return Err(Failure::input(format!(
                    "{path}: there is no setting '{key}': `orchestrate config show` lists them{}",
                    nearest(&key)
                )));
            }
            split.values.insert(
                key.clone(),
                text_of(&value).ok_or_else(|| {
                    Failure::input(format!("{path}: '{key}' has to be a text, a number or true/false"))
                })?,
            );
        }
    }
    Ok(split)
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// A setting that was probably meant.
fn nearest(key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let similar = SETTINGS.iter().find(|setting| {
        let known = setting.key.rsplit('.').next().unwrap_or(setting.key);
        known == name || known.contains(name) || name.contains(known)
    });
    similar.map(|setting| format!("; did you mean '{}'?", setting.key)).unwrap_or_default()
}
