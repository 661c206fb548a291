//! Positions, accounts and assets as the service writes them.

use serde::Deserialize;
use walkforward_core::{Cash, Instrument, Quantity, Symbol, VenueAccount, VenuePosition};

use crate::http::BodyError;
use crate::refusal::one_line;
use crate::stream::is_symbol;

/// Least that a purchase for dollars may cost: the service refuses less, whatever the asset's minimum says.
const MIN_DOLLARS: f64 = 10.0;
/// Most that an order of crypto may be worth.
const MAX_DOLLARS: f64 = 200_000.0;
/// The currency that both bounds are in.
const DOLLARS: &str = "USD";

/// Longest list of positions: an account has one for each asset.
const MAX_POSITIONS: usize = 10_000;

#[derive(Deserialize)]
struct RawPosition {
    symbol: String,
    qty: String,
    #[serde(default)]
    qty_available: Option<String>,
    #[serde(default)]
    avg_entry_price: Option<String>,
}

#[derive(Deserialize)]
struct RawAccount {
    #[serde(default)]
    id: Option<String>,
    status: String,
    #[serde(default)]
    crypto_status: Option<String>,
    cash: String,
    equity: String,
    #[serde(default)]
    non_marginable_buying_power: Option<String>,
    #[serde(default)]
    trading_blocked: bool,
    #[serde(default)]
    account_blocked: bool,
    #[serde(default)]
    trade_suspended_by_user: bool,
}

#[derive(Deserialize)]
struct RawAsset {
    symbol: String,
    #[serde(default)]
    status: Option<String>,
    tradable: bool,
    min_order_size: Option<String>,
    min_trade_increment: Option<String>,
    price_increment: Option<String>,
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T, BodyError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = one_line(&format!("this is no {what}: {error}"));
        if error.is_data() { BodyError::Foreign(text) } else { BodyError::Cut(text) }
    })
}

fn foreign(error: impl std::fmt::Display) -> BodyError {
    BodyError::Foreign(error.to_string())
}

/// The position in `symbol` in the list of all positions. The list is asked for because it can't be misread: asked for
/// one position by a spelling that it does not take, the service would answer as if there were none.
pub(super) fn position(body: &[u8], symbol: &Symbol) -> Result<VenuePosition, BodyError> {
    let positions: Vec<RawPosition> = json(body, "list of positions")?;
    if positions.len() > MAX_POSITIONS {
        return Err(foreign(format!("{} positions, at most {MAX_POSITIONS}", positions.len())));
    }
    let mut of_symbol = positions.iter().filter(|it| is_symbol(symbol, &it.symbol));
    let Some(raw) = of_symbol.next() else { return Ok(VenuePosition::default()) };
    if of_symbol.next().is_some() {
        return Err(foreign(format!("two positions in {symbol}")));
    }
    let quantity: Quantity = raw.qty.parse().map_err(foreign)?;
    let available =
        raw.qty_available.as_deref().map_or(Ok(quantity), |text| text.parse().map_err(foreign))?;
    let average_entry = raw.avg_entry_price.as_deref().and_then(|text| text.parse().ok());
    Ok(VenuePosition { quantity, available, average_entry })
}

/// The account.
pub(super) fn account(body: &[u8]) -> Result<VenueAccount, BodyError> {
    let raw: RawAccount = json(body, "account")?;
    let cash: Cash = raw.cash.parse().map_err(foreign)?;
    // Buying power on credit is for stocks alone.
    let spendable =
        raw.non_marginable_buying_power.as_deref().map_or(Ok(cash), |it| it.parse().map_err(foreign))?;
    let is_active = |status: &str| status == "ACTIVE";
    let crypto = raw.crypto_status.as_deref().unwrap_or("ACTIVE");
    let reasons = [
        (!is_active(&raw.status), format!("the account's status is {}", raw.status)),
        (!is_active(crypto), format!("the account's crypto_status is {crypto}")),
        (raw.trading_blocked, "trading_blocked".to_owned()),
        (raw.account_blocked, "account_blocked".to_owned()),
        (raw.trade_suspended_by_user, "trade_suspended_by_user".to_owned()),
    ];
    let reasons: Vec<String> =
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).collect();
    let blocked = (!reasons.is_empty()).then(|| one_line(&reasons.join(", ")));
    let equity = raw.equity.parse().map_err(foreign)?;
    let id = raw.id.filter(|id| !id.is_empty());
    Ok(VenueAccount { id, cash, spendable, equity, blocked })
}

/// What the service takes of `symbol`.
pub(super) fn instrument(body: &[u8], symbol: &Symbol) -> Result<Instrument, BodyError> {
    let raw: RawAsset = json(body, "asset")?;
    if !is_symbol(symbol, &raw.symbol) {
        return Err(foreign(one_line(&format!("the asset is {}, and {symbol} was asked for", raw.symbol))));
    }
    let missing = |name: &str| foreign(format!("the asset has no {name}"));
    let quantity = |name, text: Option<String>| -> Result<Quantity, BodyError> {
        text.ok_or_else(|| missing(name))?.parse().map_err(foreign)
    };
    // Nothing is counted finer than in billionths.
    let quantity_step =
        quantity("min_trade_increment", raw.min_trade_increment)?.max(Quantity::from_nanos(1));
    let price_step =
        raw.price_increment.ok_or_else(|| missing("price_increment"))?.parse().map_err(foreign)?;
    let dollars = |amount| Cash::new(amount).ok().filter(|_| symbol.quote() == DOLLARS);
    Ok(Instrument {
        quantity_step,
        minimum: quantity("min_order_size", raw.min_order_size)?,
        price_step,
        minimum_notional: dollars(MIN_DOLLARS),
        maximum_notional: dollars(MAX_DOLLARS),
        tradable: raw.tradable && raw.status.is_none_or(|status| status == "active"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn btc() -> Symbol {
        "BTC/USD".parse().unwrap()
    }

    #[test]
    fn the_position_is_found_under_both_spellings() {
        for spelling in ["BTCUSD", "BTC/USD"] {
            let body = format!(
                r#"[{{"symbol":"ETHUSD","qty":"7"}},{{"symbol":"{spelling}","qty":"0.01246875","qty_available":"0.012","avg_entry_price":"42301.5"}}]"#
            );
            let position = position(body.as_bytes(), &btc()).unwrap();
            assert_eq!((position.quantity.nanos(), position.available.nanos()), (12_468_750, 12_000_000));
            assert_eq!(position.average_entry.map(|price| price.get()), Some(42_301.5));
        }
    }

    #[test]
    fn flat_is_an_empty_list_and_nothing_else() {
        assert_eq!(position(b"[]", &btc()), Ok(VenuePosition::default()));
        for body in [
            "",
            "{}",
            "null",
            r#"{"code":40410000,"message":"position does not exist"}"#,
            r#"[{"symbol":"BTCUSD"}]"#,
            r#"[{"symbol":"BTCUSD","qty":1}]"#,
        ] {
            assert!(position(body.as_bytes(), &btc()).is_err(), "{body}");
        }
        let twice = br#"[{"symbol":"BTCUSD","qty":"1"},{"symbol":"BTC/USD","qty":"1"}]"#;
        assert!(position(twice, &btc()).is_err());
    }

    #[test]
    fn an_account_says_why_it_may_not_trade() {
        let body = r#"{"status":"ACTIVE","crypto_status":"ACTIVE","cash":"9471.23","equity":"10000.5",
            "buying_power":"40000","non_marginable_buying_power":"9000.00","trading_blocked":false}"#;
        let read = |body: &str| account(body.as_bytes()).unwrap();
        assert_eq!(read(body).id, None);
        let named = body.replacen('{', r#"{"id":"904837e3-3b76-47ec-b432-046db621571b","#, 1);
        assert_eq!(read(&named).id.as_deref(), Some("904837e3-3b76-47ec-b432-046db621571b"));
        let fine = read(body);
        assert_eq!((fine.cash.get(), fine.spendable.get(), fine.equity.get()), (9_471.23, 9_000.0, 10_000.5));
        assert!(fine.is_tradable());
        for (from, to, part) in [
            ("\"status\":\"ACTIVE\"", "\"status\":\"ONBOARDING\"", "status is ONBOARDING"),
            ("\"crypto_status\":\"ACTIVE\"", "\"crypto_status\":\"INACTIVE\"", "crypto_status is INACTIVE"),
            ("\"trading_blocked\":false", "\"trading_blocked\":true", "trading_blocked"),
            ("\"trading_blocked\":false", "\"account_blocked\":true", "account_blocked"),
            ("\"trading_blocked\":false", "\"trade_suspended_by_user\":true", "trade_suspended_by_user"),
        ] {
            let blocked = read(&body.replacen(from, to, 1)).blocked;
            assert!(blocked.as_ref().is_some_and(|it| it.contains(part)), "{blocked:?}");
        }
    }

    #[test]
    fn an_instrument_has_its_grid_and_bounds() {
        let body = r#"{"symbol":"BTC/USD","status":"active","tradable":true,"min_order_size":"0.000012",
            "min_trade_increment":"0.000000001","price_increment":"0.01"}"#;
        let read = instrument(body.as_bytes(), &btc()).unwrap();
        assert_eq!((read.quantity_step.nanos(), read.minimum.nanos()), (1, 12_000));
        assert_eq!((read.price_step.get(), read.tradable), (0.01, true));
        assert_eq!(read.minimum_notional.map(Cash::get), Some(10.0));
        let inactive = body.replace("\"active\"", "\"inactive\"");
        assert!(!instrument(inactive.as_bytes(), &btc()).unwrap().tradable);
        assert!(instrument(body.as_bytes(), &"ETH/USD".parse().unwrap()).is_err());
        assert!(instrument(body.replace("min_order_size", "x").as_bytes(), &btc()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            drop(position(&bytes, &btc()));
            drop(account(&bytes));
            drop(instrument(&bytes, &btc()));
        }
    }
}
