//! The command line.

use clap::{Arg, ArgAction, ArgMatches, Command};
use walkforward::failure::Failure;
use walkforward::settings::{Binary, Output, Settings, arguments};

use crate::{
    audit, backup, data, datasets, demo, evaluate, evidence, experiments, gates, models, notify, packs,
    replay, report, schedules, selftest, serve, worker,
};

/// The flag for one run.
pub(crate) const ONCE: &str = "once";
/// The flag for machine-readable output.
pub(crate) const JSON: &str = "json";
/// The flag for no output.
pub(crate) const QUIET: &str = "quiet";

const ABOUT: &str = "Keeps a trading model fresh: trains a policy on recent bars, judges it on bars it has not \
seen, and promotes it or says why not.";

const EXAMPLES: &str = "\
Examples:
  orchestrate --once                                   one run on built-in synthetic bars
  orchestrate --once --path bars.csv --symbol BTC/USD  one run on a bar file, plain or gzip
  orchestrate --interval-minutes 360                   a run now and every six hours; stop with Ctrl-C
  orchestrate schedules add btc --every 6h             the same as a schedule, with its settings of now
  orchestrate serve                                    runs all schedules and takes commands for them
  orchestrate data show --path bars.csv                coverage, holes and prices of the window
  orchestrate evaluate champion --path bars.csv        a model on other bars
  orchestrate report                                   an HTML page about the champion
  orchestrate replay --path bars.csv --line trial      84 days of daily cycles in the past
  orchestrate evidence                                 how far the evidence for each arm has come
  orchestrate gates simulate                           how often the rules promote luck, and how soon skill
  orchestrate demo                                     two markets, three rules, four proofs, one HTML page
  orchestrate selftest                                 an edge is found, a leak is caught, luck is not promoted
  orchestrate models compare ID ID ID                  models on the same bars, and what choosing the best is worth
  orchestrate models list                              models, their weights, which one trades
  orchestrate models prune --dry-run                   which weights retention would remove, and why not others
  orchestrate backup DIR                               a checksummed copy of everything while it runs
  orchestrate notify test                              one notice to each place, and whether it arrived
  orchestrate config show                              every setting, its value and where it comes from

A setting comes from its flag, else from its environment variable, else from the file given with --config, else
from its default. The thresholds are MIN_WIN_RATE, MAX_DRAWDOWN and MIN_PNL_PER_TRADE; EVAL_METRICS_PATH names a
JSON file with winRate, maxDrawdown and pnlPerTrade that replaces the built-in backtest.

Exit codes: 0 the run ended in a verdict (promoted, rejected, inconclusive) or was skipped; 1 a stage failed;
2 the configuration or the input can't be used.";

/// The command of `orchestrate`.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).global(true).help(help)
    };
    let command = Command::new("orchestrate")
        .version(walkforward::wiring::CODE_VERSION)
        .about(ABOUT)
        .after_help(EXAMPLES)
        .max_term_width(110)
        .args_override_self(true)
        .arg(Arg::new(ONCE).long(ONCE).action(ArgAction::SetTrue).help("Run one cycle and leave"))
        .arg(flag(JSON, "Print the result as one JSON line"))
        .arg(flag(QUIET, "Print nothing but errors (and what --json asks for)"))
        .subcommand(
            Command::new("config")
                .about("Shows the configuration")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(Command::new("show").about("Prints every setting with its value and origin")),
        )
        .subcommand(audit::command())
        .subcommand(data::command())
        .subcommand(demo::command())
        .subcommand(models::command())
        .subcommand(notify::command())
        .subcommand(backup::backup_command())
        .subcommand(backup::restore_command())
        .subcommand(evaluate::command())
        .subcommand(evidence::command())
        .subcommand(gates::command())
        .subcommand(replay::command())
        .subcommand(report::command())
        .subcommand(selftest::command())
        .subcommand(serve::command())
        .subcommand(schedules::command())
        .subcommand(experiments::command())
        .subcommand(packs::command())
        .subcommand(datasets::command())
        .subcommand(worker::command());
    arguments(command, Binary::Orchestrate)
}

/// The settings of the command line, the environment and the file.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn settings(matches: &ArgMatches) -> Result<Settings, Failure> {
    let mut deepest = matches;
    while let Some((_, inner)) = deepest.subcommand() {
        deepest = inner;
    }
    Settings::collect(Binary::Orchestrate, deepest, &|name| std::env::var_os(name))
}

/// The output that `matches` asks for.
pub(crate) fn output(matches: &ArgMatches) -> Output {
    Output::choose(matches.get_flag(JSON), matches.get_flag(QUIET))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
