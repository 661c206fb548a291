//! Making models.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Dataset, ModelRef, RunId, StageContext, StageError, Timestamp};

/// One training to do.
#[derive(Debug, Clone)]
pub struct TrainingJob {
    /// The run that it belongs to.
    pub run_id: RunId,
    /// This try at it; names the staging folder and fences off earlier tries.
    pub attempt: String,
    /// The bars.
    pub dataset: Arc<Dataset>,
    /// The model to continue from; none starts from fresh weights.
    pub parent: Option<ModelRef>,
    /// Hyperparameters, as the trainer documents them; absent keys take its defaults.
    pub pack: serde_json::Value,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Threads that the training may use. The result does not depend on it.
    pub threads: usize,
    /// An empty folder for the bundle: `policy.safetensors`, and what a warm start needs.
    pub out_dir: PathBuf,
}

/// What a training came to. The bundle lies in the job's `out_dir`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainingOutcome {
    /// Which trainer.
    pub trainer: String,
    /// Close of the last bar that entered any observation, reward, label, choice or statistic.
    pub used_until: Timestamp,
    /// Rollout and update rounds.
    pub iterations: u64,
    /// Steps of the environment.
    pub environment_steps: u64,
    /// Last value of each metric, under the literature's names.
    pub metrics: BTreeMap<String, f64>,
    /// What decides the bits of the training, by name: the instruction set that the trainer chose (`avx512`, `avx2`,
    /// `portable`), or how a library computes on this machine (`candle-avx2-5b0f3c21`); none where nothing does.
    #[serde(default)]
    pub instruction_set: Option<String>,
    /// Why the training did not continue from the job's parent and started from fresh weights; none when it did, or
    /// when the job has no parent.
    #[serde(default)]
    pub cold_start: Option<String>,
}

/// Makes a model from a dataset. Runs to the end on the calling thread and looks at `ctx.cancel` at least once a second.
pub trait Trainer: Send + Sync {
    /// Trains and writes the bundle into `job.out_dir`.
    fn train(&self, job: &TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError>;
}

/// Runs trainings somewhere: in this process, in a child, on a cluster.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Runs `job` to its end.
    async fn launch(&self, job: TrainingJob, ctx: &StageContext) -> Result<TrainingOutcome, StageError>;
}
