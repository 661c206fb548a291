//! The environment of a worker: what it needs, and a mark by which its processes are found.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Variable that every process of an attempt carries; its value is a [`Marker`].
pub const MARKER: &str = "WALKFORWARD_ATTEMPT";

/// Variables that a worker gets; keys of brokers and services are not among them.
const PASSED_ON: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUNBUFFERED",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
];
/// Beginning of the variables that say how text is written.
const LOCALE: &str = "LC_";

/// Whether a worker gets the variable `name`. The list names what is allowed, so that a secret that nobody thought of
/// is not.
pub fn is_passed_on(name: &str) -> bool {
    PASSED_ON.contains(&name) || name.starts_with(LOCALE)
}

/// Whose process it is: the attempt, the process that launched it, and the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The attempt.
    pub attempt: String,
    /// Process id of the launcher.
    pub launcher_pid: i32,
    /// When that process started, in ticks since the machine did: tells it from a later one with the same id.
    pub launcher_start: u64,
    /// The data folder, absolute and without links.
    pub folder: PathBuf,
}

/// A text that is no marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no marker: expected attempt@pid.start@folder")]
pub struct MarkerError;

impl Marker {
    /// The mark of `attempt` in the data folder `folder`, launched by this process.
    pub(crate) fn of(attempt: &str, folder: &Path) -> Self {
        let launcher_pid = rustix::process::getpid().as_raw_nonzero().get();
        Self {
            attempt: attempt.to_owned(),
            launcher_pid,
            launcher_start: crate::process::start_of(launcher_pid).unwrap_or(0),
            folder: canonical(folder),
        }
    }
}

/// `folder` without links; as it is when it can't be followed.
pub(crate) fn canonical(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, launcher_pid, launcher_start, folder } = self;
        write!(f, "{attempt}@{launcher_pid}.{launcher_start}@{}", folder.display())
    }
}

impl FromStr for Marker {
    type Err = MarkerError;

    fn from_str(text: &str) -> Result<Self, MarkerError> {
        let mut parts = text.splitn(3, '@');
        let (attempt, launcher, folder) = (parts.next(), parts.next(), parts.next());
        let (pid, start) = launcher.and_then(|launcher| launcher.split_once('.')).ok_or(MarkerError)?;
        Ok(Self {
            attempt: attempt.ok_or(MarkerError)?.to_owned(),
            launcher_pid: pid.parse().map_err(|_| MarkerError)?,
            launcher_start: start.parse().map_err(|_| MarkerError)?,
            folder: folder.ok_or(MarkerError)?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back_also_from_a_folder_with_signs_in_its_name() {
        let folder = PathBuf::from("/tmp/a@b.c d");
        let marker = Marker { attempt: "run-1".to_owned(), launcher_pid: 7, launcher_start: 9, folder };
        assert_eq!(marker.to_string().parse(), Ok(marker));
        for text in ["", "a", "a@b", "a@1@/x", "a@1.x@/x"] {
            assert_eq!(text.parse::<Marker>(), Err(MarkerError), "{text}");
        }
    }

    #[test]
    fn keys_are_not_passed_on() {
        for name in [
            "APCA_API_KEY_ID",
            "APCA_API_SECRET_KEY",
            "ALPACA_SECRET_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "https_proxy",
        ] {
            assert!(!is_passed_on(name), "{name}");
        }
        assert!(is_passed_on("PATH") && is_passed_on("LC_ALL"));
    }
}
