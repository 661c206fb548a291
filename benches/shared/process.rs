//! What the kernel knows about this process and this machine. Unknown figures are NaN, which JSON writes as null.
//!
//! Each bench includes this file and uses a part of it.
#![allow(dead_code, reason = "each bench uses a part")]

use std::fs::read_to_string;

/// Length of a clock tick in `/proc/self/stat`, in seconds.
const TICK: f64 = 0.01;

/// Seconds of processor time of this thread so far.
pub(crate) fn thread_cpu_seconds() -> f64 {
    let text = read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).map_or(f64::NAN, |ns| ns * 1e-9)
}

/// Seconds of processor time of all threads so far, in hundredths.
pub(crate) fn process_cpu_seconds() -> f64 {
    let stat = read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |index| fields.split_whitespace().nth(index).and_then(|x: &str| x.parse::<f64>().ok());
    ticks(11).zip(ticks(12)).map_or(f64::NAN, |(user, system)| (user + system) * TICK)
}

/// Most memory that was resident at once, in MiB.
pub(crate) fn peak_rss_mib() -> f64 {
    status_mib("VmHWM:")
}

/// Memory that is resident now, in MiB.
pub(crate) fn rss_mib() -> f64 {
    status_mib("VmRSS:")
}

/// Memory of another process that is resident now, in MiB.
pub(crate) fn rss_mib_of(process: u32) -> f64 {
    mib_in(&format!("/proc/{process}/status"), "VmRSS:")
}

fn status_mib(key: &str) -> f64 {
    mib_in("/proc/self/status", key)
}

fn mib_in(path: &str, key: &str) -> f64 {
    let status = read_to_string(path).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// Mean number of running processes over the last minute.
pub(crate) fn load1() -> f64 {
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().and_then(|x| x.parse().ok()).unwrap_or(f64::NAN)
}
