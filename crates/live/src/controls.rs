//! Files in a session's folder through which anybody who may write there reaches it, running or not: `halt` and `flatten`,
//! which hold for as long as they lie there, and `acknowledge`, which is taken away once it is journalled.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use walkforward_durable::{Error, FileLock, Files, read_bounded};

use crate::journal::LOCK_FILE;
use crate::{Command, LiveError};

/// Name of the file that halts a session.
pub const HALT_FILE: &str = "halt";
/// Name of the file that halts a session and closes its position first.
pub const FLATTEN_FILE: &str = "flatten";
/// Name of the file that ends a halt.
pub const ACKNOWLEDGE_FILE: &str = "acknowledge";
/// Longest reason in a file.
const MAX_REASON_BYTES: u64 = 4_096;
/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Looks at the files.
pub(crate) struct Controls {
    folder: PathBuf,
    last_look: Option<Duration>,
}

impl Controls {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), last_look: None }
    }

    /// Whether the last look was so long ago that another is due; `now` is the clock's monotonic time.
    pub(crate) fn is_due(&mut self, now: Duration) -> bool {
        let is_due = self.last_look.is_none_or(|last| now.saturating_sub(last) >= LOOK_INTERVAL);
        if is_due {
            self.last_look = Some(now);
        }
        is_due
    }

    /// What somebody acknowledges.
    pub(crate) fn acknowledgement(&self) -> Option<Command> {
        reason(&self.folder.join(ACKNOWLEDGE_FILE)).map(|reason| Command::Acknowledge { reason })
    }

    /// The acknowledgement is in the journal.
    pub(crate) fn acknowledged(&self) -> Result<(), LiveError> {
        let files = Files::default();
        files.remove_file(&self.folder.join(ACKNOWLEDGE_FILE))?;
        Ok(files.sync_dir(&self.folder)?)
    }

    /// What somebody halts the session for.
    pub(crate) fn halt(&self) -> Option<Command> {
        let halted =
            |(name, flatten)| reason(&self.folder.join(name)).map(|reason| Command::Halt { reason, flatten });
        [(FLATTEN_FILE, true), (HALT_FILE, false)].into_iter().find_map(halted)
    }

    /// The halt is over: its files go.
    pub(crate) fn end_halt(&self) -> Result<(), LiveError> {
        end_halt(&Files::default(), &self.folder)
    }
}

fn end_halt(files: &Files, folder: &Path) -> Result<(), LiveError> {
    for name in [FLATTEN_FILE, HALT_FILE] {
        files.remove_file(&folder.join(name))?;
    }
    Ok(files.sync_dir(folder)?)
}

/// What stands in the file; none where there is none. A file that can't be read says as much as an empty one.
fn reason(path: &Path) -> Option<String> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        _ => {}
    }
    let bytes = read_bounded(path, MAX_REASON_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Some(if text.is_empty() { format!("the file {}", path.display()) } else { text })
}

/// The process that runs a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionProcess {
    /// Its number, where it has said so.
    pub pid: Option<u32>,
}

/// Who runs the session in `folder`; nobody where none does.
///
/// # Errors
/// The folder's lock can't be asked.
pub fn session_process(folder: &Path) -> Result<Option<SessionProcess>, LiveError> {
    let path = folder.join(LOCK_FILE);
    if !path.exists() {
        return Ok(None);
    }
    match FileLock::shared_within(&path, Duration::ZERO) {
        Ok(_) => Ok(None),
        Err(Error::Held { holder, .. }) => Ok(Some(SessionProcess { pid: holder.map(|holder| holder.pid) })),
        Err(error) => Err(error.into()),
    }
}

/// Halts the session in `folder`, and closes its position first with `flatten`: at once where it runs, else as soon as
/// it does.
///
/// # Errors
/// The file can't be written.
pub fn halt_session(folder: &Path, reason: &str, flatten: bool) -> Result<(), LiveError> {
    let name = if flatten { FLATTEN_FILE } else { HALT_FILE };
    Ok(Files::default().write_atomic(&folder.join(name), reason.as_bytes())?)
}

/// Ends the halt of the session in `folder`, what somebody asked of it, and any limit that it has reached.
///
/// # Errors
/// The files can't be written.
pub fn acknowledge_session(folder: &Path, reason: &str) -> Result<(), LiveError> {
    let files = Files::default();
    end_halt(&files, folder)?;
    Ok(files.write_atomic(&folder.join(ACKNOWLEDGE_FILE), reason.as_bytes())?)
}
