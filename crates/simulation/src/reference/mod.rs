//! The worlds of the published figures: gates that judge one snapshot at a time, and the sequential tests alone.
//!
//! They use the numbers of those figures, not the configured rules: 1,460 cycles a year, a fresh candidate every 6
//! bars, windows of 500 to 2,000 bars, blocks of a day.

mod cycles;
mod gates;
mod in_sample;
mod one_cycle;
mod sequential;

pub use cycles::{CycleOutcome, CycleStudy};
pub use gates::CycleGate;
pub use in_sample::{InSampleOutcome, InSampleStudy};
pub use one_cycle::{OneCycleOutcome, OneCycleStudy};
pub use sequential::{SequentialOutcome, SequentialStudy, TestOutcome};

use crate::family::Family;
use crate::market::{BARS_PER_YEAR, bar_deviation};

/// Bars from one candidate to the next.
const CADENCE_BARS: usize = 6;
/// Bars before the window, for averages of their past.
const WARM_UP_BARS: usize = 200;
/// Longest window, and most of anything else that a study counts.
const MOST: f64 = 100_000.0;

/// Return per bar in the market that gives a strategy of `family` an annual Sharpe ratio of `sharpe` before costs.
fn drift_of(sharpe: f64, family: Family) -> f64 {
    let exposure = family.exposure();
    sharpe / (BARS_PER_YEAR as f64).sqrt() * bar_deviation() * exposure.sqrt() / exposure
}
