//! What can go wrong in the store.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{ErrorCode, ffi};
use walkforward_core::{ErrorKind, LineName, ModelId, RunId};
use walkforward_durable::{EnvironmentFault, Files};

use crate::ScheduleId;

/// Who has a lock that this process wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLockHeld {
    /// The process that has it; none when its note can't be read.
    pub pid: Option<u32>,
    /// For how long; none when its note can't be read.
    pub age: Option<Duration>,
}

impl fmt::Display for RunLockHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, self.age) {
            (Some(pid), Some(age)) => write!(f, "process {pid} for {} s", age.as_secs()),
            _ => f.write_str("another process"),
        }
    }
}

/// What is wrong with a pointer or with the model that it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerProblem {
    /// It is no JSON, ends too early, or a key is missing or has a wrong value.
    #[error("it is cut off or not a pointer ({0})")]
    Malformed(String),
    /// It belongs to another line.
    #[error("it belongs to the line '{0}'")]
    OtherLine(LineName),
    /// A path in it leaves the models folder.
    #[error("its {key} is '{path}', which leaves the models folder")]
    OutsideModels {
        /// Which key.
        key: &'static str,
        /// Its value.
        path: String,
    },
    /// A path in it is not where its model lies.
    #[error("its {key} is '{path}': expected '{expected}'")]
    OtherPath {
        /// Which key.
        key: &'static str,
        /// Its value.
        path: String,
        /// What it should be.
        expected: String,
    },
    /// A file of the model is not there.
    #[error("it names {model}, of which '{}' is missing", file.display())]
    MissingFile {
        /// Which model.
        model: ModelId,
        /// Which file.
        file: PathBuf,
    },
    /// The weights are not those that were promoted.
    #[error("it names {model} with SHA-256 {expected}, but '{}' has {actual}", file.display())]
    OtherHash {
        /// Which model.
        model: ModelId,
        /// The weights.
        file: PathBuf,
        /// Hash in the pointer.
        expected: String,
        /// Hash of the file.
        actual: String,
    },
    /// The model's own record is damaged or says something else.
    #[error("the record of {model}, '{}', does not fit: {reason}", file.display())]
    OtherRecord {
        /// Which model.
        model: ModelId,
        /// Its `metadata.json`.
        file: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

impl PointerProblem {
    /// Whether it is the weights alone that something happened to.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::MissingFile { .. } | Self::OtherHash { .. })
    }
}

/// Why the store did not do what it was asked. Nothing is overwritten or lost then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder failed.
    #[error(transparent)]
    Files(#[from] walkforward_durable::Error),
    /// SQLite failed.
    #[error("the database '{}' failed: {source}{}", path.display(), advice(*fault, *is_busy))]
    Database {
        /// The database.
        path: PathBuf,
        /// The machine's fault behind it, if it is one.
        fault: Option<EnvironmentFault>,
        /// Whether somebody else held the database for too long.
        is_busy: bool,
        /// SQLite's answer.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database was made by a later version of this program.
    #[error(
        "the database '{}' has schema version {found}, this program knows {supported}: use the newer program, or another data folder",
        path.display()
    )]
    DatabaseNewer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version of this program.
        supported: i64,
    },
    /// The database was made by an earlier version, and whoever asks may not bring it up to date.
    #[error(
        "the database '{}' has schema version {found}, this program wants {supported}: any `orchestrate` command of this version brings it up to date",
        path.display()
    )]
    DatabaseOlder {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version of this program.
        supported: i64,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "'{}' is not a sound database ({detail}): move it away with its -wal and -shm files and run `orchestrate models take-over --reason TEXT`; models and pointers are found again, the history of runs is not",
        path.display()
    )]
    DatabaseCorrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The models folder belongs to another database.
    #[error("the models folder '{}' {problem}", models_dir.display())]
    ForeignModels {
        /// The folder.
        models_dir: PathBuf,
        /// Whose it is, and what to do.
        problem: String,
    },
    /// A line's pointer can't be trusted.
    #[error(
        "the pointer '{}' can't be used: {problem}; restore the file or the model, or remove the pointer to start the line anew",
        path.display()
    )]
    Pointer {
        /// The pointer.
        path: PathBuf,
        /// What is wrong.
        problem: PointerProblem,
    },
    /// There is no such model.
    #[error("there is no model {id}: '{}' does not exist (`orchestrate models list` shows all)", dir.display())]
    UnknownModel {
        /// Which.
        id: ModelId,
        /// Where it would lie.
        dir: PathBuf,
    },
    /// A model's files can't be used.
    #[error("'{}' can't be used: {reason}", path.display())]
    BadModel {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong, what was expected.
        reason: String,
    },
    /// The champion is no longer the one that the candidate was compared with.
    #[error(
        "the pointer of line '{line}' moved: expected {}, found {}; evaluate against the new champion",
        or_none(expected.as_ref()),
        or_none(found.as_ref())
    )]
    PointerMoved {
        /// Which line.
        line: LineName,
        /// The champion that the caller knew.
        expected: Option<ModelId>,
        /// The champion that is.
        found: Option<ModelId>,
    },
    /// The line trades something else.
    #[error("line '{line}' holds {pointer} models: a {model} model needs a line of its own (--line NAME)")]
    OtherMarket {
        /// Which line.
        line: LineName,
        /// Symbol and timeframe of its champion.
        pointer: String,
        /// Symbol and timeframe of the model.
        model: String,
    },
    /// The request makes no sense.
    #[error("the promotion of {to} on line '{line}' is refused: {reason}")]
    RefusedPromotion {
        /// Which line.
        line: LineName,
        /// Which model.
        to: ModelId,
        /// What is wrong.
        reason: String,
    },
    /// A line can't go back.
    #[error("line '{line}' has nothing to go back to: {problem}")]
    NoEarlierChampion {
        /// Which line.
        line: LineName,
        /// Why.
        problem: String,
    },
    /// A name would not be a plain file name.
    #[error("'{name}' can't be the name of an attempt: expected 1 to 128 letters, digits, '-' or '_'")]
    BadAttempt {
        /// The name.
        name: String,
    },
    /// Another run is going on in the data folder.
    #[error("a run is going on: its lock is held by {0}")]
    RunLockHeld(RunLockHeld),
    /// There is no such run, or it is over.
    #[error("run {0} is not going on: it was never begun, or has finished")]
    NoOpenRun(RunId),
    /// The run was begun before.
    #[error("run {0} was begun before: allocate another id")]
    RunExists(RunId),
    /// Another process did not let go of a lock of the store.
    #[error(
        "'{}' is held by {holder} (waited {} s): wait until it is done, or end that process if it hangs",
        path.display(),
        waited.as_secs()
    )]
    LockHeld {
        /// The lock's file.
        path: PathBuf,
        /// Who has it.
        holder: RunLockHeld,
        /// How long this process waited for it.
        waited: Duration,
    },
    /// There is no row with this id.
    #[error("there is no {what} '{id}': known are {known} (`orchestrate {command} list` shows all)")]
    UnknownRow {
        /// What it would be.
        what: &'static str,
        /// Its id.
        id: String,
        /// Ids of some that there are.
        known: String,
        /// The command whose `list` shows all.
        command: &'static str,
    },
    /// Something else still refers to the row.
    #[error("{what} '{id}' can't be deleted: it belongs to {by}")]
    ReferencedRow {
        /// What it is.
        what: &'static str,
        /// Its id.
        id: String,
        /// Who refers to it.
        by: String,
    },
    /// A row can't be made or changed as asked.
    #[error("{what} '{id}' is refused: {reason}")]
    RefusedRow {
        /// What it is.
        what: &'static str,
        /// Its id.
        id: String,
        /// What is wrong, what was expected.
        reason: String,
    },
    /// A cycle can't come to be or change in this way.
    #[error("cycle {number} of schedule '{schedule}' is refused: {reason}")]
    RefusedCycle {
        /// Its schedule.
        schedule: ScheduleId,
        /// Its number.
        number: u64,
        /// What is wrong, what was expected.
        reason: String,
    },
    /// More changes at once than one transaction takes.
    #[error("{found} changes of schedules at once are too many: commit at most {max} together")]
    TooManyChanges {
        /// How many there were.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// Nothing can be made of a folder as a backup, or as the target of one.
    #[error("'{}' {problem}", path.display())]
    Backup {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong, what was expected, what to do.
        problem: String,
    },
    /// Every id near the present is taken.
    #[error("no free run id within {tried} ms after {from}: check the machine's clock")]
    NoFreeRunId {
        /// First id tried.
        from: RunId,
        /// How many were tried.
        tried: u32,
    },
}

impl StoreError {
    /// The machine's fault behind this failure, if it is one.
    pub fn environment_fault(&self) -> Option<EnvironmentFault> {
        match self {
            Self::Files(error) => error.environment_fault(),
            Self::Database { fault, .. } => *fault,
            _ => None,
        }
    }

    /// Whether a full disk, a read-only file system or a missing permission is behind this failure.
    pub fn is_environment_fault(&self) -> bool {
        self.environment_fault().is_some()
    }

    /// What the one who runs a stage has to know about this failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Files(_)
            | Self::Database { .. }
            | Self::RunLockHeld(_)
            | Self::LockHeld { .. }
            | Self::PointerMoved { .. } => ErrorKind::Retry,
            Self::DatabaseNewer { .. }
            | Self::DatabaseOlder { .. }
            | Self::DatabaseCorrupt { .. }
            | Self::ForeignModels { .. }
            | Self::Pointer { .. }
            | Self::UnknownModel { .. }
            | Self::BadModel { .. }
            | Self::OtherMarket { .. }
            | Self::UnknownRow { .. }
            | Self::ReferencedRow { .. }
            | Self::RefusedRow { .. }
            | Self::NoEarlierChampion { .. }
            | Self::Backup { .. } => ErrorKind::BadInput,
            Self::RefusedPromotion { .. }
            | Self::BadAttempt { .. }
            | Self::NoOpenRun(_)
            | Self::RunExists(_)
            | Self::RefusedCycle { .. }
            | Self::TooManyChanges { .. }
            | Self::NoFreeRunId { .. } => ErrorKind::Bug,
        }
    }

    pub(crate) fn pointer(path: &Path, problem: PointerProblem) -> Self {
        Self::Pointer { path: path.to_owned(), problem }
    }

    pub(crate) fn backup(path: &Path, problem: impl Into<String>) -> Self {
        Self::Backup { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn bad_model(path: &Path, reason: impl Into<String>) -> Self {
        Self::BadModel { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |source| {
            let code = source.sqlite_error_code();
            if matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) {
                return Self::DatabaseCorrupt { path: path.to_owned(), detail: source.to_string() };
            }
            Self::Database {
                path: path.to_owned(),
                fault: database_fault(&source, path),
                is_busy: matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)),
                source: Box::new(source),
            }
        }
    }
}

/// SQLite has one word for several causes: where it is not clear, the folder is asked.
fn database_fault(error: &rusqlite::Error, path: &Path) -> Option<EnvironmentFault> {
    let code = error.sqlite_error()?;
    match code.code {
        ErrorCode::DiskFull => Some(EnvironmentFault::DiskFull),
        ErrorCode::ReadOnly => Some(EnvironmentFault::ReadOnly),
        ErrorCode::PermissionDenied => Some(EnvironmentFault::Permission),
        ErrorCode::CannotOpen => folder_fault(path).or(Some(EnvironmentFault::Permission)),
        ErrorCode::SystemIoFailure => {
            let needed_space =
                matches!(code.extended_code, ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_WRITE);
            folder_fault(path).or(needed_space.then_some(EnvironmentFault::DiskFull))
        }
        _ => None,
    }
}

fn folder_fault(path: &Path) -> Option<EnvironmentFault> {
    Files::default().probe_writable(path.parent()?).err()?.environment_fault()
}

fn advice(fault: Option<EnvironmentFault>, is_busy: bool) -> String {
    if is_busy {
        return " (another process holds it: wait until that is done, or end it if it hangs)".to_owned();
    }
    fault.map(|fault| format!(" ({})", fault.advice())).unwrap_or_default()
}

fn or_none(id: Option<&ModelId>) -> &str {
    id.map_or("no model", ModelId::as_str)
}
