//! The ledger of an arm against its reference, bar by bar.

use walkforward_core::{ArmId, Horizon, StreamEvidence};

use super::rules::EvidenceRules;
use super::{MarketPace, RulesError};

/// Spreads the count of bars over the bits of a seed: `2^64 / golden ratio`, made odd.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a standing is computed from, the oldest bar first.
#[derive(Debug, Clone, Copy)]
pub struct LedgerSeries<'a> {
    /// Net return of the arm less that of the reference, `[n_bars]`.
    pub differences: &'a [f64],
    /// Whether the two held different positions at the end of each bar, `[n_bars]`; where none is given, they did on the
    /// bars whose difference is not 0.
    pub differs: Option<&'a [bool]>,
    /// Position of the arm at the end of each bar as a fraction of equity, `[n_bars]`; where none is given, nothing can be
    /// said about its trades, and the rails on how much it decided are left out.
    pub arm_position: Option<&'a [f64]>,
    /// How fast bars come.
    pub pace: MarketPace,
    /// The registered test and the e-process begin with this bar; those before it count for the bootstrap alone.
    pub first_live_bar: usize,
    /// The registered test; none while there is none.
    pub horizon: Option<&'a Horizon>,
    /// Level of the e-process without a registered test; none leaves it to the rules.
    pub anytime_level: Option<f64>,
    /// Source of the bootstrap's draws.
    pub seed: u64,
}

/// A ledger that no figure can be made of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LedgerError {
    /// Two series of one ledger differ in length.
    #[error("{name} has {found} bars: expected {expected}, one for each bar of the ledger")]
    Length {
        /// Which series.
        name: &'static str,
        /// Its length.
        found: usize,
        /// The ledger's length.
        expected: usize,
    },
    /// A return or a position is no number.
    #[error("{name} of bar {bar} is {value}: expected a finite number; leave bars that nobody knows out")]
    Number {
        /// Which series.
        name: &'static str,
        /// Position in the ledger, from 0.
        bar: usize,
        /// What it is.
        value: f64,
    },
    /// Bars are not in order.
    #[error(
        "bar {bar} of the ledger does not close after the bar before it: each bar counts once, oldest first"
    )]
    Order {
        /// Position in the ledger, from 0.
        bar: usize,
    },
    /// The market's pace is none, or a test's level is no probability.
    #[error(transparent)]
    Setting(#[from] RulesError),
    /// A statistic refused its input, such as a horizon that ends before the first look.
    #[error(transparent)]
    Statistic(#[from] walkforward_stats::Error),
}

impl<'a> LedgerSeries<'a> {
    /// Differences that are all live, without a registered test, under seed 0.
    pub fn of(differences: &'a [f64], pace: MarketPace) -> Self {
        let (horizon, anytime_level) = (None, None);
        let (differs, arm_position) = (None, None);
        Self { differences, differs, arm_position, pace, first_live_bar: 0, horizon, anytime_level, seed: 0 }
    }

    /// Seed of the draws at the look after `look_bars`: another one for each look.
    pub fn seed_at(&self, look_bars: usize) -> u64 {
        self.seed ^ (look_bars as u64).wrapping_mul(SPREAD)
    }

    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let expected = self.differences.len();
        if let Some(differs) = self.differs {
            same_length("the list of differing bars", differs.len(), expected)?;
        }
        if let Some(position) = self.arm_position {
            same_length("the arm's position", position.len(), expected)?;
            all_finite("the arm's position", position)?;
        }
        all_finite("the difference", self.differences)
    }

    /// Whether the two differed on `bar`.
    pub(super) fn differs_at(&self, bar: usize) -> bool {
        self.differs.map_or_else(|| self.differences[bar] != 0.0, |differs| differs[bar])
    }
}

/// A [`StreamEvidence`] that was checked, as differences.
#[derive(Debug)]
pub(super) struct StreamLedger {
    differences: Vec<f64>,
    differs: Vec<bool>,
    pace: MarketPace,
    first_live_bar: usize,
    seed: u64,
}

impl StreamLedger {
    pub(super) fn of(stream: &StreamEvidence, rules: &EvidenceRules) -> Result<Self, LedgerError> {
        let pace = MarketPace::new(stream.bars_per_day, stream.bars_per_year)?;
        check_series(stream)?;
        let returns = stream.arm_return.iter().zip(&stream.reference_return);
        let positions = stream.arm_position.iter().zip(&stream.reference_position);
        Ok(Self {
            differences: returns.map(|(arm, reference)| arm - reference).collect(),
            differs: positions.map(|(arm, other)| (arm - other).abs() > rules.position_tolerance).collect(),
            pace,
            first_live_bar: first_live_bar(stream),
            seed: seed_of(&stream.arm),
        })
    }

    pub(super) fn series<'a>(&'a self, stream: &'a StreamEvidence) -> LedgerSeries<'a> {
        LedgerSeries {
            differences: &self.differences,
            differs: Some(&self.differs),
            arm_position: Some(&stream.arm_position),
            pace: self.pace,
            first_live_bar: self.first_live_bar,
            horizon: stream.horizon.as_ref(),
            anytime_level: stream.anytime_level,
            seed: self.seed,
        }
    }
}

/// The arm's sixteen hex digits as 64 bits.
pub(super) fn seed_of(arm: &ArmId) -> u64 {
    u64::from_str_radix(arm.as_str(), 16).unwrap_or_default()
}

/// Trades of the arm that were closed within the first `bars`: stretches with a position on one side that ended.
pub(super) fn closed_trades(position: &[f64], bars: usize) -> usize {
    let side = |position: f64| if position == 0.0 { 0.0 } else { position.signum() };
    let pairs = position[..bars].windows(2);
    pairs.filter(|pair| side(pair[0]) != 0.0 && side(pair[1]) != side(pair[0])).count()
}

/// The first bar that a registered test may count: neither replayed nor closed when it was registered.
fn first_live_bar(stream: &StreamEvidence) -> usize {
    let registered = stream.horizon.as_ref().map(|horizon| horizon.after);
    let seen = registered.map_or(0, |after| stream.bar_close.partition_point(|close| *close <= after));
    seen.max(stream.replayed_bars).min(stream.bar_close.len())
}

fn check_series(stream: &StreamEvidence) -> Result<(), LedgerError> {
    let expected = stream.bar_close.len();
    for (name, series) in [
        ("the arm's return", &stream.arm_return),
        ("the reference's return", &stream.reference_return),
        ("the arm's position", &stream.arm_position),
        ("the reference's position", &stream.reference_position),
    ] {
        same_length(name, series.len(), expected)?;
        all_finite(name, series)?;
    }
    if !stream.asset_return.is_empty() {
        same_length("the asset's return", stream.asset_return.len(), expected)?;
        all_finite("the asset's return", &stream.asset_return)?;
    }
    match stream.bar_close.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(bar) => Err(LedgerError::Order { bar: bar + 1 }),
        None => Ok(()),
    }
}

fn same_length(name: &'static str, found: usize, expected: usize) -> Result<(), LedgerError> {
    if found == expected { Ok(()) } else { Err(LedgerError::Length { name, found, expected }) }
}

fn all_finite(name: &'static str, values: &[f64]) -> Result<(), LedgerError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(bar) => Err(LedgerError::Number { name, bar, value: values[bar] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_is_closed_when_its_side_ends() {
        let closed = |position: &[f64]| closed_trades(position, position.len());
        assert_eq!(closed(&[0.0, 1.0, 0.9, 0.0, 0.0, 1.0]), 1);
        assert_eq!(closed(&[1.0, -1.0, 0.0]), 2);
        assert_eq!(closed(&[0.0; 4]), 0);
        assert_eq!(closed_trades(&[1.0, 0.0, 1.0, 0.0], 2), 1);
        assert_eq!(closed(&[-0.0, 0.0]), 0);
    }

    #[test]
    fn numbers_that_are_none_are_refused_by_bar() {
        let pace = MarketPace::new(24.0, 8_760.0).unwrap();
        let error = LedgerSeries::of(&[0.0, f64::NAN], pace).check().unwrap_err().to_string();
        assert!(error.starts_with("the difference of bar 1 is NaN"), "{error}");
        let short = LedgerSeries { differs: Some(&[true]), ..LedgerSeries::of(&[0.0; 2], pace) };
        let error = short.check().unwrap_err().to_string();
        assert!(error.starts_with("the list of differing bars has 1 bars: expected 2"), "{error}");
        let torn = LedgerSeries { arm_position: Some(&[0.0, f64::NAN]), ..LedgerSeries::of(&[0.0; 2], pace) };
        let error = torn.check().unwrap_err().to_string();
        assert!(error.starts_with("the arm's position of bar 1 is NaN"), "{error}");
    }
}
