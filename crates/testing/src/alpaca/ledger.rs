//! The fake's account: exact, in billionths, with fees in the asset received.

use serde_json::Value;
use walkforward_core::{Quantity, Side, Symbol, Timestamp};

/// Orders that are kept.
const MAX_ORDERS: usize = 100_000;
/// Fee of either side, in basis points.
const FEE_BPS: i64 = 25;
/// Least dollars of a purchase.
const MIN_DOLLARS: i64 = 10;
/// Most dollars of an order.
const MAX_DOLLARS: i64 = 200_000;
const NANOS: i128 = 1_000_000_000;

/// When market orders fill.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FillMode {
    /// At once, whole, at the last price.
    #[default]
    AtOnce,
    /// When the test says so.
    Manual,
}

/// At what price an order fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FakeKind {
    /// The market's.
    Market,
    /// Once the market trades at `stop`, at `limit` or better.
    StopLimit {
        /// What wakes the order.
        stop: Quantity,
        /// The worst price.
        limit: Quantity,
    },
}

/// An order in the fake's books.
#[derive(Debug, Clone, PartialEq)]
pub struct FakeOrder {
    /// The fake's own id.
    pub id: String,
    /// The id that it was handed in under.
    pub client_id: String,
    /// Direction.
    pub side: Side,
    /// At what price it fills.
    pub kind: FakeKind,
    /// What it is for, of the asset.
    pub quantity: Option<Quantity>,
    /// What it is for, in dollars.
    pub notional: Option<Quantity>,
    /// What has filled, before fees.
    pub filled: Quantity,
    /// Dollars that the filled part came to, before fees.
    pub cost: Quantity,
    /// The service's word.
    pub status: &'static str,
    /// When it came.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl FakeOrder {
    /// Whether nothing can happen to it any more.
    pub fn is_final(&self) -> bool {
        matches!(self.status, "filled" | "canceled" | "expired" | "replaced" | "rejected")
    }

    /// What has not filled, at `price` where the order is for dollars.
    fn left(&self, price: Quantity) -> Quantity {
        match (self.quantity, self.notional) {
            (Some(quantity), _) => quantity - self.filled,
            (None, Some(notional)) => divided(notional - self.cost, price),
            (None, None) => Quantity::ZERO,
        }
    }

    /// What it comes to: at its limit where it has one, else at `price`.
    fn worth(&self, price: Quantity) -> Quantity {
        let price = match self.kind {
            FakeKind::Market => price,
            FakeKind::StopLimit { limit, .. } => limit,
        };
        self.notional.unwrap_or_else(|| times(self.left(price), price))
    }

    /// Mean price of what has filled.
    pub(super) fn average_price(&self) -> Option<Quantity> {
        (!self.filled.is_zero()).then(|| divided(self.cost, self.filled))
    }
}

/// What the account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Dollars.
    pub cash: Quantity,
    /// Of the asset.
    pub position: Quantity,
    /// What of it no open order holds back.
    pub available: Quantity,
}

/// An execution.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    pub(super) id: String,
    pub(super) order: FakeOrder,
    pub(super) quantity: Quantity,
    pub(super) price: Quantity,
    pub(super) position: Quantity,
}

/// Why an order is refused: status, code, words.
pub(super) type Refusal = (u16, u64, String);

/// The account's books.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) account_id: String,
    pub(super) cash: Quantity,
    pub(super) position: Quantity,
    pub(super) price: Quantity,
    pub(super) now: Timestamp,
    pub(super) mode: FillMode,
    pub(super) is_blocked: bool,
    pub(super) orders: Vec<FakeOrder>,
    executions: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            account_id: "9a5ffd32-37c3-4d1e-8fd6-6f2f1f1f0001".to_owned(),
            cash: dollars(10_000),
            position: Quantity::ZERO,
            price: dollars(40_000),
            now: "2024-01-01T00:00:00Z".parse().unwrap(),
            mode: FillMode::default(),
            is_blocked: false,
            orders: Vec::new(),
            executions: 0,
        }
    }
}

fn dollars(whole: i64) -> Quantity {
    Quantity::from_nanos(whole * 1_000_000_000)
}

fn times(a: Quantity, b: Quantity) -> Quantity {
    Quantity::from_nanos(i64::try_from(i128::from(a.nanos()) * i128::from(b.nanos()) / NANOS).unwrap())
}

fn divided(a: Quantity, b: Quantity) -> Quantity {
    Quantity::from_nanos(i64::try_from(i128::from(a.nanos()) * NANOS / i128::from(b.nanos())).unwrap())
}

/// The fee on an amount, rounded against whoever pays it.
fn fee(amount: Quantity) -> Quantity {
    Quantity::from_nanos((amount.nanos() * FEE_BPS + 9_999) / 10_000)
}

fn decimal(body: &Value, key: &str) -> Option<Quantity> {
    body[key].as_str().and_then(|text| text.parse().ok())
}

impl Ledger {
    pub(super) fn holdings(&self) -> Holdings {
        Holdings { cash: self.cash, position: self.position, available: self.available() }
    }

    fn available(&self) -> Quantity {
        let open_sales = self.orders.iter().filter(|it| it.side == Side::Sell && !it.is_final());
        open_sales.fold(self.position, |left, order| left - order.left(self.price))
    }

    /// Dollars that no open purchase holds back.
    pub(super) fn spendable(&self) -> Quantity {
        let purchases = self.orders.iter().filter(|it| it.side == Side::Buy && !it.is_final());
        let left = purchases.fold(self.cash, |left, order| left - times(order.left(self.price), self.price));
        left.max(Quantity::ZERO)
    }

    pub(super) fn find(&self, client_id: &str) -> Option<usize> {
        self.orders.iter().position(|order| order.client_id == client_id)
    }

    /// Takes an order into the books, not filled yet.
    pub(super) fn place(&mut self, body: &Value, symbol: &Symbol) -> Result<usize, Refusal> {
        assert!(self.orders.len() < MAX_ORDERS, "more than {MAX_ORDERS} orders");
        let order = self.read(body, symbol)?;
        self.check(&order, symbol)?;
        self.orders.push(order);
        Ok(self.orders.len() - 1)
    }

    fn read(&self, body: &Value, symbol: &Symbol) -> Result<FakeOrder, Refusal> {
        let malformed = |what: &str| (422, 42_210_000, what.to_owned());
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        if ![symbol.to_string(), symbol.compact()].iter().any(|it| it == text("symbol")) {
            return Err(malformed(&format!("asset \"{}\" not found", text("symbol"))));
        }
        if !matches!(text("time_in_force"), "gtc" | "ioc") {
            return Err(malformed("invalid crypto time_in_force"));
        }
        let (quantity, notional) = (decimal(body, "qty"), decimal(body, "notional"));
        if quantity.is_some() == notional.is_some() {
            return Err(malformed("exactly one of qty or notional is required"));
        }
        let is_cents = notional.is_none_or(|it| it.nanos() % 10_000_000 == 0);
        if !is_cents {
            return Err(malformed("notional must have at most 2 decimal places"));
        }
        let kind = match (text("type"), decimal(body, "stop_price"), decimal(body, "limit_price")) {
            ("market", None, None) => FakeKind::Market,
            ("stop_limit", Some(stop), Some(limit)) => FakeKind::StopLimit { stop, limit },
            _ => return Err(malformed("invalid order type for crypto order")),
        };
        let side = match text("side") {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(malformed("side is required")),
        };
        let number = self.orders.len() + 1;
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        let client_id = match text("client_order_id") {
            "" => id.clone(),
            client_id => client_id.to_owned(),
        };
        let (filled, cost) = (Quantity::ZERO, Quantity::ZERO);
        let (created_at, updated_at) = (self.now, self.now);
        let status = "pending_new";
        Ok(FakeOrder {
            id,
            client_id,
            side,
            kind,
            quantity,
            notional,
            filled,
            cost,
            status,
            created_at,
            updated_at,
        })
    }

    fn check(&self, order: &FakeOrder, symbol: &Symbol) -> Result<(), Refusal> {
        let forbidden = |words: String| Err((403, 40_310_000, words));
        if self.find(&order.client_id).is_some() {
            return Err((422, 40_010_001, "client_order_id must be unique".to_owned()));
        }
        if self.is_blocked {
            return forbidden("account is not eligible to trade crypto: trading is blocked".to_owned());
        }
        if self.orders.iter().any(|other| other.side != order.side && !other.is_final()) {
            return forbidden("potential wash trade detected. use complex orders".to_owned());
        }
        if order.worth(self.price) > dollars(MAX_DOLLARS) {
            return Err((422, 42_210_000, format!("order notional must be <= {MAX_DOLLARS}")));
        }
        let short = |asset: &str, requested: Quantity, available: Quantity| {
            forbidden(format!(
                "insufficient balance for {asset} (requested: {requested}, available: {available})"
            ))
        };
        match order.side {
            Side::Buy => {
                let cost = order.notional.unwrap_or_else(|| times(order.left(self.price), self.price));
                if cost < dollars(MIN_DOLLARS) {
                    let words = format!("cost basis must be >= minimal amount of order {MIN_DOLLARS}");
                    return forbidden(words);
                }
                if cost > self.cash { short(symbol.quote(), cost, self.cash) } else { Ok(()) }
            }
            Side::Sell => {
                let (wanted, available) = (order.left(self.price), self.available());
                if wanted > available { short(symbol.base(), wanted, available) } else { Ok(()) }
            }
        }
    }

    /// Fills an order, whole when no quantity is said, and pays the fee in what is received.
    pub(super) fn fill(&mut self, at: usize, quantity: Option<Quantity>, price: Quantity) -> Execution {
        let order = &mut self.orders[at];
        assert!(!order.is_final(), "order {} is {} already", order.client_id, order.status);
        let left = order.left(price);
        let quantity = quantity.unwrap_or(left);
        assert!(quantity > Quantity::ZERO && quantity <= left, "{quantity} of an order with {left} left");
        let worth = times(quantity, price);
        match order.side {
            Side::Buy => {
                self.cash = self.cash - worth;
                self.position = self.position + quantity - fee(quantity);
            }
            Side::Sell => {
                self.cash = self.cash + worth - fee(worth);
                self.position = self.position - quantity;
            }
        }
        (order.filled, order.cost) = (order.filled + quantity, order.cost + worth);
        order.status = if quantity == left { "filled" } else { "partially_filled" };
        order.updated_at = self.now;
        self.executions += 1;
        let id = format!("10000000-0000-4000-8000-{:012x}", self.executions);
        Execution { id, order: order.clone(), quantity, price, position: self.position }
    }

    /// Ends an order that has not ended.
    pub(super) fn end(&mut self, at: usize, status: &'static str) -> FakeOrder {
        let order = &mut self.orders[at];
        assert!(!order.is_final(), "order {} is {} already", order.client_id, order.status);
        (order.status, order.updated_at) = (status, self.now);
        order.clone()
    }

    /// Orders that fill at the last price now.
    pub(super) fn due(&self) -> Vec<usize> {
        let price = self.price;
        let is_due = |order: &FakeOrder| match (order.kind, order.side) {
            (FakeKind::Market, _) => self.mode == FillMode::AtOnce,
            (FakeKind::StopLimit { stop, limit }, Side::Sell) => price <= stop && price >= limit,
            (FakeKind::StopLimit { stop, limit }, Side::Buy) => price >= stop && price <= limit,
        };
        let all = self.orders.iter().enumerate();
        all.filter(|(_, order)| !order.is_final() && is_due(order)).map(|(at, _)| at).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn btc() -> Symbol {
        "BTC/USD".parse().unwrap()
    }

    fn order(side: &str, amount: (&str, &str), id: &str) -> Value {
        json!({"symbol": "BTC/USD", "side": side, "type": "market", "time_in_force": "gtc", amount.0: amount.1,
            "client_order_id": id})
    }

    #[test]
    fn fees_are_paid_in_what_is_received() {
        let mut ledger = Ledger::default();
        let at = ledger.place(&order("buy", ("qty", "0.0125"), "a"), &btc()).unwrap();
        let execution = ledger.fill(at, None, "42301.5".parse().unwrap());
        assert_eq!(execution.position.to_string(), "0.012468750");
        assert_eq!(ledger.cash.to_string(), "9471.231250000");
        let at = ledger.place(&order("sell", ("qty", "0.01246875"), "b"), &btc()).unwrap();
        ledger.fill(at, None, dollars(40_000));
        assert_eq!(ledger.position, Quantity::ZERO);
        assert_eq!(ledger.cash.to_string(), "9968.734375000", "498.75 less 25 bps");
    }

    #[test]
    fn an_order_for_dollars_buys_what_they_buy() {
        let mut ledger = Ledger::default();
        let at = ledger.place(&order("buy", ("notional", "100.01"), "a"), &btc()).unwrap();
        let part = "0.001".parse().unwrap();
        assert_eq!(ledger.fill(at, Some(part), dollars(40_000)).order.status, "partially_filled");
        let rest = ledger.fill(at, None, dollars(30_000));
        assert_eq!((rest.order.status, rest.quantity.to_string().as_str()), ("filled", "0.002000333"));
    }

    #[test]
    fn each_kind_of_refusal_has_its_words() {
        let mut ledger = Ledger::default();
        let mut check = |body: Value, expected: &str| {
            let (_, _, words) = ledger.place(&body, &btc()).unwrap_err();
            assert!(words.contains(expected), "{words}");
        };
        check(order("buy", ("qty", "1"), "a"), "insufficient balance for USD");
        check(order("sell", ("qty", "0.000000001"), "a"), "insufficient balance for BTC");
        check(order("buy", ("notional", "9.99"), "a"), "minimal amount");
        check(order("buy", ("notional", "200000.01"), "a"), "must be <= 200000");
        check(order("buy", ("notional", "20.001"), "a"), "2 decimal");
        let mut day = order("buy", ("qty", "0.01"), "a");
        day["time_in_force"] = json!("day");
        check(day, "time_in_force");
        ledger.mode = FillMode::Manual;
        ledger.place(&order("buy", ("qty", "0.01"), "a"), &btc()).unwrap();
        let mut check = |body: Value, expected: &str| {
            assert!(ledger.place(&body, &btc()).unwrap_err().2.contains(expected), "{expected}");
        };
        check(order("buy", ("qty", "0.01"), "a"), "must be unique");
        check(order("sell", ("qty", "0.01"), "b"), "wash trade");
    }
}
