//! What a run prints.

use walkforward::failure::Failure;
use walkforward::output::{complain, say};
use walkforward::settings::Output;
use walkforward_core::{Comparison, GateCheck, Judgement, Metrics, QualityFigures, Verdict};
use walkforward_orchestrator::RunReport;
use walkforward_store::RunOutcome;

use crate::figures;
use crate::table::{Align, Table};

/// Prints a run that ended in a verdict.
pub(super) fn report(report: &RunReport, output: Output) -> Result<(), Failure> {
    match output {
        Output::Human => say(&human(report)),
        Output::Json => say(&format!("{}\n", json(report))),
        Output::Quiet => Ok(()),
    }
}

/// Prints that there was no run.
pub(super) fn skipped(reason: &str, output: Output) -> Result<(), Failure> {
    match output {
        Output::Human => say(&format!("skipped: {reason}\n")),
        Output::Json => say(&format!("{}\n", serde_json::json!({ "outcome": "skipped", "reason": reason }))),
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
    [heading(report), data(report), comparison(report), gates(&report.verdict), summary(report)].join("\n")
}

fn heading(report: &RunReport) -> String {
    let days = |span: &walkforward_core::Window| {
        let date = |time: walkforward_core::Timestamp| time.to_string()[..16].replace('T', " ");
        format!("{} to {}", date(span.start()), date(span.end()))
    };
    format!(
        "{} {} from {}\nwindow    {} ({} bars, the last {} held out)\nrun       {}\n",
        report.symbol,
        report.timeframe,
        report.origin,
        days(&report.window),
        report.window_bars,
        report.holdout_bars,
        report.run_id,
    )
}

fn data(report: &RunReport) -> String {
    let window = &report.quality.window;
    let cut_short = report.quality.file.as_ref().is_some_and(|file| file.unterminated_last_line);
    let warning = if cut_short { "; the file's last line has no end: it may be cut short" } else { "" };
    let training = &report.training;
    format!(
        "data      {}, {} without volume{warning}\ntraining  {} iterations, {} steps, bars until {}\n",
        holes(window),
        window.zero_volume_bars,
        training.iterations,
        training.environment_steps,
        training.used_until,
    )
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
    figures::table(&on, &subjects).to_string()
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

fn summary(report: &RunReport) -> String {
    let pointer = match (&report.outcome, &report.pointer) {
        (RunOutcome::Promoted, Some(pointer)) => format!("; {pointer} names it"),
        _ => String::new(),
    };
    let outcome = report.outcome.as_str();
    format!("{outcome}: {}{pointer} ({:.1} s)\n", report.verdict.sentence, report.elapsed_s)
}
