//! What a venue takes of a symbol.

use serde::{Deserialize, Serialize};

use super::decimal::nanos_of;
use crate::{Cash, Price, Quantity};

/// Share of the most quote currency of an order that a quantity may come to at the price that is known: the market moves
/// until the order is there.
const SHARE_OF_MAXIMUM: f64 = 0.98;

/// The grid and the bounds of a venue's orders in one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Instrument {
    /// Quantities are multiples of this; above zero.
    pub quantity_step: Quantity,
    /// Smallest quantity of an order.
    pub minimum: Quantity,
    /// Prices are multiples of this.
    pub price_step: Price,
    /// Least quote currency of a purchase; none where the venue names none.
    pub minimum_notional: Option<Cash>,
    /// Most quote currency of an order; none where the venue names none.
    pub maximum_notional: Option<Cash>,
    /// Whether the venue takes orders at all now.
    pub tradable: bool,
}

impl Instrument {
    /// `quantity` cut down, towards zero, to a multiple of the step. Exact.
    pub fn truncated(&self, quantity: Quantity) -> Quantity {
        let step = self.quantity_step.nanos().max(1);
        Quantity::from_nanos(quantity.nanos() / step * step)
    }

    /// `price` cut down to a multiple of the step, by its decimal digits; `price` itself where that would be zero or
    /// it is too large for the grid. The result is the float nearest to that multiple.
    pub fn price_down(&self, price: Price) -> Price {
        // The shortest text that names the float: what a person reads as its digits.
        let digits = |price: Price| nanos_of(&price.get().to_string());
        let step = digits(self.price_step).unwrap_or(1).max(1);
        let cut = digits(price).map(|nanos| Quantity::from_nanos(nanos / step * step));
        cut.and_then(|cut| cut.to_string().parse().ok()).unwrap_or(price)
    }

    /// The largest quantity that the venue takes in one order near `price`; none where it names no bound.
    pub fn most_at(&self, price: Price) -> Option<Quantity> {
        let most = SHARE_OF_MAXIMUM * self.maximum_notional?.get() / price.get();
        Quantity::from_units_towards_zero(most).ok().map(|most| self.truncated(most))
    }

    /// Whether a sale of `quantity` is one that the venue takes: its truncation is at least the minimum and not nothing.
    pub fn sells(&self, quantity: Quantity) -> bool {
        let cut = self.truncated(quantity);
        cut > Quantity::ZERO && cut >= self.minimum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instrument(step: &str, price_step: &str) -> Instrument {
        Instrument {
            quantity_step: step.parse().unwrap(),
            minimum: "0.0001".parse().unwrap(),
            price_step: price_step.parse().unwrap(),
            minimum_notional: None,
            maximum_notional: None,
            tradable: true,
        }
    }

    #[test]
    fn quantities_are_cut_to_the_step_and_never_rounded_up() {
        let cut = |step: &str, quantity: &str| {
            instrument(step, "0.01").truncated(quantity.parse().unwrap()).to_string()
        };
        assert_eq!(cut("0.000000001", "0.012468759"), "0.012468759");
        assert_eq!(cut("0.0001", "0.012499999"), "0.012400000");
        assert_eq!(cut("0.0001", "-0.012499999"), "-0.012400000");
        assert_eq!(cut("1", "0.999999999"), "0.000000000");
    }

    #[test]
    fn prices_are_cut_by_their_decimal_digits() {
        let cut = |step: &str, price: &str| instrument("1", step).price_down(price.parse().unwrap()).get();
        assert_eq!(cut("0.01", "42301.559"), 42301.55);
        assert_eq!(cut("0.01", "0.29"), 0.29, "29 steps, though 0.29 / 0.01 is less as a float");
        assert_eq!(cut("0.000000001", "0.00001234"), 0.00001234);
        assert_eq!(cut("0.5", "0.3"), 0.3, "zero is no price");
    }

    #[test]
    fn the_largest_quantity_stays_below_the_bound() {
        let free = instrument("0.0001", "0.01");
        let price: Price = "40000".parse().unwrap();
        assert_eq!(free.most_at(price), None);
        let bound = Instrument { maximum_notional: Cash::new(200_000.0).ok(), ..free };
        assert_eq!(bound.most_at(price).map(|most| most.to_string()).as_deref(), Some("4.900000000"));
    }

    #[test]
    fn dust_is_not_sold() {
        let instrument = instrument("0.0001", "0.01");
        assert!(instrument.sells("0.0001".parse().unwrap()));
        assert!(!instrument.sells("0.000099999".parse().unwrap()));
        assert!(!Instrument { minimum: Quantity::ZERO, ..instrument }.sells(Quantity::ZERO));
    }

    proptest! {
        #[test]
        fn a_cut_is_a_multiple_and_less_than_a_step_away(nanos: i64, step in 1_i64..1_000_000_000_000) {
            let instrument = Instrument { quantity_step: Quantity::from_nanos(step), ..instrument("1", "1") };
            let cut = instrument.truncated(Quantity::from_nanos(nanos)).nanos();
            prop_assert_eq!(cut % step, 0);
            prop_assert!(cut.abs() <= nanos.saturating_abs() && (i128::from(nanos) - i128::from(cut)).abs() < i128::from(step));
        }
    }
}
