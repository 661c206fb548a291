//! Where a session's socket lies, and taking the place of one that a dead process left.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};
use walkforward_core::SessionId;

/// Longest path that a socket may have on every system that this runs on, bytes.
pub const MAX_SOCKET_PATH_BYTES: usize = 103;
/// The socket is for its owner alone.
const OWNER_ALONE: u32 = 0o600;
/// And so is its folder.
const OWNERS_FOLDER: u32 = 0o700;
/// Ending of a socket's name.
const SOCKET: &str = "sock";
/// Says where the socket of a journal's session is. Backups leave names with a dot out.
const NOTE: &str = ".socket";

/// Why a session has no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No system call takes such a path.
    #[error(
        "the socket's path '{}' has {bytes} bytes: expected at most {MAX_SOCKET_PATH_BYTES}; choose a data folder with a \
         shorter path", path.display()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// Somebody answers there.
    #[error("process {} answers on the socket '{}': one session has one", holder.map_or("?".to_owned(), |pid| pid.to_string()), path.display())]
    Alive {
        /// The path.
        path: PathBuf,
        /// Whose it is, where the system says so.
        holder: Option<i32>,
    },
    /// Another file has the name.
    #[error("'{}' is no socket: move it away, the session listens there", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// It can't be made.
    #[error("the socket '{}' can't be made", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where the socket of `session` lies, below the data folder.
pub fn socket_path(data_dir: &Path, session: &SessionId) -> PathBuf {
    data_dir.join("live").join(format!("{session}.{SOCKET}"))
}

/// The file in a journal's folder that says where its session listens: whoever knows the journal finds the socket.
pub fn socket_note(journal: &Path) -> PathBuf {
    journal.join(NOTE)
}

/// Removes the socket of a session that was killed; whether it did. One on which somebody answers, and any other file,
/// stays. Runs on a tokio runtime.
pub async fn remove_dead_socket(path: &Path) -> bool {
    let is_name = path.extension().is_some_and(|extension| extension == SOCKET);
    let is_there = || fs::symlink_metadata(path).is_ok();
    is_name && is_there() && clear(path).await.is_ok() && !is_there()
}

/// Listens at `path`, in a folder for the owner alone.
pub(super) async fn listen(path: &Path) -> Result<UnixListener, SocketError> {
    let bytes = path.as_os_str().len();
    if bytes > MAX_SOCKET_PATH_BYTES {
        return Err(SocketError::TooLong { path: path.to_owned(), bytes });
    }
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        // What lies above is for whoever it was made for.
        folder.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        fs::DirBuilder::new().recursive(true).mode(OWNERS_FOLDER).create(folder).map_err(failed)?;
        // Nobody else reaches the socket even before its own mode is set.
        fs::set_permissions(folder, fs::Permissions::from_mode(OWNERS_FOLDER)).map_err(failed)?;
    }
    clear(path).await?;
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(OWNER_ALONE)).map_err(failed)?;
    Ok(listener)
}

/// Removes the socket of a dead process.
async fn clear(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(SocketError::NoSocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(alive) => {
            let holder = alive.peer_cred().ok().and_then(|peer| peer.pid());
            Err(SocketError::Alive { path: path.to_owned(), holder })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}
