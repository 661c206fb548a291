//! What a session prints.

use std::path::Path;

use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_live::{ReplayReport, SessionSummary, TraderStatus};

/// The line has no model to trade.
pub(crate) fn no_champion(pointer: &Path, output: Output) -> Result<(), Failure> {
    match output {
        Output::Human => say(&format!(
            "{} does not exist: the session stays flat (no_model) until a model is promoted\n",
            pointer.display()
        )),
        Output::Json | Output::Quiet => Ok(()),
    }
}

/// Where a running session is.
pub(crate) fn status(status: &TraderStatus) -> Result<(), Failure> {
    let model = status.model.as_ref().map_or_else(
        || "no model".to_owned(),
        |model| format!("{} (version {})", model.model_id, model.model_version),
    );
    let bar = status.last_bar.map(|time| time.to_string()).unwrap_or_default();
    let position = 100.0 * status.position_fraction;
    say(&format!("{bar}  equity {:.2}  position {position:.0} %  {model}\n", status.equity))
}

/// What a session came to.
pub(crate) fn summary(summary: &SessionSummary, journal: &Path, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => {
            let line = serde_json::to_string(summary).map_err(|error| Failure::stage(error.to_string()))?;
            say(&format!("{line}\n"))
        }
        Output::Human => say(&human(summary, journal)),
    }
}

fn human(summary: &SessionSummary, journal: &Path) -> String {
    let span = match (summary.first_bar, summary.last_bar) {
        (Some(first), Some(last)) => format!(" from {first} to {last}"),
        _ => String::new(),
    };
    let models = match summary.model_versions {
        Some((first, last)) => format!("model versions {first} to {last}, {} swaps", summary.swaps),
        None => "no model".to_owned(),
    };
    let mut text = format!(
        "bars       {}{span} ({} missing)\nmodels     {models}, {} refused\ndecisions  {}, {} orders, {} fills, fees {:.2}\n",
        summary.bars,
        summary.missing_bars,
        summary.refused_models,
        summary.decisions,
        summary.orders,
        summary.fills,
        summary.fees_quote,
    );
    text += &format!(
        "equity     {:.2} ({:+.2} %), largest drawdown {:.2} %\njournal    {}\n",
        summary.equity,
        100.0 * summary.total_return,
        100.0 * summary.max_drawdown,
        journal.display(),
    );
    text
}

/// What deciding again came to.
pub(crate) fn verified(report: &ReplayReport, journal: &Path, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => {
            let line = serde_json::json!({
                "sessions": report.sessions, "bars": report.bars, "decisions": report.decisions,
                "mismatches": report.mismatch_count, "torn_bytes": report.torn_bytes,
            });
            say(&format!("{line}\n"))
        }
        Output::Human => say(&verified_lines(report, journal)),
    }
}

fn verified_lines(report: &ReplayReport, journal: &Path) -> String {
    let mut text = format!(
        "{}: {} sessions, {} bars, {} decisions made again, {} came out differently\n",
        journal.display(),
        report.sessions,
        report.bars,
        report.decisions,
        report.mismatch_count
    );
    if report.torn_bytes > 0 {
        text += &format!("  the last {} bytes are a record that was cut off: left out\n", report.torn_bytes);
    }
    for mismatch in &report.mismatches {
        let (model, time) = (&mismatch.model.model_id, mismatch.open_time);
        text += &format!("  {time} {model}: recorded {:?}, now {:?}\n", mismatch.recorded, mismatch.replayed);
    }
    text
}
