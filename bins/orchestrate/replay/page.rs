//! The page about a replay.

use walkforward::failure::Failure;
use walkforward_core::{Symbol, Timeframe, Window};
use walkforward_orchestrator::replay::{ReplayCurve, ReplaySummary};
use walkforward_report::{ReplayChange, ReplayEquity, ReplayReport, replay_html};

use super::figures::{Change, Counts, EquityFigures, changes, most_telling};
use super::print::name_of;

/// Changes of champion on the page.
pub(crate) const MAX_CHANGES: usize = 200;
/// What each equity means.
const EXPLANATIONS: [(&str, &str); 5] = [
    ("line", "the champion of each time; nothing before the first"),
    ("auto_deploy", "each newest model from the moment it was made, unjudged"),
    ("thresholds", "the newest model that passed three fixed bounds on its hold-out"),
    ("buy_and_hold", "the asset from the second bar on"),
    ("flat", "no position"),
];

/// The text of the page about `summary`.
pub(super) fn html(summary: &ReplaySummary, market: &(Symbol, Timeframe)) -> Result<String, Failure> {
    let asked = &summary.replay.asked;
    let span = Window::new(asked.from, asked.until).map_err(|error| Failure::stage(error.to_string()))?;
    let counts = Counts::of(summary);
    let (changed, changes_left_out) = most_telling(changes(summary), MAX_CHANGES);
    let report = ReplayReport {
        line: asked.line.clone(),
        symbol: market.0.clone(),
        timeframe: market.1,
        span,
        cycles: counts.cycles as u64,
        equities: summary.curves.iter().map(|curve| equity(curve, summary.bars_per_year)).collect(),
        changes: changed.into_iter().map(change).collect(),
        changes_left_out,
        refusals: counts.refusals.iter().map(|(reason, count)| (reason.clone(), *count as u64)).collect(),
        grading: summary.cycles.iter().rev().find_map(|cycle| cycle.verdict.as_ref()?.grading.clone()),
        settings: settings(summary, &counts),
        notes: notes(summary),
    };
    Ok(replay_html(&report))
}

/// An equity on a page.
pub(crate) fn equity(curve: &ReplayCurve, bars_per_year: f64) -> ReplayEquity {
    let figures = EquityFigures::of(curve, bars_per_year);
    let explanation = EXPLANATIONS.iter().find(|(name, _)| *name == curve.name);
    ReplayEquity {
        name: capital(name_of(&curve.name)),
        explanation: explanation.map(|(_, text)| (*text).to_owned()).unwrap_or_default(),
        bar_close: curve.bar_close.clone(),
        net_return: curve.net_return.clone(),
        total_return: figures.total_return,
        sharpe: figures.sharpe,
        max_drawdown: figures.max_drawdown,
        exposure: Some(figures.exposure),
    }
}

/// A change of champion on a page.
pub(crate) fn change(change: Change) -> ReplayChange {
    ReplayChange {
        at: change.at,
        kind: change.kind.to_owned(),
        model: change.model.map(|model| model.to_string()),
        grade: change.grade,
        sentence: change.sentence,
    }
}

fn settings(summary: &ReplaySummary, counts: &Counts) -> Vec<(String, String)> {
    let asked = &summary.replay.asked;
    let Counts { takeovers, refreshes, rollbacks, thresholds, .. } = counts;
    let named = |name: &str, value: String| (name.to_owned(), value);
    vec![
        named("Arm", asked.arm.to_string()),
        named("Cycles", asked.every.clone()),
        named("First due", asked.from.to_string()),
        named("Bars until", asked.until.to_string()),
        named("Decides after its due time", format!("{} s", asked.publish_delay_ms as f64 / 1_000.0)),
        named("Takeovers", takeovers.to_string()),
        named("Refreshes", refreshes.to_string()),
        named("Rollbacks", rollbacks.to_string()),
        named("Thresholds would have promoted", thresholds.to_string()),
        named("Scored bars", summary.audit.bars.to_string()),
        named("Snapshots that decided", summary.audit.deciders.to_string()),
        named("Bars that break a rule of the stream", summary.audit.broken.to_string()),
    ]
}

fn notes(summary: &ReplaySummary) -> Vec<String> {
    let replayed =
        "Whoever chose these settings could know these bars: they never count for the grade qualified.";
    let fills = "Orders fill at the next bar's open with the configured fee and slippage; a market that moves with the \
                 orders is not simulated.";
    let broken = summary.audit.problems.iter().map(|problem| capital(problem));
    [replayed.to_owned(), fills.to_owned()].into_iter().chain(broken).collect()
}

/// `text` with a capital at its beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
