//! A rule without a model: in while the fast average is above the slow one.

use serde_json::{Value, json};
use walkforward_core::{MarketCalendar, Timeframe};
use walkforward_engine::{SessionConfig, run_target};
use walkforward_evaluator::measure;

use crate::bars::{BARS, bars};
use crate::measure::time;

const FAST: usize = 10;
const SLOW: usize = 50;
const RUNS: usize = 15;

/// A JSON line for everything from closes to metrics and trades. `benches/evaluate_peers.py` checks the figures.
pub(crate) fn run() -> Vec<Value> {
    let bars = bars();
    let present = vec![true; bars.len()];
    let config = SessionConfig { fee_bps: 2.0, slippage_bps: 1.0, ..SessionConfig::default() };
    let bars_per_year = MarketCalendar::Continuous.bars_per_year(Timeframe::MINUTE);
    let (seconds, (fills, (metrics, trades))) = time(RUNS, || {
        let record = run_target(crossover(bars.closes()), &bars, &present, 0..bars.len(), &config);
        let record = record.expect("a session");
        (record.fills.len(), measure(&record, bars_per_year).expect("figures"))
    });
    vec![json!({
        "name": "rule",
        "bars": BARS,
        "bars_per_cpu_s": (BARS as f64 / seconds.median).round(),
        "bars_per_cpu_s_fastest": (BARS as f64 / seconds.fastest).round(),
        "fills": fills,
        "trades": trades.len(),
        "win_rate": metrics.win_rate,
        "total_return": metrics.total_return,
        "max_drawdown": metrics.max_drawdown,
        "sharpe": metrics.sharpe,
    })]
}

/// 1 on the bars whose fast average of closes is above the slow one, else 0; 0 while the slow one warms up. Asked for
/// every bar in order.
fn crossover(closes: &[f64]) -> impl FnMut(usize) -> f64 {
    let mut sums = [0.0; 2];
    move |bar| {
        for (sum, length) in sums.iter_mut().zip([FAST, SLOW]) {
            *sum += closes[bar];
            if let Some(left) = bar.checked_sub(length) {
                *sum -= closes[left];
            }
        }
        let is_above = sums[0] * SLOW as f64 > sums[1] * FAST as f64;
        if bar + 1 >= SLOW && is_above { 1.0 } else { 0.0 }
    }
}
