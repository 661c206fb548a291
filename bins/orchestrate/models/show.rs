//! `orchestrate models show`.

use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward_core::{Grade, Grading, ModelId, Timestamp};
use walkforward_report::{MeterReport, worth};
use walkforward_store::{
    CycleRecord, ModelRecord, ModelSummary, PromotionRow, PromotionState, Store, StoreError,
};

use super::list::champions;
use super::refuse;
use crate::home::Home;
use crate::text::{bytes, labelled, minute};

/// Ancestors that are followed.
const MAX_ANCESTORS: usize = 1_000;
/// Ancestors that are named.
const MAX_NAMED: usize = 5;

/// All that is known of a model.
struct About {
    summary: ModelSummary,
    record: ModelRecord,
    weights_bytes: u64,
    weights_problem: Option<String>,
    is_champion: bool,
    /// When it became champion or ceased to be, oldest first.
    changes: Vec<PromotionRow>,
    cycle: Option<CycleRecord>,
    /// Its parent, that one's parent, and so on.
    ancestors: Vec<ModelId>,
}

/// Prints what is known of a model.
pub(super) fn run(home: &Home, id: &ModelId) -> Result<(), Failure> {
    let about = About::of(home, id).map_err(refuse)?;
    home.print(|| about.json(), || about.words())
}

impl About {
    fn of(home: &Home, id: &ModelId) -> Result<Self, StoreError> {
        let store = &home.store;
        let record = store.model(id)?;
        let changes = store.promotions(&record.line)?.into_iter();
        let touches = |row: &PromotionRow| row.from.as_ref() == Some(id) || row.to.as_ref() == Some(id);
        Ok(Self {
            summary: store.model_summary(id)?,
            weights_bytes: store.weights_bytes(id)?,
            weights_problem: store.weights_problem(&record)?,
            is_champion: champions(home)?.contains(id),
            changes: changes.filter(|row| row.state == PromotionState::Committed && touches(row)).collect(),
            cycle: store.cycle_of_model(id)?,
            ancestors: ancestors(store, &record),
            record,
        })
    }

    fn json(&self) -> Value {
        let changes = self.changes.iter().map(|row| {
            json!({
                "sequence": row.sequence, "from": row.from, "to": row.to, "kind": row.kind.as_str(),
                "reason": row.reason, "at": row.committed_at,
            })
        });
        json!({
            "model": self.summary, "champion": self.is_champion, "weights_bytes": self.weights_bytes,
            "weights_problem": self.weights_problem, "promotions": changes.collect::<Vec<_>>(),
            "cycle": self.cycle, "ancestors": self.ancestors, "record": self.record,
        })
    }

    fn words(&self) -> String {
        let record = &self.record;
        let mut lines = vec![
            ("line", format!("{}, {} {}", record.line, record.symbol, record.timeframe)),
            ("status", self.status()),
            ("made", format!("{} UTC by run {}", minute(record.created_at), record.run_id)),
            ("trainer", self.trainer()),
            (
                "bars",
                format!(
                    "trained until {}, lineage until {}",
                    minute(record.trained_until),
                    minute(record.lineage_until)
                ),
            ),
            ("dataset", record.dataset_hash.clone()),
            ("parent", self.parent()),
            ("weights", self.weights()),
            ("sha256", record.sha256.clone()),
        ];
        if let Some(verdict) = &record.verdict {
            lines
                .push(("verdict", format!("{} ({}): {}", verdict.outcome, verdict.preset, verdict.sentence)));
            lines.extend(verdict.grading.iter().flat_map(graded));
        }
        if let Some(cycle) = &self.cycle {
            lines.push(("cycle", format!("{} of schedule '{}'", cycle.number, cycle.schedule_id)));
        }
        lines.extend(self.summary.pinned.iter().map(|reason| ("pinned", reason.clone())));
        lines.extend(self.changes.iter().map(|row| ("champion", self.change(row))));
        let lines: String = lines.into_iter().map(|(label, text)| labelled(label, &text)).collect();
        format!("{}\n{lines}", record.model_id)
    }

    fn status(&self) -> String {
        let status = self.record.status;
        match (self.is_champion, self.summary.held, &self.record.declined) {
            (true, ..) => format!("{status}, champion of its line"),
            (_, true, _) => format!("{status}, held: it waits for `orchestrate models approve` or `reject`"),
            (.., Some(declined)) => format!("{status}: {declined}"),
            _ => status.to_string(),
        }
    }

    fn trainer(&self) -> String {
        let (record, training) = (&self.record, &self.record.training);
        let iterations = training.iterations;
        format!(
            "{}, {iterations} iterations, seed {}, version {}",
            training.trainer, record.seed, record.code_version
        )
    }

    fn parent(&self) -> String {
        if self.ancestors.is_empty() {
            return "none: it started from fresh weights".to_owned();
        }
        let named: Vec<&str> = self.ancestors.iter().take(MAX_NAMED).map(ModelId::as_str).collect();
        let more = match self.ancestors.len() - named.len() {
            0 => String::new(),
            more => format!(" <- {more} more"),
        };
        format!("{}{more}", named.join(" <- "))
    }

    fn weights(&self) -> String {
        match &self.weights_problem {
            Some(problem) => problem.clone(),
            None => bytes(self.weights_bytes),
        }
    }

    fn change(&self, row: &PromotionRow) -> String {
        let at = row.committed_at.map_or_else(|| "?".to_owned(), |at: Timestamp| minute(at));
        let id = &self.record.model_id;
        let what = match (row.to.as_ref() == Some(id), &row.to) {
            (true, _) => "since".to_owned(),
            (false, Some(to)) => format!("until, then {to},"),
            (false, None) => "until, then nobody,".to_owned(),
        };
        format!("{what} {at} UTC ({}: {})", row.kind.as_str(), row.reason)
    }
}

fn ancestors(store: &Store, record: &ModelRecord) -> Vec<ModelId> {
    let mut ancestors: Vec<ModelId> = record.parent_id.iter().cloned().collect();
    while let Some(last) = ancestors.last()
        && ancestors.len() < MAX_ANCESTORS
        && let Ok(parent) = store.model_summary(last)
        && let Some(next) = parent.parent
    {
        ancestors.push(next);
    }
    ancestors
}

/// An arm with how far the evidence for it has come, and what its grade is worth.
fn graded(grading: &Grading) -> Vec<(&'static str, String)> {
    let grade = grading.grade.map_or("no grade yet", Grade::as_str);
    let arm = format!("{}, {grade}, measured against {}", grading.arm, grading.reference);
    let meter = MeterReport::of(grading);
    let sentence = meter.as_ref().map(|meter| meter.sentence.clone()).filter(|words| !words.is_empty());
    let holding = meter.and_then(|meter| meter.holding).map(|holding| holding.sentence);
    let worth = grading.grade.map(worth);
    let rest = [("evidence", sentence), ("holding", holding), ("worth", worth)];
    let rest = rest.into_iter().filter_map(|(label, text)| Some((label, text?)));
    std::iter::once(("arm", arm)).chain(rest).collect()
}
