//! The SQLite file: opening, migrations, transactions.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use walkforward_durable::{Files, Step};

use crate::StoreError;

/// How long a statement waits for another process before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Versioned steps of the schema. Published steps never change; new ones are added at the end.
const MIGRATIONS: &[M<'static>] = &[M::up(include_str!("schema/001_first_cycle.sql"))];

/// The schema version of this program.
const SUPPORTED_VERSION: i64 = MIGRATIONS.len() as i64;

/// The database. One connection, used by one thread at a time.
#[derive(Debug)]
pub(crate) struct Database {
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
        Ok(Self { connection: Mutex::new(connection), path, files })
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
        self.files.before(Step::Other(step), &self.path)?;
        let mut connection = self.lock();
        let run = || {
            let transaction = connection.transaction()?;
            let value = action(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(StoreError::database(&self.path))
    }

    /// Reads.
    pub(crate) fn read<T>(
        &self,
        action: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        action(&self.lock()).map_err(StoreError::database(&self.path))
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
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    check_soundness(&connection, path)?;
    Ok(connection)
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(StoreError::database(path))?;
    if found > SUPPORTED_VERSION {
        return Err(StoreError::DatabaseNewer { path: path.to_owned(), found, supported: SUPPORTED_VERSION });
    }
    Ok(())
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
