//! Processor time.

use std::hint::black_box;

use crate::process::thread_cpu_seconds;

/// Runs behind one reading: the kernel counts in steps of several milliseconds.
const REPEATS: usize = 8;

/// Processor seconds of one run of `work`: the fastest and the median of `readings`, and what the last run gave.
pub(crate) fn time<T>(readings: usize, mut work: impl FnMut() -> T) -> (Seconds, T) {
    let mut last = black_box(work());
    let mut reading = || {
        let start = thread_cpu_seconds();
        for _ in 0..REPEATS {
            last = black_box(work());
        }
        (thread_cpu_seconds() - start) / REPEATS as f64
    };
    let mut seconds: Vec<f64> = (0..readings).map(|_| reading()).collect();
    seconds.sort_by(f64::total_cmp);
    (Seconds { fastest: seconds[0], median: seconds[seconds.len() / 2] }, last)
}

/// Processor time of repeated work, in seconds.
pub(crate) struct Seconds {
    pub(crate) fastest: f64,
    pub(crate) median: f64,
}
