//! `orchestrate evidence`: how far the evidence for each arm has come.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::{Output, Settings};
use walkforward_core::{ArmId, LineName, Timestamp};
use walkforward_durable::write_atomic;
use walkforward_report::{
    ArmQuarantine, ArmReport, EvidenceReport, JudgedSnapshot, LineTests, evidence_html,
};
use walkforward_store::{Arm, Snapshot, Store, StoreError};

use crate::home::Home;

mod print;

const ARM: &str = "arm";
const TO: &str = "to";
/// Newest snapshots of an arm among which one with a verdict is looked for: each cycle judges the one that it makes.
const MAX_UNJUDGED: usize = 100;

const ABOUT: &str = "Shows every arm of --line, or of all lines: its grade, what it is measured against, and how far \
it is from the next look and the next grade";

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("evidence")
        .about(ABOUT)
        .arg(
            Arg::new(ARM)
                .long(ARM)
                .value_name("ARM")
                .help("One arm with its whole meter: its id or the beginning of it"),
        )
        .arg(
            Arg::new(TO)
                .long(TO)
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Also writes an HTML page with a meter for every arm"),
        )
}

/// Shows what `matches` ask for.
pub(crate) fn run(settings: &Settings, output: Output, matches: &ArgMatches) -> Result<(), Failure> {
    let home = Home::open(settings, output)?;
    let line: Option<LineName> =
        settings.is_set("line.name").then(|| settings.require("line.name")).transpose()?;
    let mut report = about(&home, line.as_ref())?;
    let asked = matches.get_one::<String>(ARM);
    if let Some(asked) = asked {
        report.arms = vec![only(&report, asked)?];
    }
    let page = matches.get_one::<PathBuf>(TO);
    if let Some(path) = page {
        write_atomic(path, evidence_html(&report).as_bytes()).map_err(|error| Failure::from_error(&error))?;
    }
    match output {
        Output::Quiet => Ok(()),
        Output::Json => {
            let arms: Vec<_> = report.arms.iter().map(print::json).collect();
            say(&format!("{}\n", json!({ "arms": arms, "page": page })))
        }
        Output::Human => say(&print::text(&report, asked.is_some(), page.map(PathBuf::as_path))),
    }
}

/// The arms of `line`, or of all lines.
fn about(home: &Home, line: Option<&LineName>) -> Result<EvidenceReport, Failure> {
    let refuse = |error: StoreError| Failure::from(&error);
    let lines = home.store.lines_with_arms().map_err(refuse)?;
    let mut arms = Vec::new();
    for of in lines.iter().filter(|of| line.is_none_or(|line| line == *of)) {
        arms.extend(arms_of(&home.store, of, home.clock.now()).map_err(refuse)?);
    }
    match line {
        Some(line) if arms.is_empty() => Err(without_arms(line, &lines)),
        Some(line) => Ok(EvidenceReport { about: format!("line {line}"), arms }),
        None => Ok(EvidenceReport { about: "all lines".to_owned(), arms }),
    }
}

/// That `line` has no arm, and that `others` have some.
fn without_arms(line: &LineName, others: &[LineName]) -> Failure {
    let others: Vec<&str> = others.iter().map(LineName::as_str).collect();
    let others = if others.is_empty() { "no line".to_owned() } else { others.join(", ") };
    Failure::input(format!(
        "line '{line}' has no arm; {others} has: cycles of a schedule and `orchestrate replay` make them"
    ))
}

/// The arms of a line, for a program.
pub(crate) fn arms_json(store: &Store, line: &LineName, now: Timestamp) -> Result<Vec<Value>, StoreError> {
    Ok(arms_of(store, line, now)?.iter().map(print::json).collect())
}

fn arms_of(store: &Store, line: &LineName, now: Timestamp) -> Result<Vec<ArmReport>, StoreError> {
    let spent = store.error_spent(line, now)?;
    let tests = LineTests { registered: spent.registered, anytime: spent.anytime };
    let champions_arm = match store.champion(line) {
        Ok(Some(champion)) => store.arm_of(&champion.record.model_id)?,
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(%line, %error, "the champion of a line can't be told");
            None
        }
    };
    let arms = store.arms(line)?.into_iter();
    arms.map(|arm| one(store, arm, champions_arm.as_ref(), tests)).collect()
}

fn one(
    store: &Store,
    arm: Arm,
    champions_arm: Option<&ArmId>,
    tests: LineTests,
) -> Result<ArmReport, StoreError> {
    let snapshots = store.snapshots(&arm.id, None)?;
    let quarantine = quarantine(store, &arm.id)?;
    Ok(ArmReport {
        quarantine,
        line_tests: Some(tests),
        trades: champions_arm == Some(&arm.id),
        judged: newest_judged(store, &arm.id, &snapshots),
        snapshots: snapshots.len() as u64,
        registered_at: arm.registered_at,
        line: arm.line,
        arm: arm.id,
    })
}

/// Why none of the arm's models may trade now, and until when.
fn quarantine(store: &Store, arm: &ArmId) -> Result<Option<ArmQuarantine>, StoreError> {
    let active = store.active_quarantine(arm)?;
    Ok(active
        .map(|(row, until)| ArmQuarantine { until, sentence: format!("{}: {}", row.rule, row.sentence) }))
}

/// The newest of `snapshots` whose verdict graded the arm. A record that can't be read is passed over.
fn newest_judged(store: &Store, arm: &ArmId, snapshots: &[Snapshot]) -> Option<JudgedSnapshot> {
    let judged = |snapshot: &Snapshot| {
        let verdict = store.model(&snapshot.model).ok()?.verdict?;
        let grading = verdict.grading.filter(|grading| grading.arm == *arm)?;
        let (model, published_at) = (snapshot.model.clone(), snapshot.published_at);
        Some(JudgedSnapshot { model, published_at, sentence: verdict.sentence, grading })
    };
    snapshots.iter().rev().take(MAX_UNJUDGED).find_map(judged)
}

/// The arm whose id begins with `asked`.
fn only(report: &EvidenceReport, asked: &str) -> Result<ArmReport, Failure> {
    let found: Vec<&ArmReport> =
        report.arms.iter().filter(|arm| arm.arm.as_str().starts_with(asked)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let known: Vec<&str> = report.arms.iter().map(|arm| arm.arm.as_str()).collect();
            let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
            Err(Failure::input(format!("{}: no arm '{asked}'; known: {known}", report.about)))
        }
        many => {
            let ids: Vec<&str> = many.iter().map(|arm| arm.arm.as_str()).collect();
            Err(Failure::input(format!("'{asked}' could be {}: give more of the id", ids.join(" or "))))
        }
    }
}
