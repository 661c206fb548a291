//! Tells the programs which code they were built from. The libraries are handed it, so that another commit builds this
//! package again and no other.

use std::ffi::OsStr;
use std::path::Path;

#[path = "bins/build/code_version.rs"]
mod code_version;

use code_version::{SOURCES, code_version, commit_files};

fn main() {
    let (folder, git) = (Path::new(env!("CARGO_MANIFEST_DIR")), OsStr::new("git"));
    let version = code_version(env!("CARGO_PKG_VERSION"), folder, git);
    println!("cargo::rustc-env=WALKFORWARD_CODE_VERSION={version}");
    for path in SOURCES.map(|name| folder.join(name)).into_iter().chain(commit_files(folder, git)) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}
