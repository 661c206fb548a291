//! Where everything lies. Other programs rely on these names.

use std::path::{Path, PathBuf};

use walkforward_core::{LineName, ModelId, RunId};

/// Weights with the policy's specification; its SHA-256 is the model's content hash.
pub const POLICY_FILE: &str = "policy.safetensors";
/// State of the optimizer, for a warm start.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// A model's record.
pub const METADATA_FILE: &str = "metadata.json";
/// What an evaluation measured bar by bar, in a model's folder.
pub const EVALUATION_FILE: &str = "evaluation.json";
/// A line's pointer.
pub const POINTER_FILE: &str = "latest.json";

const LINES_DIR: &str = "lines";
const STAGING_DIR: &str = ".staging";
pub(crate) const LOCKS_DIR: &str = ".locks";
const DATABASE_FILE: &str = "walkforward.db";
const OWNER_FILE: &str = "owner.json";

/// Paths in the data folder and the models folder.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) data_dir: PathBuf,
    pub(crate) models_dir: PathBuf,
}

impl Layout {
    pub(crate) fn database(&self) -> PathBuf {
        database_in(&self.data_dir)
    }

    /// Jobs of trainings in processes of their own, with their logs.
    pub(crate) fn jobs_dir(&self) -> PathBuf {
        self.data_dir.join("jobs")
    }

    /// Checkpoints of trainings that were interrupted.
    pub(crate) fn checkpoints_dir(&self) -> PathBuf {
        self.data_dir.join("checkpoints")
    }

    /// Sessions of traders: decision journals.
    pub(crate) fn live_dir(&self) -> PathBuf {
        self.data_dir.join("live")
    }

    pub(crate) fn run_lock(&self) -> PathBuf {
        self.data_dir.join("run.lock")
    }

    /// Held while the store is opened and recovered.
    pub(crate) fn store_lock(&self) -> PathBuf {
        self.data_dir.join("store.lock")
    }

    pub(crate) fn etl_dir(&self) -> PathBuf {
        self.data_dir.join("etl")
    }

    pub(crate) fn etl(&self, run: &RunId) -> PathBuf {
        self.etl_dir().join(format!("etl-{run}.json"))
    }

    pub(crate) fn lines_dir(&self) -> PathBuf {
        self.models_dir.join(LINES_DIR)
    }

    pub(crate) fn staging_root(&self) -> PathBuf {
        self.models_dir.join(STAGING_DIR)
    }

    pub(crate) fn staging(&self, attempt: &str) -> PathBuf {
        self.staging_root().join(attempt)
    }

    pub(crate) fn locks_dir(&self) -> PathBuf {
        self.models_dir.join(LOCKS_DIR)
    }

    /// Which database the models folder belongs to.
    pub(crate) fn owner(&self) -> PathBuf {
        self.models_dir.join(OWNER_FILE)
    }

    /// Held while that is looked at or changed.
    pub(crate) fn owner_lock(&self) -> PathBuf {
        self.locks_dir().join("owner.lock")
    }

    /// Shared by all that have a store of the models folder open.
    pub(crate) fn users_lock(&self) -> PathBuf {
        self.locks_dir().join("users.lock")
    }

    pub(crate) fn line_lock(&self, line: &LineName) -> PathBuf {
        self.locks_dir().join(format!("line-{line}.lock"))
    }

    pub(crate) fn model_dir(&self, id: &ModelId) -> PathBuf {
        self.models_dir.join(id.as_str())
    }

    pub(crate) fn metadata(&self, id: &ModelId) -> PathBuf {
        self.model_dir(id).join(METADATA_FILE)
    }

    pub(crate) fn policy(&self, id: &ModelId) -> PathBuf {
        self.model_dir(id).join(POLICY_FILE)
    }
}

/// The database of a data folder.
pub(crate) fn database_in(data_dir: &Path) -> PathBuf {
    data_dir.join(DATABASE_FILE)
}

/// The pointer of `line` in `models_dir`: `latest.json` for the line `default`, else `lines/<line>/latest.json`.
pub fn pointer_path(models_dir: &Path, line: &LineName) -> PathBuf {
    if line.is_default() {
        models_dir.join(POINTER_FILE)
    } else {
        models_dir.join(LINES_DIR).join(line.as_str()).join(POINTER_FILE)
    }
}

/// Whether `name` can be the name of a staging folder.
pub(crate) fn is_attempt_name(name: &str) -> bool {
    const MAX_ATTEMPT_NAME: usize = 128;
    (1..=MAX_ATTEMPT_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
