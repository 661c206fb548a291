//! Which code a program was built from: its version, and the commit when it was built from a checkout of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the programs are made from; a change of anything else makes no other program.
pub(crate) const SOURCES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "build.rs", "bins", "crates"];
/// Digits of a commit's hash.
const COMMIT_DIGITS: usize = 12;

/// `0.1.0+g1a2b3c4d5e6f`, with `.dirty` when a tracked file of [`SOURCES`] is not as it was committed; `package`, the
/// plain version, outside a checkout whose root is `folder`, and where there is no such program as `git`. It depends on
/// the commit and on those files alone.
pub(crate) fn code_version(package: &str, folder: &Path, git: &OsStr) -> String {
    let git = Git { program: git, folder };
    match git.commit() {
        Some(commit) if git.is_clean() => format!("{package}+g{commit}"),
        Some(commit) => format!("{package}+g{commit}.dirty"),
        None => package.to_owned(),
    }
}

/// Files that change when another commit is checked out or made.
pub(crate) fn commit_files(folder: &Path, git: &OsStr) -> Vec<PathBuf> {
    let git = Git { program: git, folder };
    if git.commit().is_none() {
        return Vec::new();
    }
    let branch = git.text(&["rev-parse", "--symbolic-full-name", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref());
    let paths = names.filter_map(|name| git.text(&["rev-parse", "--git-path", name]));
    paths.map(|path| folder.join(path)).filter(|path| path.is_file()).collect()
}

struct Git<'a> {
    program: &'a OsStr,
    folder: &'a Path,
}

impl Git<'_> {
    fn run(&self, args: &[&str]) -> Option<Output> {
        let mut command = Command::new(self.program);
        // Whoever works in the checkout meanwhile is not to find its index locked.
        command.env("GIT_OPTIONAL_LOCKS", "0").arg("-C").arg(self.folder).args(args);
        command.output().ok()
    }

    fn text(&self, args: &[&str]) -> Option<String> {
        let output = self.run(args).filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
    }

    /// The commit that is checked out; none where the folder only lies in somebody else's checkout.
    fn commit(&self) -> Option<String> {
        let root = PathBuf::from(self.text(&["rev-parse", "--show-toplevel"])?);
        if root.canonicalize().ok()? != self.folder.canonicalize().ok()? {
            return None;
        }
        let commit = self.text(&["rev-parse", "--verify", "HEAD"])?;
        commit.get(..COMMIT_DIGITS).map(str::to_owned)
    }

    fn is_clean(&self) -> bool {
        let diff = self.run(&[&["diff", "--quiet", "HEAD", "--"], &SOURCES[..]].concat());
        diff.is_some_and(|output| output.status.success())
    }
}
