//! What a venue says about orders, positions and accounts.

use serde::{Deserialize, Serialize};

use super::ClientOrderId;
use crate::{Cash, Price, Quantity, Side, Timestamp};

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The venue has it and it can't fill yet.
    Pending,
    /// It can fill.
    Open,
    /// Some of it has filled.
    PartiallyFilled,
    /// The venue was asked to end or replace it and has not done so yet: it may still fill.
    Canceling,
    /// It rests; it may come back.
    Suspended,
    /// All of it has filled.
    Filled,
    /// It was ended before it filled, or in the middle of it.
    Canceled,
    /// It ran out of time.
    Expired,
    /// Another order took its place.
    Replaced,
    /// The venue refused it after it had taken it.
    Rejected,
    /// The venue uses a word that is not known here. Not final: what is not known may still fill.
    Other,
}

impl OrderStatus {
    /// Whether nothing can happen to the order any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Expired | Self::Replaced | Self::Rejected)
    }
}

/// Who an order comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOrigin {
    /// Its name is one that a trader of ours gives. Whether it was this one, its journal says.
    Named(ClientOrderId),
    /// A person's, another program's or the venue's own, by the name that the venue shows, shortened.
    External(String),
}

impl OrderOrigin {
    /// Longest name of an external order that is kept, in characters.
    pub const MAX_EXTERNAL_CHARS: usize = 128;

    /// The origin of an order of this name.
    pub fn of(client_order_id: &str) -> Self {
        match client_order_id.parse() {
            Ok(id) => Self::Named(id),
            Err(_) => Self::External(client_order_id.chars().take(Self::MAX_EXTERNAL_CHARS).collect()),
        }
    }

    /// The trader's name; none for an external order.
    pub fn id(&self) -> Option<&ClientOrderId> {
        match self {
            Self::Named(id) => Some(id),
            Self::External(_) => None,
        }
    }
}

/// An order as the venue has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderState {
    /// Who it comes from.
    pub origin: OrderOrigin,
    /// The venue's own name of it.
    pub venue_id: String,
    /// Direction.
    pub side: Side,
    /// How far it is.
    pub status: OrderStatus,
    /// What it is for in the asset; none for orders by notional.
    pub ordered: Option<Quantity>,
    /// What has filled, before any fee.
    pub filled: Quantity,
    /// Mean price of what has filled; none before the first fill.
    pub average_price: Option<Price>,
    /// When the venue last changed it.
    pub updated_at: Timestamp,
    /// The venue's own words where it says more: a status that is not known here, why something was refused.
    pub reason: Option<String>,
}

/// What an account holds of a symbol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct VenuePosition {
    /// Amount of the asset, fees taken off; negative when short.
    pub quantity: Quantity,
    /// What of it no open order holds back: the most that can be sold.
    pub available: Quantity,
    /// Mean price of the entry, as the venue computes it; none when flat.
    pub average_entry: Option<Price>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VenueAccount {
    /// The venue's own id of the account, which stays when its keys change; none where the venue tells none.
    pub id: Option<String>,
    /// Quote currency, that of open orders included.
    pub cash: Cash,
    /// Quote currency that an order may spend now.
    pub spendable: Cash,
    /// Cash and all positions at the venue's prices, those in other symbols too.
    pub equity: Cash,
    /// Why the account may not trade, in the venue's words; none when it may.
    pub blocked: Option<String>,
}

impl VenueAccount {
    /// Whether the venue takes orders from the account.
    pub fn is_tradable(&self) -> bool {
        self.blocked.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_over_is_not_final() {
        use OrderStatus::*;
        for status in [Filled, Canceled, Expired, Replaced, Rejected] {
            assert!(status.is_final(), "{status:?}");
        }
        for status in [Pending, Open, PartiallyFilled, Canceling, Suspended, Other] {
            assert!(!status.is_final(), "{status:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_ours_is_external() {
        assert!(OrderOrigin::of("wf-0123abcd").id().is_some());
        for name in ["", "cycle42-bar-20240101T000100Z", "wf-", "d6f5096f-e072-4cd2-af38-9e7a66f720d4"] {
            assert_eq!(OrderOrigin::of(name), OrderOrigin::External(name.to_owned()));
        }
        let OrderOrigin::External(kept) = OrderOrigin::of(&"ä".repeat(1_000)) else { panic!("not ours") };
        assert_eq!(kept.chars().count(), OrderOrigin::MAX_EXTERNAL_CHARS);
    }
}
