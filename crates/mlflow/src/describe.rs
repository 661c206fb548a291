//! What a training is in MLflow: parameters, tags, last metrics, how it ended. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use walkforward_core::{Judgement, LineName, Timestamp};
use walkforward_store::{ExperimentRecord, ExperimentStatus, ModelRecord, ModelStatus, RunRow};

use crate::names::{add_metrics, add_params, tag_value};

/// The tag by which a run is found again.
pub(crate) const ID_TAG: &str = "walkforward.id";
/// The tag by which a version is found again.
pub(crate) const MODEL_TAG: &str = "walkforward.model_id";

/// How a run ended, in MLflow's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunStatus {
    /// It went on to its end.
    Finished,
    /// It broke off.
    Failed,
    /// Somebody ended it.
    Killed,
}

impl RunStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

/// A training as a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Described {
    /// By which it is found again.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) line: LineName,
    pub(crate) started_at: Timestamp,
    /// How and when it ended; none while it goes on.
    pub(crate) ended: Option<(RunStatus, Timestamp)>,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// What it came to.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// Iterations that it had; 0 where nobody knows.
    pub(crate) steps: u64,
}

/// The name of an experiment's run among all runs.
pub(crate) fn experiment_id(record: &ExperimentRecord) -> String {
    format!("experiment:{}", record.id)
}

/// An experiment, with the record of the model that it made, if it did.
pub(crate) fn experiment(record: &ExperimentRecord, model: Option<&ModelRecord>) -> Described {
    let ended_at = record.completed_at.unwrap_or(record.created_at);
    let mut described = Described {
        id: experiment_id(record),
        name: record.name.clone(),
        line: record.line.clone(),
        started_at: record.started_at.unwrap_or(record.created_at),
        ended: status_of(record.status).map(|status| (status, ended_at)),
        params: BTreeMap::new(),
        tags: BTreeMap::new(),
        metrics: BTreeMap::new(),
        steps: record.final_metrics["total_iterations"].as_u64().unwrap_or(0),
    };
    add_params(&mut described.params, "config", &record.config);
    add_metrics(&mut described.metrics, "final", &record.final_metrics);
    let tags = [
        ("experiment_id", json!(record.id)),
        ("script", json!(record.script)),
        ("status", json!(record.status)),
        ("tags", json!(record.tags.join(" "))),
        ("error", json!(record.error)),
    ];
    described.tag(tags);
    described.finish(model);
    described
}

/// A model that no experiment made: `run` is what made it.
pub(crate) fn model(record: &ModelRecord, run: Option<&RunRow>) -> Described {
    let ended_at = run.and_then(|run| run.finished_at).or(record.evaluated_at).unwrap_or(record.trained_at);
    let mut described = Described {
        id: format!("run:{}", record.run_id),
        name: record.run_id.to_string(),
        line: record.line.clone(),
        started_at: run.map_or(record.created_at, |run| run.started_at),
        ended: is_judged(record.status).then_some((RunStatus::Finished, ended_at)),
        params: BTreeMap::new(),
        tags: BTreeMap::new(),
        metrics: BTreeMap::new(),
        steps: record.training.iterations,
    };
    add_metrics(&mut described.metrics, "final", &json!(record.training.metrics));
    described.tag([("script", json!("run"))]);
    described.finish(Some(record));
    described
}

/// Whether nothing more is to be said about a model but who trades.
pub(crate) fn is_judged(status: ModelStatus) -> bool {
    !matches!(status, ModelStatus::Trained | ModelStatus::Evaluated)
}

fn status_of(status: ExperimentStatus) -> Option<RunStatus> {
    match status {
        ExperimentStatus::Pending | ExperimentStatus::Running => None,
        ExperimentStatus::Completed => Some(RunStatus::Finished),
        ExperimentStatus::Failed | ExperimentStatus::Interrupted => Some(RunStatus::Failed),
        ExperimentStatus::Cancelled | ExperimentStatus::Pruned => Some(RunStatus::Killed),
    }
}

/// What a version of a registered model is found and known by.
pub(crate) fn version_tags(record: &ModelRecord) -> BTreeMap<String, String> {
    let tags = [
        (MODEL_TAG, json!(record.model_id)),
        ("walkforward.sha256", json!(record.sha256)),
        ("walkforward.code_version", json!(record.code_version)),
        ("walkforward.verdict", json!(record.verdict.as_ref().map(|verdict| verdict.outcome))),
        ("walkforward.trained_until", json!(record.trained_until)),
        ("walkforward.parent_model_id", json!(record.parent_id)),
    ];
    tags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), text(&value)?))).collect()
}

/// Why a model was or was not promoted, in sentences.
pub(crate) fn reasons(record: &ModelRecord) -> Option<String> {
    let verdict = record.verdict.as_ref()?;
    let failed =
        verdict.checks.iter().filter(|check| check.judgement != Judgement::Pass).map(|check| &check.sentence);
    let all: Vec<&str> = std::iter::once(&verdict.sentence)
        .chain(failed)
        .chain(&verdict.warnings)
        .map(String::as_str)
        .collect();
    Some(all.join("\n"))
}

impl Described {
    fn tag<const N: usize>(&mut self, tags: [(&str, Value); N]) {
        for (name, value) in tags {
            if let Some(text) = text(&value) {
                self.tags.insert(format!("walkforward.{name}"), text);
            }
        }
    }

    /// Adds what every run has, and what the model's record says.
    fn finish(&mut self, model: Option<&ModelRecord>) {
        self.tags.insert("mlflow.source.name".to_owned(), "walkforward".to_owned());
        self.tag([("line", json!(self.line))]);
        let Some(record) = model else { return };
        add_params(&mut self.params, "pack", &record.pack);
        if let Some(recipe) = &record.recipe {
            add_params(&mut self.params, "setting", &json!(recipe.settings));
        }
        add_params(
            &mut self.params,
            "",
            &json!({ "seed": record.seed, "dataset_hash": record.dataset_hash }),
        );
        add_metrics(&mut self.metrics, "holdout", &json!(record.metrics));
        add_metrics(&mut self.metrics, "champion", &json!(record.champion_metrics));
        let made_for = record.made_for.as_ref();
        let verdict = record.verdict.as_ref();
        self.tag([
            ("model_id", json!(record.model_id)),
            ("sha256", json!(record.sha256)),
            ("code_version", json!(record.code_version)),
            ("parent_model_id", json!(record.parent_id)),
            ("schedule_id", json!(made_for.and_then(|made| made.schedule_id.as_ref()))),
            ("cycle", json!(made_for.and_then(|made| made.cycle))),
            ("preset", json!(verdict.map(|verdict| &verdict.preset))),
            ("verdict", json!(verdict.map(|verdict| verdict.outcome))),
            ("reason", json!(verdict.and_then(|verdict| verdict.reason.as_ref()))),
        ]);
        if let Some(reasons) = reasons(record) {
            // MLflow shows it as the run's description.
            self.tags.insert("mlflow.note.content".to_owned(), tag_value(&reasons));
        }
    }
}

/// A tag's value; none where there is nothing to say.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (!text.is_empty()).then(|| tag_value(&text))
}
