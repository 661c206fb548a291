//! Processes whose launcher is gone.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use walkforward_launcher::{MARKER, end_orphans, find_orphans};

use crate::support::{eventually, runs};

/// A process that carries `marker`, in a group of its own.
fn marked(marker: &str) -> Child {
    Command::new("/bin/sleep").arg("1000").env(MARKER, marker).process_group(0).spawn().unwrap()
}

fn canonical(folder: &Path) -> String {
    folder.canonicalize().unwrap().display().to_string()
}

#[test]
fn orphans_of_this_folder_are_found_and_ended_and_nobody_elses() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let live = std::process::id();
    let start = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start = start.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    let folder = canonical(ours.path());
    // A process id that was given to another process since has another start.
    let mut orphan = marked(&format!("lost-1@{live}.1@{folder}"));
    let mut others = [
        marked(&format!("live-1@{live}.{start}@{folder}")),
        marked(&format!("lost-1@{live}.1@{}", canonical(theirs.path()))),
        marked("lost-1"),
    ];
    let pid = orphan.id() as i32;
    eventually("the orphan is found", || find_orphans(ours.path()).iter().any(|it| it.pid == pid));
    let ended = end_orphans(ours.path());
    assert_eq!(ended.iter().map(|it| (it.pid, it.attempt.as_str())).collect::<Vec<_>>(), [(pid, "lost-1")]);
    orphan.wait().unwrap();
    for other in &mut others {
        assert!(runs(other.id() as i32));
        other.kill().unwrap();
        other.wait().unwrap();
    }
    assert_eq!(find_orphans(ours.path()), []);
}
