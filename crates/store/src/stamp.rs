//! Telling a changed file from an unchanged one without reading it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use walkforward_durable::{Error, Step};

use crate::layout::METADATA_FILE;

/// What changes when a file is replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    modified_s: i64,
    modified_ns: i64,
    len: u64,
}

impl Stamp {
    /// That of the file or folder at `path`; none when there is none.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>, Error> {
        match fs::metadata(path) {
            Ok(file) => Ok(Some(Self {
                device: file.dev(),
                inode: file.ino(),
                modified_s: file.mtime(),
                modified_ns: file.mtime_nsec(),
                len: file.len(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { step: Step::Read, path: path.to_owned(), source }),
        }
    }
}

/// The text that changes when a model's record does, or a file comes to or goes from its folder; none when there is no
/// record. Without the device, whose number may be another one after a reboot.
pub(crate) fn model_stamp(dir: &Path) -> Result<Option<String>, Error> {
    let stamps = (Stamp::of(&dir.join(METADATA_FILE))?, Stamp::of(dir)?);
    Ok(stamps.0.zip(stamps.1).map(|(file, dir)| {
        format!(
            "{}-{}.{:09}-{}-{}.{:09}",
            file.inode, file.modified_s, file.modified_ns, file.len, dir.modified_s, dir.modified_ns
        )
    }))
}
