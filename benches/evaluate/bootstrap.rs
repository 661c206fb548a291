//! Is one model better than another on the same bars?

use serde_json::{Value, json};
use walkforward_stats::{BlockBootstrap, BlockLength, BlockScheme, paired_bootstrap};

use crate::bars::uniform;
use crate::measure::time;

const BARS: usize = 2_000;
const RESAMPLES: usize = 1_999;
const RUNS: usize = 21;

/// A JSON line for the test with the automatic block length.
pub(crate) fn run() -> Vec<Value> {
    let returns = |purpose, mean| (0..BARS).map(|bar| mean + 0.035 * (uniform(bar, purpose) - 0.5)).collect();
    let (challenger, champion): (Vec<f64>, Vec<f64>) = (returns(0, 0.000_5), returns(1, 0.0));
    let (seconds, (mean_block, test)) = time(RUNS, || {
        let differences: Vec<f64> = challenger.iter().zip(&champion).map(|(new, old)| new - old).collect();
        let length = BlockLength::of(&differences).expect("a block length");
        let mean_block = length.for_paired_test();
        let scheme = BlockScheme::Stationary;
        let bootstrap = BlockBootstrap { scheme, mean_block, resamples: RESAMPLES, seed: 1 };
        (mean_block, paired_bootstrap(&challenger, &champion, &bootstrap).expect("a test"))
    });
    vec![json!({
        "name": "paired_bootstrap",
        "bars": BARS,
        "resamples": RESAMPLES,
        "mean_block": mean_block,
        "p_value": test.p_value,
        "cpu_ms": seconds.median * 1e3,
        "cpu_ms_fastest": seconds.fastest * 1e3,
    })]
}
