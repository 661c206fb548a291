//! Processes that a killed orchestrator left behind.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};

use crate::environment::{MARKER, Marker, canonical};
use crate::process::{ProcessStat, start_of};

/// Longest environment that is looked through, bytes.
const MAX_ENVIRONMENT_BYTES: u64 = 4 << 20;

/// A process of an attempt whose launcher has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The process.
    pub pid: i32,
    /// Its process group.
    pub group: i32,
    /// The attempt that it worked for.
    pub attempt: String,
}

/// The processes of attempts of the data folder `folder` whose launcher is no more; of a live launcher's attempts none.
/// Found by their environment, so also those that left their process group. None where there is no `/proc`.
pub fn find_orphans(folder: &Path) -> Vec<Orphan> {
    let folder = canonical(folder);
    let is_orphan = |marker: &Marker| {
        marker.folder == folder && start_of(marker.launcher_pid) != Some(marker.launcher_start)
    };
    find(&is_orphan)
}

/// Ends the processes of [`find_orphans`] and their groups by force, and returns them. Used before a store is brought in
/// order: what they write afterwards can't be taken for anything.
pub fn end_orphans(folder: &Path) -> Vec<Orphan> {
    let orphans = find_orphans(folder);
    end(&orphans);
    orphans
}

/// Ends what is left of an attempt of this very process, in whatever group.
pub(crate) fn end_stragglers(marker: &Marker) {
    let stragglers = find(&|other: &Marker| other == marker);
    if !stragglers.is_empty() {
        tracing::warn!(attempt = marker.attempt, ?stragglers, "a worker left processes behind");
        end(&stragglers);
    }
}

fn find(is_wanted: &dyn Fn(&Marker) -> bool) -> Vec<Orphan> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let marker = marker_of(pid).filter(|marker| is_wanted(marker))?;
        let stat = ProcessStat::of(pid).filter(|stat| stat.state != b'Z')?;
        Some(Orphan { pid, group: stat.group, attempt: marker.attempt })
    })
    .collect()
}

/// The marker in the environment of `pid`; none for a process of somebody else's, which can't be read.
fn marker_of(pid: i32) -> Option<Marker> {
    let path = format!("/proc/{pid}/environ");
    let environment = walkforward_durable::read_bounded(Path::new(&path), MAX_ENVIRONMENT_BYTES).ok()?;
    let value = environment.split(|&byte| byte == 0).find_map(|variable| {
        let text = std::str::from_utf8(variable).ok()?;
        text.strip_prefix(MARKER)?.strip_prefix('=')
    })?;
    value.parse().ok()
}

fn end(orphans: &[Orphan]) {
    let own_group = getpgrp().as_raw_nonzero().get();
    for orphan in orphans {
        // A group that this process is in itself is not the orphan's alone.
        if orphan.group != own_group
            && let Some(group) = Pid::from_raw(orphan.group)
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Some(pid) = Pid::from_raw(orphan.pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
