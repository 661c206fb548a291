//! One execution of an order.

use serde::{Deserialize, Serialize};

use super::OrderState;
use crate::{Price, Quantity, Side, Timestamp};

/// Largest share of a purchase that is believed to be its fee, in percent.
const MAX_FEE_PERCENT: i64 = 1;

/// One execution, exact, as the venue tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VenueFill {
    /// The venue's name of the execution; the same one told twice is one.
    pub execution_id: String,
    /// What changed hands, above zero, before any fee.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
    /// When.
    pub time: Timestamp,
    /// The whole position in the symbol after it, fees taken off; none where the venue does not say.
    pub position_after: Option<Quantity>,
    /// The order after it.
    pub order: OrderState,
}

impl VenueFill {
    /// What the venue kept of the asset: bought, less what the position grew by from `position_before`. None when the
    /// venue does not tell the position, or when the difference is no fee: something else happened between the two.
    /// Sales pay in quote currency, so none of the asset.
    pub fn fee_in_asset(&self, position_before: Quantity) -> Option<Quantity> {
        let grown = self.position_after? - position_before;
        let fee = match self.order.side {
            Side::Buy => self.quantity - grown,
            Side::Sell => -(self.quantity + grown),
        };
        let most = match self.order.side {
            Side::Buy => self.quantity.nanos() / 100 * MAX_FEE_PERCENT,
            Side::Sell => 0,
        };
        (0..=most).contains(&fee.nanos()).then_some(fee)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OrderOrigin, OrderStatus};

    fn fee(side: Side, quantity: &str, before: &str, after: Option<&str>) -> Option<String> {
        let quantity: Quantity = quantity.parse().unwrap();
        let fill = VenueFill {
            execution_id: "1".to_owned(),
            quantity,
            price: Price::new(42_301.5).unwrap(),
            time: Timestamp::EPOCH,
            position_after: after.map(|after| after.parse().unwrap()),
            order: OrderState {
                origin: OrderOrigin::of("wf-1"),
                venue_id: "1".to_owned(),
                side,
                status: OrderStatus::Filled,
                ordered: None,
                filled: quantity,
                average_price: None,
                updated_at: Timestamp::EPOCH,
                reason: None,
            },
        };
        fill.fee_in_asset(before.parse().unwrap()).map(|fee| fee.to_string())
    }

    #[test]
    fn a_purchase_pays_what_the_position_did_not_grow_by() {
        let of_sample = fee(Side::Buy, "0.0125", "0", Some("0.01246875"));
        assert_eq!(of_sample.as_deref(), Some("0.000031250"));
        assert_eq!(fee(Side::Buy, "1", "2", Some("3")).as_deref(), Some("0.000000000"));
        assert_eq!(fee(Side::Sell, "1", "3", Some("2")).as_deref(), Some("0.000000000"));
    }

    #[test]
    fn a_difference_that_is_no_fee_is_not_guessed_at() {
        assert_eq!(fee(Side::Buy, "0.0125", "0", None), None);
        assert_eq!(fee(Side::Buy, "1", "0", Some("1.5")), None, "somebody else bought too");
        assert_eq!(fee(Side::Buy, "1", "0", Some("0.5")), None, "somebody else sold");
        assert_eq!(fee(Side::Sell, "1", "3", Some("1.5")), None);
    }
}
