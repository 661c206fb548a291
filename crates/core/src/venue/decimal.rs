//! Decimal text into exact units.

use std::str::FromStr;

use crate::{Cash, Price, Quantity};

/// Longest text that is read, in bytes: more than any amount that fits has.
const MAX_TEXT_BYTES: usize = 64;
/// Largest exponent that is read, either way.
const MAX_EXPONENT: i32 = 40;
/// Decimals of a [`Quantity`].
const NANO_DIGITS: i32 = 9;

/// A text that is no decimal number, or one that its unit does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no {unit}: expected {expected}")]
pub struct DecimalError {
    unit: &'static str,
    text: String,
    expected: &'static str,
}

impl DecimalError {
    fn new(unit: &'static str, text: &str, expected: &'static str) -> Self {
        Self { unit, text: text.chars().take(MAX_TEXT_BYTES).collect(), expected }
    }
}

/// A decimal number taken apart: sign, digits without the point, and how many of them stand before it.
struct Decimal {
    is_negative: bool,
    digits: String,
    before_point: i32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_empty = whole.is_empty() && fraction.is_empty();
        if is_empty || !is_number(whole) || !is_number(fraction) || exponent.abs() > MAX_EXPONENT {
            return None;
        }
        let before_point = i32::try_from(whole.len()).ok()? + exponent;
        Some(Self { is_negative, digits: format!("{whole}{fraction}"), before_point })
    }

    /// Whole billionths; what is finer is cut off, towards zero.
    fn nanos(&self) -> Option<i64> {
        let kept = usize::try_from(self.before_point + NANO_DIGITS).unwrap_or(0);
        let mut nanos: i64 = 0;
        for at in 0..kept {
            let digit = self.digits.as_bytes().get(at).map_or(0, |digit| i64::from(digit - b'0'));
            nanos = nanos.checked_mul(10)?.checked_add(digit)?;
        }
        Some(if self.is_negative { -nanos } else { nanos })
    }
}

/// Whole billionths of a decimal text; what is finer is cut off, towards zero.
pub(super) fn nanos_of(text: &str) -> Option<i64> {
    Decimal::parse(text).and_then(|decimal| decimal.nanos())
}

/// The float nearest to a decimal text, which has to be one: `inf` and `nan` are none.
fn float_of(text: &str) -> Option<f64> {
    Decimal::parse(text).and_then(|_| text.parse().ok())
}

impl FromStr for Quantity {
    type Err = DecimalError;

    /// Reads decimal text exactly; digits after the ninth decimal are cut off, towards zero.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let nanos = nanos_of(text);
        nanos
            .map(Self::from_nanos)
            .ok_or_else(|| DecimalError::new("quantity", text, "decimal text below 9.2e9, such as 0.0125"))
    }
}

impl FromStr for Price {
    type Err = DecimalError;

    /// Reads decimal text into the nearest float.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let price = float_of(text).and_then(|value| Self::new(value).ok());
        price.ok_or_else(|| DecimalError::new("price", text, "decimal text above 0, such as 42301.5"))
    }
}

impl FromStr for Cash {
    type Err = DecimalError;

    /// Reads decimal text into the nearest float.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let cash = float_of(text).and_then(|value| Self::new(value).ok());
        cash.ok_or_else(|| DecimalError::new("amount of money", text, "decimal text, such as 528.76"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_to_the_last_digit() {
        for (text, nanos) in [
            ("0", 0),
            ("0.0125", 12_500_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("-1.000000001", -1_000_000_001),
            ("0.0000000019", 1),
            ("-0.0000000019", -1),
            ("1e-9", 1),
            ("1E-09", 1),
            ("12e+2", 1_200_000_000_000),
            ("00012.50", 12_500_000_000),
            ("9223372036.854775807", i64::MAX),
            ("0e40", 0),
        ] {
            assert_eq!(text.parse(), Ok(Quantity::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_refused_and_shown() {
        for text in
            ["", "-", ".", "1,5", "+1", "1.2.3", "0x10", "NaN", "inf", "1e", "1e99", " 1", "e5", "--1"]
        {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
            assert!(text.parse::<Price>().is_err(), "{text}");
            assert!(text.parse::<Cash>().is_err(), "{text}");
        }
        assert!("9223372036.854775808".parse::<Quantity>().is_err());
        assert!("0".parse::<Price>().is_err() && "-1".parse::<Price>().is_err());
        assert_eq!("-3.5".parse::<Cash>().unwrap().get(), -3.5);
        let error = "9".repeat(1_000).parse::<Quantity>().unwrap_err().to_string();
        assert!(error.len() < 200 && error.contains("expected decimal text"), "{error}");
    }

    proptest! {
        #[test]
        fn a_quantity_reads_back_as_written(nanos: i64) {
            let quantity = Quantity::from_nanos(nanos);
            prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,80}") {
            drop(text.parse::<Quantity>());
            drop(text.parse::<Price>());
        }
    }
}
