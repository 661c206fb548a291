//! Experiments and runs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use walkforward_core::Timestamp;
use walkforward_store::IterationRecord;

use crate::MlflowError;
use crate::client::Client;
use crate::describe::{Described, ID_TAG, RunStatus};
use crate::names::add_metrics;

/// Most metrics of a request: with the tag beside them it stays below 1,000 items and 1 MB.
const MAX_METRICS: usize = 900;
/// Most parameters or tags of a request.
const MAX_PAIRS: usize = 100;
/// The tag that says up to which iteration a run has all.
const PROGRESS_TAG: &str = "walkforward.iterations_until";

/// MLflow's word for what is not there.
const NOT_THERE: &str = "RESOURCE_DOES_NOT_EXIST";
/// And for what is there already.
const THERE_ALREADY: &str = "RESOURCE_ALREADY_EXISTS";

/// A run as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownRun {
    pub(crate) run_id: String,
    /// Somebody deleted it there: it is left alone.
    pub(crate) is_deleted: bool,
    /// It has all that there will be.
    pub(crate) is_ended: bool,
    /// Whether its parameters are there.
    pub(crate) has_params: bool,
    /// The last iteration that it has.
    pub(crate) until: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Nothing {}

#[derive(Deserialize)]
struct ExperimentAnswer {
    experiment: FoundExperiment,
}

#[derive(Deserialize)]
struct FoundExperiment {
    experiment_id: String,
    #[serde(default)]
    lifecycle_stage: String,
}

#[derive(Deserialize)]
struct CreatedExperiment {
    experiment_id: String,
}

#[derive(Deserialize)]
struct FoundRuns {
    #[serde(default)]
    runs: Vec<FoundRun>,
}

#[derive(Deserialize)]
struct CreatedRun {
    run: FoundRun,
}

#[derive(Deserialize)]
struct FoundRun {
    info: RunInfo,
    #[serde(default)]
    data: RunData,
}

#[derive(Deserialize)]
struct RunInfo {
    run_id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    lifecycle_stage: String,
}

#[derive(Default, Deserialize)]
struct RunData {
    #[serde(default)]
    tags: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: String,
}

impl From<FoundRun> for KnownRun {
    fn from(FoundRun { info, data }: FoundRun) -> Self {
        let progress = data.tags.iter().find(|tag| tag.key == PROGRESS_TAG);
        Self {
            run_id: info.run_id,
            is_deleted: info.lifecycle_stage == "deleted",
            is_ended: matches!(info.status.as_str(), "FINISHED" | "FAILED" | "KILLED"),
            has_params: progress.is_some(),
            until: progress.and_then(|tag| tag.value.parse().ok()),
        }
    }
}

/// The id of the experiment `name`, which is made where there is none.
pub(crate) async fn experiment(client: &Client, name: &str) -> Result<String, MlflowError> {
    if let Some(id) = find_experiment(client, name).await? {
        return Ok(id);
    }
    let created: Result<CreatedExperiment, _> =
        client.post("experiments/create", &json!({ "name": name })).await;
    match created {
        Ok(created) => Ok(created.experiment_id),
        // Somebody else was faster, or an answer was lost.
        Err(error) if error.has_code(THERE_ALREADY) => find_experiment(client, name).await?.ok_or(error),
        Err(error) => Err(error),
    }
}

async fn find_experiment(client: &Client, name: &str) -> Result<Option<String>, MlflowError> {
    let found: Result<ExperimentAnswer, _> =
        client.get("experiments/get-by-name", &[("experiment_name", name)]).await;
    match found {
        Ok(found) if found.experiment.lifecycle_stage == "deleted" => Err(MlflowError::Unavailable {
            reason: format!(
                "its experiment '{name}' is deleted: restore it there, or set another mlflow.experiment"
            ),
        }),
        Ok(found) => Ok(Some(found.experiment.experiment_id)),
        Err(error) if error.has_code(NOT_THERE) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The run of what is `described`, which is made where there is none.
pub(crate) async fn run(
    client: &Client,
    experiment_id: &str,
    described: &Described,
) -> Result<KnownRun, MlflowError> {
    let wanted = json!({
        "experiment_ids": [experiment_id],
        "filter": format!("tags.`{ID_TAG}` = '{}'", described.id),
        "run_view_type": "ALL",
        "max_results": 1,
    });
    let found: FoundRuns = client.post("runs/search", &wanted).await?;
    if let Some(found) = found.runs.into_iter().next() {
        return Ok(found.into());
    }
    let new = json!({
        "experiment_id": experiment_id,
        "run_name": described.name,
        "start_time": described.started_at.as_millis(),
        "tags": [{ "key": ID_TAG, "value": described.id }],
    });
    let created: CreatedRun = client.post("runs/create", &new).await?;
    Ok(created.run.into())
}

/// Writes parameters; those that are there already have to have the same values.
pub(crate) async fn log_params(
    client: &Client,
    run_id: &str,
    params: &BTreeMap<String, String>,
) -> Result<(), MlflowError> {
    for some in pairs(params).chunks(MAX_PAIRS) {
        log(client, &json!({ "run_id": run_id, "params": some })).await?;
    }
    Ok(())
}

/// Says that the parameters are there, and no iteration yet.
pub(crate) async fn log_begin(client: &Client, run_id: &str) -> Result<(), MlflowError> {
    log(client, &json!({ "run_id": run_id, "tags": [progress_tag("none")] })).await
}

/// Writes tags.
pub(crate) async fn log_tags(
    client: &Client,
    run_id: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), MlflowError> {
    for some in pairs(tags).chunks(MAX_PAIRS) {
        log(client, &json!({ "run_id": run_id, "tags": some })).await?;
    }
    Ok(())
}

/// Writes the numbers of iterations, and how far they go.
pub(crate) async fn log_iterations(
    client: &Client,
    run_id: &str,
    iterations: &[IterationRecord],
) -> Result<(), MlflowError> {
    let mut waiting: Vec<Value> = Vec::new();
    let mut until = 0;
    for one in iterations {
        let mut metrics = BTreeMap::new();
        add_metrics(&mut metrics, "", &one.metrics);
        let points = points(&metrics, one.timestamp, one.iteration);
        if waiting.len() + points.len() > MAX_METRICS && !waiting.is_empty() {
            log_points(client, run_id, &waiting, Some(until)).await?;
            waiting.clear();
        }
        waiting.extend(points);
        until = one.iteration;
    }
    if iterations.is_empty() { Ok(()) } else { log_points(client, run_id, &waiting, Some(until)).await }
}

/// Writes what a run came to.
pub(crate) async fn log_last(
    client: &Client,
    run_id: &str,
    described: &Described,
    at: Timestamp,
) -> Result<(), MlflowError> {
    log_points(client, run_id, &points(&described.metrics, at, described.steps), None).await
}

/// Says how and when a run ended.
pub(crate) async fn end(
    client: &Client,
    run_id: &str,
    (status, at): (RunStatus, Timestamp),
) -> Result<(), MlflowError> {
    let body = json!({ "run_id": run_id, "status": status.as_str(), "end_time": at.as_millis() });
    let _: Value = client.post("runs/update", &body).await?;
    Ok(())
}

/// Writes points in requests that are short enough; with the last of them how far the iterations go.
async fn log_points(
    client: &Client,
    run_id: &str,
    points: &[Value],
    until: Option<u64>,
) -> Result<(), MlflowError> {
    let chunks = points.chunks(MAX_METRICS);
    let last = chunks.len().saturating_sub(1);
    for (number, some) in chunks.enumerate() {
        let mut body = json!({ "run_id": run_id, "metrics": some });
        if let Some(until) = until.filter(|_| number == last) {
            body["tags"] = json!([progress_tag(until)]);
        }
        log(client, &body).await?;
    }
    match until.filter(|_| points.is_empty()) {
        Some(until) => log(client, &json!({ "run_id": run_id, "tags": [progress_tag(until)] })).await,
        None => Ok(()),
    }
}

async fn log(client: &Client, body: &Value) -> Result<(), MlflowError> {
    let _: Nothing = client.post("runs/log-batch", body).await?;
    Ok(())
}

fn points(metrics: &BTreeMap<String, f64>, at: Timestamp, step: u64) -> Vec<Value> {
    let (at, step) = (at.as_millis().max(0), i64::try_from(step).unwrap_or(i64::MAX));
    let point =
        |(key, value): (&String, &f64)| json!({ "key": key, "value": value, "timestamp": at, "step": step });
    metrics.iter().map(point).collect()
}

pub(crate) fn pairs(pairs: &BTreeMap<String, String>) -> Vec<Value> {
    pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

fn progress_tag(until: impl std::fmt::Display) -> Value {
    json!({ "key": PROGRESS_TAG, "value": until.to_string() })
}
