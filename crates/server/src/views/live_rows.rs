//! What a session's journal has told, row by row.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use walkforward_core::{Price, Side, Timestamp, TradingMode};
use walkforward_store::{LiveBar, LiveEvent, LiveFill, LiveSwap, Numbered};

use super::live::SessionModelView;

/// A bar of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveBarView {
    /// Its number in the session, from 1.
    number: u64,
    /// Start of the bar.
    #[schema(value_type = String, format = DateTime)]
    open_time: Timestamp,
    /// First price; none in a row that was carried over by a version that kept closes alone.
    open: Option<f64>,
    /// Highest price; none where `open` is.
    high: Option<f64>,
    /// Lowest price; none where `open` is.
    low: Option<f64>,
    /// Close price.
    close: f64,
    /// Traded amount of the asset; none where `open` is.
    volume: Option<f64>,
    /// Whether it was too late to be decided.
    missed: bool,
    /// What the model decided, as its number; none where it did not.
    action: Option<u8>,
    /// The number of the model that decided.
    model_version: Option<u64>,
    /// Cash and position at the close, quote currency.
    equity: f64,
    /// Quote currency at hand.
    cash: f64,
    /// Amount of the asset held; below zero when short.
    position: f64,
    /// What the session may do from then on: `active`, `reduce_only` or `halted`.
    mode: String,
}

impl From<Numbered<LiveBar>> for LiveBarView {
    fn from(Numbered { number, row }: Numbered<LiveBar>) -> Self {
        Self {
            number,
            open_time: row.open_time,
            open: row.candle.map(|candle| candle.open.get()),
            high: row.candle.map(|candle| candle.high.get()),
            low: row.candle.map(|candle| candle.low.get()),
            close: row.close.get(),
            volume: row.candle.map(|candle| candle.volume),
            missed: row.missed,
            action: row.action.map(|action| action.0),
            model_version: row.model_version,
            equity: row.equity.get(),
            cash: row.cash.get(),
            position: row.position.units(),
            mode: row.mode.to_string(),
        }
    }
}

/// A fill of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveFillView {
    /// Its number in the session, from 1.
    number: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Its direction: `buy` or `sell`.
    #[schema(value_type = String)]
    side: Side,
    /// Amount of the asset that changed hands, above zero, before any fee.
    quantity: f64,
    /// Price paid or received, slippage included.
    price: f64,
    /// The price that the cost model expected.
    expected_price: Option<f64>,
    /// Fee taken in the asset.
    fee_quantity: f64,
    /// Fee taken in quote currency.
    fee_cash: f64,
    /// The order's name at the venue; none on paper.
    order_id: Option<String>,
    /// The number of the model that wanted it.
    model_version: Option<u64>,
}

impl From<Numbered<LiveFill>> for LiveFillView {
    fn from(Numbered { number, row }: Numbered<LiveFill>) -> Self {
        let LiveFill { fill, expected_price, order_id, model_version } = row;
        Self {
            number,
            time: fill.time,
            side: fill.side,
            quantity: fill.quantity.units(),
            price: fill.price.get(),
            expected_price: expected_price.map(Price::get),
            fee_quantity: fill.fee_quantity.units(),
            fee_cash: fill.fee_cash.get(),
            order_id,
            model_version,
        }
    }
}

/// From the next bar on another model decides.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveSwapView {
    /// Its number in the session, from 1.
    number: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The model before; none for the first.
    from_model_id: Option<String>,
    /// The model from now on.
    model: SessionModelView,
    /// Amount of the asset held at that moment.
    position: f64,
}

impl From<Numbered<LiveSwap>> for LiveSwapView {
    fn from(Numbered { number, row }: Numbered<LiveSwap>) -> Self {
        Self {
            number,
            at: row.at,
            from_model_id: row.from.map(|id| id.to_string()),
            model: row.model.into(),
            position: row.position.units(),
        }
    }
}

/// Something else that happened in a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveEventView {
    /// Its number in the session, from 1.
    number: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// A word for it.
    kind: String,
    /// More about it, by name.
    #[schema(value_type = Object)]
    details: Value,
    /// What the session may do from then on, where that changed: `active`, `reduce_only` or `halted`.
    #[schema(value_type = Option<String>)]
    mode: Option<TradingMode>,
}

impl From<Numbered<LiveEvent>> for LiveEventView {
    fn from(Numbered { number, row }: Numbered<LiveEvent>) -> Self {
        let LiveEvent { at, kind, details, mode } = row;
        Self { number, at, kind, details, mode }
    }
}
