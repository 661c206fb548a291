//! What a session prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command's output")]

use std::path::Path;

use walkforward::failure::Failure;
use walkforward::settings::Output;
use walkforward_live::{ReplayReport, SessionSummary, TraderStatus};

/// The end of a session that failed.
pub(crate) fn failure(failure: &Failure) {
    eprintln!("error: {failure}");
}

/// The line has no model to trade.
pub(crate) fn no_champion(pointer: &Path, output: Output) {
    if output == Output::Human {
        println!(
            "{} does not exist: the session stays flat (no_model) until a model is promoted",
            pointer.display()
        );
    }
}

/// Where a running session is.
pub(crate) fn status(status: &TraderStatus, output: Output) {
    if output != Output::Human {
        return;
    }
    let model = status.model.as_ref().map_or_else(
        || "no model".to_owned(),
        |model| format!("{} (version {})", model.model_id, model.model_version),
    );
    let bar = status.last_bar.map(|time| time.to_string()).unwrap_or_default();
    println!(
        "{bar}  equity {:.2}  position {:.0} %  {model}",
        status.equity,
        100.0 * status.position_fraction
    );
}

/// What a session came to.
pub(crate) fn summary(summary: &SessionSummary, journal: &Path, output: Output) {
    match output {
        Output::Quiet => {}
        Output::Json => match serde_json::to_string(summary) {
            Ok(line) => println!("{line}"),
            Err(error) => eprintln!("error: the summary can't be written: {error}"),
        },
        Output::Human => print!("{}", human(summary, journal)),
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
pub(crate) fn verified(report: &ReplayReport, journal: &Path, output: Output) {
    match output {
        Output::Quiet => {}
        Output::Json => println!(
            "{}",
            serde_json::json!({
                "sessions": report.sessions, "bars": report.bars, "decisions": report.decisions,
                "mismatches": report.mismatch_count,
            })
        ),
        Output::Human => {
            println!(
                "{}: {} sessions, {} bars, {} decisions made again, {} came out differently",
                journal.display(),
                report.sessions,
                report.bars,
                report.decisions,
                report.mismatch_count
            );
            for mismatch in &report.mismatches {
                let model = &mismatch.model.model_id;
                println!(
                    "  {} {model}: recorded {:?}, now {:?}",
                    mismatch.open_time, mismatch.recorded, mismatch.replayed
                );
            }
        }
    }
}
