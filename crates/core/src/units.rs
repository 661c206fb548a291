//! Numbers with a meaning: a price, an amount of money, an amount of an asset.

use std::fmt;
use std::ops::{Add, Neg, Sub};

use serde::{Deserialize, Serialize};

/// A number outside the range of its unit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{value} is not a {unit}: expected {expected}")]
pub struct UnitError {
    unit: &'static str,
    value: f64,
    expected: &'static str,
}

/// Quote currency per unit of the base asset; finite and above zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Price(f64);

impl Price {
    /// A price, refused when it is not finite or not above zero.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if value.is_finite() && value > 0.0 {
            return Ok(Self(value));
        }
        Err(UnitError { unit: "price", value, expected: "a finite number above 0" })
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Price {
    type Error = UnitError;

    fn try_from(value: f64) -> Result<Self, UnitError> {
        Self::new(value)
    }
}

impl From<Price> for f64 {
    fn from(price: Price) -> Self {
        price.0
    }
}

/// An amount of the quote currency; finite.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Cash(f64);

impl Cash {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);

    /// An amount, refused when it is not finite.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if value.is_finite() {
            return Ok(Self(value));
        }
        Err(UnitError { unit: "cash amount", value, expected: "a finite number" })
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Cash {
    type Error = UnitError;

    fn try_from(value: f64) -> Result<Self, UnitError> {
        Self::new(value)
    }
}

impl From<Cash> for f64 {
    fn from(cash: Cash) -> Self {
        cash.0
    }
}

/// An amount of the base asset, in whole billionths (1e-9): sums of quantities are exact.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity {
    nanos: i64,
}

const NANOS_PER_UNIT: f64 = 1e9;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0 };

    /// `nanos` billionths of the asset.
    pub fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// `units` of the asset, rounded towards zero to a billionth; refused when it is not finite or too large.
    pub fn from_units_towards_zero(units: f64) -> Result<Self, UnitError> {
        let nanos = (units * NANOS_PER_UNIT).trunc();
        if nanos.is_finite() && nanos.abs() < i64::MAX as f64 {
            return Ok(Self { nanos: nanos as i64 });
        }
        Err(UnitError { unit: "quantity", value: units, expected: "a finite number below 9.2e9" })
    }

    /// Billionths of the asset.
    pub fn nanos(self) -> i64 {
        self.nanos
    }

    /// Units of the asset.
    pub fn units(self) -> f64 {
        self.nanos as f64 / NANOS_PER_UNIT
    }

    /// Whether there is none.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_add(other.nanos) }
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_sub(other.nanos) }
    }
}

impl Neg for Quantity {
    type Output = Self;

    fn neg(self) -> Self {
        Self { nanos: self.nanos.saturating_neg() }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let magnitude = self.nanos.unsigned_abs();
        write!(f, "{sign}{}.{:09}", magnitude / 1_000_000_000, magnitude % 1_000_000_000)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_their_unit_are_refused() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Price::new(value).is_err(), "{value}");
        }
        assert!(Cash::new(f64::NEG_INFINITY).is_err());
        assert!(Quantity::from_units_towards_zero(1e12).is_err());
    }

    #[test]
    fn quantities_round_towards_zero_and_add_exactly() {
        let tenth = Quantity::from_units_towards_zero(0.1).unwrap();
        assert_eq!((tenth + tenth + tenth).nanos(), 300_000_000);
        assert_eq!(Quantity::from_units_towards_zero(0.000_000_001_9).unwrap().nanos(), 1);
        assert_eq!((-tenth).to_string(), "-0.100000000");
    }
}
