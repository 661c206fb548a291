//! `orchestrate data fetch`.

use walkforward::failure::{Failure, chain};
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_core::BarRequest;
use walkforward_etl::CacheSummary;

use super::Desk;
use super::show::grouped;

/// Asks a service for the bars of the window, and the history before it, that are not kept yet.
pub(super) async fn run(desk: &Desk) -> Result<(), Failure> {
    let config = &desk.config;
    let request = BarRequest {
        symbol: config.dataset.symbol.clone(),
        timeframe: config.dataset.timeframe,
        as_of: config.dataset.as_of,
        bars: config.dataset.window_bars.saturating_add(config.dataset.features.history_bars()),
        calendar: config.calendar.clone(),
    };
    let kept = config.source.kept(&request, &desk.clock)?.ok_or_else(|| {
        Failure::input(
            "only bars of a service that are kept are fetched: --source alpaca with --cache=true; files are read where \
             they are, and adjusted stock prices are asked for anew each time (alpaca.adjustment = \"raw\" keeps them)",
        )
    })?;
    let summary = || kept.cache.summary(&kept.key).map_err(|error| Failure::from_error(&error));
    let before = summary()?;
    let source = config.source.open(&request.symbol, config.seed, &desk.clock)?;
    let answer = source.bars(&request).await.map_err(|error| Failure::of_source(&error))?;
    let after = summary()?;
    let (given, revised) = (answer.bars.len(), answer.revised.len());
    match desk.output {
        Output::Quiet => Ok(()),
        Output::Json => say(&format!(
            "{}\n",
            serde_json::json!({
                "key": kept.key.to_string(),
                "folder": kept.folder,
                "bars": given,
                "revised": revised,
                "rowsBefore": before.rows,
                "rows": after.rows,
                "segments": after.segments,
                "covered": after.covered,
            })
        )),
        Output::Human => say(&format!(
            "{}\nkept      {} rows in {} files below {}, {} of them new\ncovered   {}\nwindow    {} bars, {} \
             revised since they were first learnt\n",
            kept.key,
            grouped(after.rows),
            after.segments,
            kept.folder.display(),
            grouped(after.rows.saturating_sub(before.rows)),
            covered(&after),
            grouped(given),
            grouped(revised),
        )),
    }
}

fn covered(summary: &CacheSummary) -> String {
    let spans: Vec<String> = summary.covered.iter().map(ToString::to_string).collect();
    spans.join(", ")
}

/// The causes of an error of the cache, for a person.
pub(super) fn cache_failure(error: &walkforward_etl::Error) -> Failure {
    Failure::input(chain(error))
}
