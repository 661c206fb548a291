//! Where a training that was interrupted goes on.
//!
//! A checkpoint is a bundle and a small record, in a folder named after everything that decides what a training comes
//! to. The record is written last and names the bundle by its hash; a folder without a good record is no checkpoint.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkforward_core::{NetworkSpec, PolicySpec, TrainingJob};
use walkforward_durable::{create_dir_all_durable, read_bounded, write_json_atomic};
use walkforward_engine::SessionConfig;
use walkforward_policy::{load_bundle, load_optimizer, sha256_hex, write_bundle};

use crate::backend::Origin;
use crate::validation::Best;
use crate::{PpoConfig, TrainerError};

/// Raised whenever the same job comes to other weights, so that no checkpoint of an older program is continued.
const SEMANTICS: u32 = 2;
/// Longest record, bytes.
const MAX_RECORD_BYTES: u64 = 1 << 20;
const RECORD: &str = "checkpoint.json";

/// How far a training has come.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// Iterations done.
    pub(crate) iteration: u64,
    /// Last value of each metric.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The best weights on the validation bars.
    pub(crate) best: Option<Best>,
    /// Validations since then.
    pub(crate) without_improvement: u64,
    /// Factor on the step size that its adaptive schedule has come to.
    pub(crate) kl_factor: f64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { iteration: 0, metrics: BTreeMap::new(), best: None, without_improvement: 0, kl_factor: 1.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    iteration: u64,
    metrics: BTreeMap<String, f64>,
    weights_sha256: String,
    best: Option<BestRecord>,
    without_improvement: u64,
    kl_factor: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BestRecord {
    iteration: u64,
    score: f64,
    weights_sha256: String,
}

/// The checkpoints of one training.
pub(crate) struct Checkpoints {
    dir: PathBuf,
}

impl Checkpoints {
    /// Those of `job` in `work_dir`: the same bars, settings, seed, costs and parent share a folder.
    pub(crate) fn of(
        work_dir: &Path,
        job: &TrainingJob,
        config: &PpoConfig,
        session: &SessionConfig,
    ) -> Result<Self, TrainerError> {
        let parent = job.parent.as_ref().map(|parent| &parent.sha256);
        let identity = (SEMANTICS, &job.dataset.hash, config, job.seed, session, parent);
        let identity = serde_json::to_vec(&identity).map_err(TrainerError::Pack)?;
        let dir = work_dir.join("checkpoints").join(&sha256_hex(&identity)[..32]);
        Ok(Self { dir })
    }

    /// Weights and progress of the last checkpoint; none when there is no good one.
    pub(crate) fn load(&self, network: &NetworkSpec) -> Option<(Origin, Progress)> {
        let bytes = read_bounded(&self.dir.join(RECORD), MAX_RECORD_BYTES).ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        let load = |dir: &Path, sha256: &str| {
            let (bundle, state) = (load_bundle(dir, sha256).ok()?, load_optimizer(dir, sha256).ok()?);
            Some((bundle.tensors, state))
        };
        let (weights, state) = load(&self.iteration_dir(record.iteration), &record.weights_sha256)?;
        let best = match &record.best {
            None => None,
            Some(BestRecord { iteration, score, weights_sha256 }) => {
                let (weights, optimizer) = load(&self.best_dir(*iteration), weights_sha256)?;
                Some(Best { iteration: *iteration, score: *score, weights, optimizer })
            }
        };
        let origin = Origin::from_tensors(network.clone(), &weights, Some(&state)).ok()?;
        let Record { iteration, metrics, without_improvement, kl_factor, .. } = record;
        Some((origin, Progress { iteration, metrics, best, without_improvement, kl_factor }))
    }

    /// Writes a checkpoint; the one before stays good until this one is complete.
    pub(crate) fn save(
        &self,
        spec: &PolicySpec,
        origin: &Origin,
        progress: &Progress,
    ) -> Result<(), TrainerError> {
        let (weights, state) = origin.to_tensors()?;
        let dir = self.iteration_dir(progress.iteration);
        create_dir_all_durable(&dir)?;
        let written = write_bundle(&dir, spec, &weights, Some(&state))?;
        let best = match &progress.best {
            None => None,
            Some(best) => {
                let dir = self.best_dir(best.iteration);
                create_dir_all_durable(&dir)?;
                let written = write_bundle(&dir, spec, &best.weights, Some(&best.optimizer))?;
                let (iteration, score) = (best.iteration, best.score);
                Some(BestRecord { iteration, score, weights_sha256: written.sha256 })
            }
        };
        let keep = [Some(dir), best.as_ref().map(|best| self.best_dir(best.iteration))];
        let record = Record {
            iteration: progress.iteration,
            metrics: progress.metrics.clone(),
            weights_sha256: written.sha256,
            best,
            without_improvement: progress.without_improvement,
            kl_factor: progress.kl_factor,
        };
        write_json_atomic(&self.dir.join(RECORD), &record)?;
        self.remove_all_but(&keep);
        Ok(())
    }

    /// Removes the checkpoints of a training that has ended. What can't be removed does no harm.
    pub(crate) fn clear(&self) {
        let _ = fs::remove_dir_all(&self.dir);
    }

    fn remove_all_but(&self, keep: &[Option<PathBuf>]) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !keep.iter().flatten().any(|kept| *kept == path) {
                let _ = fs::remove_dir_all(path);
            }
        }
    }

    fn iteration_dir(&self, iteration: u64) -> PathBuf {
        self.dir.join(format!("iteration-{iteration}"))
    }

    fn best_dir(&self, iteration: u64) -> PathBuf {
        self.dir.join(format!("best-{iteration}"))
    }
}
