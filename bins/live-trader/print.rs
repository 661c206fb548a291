//! What a session prints.

use std::path::Path;

use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_live::{
    GuardRule, Recovered, RuleStanding, SessionSummary, ShadowRole, TraderStatus, VerifyReport, WatchReport,
};

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
    let mode = status.mode;
    say(&format!("{bar}  equity {:.2}  position {position:.0} %  {mode}  {model}\n", status.equity))
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
        "bars       {}{span} ({} missing, {} missed)\nmodels     {models}, {} refused\ndecisions  {}, {} orders, {} fills, fees {:.2}\n",
        summary.bars,
        summary.missing_bars,
        summary.missed_bars,
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

/// Where the watch over the champion stood at the session's end.
pub(crate) fn watched(report: &WatchReport, output: Output) -> Result<(), Failure> {
    match output {
        Output::Human => say(&watched_lines(report)),
        Output::Json | Output::Quiet => Ok(()),
    }
}

fn watched_lines(report: &WatchReport) -> String {
    let Some(champion) = &report.champion else { return "watch      no champion to watch\n".to_owned() };
    let anchor = report.anchor.as_ref().map_or("no position", |anchor| anchor.as_str());
    let standing: Vec<String> = report.standing.iter().map(rule_words).collect();
    format!(
        "watch      {champion} for {} bars, beside {anchor} and {} more models\n           {}\n",
        report.guard_bars,
        report.ledgers.iter().filter(|bar| bar.role == ShadowRole::Challenger).count(),
        standing.join(", ")
    )
}

/// Where a rule stands, and what it allows.
fn rule_words(standing: &RuleStanding) -> String {
    let number = |value: f64| match standing.rule {
        GuardRule::Drawdown => format!("{:.1} %", 100.0 * value),
        GuardRule::Errors => format!("{value:.0}"),
        GuardRule::Evidence | GuardRule::Turnover => format!("{value:.2}"),
    };
    let limit = standing.limit.map_or_else(|| "off".to_owned(), number);
    format!("{} {} ({limit})", standing.rule, number(standing.value))
}

/// What running again came to.
pub(crate) fn verified(report: &VerifyReport, journal: &Path, output: Output) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => {
            let line = serde_json::json!({
                "sessions": report.sessions, "segments": report.segments, "bars": report.bars,
                "decisions": report.decisions, "on_recorded_observations": report.on_recorded_observations,
                "without_weights": report.without_weights, "fills": report.fills,
                "differences": report.difference_count, "torn_bytes": report.torn_bytes,
            });
            say(&format!("{line}\n"))
        }
        Output::Human => say(&verified_lines(report, journal)),
    }
}

fn verified_lines(report: &VerifyReport, journal: &Path) -> String {
    let VerifyReport { sessions, segments, bars, decisions, fills, difference_count, .. } = report;
    let mut text = format!(
        "{}: {sessions} sessions in {segments} segments; {bars} bars, {decisions} decisions and {fills} fills made again: \
         {}\n",
        journal.display(),
        match difference_count {
            0 => "all of it came out the same".to_owned(),
            count => format!("{count} segments came out differently"),
        },
    );
    for (count, what) in [
        (report.without_weights, "decisions were taken from the journal: the model's weights are gone"),
        (
            report.on_recorded_observations,
            "decisions were made on recorded observations: earlier bars are gone",
        ),
        (report.torn_bytes, "bytes are a record that was cut off: left out"),
    ] {
        if count > 0 {
            text += &format!("  {count} {what}\n");
        }
    }
    for difference in &report.differences {
        let time = difference.open_time.map_or("its head".to_owned(), |time| format!("the bar of {time}"));
        let model =
            difference.model.as_ref().map_or("no model".to_owned(), |model| model.model_id.to_string());
        text += &format!("  {}, {time}, {model}: {}\n", difference.path.display(), difference.reason);
    }
    text
}

/// A session goes on.
pub(crate) fn resumed(before: &Recovered) -> Result<(), Failure> {
    let (session, mode) = (before.desk.session(), before.desk.risk().mode());
    let last = before.last_bar.map_or("no bar".to_owned(), |last| format!("the bar of {last}"));
    say(&format!(
        "goes on after {last}: {} bars, equity {:.2}, position {}, {mode}\n",
        before.bars,
        session.equity(),
        session.position(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_says_whom_it_has_in_view_and_where_each_rule_stands() {
        let nobody = WatchReport::default();
        assert!(watched_lines(&nobody).contains("no champion to watch"));
        let standing = |rule, value, limit| RuleStanding { rule, value, limit };
        let report = WatchReport {
            champion: Some("model-2026-01-01T00-00-00-000Z".parse().unwrap()),
            guard_bars: 120,
            standing: vec![
                standing(GuardRule::Evidence, 0.754, Some(5.0)),
                standing(GuardRule::Drawdown, 0.0213, Some(0.05)),
                standing(GuardRule::Turnover, 1.5, None),
                standing(GuardRule::Errors, 0.0, Some(3.0)),
            ],
            ..nobody
        };
        assert_eq!(
            watched_lines(&report),
            "watch      model-2026-01-01T00-00-00-000Z for 120 bars, beside no position and 0 more models\n           \
             evidence 0.75 (5.00), drawdown 2.1 % (5.0 %), turnover 1.50 (off), errors 0 (3)\n"
        );
    }
}
