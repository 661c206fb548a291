//! Orders and fills.

use serde::{Deserialize, Serialize};

use crate::{Cash, Price, Quantity, Timestamp};

/// Direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Quote currency into the asset.
    Buy,
    /// The asset into quote currency.
    Sell,
}

/// How much an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderSize {
    /// So much quote currency, whatever it buys.
    Notional(Cash),
    /// So much of the asset.
    Quantity(Quantity),
}

/// A market order that nobody has checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Direction.
    pub side: Side,
    /// Amount.
    pub size: OrderSize,
    /// Close of the bar on which it was decided.
    pub decided_at: Timestamp,
}

/// What an order came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// When.
    pub time: Timestamp,
    /// Direction.
    pub side: Side,
    /// Amount of the asset that changed hands, above zero, before any fee.
    pub quantity: Quantity,
    /// Price paid or received, slippage included.
    pub price: Price,
    /// Fee taken in the asset (purchases by notional).
    pub fee_quantity: Quantity,
    /// Fee taken in quote currency (sales, and purchases that cover a short position).
    pub fee_cash: Cash,
}

impl Fill {
    /// Quote currency that the quantity came to, before fees.
    pub fn notional(&self) -> f64 {
        self.quantity.units() * self.price.get()
    }

    /// The whole fee in quote currency; a fee in the asset is valued at the fill's price.
    pub fn fee_in_quote(&self) -> f64 {
        self.fee_cash.get() + self.fee_quantity.units() * self.price.get()
    }

    /// How the position changes: bought less the fee taken in the asset, or minus what was sold.
    pub fn position_change(&self) -> Quantity {
        match self.side {
            Side::Buy => self.quantity - self.fee_quantity,
            Side::Sell => -self.quantity,
        }
    }
}
