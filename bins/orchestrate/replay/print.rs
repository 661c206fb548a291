//! What `orchestrate replay` prints.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use walkforward_core::Window;
use walkforward_orchestrator::replay::{ReplaySummary, ReplayedCycle};
use walkforward_report::{annualised, worths};

use super::figures::{Change, Counts, EquityFigures, changes, class, grade, most_telling};
use crate::table::{Align, Table};
use crate::text::{labelled, minute};

/// Changes of champion that are printed; `--json` and the page have them all.
const MAX_CHANGES: usize = 60;
/// Names of the equities for people.
const NAMES: [(&str, &str); 5] = [
    ("line", "the line"),
    ("auto_deploy", "every snapshot at once"),
    ("thresholds", "preset thresholds"),
    ("buy_and_hold", "buy and hold"),
    ("flat", "flat"),
];

/// For a program.
pub(super) fn json(summary: &ReplaySummary, page: Option<&Path>) -> Value {
    let asked = &summary.replay.asked;
    json!({
        "line": asked.line,
        "arm": asked.arm,
        "every": asked.every,
        "from": asked.from,
        "until": asked.until,
        "publishDelayMs": asked.publish_delay_ms,
        "status": summary.replay.status.as_str(),
        "counts": Counts::of(summary),
        "promotions": changes(summary),
        "equity": equities(summary),
        "stream": {
            "bars": summary.audit.bars,
            "deciders": summary.audit.deciders,
            "broken": summary.audit.broken,
            "problems": summary.audit.problems,
        },
        "cycles": summary.cycles.iter().map(cycle).collect::<Vec<_>>(),
        "page": page,
    })
}

fn cycle(cycle: &ReplayedCycle) -> Value {
    json!({
        "dueAt": cycle.due_at,
        "run": cycle.run,
        "model": cycle.model,
        "sha256": cycle.sha256,
        "outcome": cycle.outcome.map(walkforward_store::RunOutcome::as_str),
        "class": class(cycle),
        "grade": grade(cycle),
        "reason": cycle.verdict.as_ref().and_then(|it| it.reason.clone()).or_else(|| cycle.reason.clone()),
        "sentence": cycle.verdict.as_ref().map(|verdict| &verdict.sentence),
        "thresholds": cycle.beside,
    })
}

/// Whose equity it is, for people.
pub(super) fn name_of(name: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == name).map_or(name, |(_, words)| words)
}

fn equities(summary: &ReplaySummary) -> Vec<EquityFigures> {
    summary.curves.iter().map(|curve| EquityFigures::of(curve, summary.bars_per_year)).collect()
}

/// For a person.
pub(super) fn text(summary: &ReplaySummary, page: Option<&Path>) -> String {
    let (changes, more) = most_telling(changes(summary), MAX_CHANGES);
    let mut parts = vec![heading(summary)];
    parts.extend((!changes.is_empty()).then(|| champions(&changes, more)));
    parts.extend((!summary.curves.is_empty()).then(|| equity(summary)));
    parts.push(ending(summary, page));
    parts.join("\n")
}

fn heading(summary: &ReplaySummary) -> String {
    let asked = &summary.replay.asked;
    let Counts { cycles, takeovers, refreshes, rollbacks, refusals, thresholds } = Counts::of(summary);
    let span = format!(
        "{} to {}, {}, decided {} min after it was due",
        minute(asked.from),
        minute(asked.until),
        asked.every,
        asked.publish_delay_ms as f64 / 60_000.0
    );
    let made = format!(
        "{cycles}: {takeovers} takeovers, {refreshes} refreshes, {rollbacks} rollbacks; thresholds alone would have \
         promoted {thresholds}"
    );
    let refused: Vec<String> = refusals.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let refused = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
    format!(
        "line {}, arm {}\n{}{}{}",
        asked.line,
        asked.arm,
        labelled("replayed", &span),
        labelled("cycles", &made),
        labelled("refused", &refused)
    )
}

fn champions(changes: &[Change], more: usize) -> String {
    let columns = ["from", "champion by", "grade", "model"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for change in changes {
        table.row(vec![
            minute(change.at),
            change.kind.to_owned(),
            change.grade.clone().unwrap_or_else(|| "-".to_owned()),
            change.model.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
        ]);
    }
    let more = if more > 0 { format!("and {more} more\n") } else { String::new() };
    let shown = changes.iter().map(|change| change.grade.as_deref());
    format!("{table}{more}{}", worth_of(shown))
}

/// What each grade among `shown` is worth, a line each.
pub(crate) fn worth_of<'a>(shown: impl Iterator<Item = Option<&'a str>>) -> String {
    let shown: BTreeSet<&str> = shown.flatten().collect();
    let worths = worths(|grade| shown.contains(grade.as_str()));
    worths.iter().map(|worth| labelled("worth", worth)).collect()
}

fn equity(summary: &ReplaySummary) -> String {
    let figures = equities(summary);
    let bars = figures.first().map_or(0, |figures| figures.bars);
    let heading = format!("after costs, on {bars} bars");
    let asked = &summary.replay.asked;
    let sharpe = format!("Sharpe, {}", annualised(Window::new(asked.from, asked.until).ok()));
    let mut columns = vec![(heading.as_str(), Align::Left)];
    let figure_names = ["return", sharpe.as_str(), "max drawdown", "time in market"];
    columns.extend(figure_names.map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    let share = |value: f64| format!("{:.2} %", 100.0 * value);
    let or_dash = |value: Option<f64>, write: &dyn Fn(f64) -> String| value.map_or("-".to_owned(), write);
    for it in figures {
        table.row(vec![
            name_of(&it.name).to_owned(),
            or_dash(it.total_return, &share),
            or_dash(it.sharpe, &|value| format!("{value:.2}")),
            or_dash(it.max_drawdown, &share),
            share(it.exposure),
        ]);
    }
    table.to_string()
}

fn ending(summary: &ReplaySummary, page: Option<&Path>) -> String {
    let last = summary.cycles.iter().rev().find_map(|cycle| cycle.verdict.as_ref());
    let last = last.map(|verdict| labelled("last", &verdict.sentence)).unwrap_or_default();
    let audit = &summary.audit;
    let stream = match audit.problems.first() {
        None => format!(
            "{} bars, each scored once, by the newest of {} snapshots that could not have seen it",
            audit.bars, audit.deciders
        ),
        Some(first) => format!("{} of {} bars are not as they have to be: {first}", audit.broken, audit.bars),
    };
    let page = page.map(|page| labelled("page", &page.display().to_string())).unwrap_or_default();
    format!("{last}{}{page}", labelled("stream", &stream))
}
