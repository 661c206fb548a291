//! `orchestrate models prune`.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward_core::LineName;
use walkforward_store::{PruneReport, PurgedWork, Retention, RetentionPolicy, StoreError, WORK_DAYS};

use super::refuse;
use crate::home::Home;
use crate::table::{Align, Table};
use crate::text::{bytes, cut};

const KEEP_LAST: &str = "keep-last";
const KEEP_DAYS: &str = "keep-days";
const DRY_RUN: &str = "dry-run";
/// Models of a table; JSON has all.
const MAX_SHOWN: usize = 40;
/// Columns of a reason in a table of 80.
const WHY_COLUMNS: usize = 38;

/// The subcommand.
pub(super) fn command() -> Command {
    let RetentionPolicy { keep_last, keep_days, reproducible_days } = RetentionPolicy::default();
    Command::new("prune")
        .about("Removes the weights of old models, of all lines or of --line; records and evaluations are kept")
        .after_help(format!(
            "Champions, the champions before them, pinned models, models that a trader or a training has loaded, and \
             parents of models not {reproducible_days} days old keep their weights whatever the numbers say. Jobs, logs \
             and checkpoints of trainings go after {WORK_DAYS} days.",
        ))
        .arg(
            Arg::new(KEEP_LAST)
                .long(KEEP_LAST)
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help(format!("How many of a line's newest models keep them, and as many of its latest champions; default: {keep_last}")),
        )
        .arg(
            Arg::new(KEEP_DAYS)
                .long(KEEP_DAYS)
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help(format!("Days for which every model keeps them; default: {keep_days}")),
        )
        .arg(Arg::new(DRY_RUN).long(DRY_RUN).action(ArgAction::SetTrue).help("Say what would go, and remove nothing"))
}

/// What was removed, or would be, and what stays.
struct Pruned {
    is_dry: bool,
    retention: Retention,
    report: PruneReport,
    work: PurgedWork,
}

/// Removes, or says what it would remove.
pub(super) fn run(home: &Home, line: Option<&LineName>, matches: &ArgMatches) -> Result<(), Failure> {
    let defaults = RetentionPolicy::default();
    let number = |name: &str| matches.get_one::<u32>(name).copied();
    let policy = RetentionPolicy {
        keep_last: number(KEEP_LAST).map_or(defaults.keep_last, |number| number as usize),
        keep_days: number(KEEP_DAYS).unwrap_or(defaults.keep_days),
        ..defaults
    };
    let pruned = Pruned::of(home, line, &policy, matches.get_flag(DRY_RUN)).map_err(refuse)?;
    home.print(|| pruned.json(), || pruned.words())
}

impl Pruned {
    fn of(
        home: &Home,
        line: Option<&LineName>,
        policy: &RetentionPolicy,
        is_dry: bool,
    ) -> Result<Self, StoreError> {
        let retention = home.store.prunable(line, policy)?;
        let (report, work) = if is_dry {
            let removed = retention.prunable.clone();
            let freed_bytes = removed.iter().map(|model| model.bytes).sum();
            (PruneReport { removed, freed_bytes, stayed: Vec::new() }, home.store.old_work()?)
        } else {
            (home.store.prune(line, policy)?, home.store.purge_work()?)
        };
        Ok(Self { is_dry, retention, report, work })
    }

    fn json(&self) -> Value {
        let removed = self.report.removed.iter().map(|model| {
            json!({
                "model": model.model, "line": model.line, "created_at": model.created_at, "bytes": model.bytes,
                "why": model.why,
            })
        });
        let kept = self.retention.kept.iter().map(|model| {
            json!({ "model": model.model, "line": model.line, "bytes": model.bytes, "why": model.why.to_string() })
        });
        let stayed = self.report.stayed.iter();
        let stayed = stayed.map(|(model, why)| json!({ "model": model, "why": why.to_string() }));
        json!({
            "dry_run": self.is_dry,
            "removed": removed.collect::<Vec<_>>(),
            "freed_bytes": self.report.freed_bytes,
            "stayed": stayed.collect::<Vec<_>>(),
            "kept": kept.collect::<Vec<_>>(),
            "kept_models": self.retention.kept_models,
            "kept_bytes": self.retention.kept_bytes,
            "work": { "folders": self.work.folders, "bytes": self.work.bytes },
        })
    }

    fn words(&self) -> String {
        let (removed, kept) = (&self.report.removed, &self.retention.kept);
        let verb = if self.is_dry { "would be removed" } else { "removed" };
        let mut text =
            format!("{verb}: the weights of {}, {}\n", models(removed.len()), bytes(self.report.freed_bytes));
        text += &table(removed.iter().map(|model| (model.model.as_str(), model.bytes, model.why.clone())));
        text += &self
            .report
            .stayed
            .iter()
            .map(|(model, why)| format!("{model} stayed: {why}\n"))
            .collect::<String>();
        text += &format!(
            "kept: the weights of {}, {}\n",
            models(self.retention.kept_models),
            bytes(self.retention.kept_bytes)
        );
        text += &table(kept.iter().map(|model| (model.model.as_str(), model.bytes, model.why.to_string())));
        let folders = match self.work.folders.len() {
            1 => "1 folder".to_owned(),
            folders => format!("{folders} folders"),
        };
        text + &format!("{verb}: {folders} of jobs and checkpoints, {}\n", bytes(self.work.bytes))
    }
}

fn models(count: usize) -> String {
    if count == 1 { "1 model".to_owned() } else { format!("{count} models") }
}

fn table<'a>(rows: impl ExactSizeIterator<Item = (&'a str, u64, String)>) -> String {
    let more = rows.len().saturating_sub(MAX_SHOWN);
    if rows.len() == 0 {
        return String::new();
    }
    let mut table = Table::new(&[("model", Align::Left), ("weights", Align::Right), ("why", Align::Left)]);
    for (model, size, why) in rows.take(MAX_SHOWN) {
        table.row(vec![model.to_owned(), bytes(size), cut(&why, WHY_COLUMNS)]);
    }
    match more {
        0 => format!("{table}\n"),
        more => format!("{table}and {more} more; --json lists them\n\n"),
    }
}
