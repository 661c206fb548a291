//! `orchestrate models prune`.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward::retention::RetentionConfig;
use walkforward_core::LineName;
use walkforward_store::{
    PruneReport, PurgedEvidence, PurgedSessions, PurgedWork, Retention, RetentionPolicy, Store, StoreError,
    WORK_DAYS,
};

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
    let number = |name: &'static str, help: &str| {
        let help = format!("{help}; default: the setting retention.{}", name.replace('-', "_"));
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u32)).help(help)
    };
    Command::new("prune")
        .about("Removes the weights of old models, of all lines or of --line; records and verdicts are kept")
        .after_help(format!(
            "Champions, the champions before them, pinned models, models that wait for approval or that a trader or a \
             training has loaded, and parents of models not retention.reproducible_days old keep their weights \
             whatever the numbers say. Jobs, logs and checkpoints of trainings go after {WORK_DAYS} days; what was \
             measured bar by bar and the ETL records of models without weights after retention.evidence_days; bars, fills \
             and events of all but the newest retention.keep_sessions sessions of a trader's line. `orchestrate serve` does the same once a day.",
        ))
        .arg(number(KEEP_LAST, "How many of a line's newest models keep them, and as many of its latest champions"))
        .arg(number(KEEP_DAYS, "Days for which every model keeps them"))
        .arg(Arg::new(DRY_RUN).long(DRY_RUN).action(ArgAction::SetTrue).help("Say what would go, and remove nothing"))
}

/// What was taken away, or would be.
pub(crate) struct Removal {
    pub(crate) weights: PruneReport,
    pub(crate) work: PurgedWork,
    pub(crate) evidence: PurgedEvidence,
    pub(crate) sessions: PurgedSessions,
}

impl Removal {
    /// Takes away what `config` does not keep.
    pub(crate) fn carry_out(
        store: &Store,
        line: Option<&LineName>,
        config: &RetentionConfig,
    ) -> Result<Self, StoreError> {
        let weights = store.prune(line, &config.policy)?;
        Ok(Self {
            weights,
            work: store.purge_work()?,
            evidence: store.purge_evidence(config.evidence_days)?,
            sessions: store.purge_sessions(config.keep_sessions)?,
        })
    }

    /// What it would take away.
    fn planned(store: &Store, retention: &Retention, config: &RetentionConfig) -> Result<Self, StoreError> {
        let removed = retention.prunable.clone();
        let freed_bytes = removed.iter().map(|model| model.bytes).sum();
        Ok(Self {
            weights: PruneReport { removed, freed_bytes, stayed: Vec::new() },
            work: store.old_work()?,
            evidence: store.old_evidence(config.evidence_days)?,
            sessions: store.old_sessions(config.keep_sessions)?,
        })
    }

    /// Whether it is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { weights, work, evidence, sessions } = self;
        weights.removed.is_empty()
            && work.folders.is_empty()
            && evidence.evaluations.is_empty()
            && evidence.etl_records.is_empty()
            && sessions.sessions.is_empty()
    }
}

/// A removal, and what stays.
struct Pruned {
    is_dry: bool,
    retention: Retention,
    removal: Removal,
}

/// Removes, or says what it would remove.
pub(super) fn run(home: &Home, line: Option<&LineName>, matches: &ArgMatches) -> Result<(), Failure> {
    let mut config = RetentionConfig::from_settings(&home.settings)?;
    let number = |name: &str| matches.get_one::<u32>(name).copied();
    let RetentionPolicy { keep_last, keep_days, .. } = &mut config.policy;
    *keep_last = number(KEEP_LAST).map_or(*keep_last, |number| number as usize);
    *keep_days = number(KEEP_DAYS).unwrap_or(*keep_days);
    let pruned = Pruned::of(&home.store, line, &config, matches.get_flag(DRY_RUN)).map_err(refuse)?;
    home.print(|| pruned.json(), || pruned.words())
}

impl Pruned {
    fn of(
        store: &Store,
        line: Option<&LineName>,
        config: &RetentionConfig,
        is_dry: bool,
    ) -> Result<Self, StoreError> {
        let retention = store.prunable(line, &config.policy)?;
        let removal = match is_dry {
            true => Removal::planned(store, &retention, config)?,
            false => Removal::carry_out(store, line, config)?,
        };
        Ok(Self { is_dry, retention, removal })
    }

    fn json(&self) -> Value {
        let Removal { weights, work, evidence, sessions } = &self.removal;
        let removed = weights.removed.iter().map(|model| {
            json!({
                "model": model.model, "line": model.line, "created_at": model.created_at, "bytes": model.bytes,
                "why": model.why,
            })
        });
        let kept = self.retention.kept.iter().map(|model| {
            json!({ "model": model.model, "line": model.line, "bytes": model.bytes, "why": model.why.to_string() })
        });
        let stayed =
            weights.stayed.iter().map(|(model, why)| json!({ "model": model, "why": why.to_string() }));
        json!({
            "dry_run": self.is_dry,
            "removed": removed.collect::<Vec<_>>(),
            "freed_bytes": weights.freed_bytes,
            "stayed": stayed.collect::<Vec<_>>(),
            "kept": kept.collect::<Vec<_>>(),
            "kept_models": self.retention.kept_models,
            "kept_bytes": self.retention.kept_bytes,
            "work": { "folders": work.folders, "bytes": work.bytes },
            "evidence": {
                "evaluations": evidence.evaluations, "etl_records": evidence.etl_records, "bytes": evidence.bytes,
            },
            "sessions": { "sessions": sessions.sessions, "rows": sessions.rows },
        })
    }

    fn words(&self) -> String {
        let Removal { weights, work, evidence, sessions } = &self.removal;
        let kept = &self.retention.kept;
        let verb = if self.is_dry { "would be removed" } else { "removed" };
        let removed = &weights.removed;
        let mut text =
            format!("{verb}: the weights of {}, {}\n", models(removed.len()), bytes(weights.freed_bytes));
        text += &table(removed.iter().map(|model| (model.model.as_str(), model.bytes, model.why.clone())));
        let stayed = weights.stayed.iter();
        text += &stayed.map(|(model, why)| format!("{model} stayed: {why}\n")).collect::<String>();
        let Retention { kept_models, kept_bytes, .. } = &self.retention;
        text += &format!("kept: the weights of {}, {}\n", models(*kept_models), bytes(*kept_bytes));
        text += &table(kept.iter().map(|model| (model.model.as_str(), model.bytes, model.why.to_string())));
        let folders = match work.folders.len() {
            1 => "1 folder".to_owned(),
            folders => format!("{folders} folders"),
        };
        text += &format!("{verb}: {folders} of jobs and checkpoints, {}\n", bytes(work.bytes));
        text += &format!(
            "{verb}: the series of {} evaluations and {} ETL records, {}\n",
            evidence.evaluations.len(),
            evidence.etl_records.len(),
            bytes(evidence.bytes)
        );
        text + &format!("{verb}: {} rows of {} sessions\n", sessions.rows, sessions.sessions.len())
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
