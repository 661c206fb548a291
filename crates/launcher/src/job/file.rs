//! `job.json`: one training, and where everything for it lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use walkforward_core::{ModelId, ModelRef, RunId, Timestamp, TrainingJob};
use walkforward_durable::{Files, read_bounded};

use super::dataset::{read_dataset, write_dataset};
use crate::{Error, PROTOCOL, WorkerLimits};

/// Name of the job, in its folder.
pub const JOB_FILE: &str = "job.json";
/// Name of the dataset's folder, in the job's folder.
pub const DATASET_DIR: &str = "dataset";
/// Longest job: a pack is a page of numbers.
const MAX_JOB_BYTES: u64 = 4 << 20;
/// Longest name of an attempt, which names a folder.
pub(super) const MAX_ATTEMPT_BYTES: usize = 128;

/// A job as its file describes it. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobFile {
    /// Version of the job protocol.
    pub protocol: u32,
    /// This try at it; the outcome has to name it.
    pub attempt: String,
    /// The run that it belongs to.
    pub run_id: RunId,
    /// Folder of the dataset.
    pub dataset: PathBuf,
    /// SHA-256 of its `dataset.json`, lower-case hex.
    pub dataset_sha256: String,
    /// Training uses bars that close at or before this.
    pub training_end: Timestamp,
    /// The model to continue from; none starts from fresh weights.
    pub parent: Option<ParentFile>,
    /// Hyperparameters, as the trainer reads them.
    pub pack: serde_json::Value,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Threads that the training may use.
    pub threads: usize,
    /// Folder, empty at first, for the bundle.
    pub out_dir: PathBuf,
    /// Folder that outlives the job, for checkpoints.
    pub work_dir: PathBuf,
    /// The training is ended after so long, in seconds.
    pub time_budget_s: f64,
    /// The training is ended when no line of progress or metrics comes for so long, in seconds.
    pub stall_timeout_s: f64,
    /// Between the request to stop and the end by force, in seconds.
    pub cancel_grace_s: f64,
    /// What the worker limits itself to.
    pub limits: WorkerLimits,
    /// Which trainer the worker runs and with what, as the worker's program reads it.
    pub trainer: serde_json::Value,
}

/// A parent as `job.json` describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParentFile {
    /// Its name.
    pub model_id: ModelId,
    /// Its folder.
    pub dir: PathBuf,
    /// SHA-256 of its `policy.safetensors`, lower-case hex.
    pub sha256: String,
    /// Close of the last bar that it or any ancestor has seen.
    pub lineage_until: Timestamp,
}

/// What a job says besides the training itself.
#[derive(Debug, Clone)]
pub(crate) struct JobSettings<'a> {
    pub(crate) work_dir: &'a Path,
    pub(crate) time_budget: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) cancel_grace: Duration,
    pub(crate) limits: WorkerLimits,
    pub(crate) trainer: &'a serde_json::Value,
}

impl JobFile {
    /// Writes the dataset of `job` and then `job.json` into the empty folder `dir`.
    pub(crate) fn write(
        files: &Files,
        dir: &Path,
        job: &TrainingJob,
        settings: &JobSettings<'_>,
    ) -> Result<Self, Error> {
        let dir = absolute(dir)?;
        let dataset = dir.join(DATASET_DIR);
        files.create_dir_all_durable(&dataset)?;
        let file = Self {
            protocol: PROTOCOL,
            attempt: job.attempt.clone(),
            run_id: job.run_id.clone(),
            dataset_sha256: write_dataset(files, &dataset, &job.dataset)?,
            dataset,
            training_end: job.dataset.training_end(),
            parent: job.parent.as_ref().map(parent_file).transpose()?,
            pack: job.pack.clone(),
            seed: job.seed,
            threads: job.threads,
            out_dir: absolute(&job.out_dir)?,
            work_dir: absolute(settings.work_dir)?,
            time_budget_s: settings.time_budget.as_secs_f64(),
            stall_timeout_s: settings.stall_timeout.as_secs_f64(),
            cancel_grace_s: settings.cancel_grace.as_secs_f64(),
            limits: settings.limits,
            trainer: settings.trainer.clone(),
        };
        files.write_json_atomic(&dir.join(JOB_FILE), &file)?;
        Ok(file)
    }

    /// Reads the job at `path`; the dataset stays on disk.
    ///
    /// # Errors
    /// The file is absent, too long, of another version of the protocol, or no job.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read_bounded(path, MAX_JOB_BYTES)?;
        let refuse = |error: serde_json::Error| Error::content(path, "a job in JSON", error);
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(refuse)?;
        let found = value.get("protocol").and_then(serde_json::Value::as_u64);
        match found.ok_or_else(|| Error::content(path, "a protocol version", "none"))? {
            found if found == u64::from(PROTOCOL) => serde_json::from_value(value).map_err(refuse),
            found => Err(Error::Protocol { path: path.to_owned(), found }),
        }
    }

    /// The training that the file describes, with its dataset.
    ///
    /// # Errors
    /// A file of the dataset is absent, changed or malformed.
    pub fn load(self) -> Result<TrainingJob, Error> {
        let (dataset, _) = read_dataset(&self.dataset, &self.dataset_sha256)?;
        let parent = self.parent.map(|parent| {
            let ParentFile { model_id: id, dir, sha256, lineage_until } = parent;
            ModelRef { id, dir, sha256, lineage_until }
        });
        Ok(TrainingJob {
            run_id: self.run_id,
            attempt: self.attempt,
            dataset: Arc::new(dataset),
            parent,
            pack: self.pack,
            seed: self.seed,
            threads: self.threads,
            out_dir: self.out_dir,
        })
    }
}

fn parent_file(parent: &ModelRef) -> Result<ParentFile, Error> {
    let ModelRef { id, dir, sha256, lineage_until } = parent.clone();
    Ok(ParentFile { model_id: id, dir: absolute(&dir)?, sha256, lineage_until })
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let what = format!("tell where '{}' is", path.display());
    std::path::absolute(path).map_err(Error::process(what))
}
