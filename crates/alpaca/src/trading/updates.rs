//! What happens to orders, as it happens.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use walkforward_core::{
    ErrorKind, OrderState, Quantity, Symbol, VenueError, VenueFill, VenueUpdate, VenueUpdates,
};

use super::order::RawOrder;
use crate::Keys;
use crate::refusal::one_line;
use crate::stream::{Act, Connection, FrameError, Protocol, Signal, StreamCounters, count};

/// The stream that is listened to.
const TRADE_UPDATES: &str = "trade_updates";
/// Characters of an unknown stream's name that are kept.
const MAX_NAME_CHARS: usize = 32;
/// Longest id of an execution, in bytes.
const MAX_ID_BYTES: usize = 128;

/// One message of the trading stream.
#[derive(Debug, Clone, PartialEq)]
pub enum TradeMessage {
    /// The keys are taken.
    Authorized,
    /// They are not.
    Unauthorized(String),
    /// All that the connection listens to.
    Listening(Vec<String>),
    /// An order changed without a fill.
    Order(Box<OrderState>),
    /// An order filled, in whole or in part.
    Fill(Box<VenueFill>),
    /// An order of another symbol.
    Foreign,
    /// An update that can't be read: something happened, and only a question tells what.
    Unreadable(String),
    /// A stream that nobody knows.
    Unknown(String),
}

#[derive(Deserialize)]
struct RawFrame {
    stream: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct RawUpdate {
    event: String,
    order: RawOrder,
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    qty: Option<String>,
    #[serde(default)]
    price: Option<String>,
    #[serde(default)]
    position_qty: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
}

/// The message of a frame about orders of `symbol`; frames are objects, in text or in bytes.
///
/// # Errors
/// When the frame is no message.
pub fn parse_trade_frame(frame: &[u8], symbol: &Symbol) -> Result<TradeMessage, FrameError> {
    let RawFrame { stream, data } = serde_json::from_slice(frame).map_err(FrameError::new)?;
    Ok(match stream.as_str() {
        "authorization" => match data.get("status").and_then(Value::as_str) {
            Some("authorized") => TradeMessage::Authorized,
            _ => {
                let words = data.get("message").and_then(Value::as_str).unwrap_or("unauthorized");
                TradeMessage::Unauthorized(one_line(words))
            }
        },
        "listening" => {
            let streams = data.get("streams").and_then(Value::as_array).into_iter().flatten();
            TradeMessage::Listening(streams.filter_map(Value::as_str).map(str::to_owned).collect())
        }
        TRADE_UPDATES => update(data, symbol).unwrap_or_else(TradeMessage::Unreadable),
        _ => TradeMessage::Unknown(stream.chars().take(MAX_NAME_CHARS).collect()),
    })
}

fn update(data: Value, symbol: &Symbol) -> Result<TradeMessage, String> {
    let raw: RawUpdate = serde_json::from_value(data).map_err(|error| one_line(&error.to_string()))?;
    if !raw.order.is_of(symbol) {
        return Ok(TradeMessage::Foreign);
    }
    let mut order = raw.order.state().map_err(|error| error.to_string())?;
    if matches!(raw.event.as_str(), "fill" | "partial_fill") {
        return fill(raw, order).map(|fill| TradeMessage::Fill(Box::new(fill)));
    }
    if raw.event.ends_with("_rejected") || raw.event == "rejected" {
        order.reason = Some(one_line(&format!("event '{}'", raw.event)));
    }
    Ok(TradeMessage::Order(Box::new(order)))
}

fn fill(raw: RawUpdate, order: OrderState) -> Result<VenueFill, String> {
    let field = |name: &str, text: Option<String>| text.ok_or_else(|| format!("a fill without {name}"));
    let execution_id = field("execution_id", raw.execution_id)?;
    if execution_id.is_empty() || execution_id.len() > MAX_ID_BYTES {
        return Err(format!("an execution_id of {} bytes", execution_id.len()));
    }
    let quantity: Quantity = field("qty", raw.qty)?.parse().map_err(|error| format!("{error}"))?;
    if quantity <= Quantity::ZERO || quantity > order.filled {
        return Err(format!("a fill of {quantity} in an order that has filled {}", order.filled));
    }
    let position_after = raw.position_qty.map(|text| text.parse()).transpose();
    Ok(VenueFill {
        execution_id,
        quantity,
        price: field("price", raw.price)?.parse().map_err(|error| format!("{error}"))?,
        time: raw.timestamp.and_then(|text| text.parse().ok()).unwrap_or(order.updated_at),
        position_after: position_after.map_err(|error| format!("{error}"))?,
        order,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The keys are on their way, in the spelling of the documentation.
    Authenticate,
    /// They are on their way in the spelling of the data stream.
    Auth,
    /// The name of the stream is on its way.
    Listen,
    /// Updates come.
    Ready,
}

/// One session of the trading stream as a state machine.
pub(super) struct UpdateSession {
    symbol: Symbol,
    keys: Keys,
    counters: Arc<StreamCounters>,
    phase: Phase,
}

impl UpdateSession {
    pub(super) fn new(symbol: Symbol, keys: Keys, counters: Arc<StreamCounters>) -> Self {
        Self { symbol, keys, counters, phase: Phase::Authenticate }
    }

    fn message(&mut self, message: TradeMessage) -> Option<Act<VenueUpdate>> {
        match (message, self.phase) {
            (TradeMessage::Authorized, Phase::Authenticate | Phase::Auth) => {
                self.phase = Phase::Listen;
                Some(Act::Send(json!({"action": "listen", "data": {"streams": [TRADE_UPDATES]}}).to_string()))
            }
            // Both spellings have been seen to work; a service that takes one alone is tried with the other.
            (TradeMessage::Unauthorized(_), Phase::Authenticate) => {
                self.phase = Phase::Auth;
                let (key, secret) = (self.keys.id.expose_secret(), self.keys.secret.expose_secret());
                Some(Act::Send(json!({"action": "auth", "key": key, "secret": secret}).to_string()))
            }
            (TradeMessage::Unauthorized(words), _) => {
                count(&self.counters.errors);
                let words = self.keys.hide(&words);
                Some(Act::Fail(format!(
                    "the service says '{words}': check the keys, and that they belong to this account (paper and \
                     live have their own)"
                )))
            }
            (TradeMessage::Listening(streams), Phase::Listen | Phase::Ready) => {
                let has = streams.iter().any(|name| name == TRADE_UPDATES);
                match (has, std::mem::replace(&mut self.phase, Phase::Ready)) {
                    (true, Phase::Ready) => None,
                    (true, _) => Some(Act::Ready),
                    (false, _) => Some(Act::BackOff(format!("the service does not send {TRADE_UPDATES}"))),
                }
            }
            (TradeMessage::Order(order), _) => Some(Act::Event(VenueUpdate::Order(*order))),
            (TradeMessage::Fill(fill), _) => Some(Act::Event(VenueUpdate::Fill(*fill))),
            (TradeMessage::Unreadable(reason), _) => {
                count(&self.counters.garbage);
                // Connecting anew makes the owner ask for what it could not be told.
                Some(Act::Reconnect(self.keys.hide(&format!("an update that can't be read: {reason}"))))
            }
            (TradeMessage::Foreign, _) => {
                count(&self.counters.foreign);
                None
            }
            (TradeMessage::Unknown(_), _) => {
                count(&self.counters.unknown);
                None
            }
            (TradeMessage::Authorized | TradeMessage::Listening(_), _) => None,
        }
    }
}

impl Protocol for UpdateSession {
    type Event = VenueUpdate;

    fn open(&mut self) -> Vec<Act<VenueUpdate>> {
        self.phase = Phase::Authenticate;
        let (key, secret) = (self.keys.id.expose_secret(), self.keys.secret.expose_secret());
        let data = json!({"key_id": key, "secret_key": secret});
        vec![Act::Send(json!({"action": "authenticate", "data": data}).to_string())]
    }

    fn frame(&mut self, bytes: &[u8]) -> Vec<Act<VenueUpdate>> {
        match parse_trade_frame(bytes, &self.symbol) {
            Ok(message) => self.message(message).into_iter().collect(),
            Err(error) => {
                count(&self.counters.garbage);
                tracing::warn!(reason = self.keys.hide(&error.to_string()), "a frame that can't be read");
                Vec::new()
            }
        }
    }
}

/// The updates of an account's orders in one symbol.
pub(super) struct AlpacaUpdates(pub(super) Connection<UpdateSession>);

#[async_trait]
impl VenueUpdates for AlpacaUpdates {
    async fn next(&mut self) -> Result<Option<VenueUpdate>, VenueError> {
        Ok(match self.0.next().await {
            Some(Signal::Up) => Some(VenueUpdate::Up),
            Some(Signal::Down(reason)) => Some(VenueUpdate::Down { reason }),
            Some(Signal::Event(update)) => Some(update),
            Some(Signal::Failed(reason)) => {
                let message = format!("Alpaca's order updates: {reason}");
                return Err(VenueError { kind: ErrorKind::BadInput, message });
            }
            None => None,
        })
    }
}

#[cfg(test)]
#[path = "updates_tests.rs"]
mod tests;
