//! Every condition of the gate.

use walkforward_core::{Comparison, GateCheck, Judgement, Verdict};

use crate::bounds::{MAX_ROWS, bounded};
use crate::markup::{Element, el, figure, header, left_out, row_header, table};
use crate::numbers;
use crate::page::{Section, View};
use crate::sections::{note, result};

/// Conditions in words, by their names in records, and whether they are fractions.
const NAMES: [(&str, &str, bool); 25] = [
    ("winRate", "Win rate", true),
    ("maxDrawdown", "Largest drawdown", true),
    ("pnlPerTrade", "Return per trade", true),
    ("totalReturn", "Total return", true),
    ("exposure", "Time in the market", true),
    ("sharpe", "Sharpe ratio", false),
    ("trades", "Closed trades", false),
    ("unseenBars", "Unseen bars", false),
    ("mechanicalProblems", "Mechanical problems", false),
    ("undefinedMetrics", "Undefined figures", false),
    ("turnoverPerDay", "Turnover a day", false),
    ("armTrades", "Closed trades of the arm", false),
    ("differingStretches", "Stretches that differ", false),
    ("countedBars", "Counted bars", false),
    ("differingBars", "Bars that differ", false),
    ("p", "Luck does as well: p", false),
    ("z", "Registered test: Z", false),
    ("logE", "E-process: log E", false),
    ("crossings", "Crossings that stay", false),
    ("grade", "Grade", false),
    ("hoursSinceTakeover", "Hours since a takeover", false),
    ("sameBars", "Same bars", false),
    ("agreement", "Agreement", true),
    ("pWorse", "Worse: p", false),
    (INFORMATION, "Beside holding the asset", true),
];
/// What stands among the conditions and is none.
const INFORMATION: &str = "holdingAtExposure";

/// The ledger of conditions.
pub(crate) fn gate(view: &View<'_>) -> Section {
    let content = match &view.report.verdict {
        None => vec![note("No gate has judged the model.")],
        Some(verdict) if verdict.checks.is_empty() => vec![note("The gate recorded no conditions.")],
        Some(verdict) => ledger(verdict),
    };
    Section { id: "gate", title: "Gate", content }
}

fn ledger(verdict: &Verdict) -> Vec<Element> {
    let (shown, rest) = bounded(&verdict.checks, MAX_ROWS);
    let conditions = || verdict.checks.iter().filter(|check| check.name != INFORMATION);
    let passed = conditions().filter(|check| check.judgement == Judgement::Pass).count();
    let summary = format!(
        "{} of {} conditions of the rules “{}” hold.",
        numbers::whole(passed as u64),
        numbers::whole(conditions().count() as u64),
        verdict.preset
    );
    let columns =
        [("Condition", false), ("Result", false), ("Measured", true), ("Needed", true), ("In words", false)];
    let ledger = table("Conditions of the gate", header(&columns), shown.iter().map(row));
    [note(summary), ledger].into_iter().chain(left_out(rest, "conditions are")).collect()
}

fn row(check: &GateCheck) -> Element {
    let known = NAMES.iter().find(|(name, _, _)| *name == check.name);
    let label = known.map_or(check.name.as_str(), |(_, label, _)| label);
    let is_fraction = known.is_some_and(|(_, _, is_fraction)| *is_fraction);
    let write = if is_fraction { numbers::percent } else { numbers::figure };
    let result = match check.judgement {
        _ if check.name == INFORMATION => el("span").class("pill").text("No condition"),
        Judgement::Pass => result("pass", "Pass"),
        Judgement::Fail => result("fail", "Fail"),
        Judgement::Unknown => result("unknown", "Unknown"),
    };
    let sign = match check.comparison {
        Comparison::AtLeast => "≥",
        Comparison::AtMost => "≤",
    };
    el("tr")
        .add(row_header(label))
        .add(el("td").add(result))
        .add(figure(
            check
                .measured
                .filter(|value| value.is_finite())
                .map(|value| measured(value, check.threshold, write)),
        ))
        .add(figure(Some(format!("{sign} {}", write(check.threshold)))))
        .add(el("td").class("words").text(&check.sentence))
}

/// `value` as `write` has it, or with all its digits where rounding would make it look like its threshold.
fn measured(value: f64, threshold: f64, write: fn(f64) -> String) -> String {
    let misleads = value != threshold && write(value) == write(threshold);
    if misleads { value.to_string() } else { write(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_is_never_rounded_away() {
        assert_eq!(measured(0.549_999_9, 0.55, numbers::percent), "0.5499999");
        assert_eq!(measured(0.55, 0.55, numbers::percent), "55.00\u{202f}%");
        assert_eq!(measured(0.5, 0.55, numbers::percent), "50.00\u{202f}%");
    }
}
