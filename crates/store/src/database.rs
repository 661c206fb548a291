//! The SQLite file: opening, migrations, transactions.

mod readers;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use walkforward_durable::{Error, Files, Step};

use self::readers::Readers;
use crate::StoreError;

/// How long a statement waits for another process before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a snapshot waits for its moment without writers. SQLite lets those who wait have no turn of their own, so
/// busy writers can overtake it for a while.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(60);

/// Prepared statements that are kept: more than the store has.
const MAX_CACHED_STATEMENTS: usize = 64;
/// Largest database that is read as a whole when it is opened, bytes: a third of a second. Damage in a larger one is
/// found when the damaged page is read.
const MAX_CHECKED_BYTES: u64 = 64 << 20;

/// Versioned steps of the schema. Published steps never change; new ones are added at the end.
const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("schema/001_first_cycle.sql")),
    M::up(include_str!("schema/002_continuous_training.sql")),
    M::up(include_str!("schema/003_retention.sql")),
    M::up(include_str!("schema/004_identity.sql")),
    M::up(include_str!("schema/005_due_times_again.sql")),
    M::up(include_str!("schema/006_evidence.sql")),
    M::up(include_str!("schema/007_replays.sql")),
    M::up(include_str!("schema/008_tests_that_stay.sql")),
    M::up(include_str!("schema/009_quarantine.sql")),
    M::up(include_str!("schema/010_live_sessions.sql")),
    M::up(include_str!("schema/011_tests_of_a_reign.sql")),
    M::up(include_str!("schema/012_audit.sql")),
    M::up(include_str!("schema/013_what_pages_show.sql")),
];

/// The schema version of this program.
const SUPPORTED_VERSION: i64 = MIGRATIONS.len() as i64;

/// The database: one connection that writes, used by one thread at a time, and a few that read beside it.
#[derive(Debug)]
pub(crate) struct Database {
    // They are closed first: who is last folds the log into the database.
    readers: Readers,
    connection: Mutex<Connection>,
    path: PathBuf,
    files: Files,
}

impl Database {
    /// Opens the database and brings it to the present schema. The caller holds the lock that keeps other processes
    /// from doing the same.
    pub(crate) fn open(path: PathBuf, files: Files) -> Result<Self, StoreError> {
        files.before(Step::Open, &path)?;
        let mut connection = connect(&path)?;
        files.before(Step::Other("bring to the present schema"), &path)?;
        Migrations::from_slice(MIGRATIONS)
            .to_latest(&mut connection)
            .map_err(|error| migration_error(&path, error))?;
        Ok(Self { readers: Readers::default(), connection: Mutex::new(connection), path, files })
    }

    /// Opens a database that has the present schema, and changes nothing in it.
    pub(crate) fn attach(path: PathBuf, files: Files) -> Result<Self, StoreError> {
        files.before(Step::Open, &path)?;
        let connection = connect(&path)?;
        let found = version(&connection, &path)?;
        if found < SUPPORTED_VERSION {
            return Err(StoreError::DatabaseOlder { path, found, supported: SUPPORTED_VERSION });
        }
        Ok(Self { readers: Readers::default(), connection: Mutex::new(connection), path, files })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `action` in a transaction. `step` names it in errors and to fault plans.
    pub(crate) fn write<T>(
        &self,
        step: &'static str,
        action: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.write_checked(step, |tx| Ok(action(tx)?))
    }

    /// As [`write`](Self::write), of an action that may refuse for reasons of its own; then nothing is changed.
    pub(crate) fn write_checked<T>(
        &self,
        step: &'static str,
        action: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, StoreError> {
        self.files.before(Step::Other(step), &self.path)?;
        let mut connection = self.lock();
        let run = || {
            let transaction = connection.transaction()?;
            let value = action(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|refusal| self.explain(refusal))
    }

    /// Reads, and waits for nobody who writes: it sees what is committed when it begins.
    pub(crate) fn read<T>(
        &self,
        action: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read_checked(|db| Ok(action(db)?))
    }

    /// As [`read`](Self::read), of an action that may refuse for reasons of its own.
    pub(crate) fn read_checked<T>(
        &self,
        action: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<T, StoreError> {
        self.readers.read(&self.path, action).map_err(|refusal| self.explain(refusal))
    }

    /// Copies the database to the new file `to` as it is at one moment, at which `frozen` reads it while nobody writes to
    /// it. Others write on while the copy is made. The connection that others in this process use is left to them: one
    /// of them may be waiting to write.
    pub(crate) fn snapshot<T>(
        &self,
        to: &Path,
        frozen: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<T, StoreError> {
        self.files.before(Step::Other("copy"), &self.path)?;
        let fail = StoreError::database(&self.path);
        let mut writer = connect(&self.path)?;
        let reader = connect(&self.path)?;
        writer.busy_timeout(SNAPSHOT_TIMEOUT).map_err(&fail)?;
        let held = writer.transaction().map_err(&fail)?;
        // The first read of a transaction decides which moment it sees.
        reader.execute_batch("BEGIN DEFERRED; SELECT count(*) FROM models;").map_err(&fail)?;
        let value = frozen(&reader).map_err(|refusal| self.explain(refusal))?;
        held.rollback().map_err(&fail)?;
        let mut copy = Connection::open(to).map_err(StoreError::database(to))?;
        let all_pages = -1;
        let step = Backup::new(&reader, &mut copy).and_then(|backup| backup.step(all_pages));
        match step.map_err(StoreError::database(to))? {
            StepResult::Done => Ok(value),
            _ => Err(StoreError::Database {
                path: self.path.clone(),
                fault: None,
                is_busy: true,
                source: "it is in use, and could not be copied".into(),
            }),
        }
    }

    /// How SQLite would answer `sql`, a line a step.
    #[cfg(test)]
    pub(crate) fn plan(&self, sql: &str) -> String {
        let connection = self.lock();
        let mut query = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = vec![rusqlite::types::Null; query.parameter_count()];
        let steps = query.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3));
        steps.unwrap().collect::<Result<Vec<_>, _>>().unwrap().join("\n")
    }

    fn explain(&self, refusal: Refusal) -> StoreError {
        match refusal {
            Refusal::Sql(error) => StoreError::database(&self.path)(error),
            Refusal::Store(error) => error,
        }
    }
}

/// Why an action on the database came to nothing.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// What was asked makes no sense.
    Store(StoreError),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let fail = StoreError::database(path);
    let mut connection = Connection::open(path).map_err(&fail)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(&fail)?;
    check_version(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(&fail)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(&fail)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(&fail)?;
    connection.set_prepared_statement_cache_capacity(MAX_CACHED_STATEMENTS);
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    if file_bytes(path)? <= MAX_CHECKED_BYTES {
        check_soundness(&connection, path)?;
    }
    Ok(connection)
}

fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(StoreError::database(path))
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(connection, path)?;
    if found > SUPPORTED_VERSION {
        return Err(StoreError::DatabaseNewer { path: path.to_owned(), found, supported: SUPPORTED_VERSION });
    }
    Ok(())
}

fn file_bytes(path: &Path) -> Result<u64, StoreError> {
    let read = |source| Error::Io { step: Step::Read, path: path.to_owned(), source };
    Ok(std::fs::metadata(path).map_err(read)?.len())
}

fn check_soundness(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let detail: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(StoreError::database(path))?;
    if detail == "ok" {
        return Ok(());
    }
    Err(StoreError::DatabaseCorrupt { path: path.to_owned(), detail })
}

fn migration_error(path: &Path, error: rusqlite_migration::Error) -> StoreError {
    match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::database(path)(err),
        other => StoreError::Database {
            path: path.to_owned(),
            fault: None,
            is_busy: false,
            source: Box::new(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_sound() {
        Migrations::from_slice(MIGRATIONS).validate().unwrap();
    }
}
