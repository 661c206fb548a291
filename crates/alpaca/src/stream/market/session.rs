//! One session of the market data stream as a state machine.

use std::sync::Arc;

use secrecy::ExposeSecret;
use serde_json::json;
use walkforward_core::{Bar, FeedEvent, Symbol, Timeframe};

use super::message::{MarketMessage, parse_market_frame};
use crate::stream::{Act, Protocol, StreamCounters, count};
use crate::{Keys, RawBar};

/// What a client has to do about an error of the stream, by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamErrorAction {
    /// Nothing: it does no harm.
    Ignore,
    /// Hand in the keys.
    Authenticate,
    /// Connect anew.
    Reconnect,
    /// Wait, and connect anew: the service still counts an older connection.
    BackOff,
    /// The request that it answers is lost; what was agreed before stays.
    FailRequest,
    /// Stop: a person has to change something.
    Fail,
}

impl StreamErrorAction {
    /// The action for `code`. What is not known is tried again, slowly: a new code must not end a trader for good.
    pub fn of(code: u64) -> Self {
        match code {
            401 => Self::Authenticate,
            402 | 408 | 409 | 411 => Self::Fail,
            403 => Self::Ignore,
            404 | 407 | 500 => Self::Reconnect,
            400 | 405 | 410 => Self::FailRequest,
            _ => Self::BackOff,
        }
    }

    /// What to do about `code`, for a person.
    fn advice(code: u64) -> &'static str {
        match code {
            400 => "the service does not understand the request: check the symbol",
            402 => "check the keys",
            405 => "the account's plan has no room for the symbol",
            408 | 409 | 411 => "the account's plan or keys do not allow this stream",
            410 => "this stream does not take the subscription: check its address",
            _ => "see the service's documentation",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The service has not greeted yet.
    Greeting,
    /// The keys are on their way.
    Keys,
    /// The subscription is on its way.
    Subscribing,
    /// Bars come.
    Ready,
}

/// Bars of one symbol.
pub(super) struct MarketSession {
    symbol: Symbol,
    keys: Keys,
    counters: Arc<StreamCounters>,
    phase: Phase,
    /// How often the keys were handed in on this connection.
    handed_in: u32,
}

/// How often they are: once, and again when the service asks for them.
const MAX_HANDED_IN: u32 = 2;

impl MarketSession {
    pub(super) fn new(symbol: Symbol, keys: Keys, counters: Arc<StreamCounters>) -> Self {
        Self { symbol, keys, counters, phase: Phase::Greeting, handed_in: 0 }
    }

    fn authenticate(&mut self) -> Act<FeedEvent> {
        (self.phase, self.handed_in) = (Phase::Keys, self.handed_in + 1);
        let (key, secret) = (self.keys.id.expose_secret(), self.keys.secret.expose_secret());
        Act::Send(json!({"action": "auth", "key": key, "secret": secret}).to_string())
    }

    fn subscribe(&mut self) -> Act<FeedEvent> {
        self.phase = Phase::Subscribing;
        let symbols = [self.symbol.to_string()];
        Act::Send(json!({"action": "subscribe", "bars": symbols, "updatedBars": symbols}).to_string())
    }

    fn message(&mut self, message: MarketMessage) -> Option<Act<FeedEvent>> {
        match message {
            MarketMessage::Connected if self.phase == Phase::Greeting => Some(self.authenticate()),
            MarketMessage::Authenticated if self.phase == Phase::Keys => Some(self.subscribe()),
            MarketMessage::Subscribed { bars, updated_bars } => self.subscribed(&bars, &updated_bars),
            MarketMessage::Error { code, message } => self.error(code, &message),
            MarketMessage::Bar { symbol, bar } => {
                self.bar(&symbol, bar).map(|it| Act::Event(FeedEvent::Bar(it)))
            }
            MarketMessage::UpdatedBar { symbol, bar } => {
                self.bar(&symbol, bar).map(|it| Act::Event(FeedEvent::Revised(it)))
            }
            MarketMessage::Connected | MarketMessage::Authenticated | MarketMessage::Other => None,
            MarketMessage::Unknown(kind) => {
                count(&self.counters.unknown);
                tracing::debug!(kind, "a message of an unknown kind");
                None
            }
            MarketMessage::Unreadable(reason) => {
                count(&self.counters.garbage);
                tracing::warn!(reason = self.keys.hide(&reason), "a message that can't be read");
                None
            }
        }
    }

    fn subscribed(&mut self, bars: &[String], updated_bars: &[String]) -> Option<Act<FeedEvent>> {
        let has = |list: &[String]| list.iter().any(|it| it == "*" || is_symbol(&self.symbol, it));
        match (self.phase, has(bars) && has(updated_bars)) {
            (Phase::Subscribing, true) => {
                self.phase = Phase::Ready;
                Some(Act::Ready)
            }
            (Phase::Subscribing | Phase::Ready, false) => {
                Some(Act::BackOff(format!("the service's subscription lacks {}", self.symbol)))
            }
            _ => None,
        }
    }

    fn error(&mut self, code: u64, message: &str) -> Option<Act<FeedEvent>> {
        count(&self.counters.errors);
        let message = self.keys.hide(message);
        let told = format!("the service says {code}, '{message}'");
        let fail = |told: String| Act::Fail(format!("{told}: {}", StreamErrorAction::advice(code)));
        match (StreamErrorAction::of(code), self.phase) {
            // It answers the keys, if they were handed in; then they are known.
            (StreamErrorAction::Ignore, Phase::Keys) => Some(self.subscribe()),
            (StreamErrorAction::Ignore, _) => None,
            // Bars may have been lost meanwhile: a new connection tells so.
            (StreamErrorAction::Authenticate, Phase::Ready) => Some(Act::Reconnect(told)),
            (StreamErrorAction::Authenticate, _) if self.handed_in >= MAX_HANDED_IN => {
                Some(Act::BackOff(told))
            }
            (StreamErrorAction::Authenticate, _) => Some(self.authenticate()),
            (StreamErrorAction::Reconnect, _) => Some(Act::Reconnect(told)),
            (StreamErrorAction::BackOff, _) => Some(Act::BackOff(told)),
            (StreamErrorAction::Fail, _) => Some(fail(told)),
            // The only request has been granted already, so this answers nothing that is missed.
            (StreamErrorAction::FailRequest, Phase::Ready) => {
                tracing::warn!(told, "an error of the stream");
                None
            }
            (StreamErrorAction::FailRequest, _) => Some(fail(told)),
        }
    }

    fn bar(&self, symbol: &str, raw: RawBar) -> Option<Bar> {
        if !is_symbol(&self.symbol, symbol) {
            count(&self.counters.foreign);
            return None;
        }
        let RawBar { open_time, open, high, low, close, volume, .. } = raw;
        let is_on_clock = Timeframe::MINUTE.floor(open_time) == open_time;
        match Bar::new(open_time, open, high, low, close, volume) {
            Ok(bar) if is_on_clock => Some(bar),
            bad => {
                let reason =
                    bad.err().map_or("it does not start on a full minute".to_owned(), |it| it.to_string());
                count(&self.counters.garbage);
                tracing::warn!(%open_time, reason, "a bar that is none");
                None
            }
        }
    }
}

/// Whether `text` names `symbol`, with or without the slash.
pub(crate) fn is_symbol(symbol: &Symbol, text: &str) -> bool {
    text == symbol.to_string() || text == symbol.compact()
}

impl Protocol for MarketSession {
    type Event = FeedEvent;

    fn open(&mut self) -> Vec<Act<FeedEvent>> {
        (self.phase, self.handed_in) = (Phase::Greeting, 0);
        Vec::new()
    }

    fn frame(&mut self, bytes: &[u8]) -> Vec<Act<FeedEvent>> {
        match parse_market_frame(bytes) {
            Ok(messages) => messages.into_iter().filter_map(|message| self.message(message)).collect(),
            Err(error) => {
                count(&self.counters.garbage);
                tracing::warn!(reason = self.keys.hide(&error.to_string()), "a frame that can't be read");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
