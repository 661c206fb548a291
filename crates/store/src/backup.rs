//! Backups of a data folder and a models folder, taken while they are in use, and their restore.
//!
//! A backup is a folder with `data/`, `models/` and, written last, `manifest.json`: size and SHA-256 of every file.
//! Without its manifest it is incomplete. It holds the database, every pointer, the records and evaluations of all
//! models, the weights of those that something refers to, the records of ETL and the decision journals. The cache of
//! bars, jobs and checkpoints are left out: they are made again.

mod copy;
mod manifest;
mod marker;
mod restore;
mod take;
mod target;

use std::collections::BTreeMap;

use walkforward_core::{LineName, ModelId, Timestamp};

pub use manifest::{BackupFile, BackupManifest, MANIFEST_FILE, MAX_BACKUP_FILES, read_manifest};
pub(crate) use marker::refuse_unfinished_restore;
pub use restore::{restore, restore_with};

/// Name of the database in the data folder of a backup.
const DATABASE_FILE: &str = "data/walkforward.db";

/// Whose weights are in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackupScope {
    /// Those of champions, of the champions before them, of pinned models, of models that wait for approval, and of
    /// models that the next cycle of a schedule continues from.
    #[default]
    Referenced,
    /// Those of all models that have them.
    AllModels,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// When it was begun.
    pub created_at: Timestamp,
    /// Its files, without the manifest.
    pub files: usize,
    /// What they take, bytes.
    pub bytes: u64,
    /// Models whose records it holds.
    pub models: usize,
    /// Models whose weights it holds.
    pub models_with_weights: usize,
    /// The champion of each line.
    pub champions: BTreeMap<LineName, ModelId>,
    /// What could not be copied and was left out, each naming its file; the first hundred.
    pub problems: Vec<String>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// When the backup was begun.
    pub created_at: Timestamp,
    /// Files.
    pub files: usize,
    /// What they take, bytes.
    pub bytes: u64,
    /// Models whose records were restored.
    pub models: usize,
    /// Models whose weights were restored.
    pub models_with_weights: usize,
    /// The champion of each line.
    pub champions: BTreeMap<LineName, ModelId>,
}
