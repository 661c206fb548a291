//! What this process takes of the machine.

#[path = "../../../../benches/shared/process.rs"]
mod machine;

use std::fs::read_dir;

/// What the process takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Files, sockets and the like that are open.
    pub(crate) files: usize,
    /// Memory that is resident; NaN where the system does not say.
    pub(crate) rss_mib: f64,
}

impl Reading {
    pub(crate) fn now() -> Self {
        let files = read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self { files, rss_mib: machine::rss_mib() }
    }
}
