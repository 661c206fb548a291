//! Orders, positions and updates as the service writes them.

use serde_json::{Value, json};
use walkforward_core::{Quantity, Side, Symbol};

use super::ledger::{Execution, FakeKind, FakeOrder, Ledger};

/// A decimal as the service writes it: no trailing zeros.
fn text(quantity: Quantity) -> String {
    quantity.to_string().trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An order with every key that the service sends.
pub(super) fn order(order: &FakeOrder, symbol: &Symbol) -> Value {
    let decimal = |value: Option<Quantity>| value.map(text);
    let (kind, stop, limit) = match order.kind {
        FakeKind::Market => ("market", None, None),
        FakeKind::StopLimit { stop, limit } => ("stop_limit", Some(stop), Some(limit)),
    };
    let ended = |status: &str| (order.status == status).then(|| order.updated_at.to_string());
    json!({
        "id": order.id, "client_order_id": order.client_id, "created_at": order.created_at,
        "updated_at": order.updated_at, "submitted_at": order.created_at, "filled_at": ended("filled"),
        "expired_at": ended("expired"), "canceled_at": ended("canceled"), "failed_at": ended("rejected"),
        "replaced_at": null, "replaced_by": null, "replaces": null,
        "asset_id": "276e2673-764b-4ab6-a611-caf665ca6340", "symbol": symbol.to_string(), "asset_class": "crypto",
        "notional": decimal(order.notional), "qty": decimal(order.quantity), "filled_qty": text(order.filled),
        "filled_avg_price": decimal(order.average_price()), "order_class": "", "order_type": kind, "type": kind,
        "side": side(order.side), "time_in_force": "gtc", "limit_price": decimal(limit),
        "stop_price": decimal(stop), "status": order.status, "extended_hours": false, "legs": null,
        "trail_percent": null, "trail_price": null, "hwm": null, "subtag": null, "source": null,
    })
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// A change of an order without a fill.
pub(super) fn update(event: &str, changed: &FakeOrder, symbol: &Symbol) -> Value {
    let data = json!({"event": event, "order": order(changed, symbol), "timestamp": changed.updated_at,
        "execution_id": format!("20000000-{}", changed.id)});
    json!({"stream": "trade_updates", "data": data})
}

/// A fill.
pub(super) fn fill(execution: &Execution, symbol: &Symbol) -> Value {
    let is_whole = execution.order.status == "filled";
    let mut update = update(if is_whole { "fill" } else { "partial_fill" }, &execution.order, symbol);
    let data = &mut update["data"];
    data["execution_id"] = json!(execution.id);
    data["qty"] = json!(text(execution.quantity));
    data["price"] = json!(text(execution.price));
    data["position_qty"] = json!(text(execution.position));
    update
}

/// All positions: one, or none when flat.
pub(super) fn positions(ledger: &Ledger, symbol: &Symbol) -> Value {
    let holdings = ledger.holdings();
    if holdings.position.is_zero() {
        return json!([]);
    }
    // Positions are spelled without the slash, orders with it.
    json!([{
        "asset_id": "276e2673-764b-4ab6-a611-caf665ca6340", "symbol": symbol.compact(), "exchange": "CRYPTO",
        "asset_class": "crypto", "asset_marginable": false, "qty": text(holdings.position),
        "qty_available": text(holdings.available), "avg_entry_price": text(ledger.price), "side": "long",
        "market_value": null, "current_price": text(ledger.price),
    }])
}

/// The account.
pub(super) fn account(ledger: &Ledger) -> Value {
    let equity = ledger.cash.units() + ledger.position.units() * ledger.price.units();
    json!({"id": ledger.account_id, "status": "ACTIVE", "crypto_status": "ACTIVE", "currency": "USD",
        "cash": text(ledger.cash), "equity": format!("{equity:.4}"), "buying_power": text(ledger.cash),
        "non_marginable_buying_power": text(ledger.spendable()), "trading_blocked": ledger.is_blocked,
        "account_blocked": false, "trade_suspended_by_user": false})
}

/// What the service takes of the symbol.
pub(super) fn asset(symbol: &Symbol, is_tradable: bool) -> Value {
    json!({"id": "276e2673-764b-4ab6-a611-caf665ca6340", "class": "crypto", "exchange": "CRYPTO",
        "symbol": symbol.to_string(), "status": "active", "tradable": is_tradable, "marginable": false,
        "shortable": false, "fractionable": true, "min_order_size": "0.000012",
        "min_trade_increment": "0.000000001", "price_increment": "0.01"})
}
