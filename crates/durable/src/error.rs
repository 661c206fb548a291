//! What can go wrong, told apart by what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Holder;

/// One step of a durable operation: the place at which it failed, or at which a test makes it fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Make a folder.
    CreateDirectory,
    /// Make the temporary file that will replace another.
    CreateTemporary,
    /// Open a file.
    Open,
    /// Read a file or list a folder.
    Read,
    /// Write bytes.
    Write,
    /// Bring a file's bytes to the disk.
    SyncFile,
    /// Give a file or folder its final name.
    Rename,
    /// Bring a folder's names to the disk.
    SyncDirectory,
    /// Cut a file.
    Truncate,
    /// Take away the right to write.
    SetReadOnly,
    /// Remove a file or folder.
    Remove,
    /// Take a lock.
    Lock,
    /// A step of the caller's own, such as a row in a database.
    Other(&'static str),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateDirectory => "create the folder",
            Self::CreateTemporary => "create a temporary file for",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::SyncFile => "sync",
            Self::Rename => "rename to",
            Self::SyncDirectory => "sync the folder",
            Self::Truncate => "cut",
            Self::SetReadOnly => "make read-only",
            Self::Remove => "remove",
            Self::Lock => "lock",
            Self::Other(what) => what,
        })
    }
}

/// A failure of the machine rather than of the program or its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnvironmentFault {
    /// No space, or the quota is used up.
    DiskFull,
    /// The file system is mounted read-only.
    ReadOnly,
    /// The user may not do this.
    Permission,
}

impl EnvironmentFault {
    /// What a person can do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::DiskFull => "free some space on that disk, or choose a folder on another",
            Self::ReadOnly => "that file system is read-only: mount it writable, or choose another folder",
            Self::Permission => "give this user the right to write there, or choose another folder",
        }
    }
}

/// The machine's fault behind `error`, if it is one.
pub fn environment_fault(error: &io::Error) -> Option<EnvironmentFault> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(EnvironmentFault::DiskFull),
        io::ErrorKind::ReadOnlyFilesystem => Some(EnvironmentFault::ReadOnly),
        io::ErrorKind::PermissionDenied => Some(EnvironmentFault::Permission),
        _ => None,
    }
}

/// Whether `error` means a full disk, a read-only file system or a missing permission.
pub fn is_environment_fault(error: &io::Error) -> bool {
    environment_fault(error).is_some()
}

/// A durable operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a step.
    #[error("can't {step} '{}': {source}{}", path.display(), advice_clause(source))]
    Io {
        /// Which step.
        step: Step,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file is longer than anything that should be there.
    #[error("'{}' is longer than {max_bytes} bytes: it is not the file that is expected there", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Longest that is read.
        max_bytes: u64,
    },
    /// Something else than a file has the name of a file. A pipe is refused too: files are read more than once.
    #[error("'{}' is {found}: expected a regular file", path.display())]
    NotAFile {
        /// What was to be opened.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A value can't be written as JSON.
    #[error("'{}' can't be written as JSON: {source}", path.display())]
    Json {
        /// Where it should have gone.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// Somebody else holds the lock.
    #[error("'{}' is locked by {}", path.display(), holder_text(holder.as_ref()))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who took it last, when that can be read.
        holder: Option<Holder>,
    },
    /// A record has no place in the log.
    #[error("a record for '{}' can't be kept: {reason}", path.display())]
    BadRecord {
        /// The log.
        path: PathBuf,
        /// What is wrong with the record.
        reason: String,
    },
    /// A log has reached its bound.
    #[error("'{}' would grow past {max_bytes} bytes: move it away and start a new one", path.display())]
    LogFull {
        /// The log.
        path: PathBuf,
        /// Its bound.
        max_bytes: u64,
    },
    /// A line inside a log is damaged.
    #[error("'{}' line {line}: {reason}; move the file away to keep it, a new one will be started", path.display())]
    CorruptRecord {
        /// The log.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file does not begin as a log does: it is somebody else's, and stays as it is.
    #[error("'{}' is no log of records ({reason}): it was left as it is, give the log another path", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What is wrong with its first line.
        reason: String,
    },
    /// An append failed and the half-written record could not be taken back.
    #[error("'{}' has a half-written record that could not be removed: open it again to cut it", path.display())]
    Poisoned {
        /// The log.
        path: PathBuf,
    },
}

impl Error {
    pub(crate) fn io(step: Step, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { step, path: path.to_owned(), source }
    }

    /// The machine's fault behind this failure, if it is one.
    pub fn environment_fault(&self) -> Option<EnvironmentFault> {
        match self {
            Self::Io { source, .. } => environment_fault(source),
            _ => None,
        }
    }

    /// Whether a full disk, a read-only file system or a missing permission is behind this failure.
    pub fn is_environment_fault(&self) -> bool {
        self.environment_fault().is_some()
    }

    /// Whether the file or folder is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn advice_clause(source: &io::Error) -> String {
    environment_fault(source).map(|fault| format!(" ({})", fault.advice())).unwrap_or_default()
}

fn holder_text(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => format!("process {}", holder.pid),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_step_path_and_what_to_do() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = Error::io(Step::Write, Path::new("models/latest.json"))(full);
        let text = error.to_string();
        assert!(
            text.contains("can't write 'models/latest.json'") && text.contains("free some space"),
            "{text}"
        );
        assert_eq!(error.environment_fault(), Some(EnvironmentFault::DiskFull));
    }

    #[test]
    fn the_machines_faults_are_told_apart_from_the_rest() {
        let fault = |kind: io::ErrorKind| environment_fault(&io::Error::from(kind));
        assert_eq!(fault(io::ErrorKind::QuotaExceeded), Some(EnvironmentFault::DiskFull));
        assert_eq!(fault(io::ErrorKind::ReadOnlyFilesystem), Some(EnvironmentFault::ReadOnly));
        assert_eq!(fault(io::ErrorKind::PermissionDenied), Some(EnvironmentFault::Permission));
        assert_eq!(fault(io::ErrorKind::NotFound), None);
    }
}
