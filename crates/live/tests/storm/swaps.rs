//! Swaps under a storm of bars; `WALKFORWARD_SWAPS=1000 cargo test -p walkforward-live --test storm swaps` makes more.

use std::time::Duration;

use proptest::prelude::*;

use crate::alone;
use crate::common::Workplace;
use crate::process::Reading;
use crate::storm::{Storm, Way, check, run};

/// Swaps of a storm of the suite.
const SWAPS: u64 = 40;
const STORMS: u32 = 4;
/// What a process may come to hold in addition.
const MORE_FILES: usize = 8;
const MORE_MIB: f64 = 32.0;

#[expect(clippy::disallowed_methods, reason = "how often is for whoever runs it to say")]
fn swaps() -> Option<u64> {
    std::env::var("WALKFORWARD_SWAPS").ok().map(|count| count.parse().unwrap())
}

fn check_is_flat(readings: &[Reading]) {
    let tenth = (readings.len() / 10).max(1);
    let (first, last) = (&readings[..tenth], &readings[readings.len() - tenth..]);
    let files = |readings: &[Reading]| readings.iter().map(|reading| reading.files).max().unwrap();
    let mib = |readings: &[Reading]| readings.iter().map(|reading| reading.rss_mib).fold(0.0, f64::max);
    assert!(files(last) <= files(first) + MORE_FILES, "{} files, then {}", files(first), files(last));
    assert!(mib(last) <= mib(first) + MORE_MIB, "{} MiB, then {}", mib(first), mib(last));
}

fn storm(storm: Storm) {
    let _alone = alone();
    let place = Workplace::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(run(&place, storm));
    check(&outcome, &place.journal(), &place.models_dir());
    check_is_flat(&outcome.readings);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if swaps().is_some() { 1 } else { STORMS },
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    })]

    #[test]
    fn under_a_storm_of_bars_each_is_decided_once_by_one_model_and_nothing_grows(
        seed in 1u64..1 << 40,
        by_store in any::<bool>(),
        rest_us in 0u64..2_000,
    ) {
        let way = if by_store { Way::Store } else { Way::Pointer };
        // Far apart: it is the change of the file that tells.
        let poll_interval = Duration::from_secs(1);
        storm(Storm { seed, swaps: swaps().unwrap_or(SWAPS), way, rest_us, poll_interval });
    }
}
