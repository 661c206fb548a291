//! Regular files only: opening a pipe waits for a writer who may never come.

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::{Error, Step};

/// Opens the regular file at `path` for reading; links are followed.
///
/// # Errors
/// [`Error::NotAFile`] for a folder, a pipe, a socket or a device, without waiting for it; [`Error::Io`] when it is
/// not there or can't be read.
pub fn open_regular(path: &Path) -> Result<File, Error> {
    open_regular_with(OpenOptions::new().read(true), path)
}

/// As [`open_regular`], with other rights; a file that is not there yet is made when `options` say so.
pub(crate) fn open_regular_with(options: &OpenOptions, path: &Path) -> Result<File, Error> {
    // Asked before opening, which may wait, and again of what was opened, which may be something else by then.
    match std::fs::metadata(path) {
        Ok(metadata) => check(metadata.file_type(), path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io(Step::Open, path)(error)),
    }
    let file = options.open(path).map_err(Error::io(Step::Open, path))?;
    let metadata = file.metadata().map_err(Error::io(Step::Open, path))?;
    check(metadata.file_type(), path)?;
    Ok(file)
}

fn check(kind: FileType, path: &Path) -> Result<(), Error> {
    if kind.is_file() {
        return Ok(());
    }
    let found = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(Error::NotAFile { path: path.to_owned(), found })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{AppendLog, LogLimits, LogReader};

    fn refuse<T>(opened: Result<T, Error>, expected: &str) {
        let Err(error) = opened else { panic!("it was opened: expected {expected}") };
        assert!(matches!(&error, Error::NotAFile { found, .. } if *found == expected), "{error}");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, expected) in
            [(pipe.as_path(), "a pipe"), (dir.path(), "a folder"), (Path::new("/dev/null"), "a device")]
        {
            refuse(open_regular(path), expected);
            refuse(LogReader::open(path, LogLimits::default()), expected);
            refuse(AppendLog::open(path, LogLimits::default()), expected);
        }
    }

    #[test]
    fn a_link_to_a_file_is_opened_and_an_absent_file_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        open_regular(&link).unwrap();
        assert!(open_regular(&dir.path().join("absent")).unwrap_err().is_not_found());
    }
}
