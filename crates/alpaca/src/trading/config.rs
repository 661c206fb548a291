//! Which account, and where.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;
use walkforward_core::Symbol;
use walkforward_http::is_local;

use crate::query::base_url;
use crate::stream::stream_url;
use crate::{AlpacaConfig, AlpacaError, Keys, Limits, Market, RetryPolicy, StreamSettings, Timeouts};

/// The only host on which orders cost nothing.
const PAPER_HOST: &str = "paper-api.alpaca.markets";

/// Whose money an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradingAccount {
    /// Nobody's.
    Paper,
    /// A person's.
    Live,
}

/// Proof that a person has typed the words that real money asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveConfirmation(());

impl LiveConfirmation {
    /// The words.
    pub const WORDS: &str = "trade with real money";

    /// The proof, when `text` is exactly [`Self::WORDS`].
    ///
    /// # Errors
    /// When it is anything else.
    pub fn typed(text: &str) -> Result<Self, AlpacaError> {
        match text == Self::WORDS {
            true => Ok(Self(())),
            false => Err(AlpacaError::NotConfirmed { expected: Self::WORDS }),
        }
    }
}

/// How long an order stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until it fills or is ended; the service ends it after 90 days.
    #[default]
    Gtc,
    /// What does not fill at once is ended. Stops are always [`TimeInForce::Gtc`].
    Ioc,
}

/// Settings of a venue. Made by [`TradingConfig::paper`] or [`TradingConfig::live`]; which of the two can't be changed
/// later, and a paper account refuses every address that could be a real one.
#[derive(Debug, Clone)]
pub struct TradingConfig {
    account: TradingAccount,
    /// What is traded: a currency pair.
    pub symbol: Symbol,
    /// The account's keys; paper and live have different ones.
    pub keys: Keys,
    /// Where orders go: `https`, or `http` on this machine.
    pub rest_url: String,
    /// Where updates come from: `wss`, or `ws` on this machine.
    pub stream_url: String,
    /// How long market orders stand.
    pub time_in_force: TimeInForce,
    /// Requests in a minute; the service allows 200 for each key, those of other programs included.
    pub requests_per_minute: u32,
    /// How long one request may take.
    pub timeouts: Timeouts,
    /// How questions are asked again. Orders never are.
    pub retry: RetryPolicy,
    /// How long one question may take with all its attempts.
    pub max_query: Duration,
    /// Longest wait of an order for our own rate limit.
    pub submit_wait: Duration,
    /// Bytes of an answer.
    pub max_body_bytes: usize,
    /// Times and bounds of the updates.
    pub stream: StreamSettings,
    /// Seed of the jitter in the waits between attempts.
    pub jitter_seed: u64,
    /// A proxy for orders and questions, as [`AlpacaConfig::proxy`]; streams go directly.
    pub proxy: Option<SecretString>,
}

impl TradingConfig {
    /// A paper account.
    pub fn paper(symbol: Symbol, keys: Keys) -> Self {
        Self::new(TradingAccount::Paper, PAPER_HOST, symbol, keys)
    }

    /// A real account: orders cost real money.
    pub fn live(symbol: Symbol, keys: Keys, _confirmation: LiveConfirmation) -> Self {
        Self::new(TradingAccount::Live, "api.alpaca.markets", symbol, keys)
    }

    fn new(account: TradingAccount, host: &str, symbol: Symbol, keys: Keys) -> Self {
        let seconds = Duration::from_secs;
        let retry = RetryPolicy {
            max_attempts: 4,
            base_wait: Duration::from_millis(250),
            max_wait: seconds(4),
            max_total_wait: seconds(15),
        };
        Self {
            account,
            symbol,
            keys,
            rest_url: format!("https://{host}"),
            stream_url: format!("wss://{host}/stream"),
            time_in_force: TimeInForce::default(),
            requests_per_minute: 150,
            timeouts: Timeouts { connect: seconds(3), read: seconds(8), total: seconds(10) },
            retry,
            max_query: seconds(30),
            submit_wait: seconds(2),
            max_body_bytes: 4 * 1024 * 1024,
            // No order changes for days: only answers to pings are sure to come.
            stream: StreamSettings { silence: None, ..StreamSettings::default() },
            jitter_seed: 0,
            proxy: None,
        }
    }

    /// Whose money it is.
    pub fn account(&self) -> TradingAccount {
        self.account
    }

    /// The two addresses, checked.
    pub(super) fn check(&self) -> Result<(Url, Url), AlpacaError> {
        if Market::of(&self.symbol) == Market::Stocks {
            return Err(AlpacaError::Stock { symbol: self.symbol.clone() });
        }
        self.http().check()?;
        self.stream.check()?;
        let day = Duration::from_secs(86_400);
        if self.submit_wait > day {
            return Err(AlpacaError::setting(
                "submit_wait",
                format!("{:?}", self.submit_wait),
                "at most a day",
            ));
        }
        let rest = base_url(&self.http())?;
        let stream = stream_url("stream_url", &self.stream_url)?;
        for (name, url) in [("rest_url", &rest), ("stream_url", &stream)] {
            let is_paper = is_local(url) || url.host_str() == Some(PAPER_HOST);
            if self.account == TradingAccount::Paper && !is_paper {
                let expected = format!("{PAPER_HOST} or this machine for a paper account");
                return Err(AlpacaError::setting(name, url.host_str().unwrap_or_default(), expected));
            }
        }
        if rest.host_str() != stream.host_str() {
            let (shown, expected) =
                (stream.host_str().unwrap_or_default(), rest.host_str().unwrap_or_default());
            return Err(AlpacaError::setting(
                "stream_url",
                shown,
                format!("the host of rest_url, {expected}"),
            ));
        }
        Ok((rest, stream))
    }

    /// What the HTTP client is told.
    pub(super) fn http(&self) -> AlpacaConfig {
        AlpacaConfig {
            base_url: self.rest_url.clone(),
            keys: Some(self.keys.clone()),
            requests_per_minute: self.requests_per_minute,
            timeouts: self.timeouts,
            retry: self.retry,
            limits: Limits {
                max_page_bytes: self.max_body_bytes,
                max_query: self.max_query,
                ..Limits::default()
            },
            jitter_seed: self.jitter_seed,
            proxy: self.proxy.clone(),
            ..AlpacaConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys { id: "PKTESTKEYID".into(), secret: "verysecretvalue".into() }
    }

    fn paper() -> TradingConfig {
        TradingConfig::paper("BTC/USD".parse().unwrap(), keys())
    }

    #[test]
    fn a_paper_account_never_reaches_a_real_one() {
        paper().check().unwrap();
        for url in [
            "https://api.alpaca.markets",
            "https://broker.example",
            "https://paper-api.alpaca.markets.example",
        ] {
            let error =
                TradingConfig { rest_url: url.to_owned(), ..paper() }.check().unwrap_err().to_string();
            assert!(error.contains("for a paper account"), "{error}");
        }
        let stream_url = "wss://api.alpaca.markets/stream".to_owned();
        assert!(TradingConfig { stream_url, ..paper() }.check().is_err());
        let local = TradingConfig {
            rest_url: "http://127.0.0.1:1".to_owned(),
            stream_url: "ws://127.0.0.1:1/stream".to_owned(),
            ..paper()
        };
        local.check().unwrap();
    }

    #[test]
    fn real_money_needs_the_words() {
        for text in ["", "yes", "Trade with real money", "trade with real money "] {
            assert!(LiveConfirmation::typed(text).is_err(), "{text}");
        }
        let confirmation = LiveConfirmation::typed(LiveConfirmation::WORDS).unwrap();
        let live = TradingConfig::live("BTC/USD".parse().unwrap(), keys(), confirmation);
        assert_eq!(live.account(), TradingAccount::Live);
        assert_eq!(live.check().unwrap().0.as_str(), "https://api.alpaca.markets/");
        let mixed = TradingConfig { stream_url: "wss://paper-api.alpaca.markets/stream".to_owned(), ..live };
        assert!(mixed.check().unwrap_err().to_string().contains("the host of rest_url"));
    }

    #[test]
    fn stocks_are_refused_and_keys_shown_nowhere() {
        let stock = TradingConfig { symbol: "AAPL".parse().unwrap(), ..paper() };
        assert!(stock.check().unwrap_err().to_string().contains("AAPL is a stock"));
        let shown = format!("{:?}", paper());
        assert!(!shown.contains("PKTESTKEYID") && !shown.contains("verysecretvalue"), "{shown}");
    }
}
