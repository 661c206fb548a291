//! Whose models are whose. A models folder belongs to one database: retention sees the pins, schedules and trainings of
//! one, and would take away what another needs.
//!
//! `owner.json` in the models folder names the database by its identity, which its copies in backups have too, and says
//! where the two folders lay when it was last opened. It is written when a store first opens the folder, and again
//! when one of the folders was moved.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use walkforward_core::{Clock, Timestamp};
use walkforward_durable::{Error, FileLock, Files, Step, read_bounded};

use crate::database::Database;
use crate::layout::{Layout, database_in};
use crate::locks::{self, MAX_LOCK_WAIT};
use crate::rows::parse;
use crate::{Store, StoreError};

/// Longest `owner.json`, bytes.
const MAX_OWNER_BYTES: u64 = 64 << 10;
/// Hexadecimal digits of a database's id.
const ID_DIGITS: usize = 32;

/// `owner.json` of a models folder: which database it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelsOwner {
    /// The database's id, the same in its copies.
    pub database_id: String,
    /// When the database was made.
    pub database_created_at: Timestamp,
    /// The data folder that it lies in, absolute.
    pub data_dir: String,
    /// The models folder itself, absolute.
    pub models_dir: String,
}

/// What a store does with a models folder of another database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It refuses the folder.
    Respect,
    /// It takes the folder over when the other database is gone.
    TakeOver,
}

/// That a models folder belongs to the database that a store has open. Nobody takes it over until this is dropped.
#[derive(Debug)]
pub(crate) struct Ownership {
    _user: FileLock,
    /// The owner before, if the folder was taken over.
    pub(crate) former: Option<ModelsOwner>,
}

impl Ownership {
    /// Makes sure that the models folder of `layout` belongs to `database`, and records it at the first use.
    pub(crate) fn of(
        files: &Files,
        layout: &Layout,
        database: &Database,
        clock: &dyn Clock,
        claim: Claim,
    ) -> Result<Self, StoreError> {
        let this = identity(layout, database, clock)?;
        let _owner = locks::exclusive(&layout.owner_lock(), clock, MAX_LOCK_WAIT)?;
        let found = match claim {
            Claim::Respect => read(layout)?,
            // What a damaged file says does not matter to who takes the folder over.
            Claim::TakeOver => read(layout).or_else(|error| match error {
                StoreError::ForeignModels { .. } => Ok(None),
                error => Err(error),
            })?,
        };
        let former = match found.as_ref().and_then(|found| found.problem_for(&this)) {
            Some(problem) if claim == Claim::Respect => return Err(refuse(layout, problem)),
            Some(_) => {
                check_abandoned(layout, found.as_ref(), &this, clock)?;
                found.clone()
            }
            None => None,
        };
        if found.as_ref() != Some(&this) {
            files.write_json_atomic(&layout.owner(), &this)?;
        }
        Ok(Self { _user: FileLock::shared_within(&layout.users_lock(), MAX_LOCK_WAIT)?, former })
    }
}

impl Ownership {
    /// That the models folder of `layout` belongs to `database` already. Nothing is recorded.
    pub(crate) fn known(layout: &Layout, database: &Database) -> Result<Self, StoreError> {
        let [data_dir, models_dir] = [real(&layout.data_dir)?, real(&layout.models_dir)?];
        let known = known_identity(database)?;
        let this = known.map(|(database_id, database_created_at)| ModelsOwner {
            database_id,
            database_created_at,
            data_dir,
            models_dir,
        });
        let problem = match (read(layout)?, &this) {
            (Some(found), Some(this)) => found.problem_for(this),
            _ => Some(format!(
                "is not known to the database of '{}' yet: any `orchestrate` command with both folders makes it known",
                layout.data_dir.display()
            )),
        };
        match problem {
            Some(problem) => Err(refuse(layout, problem)),
            None => {
                let _user = FileLock::shared_within(&layout.users_lock(), MAX_LOCK_WAIT)?;
                Ok(Self { _user, former: None })
            }
        }
    }
}

impl ModelsOwner {
    /// Why `this` may not use what belongs to `self`; none when it is the same database, wherever it lies now.
    fn problem_for(&self, this: &Self) -> Option<String> {
        if self.database_id != this.database_id {
            return Some(format!(
                "belongs to the database of '{}' (made {}), and that of '{}' (made {}) is another: give each data \
                 folder a models folder of its own (--models-dir), or, when the first is gone for good, take this one \
                 over (`orchestrate models take-over --reason TEXT`)",
                self.data_dir, self.database_created_at, this.data_dir, this.database_created_at
            ));
        }
        // Files for other folders come along when both folders are copied.
        let is_copy = self.models_dir == this.models_dir && self.is_elsewhere_than(this);
        is_copy.then(|| {
            format!(
                "belongs to the data folder '{}', which is still there, and '{}' is a copy of that: give each a models \
                 folder of its own (--models-dir)",
                self.data_dir, this.data_dir
            )
        })
    }

    /// Whether the database that it names is still where it was, and is not the one of `this`.
    fn is_elsewhere_than(&self, this: &Self) -> bool {
        let [old, new] = [&self.data_dir, &this.data_dir].map(|dir| database_in(Path::new(dir)));
        let is_same_file = || {
            let file = |path: &Path| fs::metadata(path).ok().map(|file: Metadata| (file.dev(), file.ino()));
            file(&old) == file(&new)
        };
        self.data_dir != this.data_dir && has_identity(&old, &self.database_id) && !is_same_file()
    }
}

/// Refuses to take a folder over that somebody uses, or whose database is still there.
fn check_abandoned(
    layout: &Layout,
    found: Option<&ModelsOwner>,
    this: &ModelsOwner,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let Some(found) = found else { return Ok(()) };
    if found.models_dir == this.models_dir && found.is_elsewhere_than(this) {
        let problem = format!(
            "belongs to the database of '{}', which is still there: remove that data folder or move it away first, or \
             use another models folder (--models-dir)",
            found.data_dir
        );
        return Err(refuse(layout, problem));
    }
    match FileLock::try_exclusive(&layout.users_lock(), clock.now().as_millis()) {
        Ok(_unused) => Ok(()),
        Err(Error::Held { .. }) => {
            let problem = "is in use by a process of its database: stop that first";
            Err(refuse(layout, problem.to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

fn refuse(layout: &Layout, problem: String) -> StoreError {
    StoreError::ForeignModels { models_dir: layout.models_dir.clone(), problem }
}

/// The owner on record; none before the first use, and of a folder of a version that did not record it.
fn read(layout: &Layout) -> Result<Option<ModelsOwner>, StoreError> {
    let path = layout.owner();
    let bytes = match read_bounded(&path, MAX_OWNER_BYTES) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let problem = format!(
            "has an owner that can't be read: '{}' is damaged ({error}); `orchestrate models take-over --reason TEXT` \
             writes it anew",
            path.display()
        );
        refuse(layout, problem)
    })
}

/// Id and time of making of a database that has its identity.
fn known_identity(database: &Database) -> Result<Option<(String, Timestamp)>, StoreError> {
    let select = "SELECT id, created_at FROM identity";
    database
        .read(|db| db.query_row(select, [], |row| Ok((row.get::<_, String>(0)?, parse(row, 1)?))).optional())
}

/// Which database this is, and where it lies; it gets its identity when it has none yet.
fn identity(layout: &Layout, database: &Database, clock: &dyn Clock) -> Result<ModelsOwner, StoreError> {
    let [data_dir, models_dir] = [real(&layout.data_dir)?, real(&layout.models_dir)?];
    let (database_id, database_created_at) = match known_identity(database)? {
        Some(found) => found,
        None => {
            let now = clock.now();
            let id = format!("{:x}", Sha256::digest(format!("{data_dir}\n{now}")));
            let id = id[..ID_DIGITS].to_owned();
            database.write("give an identity to", |tx| {
                let row = params![id, now.to_string()];
                tx.execute("INSERT INTO identity (only, id, created_at) VALUES (1, ?1, ?2)", row)
            })?;
            (id, now)
        }
    };
    Ok(ModelsOwner { database_id, database_created_at, data_dir, models_dir })
}

/// Whether `database` is there and has this id. One that can't be asked counts as having it.
fn has_identity(database: &Path, id: &str) -> bool {
    if !database.exists() {
        return false;
    }
    let ask = || -> rusqlite::Result<String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(database, flags)?;
        db.query_row("SELECT id FROM identity", [], |row| row.get(0))
    };
    match ask() {
        Ok(found) => found == id,
        Err(rusqlite::Error::QueryReturnedNoRows) => false,
        // A database of a version that had no identity; an empty file is one too.
        Err(error) => {
            let is_of_earlier_version = error.to_string().contains("no such table");
            !is_of_earlier_version && error.sqlite_error_code() != Some(ErrorCode::NotADatabase)
        }
    }
}

fn real(path: &Path) -> Result<String, StoreError> {
    let read = |source| Error::Io { step: Step::Read, path: path.to_owned(), source };
    Ok(fs::canonicalize(path).map_err(read)?.display().to_string())
}

impl Store {
    /// As [`open`](Self::open), of a models folder that belongs to another database which is gone: it belongs to this
    /// one from now on. The event `models_taken_over` has the `reason`. What the other database alone knew is lost:
    /// pins, schedules, the history of runs.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); the other database is still where it was; a process of it uses the folder.
    pub fn take_over(
        data_dir: &Path,
        models_dir: &Path,
        clock: std::sync::Arc<dyn Clock>,
        reason: &str,
    ) -> Result<(Self, Option<ModelsOwner>), StoreError> {
        let store = Self::open_as(Claim::TakeOver, Files::default(), data_dir, models_dir, clock)?;
        let former = store.ownership.former.clone();
        store.record_event("models_taken_over", &json!({ "former": former, "reason": reason.trim() }))?;
        Ok((store, former))
    }
}
