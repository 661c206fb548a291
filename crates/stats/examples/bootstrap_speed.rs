//! Times the paired bootstrap of 2,000 bars with 1,999 resamples on one core:
//! `cargo run --release -p walkforward-stats --example bootstrap_speed`.
//! Prints one JSON line with the fastest and the median of 21 runs.
#![expect(clippy::print_stdout, reason = "the result is its output")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use walkforward_stats::{BlockBootstrap, BlockLength, BlockScheme, Error, paired_bootstrap};

const BARS: usize = 2_000;
const RUNS: u64 = 21;

/// Repeatable returns of about 1 % around `mean`.
fn returns(mean: f64, step: u64) -> Vec<f64> {
    let mut state = step;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        mean + 0.035 * ((state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5)
    };
    (0..BARS).map(|_| next()).collect()
}

fn main() -> Result<(), Error> {
    let (challenger, champion) = (returns(0.000_5, 1), returns(0.0, 2));
    let mut milliseconds = Vec::new();
    let mut last = None;
    for seed in 0..RUNS {
        let start = Instant::now();
        let differences: Vec<f64> = challenger.iter().zip(&champion).map(|(new, old)| new - old).collect();
        let mean_block = BlockLength::of(&differences).map_or(24.0, |length| length.for_paired_test());
        let scheme = BlockScheme::Stationary;
        let bootstrap = BlockBootstrap { scheme, mean_block, resamples: 1_999, seed };
        let test = paired_bootstrap(&challenger, &champion, &bootstrap)?;
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
        last = Some((mean_block, test.p_value));
    }
    milliseconds.sort_by(f64::total_cmp);
    let (mean_block, p_value) = last.unwrap_or_default();
    println!(
        "{{\"bench\":\"paired_bootstrap\",\"bars\":{BARS},\"resamples\":1999,\"mean_block\":{mean_block:.2},\
         \"p_value\":{p_value},\"ms_fastest\":{:.2},\"ms_median\":{:.2}}}",
        milliseconds[0],
        milliseconds[milliseconds.len() / 2]
    );
    Ok(())
}
