//! Orders on their way to a venue.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Instrument;
use crate::{ApprovedOrder, Cash, IdError, OrderSize, Price, Quantity, Side, Timestamp};

/// The trader's name of an order: `wf-` and then letters, digits or `-`, at most 48 characters in all. A venue takes
/// each once, for ever.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientOrderId(String);

impl ClientOrderId {
    /// What every name begins with.
    pub const PREFIX: &str = "wf-";
    /// Longest name, in characters: all that any venue's documentation has ever allowed.
    pub const MAX_CHARS: usize = 48;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientOrderId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_plain = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_name = text.len() <= Self::MAX_CHARS && text.strip_prefix(Self::PREFIX).is_some_and(is_plain);
        let expected = "wf- and letters, digits or '-', at most 48 characters in all";
        is_name.then(|| Self(text.to_owned())).ok_or_else(|| IdError::new("client order id", text, expected))
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ClientOrderId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ClientOrderId> for String {
    fn from(id: ClientOrderId) -> Self {
        id.0
    }
}

/// At what price an order fills.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// At whatever the market gives.
    Market,
    /// Once the market trades at `stop`, at `limit` or better.
    StopLimit {
        /// What wakes the order.
        stop: Price,
        /// The worst price that it takes.
        limit: Price,
    },
}

/// Why an order can't be handed in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VenueOrderError {
    /// What is left of the quantity is nothing, or less than the venue takes.
    #[error("{quantity} is less than the venue takes (at least {minimum}, in steps of {step})")]
    TooSmall {
        /// The quantity.
        quantity: Quantity,
        /// The venue's minimum.
        minimum: Quantity,
        /// The venue's step.
        step: Quantity,
    },
    /// A purchase for less quote currency than the venue takes.
    #[error("a purchase for {notional}: the venue takes {} to {}", bound(*.minimum), bound(*.maximum))]
    Notional {
        /// What it would spend.
        notional: f64,
        /// The venue's minimum, if it has one.
        minimum: Option<Cash>,
        /// The venue's maximum, if it has one.
        maximum: Option<Cash>,
    },
    /// A stop that sells below its limit, or before it wakes.
    #[error("a stop at {stop} with the limit {limit}: expected a limit at the stop or below")]
    Limit {
        /// What wakes the order.
        stop: f64,
        /// The worst price.
        limit: f64,
    },
}

fn bound(cash: Option<Cash>) -> String {
    cash.map_or("any amount".to_owned(), |cash| cash.get().to_string())
}

/// An order that may leave. It comes from an [`ApprovedOrder`], or is a stop that only makes a position smaller; there
/// is no third way, and none to read one from a file: who needs it again makes it again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VenueOrder {
    id: ClientOrderId,
    side: Side,
    size: OrderSize,
    kind: OrderKind,
    decided_at: Timestamp,
}

impl VenueOrder {
    /// The market order that `approved` is, cut to what `instrument` takes: a quantity to its steps, a purchase to its
    /// maximum.
    ///
    /// # Errors
    /// When the venue would not take it: nothing is left of a quantity, or a purchase is for too little.
    pub fn market(
        id: ClientOrderId,
        approved: &ApprovedOrder,
        instrument: &Instrument,
    ) -> Result<Self, VenueOrderError> {
        let order = approved.order();
        let size = match order.size {
            OrderSize::Notional(cash) => OrderSize::Notional(in_bounds(cash, instrument)?),
            OrderSize::Quantity(quantity) => OrderSize::Quantity(cut(quantity, instrument)?),
        };
        Ok(Self { id, side: order.side, size, kind: OrderKind::Market, decided_at: order.decided_at })
    }

    /// The same order for `bound` of the asset at most, cut to what `instrument` takes; a purchase for quote currency as it
    /// is.
    ///
    /// # Errors
    /// When nothing is left that the venue takes.
    pub fn at_most(self, bound: Quantity, instrument: &Instrument) -> Result<Self, VenueOrderError> {
        match self.size {
            OrderSize::Notional(_) => Ok(self),
            OrderSize::Quantity(quantity) => {
                let size = OrderSize::Quantity(cut(quantity.min(bound), instrument)?);
                Ok(Self { size, ..self })
            }
        }
    }

    /// A stop that sells the long position `held`, cut to what `instrument` takes, once the market trades at `stop`, for
    /// `limit` or more. Both prices are cut down to the venue's grid.
    ///
    /// # Errors
    /// When `held` is no long position of a size that the venue takes, or `limit` lies above `stop`.
    pub fn protective_stop(
        id: ClientOrderId,
        held: Quantity,
        (stop, limit): (Price, Price),
        decided_at: Timestamp,
        instrument: &Instrument,
    ) -> Result<Self, VenueOrderError> {
        let (stop, limit) = (instrument.price_down(stop), instrument.price_down(limit));
        if limit > stop {
            return Err(VenueOrderError::Limit { stop: stop.get(), limit: limit.get() });
        }
        let size = OrderSize::Quantity(cut(held, instrument)?);
        Ok(Self { id, side: Side::Sell, size, kind: OrderKind::StopLimit { stop, limit }, decided_at })
    }

    /// The trader's name of it.
    pub fn id(&self) -> &ClientOrderId {
        &self.id
    }

    /// Direction.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Amount: of quote currency for purchases by notional, else of the asset.
    pub fn size(&self) -> OrderSize {
        self.size
    }

    /// At what price it fills.
    pub fn kind(&self) -> OrderKind {
        self.kind
    }

    /// Close of the bar on which it was decided.
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }
}

fn in_bounds(cash: Cash, instrument: &Instrument) -> Result<Cash, VenueOrderError> {
    let (minimum, maximum) = (instrument.minimum_notional, instrument.maximum_notional);
    let cash = maximum.filter(|it| cash > *it).unwrap_or(cash);
    let is_fine = minimum.is_none_or(|it| cash >= it);
    is_fine.then_some(cash).ok_or(VenueOrderError::Notional { notional: cash.get(), minimum, maximum })
}

fn cut(quantity: Quantity, instrument: &Instrument) -> Result<Quantity, VenueOrderError> {
    match instrument.sells(quantity) {
        true => Ok(instrument.truncated(quantity)),
        false => Err(VenueOrderError::TooSmall {
            quantity,
            minimum: instrument.minimum,
            step: instrument.quantity_step,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Order, RiskLimits};

    fn instrument() -> Instrument {
        Instrument {
            quantity_step: "0.0001".parse().unwrap(),
            minimum: "0.001".parse().unwrap(),
            price_step: "0.01".parse().unwrap(),
            minimum_notional: None,
            maximum_notional: None,
            tradable: true,
        }
    }

    fn id() -> ClientOrderId {
        "wf-0123456789abcdef0123".parse().unwrap()
    }

    fn sale(quantity: &str) -> Result<VenueOrder, VenueOrderError> {
        let quantity: Quantity = quantity.parse().unwrap();
        let order =
            Order { side: Side::Sell, size: OrderSize::Quantity(quantity), decided_at: Timestamp::EPOCH };
        let approved = RiskLimits::default().approve(order, Cash::ZERO, quantity).unwrap();
        VenueOrder::market(id(), &approved, &instrument())
    }

    #[test]
    fn names_are_short_plain_and_ours() {
        assert_eq!(id().as_str(), "wf-0123456789abcdef0123");
        assert!(format!("wf-{}", "a".repeat(45)).parse::<ClientOrderId>().is_ok());
        let too_long = format!("wf-{}", "a".repeat(46));
        for text in ["", "wf-", "cycle42", "wf-a b", "wf-ä", "wf-a/..", "WF-a", &too_long] {
            assert!(text.parse::<ClientOrderId>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<ClientOrderId>("\"x\"").is_err());
    }

    #[test]
    fn a_sale_is_cut_to_the_step_and_dust_is_refused() {
        assert_eq!(sale("0.01246875").unwrap().size(), OrderSize::Quantity("0.0124".parse().unwrap()));
        let error = sale("0.000999").unwrap_err().to_string();
        assert!(error.contains("0.000999000") && error.contains("at least 0.001000000"), "{error}");
    }

    #[test]
    fn a_purchase_stays_within_what_the_venue_takes() {
        let cash = |amount| Cash::new(amount).unwrap();
        let bounds = Instrument {
            minimum_notional: Some(cash(10.0)),
            maximum_notional: Some(cash(200_000.0)),
            ..instrument()
        };
        let purchase = |amount, instrument: &Instrument| {
            let size = OrderSize::Notional(cash(amount));
            let order = Order { side: Side::Buy, size, decided_at: Timestamp::EPOCH };
            let approved = RiskLimits::default().approve(order, cash(1e6), Quantity::ZERO).unwrap();
            VenueOrder::market(id(), &approved, instrument).map(|order| order.size())
        };
        assert_eq!(purchase(10.0, &bounds), Ok(OrderSize::Notional(cash(10.0))));
        assert!(purchase(9.99, &instrument()).is_ok(), "where the venue names no bound there is none");
        let error = purchase(9.99, &bounds).unwrap_err().to_string();
        assert!(error.contains("the venue takes 10 to 200000"), "{error}");
        assert_eq!(
            purchase(900_000.0, &bounds),
            Ok(OrderSize::Notional(cash(200_000.0))),
            "cut, not refused"
        );
    }

    #[test]
    fn an_order_is_made_smaller_and_never_larger() {
        let bound = |text: &str| {
            let order = sale("0.0124").unwrap().at_most(text.parse().unwrap(), &instrument());
            order.map(|order| order.size())
        };
        assert_eq!(bound("0.01005"), Ok(OrderSize::Quantity("0.01".parse().unwrap())));
        assert_eq!(bound("9"), Ok(OrderSize::Quantity("0.0124".parse().unwrap())));
        assert!(matches!(bound("0.0009"), Err(VenueOrderError::TooSmall { .. })));
    }

    #[test]
    fn a_stop_only_sells_what_is_held() {
        let price = |value| Price::new(value).unwrap();
        let stop = |held: &str, stop, limit| {
            let prices = (price(stop), price(limit));
            VenueOrder::protective_stop(id(), held.parse().unwrap(), prices, Timestamp::EPOCH, &instrument())
        };
        let order = stop("0.01246875", 39_999.999, 39_500.001).unwrap();
        assert_eq!(
            (order.side(), order.size()),
            (Side::Sell, OrderSize::Quantity("0.0124".parse().unwrap()))
        );
        assert_eq!(order.kind(), OrderKind::StopLimit { stop: price(39_999.99), limit: price(39_500.0) });
        assert!(matches!(stop("0", 10.0, 9.0), Err(VenueOrderError::TooSmall { .. })));
        assert!(matches!(stop("-1", 10.0, 9.0), Err(VenueOrderError::TooSmall { .. })));
        assert!(matches!(stop("1", 10.0, 10.5), Err(VenueOrderError::Limit { .. })));
    }
}
