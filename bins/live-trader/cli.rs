//! The command line.

use clap::{Arg, ArgAction, ArgMatches, Command};
use walkforward::failure::Failure;
use walkforward::settings::{Binary, Output, Settings, arguments};

const ABOUT: &str = "Trades the champion of a line, on paper unless --venue names an account. When the pointer names \
another model, it is loaded and checked beside the running one and takes the next bar.";

const EXAMPLES: &str = "\
Examples:
  live-trader                                      1000 synthetic hours after the built-in training window
  live-trader --path bars.csv --speed max          every bar of a file, as fast as they are decided
  live-trader --speed 3600                         an hourly bar each second; promote a model meanwhile
  live-trader --source alpaca --journal live       live bars, fills on paper; goes on where it was stopped
  live-trader --source alpaca --venue alpaca-paper --journal account
                                                   live bars, orders to an account; --observe: looks on and sends none
  live-trader status                               how the session is, running or not; watch: what happens in it
  live-trader pause --reason \"news\"               no orders until `resume`; reduce-only: no larger position
  live-trader kill --reason \"wrong\" --flatten     the position is closed, then no order, over restarts too, until
  live-trader resume --ack \"looked into it\"       somebody says why it may go on
  live-trader reload                               look for a new model now
  live-trader verify                               run the recorded session again and compare every bit
  live-trader explain last                         why the last bar was decided as it was; -3, or the time of a bar
  live-trader costs                                what orders cost, beside what the cost model says
  live-trader doctor --source alpaca --venue alpaca-paper --journal account
                                                   every check that this start would make, without trading

A running session listens on DATA_DIR/live/SESSION.sock, for its owner alone; these commands find it by --journal. It also
halts when it gets SIGUSR1 or finds a file `halt` in its journal's folder, and closes its position first for `flatten`.

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
        .subcommand(
            Command::new("verify")
                .about("Runs a journal's session again and compares every decision, fill and figure"),
        )
        .subcommand(crate::costs::command())
        .subcommand(crate::explain::command())
        .subcommand(crate::doctor::command())
        .subcommands(crate::control::commands());
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
