//! Orders as the service writes them.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use walkforward_core::{
    OrderKind, OrderOrigin, OrderSize, OrderState, OrderStatus, Quantity, Side, Symbol, Timestamp, VenueOrder,
};

use super::TimeInForce;
use crate::http::BodyError;
use crate::refusal::one_line;
use crate::stream::is_symbol;

/// Longest id that is taken, in bytes; the service's are UUIDs.
const MAX_ID_BYTES: usize = 128;
/// A cent in billionths: the service takes notionals of two decimals.
const CENT_NANOS: i64 = 10_000_000;

/// Why bytes are no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// They are no JSON, or end early.
    #[error("the body is not JSON or is cut: {0}")]
    NotJson(String),
    /// They are JSON, and no order.
    #[error("this is no order: {0}")]
    NotAnOrder(String),
}

impl From<OrderError> for BodyError {
    fn from(error: OrderError) -> Self {
        let text = error.to_string();
        match error {
            OrderError::NotJson(_) => Self::Cut(text),
            OrderError::NotAnOrder(_) => Self::Foreign(text),
        }
    }
}

impl From<serde_json::Error> for OrderError {
    fn from(error: serde_json::Error) -> Self {
        let reason = one_line(&error.to_string());
        if error.is_data() { Self::NotAnOrder(reason) } else { Self::NotJson(reason) }
    }
}

/// An order, unknown keys left out. Decimals are text; a number would have lost digits on the way.
#[derive(Debug, Deserialize)]
pub(super) struct RawOrder {
    id: String,
    client_order_id: String,
    symbol: String,
    side: String,
    status: String,
    #[serde(default)]
    qty: Option<String>,
    #[serde(default)]
    filled_qty: Option<String>,
    #[serde(default)]
    filled_avg_price: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    submitted_at: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
}

impl RawOrder {
    /// Whether it is of `symbol`, however that is spelled.
    pub(super) fn is_of(&self, symbol: &Symbol) -> bool {
        is_symbol(symbol, &self.symbol)
    }

    /// The order in our terms.
    pub(super) fn state(&self) -> Result<OrderState, OrderError> {
        let not = |what: &str, text: &str| OrderError::NotAnOrder(one_line(&format!("{what} is '{text}'")));
        if self.id.is_empty() || self.id.len() > MAX_ID_BYTES {
            return Err(not("the id", &self.id));
        }
        let quantity = |text: &Option<String>| -> Result<Option<Quantity>, OrderError> {
            let parsed = text.as_deref().map(str::parse::<Quantity>).transpose();
            parsed.map_err(|error| OrderError::NotAnOrder(error.to_string()))
        };
        let (ordered, filled) = (quantity(&self.qty)?, quantity(&self.filled_qty)?.unwrap_or_default());
        if filled < Quantity::ZERO || ordered.is_some_and(|ordered| ordered < filled) {
            return Err(not("the filled quantity", self.filled_qty.as_deref().unwrap_or_default()));
        }
        let average_price = self.filled_avg_price.as_deref().filter(|_| filled > Quantity::ZERO);
        let (status, reason) = status(&self.status);
        Ok(OrderState {
            origin: OrderOrigin::of(&self.client_order_id),
            venue_id: self.id.clone(),
            side: side(&self.side).ok_or_else(|| not("the side", &self.side))?,
            status,
            ordered,
            filled,
            average_price: average_price
                .map(|text| text.parse().map_err(|_| not("the average price", text)))
                .transpose()?,
            updated_at: self.time().ok_or_else(|| not("the time", "missing or unreadable"))?,
            reason,
        })
    }

    fn time(&self) -> Option<Timestamp> {
        let times = [&self.updated_at, &self.submitted_at, &self.created_at];
        times.into_iter().flatten().find_map(|text| text.parse().ok())
    }
}

/// The order of `symbol` that `body` holds.
///
/// # Errors
/// When the bytes are no order, or one of another symbol.
pub fn parse_order(body: &[u8], symbol: &Symbol) -> Result<OrderState, OrderError> {
    let raw: RawOrder = serde_json::from_slice(body)?;
    if !raw.is_of(symbol) {
        let what = format!("it is of '{}', and {symbol} was asked for", raw.symbol);
        return Err(OrderError::NotAnOrder(one_line(&what)));
    }
    raw.state()
}

/// The orders of `symbol` in the list that `body` holds, and how many the list has in all.
pub(super) fn parse_orders(body: &[u8], symbol: &Symbol) -> Result<(Vec<OrderState>, usize), OrderError> {
    let raw: Vec<RawOrder> = serde_json::from_slice(body)?;
    let of_symbol = raw.iter().filter(|order| order.is_of(symbol)).map(RawOrder::state);
    Ok((of_symbol.collect::<Result<_, _>>()?, raw.len()))
}

fn side(text: &str) -> Option<Side> {
    match text {
        "buy" => Some(Side::Buy),
        "sell" => Some(Side::Sell),
        _ => None,
    }
}

/// The status, and the service's own word where ours says less.
fn status(text: &str) -> (OrderStatus, Option<String>) {
    use OrderStatus::*;
    let status = match text {
        "new" => Open,
        "partially_filled" => PartiallyFilled,
        "filled" => Filled,
        "canceled" => Canceled,
        "expired" => Expired,
        "replaced" => Replaced,
        "rejected" => Rejected,
        "pending_cancel" | "pending_replace" => Canceling,
        "accepted" | "pending_new" | "accepted_for_bidding" | "held" | "pending_review" => Pending,
        "done_for_day" | "stopped" | "suspended" | "calculated" => Suspended,
        _ => return (Other, Some(one_line(&format!("status '{text}'")))),
    };
    let is_wider = matches!(status, Pending | Canceling | Suspended);
    (status, is_wider.then(|| format!("status '{text}'")))
}

/// The body that hands `order` in.
pub(super) fn request(order: &VenueOrder, symbol: &Symbol, time_in_force: TimeInForce) -> String {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    put("symbol", json!(symbol.to_string()));
    put("side", json!(if order.side() == Side::Buy { "buy" } else { "sell" }));
    put("client_order_id", json!(order.id()));
    match order.size() {
        OrderSize::Quantity(quantity) => put("qty", json!(decimal(quantity))),
        OrderSize::Notional(cash) => put("notional", json!(cents_down(cash.get()))),
    }
    let mut tif = time_in_force;
    match order.kind() {
        OrderKind::Market => put("type", json!("market")),
        OrderKind::StopLimit { stop, limit } => {
            put("type", json!("stop_limit"));
            // The shortest decimal that names the float: what it was read from.
            put("stop_price", json!(stop.get().to_string()));
            put("limit_price", json!(limit.get().to_string()));
            tif = TimeInForce::Gtc;
        }
    }
    put("time_in_force", json!(if tif == TimeInForce::Gtc { "gtc" } else { "ioc" }));
    Value::Object(body).to_string()
}

/// A quantity without trailing zeros.
pub(super) fn decimal(quantity: Quantity) -> String {
    let text = quantity.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An amount of money cut down to cents, by its decimal digits.
fn cents_down(amount: f64) -> String {
    // Billionths are exact for every amount that an order may have.
    let nanos = amount.to_string().parse::<Quantity>().unwrap_or_default().nanos();
    decimal(Quantity::from_nanos(nanos / CENT_NANOS * CENT_NANOS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::{Cash, ClientOrderId, Instrument, Order, Price, RiskLimits};

    use super::*;

    const ORDER: &str = r#"{"id":"d6f5096f","client_order_id":"wf-0123abcd","updated_at":"2022-04-19T13:45:04.981350886-04:00",
        "symbol":"BTCUSD","notional":"100","qty":null,"filled_qty":"0.012500001","filled_avg_price":"42301.5",
        "side":"buy","type":"market","status":"partially_filled","legs":null,"new_key":{"a":[1]}}"#;

    fn btc() -> Symbol {
        "BTC/USD".parse().unwrap()
    }

    fn read(text: &str) -> Result<OrderState, OrderError> {
        parse_order(text.as_bytes(), &btc())
    }

    #[test]
    fn an_order_is_read_exactly() {
        let order = read(ORDER).unwrap();
        assert_eq!(order.origin.id().map(ClientOrderId::as_str), Some("wf-0123abcd"));
        assert_eq!((order.filled.nanos(), order.ordered), (12_500_001, None));
        assert_eq!(order.average_price, Price::new(42_301.5).ok());
        assert_eq!((order.side, order.status), (Side::Buy, OrderStatus::PartiallyFilled));
        assert_eq!(order.updated_at.to_string(), "2022-04-19T17:45:04.981Z");
    }

    #[test]
    fn every_status_has_its_meaning_and_a_new_one_is_not_final() {
        for (text, expected) in [
            ("new", OrderStatus::Open),
            ("filled", OrderStatus::Filled),
            ("canceled", OrderStatus::Canceled),
            ("expired", OrderStatus::Expired),
            ("replaced", OrderStatus::Replaced),
            ("rejected", OrderStatus::Rejected),
            ("pending_cancel", OrderStatus::Canceling),
            ("pending_replace", OrderStatus::Canceling),
            ("accepted", OrderStatus::Pending),
            ("pending_new", OrderStatus::Pending),
            ("accepted_for_bidding", OrderStatus::Pending),
            ("held", OrderStatus::Pending),
            ("pending_review", OrderStatus::Pending),
            ("done_for_day", OrderStatus::Suspended),
            ("stopped", OrderStatus::Suspended),
            ("suspended", OrderStatus::Suspended),
            ("calculated", OrderStatus::Suspended),
            ("in_the_mail", OrderStatus::Other),
        ] {
            let order = read(&ORDER.replace("partially_filled", text)).unwrap();
            assert_eq!(order.status, expected, "{text}");
            let is_told = order.reason.is_some_and(|reason| reason.contains(text));
            assert!(is_told || expected.is_final() || expected == OrderStatus::Open, "{text}");
        }
    }

    #[test]
    fn what_is_no_order_of_the_symbol_is_refused() {
        for (from, to) in [
            ("BTCUSD", "ETHUSD"),
            ("\"buy\"", "\"borrow\""),
            ("\"0.012500001\"", "0.012500001"),
            ("\"0.012500001\"", "\"-1\""),
            ("\"qty\":null", "\"qty\":\"0.01\""),
            ("42301.5", "many"),
            ("d6f5096f", ""),
            ("2022-04-19T13:45:04.981350886-04:00", "yesterday"),
            ("\"status\"", "\"state\""),
        ] {
            let error = read(&ORDER.replace(from, to)).unwrap_err();
            assert!(matches!(error, OrderError::NotAnOrder(_)), "{to}: {error}");
        }
        for length in [0, 1, ORDER.len() / 2, ORDER.len() - 1] {
            assert!(matches!(read(&ORDER[..length]), Err(OrderError::NotJson(_))), "{length}");
        }
    }

    fn instrument() -> Instrument {
        Instrument {
            quantity_step: Quantity::from_nanos(1),
            minimum: Quantity::from_nanos(1),
            price_step: Price::new(0.01).unwrap(),
            minimum_notional: None,
            maximum_notional: None,
            tradable: true,
        }
    }

    fn sent(side: Side, size: OrderSize, held: &str) -> Value {
        let order = Order { side, size, decided_at: Timestamp::EPOCH };
        let cash = Cash::new(1e9).unwrap();
        let approved = RiskLimits::default().approve(order, cash, held.parse().unwrap()).unwrap();
        let order = VenueOrder::market("wf-1".parse().unwrap(), &approved, &instrument()).unwrap();
        serde_json::from_str(&request(&order, &btc(), TimeInForce::Ioc)).unwrap()
    }

    #[test]
    fn orders_are_sent_as_the_service_wants_them() {
        let spend = OrderSize::Notional(Cash::new(1_234.569).unwrap());
        let expected = json!({"symbol": "BTC/USD", "side": "buy", "type": "market", "notional": "1234.56",
            "time_in_force": "ioc", "client_order_id": "wf-1"});
        assert_eq!(sent(Side::Buy, spend, "0"), expected);
        let sell = OrderSize::Quantity("0.012468750".parse().unwrap());
        let body = sent(Side::Sell, sell, "1");
        assert_eq!((&body["qty"], &body["side"]), (&json!("0.01246875"), &json!("sell")));
        assert!(body.get("notional").is_none());
        let price = |value| Price::new(value).unwrap();
        let prices = (price(39_999.99), price(39_500.0));
        let held = "0.01246875".parse().unwrap();
        let id = "wf-2".parse().unwrap();
        let stop = VenueOrder::protective_stop(id, held, prices, Timestamp::EPOCH, &instrument()).unwrap();
        let expected = json!({"symbol": "BTC/USD", "side": "sell", "type": "stop_limit", "qty": "0.01246875",
            "stop_price": "39999.99", "limit_price": "39500", "time_in_force": "gtc", "client_order_id": "wf-2"});
        let body: Value = serde_json::from_str(&request(&stop, &btc(), TimeInForce::Ioc)).unwrap();
        assert_eq!(body, expected);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            drop(parse_order(&bytes, &btc()));
            drop(parse_orders(&bytes, &btc()));
        }

        #[test]
        fn money_is_never_rounded_up(amount in 0.0_f64..200_000.0) {
            let cents: f64 = cents_down(amount).parse().unwrap();
            prop_assert!(cents <= amount && amount - cents < 0.010_000_001, "{amount} {cents}");
        }

        #[test]
        fn a_quantity_is_sent_exactly(nanos in 1_i64..i64::MAX) {
            let quantity = Quantity::from_nanos(nanos);
            prop_assert_eq!(decimal(quantity).parse(), Ok(quantity));
        }
    }
}
