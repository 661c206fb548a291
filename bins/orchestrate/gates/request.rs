//! What `orchestrate gates simulate` is asked for.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use serde::Serialize;
use walkforward::evidence;
use walkforward::failure::Failure;
use walkforward::settings::Settings;
use walkforward_core::Timeframe;
use walkforward_promoter::{EvidenceRules, EvidenceSettings};
use walkforward_simulation::{Against, Market, SimulationError, Snapshots};

pub(super) const NAME: &str = "simulate";
const WORLDS: &str = "worlds";
const LINE_WORLDS: &str = "line-worlds";
const DAYS: &str = "days";
const WINDOW_DAYS: &str = "window-days";
const REPLAYED_DAYS: &str = "replayed-days";
const CADENCE: &str = "cadence";
const AGREEMENT: &str = "agreement";
const AGAINST: &str = "against";
const GAP: &str = "gap";
const MARKET: &str = "market";
const ARMS: &str = "arms";
const SPREAD: &str = "spread";
const PLOT: &str = "plot";

const MINUTES_PER_BAR: u32 = 60;
const BASIS_POINT: f64 = 1e-4;
/// Gaps of one request: each is a study of its own.
const MOST_GAPS: usize = 20;

const ABOUT: &str =
    "Measures in simulated markets how often, and how soon, the rules of promotion give each grade";
const MORE: &str = "\
Markets are made of hourly bars with an annual volatility of 60 % and no drift. An arm's positions are random; its edge is \
exactly the gap, an annual Sharpe ratio net of costs. A gap of 0 is a model without skill: what is promoted there is \
promoted falsely. Fee and slippage come from the settings, the cadence from the interval; --seed and --threads too.

Examples:
  orchestrate gates simulate --worlds 1500 --line-worlds 0   size and power with small errors
  orchestrate gates simulate --against flat --gap 0,2        a line without a champion
  orchestrate gates simulate --agreement 0 --market gauss    arms that have nothing in common
  orchestrate gates simulate --gap 0,1,2,3 --plot gates.svg  the shares with their errors as a picture";

/// The subcommand.
pub(super) fn command() -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let count = |name, default: &'static str, help| {
        flag(name, "N", help).value_parser(value_parser!(usize)).default_value(default)
    };
    let number = |name, value, help| flag(name, value, help).value_parser(value_parser!(f64));
    Command::new(NAME)
        .about(ABOUT)
        .after_help(MORE)
        .arg(count(WORLDS, "200", "Worlds of one arm for each gap"))
        .arg(count(LINE_WORLDS, "40", "Worlds of a whole line for each gap; 0 leaves lines out"))
        .arg(count(DAYS, "365", "Days of live bars"))
        .arg(count(REPLAYED_DAYS, "0", "Days of bars that were replayed before, for one arm"))
        .arg(number(WINDOW_DAYS, "DAYS", "Days that the bootstrap looks back [default: the rules', 84]"))
        .arg(flag(CADENCE, "TIME", "Time between snapshots in whole hours: 6h, 1d [default: the interval's]"))
        .arg(
            number(AGREEMENT, "SHARE", "Blocks in which arm and anchor decide alike by design")
                .default_value("0.8"),
        )
        .arg(
            flag(AGAINST, "WHAT", "What one arm is measured against: the line's anchor, or cash")
                .value_parser(["anchor", "flat"])
                .default_value("anchor"),
        )
        .arg(
            number(GAP, "LIST", "Annual Sharpe ratios of the arm less its reference's")
                .value_delimiter(',')
                .allow_hyphen_values(true)
                .default_value("0,1,2,3"),
        )
        .arg(flag(MARKET, "NAME", "garch_t: calm and wild weeks, fat tails; gauss").default_value("garch_t"))
        .arg(
            flag(ARMS, "N", "Arms that share a line-year's error [default: the rules', 4]")
                .value_parser(value_parser!(u32)),
        )
        .arg(
            number(SPREAD, "SHARPE", "Deviation of independent snapshots' true gaps, on lines")
                .default_value("1.5"),
        )
        .arg(
            flag(PLOT, "FILE", "Also draws the shares with their errors into an SVG file")
                .value_parser(value_parser!(PathBuf)),
        )
}

/// The request, checked as far as a world does not check it itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) worlds: usize,
    pub(super) line_worlds: usize,
    pub(super) seed: u64,
    #[serde(skip)]
    pub(super) threads: usize,
    pub(super) days: usize,
    pub(super) replayed_days: usize,
    pub(super) cadence_bars: usize,
    /// Fee and slippage of a fill, as a fraction of its value.
    pub(super) cost: f64,
    pub(super) agreement: f64,
    pub(super) against: Against,
    pub(super) gaps: Vec<f64>,
    pub(super) market: Market,
    pub(super) independent: Snapshots,
    pub(super) rules: EvidenceRules,
    /// Where the picture goes.
    #[serde(skip)]
    pub(super) plot: Option<PathBuf>,
}

impl Request {
    /// What `matches` ask for, with the settings where they say nothing.
    pub(super) fn of(settings: &Settings, matches: &ArgMatches) -> Result<Self, Failure> {
        let count = |name: &str| matches.get_one::<usize>(name).copied().unwrap_or_default();
        let number = |name: &str| matches.get_one::<f64>(name).copied().unwrap_or_default();
        let market = matches.get_one::<String>(MARKET).map_or("", String::as_str);
        let market: Market = market.parse().map_err(|error| refuse(&error))?;
        let agreement = number(AGREEMENT);
        let is_flat = matches.get_one::<String>(AGAINST).is_some_and(|text| text == "flat");
        let gaps: Vec<f64> = matches.get_many::<f64>(GAP).into_iter().flatten().copied().collect();
        if gaps.len() > MOST_GAPS {
            return Err(Failure::input(format!(
                "--{GAP} has {} values: expected 1 to {MOST_GAPS}",
                gaps.len()
            )));
        }
        Ok(Self {
            worlds: count(WORLDS),
            line_worlds: count(LINE_WORLDS),
            seed: settings.require("training.seed")?,
            threads: threads(settings)?,
            days: count(DAYS),
            replayed_days: count(REPLAYED_DAYS),
            cadence_bars: cadence(settings, matches)?,
            cost: cost(settings)?,
            agreement,
            against: if is_flat { Against::Flat } else { Against::Anchor { agreement } },
            gaps,
            market,
            independent: Snapshots::Independent { spread: number(SPREAD) },
            rules: rules(settings, matches)?,
            plot: matches.get_one::<PathBuf>(PLOT).map(|path| writable(path)).transpose()?,
        })
    }
}

/// A simulation that can't be made is a request that can't be used.
pub(super) fn refuse(error: &SimulationError) -> Failure {
    Failure::input(error.to_string())
}

/// `path`, when its folder is there: worlds take minutes, and their picture comes last.
fn writable(path: &Path) -> Result<PathBuf, Failure> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(Failure::input(format!(
            "--{PLOT} {}: there is no folder {}: make it, or name another file",
            path.display(),
            folder.display()
        ))),
        _ => Ok(path.to_owned()),
    }
}

/// The rules that are set, with what the command line says otherwise.
fn rules(settings: &Settings, matches: &ArgMatches) -> Result<EvidenceRules, Failure> {
    let mut rules = EvidenceSettings::from(evidence::rules(settings)?);
    if let Some(days) = matches.get_one::<f64>(WINDOW_DAYS) {
        rules.window_days = *days;
    }
    if let Some(arms) = matches.get_one::<u32>(ARMS) {
        rules.max_arms = *arms;
    }
    EvidenceRules::new(rules).map_err(|error| Failure::input(error.to_string()))
}

/// All of the machine, unless somebody said how many.
pub(crate) fn threads(settings: &Settings) -> Result<usize, Failure> {
    if settings.is_set("training.threads") {
        return settings.require("training.threads");
    }
    Ok(std::thread::available_parallelism().map_or(1, usize::from))
}

fn cost(settings: &Settings) -> Result<f64, Failure> {
    let of = |key| settings.number(key, 0.0..=1_000.0).map(Option::unwrap_or_default);
    Ok((of("costs.fee_bps")? + of("costs.slippage_bps")?) * BASIS_POINT)
}

/// Hourly bars between two snapshots.
fn cadence(settings: &Settings, matches: &ArgMatches) -> Result<usize, Failure> {
    let Some(text) = matches.get_one::<String>(CADENCE) else {
        let minutes: f64 = settings.require("schedule.interval_minutes")?;
        return Ok((minutes / f64::from(MINUTES_PER_BAR)).round().max(1.0) as usize);
    };
    let minutes = text.trim().parse::<Timeframe>().map(Timeframe::minutes);
    match minutes {
        Ok(minutes) if minutes.is_multiple_of(MINUTES_PER_BAR) => Ok((minutes / MINUTES_PER_BAR) as usize),
        _ => Err(Failure::input(format!("--{CADENCE} {text}: expected whole hours, such as 6h or 1d"))),
    }
}
