//! The command line.

use clap::{Arg, ArgAction, ArgMatches, Command};
use walkforward::failure::Failure;
use walkforward::settings::{Binary, Output, Settings, arguments};

const ABOUT: &str = "Trades the champion of a line on the paper broker. When the pointer names another model, it is \
loaded and checked beside the running one and takes the next bar.";

const EXAMPLES: &str = "\
Examples:
  live-trader                                      1000 synthetic hours after the built-in training window
  live-trader --path bars.csv --speed max          every bar of a file, as fast as they are decided
  live-trader --speed 3600                         an hourly bar each second; promote a model meanwhile
  live-trader verify --journal data/live/journal.jsonl
                                                   decide every recorded bar again and compare

Exit codes: 0 the session ended or was stopped; 1 it failed, or verify found a difference; 2 the configuration, the
pointer or the input can't be used.";

/// The command of `live-trader`.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).global(true).help(help)
    };
    let command = Command::new("live-trader")
        .version(walkforward::wiring::CODE_VERSION)
        .about(ABOUT)
        .after_help(EXAMPLES)
        .max_term_width(110)
        .args_override_self(true)
        .arg(flag("json", "Print the result as one JSON line"))
        .arg(flag("quiet", "Print nothing but errors (and what --json asks for)"))
        .subcommand(Command::new("verify").about("Decides a journal's bars again and compares the actions"));
    arguments(command, Binary::LiveTrader)
}

/// The settings of the command line, the environment and the file.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn settings(matches: &ArgMatches) -> Result<Settings, Failure> {
    let deepest = matches.subcommand().map_or(matches, |(_, inner)| inner);
    Settings::collect(Binary::LiveTrader, deepest, &|name| std::env::var_os(name))
}

/// The output that `matches` asks for.
pub(crate) fn output(matches: &ArgMatches) -> Output {
    Output::choose(matches.get_flag("json"), matches.get_flag("quiet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
