//! Where a rehearsal works: a folder that is gone afterwards, unless somebody wants to keep it.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, value_parser};
use tempfile::TempDir;
use walkforward::failure::Failure;

const WORK_DIR: &str = "work-dir";
const KEEP: &str = "keep";

/// The flags that choose it.
pub(crate) fn arguments() -> [Arg; 2] {
    let folder = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("DIR").value_parser(value_parser!(PathBuf)).help(help)
    };
    [
        folder(
            WORK_DIR,
            "Where it works, in a folder of its own that is removed at the end [default: the system's]",
        )
        .conflicts_with(KEEP),
        folder(KEEP, "Works in this folder, new or empty, and leaves models and records there"),
    ]
}

/// A folder to work in.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    path: PathBuf,
    /// Removes the folder when it is dropped; none where it is kept.
    scratch: Option<TempDir>,
}

impl WorkFolder {
    /// The folder that `matches` choose, empty.
    ///
    /// # Errors
    /// It can't be made, or the one to keep is not empty.
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        if let Some(path) = matches.get_one::<PathBuf>(KEEP) {
            return kept(path);
        }
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("walkforward-");
        let scratch = match matches.get_one::<PathBuf>(WORK_DIR) {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let scratch = scratch.map_err(|error| Failure::input(format!("no folder to work in: {error}")))?;
        Ok(Self { path: scratch.path().to_owned(), scratch: Some(scratch) })
    }

    /// Whether it stays.
    pub(crate) fn is_kept(&self) -> bool {
        self.scratch.is_none()
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn kept(path: &Path) -> Result<WorkFolder, Failure> {
    let refuse = |problem: String| Failure::input(format!("--{KEEP} {}: {problem}", path.display()));
    std::fs::create_dir_all(path).map_err(|error| refuse(error.to_string()))?;
    let mut entries = std::fs::read_dir(path).map_err(|error| refuse(error.to_string()))?;
    if entries.next().is_some() {
        return Err(refuse("it is not empty; name a new folder".to_owned()));
    }
    Ok(WorkFolder { path: path.to_owned(), scratch: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(args: &[&str]) -> ArgMatches {
        clap::Command::new("test").no_binary_name(true).args(arguments()).get_matches_from(args)
    }

    #[test]
    fn a_folder_is_gone_afterwards_unless_it_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let text = parent.path().display().to_string();
        let folder = WorkFolder::of(&matches(&["--work-dir", &text])).unwrap();
        let path = folder.path().to_owned();
        assert!(path.starts_with(parent.path()) && path.is_dir());
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());

        let keep = parent.path().join("kept");
        let text = keep.display().to_string();
        drop(WorkFolder::of(&matches(&["--keep", &text])).unwrap());
        assert!(keep.is_dir());
        std::fs::write(keep.join("file"), "x").unwrap();
        let error = WorkFolder::of(&matches(&["--keep", &text])).unwrap_err();
        assert!(error.message.contains("not empty"), "{error}");
    }
}
