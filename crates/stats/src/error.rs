//! What the statistics refuse to work on.

/// An input that no statistic is defined on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A return is NaN, infinite or below a total loss.
    #[error("return {index} is {value}: expected a finite number of at least -1")]
    Return {
        /// Position in the series, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// The number of periods per year is no positive number.
    #[error("periods per year is {value}: expected a finite number above 0, such as 8760 for hourly bars")]
    PeriodsPerYear {
        /// What it is.
        value: f64,
    },
    /// An equity is NaN, infinite or negative.
    #[error("equity {index} is {value}: expected a finite number of at least 0")]
    Equity {
        /// Position in the curve, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// A number of a fill is out of range.
    #[error("a fill's {field} is {value}: expected {expected}")]
    Fill {
        /// Which number.
        field: &'static str,
        /// What it is.
        value: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// A fill lies before the one that precedes it.
    #[error(
        "fill {index} is of {time_ms} ms, before the fill that precedes it ({previous_ms} ms): sort the fills by time"
    )]
    FillOrder {
        /// Position in the list, from 0.
        index: usize,
        /// Its time.
        time_ms: i64,
        /// The time of the one before.
        previous_ms: i64,
    },
    /// The fills add up to more than a position can hold.
    #[error("fill {index} takes the position beyond 9.2e9 units of the asset: check the fills' quantities")]
    PositionOverflow {
        /// Position in the list, from 0.
        index: usize,
    },
}
