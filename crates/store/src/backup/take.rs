//! Taking a backup while everything goes on.
//!
//! For a moment nothing is written to the database; the pointers are read then, and a snapshot of the database is begun.
//! A promotion that is under way at that moment is pending in the snapshot, and its pointer is the old or the new one:
//! the first start after the restore settles it as after a crash. All else is copied from there on: bundles never
//! change, records are brought back to what the snapshot knows, and journals only grow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, Row, params};
use walkforward_core::{LineName, ModelId, Timestamp};
use walkforward_durable::{Error, read_bounded};

use super::copy::files_below;
use super::target::Target;
use super::{BackupReport, BackupScope, DATABASE_FILE};
use crate::confirmation::confirmation_path;
use crate::database::Refusal;
use crate::layout::{METADATA_FILE, OPTIMIZER_FILE, POLICY_FILE, pointer_path};
use crate::listing::removed_columns;
use crate::pointer::{MAX_POINTER_BYTES, parse_pointer};
use crate::recovery::lines_in;
use crate::retention::weight_files;
use crate::rows::{parse, parse_optional};
use crate::{ModelRecord, ModelStatus, RemovedBy, Store, StoreError, WeightsRemoved};

/// Problems that a report lists.
const MAX_PROBLEMS: usize = 100;

/// A line's pointer at the moment of the snapshot.
struct FrozenPointer {
    model: ModelId,
    bytes: Vec<u8>,
}

/// What the snapshot knows of a model.
struct FrozenModel {
    id: ModelId,
    status: String,
    promoted_at: Option<Timestamp>,
    removed: Option<WeightsRemoved>,
}

/// A backup on its way.
struct Taking<'a> {
    store: &'a Store,
    target: Target,
    report: BackupReport,
    scope: BackupScope,
    /// Models whose weights have to be in the backup.
    champions: BTreeSet<ModelId>,
    /// Those of them that are not in it yet.
    missing: BTreeSet<ModelId>,
    /// Models whose weights are wanted besides.
    wanted: BTreeSet<ModelId>,
    /// Models whose weights are left out.
    left_out: Vec<ModelId>,
}

impl Store {
    /// Writes a backup to the folder `target`, which is empty, not there, or holds a backup that was not completed.
    /// Runs, promotions and sessions go on meanwhile.
    ///
    /// The pointers in it name models in it. The weights of models that [`BackupScope`] leaves out are recorded as left
    /// out, and so are weights that are damaged or gone.
    ///
    /// # Errors
    /// `target` holds something else or overlaps the store's folders; the weights of a champion are damaged or gone; a
    /// disk fails. An incomplete backup has no `manifest.json`.
    pub fn backup(&self, target: &Path, scope: BackupScope) -> Result<BackupReport, StoreError> {
        let target = Target::begin(&self.files, target, &[self.data_dir(), self.models_dir()])?;
        let report = BackupReport {
            created_at: self.now(),
            files: 0,
            bytes: 0,
            models: 0,
            models_with_weights: 0,
            champions: BTreeMap::new(),
            problems: Vec::new(),
        };
        let [champions, missing, wanted] = [const { BTreeSet::new() }; 3];
        Taking { store: self, target, report, scope, champions, missing, wanted, left_out: Vec::new() }.run()
    }

    /// The pointers of all lines as they are now.
    fn frozen_pointers(&self, db: &Connection) -> Result<BTreeMap<LineName, FrozenPointer>, Refusal> {
        let mut pointers = BTreeMap::new();
        for line in self.lines_with(lines_in(db)?)? {
            let path = pointer_path(self.models_dir(), &line);
            // Two reads see two pointers when a promotion comes between them; the second look then finds the same again.
            while let Some(before) = parse_pointer(self.models_dir(), &line)? {
                let bytes = match read_bounded(&path, MAX_POINTER_BYTES) {
                    Err(error) if error.is_not_found() => continue,
                    bytes => bytes.map_err(StoreError::from)?,
                };
                if serde_json::from_slice(&bytes).is_ok_and(|now: crate::Pointer| now == before) {
                    pointers.insert(line, FrozenPointer { model: before.model_id, bytes });
                    break;
                }
            }
        }
        Ok(pointers)
    }
}

impl Taking<'_> {
    fn run(mut self) -> Result<BackupReport, StoreError> {
        let database = self.target.path(DATABASE_FILE)?;
        let store = self.store;
        let pointers = store.database.snapshot(&database, |db| store.frozen_pointers(db))?;
        for (line, pointer) in &pointers {
            self.champions.insert(pointer.model.clone());
            self.wanted.extend(store.champions(line)?.into_iter().take(2));
            self.report.champions.insert(line.clone(), pointer.model.clone());
        }
        self.missing.clone_from(&self.champions);
        self.wanted.extend(store.pins()?.into_iter().map(|pin| pin.model));
        self.wanted.extend(store.next_parents()?.into_keys());
        self.wanted.extend(store.kept_held(None)?);
        for model in models_of(&database)? {
            self.model(&model)?;
        }
        self.check_champions()?;
        self.folder(&store.layout.etl_dir(), "data/etl")?;
        self.folder(&store.layout.live_dir(), "data/live")?;
        for (line, pointer) in &pointers {
            let name = pointer_path(Path::new("models"), line).display().to_string();
            self.target.write(&name, &pointer.bytes)?;
            let name = confirmation_path(Path::new("models"), line).display().to_string();
            self.copy_if_there(&confirmation_path(store.models_dir(), line), &name)?;
        }
        self.settle_database(&database)?;
        self.target.add(DATABASE_FILE)?;
        self.target.finish(self.report)
    }

    /// Copies a model: its record as the snapshot knows it, its other files, and its weights if they are wanted.
    fn model(&mut self, model: &FrozenModel) -> Result<(), StoreError> {
        let dir = self.store.model_dir(&model.id);
        let mut record = match self.store.model(&model.id) {
            Ok(record) => record,
            Err(error) => return self.leave_out(&model.id, &error),
        };
        model.take_back(&mut record);
        self.report.models += 1;
        let has_weights = record.weights_removed.is_none() && self.weights(&record)?;
        if has_weights {
            self.report.models_with_weights += 1;
            self.missing.remove(&model.id);
        } else {
            let removed = WeightsRemoved { at: self.report.created_at, by: RemovedBy::Backup };
            record.weights_removed.get_or_insert(removed);
            self.left_out.push(model.id.clone());
        }
        let prefix = format!("models/{}", model.id);
        self.target.write(&format!("{prefix}/{METADATA_FILE}"), &json_file(&record)?)?;
        for (name, path) in files_below(&dir)? {
            let is_else = name != METADATA_FILE && !name.ends_with(".safetensors") && !name.starts_with('.');
            if is_else {
                self.target.copy(&path, &format!("{prefix}/{name}"))?;
            }
        }
        Ok(())
    }

    /// Copies the weights of a model if they are wanted and sound. Tells whether they are in the backup.
    fn weights(&mut self, record: &ModelRecord) -> Result<bool, StoreError> {
        let id = &record.model_id;
        let is_wanted =
            self.scope == BackupScope::AllModels || self.champions.contains(id) || self.wanted.contains(id);
        if !is_wanted {
            return Ok(false);
        }
        let mut copied = Vec::new();
        let problem = match self.copy_weights(record, &mut copied) {
            Ok(()) => return Ok(true),
            Err(error @ StoreError::BadModel { .. }) => error,
            Err(StoreError::Files(error)) if error.is_not_found() => error.into(),
            Err(error) => return Err(error),
        };
        if self.champions.contains(id) {
            return Err(problem);
        }
        self.note(&problem);
        self.target.take_out(&copied)?;
        Ok(false)
    }

    fn copy_weights(&mut self, record: &ModelRecord, copied: &mut Vec<String>) -> Result<(), StoreError> {
        let id = &record.model_id;
        let _loaded = self.store.lock_bundle(id)?;
        let dir = self.store.model_dir(id);
        let mut hashes = BTreeMap::new();
        for path in weight_files(&dir)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let listed = format!("models/{id}/{name}");
            copied.push(listed.clone());
            hashes.insert(name, self.target.copy(&path, &listed)?);
        }
        let expected =
            [(POLICY_FILE, Some(&record.sha256)), (OPTIMIZER_FILE, record.optimizer_sha256.as_ref())];
        for (name, sha256) in expected {
            let Some(sha256) = sha256 else { continue };
            let found = hashes.get(name).map_or("missing", String::as_str);
            if found != sha256 {
                let reason = format!("its SHA-256 is {found}: expected {sha256}");
                return Err(StoreError::bad_model(&dir.join(name), reason));
            }
        }
        Ok(())
    }

    /// Goes on without a model whose record can't be read.
    fn leave_out(&mut self, id: &ModelId, error: &StoreError) -> Result<(), StoreError> {
        self.note(error);
        self.left_out.push(id.clone());
        Ok(())
    }

    fn note(&mut self, problem: &StoreError) {
        if self.report.problems.len() < MAX_PROBLEMS {
            self.report.problems.push(problem.to_string());
        }
    }

    /// Refuses to complete a backup whose pointers name models that are not in it.
    fn check_champions(&self) -> Result<(), StoreError> {
        match self.missing.first() {
            None => Ok(()),
            Some(champion) => Err(StoreError::bad_model(
                &self.store.model_dir(champion),
                "it is champion, and its record or its weights can't be copied: promote another, or go back \
                 (`orchestrate models rollback`)",
            )),
        }
    }

    /// Copies the files of a folder that holds whole files or journals.
    fn folder(&mut self, dir: &Path, name: &str) -> Result<(), StoreError> {
        for (below, path) in files_below(dir)? {
            let is_temporary = below.rsplit('/').next().is_some_and(|last| last.starts_with('.'));
            if is_temporary {
                continue;
            }
            // It may be gone since the folder was read.
            self.copy_if_there(&path, &format!("{name}/{below}"))?;
        }
        Ok(())
    }

    fn copy_if_there(&mut self, path: &Path, name: &str) -> Result<(), StoreError> {
        match self.target.copy(path, name) {
            Err(StoreError::Files(error @ Error::Io { .. })) if error.is_not_found() => Ok(()),
            copied => copied.map(drop),
        }
    }

    /// Records in the copy of the database whose weights the backup does not hold, and makes it one file.
    fn settle_database(&self, database: &Path) -> Result<(), StoreError> {
        let fail = StoreError::database(database);
        let settle = || -> rusqlite::Result<()> {
            let mut copy = Connection::open(database)?;
            let tx = copy.transaction()?;
            let at = self.report.created_at.to_string();
            for id in &self.left_out {
                tx.execute(
                    "UPDATE models SET weights_removed_at = coalesce(weights_removed_at, ?2), \
                     weights_removed_by = coalesce(weights_removed_by, 'backup'), removal_open = 0 WHERE id = ?1",
                    params![id.as_str(), at],
                )?;
            }
            tx.commit()?;
            copy.pragma_update(None, "journal_mode", "DELETE")?;
            copy.close().map_err(|(_, error)| error)
        };
        settle().map_err(fail)
    }
}

impl FrozenModel {
    /// Makes a record that was written after the snapshot say what the snapshot knows.
    fn take_back(&self, record: &mut ModelRecord) {
        if let Some(status) = ModelStatus::of_word(&self.status) {
            record.status = status;
        }
        record.promoted = self.promoted_at.is_some();
        record.promoted_at = self.promoted_at;
        record.weights_removed = record.weights_removed.or(self.removed);
    }
}

/// A record as it stands in its file.
fn json_file(record: &ModelRecord) -> Result<Vec<u8>, StoreError> {
    let path = Path::new(METADATA_FILE);
    let mut bytes =
        serde_json::to_vec_pretty(record).map_err(|source| Error::Json { path: path.to_owned(), source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The models of a database that nobody else uses.
fn models_of(database: &Path) -> Result<Vec<FrozenModel>, StoreError> {
    let read = || -> rusqlite::Result<Vec<FrozenModel>> {
        let db = Connection::open(database)?;
        let mut query = db.prepare(
            "SELECT id, status, promoted_at, weights_removed_at, weights_removed_by FROM models ORDER BY id",
        )?;
        query.query_map([], frozen_row)?.collect()
    };
    read().map_err(StoreError::database(database))
}

fn frozen_row(row: &Row<'_>) -> rusqlite::Result<FrozenModel> {
    Ok(FrozenModel {
        id: parse(row, 0)?,
        status: row.get(1)?,
        promoted_at: parse_optional(row, 2)?,
        removed: removed_columns(row, 3)?,
    })
}
