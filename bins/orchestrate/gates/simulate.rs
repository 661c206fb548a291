//! `orchestrate gates simulate`: runs the worlds.

use std::io::IsTerminal;

use clap::ArgMatches;
use indicatif::ProgressBar;
use serde::Serialize;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_durable::write_atomic;
use walkforward_simulation::{
    ArmOutcome, ArmStudy, LineOutcome, LineStudy, PairWorld, Restart, Snapshots, Worlds,
};

use super::request::{Request, refuse};
use super::{plot, tables};
use crate::text::labelled;

/// What all worlds came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) asked: Request,
    /// One arm, for each gap.
    pub(super) arms: Vec<ArmOutcome>,
    /// Lines of a good arm and others without skill, for each gap and kind of snapshots.
    pub(super) lines: Vec<LineRow>,
}

/// What a line came to.
#[derive(Debug, Serialize)]
pub(super) struct LineRow {
    pub(super) gap: f64,
    pub(super) snapshots: Snapshots,
    pub(super) outcome: LineOutcome,
}

/// Runs what `matches` ask for and prints it.
pub(super) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let asked = Request::of(settings, matches)?;
    let kinds = [Snapshots::Consistent, asked.independent];
    let total = asked.gaps.len() * (asked.worlds + kinds.len() * asked.line_worlds);
    let is_shown = output == Output::Human && std::io::stderr().is_terminal();
    let progress = if is_shown { ProgressBar::new(total as u64) } else { ProgressBar::hidden() };
    let on_world = || progress.inc(1);
    let worlds =
        Worlds { threads: asked.threads, on_world: &on_world, ..Worlds::new(asked.worlds, asked.seed) };

    let arms = asked.gaps.iter().map(|gap| arm_study(&asked, *gap).run(&worlds));
    let arms = arms.collect::<Result<_, _>>().map_err(|error| refuse(&error))?;
    let mut lines = Vec::new();
    if asked.line_worlds > 0 {
        let worlds = Worlds { count: asked.line_worlds, ..worlds };
        for (snapshots, gap) in
            kinds.into_iter().flat_map(|kind| asked.gaps.iter().map(move |gap| (kind, *gap)))
        {
            let outcome = line_study(&asked, snapshots, gap).run(&worlds).map_err(|error| refuse(&error))?;
            lines.push(LineRow { gap, snapshots, outcome });
        }
    }
    progress.finish_and_clear();
    let report = Report { asked, arms, lines };
    if let Some(path) = &report.asked.plot {
        write_atomic(path, plot::svg(&report).as_bytes()).map_err(|error| Failure::from_error(&error))?;
    }
    print(output, &report)
}

fn print(output: Output, report: &Report) -> Result<(), Failure> {
    match output {
        Output::Quiet => Ok(()),
        Output::Json => say(&format!("{}\n", serde_json::json!(report))),
        Output::Human => {
            let plot = report.asked.plot.as_ref();
            let plot = plot.map(|path| format!("\n{}", labelled("plot", &path.display().to_string())));
            say(&(tables::text(report) + &plot.unwrap_or_default()))
        }
    }
}

fn arm_study(asked: &Request, gap: f64) -> ArmStudy {
    let (market, against, cadence_bars) = (asked.market, asked.against, asked.cadence_bars);
    let world =
        PairWorld { market, against, snapshots: Snapshots::Consistent, cadence_bars, fee: asked.cost };
    let (days, replayed_days, rules) = (asked.days, asked.replayed_days, asked.rules.clone());
    ArmStudy { world, gap, days, replayed_days, rules }
}

/// One arm with the gap, and as many without skill as share the error.
fn line_study(asked: &Request, snapshots: Snapshots, gap: f64) -> LineStudy {
    let others = asked.rules.max_arms.saturating_sub(1) as usize;
    LineStudy {
        market: asked.market,
        arms: std::iter::once(gap).chain(std::iter::repeat_n(0.0, others)).collect(),
        agreement: asked.agreement,
        snapshots,
        cadence_bars: asked.cadence_bars,
        fee: asked.cost,
        days: asked.days,
        restart: Restart::AtTakeover,
        rules: asked.rules.clone(),
    }
}
