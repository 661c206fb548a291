//! A fill as trade statistics see it.

use crate::Error;

const NANOS_PER_UNIT: f64 = 1e9;
/// Largest quote amount of a fill: above any market's, and sums of 1e9 such fills stay exact to their magnitude.
const MAX_NOTIONAL: f64 = 1e18;
/// Smallest quote amount of a fill: below any market's, and a share of it is still a normal number.
const MIN_NOTIONAL: f64 = 1e-30;

/// A change of position with the money that moved.
///
/// Cash and position are kept apart, because a fee may be taken in either. Profit is the sum of [`cash_flow`]
/// alone, so no fee is counted twice or forgotten; [`fee`] and [`notional`] only say how the cash came about:
///
/// | | position change | notional | cash flow | fee |
/// | --- | --- | --- | --- | --- |
/// | buy `q` at `p`, fee `f` in quote | `q` | `q p` | `-(q p + f)` | `f` |
/// | buy `q` at `p`, fee `a` in the asset | `q - a` | `q p` | `-q p` | `a p` |
/// | sell `q` at `p`, fee `f` in quote | `-q` | `q p` | `q p - f` | `f` |
///
/// [`cash_flow`]: Self::cash_flow
/// [`fee`]: Self::fee
/// [`notional`]: Self::notional
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatFill {
    time_ms: i64,
    quantity_nanos: i64,
    notional: f64,
    cash_flow: f64,
    fee: f64,
}

impl StatFill {
    /// A fill whose fee is paid in quote currency: `quantity_nanos` billionths of the asset bought (positive) or
    /// sold (negative) at `price`. A negative `fee` is a rebate.
    ///
    /// # Errors
    /// When the quantity is 0, the price is not a finite number above 0, or an amount is out of range.
    pub fn with_quote_fee(time_ms: i64, quantity_nanos: i64, price: f64, fee: f64) -> Result<Self, Error> {
        if !fee.is_finite() || fee.abs() > MAX_NOTIONAL {
            return Err(Error::Fill { field: "fee", value: fee, expected: "a finite number up to 1e18" });
        }
        let notional = notional(quantity_nanos, price)?;
        let direction = if quantity_nanos > 0 { -1.0 } else { 1.0 };
        Ok(Self { time_ms, quantity_nanos, notional, cash_flow: direction * notional - fee, fee })
    }

    /// A fill whose fee may be taken in quote currency, in the asset or in both. `traded_nanos` is what changed hands
    /// (negative for a sale); `asset_fee_nanos` of a purchase were kept by the venue.
    ///
    /// # Errors
    /// As [`with_quote_fee`](Self::with_quote_fee), and when the fee in the asset is negative or above what was
    /// received: a sale receives no asset, so it can pay none.
    pub fn with_fees(
        time_ms: i64,
        traded_nanos: i64,
        price: f64,
        quote_fee: f64,
        asset_fee_nanos: i64,
    ) -> Result<Self, Error> {
        let fill = Self::with_quote_fee(time_ms, traded_nanos, price, quote_fee)?;
        if !(0..=traded_nanos.max(0)).contains(&asset_fee_nanos) {
            let expected = "between 0 and the quantity bought";
            return Err(Error::Fill { field: "fee in the asset", value: asset_fee_nanos as f64, expected });
        }
        let asset_fee = asset_fee_nanos as f64 / NANOS_PER_UNIT * price;
        Ok(Self { quantity_nanos: traded_nanos - asset_fee_nanos, fee: quote_fee + asset_fee, ..fill })
    }

    /// When, in milliseconds.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Change of the position in billionths of the asset, negative when it falls.
    pub fn quantity_nanos(&self) -> i64 {
        self.quantity_nanos
    }

    /// Quote currency that the traded quantity came to, before fees.
    pub fn notional(&self) -> f64 {
        self.notional
    }

    /// Change of cash, fees in quote currency included.
    pub fn cash_flow(&self) -> f64 {
        self.cash_flow
    }

    /// The whole fee in quote currency; a fee in the asset is valued at the fill's price.
    pub fn fee(&self) -> f64 {
        self.fee
    }

    /// The part of the fill that moves the position by `quantity_nanos`, with its share of everything else.
    pub(super) fn part(&self, quantity_nanos: i64) -> Self {
        if quantity_nanos == self.quantity_nanos {
            return *self;
        }
        let share = quantity_nanos as f64 / self.quantity_nanos as f64;
        Self {
            time_ms: self.time_ms,
            quantity_nanos,
            notional: self.notional * share,
            cash_flow: self.cash_flow * share,
            fee: self.fee * share,
        }
    }
}

fn notional(quantity_nanos: i64, price: f64) -> Result<f64, Error> {
    if !price.is_finite() || price <= 0.0 {
        return Err(Error::Fill { field: "price", value: price, expected: "a finite number above 0" });
    }
    if quantity_nanos == 0 {
        return Err(Error::Fill { field: "quantity", value: 0.0, expected: "a quantity other than 0" });
    }
    let notional = quantity_nanos.unsigned_abs() as f64 / NANOS_PER_UNIT * price;
    if !(MIN_NOTIONAL..=MAX_NOTIONAL).contains(&notional) {
        let expected = "quantity times price between 1e-30 and 1e18";
        return Err(Error::Fill { field: "notional", value: notional, expected });
    }
    Ok(notional)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: i64 = 1_000_000_000;

    #[test]
    fn cash_moves_by_the_notional_and_the_fee_in_quote() {
        let buy = StatFill::with_quote_fee(0, 2 * UNIT, 100.0, 0.5).unwrap();
        assert_eq!((buy.notional(), buy.cash_flow(), buy.fee()), (200.0, -200.5, 0.5));
        let sell = StatFill::with_quote_fee(0, -2 * UNIT, 100.0, 0.5).unwrap();
        assert_eq!((sell.notional(), sell.cash_flow(), sell.fee()), (200.0, 199.5, 0.5));
    }

    #[test]
    fn a_fee_in_the_asset_lowers_the_position_and_not_the_cash() {
        let buy = StatFill::with_fees(0, UNIT, 100.0, 0.0, UNIT / 400).unwrap();
        assert_eq!(buy.quantity_nanos(), 997_500_000);
        assert_eq!((buy.notional(), buy.cash_flow(), buy.fee()), (100.0, -100.0, 0.25));
    }

    #[test]
    fn numbers_that_are_no_fill_are_refused() {
        for price in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e300, 1e-300] {
            assert!(StatFill::with_quote_fee(0, UNIT, price, 0.0).is_err(), "{price}");
        }
        assert!(StatFill::with_quote_fee(0, 0, 1.0, 0.0).is_err());
        assert!(StatFill::with_quote_fee(0, UNIT, 1.0, f64::NAN).is_err());
        assert!(StatFill::with_fees(0, -UNIT, 1.0, 0.0, 1).is_err());
        assert!(StatFill::with_fees(0, UNIT, 1.0, 0.0, UNIT + 1).is_err());
        assert!(StatFill::with_fees(0, UNIT, 1.0, 0.0, -1).is_err());
    }
}
