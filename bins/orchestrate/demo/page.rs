//! The report that is printed, written as a page and given as JSON.

use walkforward::failure::Failure;
use walkforward_core::Window;
use walkforward_orchestrator::replay::ReplayCurve;
use walkforward_report::{DemoEquity, DemoMarket, DemoProof, DemoReport};

use super::request::Asked;
use super::{LIVE_BARS, Played, is_synthetic, sentences};
use crate::replay::figures::{Counts, changes, most_telling};
use crate::replay::page::{MAX_CHANGES, change, equity};

/// The report about `played`.
pub(super) fn report(
    asked: &Asked,
    played: &[Played],
    proofs: Vec<DemoProof>,
) -> Result<DemoReport, Failure> {
    Ok(DemoReport {
        days: asked.days,
        every: asked.every.to_string().trim_start_matches("every ").to_owned(),
        iterations: asked.iterations(),
        seed: asked.config.seed,
        command: asked.command.clone(),
        markets: played.iter().map(|played| market(asked, played)).collect::<Result<_, _>>()?,
        proofs,
        settings: settings(asked),
        notes: notes(asked, played),
    })
}

fn market(asked: &Asked, played: &Played) -> Result<DemoMarket, Failure> {
    let Played { market, summary, .. } = played;
    let counts = Counts::of(summary);
    let (changed, changes_left_out) = most_telling(changes(summary), MAX_CHANGES);
    let span = asked.span(market);
    let span = Window::new(span.from(), span.until).map_err(|error| Failure::stage(error.to_string()))?;
    let models = summary.cycles.iter().filter(|cycle| cycle.model.is_some()).count();
    let promotions = |name: &str| match name {
        "line" => Some((counts.takeovers + counts.refreshes) as u64),
        "auto_deploy" => Some(models as u64),
        "thresholds" => Some(counts.thresholds as u64),
        _ => None,
    };
    let compared = |curve: &ReplayCurve| DemoEquity {
        equity: named(equity(curve, summary.bars_per_year), &curve.name),
        promotions: promotions(&curve.name),
    };
    Ok(DemoMarket {
        name: market.name.to_owned(),
        explanation: format!("{}.", market.explanation),
        symbol: asked.config.dataset.symbol.clone(),
        timeframe: market.bars.timeframe(),
        span,
        cycles: counts.cycles as u64,
        equities: summary.curves.iter().map(compared).collect(),
        changes: changed.into_iter().map(change).collect(),
        changes_left_out,
        refusals: counts.refusals.iter().map(|(reason, count)| (reason.clone(), *count as u64)).collect(),
    })
}

/// The line is walkforward here.
fn named(equity: walkforward_report::ReplayEquity, name: &str) -> walkforward_report::ReplayEquity {
    match name {
        "line" => walkforward_report::ReplayEquity { name: "Walkforward".to_owned(), ..equity },
        _ => equity,
    }
}

fn settings(asked: &Asked) -> Vec<(String, String)> {
    let config = &asked.config;
    let named = |name: &str, value: String| (name.to_owned(), value);
    vec![
        named("Trainer", config.trainer.name().to_owned()),
        named("Window", format!("{} bars", config.dataset.window_bars)),
        named("Hold-out", format!("{} bars", config.dataset.holdout_bars)),
        named("Fee", format!("{} bps", config.session.fee_bps)),
        named("Slippage", format!("{} bps", config.session.slippage_bps)),
        named("Bars traded live", LIVE_BARS.to_string()),
    ]
}

fn notes(asked: &Asked, played: &[Played]) -> Vec<String> {
    let wait_days = asked.config.evidence.rules.first_look_days;
    let of_markets = played
        .iter()
        .flat_map(|it| sentences::about(it.market.name, &it.summary, wait_days))
        .collect::<Vec<_>>();
    let kind = match is_synthetic(&asked.config) {
        true => {
            "The bars are made up. In bars of an hour the market with an edge turns too rarely for 30 days: arms close fewer \
             than the ten trades that a verdict needs."
        }
        false => {
            "Whoever chose these settings could know these bars. The shuffled copy shows how much of the result is left when \
             days say nothing about each other; which days fall into the span is chance, so hold each market against \
             buying and holding on the same bars."
        }
    };
    let story = "Two histories under one seed are two stories, not a measurement: how often each grade is luck is in \
                 docs/evidence.md, and orchestrate gates simulate measures it for your fee and cadence.";
    let fills = "Orders fill at the next bar's open with the fee and slippage below; a market that moves with the orders is \
                 not simulated.";
    of_markets.into_iter().chain([kind, story, fills].map(str::to_owned)).collect()
}
