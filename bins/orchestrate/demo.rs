//! `orchestrate demo`: the same loop on two markets, with an edge and without, or a user's own and a copy with its days in
//! random order; and what a person would want to see before trusting it with a bot.

use std::path::Path;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use walkforward::config::OrchestrateConfig;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::{DataSource, DatasetRequest, Timestamp};
use walkforward_durable::write_atomic;
use walkforward_etl::ReplaySource;
use walkforward_orchestrator::replay::ReplaySummary;
use walkforward_report::{DemoProof, DemoReport, demo_html};

use crate::rehearsal::bench::Bench;
use crate::rehearsal::leak::LeakingSource;
use crate::rehearsal::live;
use crate::rehearsal::look_ahead::LookAhead;
use crate::rehearsal::side_by_side::side_by_side;
use crate::rehearsal::{Rehearsal, Span};
use markets::Market;
use request::Asked;

mod markets;
mod page;
mod print;
mod proofs;
mod request;
mod sentences;

/// Bars after the replay that a live trader trades.
const LIVE_BARS: usize = 240;
/// Times at which the look-ahead check looks.
const LOOK_AHEAD_TIMES: usize = 4;

/// The subcommand.
pub(crate) fn command() -> Command {
    request::command()
}

/// Shows what `matches` ask for, and writes the page about it.
///
/// # Errors
/// There are too few bars, a stage failed, or what was to be shown does not hold.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let asked = Asked::of(settings, matches)?;
    Bench::run(settings, output, matches, 2 * asked.cycles(), |bench| async move {
        let report = show(&asked, &bench).await?;
        bench.trainings.finish();
        tell(&report, &asked.to, output)
    })
}

/// A market with what the cycles made of it.
struct Played {
    market: Market,
    rehearsal: Rehearsal,
    summary: ReplaySummary,
}

async fn show(asked: &Asked, bench: &Bench) -> Result<DemoReport, Failure> {
    let markets = markets::pair(asked).await?;
    let played = side_by_side(markets.len(), bench.width, |index| {
        let folder = bench.folder.join(format!("market-{}", index + 1));
        let (market, config) = (markets[index].clone(), asked.config.clone());
        let (span, trainings, cancel) = (asked.span(&market), bench.trainings.clone(), bench.cancel.clone());
        async move {
            let end = market.end;
            let rehearsal = Rehearsal::open(config, source(&market, end), &folder, span.until, cancel)?;
            let summary = rehearsal.replay(&span, &trainings).await?;
            Ok(Played { market, rehearsal, summary })
        }
    });
    let played = played.await?;
    let [first, ..] = &played[..] else { return Err(Failure::stage("there is no market to show")) };
    let span = asked.span(&first.market);
    let proofs = prove(asked, bench, first, &span).await?;
    page::report(asked, &played, proofs)
}

fn source(market: &Market, now: Timestamp) -> Arc<dyn DataSource> {
    Arc::new(ReplaySource::new(market.bars.clone(), market.absent, now))
}

/// Puts to the proof what cycles and traders promise, on the first market.
async fn prove(
    asked: &Asked,
    bench: &Bench,
    played: &Played,
    span: &Span,
) -> Result<Vec<DemoProof>, Failure> {
    let Played { market, rehearsal, .. } = played;
    let request = DatasetRequest { as_of: Some(market.end), ..asked.config.dataset.clone() };
    let honest = LookAhead::check(rehearsal, &request, LOOK_AHEAD_TIMES).await?;
    let leaking = Arc::new(LeakingSource(source(market, market.end)));
    let leaking = Rehearsal::open(
        asked.config.clone(),
        leaking,
        &bench.folder.join("leak"),
        market.end,
        bench.cancel.clone(),
    )?;
    let caught = LookAhead::check(&leaking, &request, LOOK_AHEAD_TIMES).await?;

    // The session needs the bars that warm features up, and its own.
    let window_bars = request.window_bars + LIVE_BARS;
    let dataset = rehearsal.dataset(&DatasetRequest { window_bars, ..request }).await?;
    let session = live::trade(rehearsal, &dataset, span.until, &bench.folder.join("live")).await?;
    Ok(vec![
        proofs::leak(&honest, &caught),
        proofs::torn(&session),
        proofs::swap(&session, dataset.timeframe(), LIVE_BARS),
        proofs::parity(&session),
    ])
}

fn tell(report: &DemoReport, to: &Path, output: Output) -> Result<(), Failure> {
    write_atomic(to, demo_html(report).as_bytes()).map_err(|error| Failure::from_error(&error))?;
    match output {
        Output::Quiet => {}
        Output::Json => say(&format!("{}\n", serde_json::json!(report)))?,
        Output::Human => say(&print::text(report, to))?,
    }
    let failed: Vec<&str> =
        report.proofs.iter().filter(|proof| !proof.held).map(|proof| proof.sentence.as_str()).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::stage(format!("what was to be shown does not hold: {}", failed.join("; ")))),
    }
}

/// Whether the bars are made up.
fn is_synthetic(config: &OrchestrateConfig) -> bool {
    matches!(config.source, walkforward::source::SourceConfig::Synthetic)
}
