//! Connections that only read. In WAL mode they see the last commit, whoever writes meanwhile, and nobody waits for them.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, MAX_CACHED_STATEMENTS, Refusal};

/// Those who read at once; more wait for one of them. A question takes microseconds to a few milliseconds. Each has three
/// file handles and a page cache of 2 MiB at most, from its first question on.
const MAX_READERS: usize = 4;

/// The connections, each opened when it is needed first.
#[derive(Debug, Default)]
pub(super) struct Readers {
    slots: [Mutex<Option<Connection>>; MAX_READERS],
    /// For whom the next one waits who finds all of them busy.
    turn: AtomicUsize,
}

impl Readers {
    /// Runs `action` on the database at `path` as it is at one moment.
    pub(super) fn read<T>(
        &self,
        path: &Path,
        action: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut slot = self.slot();
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(open(path)?),
        };
        let moment = connection.transaction()?;
        action(&moment)
    }

    /// A connection that nobody uses, the first one if it can be: a program that asks one thing after the other has one.
    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        for slot in &self.slots {
            match slot.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(free)) => return free.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let place = self.turn.fetch_add(1, Ordering::Relaxed) % MAX_READERS;
        self.slots[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to a database that another one has opened and looked at.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.set_prepared_statement_cache_capacity(MAX_CACHED_STATEMENTS);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn count(db: &Connection) -> Result<i64, Refusal> {
        Ok(db.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
    }

    fn writer(path: &Path) -> Connection {
        let db = Connection::open(path).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER)").unwrap();
        db
    }

    #[test]
    fn a_question_is_answered_while_somebody_writes_and_sees_what_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let (db, readers) = (writer(&path), Readers::default());
        db.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
        assert_eq!(readers.read(&path, count).unwrap(), 0);
        db.execute_batch("COMMIT").unwrap();
        assert_eq!(readers.read(&path, count).unwrap(), 1);
    }

    #[test]
    fn two_questions_of_one_action_see_the_same_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let (db, readers) = (writer(&path), Readers::default());
        let seen = readers.read(&path, |connection| {
            let before = count(connection)?;
            db.execute_batch("INSERT INTO t VALUES (1)")?;
            Ok((before, count(connection)?))
        });
        assert_eq!(seen.unwrap(), (0, 0));
    }

    #[test]
    fn nobody_writes_through_a_reader() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let (_db, readers) = (writer(&path), Readers::default());
        assert!(readers.read(&path, |db| Ok(db.execute("INSERT INTO t VALUES (1)", [])?)).is_err());
        assert_eq!(readers.read(&path, count).unwrap(), 0);
    }

    #[test]
    fn more_who_ask_at_once_than_there_are_connections_are_all_answered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let (_db, readers) = (writer(&path), Readers::default());
        let (release, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        thread::scope(|scope| {
            let (readers, path, held) = (&readers, &path, &held);
            for _ in 0..MAX_READERS {
                scope.spawn(move || {
                    let wait = |db: &Connection| {
                        let seen = count(db)?;
                        held.lock().unwrap().recv().unwrap();
                        Ok(seen)
                    };
                    readers.read(path, wait).unwrap()
                });
            }
            let late: Vec<_> =
                (0..MAX_READERS).map(|_| scope.spawn(move || readers.read(path, count).unwrap())).collect();
            for _ in 0..MAX_READERS {
                release.send(()).unwrap();
            }
            late.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), 0));
        });
    }
}
