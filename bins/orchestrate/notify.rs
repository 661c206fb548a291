//! `orchestrate notify`: whether notices arrive.

use clap::{ArgMatches, Command};
use serde_json::json;
use walkforward::clock::SystemClock;
use walkforward::failure::Failure;
use walkforward::notify::{NotifyConfig, Teller, WAYS};
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::Clock;
use walkforward_notify::{Notice, NoticeKind, Sink, SinkFailure};

const ABOUT: &str = "Notices: who is told what happens. Where they go stands in the environment and in the section \
[notify] of the settings file; docs/notifications.md describes all of it.";

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    Command::new("notify").about(ABOUT).subcommand_required(true).arg_required_else_help(true).subcommand(
        Command::new("test").about(
            "Sends one notice to each place and says whether it arrived; exit code 1 where one did not",
        ),
    )
}

/// Does what the subcommand says; there is one.
pub(crate) fn run(settings: &Settings, output: Output, _matches: &ArgMatches) -> Result<(), Failure> {
    let config = NotifyConfig::from_settings(settings, Teller::Server)?;
    if config.sinks.is_empty() {
        return Err(Failure::input(format!("there is nowhere to send notices to: {WAYS}")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
    let text = "this is a test: notices arrive here";
    let notice = Notice::new(NoticeKind::Test, "orchestrate", text, SystemClock::start().now());
    let notice = notice.with_link(config.link("/continuous"));
    let mut failed = 0;
    for sink in &config.sinks {
        let result = runtime.block_on(sink.deliver(&notice));
        failed += usize::from(result.is_err());
        say(&told(sink.as_ref(), &result, output))?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::stage(format!("{failed} of {} places did not get the notice", config.sinks.len()))),
    }
}

fn told(sink: &dyn Sink, result: &Result<(), SinkFailure>, output: Output) -> String {
    let name = sink.name();
    match (output, result) {
        (Output::Quiet, _) => String::new(),
        (Output::Json, _) => {
            let (reason, advice) = match result {
                Ok(()) => (None, None),
                Err(failure) => (Some(&failure.reason), Some(&failure.advice)),
            };
            let line = json!({ "sink": name, "arrived": result.is_ok(), "reason": reason, "advice": advice });
            format!("{line}\n")
        }
        (Output::Human, Ok(())) => format!("{name:<10} arrived\n"),
        (Output::Human, Err(failure)) => {
            format!("{name:<10} did not arrive: {failure}; {}\n", failure.advice)
        }
    }
}
