//! `live-trader doctor`: every check that a start would make, without a start.

mod files;
mod report;
mod service;

use std::sync::Arc;

use clap::Command;
use walkforward::clock::SystemClock;
use walkforward::failure::Failure;
use walkforward::live::LiveConfig;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::Clock;

use report::Report;

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("doctor")
        .about("Every check that a start would make, without trading: what was found, and what to do")
        .after_help("Exit code 1 when a check fails; warnings are for a person to look at.")
}

/// Checks and prints.
pub(crate) fn run(settings: Result<Settings, Failure>, output: Output) -> Result<(), Failure> {
    let mut report = Report::default();
    match settings.and_then(|settings| LiveConfig::from_settings(&settings)) {
        Err(failure) => report.fail("configuration", failure.message, "mend the setting that it names"),
        Ok(config) => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
            report.ok("configuration", configuration(&config));
            let session = files::check(&config, clock.as_ref(), &mut report);
            if config.source.is_service() {
                let runtime = tokio::runtime::Runtime::new()
                    .map_err(|error| Failure::stage(format!("the async runtime does not start: {error}")))?;
                runtime.block_on(service::check(&config, &session, &clock, &mut report));
            }
        }
    }
    match output {
        Output::Quiet => {}
        Output::Json => say(&format!("{}\n", report.json()))?,
        Output::Human => say(&report.lines())?,
    }
    match report.failures() {
        0 => Ok(()),
        1 => Err(Failure::stage("a check failed")),
        failures => Err(Failure::stage(format!("{failures} checks failed"))),
    }
}

fn configuration(config: &LiveConfig) -> String {
    let venue = config.venue.as_ref().map_or("paper", |venue| venue.name);
    let bars = if config.source.is_service() { "live bars" } else { "replayed or made-up bars" };
    format!("line {}, {} on {bars}, orders go to {venue}", config.line, config.symbol)
}
