//! `orchestrate selftest`: does it find what is there, learn what is given away, and leave luck alone?
//!
//! Everything is real: the trainer, the pipeline, the ledger, the gates. Only the markets are made up, so that their
//! truth is known.

use std::sync::Arc;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde::Serialize;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::DataSource;

use crate::rehearsal::bench::Bench;
use crate::rehearsal::{self, folder};
use edge::Edge;
use leak::Leak;
use luck::Luck;

mod binomial;
mod edge;
mod leak;
mod luck;
mod print;

const WALKS: &str = "walks";
/// Random walks that say something in the time that there is.
const DEFAULT_WALKS: &str = "24";
/// What more of them buy.
const WALKS_HELP: &str = "Random walks: 24 catch a true rate of screened of 31 in 100 in 80 of 100 runs, 200 one of 12, \
1000 one of 8 (4 in 100 are stated)";
/// Seeds of walks are this far apart from those of another `--seed`.
const MAX_WALKS: u64 = 1_000;

const ABOUT: &str = "Checks on made-up markets that an edge is found, a leak is exploited and caught, and luck is not promoted";

const MORE: &str = "\
Three parts, on the real trainer, pipeline, ledger and gates:
  an edge        a market with a trend that lasts: found, promoted, earned more than cash after costs
  a leak         a source whose volumes come from the next bar: exploited by the trainer, caught by the look-ahead check
  random walks   markets without an edge and without costs: graded no more often than docs/evidence.md says, as far as so
                 many walks can tell: the table says which true rate would be caught

--seed chooses all markets, and the same seed gives the same figures. No other setting changes anything but --threads.

Exit codes: 0 all holds; 1 something does not, named in a sentence.";

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("selftest")
        .about(ABOUT)
        .after_help(MORE)
        .arg(
            Arg::new(WALKS)
                .long(WALKS)
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=MAX_WALKS))
                .default_value(DEFAULT_WALKS)
                .help(WALKS_HELP),
        )
        .args(folder::arguments())
}

/// What the test came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    seed: u64,
    holds: bool,
    /// What does not hold, a sentence each.
    failures: Vec<String>,
    edge: Edge,
    leak: Leak,
    luck: Luck,
}

/// Runs the test and tells what it came to.
///
/// # Errors
/// Something does not hold, or could not be tried.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let walks = matches.get_one::<u64>(WALKS).copied().unwrap_or_default();
    let seed = settings.require("training.seed")?;
    let trainings = edge::TRAININGS + leak::TRAININGS + walks * luck::TRAININGS_PER_WALK;
    Bench::run(settings, output, matches, trainings, |bench| async move {
        let report = test(&bench, seed, walks).await?;
        bench.trainings.finish();
        tell(&report, output)
    })
}

async fn test(bench: &Bench, seed: u64, walks: u64) -> Result<Report, Failure> {
    let (edge, leak) = tokio::try_join!(edge::find(bench, seed), leak::give_away(bench, seed))?;
    let luck = luck::try_out(bench, seed, walks).await?;
    let failures: Vec<String> =
        [edge.failures(), leak.failures(), luck.failures()].into_iter().flatten().collect();
    Ok(Report { seed, holds: failures.is_empty(), failures, edge, leak, luck })
}

fn tell(report: &Report, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => {}
        Output::Json => say(&format!("{}\n", serde_json::json!(report)))?,
        Output::Human => say(&print::text(report))?,
    }
    match report.holds {
        true => Ok(()),
        false => Err(Failure::stage(format!("selftest: {}", report.failures.join("; ")))),
    }
}

/// The numbers of a training that a part of the test depends on, as flags.
fn with_seed(flags: &[&str], seed: u64) -> Result<Settings, Failure> {
    let seed = seed.to_string();
    rehearsal::settings(&[flags, &["--seed", &seed]].concat())
}

/// Shares `source` among the parts of a rehearsal.
fn shared<S: DataSource + 'static>(source: S) -> Arc<dyn DataSource> {
    Arc::new(source)
}
