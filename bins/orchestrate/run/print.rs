//! What a run prints.

mod skipped;

use walkforward::failure::Failure;
use walkforward::output::{complain, say};
use walkforward::settings::Output;
use walkforward_core::{Comparison, GateCheck, Judgement, Metrics, QualityFigures, TrainingOutcome, Verdict};
use walkforward_orchestrator::RunReport;
use walkforward_report::{Warned, cautions};
use walkforward_store::RunOutcome;

pub(super) use skipped::skipped;

use crate::figures;
use crate::table::{Align, Table};
use crate::text::{self, minute};

/// Prints a run that ended in a verdict.
pub(super) fn report(report: &RunReport, output: Output) -> Result<(), Failure> {
    match output {
        Output::Human => say(&human(report)),
        Output::Json => say(&format!("{}\n", json(report))),
        Output::Quiet => Ok(()),
    }
}

/// Prints a run of the loop that failed; the loop goes on.
pub(super) fn failed(cycle: u64, failure: &Failure, output: Output) {
    complain(&format!("cycle {cycle}: {failure}"));
    if output == Output::Json {
        let line = serde_json::json!({ "outcome": "failed", "cycle": cycle, "reason": failure.message });
        // Nobody to tell it to: the log has it.
        let _ = say(&format!("{line}\n"));
    }
}

fn json(report: &RunReport) -> String {
    serde_json::to_string(report).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

fn human(report: &RunReport) -> String {
    let mut parts = vec![heading(report), data(report), comparison(report)];
    let candidate = &report.candidate;
    let samples = figures::samples(candidate.in_sample.as_ref(), candidate.out_of_sample.as_ref());
    parts.extend(samples.map(|samples| samples.to_string()));
    parts.extend([gates(&report.verdict), ending(report)]);
    parts.join("\n")
}

fn heading(report: &RunReport) -> String {
    let RunReport { symbol, timeframe, origin, window, window_bars, holdout_bars, run_id, .. } = report;
    let (from, to) = (minute(window.start()), minute(window.end()));
    let window = format!("{from} to {to}, {window_bars} bars, the last {holdout_bars} held out");
    let run = text::labelled("run", run_id.as_str());
    format!("{symbol} {timeframe} from {origin}\n{}{run}", text::labelled("window", &window))
}

fn data(report: &RunReport) -> String {
    let window = &report.quality.window;
    let cut_short = report.quality.file.as_ref().is_some_and(|file| file.unterminated_last_line);
    let warning = if cut_short { "; the file's last line has no end: it may be cut short" } else { "" };
    let data = format!("{}, {} without volume{warning}", holes(window), window.zero_volume_bars);
    let TrainingOutcome { iterations, environment_steps, used_until, .. } = &report.training;
    let until = minute(*used_until);
    let training = format!("{iterations} iterations, {environment_steps} steps, bars until {until}");
    let candidate = &report.candidate;
    let decisions = figures::decisions(candidate.action_map, &candidate.action_share);
    let decisions = decisions.map(|text| text::labelled("decisions", &text)).unwrap_or_default();
    format!("{}{}{decisions}", text::labelled("data", &data), text::labelled("training", &training))
}

fn holes(window: &QualityFigures) -> String {
    let share = 100.0 * window.missing_share();
    match (window.missing_bars, window.missing_base_bars) {
        (0, 0) => "no bar missing".to_owned(),
        (missing, 0) => {
            format!("{missing} bars missing ({share:.2} %, longest hole {})", window.longest_hole_bars)
        }
        (missing, base) => format!("{missing} bars and {base} of the shorter ones missing ({share:.2} %)"),
    }
}

fn comparison(report: &RunReport) -> String {
    let subjects: Vec<(&str, &Metrics)> = std::iter::once(("candidate", &report.candidate))
        .chain(report.champion.iter().map(|champion| ("champion", champion)))
        .chain(report.baselines.iter().map(|baseline| (baseline.subject.as_str(), baseline)))
        .map(|(name, subject)| (name, &subject.metrics))
        .collect();
    let on = match &report.judged_span {
        Some(_) => format!("on {} bars", report.candidate.metrics.bars.unwrap_or(0)),
        None => "supplied metrics".to_owned(),
    };
    figures::table(&on, report.judged_span, &subjects).to_string()
}

fn gates(verdict: &Verdict) -> String {
    let columns = [
        ("gate", Align::Left),
        ("measured", Align::Right),
        ("threshold", Align::Right),
        ("verdict", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for check in &verdict.checks {
        table.row(vec![check.name.clone(), measured(check), threshold(check), judgement(check).to_owned()]);
    }
    table.to_string()
}

fn measured(check: &GateCheck) -> String {
    match check.measured {
        None => "undefined".to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value}"),
        Some(value) => format!("{value:.4}"),
    }
}

fn threshold(check: &GateCheck) -> String {
    let sign = match check.comparison {
        Comparison::AtLeast => ">=",
        Comparison::AtMost => "<=",
    };
    format!("{sign} {}", check.threshold)
}

fn judgement(check: &GateCheck) -> &'static str {
    match check.judgement {
        Judgement::Pass => "pass",
        Judgement::Fail => "FAIL",
        Judgement::Unknown => "unknown",
    }
}

/// What has to be known, and how the run ended.
fn ending(report: &RunReport) -> String {
    let named = std::iter::once(("candidate", &report.candidate))
        .chain(report.champion.iter().map(|champion| ("champion", champion)));
    let measured: Vec<Warned<'_>> =
        named.map(|(label, it)| Warned { label, subject: &it.subject, warnings: &it.warnings }).collect();
    let warnings = cautions(Some(&report.verdict), &measured);
    let warnings: String = warnings.iter().map(|text| text::labelled("warning", text)).collect();
    format!("{warnings}{}", summary(report))
}

fn summary(report: &RunReport) -> String {
    let pointer = match (&report.outcome, &report.pointer) {
        (RunOutcome::Promoted, Some(pointer)) => format!("; {pointer} names it"),
        _ => String::new(),
    };
    let outcome = format!("{}: ", report.outcome.as_str());
    text::labelled(&outcome, &format!("{}{pointer} ({:.1} s)", report.verdict.sentence, report.elapsed_s))
}
