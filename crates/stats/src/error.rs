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
    /// A setting of a statistic is out of range.
    #[error("{name} is {value}: expected {expected}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// A value is NaN, infinite or too large to be squared and summed.
    #[error("{name} {index} is {value}: expected a number from -1e100 to 1e100")]
    Value {
        /// What the values are.
        name: &'static str,
        /// Position in the list, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// A list has the wrong number of values.
    #[error("{name} has {found} values: expected {expected}")]
    Length {
        /// Which list.
        name: &'static str,
        /// How many values it has.
        found: usize,
        /// How many were expected.
        expected: String,
    },
    /// A difference is worse than the bound that a bet was sized for.
    #[error(
        "difference {value} is below the declared bound of -{bound}: the test is not valid on it; \
         start a new one with a larger bound"
    )]
    BelowBound {
        /// The difference.
        value: f64,
        /// The declared bound, above 0.
        bound: f64,
    },
}

/// Larger values would overflow once they are squared and summed.
const LARGEST: f64 = 1e100;

/// `values`, unless one of them is NaN, infinite or beyond [`LARGEST`].
pub(crate) fn all_usable<'a>(name: &'static str, values: &'a [f64]) -> Result<&'a [f64], Error> {
    for (index, value) in values.iter().enumerate() {
        usable(name, index, *value)?;
    }
    Ok(values)
}

/// `value`, unless it is NaN, infinite or beyond [`LARGEST`].
pub(crate) fn usable(name: &'static str, index: usize, value: f64) -> Result<f64, Error> {
    if value.abs() <= LARGEST { Ok(value) } else { Err(Error::Value { name, index, value }) }
}

/// `value`, if it is in the range that `expected` names. A NaN is in no range.
pub(crate) fn in_range(
    name: &'static str,
    value: f64,
    allowed: bool,
    expected: &'static str,
) -> Result<f64, Error> {
    if allowed { Ok(value) } else { Err(Error::Setting { name, value, expected }) }
}
