//! Which code a program says that it is.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use walkforward::wiring::CODE_VERSION;

use crate::support::World;

#[path = "../bins/build/code_version.rs"]
mod of_build;

use of_build::{code_version, commit_files};

/// A checkout with one commit, made by nobody; none, which is said, where there is no git.
fn checkout(test: &str) -> Option<World> {
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("skipped: {test} needs git, which is not there");
        return None;
    }
    let world = World::new();
    std::fs::create_dir(world.path("bins")).unwrap();
    world.file("bins/main.rs", "fn main() {}\n");
    world.file("README.md", "words\n");
    git(&world.path("."), &["init", "--quiet"]);
    commit(&world.path("."));
    Some(world)
}

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").arg("-C").arg(folder);
    for (name, value) in [("NAME", "nobody"), ("EMAIL", "nobody@localhost")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    let output = command.args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(folder: &Path) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "A commit"]);
}

#[test]
fn a_checkout_adds_its_commit_and_whether_its_sources_are_as_committed() {
    let test = "a_checkout_adds_its_commit_and_whether_its_sources_are_as_committed";
    let Some(world) = checkout(test) else { return };
    let folder = world.path(".");
    let version = || code_version("0.1.0", &folder, OsStr::new("git"));
    let head = || git(&folder, &["rev-parse", "HEAD"])[..12].to_owned();
    assert_eq!(version(), format!("0.1.0+g{}", head()));
    // Neither words nor files that nobody tracks make another program; a look at an index that is out of date neither.
    world.file("README.md", "other words\n");
    world.file("bins/notes.txt", "words\n");
    world.file("bins/main.rs", "fn main() {}\n");
    assert_eq!(version(), format!("0.1.0+g{}", head()));
    world.file("bins/main.rs", "fn main() { }\n");
    assert_eq!(version(), format!("0.1.0+g{}.dirty", head()));
    git(&folder, &["add", "--all"]);
    assert_eq!(version(), format!("0.1.0+g{}.dirty", head()));
    let (before, watched) = (head(), commit_files(&folder, OsStr::new("git")));
    let contents = || watched.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>();
    let old = contents();
    commit(&folder);
    assert_eq!(version(), format!("0.1.0+g{}", head()));
    assert!(head() != before && contents() != old, "a commit changes nothing that is watched: {watched:?}");
}

#[test]
fn without_a_checkout_of_its_own_or_git_it_is_the_plain_version() {
    let test = "without_a_checkout_of_its_own_or_git_it_is_the_plain_version";
    let Some(world) = checkout(test) else { return };
    let plain = |folder: &Path, git: &str| {
        assert_eq!(code_version("0.1.0", folder, OsStr::new(git)), "0.1.0");
        assert!(commit_files(folder, OsStr::new(git)).is_empty());
    };
    plain(&world.path("."), "no-such-git");
    plain(&world.path("."), "false");
    plain(&world.path("bins"), "git");
    plain(World::new().path(".").as_path(), "git");
}

#[test]
fn a_model_records_the_code_of_the_program_that_made_it() {
    let world = World::new();
    let report = world.promote();
    let model = report["modelId"].as_str().unwrap();
    assert_eq!(world.read_json(&format!("models/{model}/metadata.json"))["codeVersion"], CODE_VERSION);
    for program in ["orchestrate", "live-trader"] {
        let said = world.command(program).arg("--version").output().unwrap().stdout;
        assert_eq!(String::from_utf8(said).unwrap(), format!("{program} {CODE_VERSION}\n"));
    }
    let (version, commit) = CODE_VERSION.split_once("+g").unwrap_or((CODE_VERSION, ""));
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let digits = commit.strip_suffix(".dirty").unwrap_or(commit);
    assert!([0, 12].contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_hexdigit()), "{commit}");
}
