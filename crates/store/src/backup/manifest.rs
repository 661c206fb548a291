//! The list of a backup's files, written last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use walkforward_core::{LineName, ModelId, Timestamp};
use walkforward_durable::read_bounded;

use super::DATABASE_FILE;
use super::marker::BACKUP_MARKER;
use crate::layout::{METADATA_FILE, POLICY_FILE, pointer_path};
use crate::{BackupReport, RestoreReport, StoreError};

/// Name of the list in a backup.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Most files of a backup.
pub const MAX_BACKUP_FILES: usize = 500_000;
/// Longest list, bytes: a few hundred for each file.
const MAX_MANIFEST_BYTES: u64 = 256 << 20;
/// The version of the list that this program writes.
const SCHEMA: u32 = 1;

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Where it lies, relative to the backup: `data/..` or `models/..`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
}

/// `manifest.json` of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupManifest {
    /// Version of this list.
    pub schema: u32,
    /// When the backup was begun.
    pub created_at: Timestamp,
    /// The champion of each line.
    pub champions: BTreeMap<LineName, ModelId>,
    /// Models whose records are in the backup.
    pub models: usize,
    /// Models whose weights are.
    pub models_with_weights: usize,
    /// All files but this one, by path.
    pub files: Vec<BackupFile>,
    /// SHA-256 of this list as one line of JSON, with this key empty; lower-case hex.
    pub sha256: String,
}

impl BackupManifest {
    pub(super) fn new(report: &BackupReport, mut files: Vec<BackupFile>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut manifest = Self {
            schema: SCHEMA,
            created_at: report.created_at,
            champions: report.champions.clone(),
            models: report.models,
            models_with_weights: report.models_with_weights,
            files,
            sha256: String::new(),
        };
        manifest.sha256 = manifest.own_sha256();
        manifest
    }

    fn own_sha256(&self) -> String {
        let unsigned = Self { sha256: String::new(), ..self.clone() };
        let line = serde_json::json!(unsigned).to_string();
        format!("{:x}", Sha256::digest(line.as_bytes()))
    }

    pub(super) fn report(&self) -> RestoreReport {
        RestoreReport {
            created_at: self.created_at,
            files: self.files.len(),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            models: self.models,
            models_with_weights: self.models_with_weights,
            champions: self.champions.clone(),
        }
    }

    /// What keeps it from being a whole backup.
    fn problem(&self) -> Option<String> {
        if self.schema != SCHEMA {
            return Some(format!("its schema is {}: this program reads {SCHEMA}", self.schema));
        }
        if self.sha256 != self.own_sha256() {
            return Some("it is damaged: it does not have its own SHA-256; use another backup".to_owned());
        }
        if self.files.len() > MAX_BACKUP_FILES {
            return Some(format!("it lists {} files: at most {MAX_BACKUP_FILES}", self.files.len()));
        }
        let mut paths = BTreeSet::new();
        for file in &self.files {
            if !is_inside(&file.path) {
                return Some(format!("it lists '{}', which is no file of a backup", file.path));
            }
            if !paths.insert(file.path.as_str()) {
                return Some(format!("it lists '{}' twice", file.path));
            }
        }
        let needed = self.champions.iter().flat_map(|(line, model)| {
            let pointer = pointer_path(Path::new("models"), line).display().to_string();
            [pointer, format!("models/{model}/{METADATA_FILE}"), format!("models/{model}/{POLICY_FILE}")]
        });
        let absent = needed.chain([DATABASE_FILE.to_owned()]).find(|path| !paths.contains(path.as_str()));
        absent.map(|path| format!("it does not list '{path}'"))
    }
}

/// Whether `path` is below `data/` or `models/` and leaves neither.
fn is_inside(path: &str) -> bool {
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    let is_plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    let root = parts.first().map(|part| part.as_os_str());
    is_plain && parts.len() >= 2 && root.is_some_and(|root| root == "data" || root == "models")
}

/// The list of the backup in `dir`, checked for what it has to hold; the files themselves are not looked at.
///
/// # Errors
/// There is no backup in `dir`, it is incomplete, or its list is damaged.
pub fn read_manifest(dir: &Path) -> Result<BackupManifest, StoreError> {
    let path = dir.join(MANIFEST_FILE);
    let bytes = match read_bounded(&path, MAX_MANIFEST_BYTES) {
        Err(error) if error.is_not_found() => {
            let problem = if dir.join(BACKUP_MARKER).exists() {
                format!(
                    "is an incomplete backup: it has no {MANIFEST_FILE}, which is written last; take it again"
                )
            } else {
                format!("is no backup: it has no {MANIFEST_FILE}")
            };
            return Err(StoreError::backup(dir, problem));
        }
        bytes => bytes?,
    };
    let manifest: BackupManifest = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::backup(&path, format!("is cut off or no list of a backup ({error})")))?;
    match manifest.problem() {
        Some(problem) => Err(StoreError::backup(&path, format!("can't be used: {problem}"))),
        None => Ok(manifest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_two_folders_are_told_apart() {
        for path in ["data/walkforward.db", "models/latest.json", "models/model-x/policy.safetensors"] {
            assert!(is_inside(path), "{path}");
        }
        for path in ["", "data", "models", "manifest.json", "/data/x", "data/../x", "../data/x", "other/x"] {
            assert!(!is_inside(path), "{path}");
        }
    }

    fn manifest() -> BackupManifest {
        let file = |path: &str| BackupFile { path: path.to_owned(), bytes: 1, sha256: "0".repeat(64) };
        let model: ModelId = "model-2024-01-01T00-00-00-000Z".parse().unwrap();
        let paths =
            [DATABASE_FILE, "models/latest.json", "models/model-2024-01-01T00-00-00-000Z/metadata.json"];
        let weights = "models/model-2024-01-01T00-00-00-000Z/policy.safetensors";
        let report = BackupReport {
            created_at: "2024-01-01T00:00:00Z".parse().unwrap(),
            files: 4,
            bytes: 4,
            models: 1,
            models_with_weights: 1,
            champions: [(LineName::default(), model)].into(),
            problems: Vec::new(),
        };
        BackupManifest::new(&report, paths.into_iter().chain([weights]).map(file).collect())
    }

    #[test]
    fn a_list_that_lacks_what_a_pointer_names_or_leaves_its_folder_is_refused() {
        assert_eq!(manifest().problem(), None);
        for index in 0..4 {
            let mut without = manifest();
            let path = without.files.remove(index).path;
            without.sha256 = without.own_sha256();
            assert_eq!(without.problem(), Some(format!("it does not list '{path}'")));
        }
        for (path, expected) in [("data/../../evil", "no file of a backup"), (DATABASE_FILE, "twice")] {
            let mut with = manifest();
            with.files.push(BackupFile { path: path.to_owned(), ..with.files[0].clone() });
            assert!(with.problem().unwrap().contains("its own SHA-256"));
            with.sha256 = with.own_sha256();
            assert!(with.problem().unwrap().contains(expected));
        }
    }
}
