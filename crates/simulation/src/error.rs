//! What a simulation refuses.

/// A simulation that can't be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// A setting is out of range.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// A text names nothing that there is.
    #[error("there is no {what} '{text}': expected {expected}")]
    Unknown {
        /// What the text should name.
        what: &'static str,
        /// The text.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A statistic could not be computed.
    #[error(transparent)]
    Statistics(#[from] walkforward_stats::Error),
    /// The rules of promotion can't be followed in a simulation.
    #[error(transparent)]
    Rules(#[from] walkforward_promoter::RulesError),
    /// They refused a ledger.
    #[error(transparent)]
    Ledger(#[from] walkforward_promoter::LedgerError),
}

/// `value`, if it is in the range that `expected` names; a NaN never is.
pub(crate) fn in_range(
    name: &'static str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
    expected: &'static str,
) -> Result<f64, SimulationError> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(SimulationError::Setting { name, value, expected }),
    }
}
