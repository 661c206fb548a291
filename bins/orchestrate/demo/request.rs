//! What `orchestrate demo` is asked for.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use walkforward::config::OrchestrateConfig;
use walkforward::evidence::Preset;
use walkforward::failure::Failure;
use walkforward::pack::TrainerConfig;
use walkforward::settings::Settings;
use walkforward_core::MarketCalendar;
use walkforward_orchestrator::recurrence::Recurrence;

use super::markets::Market;
use super::{LIVE_BARS, is_synthetic};
use crate::rehearsal::{self, DAY_MS, Span, folder};
use crate::replay::request::recurrence;

const DAYS: &str = "days";
const EVERY: &str = "every";
const TO: &str = "to";
/// Fewest days: a session with three models needs three trainings.
const MIN_DAYS: u64 = 2;
/// Most days; `orchestrate replay` takes more.
const MAX_DAYS: u64 = 90;
/// The cadence of a schedule that nobody gave another.
const DEFAULT_EVERY: &str = "6h";
/// Most time between two cycles.
const MAX_EVERY_MS: i64 = DAY_MS / 2;
/// What fits into the time of a demonstration on made-up bars, where nobody set it otherwise. Quarters of an hour: in 30
/// days of hours this market has too few trades for the rails.
const SYNTHETIC: [(&str, &str); 3] =
    [("data.timeframe", "15m"), ("data.window_bars", "4000"), ("data.holdout_bars", "800")];
const ITERATIONS: &str = "training.iterations";
const SYNTHETIC_ITERATIONS: &str = "20";

const ABOUT: &str =
    "Shows what the loop makes of two markets side by side, made up or your own, and proves four things live";

const MORE: &str = "\
Replays 30 days on two markets and puts three rules side by side: every model at once, the preset thresholds, and
walkforward. Then, on the bars after them: a leak is caught, a torn model is refused while the old one trades on, a model
is swapped in between two bars, and the session equals the backtest bit for bit. It prints all of it and writes one page.

Without a file the bars are made up, of a market with an edge and of one without. With --path FILE they are yours, beside
a copy of them with their days in random order, in which what one day says about the next is gone. The settings are those
of other commands. Nothing of yours is read or written but that file and the page.

Examples:
  orchestrate demo
  orchestrate demo --source csv --path bars.csv --symbol BTC/USD --to demo.html";

/// The subcommand.
pub(super) fn command() -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("demo")
        .about(ABOUT)
        .after_help(MORE)
        .arg(
            flag(DAYS, "N", "Days that are replayed")
                .value_parser(value_parser!(u64).range(MIN_DAYS..=MAX_DAYS))
                .default_value("30"),
        )
        .arg(flag(EVERY, "TIME", "Time between cycles, at most 12h: 12h, 90m").default_value(DEFAULT_EVERY))
        .arg(
            flag(TO, "FILE", "Where the page goes")
                .value_parser(value_parser!(PathBuf))
                .default_value("demo.html"),
        )
        .args(folder::arguments())
}

/// The request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) config: OrchestrateConfig,
    pub(super) days: u64,
    pub(super) every: Recurrence,
    pub(super) to: PathBuf,
    /// The command that makes the same page.
    pub(super) command: String,
}

impl Asked {
    /// What `matches` ask for.
    pub(super) fn of(settings: &Settings, matches: &ArgMatches) -> Result<Self, Failure> {
        let every = matches.get_one::<String>(EVERY).map_or("", String::as_str);
        let recurrence = recurrence(every)?;
        let is_short = matches!(&recurrence, Recurrence::Every(every) if every.as_millis() <= MAX_EVERY_MS);
        if !is_short {
            return Err(Failure::input(format!("--{EVERY} {every}: expected at most 12h")));
        }
        if settings.get::<Preset>("gate.preset")? == Some(Preset::Thresholds) {
            return Err(
                settings.refuse("gate.preset", "walkforward's rules are shown beside it: expected evidence")
            );
        }
        let config = config(settings)?;
        if config.calendar != MarketCalendar::Continuous {
            return Err(
                settings.refuse("market.calendar", "the demonstration trades live: expected continuous")
            );
        }
        let days = matches.get_one::<u64>(DAYS).copied().unwrap_or_default();
        let to = matches.get_one::<PathBuf>(TO).cloned().unwrap_or_default();
        if to.is_dir() {
            return Err(Failure::input(format!("--{TO} {}: it is a folder; name a file", to.display())));
        }
        Ok(Self { config, days, every: recurrence, to, command: command_line() })
    }

    /// Time from the first due time to the last scored bar.
    pub(super) fn span(&self, market: &Market) -> Span {
        let live_ms = market.bars.timeframe().millis() * LIVE_BARS as i64;
        Span { days: self.days, every: self.every.clone(), until: market.end.plus_millis(-live_ms) }
    }

    /// Cycles of a market.
    pub(super) fn cycles(&self) -> u64 {
        let every_ms = self.every.interval().map_or(0, |every| every.as_millis() as u64).max(1);
        (self.days * DAY_MS.unsigned_abs()).div_ceil(every_ms)
    }

    /// Iterations of a training; 0 where its trainer has none.
    pub(super) fn iterations(&self) -> u64 {
        match &self.config.trainer {
            TrainerConfig::Ppo(pack) => pack.iterations,
            TrainerConfig::Supervised(_) | TrainerConfig::Command(_) => 0,
        }
    }
}

/// The configuration of `settings`; made-up bars have defaults that fit.
fn config(settings: &Settings) -> Result<OrchestrateConfig, Failure> {
    let config = rehearsal::config(settings)?;
    if !is_synthetic(&config) {
        return Ok(config);
    }
    let mut settings = settings.clone();
    // A window of one's own has the hold-out that it would have elsewhere.
    let is_own = settings.is_set("data.window_bars");
    let fitting = SYNTHETIC.iter().filter(|(key, _)| !is_own || *key == "data.timeframe");
    settings = settings.with_defaults(&fitting.copied().collect::<Vec<_>>());
    let is_ppo = matches!(config.trainer, TrainerConfig::Ppo(_));
    if is_ppo && !settings.pack().contains_key("iterations") {
        settings = settings.with_defaults(&[(ITERATIONS, SYNTHETIC_ITERATIONS)]);
    }
    rehearsal::config(&settings)
}

/// What was typed.
fn command_line() -> String {
    let quoted = |word: String| match word.contains(char::is_whitespace) {
        true => format!("'{word}'"),
        false => word,
    };
    let words = std::env::args_os().skip(1).map(|word| quoted(word.to_string_lossy().into_owned()));
    std::iter::once("orchestrate".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
