//! A model made again from its record, in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use walkforward::config::OrchestrateConfig;
use walkforward::failure::{Failure, chain};
use walkforward::launch::LauncherKind;
use walkforward::settings::Settings;
use walkforward::wiring;
use walkforward_core::{
    CancelToken, Clock, ErrorKind, Launcher, ModelId, ModelRef, Progress, StageError, Trainer, TrainingJob,
};
use walkforward_orchestrator::{InProcessLauncher, Stages};
use walkforward_store::{
    BundleLock, ModelRecord, OPTIMIZER_FILE, POLICY_FILE, Recipe, StoreError, read_model, sha256_file,
};
use walkforward_trainer::{BackendKind, PpoTrainer, SupervisedTrainer};

/// Why there is nothing to compare.
pub(super) enum Obstacle {
    /// What the model was made from is not here any more, or can't be made the same here.
    NotComparable(String),
    /// Making it failed.
    Failed(Failure),
}

impl From<Failure> for Obstacle {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StageError> for Obstacle {
    fn from(error: StageError) -> Self {
        match error.kind {
            ErrorKind::BadInput => Self::NotComparable(chain(&error)),
            _ => Self::Failed(Failure::from(&error)),
        }
    }
}

fn not_comparable<T>(reason: impl Into<String>) -> Result<T, Obstacle> {
    Err(Obstacle::NotComparable(reason.into()))
}

/// A file of a bundle: its SHA-256 as recorded and as made again; none where there is no such file.
pub(super) struct Compared {
    pub(super) file: &'static str,
    pub(super) recorded: Option<String>,
    pub(super) made: Option<String>,
}

impl Compared {
    pub(super) fn is_same(&self) -> bool {
        self.recorded == self.made
    }
}

/// What a model is made again with.
pub(super) struct Workshop<'a> {
    /// Where the parents lie.
    pub(super) models_dir: &'a Path,
    /// Whence folders and secrets come.
    pub(super) settings: &'a Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) cancel: CancelToken,
}

/// A model that was made again.
pub(super) struct Made {
    pub(super) files: [Compared; 2],
    /// Why its bytes may be others although nothing is wrong with its record; none where they have to be the same.
    pub(super) is_free_because: Option<&'static str>,
}

impl Workshop<'_> {
    /// Trains the model of `record` once more and compares the files.
    pub(super) async fn make(&self, record: &ModelRecord) -> Result<Made, Obstacle> {
        let Some(recipe) = &record.recipe else {
            return not_comparable("its record has no recipe: it was made by a version that kept none");
        };
        let config = self.config(record, recipe)?;
        let (parent, _loaded) = parent(self.models_dir, record)?.unzip();
        let stages = wiring::stages(&config, &self.clock).map_err(as_obstacle)?;
        let launcher = launcher(&config, record, &stages)?;
        let folder = tempfile::tempdir().map_err(|error| temporary(&error))?;
        let [out_dir, work_dir] = ["out", "work"].map(|name| folder.path().join(name));
        for dir in [&out_dir, &work_dir] {
            std::fs::create_dir(dir).map_err(|error| temporary(&error))?;
        }
        let (progress, cancel) = (Arc::clone(&self.progress), self.cancel.clone());
        let ctx = wiring::stage_context(&self.clock, progress, cancel, work_dir);
        let dataset = stages.datasets.build(&recipe.dataset, &ctx).await?;
        if dataset.hash != record.dataset_hash {
            let (found, recorded) = (dataset.hash, &record.dataset_hash);
            return not_comparable(format!(
                "the bars have changed: their dataset has the SHA-256 {found}, the record says {recorded}"
            ));
        }
        let job = TrainingJob {
            run_id: record.run_id.clone(),
            attempt: format!("{}-again", record.run_id),
            dataset: Arc::new(dataset),
            parent,
            pack: record.pack.clone(),
            seed: record.seed,
            threads: recipe.threads,
            out_dir: out_dir.clone(),
        };
        launcher.launch(job, &ctx).await?;
        let files = [
            compared(&out_dir, POLICY_FILE, Some(&record.sha256))?,
            compared(&out_dir, OPTIMIZER_FILE, record.optimizer_sha256.as_ref())?,
        ];
        Ok(Made { files, is_free_because: freedom(&config, record) })
    }

    /// The configuration of the recipe, with this program's folders and secrets.
    fn config(&self, record: &ModelRecord, recipe: &Recipe) -> Result<OrchestrateConfig, Obstacle> {
        let settings = self.settings.with_recipe(&recipe.settings, record.model_id.as_str());
        let config = OrchestrateConfig::from_settings(&settings, true).map_err(as_obstacle)?;
        Ok(OrchestrateConfig { dataset: recipe.dataset.clone(), ..config })
    }
}

/// Settings of a record that can't be used are no fault of the one who asks.
fn as_obstacle(failure: Failure) -> Obstacle {
    Obstacle::NotComparable(failure.message)
}

fn temporary(error: &std::io::Error) -> Failure {
    Failure::stage(format!("there is no temporary folder to make the model in: {error}"))
}

/// The model that the training continues from, with the very files that it continued from then, and the lock under which
/// nobody removes them; none where nothing can be locked for lack of the right to write.
fn parent(
    models_dir: &Path,
    record: &ModelRecord,
) -> Result<Option<(ModelRef, Option<BundleLock>)>, Obstacle> {
    let Some(id) = &record.parent_id else { return Ok(None) };
    let read = || match read_model(models_dir, id) {
        Ok(found) => Ok(found),
        Err(error) => not_comparable(format!("its parent {id} is gone: {error}")),
    };
    let check_kept = |parent: &ModelRecord| match &parent.weights_removed {
        Some(removed) => not_comparable(format!("of its parent {id}: {removed}")),
        None => Ok(()),
    };
    let (parent, reference) = read()?;
    check_kept(&parent)?;
    let loaded = match BundleLock::shared(&reference.dir) {
        Ok(loaded) => Some(loaded),
        Err(error @ StoreError::BadModel { .. }) => {
            return not_comparable(format!("of its parent {id}: {error}"));
        }
        Err(error) if error.is_environment_fault() => {
            tracing::warn!(parent = %id, %error, "retention may take the parent away meanwhile");
            None
        }
        Err(error) => return Err(Failure::from(&error).into()),
    };
    // They may have gone before the lock was taken.
    check_kept(&read()?.0)?;
    let files = [(POLICY_FILE, Some(&parent.sha256)), (OPTIMIZER_FILE, parent.optimizer_sha256.as_ref())];
    for (file, recorded) in files {
        check_parent_file(id, &compared(&reference.dir, file, recorded)?)?;
    }
    Ok(Some((reference, loaded)))
}

fn check_parent_file(id: &ModelId, compared: &Compared) -> Result<(), Obstacle> {
    let Compared { file, recorded, made } = compared;
    match (recorded, made) {
        (Some(_), None) => not_comparable(format!("the {file} of its parent {id} is gone")),
        (recorded, made) if recorded != made => {
            not_comparable(format!("the {file} of its parent {id} is not the recorded one"))
        }
        _ => Ok(()),
    }
}

fn compared(dir: &Path, file: &'static str, recorded: Option<&String>) -> Result<Compared, Obstacle> {
    let path = dir.join(file);
    let made = match path.is_file() {
        true => Some(sha256_file(&path).map_err(|error| Failure::from_error(&error))?),
        false => None,
    };
    Ok(Compared { file, recorded: recorded.cloned(), made })
}

/// What trains: in this process, on the instruction set of the record; a program of one's own as it was run then.
fn launcher(
    config: &OrchestrateConfig,
    record: &ModelRecord,
    stages: &Stages,
) -> Result<Arc<dyn Launcher>, Obstacle> {
    if config.launch.kind == LauncherKind::Command {
        return Ok(Arc::clone(&stages.launcher));
    }
    let trainer: Arc<dyn Trainer> = match record.training.trainer.as_str() {
        PpoTrainer::NAME => Arc::new(PpoTrainer::new(config.session).with_backend(backend(record)?)),
        SupervisedTrainer::NAME => Arc::new(SupervisedTrainer::new(config.session)),
        other => {
            return not_comparable(format!(
                "it was made by the trainer {other}, which this program does not have"
            ));
        }
    };
    Ok(Arc::new(InProcessLauncher::new(trainer)))
}

/// The arithmetic of the record; candle where it names no instruction set.
fn backend(record: &ModelRecord) -> Result<BackendKind, Obstacle> {
    let Some(name) = &record.training.instruction_set else { return Ok(BackendKind::Candle) };
    match BackendKind::on(name) {
        Some(backend) => Ok(backend),
        None => not_comparable(format!(
            "it was trained on the instruction set {name}, which this machine does not have"
        )),
    }
}

/// Why the bytes of a model may be others each time, if they may.
fn freedom(config: &OrchestrateConfig, record: &ModelRecord) -> Option<&'static str> {
    if config.launch.kind == LauncherKind::Command {
        return Some("it was made by a program of one's own, which need not give the same bytes twice");
    }
    let is_candle = record.training.trainer == PpoTrainer::NAME && record.training.instruction_set.is_none();
    is_candle.then_some(
        "candle trained it on the instructions of the processor of the time, which the record does not name",
    )
}
